//! `POST /auth/refresh_token` and `POST /auth/logout`: the cookie against a new access token and the
//! next cookie, and its end.
//!
//! A refresh token is good once. Whoever shows one that was used before is either a thief or has been
//! stolen from, and nobody can tell which, so the whole family ends. So it does when an answer was
//! lost and the client asks again: then its user logs in anew. Clients that may ask twice at once,
//! as several tabs do, take turns.

use http::{StatusCode, header};
use image_rules::Code;
use serde::Serialize;

use super::{
    Accounts, Family, RefreshToken, Turn, cookie::Shown, guard::must_be_own_page, session,
};
use crate::{
    admission,
    app::{App, Ports},
    auth::UserId,
    call::Call,
    error::Failure,
    registry::Event,
    response::{self, Answer},
    route::Body,
    stats::Series,
};

/// Puts a new pair of tokens in the place of the old.
///
/// # Errors
/// `TOKEN_MISSING` without a cookie, `TOKEN_EXPIRED`, `TOKEN_INVALID` for one that was used, revoked
/// or never issued; `USER_BANNED` when its user is banned, and then it stays good.
pub async fn refresh<P: Ports>(app: &App<P>, call: &Call<'_>) -> Result<Answer<Body<P>>, Failure> {
    must_be_own_page(&app.config, call.head)?;
    let shown = RefreshToken::read(call.head);
    match holder(app, &shown).await? {
        Some(user) => admission::must_not_be_banned(app, call, &user).await?,
        None => admission::count_client_ip(app, call).await?,
    }
    let token = match shown {
        Shown::None => return Err(Code::TokenMissing.into()),
        Shown::Garbled => return Err(Code::TokenInvalid.into()),
        Shown::Token(token) => token,
    };
    let next = token.next(&app.ports);
    let now_ms = app.ports.now_ms();
    let turn = Turn {
        family: &token.family(),
        last: &token.digest(),
        next: &next.digest(),
        now_ms,
        expires_ms: now_ms + u64::from(app.config.accounts.refresh_token_s) * 1000,
    };
    let Some(user) = app.ports.accounts().rotate(&turn).await? else {
        return Err(end_if_used(app, &turn).await?.into());
    };
    let user = app.ports.accounts().by_id(&user).await?.ok_or(Code::TokenInvalid)?;
    session::answer(app, call, (StatusCode::OK, "refresh_token_success"), user, &next)
}

/// Whose refresh token this is, if it is good now; it is not spent by that.
async fn holder<P: Ports>(app: &App<P>, shown: &Shown) -> Result<Option<UserId>, Failure> {
    let Shown::Token(token) = shown else { return Ok(None) };
    let family = app.ports.accounts().family(&token.family()).await?;
    let is_good = |family: &Family| {
        family.token == token.digest()
            && family.revoked_ms.is_none()
            && family.expires_ms > app.ports.now_ms()
    };
    Ok(family.filter(is_good).map(|family| family.user))
}

/// Why a token was not taken; when it is one that was used before, its family ends.
async fn end_if_used<P: Ports>(app: &App<P>, turn: &Turn<'_>) -> Result<Code, Failure> {
    let Some(family) = app.ports.accounts().family(turn.family).await? else {
        return Ok(Code::TokenInvalid);
    };
    if family.expires_ms <= turn.now_ms {
        return Ok(Code::TokenExpired);
    }
    if app.ports.accounts().revoke(turn.family, turn.now_ms).await? {
        app.isolate.tallies.count(Series::Reuse, 1);
        app.record(Event {
            mark: format!("family:{}", turn.family),
            at_ms: turn.now_ms,
            kind: "revoke".to_owned(),
            subject: format!("user:{}", family.user),
            reason: "refresh_token_reused".to_owned(),
            until_ms: None,
            detail: None,
        })
        .await;
    }
    Ok(Code::TokenInvalid)
}

#[derive(Serialize)]
struct LoggedOut {}

/// Ends the family of the cookie and takes the cookie away; without one there is nothing to end. An
/// access token that is out stays good until its time is over, a quarter of an hour at most.
///
/// # Errors
/// When the database does not answer: then nothing has ended.
pub async fn logout<P: Ports>(app: &App<P>, call: &Call<'_>) -> Result<Answer<Body<P>>, Failure> {
    must_be_own_page(&app.config, call.head)?;
    let shown = RefreshToken::read(call.head);
    // A banned user may sign out: it ends what the cookie could do.
    if holder(app, &shown).await?.is_none() {
        admission::count_client_ip(app, call).await?;
    }
    let now_ms = app.ports.now_ms();
    if let Shown::Token(token) = shown {
        app.ports.accounts().revoke(&token.family(), now_ms).await?;
    }
    let answer = response::message(StatusCode::OK, "logout_success", &LoggedOut {}, now_ms);
    let mut answer = response::never_cached(answer);
    let cookie = RefreshToken::no_cookie();
    answer.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(answer)
}
