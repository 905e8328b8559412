//! From the `Authorization` header to a [`Principal`]. A refusal says missing, expired or invalid, and
//! nothing more.

use edge_types::{Clock, Problem, Role};
use http::{header, request::Parts};
use image_rules::Code;
use jwt_compact::Claims;

use crate::{
    AuthConfig, Issuer, KeyServer, Principal, RemoteKeys,
    claims::{OWN_ISSUER, OwnClaims, verified_claims},
    issuer::ClaimMap,
    remote::NeverLoaded,
    token::{PresentedToken, TokenFlaw},
};

/// When a client retries while no keys have been loaded.
const KEYS_RETRY_S: u32 = 5;

const INVALID: Problem = Problem::new(Code::TokenInvalid);

/// Why a token is not accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error(transparent)]
    Refused(#[from] Problem),
    /// No issuer makes such a token: `alg: none`, the public key of another algorithm used as a secret,
    /// a key or its URL in the header, a duplicate member. The answer is `TOKEN_INVALID`.
    #[error("no issuer makes such a token")]
    Hostile,
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Refused(problem) => problem,
            TokenError::Hostile => INVALID,
        }
    }
}

impl From<TokenFlaw> for TokenError {
    fn from(flaw: TokenFlaw) -> Self {
        match flaw {
            TokenFlaw::Malformed => Problem::new(Code::TokenInvalid).into(),
            TokenFlaw::Hostile => Self::Hostile,
        }
    }
}

/// Verifies tokens.
pub struct Authenticator<'a, C, K> {
    pub config: &'a AuthConfig,
    pub remote_keys: &'a RemoteKeys,
    pub clock: &'a C,
    pub key_server: &'a K,
}

impl<C: Clock, K: KeyServer> Authenticator<'_, C, K> {
    /// Verifies the bearer token of a request.
    ///
    /// # Errors
    /// `TOKEN_MISSING`, `TOKEN_EXPIRED` (only for a genuine token), `TOKEN_INVALID`, `ROLE_NOT_ALLOWED` for a
    /// genuine token with an unknown role or one that its issuer may not give, and `BUSY` while the keys of
    /// the key server have never been loaded.
    pub async fn authenticate(&self, head: &Parts) -> Result<Principal, TokenError> {
        self.verify(bearer(head)?).await
    }

    /// Verifies the token of a guest that a request carries beside the caller's own.
    ///
    /// # Errors
    /// As for [`Self::authenticate`], and `TOKEN_INVALID` for any other role.
    pub async fn authenticate_guest(&self, token: &str) -> Result<Principal, Problem> {
        let guest = match self.verify(token).await.map_err(Problem::from) {
            Err(problem) if problem.code == Code::RoleNotAllowed => return Err(INVALID),
            verified => verified?.reject_ticket()?,
        };
        if guest.role() == Role::Guest { Ok(guest) } else { Err(INVALID) }
    }

    /// Our keys verify our tokens, an issuer's keys its own; none can pass for another's.
    async fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        let token = PresentedToken::parse(token)?;
        let now_ms = self.clock.now_ms();
        let own_keys = &self.config.own.keys;
        let may_be_own = token.issuer().is_none_or(|issuer| issuer == OWN_ISSUER);
        if may_be_own && let Some(claims) = verified_claims(own_keys, &token) {
            return Ok(OwnClaims::principal(claims, now_ms)?);
        }
        let issuer = match token.issuer() {
            Some(OWN_ISSUER) => None,
            issuer => self.config.issuer(issuer),
        };
        if let Some(issuer) = issuer {
            if let Some(claims) = self.claims(issuer, &token).await? {
                return Ok(issuer.principal(&claims, now_ms)?);
            }
            if self.confuses_key_of(issuer, &token) {
                return Err(TokenError::Hostile);
            }
        }
        let is_hostile = token.confuses_one_of(own_keys);
        Err(if is_hostile { TokenError::Hostile } else { INVALID.into() })
    }

    /// The claims of a token that a key of this issuer signed, by the configured or the published keys.
    async fn claims(
        &self,
        issuer: &Issuer,
        token: &PresentedToken<'_>,
    ) -> Result<Option<Claims<ClaimMap>>, Problem> {
        if let Some(claims) = verified_claims(&issuer.keys.0, token) {
            return Ok(Some(claims));
        }
        let Some(url) = &issuer.key_server else { return Ok(None) };
        if !token.has_public_algorithm() {
            return Ok(None);
        }
        let keys = self.remote_keys.of(url);
        let verified = keys.verify(self.clock, self.key_server, url, token).await;
        verified.map_err(|NeverLoaded| Problem::retry(Code::Busy, KEYS_RETRY_S))
    }

    fn confuses_key_of(&self, issuer: &Issuer, token: &PresentedToken<'_>) -> bool {
        let key_server = issuer.key_server.as_ref();
        token.confuses_one_of(&issuer.keys.0)
            || key_server.is_some_and(|url| self.remote_keys.of(url).are_confused_by(token))
    }
}

/// The token of the `Authorization` header.
///
/// # Errors
/// `TOKEN_MISSING`; `TOKEN_INVALID` for bytes that are not text.
pub fn bearer(head: &Parts) -> Result<&str, Problem> {
    const MISSING: Problem = Problem::new(Code::TokenMissing);
    let header = head.headers.get(header::AUTHORIZATION).ok_or(MISSING)?.as_bytes();
    let (scheme, token) = header.split_at_checked(b"Bearer ".len()).ok_or(MISSING)?;
    let token = token.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"Bearer ") || token.is_empty() {
        return Err(MISSING);
    }
    str::from_utf8(token).map_err(|_| INVALID)
}
