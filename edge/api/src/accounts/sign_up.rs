//! `POST /users/signup`: an account, with the image that was uploaded before it.

use edge_auth::bearer;
use edge_ledger::{EventType, NewIdentity};
use edge_registry::{Created, NewUser, Reservation, User, UserStore};
use edge_types::{Email, ImageId, Nickname, Problem, Role, UserId, log};
use http::StatusCode;
use image_rules::Code;
use serde::Deserialize;

use super::{
    mail_links::{begin_sign_up, count_mail, invite_to_verify},
    password::{self, Password},
    session,
    transfer::{GuestImageTransfer, ImageName, user_id},
};
use crate::{
    admission::count_new_identity,
    app::App,
    body::{BodyStream, read_json},
    config::EmailVerification,
    context::RequestContext,
    error::ApiError,
    images,
    ports::Ports,
    request::base_urls,
    response::HandlerResult,
    webhooks,
};

/// How much longer than a guest token an e-mail address stays reserved: an interrupted sign-up can be repeated while the
/// token lives, and the last attempt takes less than a minute.
const LEEWAY_MS: u64 = 60_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignUp {
    email: String,
    /// Ignored where addresses are verified first: who opens the link chooses it.
    password: Option<String>,
    nickname: Option<String>,
    image_id: Option<ImageId>,
    image_key: Option<String>,
    image_url: Option<String>,
    /// Without it, the token of the request.
    guest_token: Option<String>,
}

/// Creates an account and logs its owner in. After any error there is no account.
///
/// # Errors
/// `EMAIL_TAKEN`, `MALFORMED_REQUEST`, `PASSWORD_COMMON`, `INVALID_IMAGE_URL` for what names no image here, those of [`count_new_identity`] after too many accounts from the client IP, and those
/// of the image transfer.
pub async fn sign_up<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    body: impl BodyStream,
) -> HandlerResult<P> {
    let request: SignUp = read_json(context.head, body).await?;
    let email = Email::parse(&request.email).ok_or(Code::MalformedRequest)?;
    let nickname = match &request.nickname {
        Some(text) => Some(Nickname::parse(text).ok_or(Code::MalformedRequest)?),
        None => None,
    };
    // The token of the guest expires before the link is opened, and whether the picture is claimed would tell whether
    // the address has an account.
    if app.config.email_verification == EmailVerification::Required {
        if request.names_image() {
            let expected = Some("nothing, while addresses are verified");
            return Err(Problem::field("imageKey", expected).into());
        }
        count_new_identity(app, context, NewIdentity::Account).await?;
        count_mail(app, context, &email).await?;
        return begin_sign_up(app, context, &email, nickname.as_ref()).await;
    }
    let transfer = request.transfer(app, context).await?;
    let password = request.password.ok_or_else(|| Problem::field("password", None))?;
    let password = Password::parse(password, email.as_str())?;
    if app.ports.users().by_email(&email).await?.is_some() {
        return Err(Code::EmailTaken.into());
    }
    count_new_identity(app, context, NewIdentity::Account).await?;
    let password = password::hash(app, &password).await?;
    let id = new_id(app, transfer.as_ref())?;
    if let Some(transfer) = &transfer {
        claim_reserved(app, context, transfer, &email).await?;
    }
    let event = webhooks::user_event(app, EventType::UserSignedUp, &id, id.as_str());
    let new = NewUser {
        id: &id,
        email: &email,
        password: &password,
        nickname: nickname.as_ref(),
        image_key: transfer.as_ref().map(|transfer| &transfer.key),
        created_ms: event.as_ref().map_or_else(|| app.ports.now_ms(), |event| event.created_ms),
        event: event.as_ref(),
    };
    let user = create(app, &new).await?;
    let reason = if transfer.is_some() { "with_picture" } else { "without_picture" };
    app.record_of(format!("signup:{}", user.id), "signup", &user.id, reason).await;
    // The account exists in any case, and its owner can ask for the mail again.
    if app.config.email_verification == EmailVerification::Optional
        && let Err(error) = invite_to_verify(app, context, &email).await
    {
        log::error("verification_unsent", &[("cause", &error.to_string())]);
    }
    session::open(app, context, (StatusCode::CREATED, "signup_success"), user, None).await
}

impl SignUp {
    const fn names_image(&self) -> bool {
        self.image_id.is_some() || self.image_key.is_some() || self.image_url.is_some()
    }

    /// The image to transfer, with the token of its guest.
    async fn transfer<P: Ports>(
        &self,
        app: &App<P>,
        context: &RequestContext<'_>,
    ) -> Result<Option<GuestImageTransfer>, ApiError> {
        let name = match (self.image_id, self.image_key.as_deref(), self.image_url.as_deref()) {
            (None, None, None) => return Ok(None),
            (Some(id), None, None) => Some(ImageName::Id(id)),
            (None, key, url) => {
                let base_urls = base_urls(&app.config, context.head);
                images::named_key(key, url, &base_urls).map(ImageName::Key)
            }
            _ => None,
        };
        let name = name.ok_or(Code::InvalidImageUrl)?;
        let token = self.guest_token.as_deref().or_else(|| bearer(context.head).ok());
        let token = token.ok_or(Code::UserMismatch)?;
        GuestImageTransfer::new(app, name, token).await.map(Some)
    }
}

/// Claims the image while the e-mail address is reserved: of concurrent sign-ups for one address only the one that gets
/// it claims anything, and the images of the others stay claimable.
async fn claim_reserved<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    transfer: &GuestImageTransfer,
    email: &Email,
) -> Result<(), ApiError> {
    let (users, id, now_ms) = (app.ports.users(), transfer.id(), app.ports.now_ms());
    let until_ms = now_ms + u64::from(app.config.guest_token_s) * 1000 + LEEWAY_MS;
    if !users.reserve(&Reservation { email, id, now_ms, until_ms }).await? {
        return Err(Code::EmailTaken.into());
    }
    let claimed = transfer.claim(app, context).await;
    // A retry cannot change a client error, so the address is free again. After anything else the sign-up may be repeated
    // by the same user, for whom it stays reserved.
    if let Err(ApiError::Client(Problem { code, .. })) = &claimed
        && *code != Code::Busy
        && let Err(error) = users.release(email, id).await
    {
        log::error("reservation_unreleased", &[("cause", &error.to_string())]);
    }
    claimed
}

fn new_id<P: Ports>(
    app: &App<P>,
    transfer: Option<&GuestImageTransfer>,
) -> Result<UserId, ApiError> {
    let id = match transfer {
        Some(transfer) => Some(transfer.id().clone()),
        None => user_id(&app.ports.random()),
    };
    id.ok_or_else(|| Code::Internal.into())
}

async fn create<P: Ports>(app: &App<P>, new: &NewUser<'_>) -> Result<User, ApiError> {
    match app.ports.users().create(new).await? {
        Created::Now => {
            webhooks::enqueue_later(app);
            // Whether the picture waits for a review is in its row.
            if new.image_key.is_some()
                && let Ok(Some(user)) = app.ports.users().by_id(new.id).await
            {
                return Ok(user);
            }
            Ok(User {
                id: new.id.clone(),
                email: new.email.as_str().to_owned(),
                role: Role::User,
                nickname: new.nickname.map(|name| name.as_str().to_owned()),
                image_key: new.image_key.map(ToString::to_string),
                image_review: None,
                created_ms: new.created_ms,
                has_verified_email: false,
            })
        }
        Created::EmailTaken => Err(Code::EmailTaken.into()),
        Created::IdTaken => Err(Code::ImageAlreadyRegistered.into()),
    }
}
