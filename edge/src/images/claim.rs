//! `POST /images/metadata`: a pending picture is to be kept, and whose it becomes.

use http::StatusCode;
use image_rules::Code;
use serde::{Deserialize, Serialize};

use crate::{
    admission::caller,
    app::{App, Ports},
    auth::{Principal, UserId, authenticate_guest},
    call::Call,
    error::{Failure, Refusal},
    intake::{Chunks, FormId, clean_name, read_json},
    ledger::{
        Ledger,
        message::{Claim, Claimed},
    },
    registry::{ImageId, Registry},
    response::{self, Answer, timestamp},
    route::{Body, Endpoint, base_url},
    storage::ObjectKey,
};

/// When to come back while the registry does not answer.
const RETRY_S: u32 = 2;

/// What is asked. What the caller says of the file's size is not needed: the ledger knows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    image_url: Option<String>,
    key: Option<String>,
    original_filename: Option<String>,
    form_id: Option<String>,
    guest_token: Option<String>,
    user_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Registered {
    image_id: Option<ImageId>,
    image_url: String,
    key: String,
    created_at: String,
}

/// Registers an uploaded picture, which lifts its expiry.
///
/// # Errors
/// `INVALID_IMAGE_URL` for what is no picture of ours, `USER_MISMATCH` for another's,
/// `IMAGE_NOT_FOUND` when it is not there, `IMAGE_ALREADY_REGISTERED`.
pub async fn register<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    body: impl Chunks,
) -> Result<Answer<Body<P>>, Failure> {
    let caller = caller(app, call, &Endpoint::RegisterImage).await?;
    let asked: Registration = read_json(&caller, call.head, body).await?;
    let base_url = base_url(&app.config, call.head);
    let key = asked.key(&base_url).ok_or(Code::InvalidImageUrl)?;
    let owner = key.owner().ok_or(Code::InvalidImageUrl)?;
    let by = asked.claimant(app, &caller, &owner).await?;
    let form_id = match &asked.form_id {
        Some(text) => Some(FormId::from_text(text).ok_or(Code::MalformedRequest)?),
        None => None,
    };
    let asked = Claim {
        key: key.clone(),
        by,
        form_id: form_id.map(|id| id.as_str().to_owned()),
        original_name: asked.original_filename.as_deref().and_then(clean_name).map(Into::into),
    };
    let image_id = claim(app, &owner, asked).await?;
    let now_ms = app.ports.now_ms();
    let data = Registered {
        image_id,
        image_url: format!("{base_url}/{key}"),
        key: key.to_string(),
        created_at: timestamp(now_ms),
    };
    let message = "register_image_metadata_success";
    Ok(response::never_cached(response::message(StatusCode::CREATED, message, &data, now_ms)))
}

/// Lets a pending picture of `owner` be kept by the claimant; its number.
///
/// # Errors
/// `IMAGE_NOT_FOUND` when it is not there, `IMAGE_ALREADY_REGISTERED`, `BUSY` when the claim may be
/// repeated.
pub async fn claim<P: Ports>(
    app: &App<P>,
    owner: &UserId,
    claim: Claim,
) -> Result<Option<ImageId>, Failure> {
    let key = claim.key.clone();
    match app.ports.ledger().claim(owner, claim).await? {
        Claimed::Now(receipt) => Ok(receipt.image_id),
        Claimed::AlreadyRegistered => Err(Code::ImageAlreadyRegistered.into()),
        Claimed::Unregistered => Err(Refusal::retry(Code::Busy, RETRY_S).into()),
        // The ledger forgets what was registered long ago; the registry does not.
        Claimed::NotFound => {
            let row = app.ports.registry().find(&key).await?;
            Err(row.map_or(Code::ImageNotFound, |_| Code::ImageAlreadyRegistered).into())
        }
    }
}

impl Registration {
    /// The picture, by its key or by its URL on this very host.
    fn key(&self, base_url: &str) -> Option<ObjectKey> {
        match (&self.key, &self.image_url) {
            (Some(key), None) => ObjectKey::parse(key),
            (None, Some(url)) => ObjectKey::parse(url.strip_prefix(base_url)?.strip_prefix('/')?),
            (Some(key), Some(url)) => {
                let same = *url == format!("{base_url}/{key}");
                ObjectKey::parse(key).filter(|_| same)
            }
            (None, None) => None,
        }
    }

    /// Whose the picture becomes: the caller's when it is theirs or they hold its guest's token; a
    /// back end may say for whom it asks.
    async fn claimant<P: Ports>(
        &self,
        app: &App<P>,
        caller: &Principal,
        owner: &UserId,
    ) -> Result<UserId, Failure> {
        if caller.reaches_others(&Endpoint::RegisterImage) {
            return match &self.user_id {
                Some(user) => UserId::parse(user).ok_or_else(|| Code::MalformedRequest.into()),
                None => Ok(owner.clone()),
            };
        }
        let named = self.user_id.as_deref().is_none_or(|user| user == caller.user().as_str());
        let is_own = caller.user() == owner;
        let is_guests = match &self.guest_token {
            Some(token) if !is_own => authenticate_guest(app, token).await?.user() == owner,
            _ => false,
        };
        if named && (is_own || is_guests) {
            Ok(caller.user().clone())
        } else {
            Err(Code::UserMismatch.into())
        }
    }
}
