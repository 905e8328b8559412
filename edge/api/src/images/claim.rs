//! `POST /images/metadata`: keeps a pending image, and decides whose it becomes.

use edge_auth::Principal;
use edge_ledger::{ClaimImage, ClaimOutcome, LedgerClient};
use edge_registry::Registry;
use edge_storage::ObjectKey;
use edge_types::{FormId, ImageId, Role, Subject, UserId, file_name::clean_name, timestamp};
use http::StatusCode;
use image_rules::Code;
use serde::{Deserialize, Serialize};

use crate::{
    admission::{QuotaCharges, check_user_ban},
    app::App,
    body::{BodyStream, read_json_of},
    context::RequestContext,
    error::{ApiError, busy},
    ports::Ports,
    request::base_url,
    response::{self, HandlerResult},
};

/// The size that clients send is not needed: the ledger knows it.
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

/// Registers an uploaded image, so that it does not expire.
///
/// # Errors
/// `INVALID_IMAGE_URL` for what is no image of this deployment, `USER_MISMATCH`, `USER_BANNED` for a claimant who is
/// banned, and those of [`claim`].
pub async fn register<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    body: impl BodyStream,
) -> HandlerResult<P> {
    let request: Registration = read_json_of(caller, context.head, body).await?;
    let base_url = base_url(&app.config, context.head);
    let key = request.key(&base_url).ok_or(Code::InvalidImageUrl)?;
    let owner = key.owner().ok_or(Code::InvalidImageUrl)?;
    let claimant = request.claimant(app, caller, &owner).await?;
    let form_id = match &request.form_id {
        Some(text) => Some(FormId::from_text(text).ok_or(Code::MalformedRequest)?),
        None => None,
    };
    let command = ClaimImage {
        key: key.clone(),
        claimant,
        form_id: form_id.map(|id| id.as_str().to_owned()),
        original_name: request.original_filename.as_deref().and_then(clean_name).map(Into::into),
    };
    if *caller.user() != command.claimant {
        check_user_ban(app, context, &command.claimant).await?;
    }
    let image_id = claim(app, context, &owner, command).await?;
    let now_ms = app.ports.now_ms();
    let data = Registered {
        image_id,
        image_url: format!("{base_url}/{key}"),
        key: key.to_string(),
        created_at: timestamp(now_ms),
    };
    let message = "register_image_metadata_success";
    Ok(response::success(StatusCode::CREATED, message, &data, now_ms))
}

/// Keeps a pending image of `owner` for the claimant; returns its number. The image of another is charged to the
/// claimant, and an uploader who is banned gives nothing to others.
///
/// # Errors
/// `USER_BANNED`, `QUOTA_EXCEEDED`, `IMAGE_NOT_FOUND`, `IMAGE_ALREADY_REGISTERED`, `BUSY` when the claim may be repeated.
pub async fn claim<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    owner: &UserId,
    command: ClaimImage,
) -> Result<Option<ImageId>, ApiError> {
    let limits = app.config.limits.of_role(Role::User);
    let is_new_owner = command.claimant != *owner;
    let new_owner = is_new_owner.then(|| (Subject::User(command.claimant.clone()), limits));
    // Its size is known when it is claimed.
    let bytes = app.config.policy.limits.max_bytes;
    if is_new_owner {
        check_user_ban(app, context, owner).await?;
    }
    let charges = QuotaCharges::charge(app, context, new_owner.into_iter(), bytes).await?;
    let key = command.key.clone();
    // Without the reply of the ledger the image may be claimed, and stays charged.
    let outcome = app.ports.ledger().send_to_user(owner, command).await?;
    let claimed = match &outcome {
        ClaimOutcome::Claimed(receipt) => Some(receipt.image.original_size_bytes),
        _ => None,
    };
    charges.settle(app, claimed).await;
    match outcome {
        ClaimOutcome::Claimed(receipt) => Ok(receipt.image_id),
        ClaimOutcome::AlreadyRegistered => Err(Code::ImageAlreadyRegistered.into()),
        ClaimOutcome::Unregistered => Err(busy().into()),
        // The ledger forgets an image a day after its registration; the database does not.
        ClaimOutcome::NotFound => {
            let row = app.ports.registry().find(&key).await?;
            Err(row.map_or(Code::ImageNotFound, |_| Code::ImageAlreadyRegistered).into())
        }
    }
}

impl Registration {
    /// The image, by its key or by its URL at this deployment.
    fn key(&self, base_url: &str) -> Option<ObjectKey> {
        match (&self.key, &self.image_url) {
            (Some(key), None) => ObjectKey::parse(key),
            (None, Some(url)) => ObjectKey::parse(url.strip_prefix(base_url)?.strip_prefix('/')?),
            (Some(key), Some(url)) => {
                let is_same = *url == format!("{base_url}/{key}");
                ObjectKey::parse(key).filter(|_| is_same)
            }
            (None, None) => None,
        }
    }

    /// The new owner: the caller, when the image is theirs or they hold the token of its guest. A back end may name
    /// another user.
    async fn claimant<P: Ports>(
        &self,
        app: &App<P>,
        caller: &Principal,
        owner: &UserId,
    ) -> Result<UserId, ApiError> {
        if caller.may_access_others() {
            return match &self.user_id {
                Some(user) => UserId::parse(user).ok_or_else(|| Code::MalformedRequest.into()),
                None => Ok(owner.clone()),
            };
        }
        let names_caller = self.user_id.as_deref().is_none_or(|id| id == caller.user().as_str());
        let is_own = caller.user() == owner;
        let is_guests = match &self.guest_token {
            Some(token) if !is_own => {
                app.authenticator().authenticate_guest(token).await?.user() == owner
            }
            _ => false,
        };
        if names_caller && (is_own || is_guests) {
            Ok(caller.user().clone())
        } else {
            Err(Code::UserMismatch.into())
        }
    }
}
