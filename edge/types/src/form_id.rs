//! The form that a picture answers, as the platform names it; and the name of a form that has a policy.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// 1 to 128 characters of text without control characters. Only those that are a [`FormName`] can have a policy; any
/// other is a label.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FormId(String);

impl FormId {
    const MAX_CHARS: usize = 128;

    pub fn from_text(text: &str) -> Option<Self> {
        Self::parse(text.as_bytes())
    }

    /// From the bytes of a field.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(bytes).ok()?.trim();
        let is_id = (1..=Self::MAX_CHARS).contains(&text.chars().count())
            && !text.contains(char::is_control);
        is_id.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form, if it can have a policy.
    pub fn name(&self) -> Option<FormName> {
        FormName::parse(&self.0)
    }
}

/// The name of a form that can have a policy: 1 to 64 of `A-Z a-z 0-9 _ -`, so that it can stand in a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FormName(String);

impl FormName {
    const MAX_BYTES: usize = 64;

    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let is_name = (1..=Self::MAX_BYTES).contains(&text.len()) && text.bytes().all(allowed);
        is_name.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for FormName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a form's name"))
    }
}

impl fmt::Display for FormName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which count of a form is at its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormLimit {
    /// All pictures of the form.
    Form,
    /// The pictures of one user in the form.
    User,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_text() {
        let (longest, long) = ("\u{c124}".repeat(128), "x".repeat(129));
        for (bytes, expected) in [
            (&b"f-1"[..], Some("f-1")),
            ("\u{c124}\u{bb38} 3".as_bytes(), Some("\u{c124}\u{bb38} 3")),
            (b" f ", Some("f")),
            (longest.as_bytes(), Some(&*longest)),
            (b"", None),
            (b"a\nb", None),
            (b"\xFF", None),
            (long.as_bytes(), None),
        ] {
            assert_eq!(FormId::parse(bytes).as_ref().map(FormId::as_str), expected);
        }
    }

    #[test]
    fn a_form_with_a_policy_has_a_name_that_can_stand_in_a_path() {
        let name = |text: &str| FormId::from_text(text)?.name();
        let longest = "x".repeat(64);
        for text in ["f-1", "A_9", &longest] {
            assert_eq!(name(text).as_ref().map(FormName::as_str), Some(text));
        }
        for text in ["a b", "a/b", "a.b", "\u{c124}", &"x".repeat(65)] {
            assert_eq!(name(text), None, "{text}");
        }
    }
}
