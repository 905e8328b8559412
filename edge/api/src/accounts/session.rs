//! A session: an access token, a refresh token in its cookie, and the user.

use edge_registry::{RefreshFamily, User, UserStore};
use edge_types::{Email, Role, timestamp};
use http::{StatusCode, header};
use serde::Serialize;

use super::{cookie::RefreshToken, device_cookie::DeviceId};
use crate::{
    app::App, context::RequestContext, error::ApiError, ports::Ports, request::base_url, response,
    response::HandlerResult,
};

/// A user in the shape of the contract.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserView {
    id: String,
    email: String,
    nickname: Option<String>,
    role: Role,
    profile_image_url: Option<String>,
    profile_image_key: Option<String>,
    created_at: String,
}

impl UserView {
    pub(super) fn new(user: User, base_url: &str) -> Self {
        let url = |key: &String| format!("{base_url}/{key}");
        Self {
            id: user.id.to_string(),
            email: user.email,
            nickname: user.nickname,
            role: user.role,
            profile_image_url: user.image_key.as_ref().map(url),
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

/// Begins a session of a user who has proved to be one, and remembers the browser. A refresh cookie of the request is
/// ignored, so that nobody can fix the session of another.
///
/// # Errors
/// When the database fails, or the signing key cannot sign.
pub(super) async fn open<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    outcome: (StatusCode, &str),
    user: User,
    email: &Email,
    device: Option<DeviceId>,
) -> HandlerResult<P> {
    let token = open_family(app, &user).await?;
    let mut response = respond(app, context, outcome, user, &token)?;
    let device = device.unwrap_or_else(|| DeviceId::new(&app.ports));
    let cookie = device.set_cookie(&app.config.auth.signing, email, app.ports.now_ms());
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

async fn open_family<P: Ports>(app: &App<P>, user: &User) -> Result<RefreshToken, ApiError> {
    let token = RefreshToken::first(&app.ports);
    let now_ms = app.ports.now_ms();
    let family = RefreshFamily {
        id: token.family(),
        user: user.id.clone(),
        token: token.digest(),
        created_ms: now_ms,
        expires_ms: now_ms + u64::from(app.config.accounts.refresh_token_s) * 1000,
        revoked_ms: None,
    };
    app.ports.users().open(&family).await?;
    Ok(token)
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
) -> HandlerResult<P> {
    let now_ms = app.ports.now_ms();
    let expires_in = app.config.accounts.access_token_s;
    let signing = &app.config.auth.signing;
    let access_token =
        signing.issue_access_token(&user.id, user.role, &user.email, expires_in, now_ms)?;
    let (sub, email) = (user.id.to_string(), user.email.clone());
    let iat = now_ms / 1000;
    let exp = iat + u64::from(expires_in);
    let payload = Payload { sub: &sub, email: &email, role: user.role, iat, exp };
    let user = UserView::new(user, &base_url(&app.config, context.head));
    let session = Session { access_token, expires_in, payload, user };
    let mut response = response::success(status, message, &session, now_ms);
    let cookie = token.set_cookie(app.config.accounts.refresh_token_s);
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}
