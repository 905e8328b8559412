//! Users: an id that is safe in an object key and in a path, and a role.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// Prefix of the ids of guests.
pub const GUEST_PREFIX: &str = "guest-";

/// The id of a user: 1 to 64 of `A-Z a-z 0-9 _ -`, so that it can stand in a key and a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct UserId(String);

impl UserId {
    const MAX_BYTES: usize = 64;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_guest(&self) -> bool {
        self.0.starts_with(GUEST_PREFIX)
    }

    /// From text, when every character is allowed.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let is_id = (1..=Self::MAX_BYTES).contains(&text.len()) && text.bytes().all(allowed);
        is_id.then(|| Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a user id"))
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE", try_from = "String")]
pub enum Role {
    /// A signed-in user; also a token that names no role.
    #[default]
    User,
    /// A person who has not signed up.
    Guest,
    Service,
    Admin,
}

impl Role {
    /// As it is written in tokens.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Guest => "GUEST",
            Self::Service => "SERVICE",
            Self::Admin => "ADMIN",
        }
    }
}

#[derive(Debug)]
pub struct UnknownRole;

impl fmt::Display for UnknownRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such role")
    }
}

/// By hand, because the derived deserializer of an enum also accepts `{"ADMIN":null}`.
impl TryFrom<String> for Role {
    type Error = UnknownRole;

    fn try_from(name: String) -> Result<Self, UnknownRole> {
        match name.as_str() {
            "USER" => Ok(Self::User),
            "GUEST" => Ok(Self::Guest),
            "SERVICE" => Ok(Self::Service),
            "ADMIN" => Ok(Self::Admin),
            _ => Err(UnknownRole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_1_to_64_characters_that_may_stand_in_a_path() {
        let longest = "x".repeat(64);
        for text in ["1", "guest-1", "a_B-9", &longest] {
            assert_eq!(UserId::parse(text).expect(text).as_str(), text);
        }
        for text in ["", "a.b", "a/b", "a b", "é", &"x".repeat(65)] {
            assert_eq!(UserId::parse(text), None, "{text}");
        }
        let is_guest = |text: &str| UserId::parse(text).expect("valid").is_guest();
        assert!(is_guest("guest-1") && !is_guest("guest") && !is_guest("a-guest-1"));
    }
}
