//! The id of a session of the built-in accounts.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// The id of a session: 128 bits in hexadecimal. It is also the id of its family of refresh tokens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SessionId(String);

impl SessionId {
    const HEX_DIGITS: usize = 32;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// From 32 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_id = text.len() == Self::HEX_DIGITS && text.bytes().all(is_digit);
        is_id.then(|| Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a session id"))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_32_hexadecimal_digits() {
        let id = "0123456789abcdef".repeat(2);
        assert_eq!(SessionId::parse(&id).expect("an id").as_str(), id);
        for wrong in
            ["", "0", &id[1..], &format!("{id}0"), &id.to_uppercase(), &id.replace('f', "g")]
        {
            assert_eq!(SessionId::parse(wrong), None, "{wrong}");
        }
    }
}
