//! From the `Authorization` header to a [`Principal`]: missing, expired and invalid told apart, and
//! nothing more told than that.

use http::{header, request::Parts};
use image_rules::Code;

use super::{Principal, Role, claims::Verified, keys, remote::NeverLoaded, token::Presented};
use crate::{
    app::{App, Ports},
    error::Refusal,
};

/// When to come back while the keys have not been seen yet.
const KEYS_RETRY_S: u32 = 5;

const INVALID: Refusal = Refusal::new(Code::TokenInvalid);

/// Verifies the bearer token of a request.
///
/// # Errors
/// `TOKEN_MISSING`, `TOKEN_EXPIRED` (only for a token that was genuine), `TOKEN_INVALID`; `BUSY` when
/// the keys that could tell have never been reached.
pub async fn authenticate<P: Ports>(app: &App<P>, head: &Parts) -> Result<Principal, Refusal> {
    verify(app, bearer(head)?).await
}

/// Verifies a token that is to show that the caller was a guest, and which.
///
/// # Errors
/// As for the caller's own, and `TOKEN_INVALID` for any other role.
pub async fn authenticate_guest<P: Ports>(app: &App<P>, token: &str) -> Result<Principal, Refusal> {
    let guest = verify(app, token).await?.acts_for_itself()?;
    if guest.role() == Role::Guest { Ok(guest) } else { Err(INVALID) }
}

async fn verify<P: Ports>(app: &App<P>, token: &str) -> Result<Principal, Refusal> {
    let token = Presented::parse(token).ok_or(INVALID)?;
    let verified = match keys::verify(&app.config.keys.keys, &token) {
        Some(verified) => verified,
        None => ask_key_server(app, &token).await?.ok_or(INVALID)?,
    };
    verified.principal(&app.config.token_rules, app.ports.now_ms())
}

/// The token as it stands in the header. Bytes that are no text are no missing token.
///
/// # Errors
/// `TOKEN_MISSING`, `TOKEN_INVALID`.
pub fn bearer(head: &Parts) -> Result<&str, Refusal> {
    const MISSING: Refusal = Refusal::new(Code::TokenMissing);
    let header = head.headers.get(header::AUTHORIZATION).ok_or(MISSING)?.as_bytes();
    let (scheme, token) = header.split_at_checked(b"Bearer ".len()).ok_or(MISSING)?;
    let token = token.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"Bearer ") || token.is_empty() {
        return Err(MISSING);
    }
    str::from_utf8(token).map_err(|_| INVALID)
}

/// What the published keys of the platform make of a token that no configured key signed.
async fn ask_key_server<P: Ports>(
    app: &App<P>,
    token: &Presented<'_>,
) -> Result<Option<Verified>, Refusal> {
    let Some(url) = &app.config.key_server else { return Ok(None) };
    if !token.has_public_algorithm() {
        return Ok(None);
    }
    let remote = &app.isolate.remote_keys;
    let outcome = remote.verify(&app.ports, url, token).await;
    outcome.map_err(|NeverLoaded| Refusal::retry(Code::Busy, KEYS_RETRY_S))
}
