//! `POST /auth/login`. An unknown address and a wrong password get the same answer after the same time.

use edge_ledger::{CountLoginAttempt, LedgerClient, ResetLoginThrottle};
use edge_registry::UserStore;
use edge_types::{Email, Problem, Subject};
use http::StatusCode;
use image_rules::Code;
use serde::Deserialize;

use super::{password, session};
use crate::{
    admission,
    app::App,
    body::{BodyStream, read_json},
    context::RequestContext,
    ports::Ports,
    response::HandlerResult,
};

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
}

/// Logs a user in.
///
/// # Errors
/// `ALREADY_LOGGED_IN`, `CREDENTIALS_INVALID`, `RATE_LIMITED` after too many wrong passwords for one address,
/// `USER_BANNED`, `MALFORMED_REQUEST`.
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
    let subject = Subject::Email(email.digest());
    let ledger = app.ports.ledger();
    if let Some(wait_s) = ledger.send(&subject, CountLoginAttempt).await? {
        return Err(Problem::retry(Code::RateLimited, wait_s).into());
    }
    let found = app.ports.users().by_email(&email).await?;
    let hash = found.as_ref().map(|(_, hash)| hash);
    let check = password::check(app, hash, &credentials.password).await?;
    let Some((user, _)) = found.filter(|_| check.is_right) else {
        let incident = format!("{} {}", email.digest(), check.fingerprint);
        admission::record_wrong_password(app, context, &incident).await;
        return Err(Code::CredentialsInvalid.into());
    };
    ledger.send(&subject, ResetLoginThrottle).await?;
    admission::check_user_ban(app, context, &user.id).await?;
    let token = session::open(app, &user).await?;
    session::respond(app, context, (StatusCode::OK, "login_success"), user, &token)
}
