//! An e-mail address: the plain form that people have, and one spelling of it.

use sha2::{Digest, Sha256};

/// RFC 5321 §4.5.3.1.3 allows a path of 256 with its angle brackets.
const MAX_BYTES: usize = 254;
/// RFC 5321 §4.5.3.1.1.
const MAX_LOCAL_BYTES: usize = 64;
/// RFC 1035 §2.3.4.
const MAX_LABEL_BYTES: usize = 63;

/// An address in lower case: providers that tell `Ann` from `ann` are not known, people who forget
/// how they wrote it are.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// From `local@domain` in the characters of RFC 5322 §3.2.3, without quotes or comments; names in
    /// other scripts as mail servers have them, in Punycode. White space around it is no part of it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.split_once('@')?;
        let is_address = text.len() <= MAX_BYTES && is_local(local) && is_domain(domain);
        is_address.then(|| Self(text.to_ascii_lowercase()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name for it where addresses of people have no place.
    pub fn digest(&self) -> String {
        format!("{:x}", Sha256::digest(&self.0))
    }
}

fn is_local(local: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let is_atom = |atom: &str| !atom.is_empty() && atom.bytes().all(allowed);
    local.len() <= MAX_LOCAL_BYTES && local.split('.').all(is_atom)
}

/// At least two labels: nobody signs up from a host of this network.
fn is_domain(domain: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        (1..=MAX_LABEL_BYTES).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        for (text, expected) in [
            ("ann@example.org", "ann@example.org"),
            ("  Ann.Bee+forms@Mail.Example.ORG\n", "ann.bee+forms@mail.example.org"),
            ("o'brien@xn--bb0b44ijzv.kr", "o'brien@xn--bb0b44ijzv.kr"),
        ] {
            assert_eq!(Email::parse(text).expect(text).as_str(), expected);
        }
    }

    #[test]
    fn anything_but_a_plain_address_is_rejected() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long = format!("a@{}org", "abcdefgh.".repeat(29));
        for text in [
            "",
            "@",
            "ann",
            "ann@",
            "@example.org",
            "ann@localhost",
            "ann@example..org",
            "ann@-example.org",
            "ann@example-.org",
            "ann@example.org.",
            ".ann@example.org",
            "ann.@example.org",
            "a..b@example.org",
            "a b@example.org",
            "\"a b\"@example.org",
            "ann@[127.0.0.1]",
            "ann@exa_mple.org",
            "ann@bee@example.org",
            "안녕@example.org",
            "ann@예시.kr",
            "ann\0@example.org",
            "ann@example.org\r\nBcc: x@y.z",
            &long_local,
            &long,
        ] {
            assert!(Email::parse(text).is_none(), "{text:?}");
        }
    }
}
