//! Ids of 128 random bits: of a session of the built-in accounts, and of a removal.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::hex;

const HEX_DIGITS: usize = 32;

macro_rules! hex_ids {
    ($($(#[$doc:meta])* $name:ident $invalid:literal)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub struct $name(String);

        impl $name {
            pub fn new(random: [u8; 16]) -> Self {
                Self(hex::encode(&random))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// From 32 lower-case hexadecimal digits.
            pub fn parse(text: &str) -> Option<Self> {
                is_hex(text).then(|| Self(text.to_owned()))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| D::Error::custom($invalid))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

hex_ids! {
    /// The id of a session. It is also the id of its family of refresh tokens.
    SessionId "not a session id"
    /// The id of a removal that runs in the background.
    RemovalId "not a removal id"
}

fn is_hex(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == HEX_DIGITS && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_32_hexadecimal_digits() {
        let id = "0123456789abcdef".repeat(2);
        assert_eq!(SessionId::parse(&id).expect("an id").as_str(), id);
        assert_eq!(RemovalId::new([0xab; 16]).as_str(), "ab".repeat(16));
        for wrong in
            ["", "0", &id[1..], &format!("{id}0"), &id.to_uppercase(), &id.replace('f', "g")]
        {
            assert_eq!(SessionId::parse(wrong), None, "{wrong}");
        }
    }
}
