//! Outgoing HTTP by `fetch`: the S3 service, the key server, providers of sign-in, the alert webhook and Turnstile. All URLs
//! come from the configuration, or from the metadata of configured providers. Redirects are not followed: they would lead to a
//! URL that nobody configured.

use edge_api::ports::{
    AlertSink, AlertSinkError, MAX_SITE_VERIFY_BYTES, MailError, Mailer, SiteVerify,
    SiteVerifyError, WebhookClient,
};
use edge_auth::{KeyServer, KeyServerError, KeyServerRequest, MAX_KEY_SET_BYTES};
use edge_storage::s3::{HttpClient, HttpError, HttpRequest, HttpResponse};
use edge_types::with_timeout;
use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_LENGTH};
use worker::{
    CacheMode, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Response,
    ResponseBody, js_sys::Uint8Array,
};

use crate::{fetch_guard::FetchGuard, image_bytes::ImageBytes, runtime::Runtime};

impl HttpClient for Runtime {
    type Body = ImageBytes;

    async fn send(&self, request: HttpRequest<'_>) -> Result<HttpResponse<ImageBytes>, HttpError> {
        let timeout_ms = request.timeout_ms;
        // The cause of a failure may contain the signed URL, so it is dropped.
        let request = Fetch::Request(s3_request(&request).map_err(|_| HttpError::Broken)?);
        let (guard, signal) = FetchGuard::new();
        let response = with_timeout(self, timeout_ms, request.send_with_signal(&signal)).await;
        let response = response.ok_or(HttpError::Timeout)?.map_err(|_| HttpError::Broken)?;
        let (status, headers) = (response.status_code(), headers(&response));
        let body = if headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0") {
            guard.disarm();
            ImageBytes::new(ResponseBody::Empty)
        } else {
            ImageBytes::fetched(response.into_parts().1, guard)
        };
        Ok(HttpResponse { status, headers, body })
    }
}

fn s3_request(request: &HttpRequest<'_>) -> worker::Result<Request> {
    let headers = Headers::new();
    for (name, value) in &request.headers {
        headers.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::from(request.method.to_owned()))
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual);
    match request.body {
        Some(bytes) => init.with_body(Some(Uint8Array::from(bytes).into())),
        // Every request has a new signature in its URL, so a cache would fill and never hit.
        None => init.with_cache(CacheMode::NoStore),
    };
    Request::new_with_init(&request.url, &init)
}

fn headers(response: &Response) -> HeaderMap {
    let pairs = response.headers().entries().filter_map(|(name, value)| {
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(&value).ok()?))
    });
    pairs.collect()
}

impl KeyServer for Runtime {
    async fn send(&self, request: &KeyServerRequest<'_>) -> Result<String, KeyServerError> {
        let unreachable = |error: worker::Error| KeyServerError::Unreachable(error.to_string());
        let request = Fetch::Request(key_server_request(request).map_err(unreachable)?);
        let (_guard, signal) = FetchGuard::new();
        let response = request.send_with_signal(&signal).await;
        read_key_set(response.map_err(unreachable)?).await
    }
}

fn key_server_request(request: &KeyServerRequest<'_>) -> worker::Result<Request> {
    let headers = Headers::new();
    headers.set("accept", "application/json")?;
    if let Some(authorization) = &request.authorization {
        headers.set("authorization", authorization)?;
    }
    let mut init = RequestInit::new();
    if let Some(form) = &request.form {
        headers.set("content-type", "application/x-www-form-urlencoded")?;
        init.with_method(Method::Post).with_body(Some(form.as_str().into()));
    }
    // A cached response would hide a key that has just been published.
    init.with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_cache(CacheMode::NoStore);
    Request::new_with_init(request.url, &init)
}

