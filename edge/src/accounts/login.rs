//! `POST /auth/login`: a password against an access token. An unknown address and a wrong password
//! are answered alike, and take as long.

use http::StatusCode;
use image_rules::Code;
use serde::Deserialize;

use super::{Accounts, Email, password, session};
use crate::{
    admission,
    app::{App, Ports},
    auth::{Role, UserId},
    call::Call,
    error::{Failure, Refusal},
    intake::{Chunks, read_open_json},
    ledger::{Account, Ledger},
    response::Answer,
    route::Body,
};

#[derive(Deserialize)]
struct Login {
    email: String,
    password: String,
}

/// Logs somebody in.
///
/// # Errors
/// `ALREADY_LOGGED_IN`, `CREDENTIALS_INVALID`, `RATE_LIMITED` after too many wrong passwords for
/// one address, `USER_BANNED`, `MALFORMED_REQUEST`.
pub async fn login<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    body: impl Chunks,
) -> Result<Answer<Body<P>>, Failure> {
    if let Some(user) = logged_in(app, call).await {
        let refusal = Refusal { as_whom: Some(user), ..Refusal::new(Code::AlreadyLoggedIn) };
        return Err(refusal.into());
    }
    let said: Login = read_open_json(call.head, body).await?;
    let email = Email::parse(&said.email).ok_or(Code::MalformedRequest)?;
    let account = Account::Email(email.digest());
    let wait_s = app.ports.ledger().attempt(&account).await?;
    if let Some(wait_s) = wait_s {
        return Err(Refusal::retry(Code::RateLimited, wait_s).into());
    }
    let found = app.ports.accounts().by_email(&email).await?;
    let kept = found.as_ref().map(|(_, kept)| kept);
    let checked = password::check(app, kept, &said.password).await?;
    let Some((user, _)) = found.filter(|_| checked.right) else {
        let deed = format!("{} {}", email.digest(), checked.trace);
        admission::judge_guess(app, call, &deed).await;
        return Err(Code::CredentialsInvalid.into());
    };
    app.ports.ledger().trust(&account).await?;
    admission::must_not_be_banned(app, call, &user.id).await?;
    let token = session::open(app, &user).await?;
    session::answer(app, call, (StatusCode::OK, "login_success"), user, &token)
}

/// As whom the caller is logged in already. A guest is not; whose token has expired is not any more.
async fn logged_in<P: Ports>(app: &App<P>, call: &Call<'_>) -> Option<UserId> {
    let caller = admission::logged_in(app, call).await?;
    (caller.role() != Role::Guest).then(|| caller.user().clone())
}
