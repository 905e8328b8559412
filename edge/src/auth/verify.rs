//! From the `Authorization` header to a [`Principal`]: missing, expired and invalid told apart.

use chrono::{DateTime, Duration, Utc};
use http::{header, request::Parts};
use image_rules::Code;
use jwt_compact::{
    Algorithm, AlgorithmExt, TimeOptions, Token, UntrustedToken, ValidationError,
    alg::{Es256, Hs256},
};
use serde::{Deserialize, Serialize};

use super::{
    KeySet, Principal, Role, UserId,
    keys::{NamedKey, VerifyingKey},
};
use crate::{error::Refusal, route::text_header};

/// A token of ours has about 400 bytes; one with many claims of a platform's own rarely 2,000.
const MAX_TOKEN_BYTES: usize = 8192;
/// Clocks of servers differ by seconds.
const LEEWAY_S: i64 = 30;

/// What a token says beyond its times.
#[derive(Serialize, Deserialize)]
pub(super) struct TokenClaims {
    pub(super) sub: String,
    #[serde(default)]
    pub(super) role: Role,
}

/// Verifies the bearer token of a request.
///
/// # Errors
/// `TOKEN_MISSING`, `TOKEN_EXPIRED` (only for a token that was genuine), `TOKEN_INVALID`.
pub fn authenticate(keys: &KeySet, head: &Parts, now_ms: u64) -> Result<Principal, Refusal> {
    let header = text_header(head, header::AUTHORIZATION).unwrap_or_default();
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Refusal::new(Code::TokenMissing));
    }
    verify(keys, token, now_ms)
}

fn verify(keys: &KeySet, token: &str, now_ms: u64) -> Result<Principal, Refusal> {
    const INVALID: Refusal = Refusal::new(Code::TokenInvalid);
    if token.len() > MAX_TOKEN_BYTES {
        return Err(INVALID);
    }
    let token = UntrustedToken::new(token).map_err(|_| INVALID)?;
    let signed = keys.candidates(&token).find_map(|key| key.check(&token)).ok_or(INVALID)?;
    let claims = signed.claims();
    let time = clock(now_ms).ok_or(INVALID)?;
    claims.validate_expiration(&time).map_err(|error| match error {
        ValidationError::Expired => Refusal::new(Code::TokenExpired),
        _ => INVALID,
    })?;
    if claims.not_before.is_some() {
        claims.validate_maturity(&time).map_err(|_| INVALID)?;
    }
    let user = UserId::parse(&claims.custom.sub).ok_or(INVALID)?;
    Ok(Principal { user, role: claims.custom.role })
}

/// A clock that stands at the moment of the request.
pub(super) fn clock(now_ms: u64) -> Option<TimeOptions<impl Fn() -> DateTime<Utc>>> {
    let now = DateTime::from_timestamp_millis(i64::try_from(now_ms).ok()?)?;
    Some(TimeOptions::new(Duration::seconds(LEEWAY_S), move || now))
}

impl KeySet {
    /// The keys that a token may have been signed with: those of its name, or all when it names
    /// none. A secret has no name and stands for every token of its algorithm.
    fn candidates<'a>(
        &'a self,
        token: &'a UntrustedToken<'_>,
    ) -> impl Iterator<Item = &'a NamedKey> {
        let wanted = token.header().key_id.as_deref();
        self.keys.iter().filter(move |key| {
            let named = key.id.as_deref();
            wanted.is_none() || named.is_none() || named == wanted
        })
    }
}

impl NamedKey {
    /// The token as this key reads it, when this key signed it with this key's algorithm.
    fn check(&self, token: &UntrustedToken<'_>) -> Option<Token<TokenClaims>> {
        match &self.key {
            VerifyingKey::Hs256(key) => check(&Hs256, key, token),
            VerifyingKey::Es256(key) => check(&Es256, key, token),
        }
    }
}

fn check<A: Algorithm>(
    algorithm: &A,
    key: &A::VerifyingKey,
    token: &UntrustedToken<'_>,
) -> Option<Token<TokenClaims>> {
    algorithm.validator(key).validate(token).ok()
}
