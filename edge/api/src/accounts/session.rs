//! A session: an access token, a refresh token in its cookie, and the user.

use edge_auth::AccountClaims;
use edge_registry::{RefreshFamily, User, UserStore};
use edge_storage::ObjectKey;
use edge_types::{Email, Role, SessionId, timestamp};
use http::{StatusCode, header, request::Parts};
use image_rules::Code;
use serde::Serialize;

use super::{cookie::RefreshToken, device_cookie::DeviceId, mail_links::invite_to_verify};
use crate::{
    admission,
    app::App,
    config::EmailVerification,
    context::RequestContext,
    delivery::picture_url,
    error::ApiError,
    ports::Ports,
    request::{image_base_url, text_header},
    response::{self, HandlerResult},
    signed_urls::SignedUrls,
};

/// A user in the shape of the contract.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserView {
    id: String,
    email: String,
    email_verified: bool,
    nickname: Option<String>,
    role: Role,
    /// Signed if the picture is private.
    profile_image_url: Option<String>,
    profile_image_key: Option<String>,
    created_at: String,
}

impl UserView {
    pub(super) fn new<P: Ports>(user: User, app: &App<P>, context: &RequestContext<'_>) -> Self {
        let base_url = image_base_url(&app.config, context.head);
        let signed_urls = SignedUrls::new(&app.config, &base_url, app.ports.now_ms());
        let url = |object: ObjectKey| {
            signed_urls.url(&object, None).unwrap_or_else(|| picture_url(&base_url, &object, ""))
        };
        Self {
            profile_image_url: user.image_object().map(url),
            id: user.id.to_string(),
            email: user.email,
            email_verified: user.has_verified_email,
            nickname: user.nickname,
            role: user.role,
            profile_image_key: user.image_key,
            created_at: timestamp(user.created_ms),
        }
    }
}

/// The claims of the access token, for clients that do not parse it.
#[derive(Serialize)]
struct Payload<'a> {
    sub: &'a str,
    email: &'a str,
    role: Role,
    iat: u64,
    exp: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Session<'a> {
    access_token: String,
    expires_in: u32,
    payload: Payload<'a>,
    user: UserView,
}

/// Logs in a user who has proved to be one.
///
/// # Errors
/// `USER_BANNED`, `EMAIL_NOT_VERIFIED`, and those of [`open`].
pub(super) async fn log_in<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    user: User,
    device: Option<DeviceId>,
) -> HandlerResult<P> {
    admission::check_user_ban(app, context, &user.id).await?;
    // Only accounts from before the setting, whose owner knows the password.
    if app.config.email_verification == EmailVerification::Required
        && !user.has_verified_email
        && let Some(email) = Email::parse(&user.email)
    {
        invite_to_verify(app, context, &email).await?;
        return Err(Code::EmailNotVerified.into());
    }
    open(app, context, (StatusCode::OK, "login_success"), user, device).await
}

/// Begins a session, and remembers the browser of an account with an e-mail address. A refresh cookie of the request is
/// ignored, so that nobody can fix the session of another.
///
/// # Errors
/// When the database fails, or the signing key cannot sign.
pub(super) async fn open<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    outcome: (StatusCode, &str),
    user: User,
    device: Option<DeviceId>,
) -> HandlerResult<P> {
    let (token, expires_ms) = open_family(app, context.head, &user).await?;
    let email = Email::parse(&user.email);
    let mut response = respond(app, context, outcome, user, &token, expires_ms)?;
    if let Some(email) = &email {
        let device = device.unwrap_or_else(|| DeviceId::new(&app.ports));
        let cookie = device.set_cookie(&app.config.auth.signing, email, app.ports.now_ms());
        response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    }
    Ok(response)
}

/// Returns the first token, and when it expires.
async fn open_family<P: Ports>(
    app: &App<P>,
    head: &Parts,
    user: &User,
) -> Result<(RefreshToken, u64), ApiError> {
    let token = RefreshToken::first(&app.ports);
    let now_ms = app.ports.now_ms();
    let accounts = &app.config.accounts;
    let lifetime_ms = accounts.refresh_token_ms().min(accounts.refresh_absolute_ms());
    let family = RefreshFamily {
        id: token.family(),
        user: user.id.clone(),
        token: token.digest(),
        user_agent: user_agent(head),
        created_ms: now_ms,
        used_ms: now_ms,
        expires_ms: now_ms + lifetime_ms,
        revoked_ms: None,
    };
    app.ports.users().open(&family).await?;
    Ok((token, family.expires_ms))
}

/// What the browser calls itself, so that people recognise their sessions.
fn user_agent(head: &Parts) -> Option<String> {
    const MAX_CHARS: usize = 256;
    let text: String =
        text_header(head, header::USER_AGENT)?.trim().chars().take(MAX_CHARS).collect();
    (!text.is_empty()).then_some(text)
}

/// The response with both tokens.
///
/// # Errors
/// When the signing key cannot sign.
pub(super) fn respond<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    (status, message): (StatusCode, &str),
    user: User,
    token: &RefreshToken,
    expires_ms: u64,
) -> HandlerResult<P> {
    let now_ms = app.ports.now_ms();
    let expires_in = app.config.accounts.access_token_s;
    let session = SessionId::parse(&token.family()).ok_or(Code::Internal)?;
    let account = AccountClaims {
        user: &user.id,
        role: user.role,
        email: &user.email,
        session: &session,
        created_ms: user.created_ms,
        is_unverified: app.config.email_verification != EmailVerification::Off
            && !user.has_verified_email,
    };
    let access_token = app.config.auth.signing.issue_access_token(&account, expires_in, now_ms)?;
    let (sub, email) = (user.id.to_string(), user.email.clone());
    let iat = now_ms / 1000;
    let exp = iat + u64::from(expires_in);
    let payload = Payload { sub: &sub, email: &email, role: user.role, iat, exp };
    let user = UserView::new(user, app, context);
    let session = Session { access_token, expires_in, payload, user };
    let mut response = response::success(status, message, &session, now_ms);
    // Rounded up, because some milliseconds of the lifetime have passed already.
    let cookie = token.set_cookie(expires_ms.saturating_sub(now_ms).div_ceil(1000));
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}
