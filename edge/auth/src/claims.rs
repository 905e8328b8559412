//! What a genuine token says, and whether it says it to us and now.

use chrono::{DateTime, Duration, Utc};
use image_rules::Code;
use jwt_compact::{Claims, TimeOptions};
use serde::{Deserialize, Deserializer, Serialize};

use edge_types::{Problem, Role, SessionId, UserId};

use crate::{
    Principal,
    keys::{NamedKey, Origin},
    ticket::{Ticket, TicketClaims},
    token::PresentedToken,
};

/// Clocks of servers differ by seconds.
const LEEWAY_S: i64 = 30;

/// The issuer that tokens of ours name, whatever a platform's own is called.
pub(crate) const OWN_ISSUER: &str = "urn:the-form:images";

/// What the tokens of a platform must say beside user and expiry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRules {
    pub issuer: Option<String>,
    pub audience: Option<String>,
    /// Whether they may have the role `ADMIN`.
    pub may_give_admin: bool,
}

/// What a token says beyond its times.
#[derive(Serialize, Deserialize)]
pub(crate) struct TokenClaims {
    pub(crate) sub: String,
    /// [`None`] for an unknown role.
    #[serde(default = "role_by_default", deserialize_with = "known_role")]
    pub(crate) role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) aud: Option<Audience>,
    /// Whom a person is reached at; in access tokens of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    /// The session that an access token of ours belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<String>,
    /// When the account was created, in seconds; in access tokens of ours, and in tickets that follow from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account_since: Option<u64>,
    /// What makes a token of ours a ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ticket: Option<TicketClaims>,
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of the member")]
fn role_by_default() -> Option<Role> {
    Some(Role::default())
}

fn known_role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Role>, D::Error> {
    String::deserialize(deserializer).map(|name| Role::try_from(name).ok())
}

impl TokenClaims {
    /// A token of ours that says nothing yet.
    pub(crate) fn own() -> Self {
        Self {
            sub: String::new(),
            role: role_by_default(),
            iss: Some(OWN_ISSUER.to_owned()),
            aud: None,
            email: None,
            sid: None,
            account_since: None,
            ticket: None,
        }
    }
}

/// Whom a token is meant for: one name, or several (RFC 7519 §4.1.3).
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn includes(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Many(many) => many.iter().any(|one| one == name),
        }
    }
}

/// The claims of a token whose signature was found good, and whose key that was.
pub(crate) struct Verified {
    pub(crate) claims: Claims<TokenClaims>,
    pub(crate) origin: Origin,
}

impl Verified {
    /// The claims as the first of the keys reads them that signed the token.
    pub(crate) fn find(keys: &[NamedKey], token: &PresentedToken<'_>) -> Option<Self> {
        let wanted = token.key_id();
        keys.iter().filter(|key| key.may_have_signed(wanted)).find_map(|key| {
            let (_head, claims) = key.check::<TokenClaims>(token.untrusted())?.into_parts();
            Some(Self { claims, origin: key.origin })
        })
    }

    /// The caller, when the token is meant for us and its time is now.
    pub(crate) fn principal(self, rules: &TokenRules, now_ms: u64) -> Result<Principal, Problem> {
        const INVALID: Problem = Problem::new(Code::TokenInvalid);
        if !self.follows(rules) {
            return Err(INVALID);
        }
        check_times(&self.claims, now_ms).map_err(Problem::new)?;
        let expires = self.claims.expiration.map(|time| time.timestamp_millis());
        let TokenClaims { sub, role, sid, account_since, ticket, .. } = self.claims.custom;
        let ticket = match ticket {
            Some(claims) => Some(Ticket {
                scope: claims.scope().ok_or(INVALID)?,
                id: claims.id,
                expires_ms: expires.and_then(|ms| u64::try_from(ms).ok()).ok_or(INVALID)?,
            }),
            None => None,
        };
        let user = UserId::parse(&sub).ok_or(INVALID)?;
        let may_give = |role: &Role| {
            *role != Role::Admin || self.origin == Origin::Here || rules.may_give_admin
        };
        let role = role.filter(may_give).ok_or(Problem::new(Code::RoleNotAllowed))?;
        // A platform's `sid` is none of our sessions.
        let session = sid
            .filter(|_| self.origin == Origin::Here)
            .map(|sid| SessionId::parse(&sid).ok_or(INVALID))
            .transpose()?;
        let is_privileged = matches!(role, Role::Service | Role::Admin);
        if self.origin == Origin::Here && is_privileged && session.is_none() {
            return Err(INVALID);
        }
        let account_since_s = account_since.filter(|_| self.origin == Origin::Here);
        Ok(Principal { user, role, session, account_since_s, ticket, may_access_others: false })
    }

    /// Our key vouches for our tokens and a platform's for its own; neither can pass for the other.
    fn follows(&self, rules: &TokenRules) -> bool {
        let TokenClaims { iss, aud, ticket, .. } = &self.claims.custom;
        let issuer = iss.as_deref();
        match self.origin {
            Origin::Here => issuer.is_none_or(|issuer| issuer == OWN_ISSUER),
            Origin::Platform => {
                let wanted = rules.issuer.as_deref();
                issuer != Some(OWN_ISSUER)
                    && ticket.is_none()
                    && (wanted.is_none() || issuer == wanted)
                    && rules.audience.as_deref().is_none_or(|wanted| {
                        aud.as_ref().is_some_and(|audience| audience.includes(wanted))
                    })
            }
        }
    }
}

/// `TOKEN_EXPIRED` when there is nothing wrong but the hour. Whole seconds in checked bounds: the
/// library's own comparison subtracts the leeway and panics below the year -262143.
fn check_times(claims: &Claims<TokenClaims>, now_ms: u64) -> Result<(), Code> {
    let seconds = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp());
    let expires = seconds(claims.expiration).ok_or(Code::TokenInvalid)?;
    let starts = [seconds(claims.not_before), seconds(claims.issued_at)];
    let starts = || starts.iter().flatten();
    let now = i64::try_from(now_ms / 1000).map_err(|_| Code::TokenInvalid)?;
    if expires < 0 || starts().any(|start| *start < 0 || *start > now + LEEWAY_S) {
        return Err(Code::TokenInvalid);
    }
    if now >= expires.saturating_add(LEEWAY_S) { Err(Code::TokenExpired) } else { Ok(()) }
}

/// A clock that stands at the moment of the request.
pub(crate) fn clock(now_ms: u64) -> Option<TimeOptions<impl Fn() -> DateTime<Utc>>> {
    let now = DateTime::from_timestamp_millis(i64::try_from(now_ms).ok()?)?;
    Some(TimeOptions::new(Duration::zero(), move || now))
}
