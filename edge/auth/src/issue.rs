//! Issues the tokens of this deployment.

use chrono::Duration;
use edge_types::{Role, SessionId, UserId, user::GUEST_PREFIX};
use jwt_compact::{AlgorithmExt, Claims, Header, alg::Es256};

use crate::{
    SigningKey, TicketScope,
    claims::{TokenClaims, clock},
    ticket::TicketClaims,
};

/// The signing key cannot sign.
#[derive(Debug, thiserror::Error)]
#[error("the signing key cannot sign")]
pub struct SigningError;

impl SigningKey {
    /// A short-lived token for a person who has not signed up. It is stored nowhere.
    pub fn issue_guest_token(
        &self,
        random: [u8; 16],
        lifetime_s: u32,
        now_ms: u64,
    ) -> Result<String, SigningError> {
        let claims = TokenClaims {
            sub: format!("{GUEST_PREFIX}{}", uuid(random)),
            role: Some(Role::Guest),
            ..TokenClaims::own()
        };
        self.sign(claims, lifetime_s, now_ms)
    }

    /// A token for a user who has logged in, in this session.
    pub fn issue_access_token(
        &self,
        user: &UserId,
        role: Role,
        email: &str,
        session: &SessionId,
        lifetime_s: u32,
        now_ms: u64,
    ) -> Result<String, SigningError> {
        let claims = TokenClaims {
            sub: user.to_string(),
            role: Some(role),
            email: Some(email.to_owned()),
            sid: Some(session.to_string()),
            ..TokenClaims::own()
        };
        self.sign(claims, lifetime_s, now_ms)
    }

    /// A ticket for one upload by this user.
    pub fn issue_ticket(
        &self,
        user: &UserId,
        scope: &TicketScope,
        random: [u8; 16],
        lifetime_s: u32,
        now_ms: u64,
    ) -> Result<String, SigningError> {
        let claims = TokenClaims {
            sub: user.to_string(),
            // A back end that asks for a guest's ticket does not make the guest a user.
            role: Some(if user.is_guest() { Role::Guest } else { Role::User }),
            ticket: Some(TicketClaims::new(uuid(random), scope)),
            ..TokenClaims::own()
        };
        self.sign(claims, lifetime_s, now_ms)
    }

    fn sign(
        &self,
        claims: TokenClaims,
        lifetime_s: u32,
        now_ms: u64,
    ) -> Result<String, SigningError> {
        let time = clock(now_ms).ok_or(SigningError)?;
        let claims = Claims::new(claims)
            .set_duration_and_issuance(&time, Duration::seconds(lifetime_s.into()));
        let header = Header::empty().with_key_id(self.id.clone()).with_token_type("JWT");
        Es256.token(&header, &claims, &self.key).map_err(|_| SigningError)
    }
}

fn uuid(random: [u8; 16]) -> String {
    uuid::Builder::from_random_bytes(random).into_uuid().to_string()
}
