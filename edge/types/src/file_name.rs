//! The name a file had on the caller's device: data to show again, never part of a key or path.

use percent_encoding::percent_decode_str;

/// A cleaned name of at most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FileName(String);

impl FileName {
    const MAX_BYTES: usize = 255;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

/// The name in a header, where percent-encoded UTF-8 stands for what a header cannot hold.
pub fn name_in_header(value: &str) -> Option<FileName> {
    clean_name(&percent_decode_str(value).decode_utf8_lossy())
}

/// Drops folders, control and direction-changing characters, and cuts at 255 bytes; nothing when
/// nothing is left. A percent sign is one: what encodes with it decodes before.
pub fn clean_name(text: &str) -> Option<FileName> {
    let file = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen: String = file.chars().filter(|character| !is_hidden(*character)).collect();
    let mut name = String::new();
    for character in seen.trim().chars() {
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
            ("50%25 off.jpg", Some("50%25 off.jpg")),
            ("\u{200B} a.jpg \u{1}", Some("a.jpg")),
            ("\u{1} \u{1}", None),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\photos\\me.png", Some("me.png")),
            ("a\r\nSet-Cookie: b.jpg", Some("aSet-Cookie: b.jpg")),
            ("gpj.\u{202E}exe.jpg", Some("gpj.exe.jpg")),
            (long.as_str(), Some(&long[..255])),
            ("folder/", None),
            ("", None),
        ] {
            assert_eq!(clean_name(raw).as_ref().map(FileName::as_str), expected, "{raw}");
        }
    }

    #[test]
    fn names_in_headers_are_decoded_once() {
        for (value, expected) in [
            ("%ED%94%84%EB%A1%9C%ED%95%84.jpg", Some("프로필.jpg")),
            ("a%0d%0aSet-Cookie: b.jpg", Some("aSet-Cookie: b.jpg")),
            ("%2e%2e%2fpasswd", Some("passwd")),
            ("%252e%252e%252fpasswd", Some("%2e%2e%2fpasswd")),
            ("100%.jpg", Some("100%.jpg")),
            ("%FF.jpg", Some("\u{FFFD}.jpg")),
            ("%00", None),
        ] {
            assert_eq!(name_in_header(value).as_ref().map(FileName::as_str), expected, "{value}");
        }
    }
}
