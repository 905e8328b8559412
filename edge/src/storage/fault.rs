//! Why a store did not do what was asked, in values that are safe to log: no address, no signature,
//! nothing of a picture.

use core::fmt;

/// The store did not do what was asked.
#[derive(Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// It failed, with the platform's words.
    Failed(String),
    /// There is an object at this key already; nothing was overwritten.
    Exists,
    /// It did not answer in time.
    Timeout,
    /// The connection could not be made, or broke.
    Unreachable,
    /// It does not know our keys, or they may not do this.
    Denied(Rejection),
    /// It answered that it would not or could not.
    Rejected(Rejection),
    /// It answered, and the answer cannot be right.
    Untrusted(Doubt),
}

impl StoreFault {
    /// The names of all kinds.
    pub const KINDS: [&'static str; 7] =
        ["failed", "exists", "timeout", "unreachable", "denied", "rejected", "untrusted"];

    /// Its kind, as it stands in metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        let [failed, exists, timeout, unreachable, denied, rejected, untrusted] = Self::KINDS;
        match self {
            Self::Failed(_) => failed,
            Self::Exists => exists,
            Self::Timeout => timeout,
            Self::Unreachable => unreachable,
            Self::Denied(_) => denied,
            Self::Rejected(_) => rejected,
            Self::Untrusted(_) => untrusted,
        }
    }
}

/// An answer of a store that is no success.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The HTTP status.
    pub status: u16,
    /// The store's own name for it, when it said one.
    pub code: Option<ErrorCode>,
}

/// What is wrong with an answer that claims success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Every object has an entity tag; an answer without one is some proxy's.
    NoEtag,
    /// Without the size nothing can be served.
    NoSize,
    /// What was stored is not what was sent.
    OtherDigest,
    /// Not the span that was asked for.
    OtherSpan,
    /// A listing that is not one, or breaks off.
    NoListing,
}

/// The name of an error in a store's own words, such as `NoSuchBucket`.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorCode(String);

impl ErrorCode {
    /// From what the store wrote; anything but a short plain name is nothing, since it goes into logs.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        is_name.then(|| Self(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_error_codes() {
        assert!(ErrorCode::parse("NoSuchBucket").is_some());
        let long = "A".repeat(65);
        for text in ["", "a b", "<b>", "line\nbreak", "X-Amz-Signature=1", long.as_str()] {
            assert!(ErrorCode::parse(text).is_none(), "{text}");
        }
    }
}
