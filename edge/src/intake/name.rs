//! The name a file had on the caller's device: data to show again, never part of a key or path.

use percent_encoding::percent_decode_str;

/// A cleaned name of at most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FileName(String);

impl FileName {
    /// What most file systems hold.
    const MAX_BYTES: usize = 255;

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

/// Decodes percent-encoded UTF-8, drops folders, control and direction-changing characters, and
/// cuts at 255 bytes; nothing when nothing is left.
#[must_use]
pub fn clean_name(raw: &str) -> Option<FileName> {
    let decoded = percent_decode_str(raw).decode_utf8_lossy();
    let file = decoded.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name = String::new();
    for character in file.trim().chars().filter(|character| !is_hidden(*character)) {
        if name.len() + character.len_utf8() > FileName::MAX_BYTES {
            break;
        }
        name.push(character);
    }
    (!name.is_empty()).then_some(FileName(name))
}

/// Characters that show as nothing or turn the text around them (Unicode property `Bidi_Control`).
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(character, '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned() {
        let long = "가".repeat(100);
        for (raw, expected) in [
            ("profile.jpg", Some("profile.jpg")),
            ("%ED%94%84%EB%A1%9C%ED%95%84.jpg", Some("프로필.jpg")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\photos\\me.png", Some("me.png")),
            ("a%0d%0aSet-Cookie: b.jpg", Some("aSet-Cookie: b.jpg")),
            ("gpj.\u{202E}exe.jpg", Some("gpj.exe.jpg")),
            ("%FF.jpg", Some("\u{FFFD}.jpg")),
            (long.as_str(), Some(&long[..255])),
            ("folder/", None),
            ("", None),
        ] {
            assert_eq!(clean_name(raw).as_ref().map(FileName::as_str), expected, "{raw}");
        }
    }
}
