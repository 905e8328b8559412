//! `POST /auth/login`. An unknown address and a wrong password get the same answer after the same time.

use edge_registry::UserStore;
use edge_types::{Email, Problem};
use image_rules::Code;
use serde::Deserialize;

use super::{device_cookie::DeviceId, login_throttle::LoginAttempt, password, session};
use crate::{
    admission,
    app::App,
    body::{BodyStream, read_json},
    context::RequestContext,
    ports::Ports,
    response::HandlerResult,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    email: String,
    password: String,
}

/// Logs a user in.
///
/// # Errors
/// `ALREADY_LOGGED_IN`, `CREDENTIALS_INVALID`, `RATE_LIMITED` or `CHALLENGE_REQUIRED` after too many wrong passwords,
/// `USER_BANNED`, `EMAIL_NOT_VERIFIED`, `MALFORMED_REQUEST`.
pub async fn login<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    body: impl BodyStream,
) -> HandlerResult<P> {
    if let Some(user) = admission::logged_in_user(app, context).await {
        let problem = Problem::new(Code::AlreadyLoggedIn);
        return Err(Problem { logged_in_as: Some(user), ..problem }.into());
    }
    let credentials: Credentials = read_json(context.head, body).await?;
    let email = Email::parse(&credentials.email).ok_or(Code::MalformedRequest)?;
    let device = DeviceId::read(context.head, &app.config.auth.signing, &email, app.ports.now_ms());
    let attempt = LoginAttempt::count(app, context, &email, device.as_ref()).await?;
    let found = app.ports.users().by_email(&email).await?;
    let hash = found.as_ref().map(|(_, hash)| hash);
    let is_right = password::is_right(app, hash, &credentials.password).await?;
    let (user, _) = found.filter(|_| is_right).ok_or(Code::CredentialsInvalid)?;
    attempt.refund(app).await;
    session::log_in(app, context, user, device).await
}
