//! The check of a signed URL. Its query is compared as it was sent, without decoding, so it has one spelling only.

use edge_auth::{UrlKeys, UrlPurpose};
use http::{HeaderValue, request::Parts};
use image_rules::Code;

use crate::config::Config;

const END: &str = "exp";
/// The parameters of a size.
const SIZE: [&str; 6] = ["v", "w", "h", "fit", "q", "format"];
/// How long a browser may keep a private picture. Other caches must not.
const MAX_AGE_S: u64 = 300;

/// A URL that may read one private picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedUrl {
    left_s: u64,
}

impl SignedUrl {
    /// # Errors
    /// `SIGNATURE_INVALID` for a URL with a parameter that is unknown, duplicate or missing, with a wrong signature, or
    /// with an end that is too far ahead; `ADDRESS_EXPIRED`.
    pub fn check(config: &Config, head: &Parts, now_ms: u64) -> Result<Self, Code> {
        let query = head.uri.query().unwrap_or_default();
        let invalid = Code::SignatureInvalid;
        let mut names = Vec::new();
        let (mut ends_s, mut signature, mut signed) = (None, None, Vec::new());
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').ok_or(invalid)?;
            if names.contains(&name) {
                return Err(invalid);
            }
            names.push(name);
            match name {
                UrlKeys::PARAMETER => {
                    signature = Some(value);
                    continue;
                }
                END => ends_s = Some(seconds(value).ok_or(invalid)?),
                name if SIZE.contains(&name) => {}
                _ => return Err(invalid),
            }
            signed.push(pair);
        }
        let (ends_s, signature) = ends_s.zip(signature).ok_or(invalid)?;
        let keys = config.url_keys.as_ref().ok_or(invalid)?;
        let path = head.uri.path();
        if !keys.verify(UrlPurpose::Private, path, &signed.join("&"), signature) {
            return Err(invalid);
        }
        let left_s = ends_s.saturating_sub(now_ms / 1000);
        if left_s == 0 {
            return Err(Code::AddressExpired);
        }
        if left_s > config.signed_url_max_s.into() {
            return Err(invalid);
        }
        Ok(Self { left_s })
    }

    pub fn cache_control(self) -> HeaderValue {
        let max_age_s = self.left_s.min(MAX_AGE_S);
        // Digits are valid in a header.
        HeaderValue::try_from(format!("private, max-age={max_age_s}"))
            .unwrap_or(HeaderValue::from_static("no-store"))
    }
}

/// Whether the query of a public picture has a signature, which allows any size.
///
/// # Errors
/// `SIGNATURE_INVALID`.
pub fn check_size(config: &Config, head: &Parts) -> Result<bool, Code> {
    let query = head.uri.query().unwrap_or_default();
    let value =
        |pair: &&str| pair.strip_prefix(UrlKeys::PARAMETER)?.strip_prefix('=').map(str::len);
    let (signatures, signed): (Vec<_>, Vec<_>) =
        query.split('&').partition(|pair| value(pair).is_some());
    let [signature] = signatures.as_slice() else {
        return if signatures.is_empty() { Ok(false) } else { Err(Code::SignatureInvalid) };
    };
    let signature = signature.split_once('=').map_or("", |(_, signature)| signature);
    let keys = config.url_keys.as_ref().ok_or(Code::SignatureInvalid)?;
    let is_valid = keys.verify(UrlPurpose::Derive, head.uri.path(), &signed.join("&"), signature);
    if is_valid { Ok(true) } else { Err(Code::SignatureInvalid) }
}

/// Seconds since 1970, in digits only.
fn seconds(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
