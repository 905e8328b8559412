//! Issuers other than this deployment: which keys sign their tokens, what the tokens must say, and whom and
//! which role their claims mean.

use std::collections::BTreeMap;

use base64ct::{Base64UrlUnpadded, Encoding};
use edge_types::{Problem, Role, UserId};
use image_rules::Code;
use jwt_compact::Claims;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{KeyServerUrl, Principal, claims::check_times, key_set::KeySet};

const INVALID: Problem = Problem::new(Code::TokenInvalid);

/// The claims of an issuer's token beyond its times.
pub(crate) type ClaimMap = Map<String, Value>;

/// An issuer whose tokens are accepted.
#[derive(Debug)]
pub struct Issuer {
    pub(crate) subjects: Subjects,
    /// The `iss` of its tokens; [`None`] accepts those that no other issuer claims.
    pub(crate) iss: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) keys: KeySet,
    /// Where more of its keys are published.
    pub(crate) key_server: Option<KeyServerUrl>,
    /// The roles that it may give; of several in one token the first of these counts.
    pub(crate) roles: Vec<Role>,
    pub(crate) role_claim: String,
    /// What its names of roles mean; without a map they are ours.
    pub(crate) role_map: Option<BTreeMap<String, Role>>,
    pub(crate) user_claim: String,
}

/// How an issuer's subjects become user ids. User ids are parts of object keys, so this never changes.
#[derive(Debug)]
pub(crate) enum Subjects {
    /// As they are, except for those that begin like the ids of a named issuer.
    Plain { reserved: Vec<IssuerName> },
    /// Behind the name of the issuer.
    Named(IssuerName),
}

/// The name that the user ids of an issuer begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IssuerName(String);

impl IssuerName {
    /// 2 to 12 lower-case letters and digits; `guest` is how the ids of guests begin.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_name = (2..=12).contains(&text.len()) && text.bytes().all(allowed);
        (is_name && text != "guest").then(|| Self(text.to_owned()))
    }

    fn begins(&self, user: &str) -> bool {
        user.strip_prefix(&self.0).is_some_and(|rest| rest.starts_with('-'))
    }

    /// `{name}-{subject}` where that is a user id, otherwise `{name}-` and a hash. A subject as long as a
    /// hash is hashed as well: otherwise somebody who can choose a subject could take another's hash.
    fn user(&self, issuer: &str, subject: &str) -> Option<UserId> {
        /// 132 bits of the hash.
        const HASH_CHARACTERS: usize = 22;
        let Self(name) = self;
        if subject.len() != HASH_CHARACTERS
            && let Some(user) = UserId::parse(&format!("{name}-{subject}"))
        {
            return Some(user);
        }
        // No issuer has a line break in it, so no two pairs are hashed alike.
        let digest = Sha256::digest(format!("{issuer}\n{subject}"));
        let hash = Base64UrlUnpadded::encode_string(&digest);
        UserId::parse(&format!("{name}-{}", hash.get(..HASH_CHARACTERS)?))
    }
}

impl Issuer {
    pub(crate) const fn name(&self) -> Option<&IssuerName> {
        match &self.subjects {
            Subjects::Plain { .. } => None,
            Subjects::Named(name) => Some(name),
        }
    }

    /// The caller of a genuine token, when it is meant for us and its time is now.
    pub(crate) fn principal(
        &self,
        claims: &Claims<ClaimMap>,
        now_ms: u64,
    ) -> Result<Principal, Problem> {
        // Only tokens of ours are tickets.
        if claims.custom.contains_key("ticket") || !self.has_audience(&claims.custom) {
            return Err(INVALID);
        }
        check_times(claims, now_ms)?;
        let user = self.user(&claims.custom).ok_or(INVALID)?;
        let role = self.role(&claims.custom)?;
        Ok(Principal {
            user,
            role,
            // A `sid` of theirs is none of our sessions, and the age of their accounts is unknown.
            session: None,
            account_since_s: None,
            is_unverified: false,
            ticket: None,
            single_use: None,
            may_access_others: false,
        })
    }

    /// Whether the token is meant for one name, ours, or for several with ours (RFC 7519 §4.1.3).
    fn has_audience(&self, claims: &ClaimMap) -> bool {
        let names = match claims.get("aud") {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(value) => texts(value),
        };
        let wanted = self.audience.as_deref();
        names.is_some_and(|names| wanted.is_none_or(|wanted| names.contains(&wanted)))
    }

    fn user(&self, claims: &ClaimMap) -> Option<UserId> {
        let subject = claim(claims, &self.user_claim)?.as_str().filter(|text| !text.is_empty())?;
        match &self.subjects {
            Subjects::Plain { reserved } => {
                let is_reserved = reserved.iter().any(|name| name.begins(subject));
                UserId::parse(subject).filter(|_| !is_reserved)
            }
            Subjects::Named(name) => name.user(self.iss.as_deref()?, subject),
        }
    }

    /// A token without a role is a user's.
    fn role(&self, claims: &ClaimMap) -> Result<Role, Problem> {
        let given = match claim(claims, &self.role_claim) {
            None => vec![Role::default()],
            Some(Value::Bool(value)) => self.named(if *value { "true" } else { "false" }).collect(),
            Some(value) => {
                let names = texts(value).ok_or(INVALID)?;
                names.into_iter().flat_map(|name| self.named(name)).collect()
            }
        };
        let role = self.roles.iter().find(|role| given.contains(role));
        role.copied().ok_or(Problem::new(Code::RoleNotAllowed))
    }

    fn named(&self, name: &str) -> impl Iterator<Item = Role> {
        let role = match &self.role_map {
            Some(map) => map.get(name).copied(),
            None => Role::try_from(name.to_owned()).ok(),
        };
        role.into_iter()
    }
}

/// A claim by its name, which may have dots in it, or else by its path.
fn claim<'a>(claims: &'a ClaimMap, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(claims.get(first)?, |value, part| value.get(part))
    })
}

/// One text, or a list of nothing but texts.
pub(crate) fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}
