//! Sends commands to the ledgers, one in each request, as JSON.

use edge_ledger::{Command, LedgerClient, LedgerError, LedgerRequest};
use worker::{
    Headers, Method, ObjectNamespace, Request, RequestInit, Response, ResponseBody,
    wasm_bindgen_futures::JsFuture, web_sys,
};

pub struct LedgerObjectClient(pub ObjectNamespace);

impl LedgerObjectClient {
    /// Status and body of the response.
    async fn post(&self, name: &str, body: &str) -> worker::Result<(u16, String)> {
        let headers = Headers::new();
        headers.set("content-type", "application/json")?;
        let mut init = RequestInit::new();
        init.with_method(Method::Post).with_headers(headers).with_body(Some(body.into()));
        let request = Request::new_with_init("https://ledger/", &init)?;
        let response = self.0.get_by_name(name)?.fetch_with_request(request).await?;
        Ok((response.status_code(), text(response).await?))
    }
}

impl LedgerClient for LedgerObjectClient {
    async fn send_json(&self, subject: String, command: Command) -> Result<String, LedgerError> {
        let request = LedgerRequest { subject, command };
        let body = serde_json::to_string(&request)?;
        match self.post(&request.subject, &body).await {
            Ok((200, reply)) => Ok(reply),
            Ok((status, cause)) => Err(LedgerError::Failed { status, cause }),
            Err(error) => Err(LedgerError::Unreachable(error.to_string())),
        }
    }
}

/// The whole body in one call of the runtime. Reading it as a stream takes four, and every upload asks three
/// ledgers.
async fn text(response: Response) -> worker::Result<String> {
    let (_, ResponseBody::Stream(stream)) = response.into_parts() else { return Ok(String::new()) };
    let text = web_sys::Response::new_with_opt_readable_stream(Some(&stream))?.text()?;
    Ok(JsFuture::from(text).await?.as_string().unwrap_or_default())
}
