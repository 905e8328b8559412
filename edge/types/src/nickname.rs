//! The nickname of a user: plain text without control characters.

/// Fifty characters fit on a line of a profile.
const MAX_CHARS: usize = 50;

/// 1 to 50 characters of any script, none of which steers a terminal or a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nickname(String);

impl Nickname {
    /// White space around it is no part of it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_name = (1..=MAX_CHARS).contains(&text.chars().count()) && !text.chars().any(steers);
        is_name.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and those that turn the direction of what stands beside them (UAX #9 §2).
fn steers(char: char) -> bool {
    char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::Nickname;

    #[test]
    fn a_nickname_has_any_script_and_no_control_characters() {
        for text in ["지민", " Ann 'Bee' <3 ", "👩‍👩‍👧", &"가".repeat(50)] {
            assert_eq!(Nickname::parse(text).expect(text).as_str(), text.trim());
        }
        for text in ["", "  ", "a\nb", "a\u{0}b", "\u{202e}gpj.exe", &"가".repeat(51)] {
            assert_eq!(Nickname::parse(text), None, "{text:?}");
        }
    }
}
