//! The claims of tokens: their times, and those of tokens issued here.

use chrono::{DateTime, Duration, Utc};
use edge_types::{Problem, Role, SessionId, UserId};
use image_rules::Code;
use jwt_compact::{Claims, TimeOptions};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use crate::{
    Principal,
    keys::NamedKey,
    ticket::{SingleUse, Ticket, TicketClaims},
    token::PresentedToken,
};

/// Clocks of servers differ by seconds.
const LEEWAY_S: i64 = 30;

/// The issuer that tokens of ours name, whatever a platform's own is called.
pub(crate) const OWN_ISSUER: &str = "urn:the-form:images";

const INVALID: Problem = Problem::new(Code::TokenInvalid);

/// What a token of ours says beyond its times.
#[derive(Serialize, Deserialize)]
pub(crate) struct OwnClaims {
    pub(crate) sub: String,
    /// [`None`] for an unknown role.
    #[serde(default = "role_by_default", deserialize_with = "known_role")]
    pub(crate) role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) iss: Option<String>,
    /// Whom a person is reached at; in access tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    /// The session that an access token belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<String>,
    /// When the account was created, in seconds; in access tokens, and in tickets that follow from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account_since: Option<u64>,
    /// False until the link in a mail is opened, where that is asked for.
    #[serde(default = "verified_by_default", skip_serializing_if = "is_true")]
    pub(crate) email_verified: bool,
    /// Whether this guest's token allows one upload.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) once: bool,
    /// What makes it a ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ticket: Option<TicketClaims>,
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of the member")]
fn role_by_default() -> Option<Role> {
    Some(Role::default())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
const fn is_false(value: &bool) -> bool {
    !*value
}

const fn verified_by_default() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
const fn is_true(value: &bool) -> bool {
    *value
}

fn known_role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Role>, D::Error> {
    String::deserialize(deserializer).map(|name| Role::try_from(name).ok())
}

impl OwnClaims {
    /// A token of ours that says nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            sub: String::new(),
            role: role_by_default(),
            iss: Some(OWN_ISSUER.to_owned()),
            email: None,
            sid: None,
            account_since: None,
            email_verified: true,
            once: false,
            ticket: None,
        }
    }

    /// The caller, when the time of the token is now.
    pub(crate) fn principal(claims: Claims<Self>, now_ms: u64) -> Result<Principal, Problem> {
        check_times(&claims, now_ms)?;
        let expires = claims.expiration.map(|time| time.timestamp_millis());
        let expires_ms = expires.and_then(|ms| u64::try_from(ms).ok()).ok_or(INVALID)?;
        let is_unverified = !claims.custom.email_verified;
        let Self { sub, role, sid, account_since: account_since_s, once, ticket, .. } =
            claims.custom;
        let use_of = |id| SingleUse { id, expires_ms };
        let (ticket, single_use) = match ticket {
            Some(claims) => {
                let ticket = Ticket { scope: claims.scope().ok_or(INVALID)? };
                (Some(ticket), Some(use_of(claims.id)))
            }
            // Each guest has a token of their own.
            None => (None, once.then(|| use_of(sub.clone()))),
        };
        let user = UserId::parse(&sub).ok_or(INVALID)?;
        let role = role.ok_or(Problem::new(Code::RoleNotAllowed))?;
        let session = sid.map(|sid| SessionId::parse(&sid).ok_or(INVALID)).transpose()?;
        if matches!(role, Role::Service | Role::Admin) && session.is_none() {
            return Err(INVALID);
        }
        Ok(Principal {
            user,
            role,
            session,
            account_since_s,
            is_unverified,
            ticket,
            single_use,
            may_access_others: false,
        })
    }
}

/// The claims as the first of the keys reads them that signed the token.
pub(crate) fn verified_claims<T: DeserializeOwned>(
    keys: &[NamedKey],
    token: &PresentedToken<'_>,
) -> Option<Claims<T>> {
    let wanted = token.key_id();
    keys.iter()
        .filter(|key| key.may_have_signed(wanted))
        .find_map(|key| Some(key.check::<T>(token.untrusted())?.into_parts().1))
}

/// Checks that the time of a token is now.
///
/// `TOKEN_EXPIRED` when there is nothing wrong but the hour. Whole seconds in checked bounds: the
/// library's own comparison subtracts the leeway and panics below the year -262143.
pub(crate) fn check_times<T>(claims: &Claims<T>, now_ms: u64) -> Result<(), Problem> {
    let seconds = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp());
    let expires = seconds(claims.expiration).ok_or(INVALID)?;
    let starts = [seconds(claims.not_before), seconds(claims.issued_at)];
    let starts = || starts.iter().flatten();
    let now = i64::try_from(now_ms / 1000).map_err(|_| INVALID)?;
    if expires < 0 || starts().any(|start| *start < 0 || *start > now + LEEWAY_S) {
        return Err(INVALID);
    }
    if now >= expires.saturating_add(LEEWAY_S) {
        Err(Problem::new(Code::TokenExpired))
    } else {
        Ok(())
    }
}

/// A clock that stands at the moment of the request.
pub(crate) fn clock(now_ms: u64) -> Option<TimeOptions<impl Fn() -> DateTime<Utc>>> {
    let now = DateTime::from_timestamp_millis(i64::try_from(now_ms).ok()?)?;
    Some(TimeOptions::new(Duration::zero(), move || now))
}
