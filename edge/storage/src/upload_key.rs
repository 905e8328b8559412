//! An object key without its extension and without `private/`: the name of an upload before its format and its form are
//! known.

use core::fmt;

use image_rules::Format;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::{KeyParts, ObjectKey};
use edge_types::{ImageId, UserId};

/// `users/{userId}/images/{timestamp_ms}-{uuid}`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct UploadKey(String);

impl UploadKey {
    pub fn new(owner: &UserId, now_ms: u64, random: [u8; 16]) -> Self {
        let format = Format::Jpeg;
        Self::of(&ObjectKey::new(&KeyParts { owner, now_ms, random, format }))
    }

    /// What all object keys of one upload have in common.
    pub fn of(key: &ObjectKey) -> Self {
        let key = key.public();
        let text = key.as_str();
        Self(text.split_once('.').map_or(text, |(name, _)| name).to_owned())
    }

    pub fn parse(text: &str) -> Option<Self> {
        let key = ObjectKey::parse(&format!("{text}.{}", Format::Jpeg.extension()))?;
        (!key.is_private()).then(|| Self::of(&key))
    }

    pub fn object_key(&self, format: Format) -> Option<ObjectKey> {
        ObjectKey::parse(&format!("{}.{}", self.0, format.extension()))
    }

    /// The object keys in all formats, public and private.
    pub fn object_keys(&self) -> impl Iterator<Item = ObjectKey> {
        let public = Format::ALL.into_iter().filter_map(|format| self.object_key(format));
        public.flat_map(|key| [key.private(), key])
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When the upload was admitted.
    pub fn admitted_ms(&self) -> u64 {
        let (timestamp, _) = self.name().split_once('-').unwrap_or_default();
        timestamp.parse().unwrap_or_default()
    }

    /// The number of the image while it is pending: the time and the beginning of the UUID.
    pub fn pending_id(&self) -> Option<ImageId> {
        let (_, uuid) = self.name().split_once('-')?;
        let digits = u64::from_str_radix(uuid.get(..8)?, 16).ok()?;
        ImageId::of_pending(self.admitted_ms(), digits)
    }

    /// What the keys of all uploads begin with that the same owner began in this millisecond.
    pub fn prefix_of_ms(&self, admitted_ms: u64) -> String {
        let folder = self.0.strip_suffix(self.name()).unwrap_or_default();
        format!("{folder}{admitted_ms}-")
    }

    fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The user whose ledger has the upload.
    pub fn owner(&self) -> Option<UserId> {
        let (owner, _) = self.0.strip_prefix("users/")?.split_once('/')?;
        UserId::parse(owner)
    }
}

impl<'de> Deserialize<'de> for UploadKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not an upload key"))
    }
}

impl fmt::Display for UploadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_key_is_an_object_key_without_its_extension() {
        let owner = UserId::parse("guest-1_a").expect("valid");
        let upload_key = UploadKey::new(&owner, 1_699_876_543_210, [0; 16]);
        let text = "users/guest-1_a/images/1699876543210-00000000-0000-4000-8000-000000000000";
        assert_eq!(upload_key.as_str(), text);
        assert_eq!(upload_key.owner(), Some(owner));
        assert_eq!(UploadKey::parse(text), Some(upload_key.clone()));
        let key = upload_key.object_key(Format::WebP).expect("a key");
        assert_eq!(key.as_str(), format!("{text}.webp"));
        assert_eq!(UploadKey::of(&key), upload_key);
        assert_eq!(UploadKey::of(&key.private()), upload_key);
        assert_eq!(upload_key.object_keys().count(), 2 * Format::ALL.len());
        assert_eq!(upload_key.admitted_ms(), 1_699_876_543_210);
        assert_eq!(upload_key.prefix_of_ms(17), "users/guest-1_a/images/17-");
        assert_eq!(upload_key.pending_id(), Some(ImageId(1_699_876_543_210_000)));
    }

    #[test]
    fn anything_but_an_exact_upload_key_is_rejected() {
        for text in ["", "users/a/images/1-x", "users/a/b", "readiness"] {
            assert_eq!(UploadKey::parse(text), None, "{text}");
        }
        let key = "users/a/images/1-00000000-0000-4000-8000-000000000000.jpeg";
        assert_eq!(UploadKey::parse(key), None);
        let private = "private/users/a/images/1-00000000-0000-4000-8000-000000000000";
        assert_eq!(UploadKey::parse(private), None);
    }
}
