//! `POST /users/{id}/password`: a user chooses another password. It takes the old one, and ends all other sessions: who knew
//! the old password may have opened one.

use edge_auth::Principal;
use edge_registry::{NewPassword, PasswordHash, UserStore, WhichSessions};
use edge_types::{Email, SessionId, UserId};
use http::StatusCode;
use image_rules::Code;
use serde::{Deserialize, Serialize};

use super::{
    device_cookie::DeviceId,
    login_throttle::LoginAttempt,
    mail_links::forgotten_url,
    password::{self, Password},
};
use crate::{
    app::App,
    body::{BodyStream, read_json_of},
    context::RequestContext,
    error::ApiError,
    mails::{self, Letter},
    ports::Ports,
    request::base_url,
    response::{self, HandlerResult},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PasswordChange {
    old_password: String,
    new_password: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangedPassword {
    /// How many other sessions were open.
    ended_sessions: u32,
}

/// Replaces the password of the caller.
///
/// # Errors
/// `USER_MISMATCH`, `NOT_FOUND` without an account, `PASSWORD_COMMON`, `CREDENTIALS_INVALID` for a wrong old password, also when
/// another request has just changed it; `RATE_LIMITED` after too many wrong passwords.
pub async fn change_password<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    id: &UserId,
    body: impl BodyStream,
) -> HandlerResult<P> {
    caller.check_access(id)?;
    let request: PasswordChange = read_json_of(caller, context.head, body).await?;
    let user = app.ports.users().by_id(id).await?.ok_or(Code::NotFound)?;
    let password = Password::parse(request.new_password, &user.email)?;
    let old = check_password(app, context, &user.email, &request.old_password).await?;
    let hash = password::hash(app, &password).await?;
    let current = caller.session().map(SessionId::as_str);
    let now_ms = app.ports.now_ms();
    let change = NewPassword {
        user: id,
        old: &old,
        new: &hash,
        ends: current.map_or(WhichSessions::All, WhichSessions::AllBut),
        now_ms,
    };
    let changed = app.ports.users().change_password(&change).await?;
    let ended_sessions = changed.ok_or(Code::CredentialsInvalid)?;
    app.isolate.sessions.clear();
    let key = format!("password:{}", context.id.as_str());
    app.record_of(key, "password", id, "by_the_user").await;
    let url = forgotten_url(&base_url(&app.config, context.head));
    mails::send_later(app, &user.email, &Letter::PasswordChanged { url }, context.language());
    let changed = ChangedPassword { ended_sessions };
    Ok(response::success(StatusCode::OK, "change_password_success", &changed, now_ms))
}

/// Returns the hash of the password when it is right. Counts as a login attempt, so that a stolen token does not help to
/// guess the password.
///
/// # Errors
/// `CREDENTIALS_INVALID`, and those of [`LoginAttempt::count`].
pub(super) async fn check_password<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    email: &str,
    password: &str,
) -> Result<PasswordHash, ApiError> {
    let email = Email::parse(email).ok_or(Code::CredentialsInvalid)?;
    let device = DeviceId::read(context.head, &app.config.auth.signing, &email, app.ports.now_ms());
    let attempt = LoginAttempt::count(app, context, &email, device.as_ref()).await?;
    let found = app.ports.users().by_email(&email).await?;
    let hash = found.map(|(_, hash)| hash);
    let is_right = password::is_right(app, hash.as_ref(), password).await?;
    let hash = hash.filter(|_| is_right).ok_or(Code::CredentialsInvalid)?;
    attempt.refund(app).await;
    Ok(hash)
}
