//! HTTP for the S3 store, by `fetch`: one exchange, given up when its time is over.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_LENGTH};
use worker::{
    CacheMode, Date, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect,
    Response, ResponseBody, js_sys::Uint8Array,
};

use super::{bytes::PictureBytes, deadline::within, transfer::Transfer};
use crate::storage::s3::{HttpAnswer, HttpFault, HttpRequest, Outside};

/// The `fetch` of the runtime.
pub struct Fetcher;

impl Outside for Fetcher {
    type Body = PictureBytes;

    async fn send(&self, request: HttpRequest<'_>) -> Result<HttpAnswer<PictureBytes>, HttpFault> {
        let timeout_ms = request.timeout_ms;
        // What cannot even be asked for cannot be reached; the cause may name the signed address.
        let request = Fetch::Request(prepare(&request).map_err(|_| HttpFault::Broken)?);
        let (transfer, signal) = Transfer::new();
        let answered = within(timeout_ms, request.send_with_signal(&signal)).await?;
        let answered = answered.map_err(|_| HttpFault::Broken)?;
        let (status, headers) = (answered.status_code(), headers(&answered));
        let body = if is_empty(&headers) {
            transfer.let_go();
            PictureBytes::new(ResponseBody::Empty)
        } else {
            PictureBytes::fetched(answered.into_parts().1, transfer)
        };
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

/// Nothing more comes, so there is nothing to call off.
fn is_empty(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0")
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
