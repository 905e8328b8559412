//! Signatures of URLs: who has such a URL may read what it names. A back end that has the key signs by itself.
//!
//! The MAC covers a purpose, the path and all parameters, so none of them can be changed, left out or added. The parameters
//! are sorted, because proxies and libraries may order them differently.

use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::MacKey;

/// What a signature allows. It cannot be used for anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(const_into_str)]
pub enum UrlPurpose {
    /// To read a private picture.
    #[strum(serialize = "private-v1")]
    Private,
    /// To derive a picture in any size.
    #[strum(serialize = "derive-v1")]
    Derive,
}

/// The keys of signed URLs: one that signs, and while keys are rotated one that still verifies.
pub struct UrlKeys {
    current: MacKey,
    previous: Option<MacKey>,
}

impl UrlKeys {
    /// The name of the parameter with the signature.
    pub const PARAMETER: &str = "sig";
    pub const EXPECTED: &str = "at least 32 characters";
    const MIN_CHARS: usize = 32;
    const MAC_BYTES: usize = 32;

    /// Whether a text can be a key. Its UTF-8 bytes are the key of the HMAC.
    pub fn is_key(text: &str) -> bool {
        text.chars().count() >= Self::MIN_CHARS
    }

    pub fn new(current: &str, previous: Option<&str>) -> Self {
        let key = |text: &str| MacKey::new(text.as_bytes());
        Self { current: key(current), previous: previous.map(key) }
    }

    /// The signature of a path and its query without the signature, in base64url.
    pub fn sign(&self, purpose: UrlPurpose, path: &str, query: &str) -> String {
        Base64UrlUnpadded::encode_string(&self.current.sign(&message(purpose, path, query)))
    }

    /// Whether one of the keys has made this signature. Both are tried in constant time.
    pub fn verify(&self, purpose: UrlPurpose, path: &str, query: &str, signature: &str) -> bool {
        let mut mac = [0; Self::MAC_BYTES];
        let Ok(mac) = Base64UrlUnpadded::decode(signature, &mut mac) else { return false };
        let message = message(purpose, path, query);
        let by_previous = self.previous.as_ref().is_some_and(|key| key.verify(&message, mac));
        self.current.verify(&message, mac) | by_previous
    }
}

fn message(purpose: UrlPurpose, path: &str, query: &str) -> Vec<u8> {
    let mut parameters: Vec<_> = query.split('&').collect();
    parameters.sort_unstable();
    format!("{}\n{path}\n{}", purpose.into_str(), parameters.join("&")).into_bytes()
}

impl fmt::Debug for UrlKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UrlKeys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210fedcba9876543210";
    const PATH: &str = "/private/users/1/images/1-00000000-0000-4000-8000-000000000000.jpeg";

    #[test]
    fn a_signature_is_the_one_of_the_documentation() {
        // node -e 'console.log(require("crypto").createHmac("sha256", KEY).update("private-v1\n/a\nexp=1&v=thumb").digest("base64url"))'
        let keys = UrlKeys::new(KEY, None);
        let signature = keys.sign(UrlPurpose::Private, "/a", "v=thumb&exp=1");
        assert_eq!(signature, "ecyo4SwAgW-rIMH2gIodNpo8xSSs01a5dyMSp6a8ojo");
    }

    #[test]
    fn nothing_of_a_signed_url_can_be_changed() {
        let keys = UrlKeys::new(KEY, None);
        let signature = keys.sign(UrlPurpose::Private, PATH, "exp=1&v=thumb");
        let is_valid = |purpose, path: &str, query: &str, signature: &str| {
            keys.verify(purpose, path, query, signature)
        };
        let (private, derive) = (UrlPurpose::Private, UrlPurpose::Derive);
        assert!(is_valid(private, PATH, "exp=1&v=thumb", &signature));
        assert!(is_valid(private, PATH, "v=thumb&exp=1", &signature), "in any order");
        assert!(!is_valid(derive, PATH, "exp=1&v=thumb", &signature));
        assert!(!is_valid(
            private,
            &PATH.replace("users/1", "users/2"),
            "exp=1&v=thumb",
            &signature
        ));
        for query in [
            "",
            "exp=1",
            "exp=2&v=thumb",
            "exp=1&v=small",
            "exp=1&v=thumb&v=thumb",
            "exp=1&v=thumb&",
        ] {
            assert!(!is_valid(private, PATH, query, &signature), "{query}");
        }
        for at in 0..signature.len() {
            let mut changed = signature.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert!(!is_valid(private, PATH, "exp=1&v=thumb", &changed), "{at}");
        }
        // The last character has two bits that mean nothing; only one spelling is valid.
        let last = signature.len() - 1;
        let spellings = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']);
        let valid = spellings.filter(|spelling| {
            let text = format!("{}{spelling}", &signature[..last]);
            is_valid(private, PATH, "exp=1&v=thumb", &text)
        });
        assert_eq!(valid.count(), 1);
        let long = "A".repeat(10_000);
        for garbage in [
            "",
            "A",
            "é",
            "====",
            &signature[1..],
            &format!("{signature}="),
            &format!("{signature}A"),
            &long,
        ] {
            assert!(!is_valid(private, PATH, "exp=1&v=thumb", garbage), "{garbage:.60}");
        }
    }

    #[test]
    fn a_rotated_key_verifies_until_it_is_dropped() {
        let old = UrlKeys::new(KEY, None).sign(UrlPurpose::Private, PATH, "exp=1");
        let rotated = UrlKeys::new(OTHER, Some(KEY));
        let new = rotated.sign(UrlPurpose::Private, PATH, "exp=1");
        assert_ne!(new, old, "the new key signs");
        for signature in [&old, &new] {
            assert!(rotated.verify(UrlPurpose::Private, PATH, "exp=1", signature));
        }
        assert!(!UrlKeys::new(OTHER, None).verify(UrlPurpose::Private, PATH, "exp=1", &old));
    }

    #[test]
    fn a_key_has_32_characters_and_is_never_shown() {
        assert!(UrlKeys::is_key(KEY) && !UrlKeys::is_key(&KEY[1..]));
        assert_eq!(format!("{:?}", UrlKeys::new(KEY, Some(OTHER))), "UrlKeys");
    }
}
