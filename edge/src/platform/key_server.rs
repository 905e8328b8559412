//! Key sets over HTTPS. The address comes from the configuration alone; when to ask, and how long to
//! wait, is decided in `auth`.

use futures_util::TryStreamExt;
use worker::{CacheMode, Fetch, Headers, Request, RequestInit, RequestRedirect, Response};

use super::transfer::Transfer;
use crate::auth::{KeyServer, KeyServerFault, MAX_KEY_SET_BYTES};

/// Whatever server the configuration names.
pub struct HttpKeyServer;

impl KeyServer for HttpKeyServer {
    async fn fetch(&self, url: &str) -> Result<String, KeyServerFault> {
        let unreachable = |error: worker::Error| KeyServerFault::Unreachable(error.to_string());
        let request = request(url).map_err(unreachable)?;
        let (_transfer, signal) = Transfer::new();
        let answer = Fetch::Request(request).send_with_signal(&signal).await;
        text(answer.map_err(unreachable)?).await
    }
}

/// A redirect would lead to an address that nobody configured, so it is left where it is; a cached
/// answer would hide a key that has just been published.
fn request(url: &str) -> worker::Result<Request> {
    let headers = Headers::new();
    headers.set("Accept", "application/json")?;
    let mut init = RequestInit::new();
    init.with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_cache(CacheMode::NoStore);
    Request::new_with_init(url, &init)
}

async fn text(mut answer: Response) -> Result<String, KeyServerFault> {
    let unreachable = |error: worker::Error| KeyServerFault::Unreachable(error.to_string());
    if answer.status_code() != 200 {
        return Err(KeyServerFault::Status(answer.status_code()));
    }
    let mut bytes = Vec::new();
    let mut chunks = answer.stream().map_err(unreachable)?;
    while let Some(chunk) = chunks.try_next().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > MAX_KEY_SET_BYTES {
            return Err(KeyServerFault::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| KeyServerFault::NotText)
}
