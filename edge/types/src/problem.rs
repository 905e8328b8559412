//! An error that the caller causes and sees: a public code, with the details that make its sentence specific.

use std::borrow::Cow;

use image_rules::{Code, ImageError, Language};

use crate::{FormLimit, PERMANENT_MS, UserId, timestamp};

/// Why a form takes no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormRefusal {
    /// It is not open yet, or closed.
    Closed {
        now_ms: u64,
        opens_ms: Option<u64>,
        closes_ms: Option<u64>,
    },
    Full {
        which: FormLimit,
        limit: u32,
    },
}

/// A field of a JSON body that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidField {
    pub name: String,
    /// What its value should be; nothing for an unknown field.
    pub expected: Option<&'static str>,
}

/// An error answer, before it is written as `problem+json`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", code.name())]
pub struct Problem {
    pub code: Code,
    /// The methods of the path, with `METHOD_NOT_ALLOWED`.
    pub allow: Option<Box<str>>,
    /// `Retry-After`, with 429 and 503.
    pub retry_after_s: Option<u32>,
    /// The end of the ban, with `USER_BANNED`.
    pub banned_until_ms: Option<u64>,
    /// The user of the current token, with `ALREADY_LOGGED_IN`.
    pub logged_in_as: Option<UserId>,
    /// What is wrong with the image; it has its own sentences.
    pub image: Option<ImageError>,
    /// Boxed, because few problems have any.
    pub details: Option<Box<Details>>,
}

/// What makes the sentence of a code specific.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Details {
    /// With `FORM_CLOSED` and `FORM_FULL`.
    Form(FormRefusal),
    /// With `MALFORMED_REQUEST`.
    Field(InvalidField),
    /// The limit that the headers of a form part exceed.
    PartHeader { limit_bytes: u64 },
}

impl Problem {
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            allow: None,
            retry_after_s: None,
            banned_until_ms: None,
            logged_in_as: None,
            image: None,
            details: None,
        }
    }

    pub fn with_details(code: Code, details: Details) -> Self {
        Self { details: Some(Box::new(details)), ..Self::new(code) }
    }

    /// `FORM_CLOSED` or `FORM_FULL`.
    pub fn form(refusal: FormRefusal) -> Self {
        let code = match refusal {
            FormRefusal::Closed { .. } => Code::FormClosed,
            FormRefusal::Full { .. } => Code::FormFull,
        };
        Self::with_details(code, Details::Form(refusal))
    }

    /// `MALFORMED_REQUEST` for an unknown field, or, when something is expected, for the value of a known one.
    pub fn field(name: &str, expected: Option<&'static str>) -> Self {
        const MAX_CHARS: usize = 64;
        let name = name.chars().take(MAX_CHARS).collect();
        let details = Details::Field(InvalidField { name, expected });
        Self::with_details(Code::MalformedRequest, details)
    }

    /// A code that passes by itself: the client retries after this time.
    pub const fn retry(code: Code, after_s: u32) -> Self {
        let mut problem = Self::new(code);
        problem.retry_after_s = Some(after_s);
        problem
    }

    /// `METHOD_NOT_ALLOWED`, with the methods that the path has.
    pub fn method(allow: String) -> Self {
        Self { allow: Some(allow.into()), ..Self::new(Code::MethodNotAllowed) }
    }

    /// What is wrong and what to do, in the caller's language.
    pub fn message(&self, language: Language) -> Cow<'static, str> {
        let sentence = self.code.message(language);
        if let Some(error) = &self.image {
            return error.message(language);
        }
        if let Some(details) = &self.details {
            return Cow::Owned(match &**details {
                Details::Form(refusal) => format!("{sentence} {}", refusal.detail(language)),
                Details::Field(field) => field.message(language),
                Details::PartHeader { limit_bytes } => part_header_message(*limit_bytes, language),
            });
        }
        if self.banned_until_ms == Some(PERMANENT_MS) {
            return Cow::Owned(match language {
                Language::En => format!("{sentence} The block has no end."),
                Language::Ko => format!("{sentence} 차단 기한이 없습니다."),
            });
        }
        if let Some(until) = self.banned_until_ms.map(timestamp) {
            return Cow::Owned(match language {
                Language::En => format!("{sentence} The block ends at {until}."),
                Language::Ko => format!("{sentence} 차단은 {until}에 풀립니다."),
            });
        }
        if let Some(user) = &self.logged_in_as {
            return Cow::Owned(match language {
                Language::En => format!("{sentence} Your user id is {user}."),
                Language::Ko => format!("{sentence} 사용자 ID는 {user}입니다."),
            });
        }
        Cow::Borrowed(sentence)
    }
}

