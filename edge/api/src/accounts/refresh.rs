//! `POST /auth/refresh_token` and `POST /auth/logout`.
//!
//! A refresh token is valid once. A used one is presented either by a thief or by a victim, and nobody can tell which,
//! so its whole family ends. It also ends when a response was lost and the client retries: its user logs in again.
//! Clients that may refresh concurrently, such as several tabs, must take a lock.

use edge_registry::{RefreshFamily, TokenRotation, UserStore};
use edge_types::UserId;
use http::{StatusCode, header};
use image_rules::Code;
use serde::Serialize;

use super::{
    cookie::{RefreshCookie, RefreshToken},
    origin_check::check_origin,
    session,
};
use crate::{
    admission, app::App, context::RequestContext, error::ApiError, ports::Ports, response,
    response::HandlerResult, telemetry::Metric,
};

/// Replaces the tokens of a session by new ones.
///
/// # Errors
/// `TOKEN_MISSING` without a cookie, `MALFORMED_REQUEST` for several, `TOKEN_EXPIRED`, `TOKEN_INVALID` for one that was used, revoked or never issued;
/// `USER_BANNED`, which keeps the token good.
pub async fn refresh<P: Ports>(app: &App<P>, context: &RequestContext<'_>) -> HandlerResult<P> {
    check_origin(&app.config, context.head)?;
    let cookie = RefreshToken::read(context.head);
    match holder(app, &cookie).await? {
        Some(user) => admission::check_user_ban(app, context, &user).await?,
        None => admission::count_client_ip(app, context).await?,
    }
    let token = match cookie {
        RefreshCookie::None => return Err(Code::TokenMissing.into()),
        RefreshCookie::Malformed => return Err(Code::TokenInvalid.into()),
        RefreshCookie::Ambiguous => return Err(Code::MalformedRequest.into()),
        RefreshCookie::Token(token) => token,
    };
    let next = token.next(&app.ports);
    let now_ms = app.ports.now_ms();
    let rotation = TokenRotation {
        family: &token.family(),
        last: &token.digest(),
        next: &next.digest(),
        now_ms,
        lifetime_ms: app.config.accounts.refresh_token_ms(),
        family_lifetime_ms: app.config.accounts.refresh_absolute_ms(),
    };
    let users = app.ports.users();
    let Some((user, expires_ms)) = users.rotate(&rotation).await? else {
        return Err(end_if_used(app, &rotation).await?.into());
    };
    let user = users.by_id(&user).await?.ok_or(Code::TokenInvalid)?;
    let outcome = (StatusCode::OK, "refresh_token_success");
    session::respond(app, context, outcome, user, &next, expires_ms)
}

/// The user of a refresh token that is good now. The token is not spent.
async fn holder<P: Ports>(
    app: &App<P>,
    cookie: &RefreshCookie,
) -> Result<Option<UserId>, ApiError> {
    let RefreshCookie::Token(token) = cookie else { return Ok(None) };
    let family = app.ports.users().family(&token.family()).await?;
    let now_ms = app.ports.now_ms();
    let is_good = |family: &RefreshFamily| family.token == token.digest() && family.is_open(now_ms);
    Ok(family.filter(is_good).map(|family| family.user))
}

/// Why a token was refused. The family of a used one ends.
async fn end_if_used<P: Ports>(
    app: &App<P>,
    rotation: &TokenRotation<'_>,
) -> Result<Code, ApiError> {
    let users = app.ports.users();
    let Some(family) = users.family(rotation.family).await? else { return Ok(Code::TokenInvalid) };
    // A family that began before `REFRESH_ABSOLUTE_DAYS` was lowered may have a longer time written down.
    let ends_ms = family.created_ms.saturating_add(rotation.family_lifetime_ms);
    if family.expires_ms.min(ends_ms) <= rotation.now_ms {
        return Ok(Code::TokenExpired);
    }
    if users.revoke(rotation.family, rotation.now_ms).await? {
        app.isolate.counters.count(Metric::Reuse, 1);
        let key = format!("family:{}", rotation.family);
        app.record_of(key, "revoke", &family.user, "refresh_token_reused").await;
    }
    Ok(Code::TokenInvalid)
}

#[derive(Serialize)]
struct LoggedOut {}

/// Ends the session of the cookie and deletes the cookie. An access token stays good until it expires, for a quarter of
/// an hour at most; as that of an administrator or a back end for a minute.
///
/// # Errors
/// When the database fails, and `MALFORMED_REQUEST` for several cookies: then nothing has ended.
pub async fn logout<P: Ports>(app: &App<P>, context: &RequestContext<'_>) -> HandlerResult<P> {
    check_origin(&app.config, context.head)?;
    let cookie = RefreshToken::read(context.head);
    // A banned user may log out: it ends what the cookie could do.
    if holder(app, &cookie).await?.is_none() {
        admission::count_client_ip(app, context).await?;
    }
    let now_ms = app.ports.now_ms();
    match cookie {
        RefreshCookie::Token(token) => {
            app.ports.users().revoke(&token.family(), now_ms).await?;
            app.isolate.sessions.clear();
        }
        RefreshCookie::Ambiguous => return Err(Code::MalformedRequest.into()),
        RefreshCookie::None | RefreshCookie::Malformed => {}
    }
    let mut response = response::success(StatusCode::OK, "logout_success", &LoggedOut {}, now_ms);
    let cookie = RefreshToken::delete_cookie();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}
