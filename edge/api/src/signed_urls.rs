//! Signed URLs of pictures that have no public URL: who has one may read the picture until it ends.

use edge_auth::{UrlKeys, UrlPurpose};
use edge_storage::ObjectKey;

use crate::{config::Config, delivery::Variant};

/// How long a URL in a record is valid at least.
const LIFETIME_S: u64 = 3600;
/// For so long a record has the same URL, so that a browser that lists again has a copy of the picture.
const STEP_S: u64 = 300;

/// Signs the URLs of one response.
pub struct SignedUrls<'a> {
    keys: Option<&'a UrlKeys>,
    base_url: &'a str,
    /// When the URLs of records end.
    ends_s: u64,
}

impl<'a> SignedUrls<'a> {
    pub fn new(config: &'a Config, base_url: &'a str, now_ms: u64) -> Self {
        let seconds = now_ms / 1000;
        let ends_s = (seconds / STEP_S + 1).saturating_mul(STEP_S).saturating_add(LIFETIME_S);
        let max_s = seconds.saturating_add(config.signed_url_max_s.into());
        Self { keys: config.url_keys.as_ref(), base_url, ends_s: ends_s.min(max_s) }
    }

    /// The URL of a picture in a record. [`None`] for an object that everybody may read, and without a key.
    pub fn url(&self, object: &ObjectKey, variant: Option<Variant>) -> Option<String> {
        let size = variant.map(|variant| format!("v={}", variant.into_str()));
        self.url_until(object, size.as_deref().unwrap_or_default(), self.ends_s)
    }

    /// The same in this size, which is a query, and with its end in seconds since 1970.
    pub fn url_until(&self, object: &ObjectKey, size: &str, ends_s: u64) -> Option<String> {
        let end = format!("exp={ends_s}");
        let query = if size.is_empty() { end } else { format!("{end}&{size}") };
        let keys = self.keys.filter(|_| object.is_private())?;
        Some(self.sign(keys, UrlPurpose::Private, object, &query))
    }

    /// The URL of a public picture in a size that not everybody may ask for. It does not end. [`None`] without a key.
    pub fn sized(&self, object: &ObjectKey, size: &str) -> Option<String> {
        Some(self.sign(self.keys?, UrlPurpose::Derive, object, size))
    }

    fn sign(&self, keys: &UrlKeys, purpose: UrlPurpose, object: &ObjectKey, query: &str) -> String {
        let path = format!("/{object}");
        let signature = keys.sign(purpose, &path, query);
        format!("{}{path}?{query}&{}={signature}", self.base_url, UrlKeys::PARAMETER)
    }
}
