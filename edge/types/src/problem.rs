//! An error that the caller causes and sees: a public code, with the details that make its sentence specific.

use std::borrow::Cow;

use image_rules::{Code, ImageError, Language};

use crate::{PERMANENT_MS, UserId, timestamp};

/// An error answer, before it is written as `problem+json`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", code.name())]
pub struct Problem {
    pub code: Code,
    /// The methods of the path, with `METHOD_NOT_ALLOWED`.
    pub allow: Option<String>,
    /// `Retry-After`, with 429 and 503.
    pub retry_after_s: Option<u32>,
    /// The end of the ban, with `USER_BANNED`.
    pub banned_until_ms: Option<u64>,
    /// The user of the current token, with `ALREADY_LOGGED_IN`.
    pub logged_in_as: Option<UserId>,
    /// What is wrong with the image; it has its own sentences.
    pub image: Option<ImageError>,
    /// The limit that the headers of a form part exceed.
    pub part_header_limit_bytes: Option<u64>,
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
            part_header_limit_bytes: None,
        }
    }

    /// A code that passes by itself: the client retries after this time.
    pub const fn retry(code: Code, after_s: u32) -> Self {
        let mut problem = Self::new(code);
        problem.retry_after_s = Some(after_s);
        problem
    }

    /// `METHOD_NOT_ALLOWED`, with the methods that the path has.
    pub fn method(allow: String) -> Self {
        Self { allow: Some(allow), ..Self::new(Code::MethodNotAllowed) }
    }

    /// What is wrong and what to do, in the caller's language.
    pub fn message(&self, language: Language) -> Cow<'static, str> {
        let sentence = self.code.message(language);
        if let Some(error) = &self.image {
            return error.message(language);
        }
        if let Some(limit_bytes) = self.part_header_limit_bytes {
            let kilobytes = limit_bytes / 1024;
            return Cow::Owned(match language {
                Language::En => format!(
                    "The headers of a part of the form have more than {kilobytes} KB. Shorten the file's name."
                ),
                Language::Ko => format!(
                    "폼의 한 파트의 헤더가 {kilobytes} KB를 넘습니다. 파일 이름을 줄여 주세요."
                ),
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
