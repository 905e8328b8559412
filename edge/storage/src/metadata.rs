//! What is stored beside the bytes of a picture, so that its row can be made again from the store alone.
//!
//! The owner, the time and the format are in the key, and the store knows the size. Texts of people may be
//! in any script, and headers are ASCII, so texts are base64url. At most 340 characters of a file name and
//! 683 of a form id, with names and numbers, stay below the 2 KB that S3 allows for all metadata.

use base64ct::{Base64UrlUnpadded, Encoding};

const FORM_ID: &str = "form-id";
const FILE_NAME: &str = "file-name";
const SHA256: &str = "sha256";
const WIDTH: &str = "width";
const HEIGHT: &str = "height";
const HELD: &str = "held";

/// What is known of a picture beside its key and its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectMetadata {
    /// The form that it was sent to.
    pub form_id: Option<String>,
    pub original_name: Option<String>,
    /// The digest of the bytes, in hexadecimal.
    pub sha256: Option<String>,
    pub width: Option<u32>,
    pub height: Option<u32>,
    /// [`None`] for an image that does not wait for a review.
    pub held: Option<Held>,
}

/// What becomes of an image that waits for a review. Its object lies below `private/` in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum Held {
    /// Its key is that of the object without `private/`.
    Public,
    Private,
}

impl ObjectMetadata {
    /// The fields that are set, as the store keeps them.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let encoded = |text: &Option<String>| {
            text.as_ref().map(|text| Base64UrlUnpadded::encode_string(text.as_bytes()))
        };
        let number = |number: Option<u32>| number.map(|number| number.to_string());
        let fields = [
            (FORM_ID, encoded(&self.form_id)),
            (FILE_NAME, encoded(&self.original_name)),
            (SHA256, self.sha256.clone()),
            (WIDTH, number(self.width)),
            (HEIGHT, number(self.height)),
            (HELD, self.held.map(|held| held.into_str().to_owned())),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// From what the store kept; a field that is not as we write it is none.
    pub fn read(mut field: impl FnMut(&str) -> Option<String>) -> Self {
        let mut decoded = |name| {
            let bytes = Base64UrlUnpadded::decode_vec(&field(name)?).ok()?;
            String::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control))
        };
        let (form_id, original_name) = (decoded(FORM_ID), decoded(FILE_NAME));
        let mut number = |name| field(name)?.parse().ok().filter(|number| *number > 0);
        let (width, height) = (number(WIDTH), number(HEIGHT));
        let is_digest = |text: &String| {
            text.len() == 64 && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
        };
        let held = field(HELD).and_then(|text| text.parse().ok());
        let sha256 = field(SHA256).filter(is_digest);
        Self { form_id, original_name, sha256, width, height, held }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> ObjectMetadata {
        ObjectMetadata::read(|name| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn texts_in_any_script_are_read_back_and_fit_into_s3() {
        let metadata = ObjectMetadata {
            form_id: Some("🦊".repeat(128)),
            original_name: Some("가".repeat(85)),
            sha256: Some("0f".repeat(32)),
            width: Some(16_384),
            height: Some(16_384),
            held: Some(Held::Private),
        };
        let pairs = metadata.pairs();
        let all: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(all <= 2048, "{all} bytes");
        assert!(pairs.iter().all(|(_, value)| value.bytes().all(|byte| byte.is_ascii_graphic())));
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(read(&pairs), metadata);
        assert_eq!(ObjectMetadata::default().pairs(), []);
        assert_eq!(read(&[]), ObjectMetadata::default());
    }

    #[test]
    fn metadata_in_another_form_is_ignored() {
        for pair in [
            (FORM_ID, "f-1!"),
            (FORM_ID, "_w"),
            (FILE_NAME, "YQpi"),
            (SHA256, "0F"),
            (WIDTH, "-1"),
            (WIDTH, "0"),
            (HEIGHT, "4294967296"),
            (HELD, "none"),
        ] {
            assert_eq!(read(&[pair]), ObjectMetadata::default(), "{pair:?}");
        }
    }
}
