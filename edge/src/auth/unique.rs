//! JSON without a member twice. Parsers differ in which of two equal members they believe, so what
//! one system checked another could read differently (RFC 8725 §2.6); here such JSON is refused.

use core::fmt;
use std::collections::BTreeSet;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

/// Whether this is JSON in which no object, at any depth, has a member twice.
pub(super) fn has_unique_members(json: &[u8]) -> bool {
    serde_json::from_slice::<Unique>(json).is_ok()
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
    fn a_member_may_come_once_an_object() {
        let fine = [
            r#"{"a":1,"b":{"a":[{"a":-1.5e3},{"a":null}]},"c":true}"#,
            r#"[{"a":1},{"a":1}]"#,
            r#""text""#,
        ];
        for json in fine {
            assert!(has_unique_members(json.as_bytes()), "{json}");
        }
    }

    #[test]
    fn a_member_that_comes_twice_is_seen_at_any_depth_and_in_any_spelling() {
        let twice =
            [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":1}"#, r#"{"x":[0,{"y":{"a":1,"b":2,"a":3}}]}"#];
        for json in twice {
            assert!(!has_unique_members(json.as_bytes()), "{json}");
        }
    }

    #[test]
    fn what_is_no_json_is_not_unique_either() {
        let deep = "[".repeat(10_000);
        for json in ["", "{", "{}{}", "{\"a\":1,}", "\u{feff}{}", &deep] {
            assert!(!has_unique_members(json.as_bytes()), "{json:.20}");
        }
    }
}
