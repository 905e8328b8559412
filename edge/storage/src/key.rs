//! `users/{userId}/images/{timestamp_ms}-{uuid}.{ext}`: built from checked parts, never from a file name, and
//! parsed as strictly, so nothing else in the bucket can be reached. What only signed URLs may read lies below `private/`.

use core::fmt;

use image_rules::Format;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use uuid::Uuid;

use edge_types::UserId;

use crate::StoreKey;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ObjectKey(String);

/// What the keys of objects begin with that only signed URLs may read. No policy of a bucket may allow it.
const PRIVATE: &str = "private/";

/// The parts of a key.
pub struct KeyParts<'a> {
    pub owner: &'a UserId,
    pub now_ms: u64,
    pub random: [u8; 16],
    pub format: Format,
}

impl ObjectKey {
    pub fn new(parts: &KeyParts<'_>) -> Self {
        let KeyParts { owner, now_ms, random, format } = parts;
        let uuid = uuid::Builder::from_random_bytes(*random).into_uuid();
        Self(format!("users/{owner}/images/{now_ms}-{uuid}.{}", format.extension()))
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (owner, file) = public(text).strip_prefix("users/")?.split_once("/images/")?;
        let (name, extension) = file.split_once('.')?;
        let (timestamp, uuid) = name.split_once('-')?;
        let is_key = UserId::parse(owner).is_some()
            && is_timestamp(timestamp)
            && is_uuid(uuid)
            && Format::ALL.iter().any(|format| format.extension() == extension);
        is_key.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether only a signed URL may read the object.
    pub fn is_private(&self) -> bool {
        self.0.starts_with(PRIVATE)
    }

    /// The same key below `private/`.
    #[must_use]
    pub fn private(&self) -> Self {
        Self(format!("{PRIVATE}{}", public(&self.0)))
    }

    /// The same key outside of `private/`.
    #[must_use]
    pub fn public(&self) -> Self {
        Self(public(&self.0).to_owned())
    }

    /// The user who uploaded it: their ledger has it, also after another user has claimed it.
    pub fn owner(&self) -> Option<UserId> {
        let (owner, _) = public(&self.0).strip_prefix("users/")?.split_once('/')?;
        UserId::parse(owner)
    }

    /// When the upload was admitted.
    pub fn written_ms(&self) -> u64 {
        let file = self.0.rsplit('/').next().unwrap_or_default();
        let (timestamp, _) = file.split_once('-').unwrap_or_default();
        timestamp.parse().unwrap_or_default()
    }

    /// The format that the extension names.
    pub fn format(&self) -> Option<Format> {
        let extension = self.0.rsplit('.').next()?;
        Format::ALL.into_iter().find(|format| format.extension() == extension)
    }
}

fn public(text: &str) -> &str {
    text.strip_prefix(PRIVATE).unwrap_or(text)
}

/// 13 digits reach to the year 2286; 20 hold a u64.
fn is_timestamp(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Only the hyphenated lower-case form, so that an object has one URL.
fn is_uuid(text: &str) -> bool {
    Uuid::try_parse(text).is_ok_and(|uuid| uuid.hyphenated().to_string() == text)
}

impl StoreKey for ObjectKey {
    fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not an object key"))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_itself() {
        let owner = UserId::parse("guest-1_a").expect("valid");
        let key = ObjectKey::new(&KeyParts {
            owner: &owner,
            now_ms: 1_699_876_543_210,
            random: [0; 16],
            format: Format::WebP,
        });
        let text = "users/guest-1_a/images/1699876543210-00000000-0000-4000-8000-000000000000.webp";
        assert_eq!(key.as_str(), text);
        assert_eq!(key.format(), Some(Format::WebP));
        assert_eq!(key.written_ms(), 1_699_876_543_210);
        assert_eq!(ObjectKey::parse(text), Some(key));
    }

    #[test]
    fn a_private_key_is_the_same_key_below_a_folder() {
        let text = "users/1/images/1699876543210-00000000-0000-4000-8000-000000000000.webp";
        let key = ObjectKey::parse(text).expect("a key");
        let private = key.private();
        assert_eq!(private.as_str(), format!("private/{text}"));
        assert_eq!(ObjectKey::parse(private.as_str()), Some(private.clone()));
        assert_eq!((key.is_private(), private.is_private()), (false, true));
        assert_eq!((&private.private(), &private.public(), &key.public()), (&private, &key, &key));
        assert_eq!(private.owner(), key.owner());
        assert_eq!(private.written_ms(), key.written_ms());
        assert_eq!(private.format(), key.format());
    }

    #[test]
    fn anything_but_an_exact_key_is_rejected() {
        let uuid = "00000000-0000-4000-8000-000000000000";
        for text in [
            String::new(),
            format!("private/private/users/a/images/1-{uuid}.jpeg"),
            format!("/users/a/images/1-{uuid}.jpeg"),
            format!("Private/users/a/images/1-{uuid}.jpeg"),
            format!("users//images/1-{uuid}.jpeg"),
            format!("users/a/b/images/1-{uuid}.jpeg"),
            format!("users/../images/1-{uuid}.jpeg"),
            format!("users/a/images/1-{uuid}.svg"),
            format!("users/a/images/1-{uuid}.jpeg/"),
            format!("users/a/images/-{uuid}.jpeg"),
            format!("users/a/images/1-{}.jpeg", uuid.replace('8', "A").replace('4', "B")),
            format!("users/a/images/1-{}.jpeg", uuid.replace('-', "")),
            format!("users/a/images/{}-{uuid}.jpeg", "9".repeat(21)),
            "users/a/images/1-not-a-uuid.jpeg".to_owned(),
        ] {
            assert_eq!(ObjectKey::parse(&text), None, "{text}");
        }
    }
}
