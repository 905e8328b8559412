//! `POST /images/metadata`: keeps a pending image, and decides whose it becomes.

use edge_auth::Principal;
use edge_ledger::{ClaimImage, ClaimOutcome, LedgerClient, Receipt, StoredImage};
use edge_registry::{ImageRow, Registry};
use edge_types::{
    FormId, ImageId, Problem, Role, Subject, UserId, file_name::clean_name, timestamp,
};
use http::StatusCode;
use image_rules::Code;
use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::named_key;
use crate::{
    admission::{QuotaCharges, check_user_ban},
    app::App,
    body::{BodyStream, read_json_of},
    context::RequestContext,
    error::{ApiError, busy},
    forms,
    ports::Ports,
    request::{base_urls, image_base_url},
    response::{self, HandlerResult},
};

/// The size that clients send is not needed: the ledger knows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Registration {
    image_url: Option<String>,
    key: Option<String>,
    original_filename: Option<String>,
    form_id: Option<String>,
    guest_token: Option<String>,
    user_id: Option<String>,
    #[serde(rename = "fileSize")]
    _file_size: Option<IgnoredAny>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Registered {
    image_id: Option<ImageId>,
    image_url: String,
    key: String,
    created_at: String,
}

/// Registers an uploaded image, so that it does not expire. An image that the claimant owns already is answered with 200.
///
/// # Errors
/// `INVALID_IMAGE_URL` for what is no image of this deployment, `USER_MISMATCH`, `USER_BANNED` for a claimant who is
/// banned, `FORM_NOT_FOUND` with `REQUIRE_FORM`, and those of [`claim`].
pub async fn register<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    body: impl BodyStream,
) -> HandlerResult<P> {
    let request: Registration = read_json_of(caller, context.head, body).await?;
    let base_url = image_base_url(&app.config, context.head);
    let base_urls = base_urls(&app.config, context.head);
    let key = named_key(request.key.as_deref(), request.image_url.as_deref(), &base_urls)
        .ok_or(Code::InvalidImageUrl)?;
    let owner = key.owner().ok_or(Code::InvalidImageUrl)?;
    let form_id = match &request.form_id {
        Some(text) => Some(FormId::from_text(text).ok_or(Code::MalformedRequest)?),
        None => None,
    };
    let claimed = match request.claimant(app, caller, &owner).await {
        Ok(claimant) => {
            let has_policy = match &form_id {
                Some(_) => forms::find(app, form_id.as_ref()).await?.is_some(),
                None => false,
            };
            let name = request.original_filename.as_deref().and_then(clean_name);
            let command = ClaimImage {
                form_id: form_id.map(|id| id.as_str().to_owned()),
                original_name: name.map(Into::into),
                has_policy,
                ..ClaimImage::new(key.clone(), claimant)
            };
            if *caller.user() != command.claimant {
                check_user_ban(app, context, &command.claimant).await?;
            }
            claim(app, context, &owner, command).await?
        }
        // The caller may have claimed it before, with a guest token that has expired since.
        Err(error) => match app.ports.registry().find(&key).await? {
            Some(row) if row.owner == caller.user().as_str() => Claimed::Before(Box::new(row)),
            _ => return Err(error),
        },
    };
    let (status, image_id, created_ms) = match claimed {
        Claimed::Now(receipt) => (StatusCode::CREATED, receipt.image_id, receipt.image.stored_ms),
        Claimed::Before(row) => (StatusCode::OK, Some(row.id), row.created_ms),
    };
    let now_ms = app.ports.now_ms();
    let data = Registered {
        image_id,
        image_url: format!("{base_url}/{key}"),
        key: key.to_string(),
        created_at: timestamp(created_ms),
    };
    Ok(response::success(status, "register_image_metadata_success", &data, now_ms))
}

/// What a claim came to.
#[derive(Debug)]
pub enum Claimed {
    Now(Box<Receipt>),
    /// The image was the claimant's already.
    Before(Box<ImageRow>),
}

