//! `derived/users/{userId}/images/{timestamp_ms}-{uuid}/{name}.{ext}`: a smaller size or another format of a picture.
//! Those of private pictures lie below `private/`, as their originals do.

use core::fmt;

use image_rules::Format;

use crate::{ObjectKey, StoreKey, UploadKey};

const PRIVATE: &str = "private/";
const DERIVED: &str = "derived/";

/// The key of a derived picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedKey(String);

impl DerivedKey {
    /// `name` says how it is derived.
    pub fn new(original: &ObjectKey, name: &str, format: Format) -> Self {
        let (prefix, upload) = match original.as_str().strip_prefix(PRIVATE) {
            Some(public) => (PRIVATE, public),
            None => ("", original.as_str()),
        };
        let upload = upload.split_once('.').map_or(upload, |(upload, _)| upload);
        Self(format!("{prefix}{DERIVED}{upload}/{name}.{}", format.extension()))
    }

    /// Of a key in the store. The name is not interpreted: it may be one of an earlier version.
    pub fn parse(text: &str) -> Option<Self> {
        let (upload, file) = Self::parts(text)?;
        let (name, extension) = file.split_once('.')?;
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let is_key = is_name
            && UploadKey::parse(upload).is_some()
            && Format::ALL.iter().any(|format| format.extension() == extension);
        is_key.then(|| Self(text.to_owned()))
    }

    fn parts(text: &str) -> Option<(&str, &str)> {
        text.strip_prefix(PRIVATE).unwrap_or(text).strip_prefix(DERIVED)?.rsplit_once('/')
    }

    /// The upload whose picture it is derived from.
    pub fn upload_key(&self) -> Option<UploadKey> {
        UploadKey::parse(Self::parts(&self.0)?.0)
    }
}

impl StoreKey for DerivedKey {
    fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPLOAD: &str = "users/1/images/1699876543210-00000000-0000-4000-8000-000000000000";

    #[test]
    fn a_derived_picture_lies_in_a_folder_of_its_original() {
        let original = ObjectKey::parse(&format!("{UPLOAD}.png")).expect("a key");
        let key = DerivedKey::new(&original, "w480-1", Format::Jpeg);
        assert_eq!(key.as_str(), format!("derived/{UPLOAD}/w480-1.jpeg"));
        assert_eq!(DerivedKey::parse(key.as_str()), Some(key.clone()));
        assert_eq!(key.upload_key(), UploadKey::parse(UPLOAD));
        let private = DerivedKey::parse(&format!("private/derived/{UPLOAD}/w480-1.jpeg"));
        assert_eq!(private.and_then(|key| key.upload_key()), UploadKey::parse(UPLOAD));
    }

    #[test]
    fn anything_else_is_rejected() {
        for text in [
            format!("{UPLOAD}.png"),
            format!("derived/{UPLOAD}.png"),
            format!("derived/{UPLOAD}/.png"),
            format!("derived/{UPLOAD}/w480.svg"),
            format!("derived/{UPLOAD}/a/w480.png"),
            format!("derived/{UPLOAD}/w_480.png"),
            "derived/users/1/images/x/w480.png".to_owned(),
        ] {
            assert_eq!(DerivedKey::parse(&text), None, "{text}");
        }
    }
}
