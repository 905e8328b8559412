//! The form that a picture answers, as the platform names it: data only.

/// 1 to 128 characters of text without control characters.
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
}
