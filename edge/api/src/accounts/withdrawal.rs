//! `POST /users/{id}/withdraw`: a user has everything erased that is kept about them. A stolen token is not enough: it takes
//! the password, or a login of the last minutes.

use edge_auth::Principal;
use edge_registry::UserStore;
use edge_types::{SessionId, UserId};
use http::header;
use image_rules::Code;
use serde::Deserialize;

use super::{change_password::check_password, cookie::RefreshToken};
use crate::{
    app::App,
    body::{BodyStream, read_json_of},
    context::RequestContext,
    error::ApiError,
    ports::Ports,
    removals::begin_erasure,
    response::HandlerResult,
};

/// A login that is not older needs no password.
const RECENT_MS: u64 = 300_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Withdrawal {
    password: Option<String>,
}

/// Begins the erasure of the caller.
///
/// # Errors
/// `USER_MISMATCH`, `NOT_FOUND` without an account, `CREDENTIALS_INVALID` for a wrong password, or without one after an
/// older login; `RATE_LIMITED` after too many wrong passwords.
pub async fn withdraw<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    id: &UserId,
    body: impl BodyStream,
) -> HandlerResult<P> {
    caller.check_access(id)?;
    let request: Withdrawal = read_json_of(caller, context.head, body).await?;
    let user = app.ports.users().by_id(id).await?.ok_or(Code::NotFound)?;
    match &request.password {
        Some(password) => {
            check_password(app, context, &user.email, password).await?;
        }
        None if has_recent_login(app, caller.session()).await? => {}
        None => return Err(Code::CredentialsInvalid.into()),
    }
    let mut response = begin_erasure(app, context, caller, id, "by_the_user").await?;
    let cookie = RefreshToken::delete_cookie();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

async fn has_recent_login<P: Ports>(
    app: &App<P>,
    session: Option<&SessionId>,
) -> Result<bool, ApiError> {
    let Some(id) = session else { return Ok(false) };
    let now_ms = app.ports.now_ms();
    let family = app.ports.users().family(id.as_str()).await?;
    Ok(family
        .is_some_and(|it| it.is_open(now_ms) && now_ms - it.created_ms.min(now_ms) < RECENT_MS))
}
