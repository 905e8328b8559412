//! How the Worker reaches the ledgers: one question a request, as JSON.

use worker::{
    Headers, Method, ObjectNamespace, Request, RequestInit, Response, ResponseBody, Result,
    wasm_bindgen_futures::JsFuture, web_sys,
};

use crate::ledger::{
    Account, Ledger, LedgerFault,
    message::{Envelope, Question, Reply},
};

/// The namespace of all ledgers.
pub struct RemoteLedger(pub ObjectNamespace);

impl RemoteLedger {
    async fn send(&self, name: &str, body: &str) -> Result<Response> {
        let headers = Headers::new();
        headers.set("content-type", "application/json")?;
        let mut init = RequestInit::new();
        init.with_method(Method::Post).with_headers(headers).with_body(Some(body.into()));
        let request = Request::new_with_init("https://ledger/", &init)?;
        self.0.get_by_name(name)?.fetch_with_request(request).await
    }

    async fn put(
        &self,
        account: String,
        question: Question,
    ) -> std::result::Result<Reply, LedgerFault> {
        let envelope = Envelope { account, question };
        let body = serde_json::to_string(&envelope).map_err(|_| LedgerFault::Beside)?;
        let answer = self.send(&envelope.account, &body).await.map_err(unreachable)?;
        let status = answer.status_code();
        let text = text(answer).await.map_err(unreachable)?;
        match status {
            200 => serde_json::from_str(&text).map_err(|_| LedgerFault::Beside),
            status => Err(LedgerFault::Failed { status, cause: text }),
        }
    }
}

impl Ledger for RemoteLedger {
    async fn ask(
        &self,
        account: &Account,
        question: Question,
    ) -> std::result::Result<Reply, LedgerFault> {
        self.put(account.to_string(), question).await
    }

    async fn probe(&self) -> std::result::Result<(), LedgerFault> {
        self.put("readiness".to_owned(), Question::Probe).await.map(|_| ())
    }
}

/// The whole body in one call of the runtime's: read as a stream it takes four, and every upload asks
/// three ledgers.
async fn text(answer: Response) -> Result<String> {
    let (_, ResponseBody::Stream(stream)) = answer.into_parts() else { return Ok(String::new()) };
    let whole = web_sys::Response::new_with_opt_readable_stream(Some(&stream))?.text()?;
    Ok(JsFuture::from(whole).await?.as_string().unwrap_or_default())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unreachable(error: worker::Error) -> LedgerFault {
    LedgerFault::Unreachable(error.to_string())
}