fn part_header_message(limit_bytes: u64, language: Language) -> String {
    let kilobytes = limit_bytes / 1024;
    match language {
        Language::En => format!(
            "The headers of a part of the form have more than {kilobytes} KB. Shorten the file's name."
        ),
        Language::Ko => {
            format!("폼의 한 파트의 헤더가 {kilobytes} KB를 넘습니다. 파일 이름을 줄여 주세요.")
        }
    }
}

impl FormRefusal {
    fn detail(self, language: Language) -> String {
        match (self, language) {
            (Self::Closed { now_ms, opens_ms: Some(opens_ms), .. }, _) if now_ms < opens_ms => {
                let at = timestamp(opens_ms);
                match language {
                    Language::En => format!("It opens at {at}."),
                    Language::Ko => format!("{at}에 열립니다."),
                }
            }
            (Self::Closed { closes_ms, .. }, Language::En) => {
                format!("It was closed at {}.", timestamp(closes_ms.unwrap_or_default()))
            }
            (Self::Closed { closes_ms, .. }, Language::Ko) => {
                format!("{}에 마감되었습니다.", timestamp(closes_ms.unwrap_or_default()))
            }
            (Self::Full { which: FormLimit::Form, limit }, Language::En) => {
                format!("It has all {limit} pictures that it takes.")
            }
            (Self::Full { which: FormLimit::Form, limit }, Language::Ko) => {
                format!("받을 수 있는 사진 {limit}장이 모두 찼습니다.")
            }
            (Self::Full { which: FormLimit::User, limit }, Language::En) => {
                format!("You may send {limit} in all; delete one first to send another.")
            }
            (Self::Full { which: FormLimit::User, limit }, Language::Ko) => {
                format!(
                    "한 사람이 {limit}장까지 올릴 수 있습니다. 다른 사진을 올리려면 먼저 하나를 삭제해 주세요."
                )
            }
        }
    }
}

impl InvalidField {
    fn message(&self, language: Language) -> String {
        let name = &self.name;
        match (self.expected, language) {
            (None, Language::En) => format!("There is no field `{name}`."),
            (None, Language::Ko) => format!("`{name}` 필드는 없습니다."),
            (Some(expected), Language::En) => {
                format!("The field `{name}` cannot be used. Expected: {expected}.")
            }
            (Some(expected), Language::Ko) => {
                format!("`{name}` 필드의 값을 쓸 수 없습니다. 필요한 값: {expected}.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_when_it_opens_or_closed_and_which_count_is_full() {
        let (now_ms, day_ms) = (1_763_114_400_000, 86_400_000);
        let closed = |opens_ms, closes_ms| FormRefusal::Closed { now_ms, opens_ms, closes_ms };
        let full = |which| FormRefusal::Full { which, limit: 4 };
        for (refusal, code, en, ko) in [
            (
                closed(Some(now_ms + day_ms), Some(now_ms + 2 * day_ms)),
                Code::FormClosed,
                "It opens at 2025-11-15T10:00:00.000Z.",
                "2025-11-15T10:00:00.000Z에 열립니다.",
            ),
            (
                closed(Some(now_ms - 2 * day_ms), Some(now_ms - day_ms)),
                Code::FormClosed,
                "It was closed at 2025-11-13T10:00:00.000Z.",
                "2025-11-13T10:00:00.000Z에 마감되었습니다.",
            ),
            (full(FormLimit::Form), Code::FormFull, "all 4 pictures", "4장이 모두 찼습니다."),
            (full(FormLimit::User), Code::FormFull, "You may send 4", "4장까지 올릴 수 있습니다."),
        ] {
            let problem = Problem::form(refusal);
            assert_eq!(problem.code, code);
            for (language, text) in [(Language::En, en), (Language::Ko, ko)] {
                let message = problem.message(language);
                assert!(message.starts_with(code.message(language)), "{message}");
                assert!(message.contains(text), "{message}");
            }
        }
    }

    #[test]
    fn a_field_is_named_and_its_name_is_cut() {
        let message = Problem::field("colour", None).message(Language::En).into_owned();
        assert_eq!(message, "There is no field `colour`.");
        let problem = Problem::field("quality", Some("a number"));
        assert_eq!(
            problem.message(Language::En),
            "The field `quality` cannot be used. Expected: a number."
        );
        let long = Problem::field(&"\u{ac00}".repeat(100), None).message(Language::En).into_owned();
        assert_eq!(long.matches('\u{ac00}').count(), 64);
    }
}