/// Keeps a pending image of `owner` for the claimant. The image of another is charged to the claimant, and takes a place
/// of theirs in a form with a limit; an uploader who is banned gives nothing to others.
///
/// # Errors
/// `USER_BANNED`, `QUOTA_EXCEEDED`, `FORM_FULL`, `FORM_CLOSED` for a form whose pictures were deleted, `FORM_REQUIRED` for an image of another form than the claim names where
/// one of them has a policy, `IMAGE_NOT_FOUND`, `IMAGE_ALREADY_REGISTERED`, `BUSY` when the claim may be repeated.
pub async fn claim<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    owner: &UserId,
    command: ClaimImage,
) -> Result<Claimed, ApiError> {
    let limits = app.config.limits.of_role(Role::User);
    let is_new_owner = command.claimant != *owner;
    let new_owner = is_new_owner.then(|| (Subject::User(command.claimant.clone()), limits));
    // Its size is known when it is claimed.
    let bytes = app.config.policy.limits.max_bytes;
    if is_new_owner {
        check_user_ban(app, context, owner).await?;
    }
    let charges = QuotaCharges::charge(app, context, new_owner.into_iter(), bytes).await?;
    let (key, claimant) = (command.key.clone(), command.claimant.clone());
    let outcome = match send_claim(app, owner, command).await {
        // Without the reply of the ledger the image may be claimed, and stays charged.
        Err(ApiError::Internal(error)) => return Err(error.into()),
        Err(error) => {
            charges.settle(app, None).await;
            return Err(error);
        }
        Ok(outcome) => outcome,
    };
    let claimed = match &outcome {
        ClaimOutcome::Claimed(receipt) => Some(receipt.image.original_size_bytes),
        _ => None,
    };
    charges.settle(app, claimed).await;
    match outcome {
        ClaimOutcome::Claimed(receipt) => {
            confirm_place(app, &receipt.image, &claimant).await;
            Ok(Claimed::Now(receipt))
        }
        ClaimOutcome::OtherForm | ClaimOutcome::NeedsPlace(_) => Err(Code::FormRequired.into()),
        ClaimOutcome::Unregistered { form_id } => {
            forms::check_not_deleted(app, form_id.as_deref()).await?;
            Err(busy().into())
        }
        // The ledger forgets an image a day after its registration; the database does not.
        ClaimOutcome::AlreadyRegistered | ClaimOutcome::NotFound => {
            match app.ports.registry().find(&key).await? {
                Some(row) if row.owner == claimant.as_str() => Ok(Claimed::Before(Box::new(row))),
                None if outcome == ClaimOutcome::NotFound => Err(Code::ImageNotFound.into()),
                _ => Err(Code::ImageAlreadyRegistered.into()),
            }
        }
    }
}

/// Sends a claim to the ledger of the owner; again with a place for the claimant, when the image has one in its form. A
/// place that is not confirmed ends with its lease.
async fn send_claim<P: Ports>(
    app: &App<P>,
    owner: &UserId,
    command: ClaimImage,
) -> Result<ClaimOutcome, ApiError> {
    let ledger = app.ports.ledger();
    let outcome = ledger.send_to_user(owner, command.clone()).await?;
    let ClaimOutcome::NeedsPlace(form) = &outcome else { return Ok(outcome) };
    if let Some(form) = forms::find_named(app, form).await? {
        forms::reserve(app, &form, &command.key, &command.claimant).await?;
    }
    Ok(ledger.send_to_user(owner, ClaimImage { has_place: true, ..command }).await?)
}

/// Keeps the place of a claimed image. One that was uploaded before its form got a limit is counted from now on.
async fn confirm_place<P: Ports>(app: &App<P>, image: &StoredImage, claimant: &UserId) {
    let form = image.form_id.as_deref().and_then(FormId::from_text).and_then(|id| id.name());
    let Some(name) = form else { return };
    let is_counted = image.is_counted
        || match forms::find_named(app, &name).await {
            Ok(form) => form.is_some_and(|form| form.counted_since_ms.is_some()),
            Err(_) => false,
        };
    if is_counted {
        forms::confirm(app, &name, &image.key, claimant).await;
    }
}

impl Registration {
    /// The new owner: the caller, when the image is theirs or they hold the token of its guest. A back end names the
    /// user.
    async fn claimant<P: Ports>(
        &self,
        app: &App<P>,
        caller: &Principal,
        owner: &UserId,
    ) -> Result<UserId, ApiError> {
        if caller.may_access_others() {
            return match &self.user_id {
                Some(user) => UserId::parse(user).ok_or_else(|| Code::MalformedRequest.into()),
                // Without a name the image would stay its guest's, for whom nobody can act any more.
                None => Err(Problem::field("userId", Some("the new owner")).into()),
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
