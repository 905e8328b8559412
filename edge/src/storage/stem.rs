//! A key without its extension: the name that an upload has before anybody knows which format will be
//! stored. It is as strict as the key itself.

use core::fmt;

use image_rules::Format;

use super::{KeyParts, ObjectKey};
use crate::auth::UserId;

/// `users/{userId}/images/{timestamp_ms}-{uuid}`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stem(String);

impl Stem {
    /// From its parts.
    #[must_use]
    pub fn new(owner: &UserId, now_ms: u64, random: [u8; 16]) -> Self {
        let format = Format::Jpeg;
        Self::of(&ObjectKey::new(&KeyParts { owner, now_ms, random, format }))
    }

    /// What all keys of one upload have in common.
    #[must_use]
    pub fn of(key: &ObjectKey) -> Self {
        let text = key.as_str();
        Self(text.split_once('.').map_or(text, |(stem, _)| stem).to_owned())
    }

    /// From text, when it is a key to the letter but for the extension.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let key = ObjectKey::parse(&format!("{text}.{}", Format::Jpeg.extension()))?;
        Some(Self::of(&key))
    }

    /// The key of this upload in a format.
    #[must_use]
    pub fn key(&self, format: Format) -> Option<ObjectKey> {
        ObjectKey::parse(&format!("{}.{}", self.0, format.extension()))
    }

    /// Every key that this upload may have been stored under.
    pub fn keys(&self) -> impl Iterator<Item = ObjectKey> {
        Format::ALL.into_iter().filter_map(|format| self.key(format))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whose upload it is, by the name alone.
    #[must_use]
    pub fn owner(&self) -> Option<UserId> {
        let (owner, _) = self.0.strip_prefix("users/")?.split_once('/')?;
        UserId::parse(owner)
    }
}

impl fmt::Display for Stem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_is_a_key_without_its_extension() {
        let owner = UserId::parse("guest-1_a").expect("valid");
        let stem = Stem::new(&owner, 1_699_876_543_210, [0; 16]);
        let text = "users/guest-1_a/images/1699876543210-00000000-0000-4000-8000-000000000000";
        assert_eq!(stem.as_str(), text);
        assert_eq!(stem.owner(), Some(owner));
        assert_eq!(Stem::parse(text), Some(stem.clone()));
        let key = stem.key(Format::WebP).expect("a key");
        assert_eq!(key.as_str(), format!("{text}.webp"));
        assert_eq!(Stem::of(&key), stem);
        assert_eq!(stem.keys().count(), Format::ALL.len());
    }

    #[test]
    fn whatever_is_not_a_stem_to_the_letter_is_none() {
        for text in ["", "users/a/images/1-x", "users/a/b", "readiness"] {
            assert_eq!(Stem::parse(text), None, "{text}");
        }
        let key = "users/a/images/1-00000000-0000-4000-8000-000000000000.jpeg";
        assert_eq!(Stem::parse(key), None);
    }
}
