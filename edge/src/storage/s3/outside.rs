//! The port of the S3 store: one HTTP exchange at a time, the clock, a pause and randomness.

use http::HeaderMap;

use crate::storage::{Content, StoreFault};

/// The world outside, as far as the S3 store needs it.
pub trait Outside {
    /// The bytes of an answer.
    type Body: HttpBody;

    /// Sends a request and waits for the head of its answer, no longer than the request allows.
    /// Redirects are not followed and nothing is taken from a cache.
    fn send(
        &self,
        request: HttpRequest<'_>,
    ) -> impl Future<Output = Result<HttpAnswer<Self::Body>, HttpFault>>;

    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Lets others work for so many milliseconds.
    fn sleep(&self, ms: u64) -> impl Future<Output = ()>;

    /// Any number, each as likely as the other.
    fn random(&self) -> u64;
}

/// A request that is signed already. The address carries the signature: whoever has it may do what
/// it says, so it has no `Debug` and belongs in no log.
pub struct HttpRequest<'a> {
    /// `GET`, `PUT` and so on.
    pub method: &'static str,
    /// The signed address.
    pub url: String,
    /// Headers, each to be sent with exactly this value.
    pub headers: Vec<(String, String)>,
    /// What is sent, if anything.
    pub body: Option<&'a [u8]>,
    /// After how long the request is given up.
    pub timeout_ms: u64,
}

/// The head of an answer, with a body that was not read yet.
pub struct HttpAnswer<B> {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; dropping it ends the transfer.
    pub body: B,
}

impl<B> HttpAnswer<B> {
    /// A header that is there and is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The bytes of an answer as they arrive.
pub trait HttpBody: Content {
    /// The first bytes, no more than `most`; the rest is not read.
    fn read(self, most: usize) -> impl Future<Output = Result<Vec<u8>, HttpFault>>;
}

/// There was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpFault {
    /// Not in time.
    Timeout,
    /// The connection could not be made, or broke.
    Broken,
}

impl From<HttpFault> for StoreFault {
    fn from(fault: HttpFault) -> Self {
        match fault {
            HttpFault::Timeout => Self::Timeout,
            HttpFault::Broken => Self::Unreachable,
        }
    }
}
