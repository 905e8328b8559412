//! HTTP for the S3 store, by `fetch`: one exchange, given up when its time is over.

use std::time::Duration;

use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue};
use worker::{
    AbortController, CacheMode, Date, Delay, Fetch, Headers, Method, Request, RequestInit,
    RequestRedirect, Response, ResponseBody, js_sys::Uint8Array,
};

use super::deadline::{TimedOut, within};
use crate::storage::{
    Content, StoreFault,
    s3::{HttpAnswer, HttpBody, HttpFault, HttpRequest, Outside},
};

/// The `fetch` of the runtime.
pub struct Fetcher;

impl Outside for Fetcher {
    type Body = FetchedBody;

    async fn send(&self, request: HttpRequest<'_>) -> Result<HttpAnswer<FetchedBody>, HttpFault> {
        let timeout_ms = request.timeout_ms;
        // What cannot even be asked for cannot be reached; the cause may name the signed address.
        let request = Fetch::Request(prepare(&request).map_err(|_| HttpFault::Broken)?);
        let controller = AbortController::default();
        let signal = controller.signal();
        let transfer = Transfer(Some(controller));
        let answered = within(timeout_ms, request.send_with_signal(&signal)).await?;
        let answer = answered.map_err(|_| HttpFault::Broken)?;
        let (status, headers) = (answer.status_code(), headers(&answer));
        let body = FetchedBody { answer, transfer, timeout_ms };
        Ok(HttpAnswer { status, headers, body })
    }

    fn now_ms(&self) -> u64 {
        Date::now().as_millis()
    }

    async fn sleep(&self, ms: u64) {
        Delay::from(Duration::from_millis(ms)).await;
    }

    #[expect(clippy::expect_used, reason = "without randomness nothing here is safe to go on")]
    fn random(&self) -> u64 {
        getrandom::u64().expect("crypto.getRandomValues is there in every Worker")
    }
}

fn prepare(request: &HttpRequest<'_>) -> worker::Result<Request> {
    let mut init = RequestInit::new();
    let headers = Headers::new();
    for (name, value) in &request.headers {
        headers.set(name, value)?;
    }
    init.with_method(Method::from(request.method.to_owned()))
        .with_redirect(RequestRedirect::Manual);
    match request.body {
        Some(bytes) => {
            init.with_body(Some(Uint8Array::from(bytes).into()));
        }
        None => {
            // Every address is signed anew, so a cache in between would fill and never serve.
            init.with_cache(CacheMode::NoStore);
        }
    }
    Request::new_with_init(&request.url, init.with_headers(headers))
}

fn headers(answer: &Response) -> HeaderMap {
    let pairs = answer.headers().entries().filter_map(|(name, value)| {
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(&value).ok()?))
    });
    pairs.collect()
}

/// A transfer that is ended when nobody wants it any more: connections are few.
struct Transfer(Option<AbortController>);

impl Drop for Transfer {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}

/// The body of an answer, still on its way.
pub struct FetchedBody {
    answer: Response,
    transfer: Transfer,
    timeout_ms: u64,
}

impl FetchedBody {
    /// For the caller, to whom it streams without passing through our memory.
    pub fn into_stream(mut self) -> ResponseBody {
        self.transfer.0 = None;
        self.answer.into_parts().1
    }

    async fn collect(mut self, most: usize) -> Result<Vec<u8>, HttpFault> {
        let timeout_ms = self.timeout_ms;
        let reading = async {
            let mut bytes = Vec::new();
            // An answer without a body has no stream.
            let Ok(mut chunks) = self.answer.stream() else { return Ok(bytes) };
            while bytes.len() < most
                && let Some(chunk) = chunks.next().await
            {
                bytes.extend(chunk.map_err(|_| HttpFault::Broken)?);
            }
            bytes.truncate(most);
            Ok(bytes)
        };
        within(timeout_ms, reading).await?
    }
}

impl From<TimedOut> for HttpFault {
    fn from(TimedOut: TimedOut) -> Self {
        Self::Timeout
    }
}

impl HttpBody for FetchedBody {
    async fn read(self, most: usize) -> Result<Vec<u8>, HttpFault> {
        self.collect(most).await
    }
}

impl Content for FetchedBody {
    async fn into_bytes(self) -> Result<Vec<u8>, StoreFault> {
        self.collect(usize::MAX).await.map_err(StoreFault::from)
    }
}
