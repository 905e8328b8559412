//! Turns a call into a signed request: Signature Version 4 in the query string, by `rusty-s3`.
//!
//! Whatever decides what the call means (the method, the address, the conditions and the metadata) is
//! signed. `Range` is not, because some services sign it differently; a wrong span is noticed in the
//! answer. The body is covered by the signed digest header.

use std::borrow::Cow;

use jiff::Timestamp;
use rusty_s3::{Map, Method, signing};

use super::{http_client::HttpRequest, settings::Service};

/// How long a signature is valid. It covers clocks that differ: services take requests that are
/// up to fifteen minutes old in the other way of signing.
const SIGNATURE_S: u64 = 900;

/// What is asked of the service, before it is signed.
pub(crate) struct S3Request<'a> {
    method: Method,
    key: Option<&'a str>,
    query: Map<'a>,
    signed: Map<'a>,
    unsigned: Option<(&'static str, String)>,
    body: Option<&'a [u8]>,
}

impl<'a> S3Request<'a> {
    pub(crate) fn object(method: Method, key: &'a str) -> Self {
        Self { key: Some(key), ..Self::bucket(method) }
    }

    pub(crate) const fn bucket(method: Method) -> Self {
        Self {
            method,
            key: None,
            query: Map::new(),
            signed: Map::new(),
            unsigned: None,
            body: None,
        }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.insert(name, value.into());
        self
    }

    /// With a header that is signed.
    pub(crate) fn header(
        mut self,
        name: impl Into<Cow<'a, str>>,
        value: impl Into<String>,
    ) -> Self {
        self.signed.insert(name, value.into());
        self
    }

    /// Of a part of the object only.
    pub(crate) fn range(mut self, range: String) -> Self {
        self.unsigned = Some(("range", range));
        self
    }

    pub(crate) const fn body(mut self, bytes: &'a [u8]) -> Self {
        self.body = Some(bytes);
        self
    }

    pub(crate) fn sign(self, service: &Service, now_ms: u64, timeout_ms: u64) -> HttpRequest<'a> {
        let Service { bucket, credentials, .. } = service;
        let url = match self.key {
            Some(key) => bucket.object_url(key),
            None => bucket.base_url().clone(),
        };
        // No clock shows a time that has no date.
        let date = i64::try_from(now_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let url = signing::sign(
            &date.unwrap_or_default(),
            self.method,
            url,
            credentials.key(),
            credentials.secret(),
            credentials.token(),
            bucket.region(),
            SIGNATURE_S,
            self.query.iter(),
            self.signed.iter(),
        );
        let signed = self.signed.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let unsigned = self.unsigned.into_iter().map(|(name, value)| (name.to_owned(), value));
        HttpRequest {
            method: self.method.to_str(),
            url: url.into(),
            headers: signed.chain(unsigned).collect(),
            body: self.body,
            timeout_ms,
        }
    }
}
