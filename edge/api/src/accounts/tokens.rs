//! `GET /auth/guest-token` and `GET /.well-known/jwks.json`.

use edge_auth::PublicJwk;
use edge_ledger::NewIdentity;
use http::StatusCode;
use image_rules::Code;
use serde::Serialize;

use crate::{
    admission::count_new_identity,
    app::App,
    context::RequestContext,
    ports::Ports,
    response::{self, Body, HandlerResult, Response},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GuestToken {
    token: String,
    expires_in: u32,
}

/// Issues a token to a person who has not signed up.
///
/// # Errors
/// `GUEST_NOT_ALLOWED` where there are no guests, and those of [`count_new_identity`] when the client IP has had its tokens of
/// this hour.
pub async fn issue_guest_token<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
) -> HandlerResult<P> {
    if !app.config.guests {
        return Err(Code::GuestNotAllowed.into());
    }
    count_new_identity(app, context, NewIdentity::GuestToken).await?;
    let (expires_in, now_ms) = (app.config.guest_token_s, app.ports.now_ms());
    let random = app.ports.random();
    let once = app.config.guest_single_use;
    let token = app.config.auth.signing.issue_guest_token(random, once, expires_in, now_ms)?;
    let data = GuestToken { token, expires_in };
    Ok(response::success(StatusCode::OK, "issue_guest_token_success", &data, now_ms))
}

#[derive(Serialize)]
struct PublicKeys<'a> {
    keys: &'a [PublicJwk],
}

/// The public keys of the tokens that are issued here (RFC 7517 §5).
pub fn public_keys<P, C>(app: &App<P>) -> Response<Body<C>> {
    response::cacheable_json(&PublicKeys { keys: &app.config.auth.own.published })
}
