//! The port of the S3 store: one HTTP exchange at a time.

use edge_types::{Clock, Random};
use http::HeaderMap;

use crate::{Content, StoreError};

/// Sends the requests of the S3 store.
pub trait HttpClient: Clock + Random {
    type Body: HttpBody;

    /// Sends a request and waits for the head of its response, at most for the request's timeout. Redirects
    /// are not followed and caches are not used.
    fn send(
        &self,
        request: HttpRequest<'_>,
    ) -> impl Future<Output = Result<HttpResponse<Self::Body>, HttpError>>;
}

/// A signed request. The URL carries the signature and must not be logged, so there is no `Debug`.
pub struct HttpRequest<'a> {
    /// `GET`, `PUT` and so on.
    pub method: &'static str,
    pub url: String,
    /// Sent with exactly these values.
    pub headers: Vec<(String, String)>,
    pub body: Option<&'a [u8]>,
    pub timeout_ms: u64,
}

/// The head of a response; the body is not read yet.
pub struct HttpResponse<B> {
    pub status: u16,
    pub headers: HeaderMap,
    /// Dropping it ends the transfer.
    pub body: B,
}

impl<B> HttpResponse<B> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The body of a response as it arrives.
pub trait HttpBody: Content {
    /// At most the first `max_bytes`; the rest is not read.
    fn read(self, max_bytes: usize) -> impl Future<Output = Result<Vec<u8>, HttpError>>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpError {
    Timeout,
    /// The connection could not be made, or broke.
    Broken,
}

impl From<HttpError> for StoreError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Timeout => Self::Timeout,
            HttpError::Broken => Self::Unreachable,
        }
    }
}
