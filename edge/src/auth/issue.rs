//! Tokens issued here, and the public keys that others verify them with.

use chrono::Duration;
use http::{HeaderValue, StatusCode, header};
use jwt_compact::{AlgorithmExt, Claims, Header, alg::Es256};
use serde::Serialize;

use super::{
    KeySet, Role, UserId,
    claims::{TokenClaims, clock},
    principal::GUEST_PREFIX,
    signing::PublicJwk,
    ticket::{TicketClaims, TicketScope},
};
use crate::{
    app::{App, Ports},
    error::{Failure, Fault},
    response::{self, Answer, Body},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GuestToken {
    token: String,
    expires_in: u32,
}

/// A token for somebody who has not signed up yet: short-lived, kept nowhere.
///
/// # Errors
/// When the signing key cannot sign.
pub fn issue_guest_token<P: Ports, C>(app: &App<P>) -> Result<Answer<Body<C>>, Failure> {
    let now_ms = app.ports.now_ms();
    let uuid = uuid::Builder::from_random_bytes(app.ports.random()).into_uuid();
    let claims = TokenClaims {
        sub: format!("{GUEST_PREFIX}{uuid}"),
        role: Some(Role::Guest),
        ..TokenClaims::own()
    };
    let lifetime_s = app.config.guest_token_s;
    let token = sign(app, claims, lifetime_s, now_ms).ok_or(Failure::Fault(Fault::Signing))?;
    let data = GuestToken { token, expires_in: lifetime_s };
    let mut answer = response::message(StatusCode::OK, "issue_guest_token_success", &data, now_ms);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// A token for somebody who has shown who they are.
///
/// # Errors
/// When the signing key cannot sign.
pub fn issue_access_token<P: Ports>(
    app: &App<P>,
    user: &UserId,
    role: Role,
    email: &str,
    lifetime_s: u32,
) -> Result<String, Failure> {
    let claims = TokenClaims {
        sub: user.to_string(),
        role: Some(role),
        email: Some(email.to_owned()),
        ..TokenClaims::own()
    };
    let token = sign(app, claims, lifetime_s, app.ports.now_ms());
    token.ok_or(Failure::Fault(Fault::Signing))
}

/// A ticket for one upload by this user.
///
/// # Errors
/// When the signing key cannot sign.
pub fn issue_ticket<P: Ports>(
    app: &App<P>,
    user: &UserId,
    scope: &TicketScope,
    lifetime_s: u32,
) -> Result<String, Failure> {
    let id = uuid::Builder::from_random_bytes(app.ports.random()).into_uuid().to_string();
    let claims = TokenClaims {
        sub: user.to_string(),
        // Whoever has not signed up stays a guest, whoever asks for them.
        role: Some(if user.is_guest() { Role::Guest } else { Role::User }),
        ticket: Some(TicketClaims::new(id, scope)),
        ..TokenClaims::own()
    };
    let ticket = sign(app, claims, lifetime_s, app.ports.now_ms());
    ticket.ok_or(Failure::Fault(Fault::Signing))
}

fn sign<P: Ports>(
    app: &App<P>,
    claims: TokenClaims,
    lifetime_s: u32,
    now_ms: u64,
) -> Option<String> {
    let signing = &app.config.signing;
    let time = clock(now_ms)?;
    let claims =
        Claims::new(claims).set_duration_and_issuance(&time, Duration::seconds(lifetime_s.into()));
    let header = Header::empty().with_key_id(signing.id.clone()).with_token_type("JWT");
    Es256.token(&header, &claims, &signing.key).ok()
}

#[derive(Serialize)]
struct PublicKeys<'a> {
    keys: &'a [PublicJwk],
}

/// The public keys of the tokens issued here (RFC 7517 §5).
#[must_use]
pub fn public_keys<C>(keys: &KeySet) -> Answer<Body<C>> {
    response::cacheable_json(&PublicKeys { keys: &keys.own })
}