async fn read_key_set(response: Response) -> Result<String, KeyServerError> {
    let unreachable = |error: worker::Error| KeyServerError::Unreachable(error.to_string());
    if response.status_code() != 200 {
        return Err(KeyServerError::Status(response.status_code()));
    }
    let bytes = read_body(response, MAX_KEY_SET_BYTES).await.map_err(unreachable)?;
    String::from_utf8(bytes.ok_or(KeyServerError::TooLarge)?).map_err(|_| KeyServerError::NotText)
}

/// A whole body; [`None`] when it has more bytes.
async fn read_body(mut response: Response, most: usize) -> worker::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut chunks = response.stream()?;
    while let Some(chunk) = chunks.try_next().await? {
        if bytes.len() + chunk.len() > most {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

impl AlertSink for Runtime {
    async fn send(&self, url: &str, body: String) -> Result<(), AlertSinkError> {
        // The platform's message may contain the URL, which is a secret.
        let request = json_request(url, &body).map_err(|_| AlertSinkError::Unreachable)?;
        let (_guard, signal) = FetchGuard::new();
        let response = Fetch::Request(request).send_with_signal(&signal).await;
        match response.map_err(|_| AlertSinkError::Unreachable)?.status_code() {
            200..=299 => Ok(()),
            status => Err(AlertSinkError::Status(status)),
        }
    }
}

impl Mailer for Runtime {
    async fn send(&self, url: &str, token: Option<&str>, body: String) -> Result<(), MailError> {
        // The platform's message may contain the URL, which is a secret.
        let unreachable = |_| MailError::Unreachable;
        let bearer = token.map(|token| ("authorization", format!("Bearer {token}")));
        let headers: Vec<_> = bearer.into_iter().collect();
        let request = json_request_with(url, &headers, &body).map_err(unreachable)?;
        let (_guard, signal) = FetchGuard::new();
        let response = Fetch::Request(request).send_with_signal(&signal).await;
        match response.map_err(unreachable)?.status_code() {
            200..=299 => Ok(()),
            status => Err(MailError::Status(status)),
        }
    }
}

impl SiteVerify for Runtime {
    async fn verify(&self, url: &str, body: String) -> Result<String, SiteVerifyError> {
        let unreachable = |_| SiteVerifyError::Unreachable;
        let request = Fetch::Request(json_request(url, &body).map_err(unreachable)?);
        let (_guard, signal) = FetchGuard::new();
        let response = request.send_with_signal(&signal).await.map_err(unreachable)?;
        // It answers 400 and the like with its error codes, too.
        if response.status_code() >= 500 {
            return Err(SiteVerifyError::Status(response.status_code()));
        }
        let bytes = read_body(response, MAX_SITE_VERIFY_BYTES).await.map_err(unreachable)?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        text.ok_or(SiteVerifyError::Malformed)
    }
}

/// How long the body of a success may take: the event is delivered in any case.
const ANSWER_BODY_MS: u64 = 2_000;

impl WebhookClient for Runtime {
    async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: &str,
        max_bytes: usize,
    ) -> Option<(u16, Vec<u8>)> {
        let request = json_request_with(url, headers, body).ok()?;
        let (_guard, signal) = FetchGuard::new();
        let response = Fetch::Request(request).send_with_signal(&signal).await.ok()?;
        let status = response.status_code();
        if !(200..300).contains(&status) {
            return Some((status, Vec::new()));
        }
        let reading = with_timeout(self, ANSWER_BODY_MS, read_body(response, max_bytes)).await;
        Some((status, reading.and_then(Result::ok).flatten().unwrap_or_default()))
    }
}

fn json_request(url: &str, body: &str) -> worker::Result<Request> {
    json_request_with(url, &[], body)
}

fn json_request_with(
    url: &str,
    more: &[(&'static str, String)],
    body: &str,
) -> worker::Result<Request> {
    let headers = Headers::new();
    headers.set("content-type", "application/json")?;
    for (name, value) in more {
        headers.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_body(Some(body.into()));
    Request::new_with_init(url, &init)
}
