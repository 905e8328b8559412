//! JSON without a member twice. Parsers differ in which of two equal members they believe, so what
//! one system checked another could read differently (RFC 8725 §2.6); here such JSON is refused.

use core::fmt;
use std::collections::BTreeSet;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberFlaw {
    NotJson,
    /// An object in it has a member twice.
    Twice,
}

/// Checks that no object of this JSON, at any depth, has a member twice.
pub(crate) fn check_members(json: &[u8]) -> Result<(), MemberFlaw> {
    match serde_json::from_slice::<Unique>(json) {
        Ok(Unique) => Ok(()),
        // The only error of ours; all others are about the syntax.
        Err(error) if error.is_data() => Err(MemberFlaw::Twice),
        Err(_) => Err(MemberFlaw::NotJson),
    }
}

/// Any JSON value; reading it fails at the first member that comes again.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without a member twice")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name) {
                return Err(A::Error::custom("a member comes twice"));
            }
            map.next_value::<Unique>()?;
        }
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
        while items.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_may_occur_once_per_object() {
        let fine = [
            r#"{"a":1,"b":{"a":[{"a":-1.5e3},{"a":null}]},"c":true}"#,
            r#"[{"a":1},{"a":1}]"#,
            r#""text""#,
        ];
        for json in fine {
            assert_eq!(check_members(json.as_bytes()), Ok(()), "{json}");
        }
    }

    #[test]
    fn a_duplicate_member_is_found_at_any_depth_and_in_any_spelling() {
        let twice =
            [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":1}"#, r#"{"x":[0,{"y":{"a":1,"b":2,"a":3}}]}"#];
        for json in twice {
            assert_eq!(check_members(json.as_bytes()), Err(MemberFlaw::Twice), "{json}");
        }
    }

    #[test]
    fn invalid_json_is_distinguished_from_a_duplicate_member() {
        let deep = "[".repeat(10_000);
        for json in ["", "{", "{}{}", "{\"a\":1,}", "\u{feff}{}", "{\"a\":1e999}", &deep] {
            assert_eq!(check_members(json.as_bytes()), Err(MemberFlaw::NotJson), "{json:.20}");
        }
    }
}
