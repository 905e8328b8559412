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

/// Why a token is not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum TokenError {
    /// As the caller is told.
    Refused(Refusal),
    /// No issuer makes such a token: `alg: none`, the public key of another algorithm used as a secret,
    /// a key or its URL in the header, a member twice. The caller is told `TOKEN_INVALID`.
    Hostile,
}

impl From<Refusal> for TokenError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Refused(refusal) => refusal,
            TokenError::Hostile => INVALID,
        }
    }
}

/// Verifies the bearer token of a request.
///
/// # Errors
/// `TOKEN_MISSING`, `TOKEN_EXPIRED` (only for a token that was genuine), `TOKEN_INVALID`,
/// `ROLE_NOT_ALLOWED` for a genuine token with a role that there is not or that its issuer may not give;
/// `BUSY` when the keys that could tell have never been reached.
pub async fn authenticate<P: Ports>(app: &App<P>, head: &Parts) -> Result<Principal, TokenError> {
    verify(app, bearer(head)?).await
}

/// Verifies a token that is to show that the caller was a guest, and which.
///
/// # Errors
/// As for the caller's own, and `TOKEN_INVALID` for any other role.
pub async fn authenticate_guest<P: Ports>(app: &App<P>, token: &str) -> Result<Principal, Refusal> {
    let guest = match verify(app, token).await.map_err(Refusal::from) {
        Err(refusal) if refusal.code == Code::RoleNotAllowed => return Err(INVALID),
        verified => verified?.acts_for_itself()?,
    };
    if guest.role() == Role::Guest { Ok(guest) } else { Err(INVALID) }
}

async fn verify<P: Ports>(app: &App<P>, token: &str) -> Result<Principal, TokenError> {
    let token = Presented::parse(token)?;
    let configured = &app.config.keys.keys;
    let verified = match keys::verify(configured, &token) {
        Some(verified) => verified,
        None => match ask_key_server(app, &token).await? {
            Some(verified) => verified,
            None if keys::are_confused_by(configured, &token)
                || app.isolate.remote_keys.are_confused_by(&token) =>
            {
                return Err(TokenError::Hostile);
            }
            None => return Err(INVALID.into()),
        },
    };
    Ok(verified.principal(&app.config.token_rules, app.ports.now_ms())?)
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
