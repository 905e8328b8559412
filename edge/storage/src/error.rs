//! Why the object store did not do what was asked, in values that are safe to log: no URL, no signature,
//! nothing of an image.

use core::fmt;

/// The store did not do what was asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum StoreError {
    /// With the platform's message.
    #[error("failed: {0}")]
    Failed(String),
    /// There is an object at this key; nothing was overwritten.
    #[error("the object exists already")]
    Exists,
    #[error("no answer in time")]
    Timeout,
    /// The connection could not be made, or broke.
    #[error("unreachable")]
    Unreachable,
    /// The credentials are unknown or lack the permission.
    #[error("denied: {0}")]
    Denied(Rejection),
    #[error("rejected: {0}")]
    Rejected(Rejection),
    /// A reply that claims success and cannot be right.
    #[error("untrusted reply: {0}")]
    #[strum(serialize = "untrusted")]
    InvalidReply(#[from] InvalidReply),
}

impl StoreError {
    /// The label in metrics.
    pub const fn kind(&self) -> &'static str {
        self.into_str()
    }
}

/// A reply of a store that is no success.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("status {status}, code {code:?}")]
pub struct Rejection {
    pub status: u16,
    /// The store's own name for it.
    pub code: Option<ErrorCode>,
}

/// What is wrong with a reply that claims success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReply {
    /// Every object has an entity tag; a reply without one comes from a proxy.
    #[error("no entity tag")]
    NoEtag,
    #[error("no size")]
    NoSize,
    #[error("the digest is not that of what was sent")]
    OtherDigest,
    #[error("not the requested range")]
    OtherSpan,
    #[error("not as many bytes as announced")]
    OtherSize,
    #[error("no complete listing")]
    NoListing,
}

/// The name of an error in a store's own words, such as `NoSuchBucket`.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorCode(String);

impl ErrorCode {
    /// Takes short plain names only, because the code is logged.
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        is_name.then(|| Self(text.to_owned()))
    }

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
