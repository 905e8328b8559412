//! Messages to a webhook over HTTPS. The address comes from the configuration alone; when to write, and
//! how long to wait, is decided in `alert`.

use worker::{Fetch, Headers, Method, Request, RequestInit, RequestRedirect};

use super::transfer::Transfer;
use crate::alert::{Messenger, MessengerFault};

/// Whatever webhook the configuration names.
pub struct HttpMessenger;

impl Messenger for HttpMessenger {
    async fn send(&self, url: &str, body: String) -> Result<(), MessengerFault> {
        // What the platform says of a failure may have the address in it.
        let request = request(url, &body).map_err(|_| MessengerFault::Unreachable)?;
        let (_transfer, signal) = Transfer::new();
        let answer = Fetch::Request(request).send_with_signal(&signal).await;
        match answer.map_err(|_| MessengerFault::Unreachable)?.status_code() {
            200..=299 => Ok(()),
            status => Err(MessengerFault::Status(status)),
        }
    }
}

/// A redirect would lead to an address that nobody configured.
fn request(url: &str, body: &str) -> worker::Result<Request> {
    let headers = Headers::new();
    headers.set("content-type", "application/json")?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_body(Some(body.into()));
    Request::new_with_init(url, &init)
}
