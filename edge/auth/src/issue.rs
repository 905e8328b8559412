//! Issues the tokens of this deployment.

use chrono::Duration;
use edge_types::{Role, SessionId, UserId, user::GUEST_PREFIX};
use jwt_compact::{AlgorithmExt, Claims, Header, alg::Es256};

use crate::{
    SigningKey, TicketScope,
    claims::{OwnClaims, clock},
    ticket::TicketClaims,
};

/// The signing key cannot sign.
#[derive(Debug, thiserror::Error)]
#[error("the signing key cannot sign")]
pub struct SigningError;

/// The user of an access token.
#[derive(Clone, Copy, Debug)]
pub struct AccountClaims<'a> {
    pub user: &'a UserId,
    pub role: Role,
    pub email: &'a str,
    pub session: &'a SessionId,
    pub created_ms: u64,
    /// Whether the e-mail address should be verified and is not.
    pub is_unverified: bool,
}

/// The user of a ticket.
#[derive(Clone, Copy, Debug)]
pub struct TicketHolder<'a> {
    pub user: &'a UserId,
    /// Of the token that the ticket is issued for, unless it is a back end's.
    pub account_since_s: Option<u64>,
    /// Likewise.
    pub is_unverified: bool,
}

impl SigningKey {
    /// A short-lived token for a person who has not signed up, for one upload only if wanted. It is stored nowhere.
    pub fn issue_guest_token(
        &self,
        random: [u8; 16],
        once: bool,
        lifetime_s: u32,
        now_ms: u64,
    ) -> Result<String, SigningError> {
        let claims = OwnClaims {
            sub: format!("{GUEST_PREFIX}{}", uuid(random)),
            role: Some(Role::Guest),
            once,
            ..OwnClaims::new()
        };
        self.sign(claims, lifetime_s, now_ms)
    }

    /// A token for a user who has logged in.
    pub fn issue_access_token(
        &self,
        account: &AccountClaims<'_>,
        lifetime_s: u32,
        now_ms: u64,
    ) -> Result<String, SigningError> {
        let claims = OwnClaims {
            sub: account.user.to_string(),
            role: Some(account.role),
            email: Some(account.email.to_owned()),
            sid: Some(account.session.to_string()),
            account_since: Some(account.created_ms / 1000),
            email_verified: !account.is_unverified,
            ..OwnClaims::new()
        };
        self.sign(claims, lifetime_s, now_ms)
    }

    /// A ticket for one upload by this user.
    pub fn issue_ticket(
        &self,
        holder: TicketHolder<'_>,
        scope: &TicketScope,
        random: [u8; 16],
        lifetime_s: u32,
        now_ms: u64,
    ) -> Result<String, SigningError> {
        let claims = OwnClaims {
            sub: holder.user.to_string(),
            // A back end that asks for a guest's ticket does not make the guest a user.
            role: Some(if holder.user.is_guest() { Role::Guest } else { Role::User }),
            account_since: holder.account_since_s,
            email_verified: !holder.is_unverified,
            ticket: Some(TicketClaims::new(uuid(random), scope)),
            ..OwnClaims::new()
        };
        self.sign(claims, lifetime_s, now_ms)
    }

    fn sign(
        &self,
        claims: OwnClaims,
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
