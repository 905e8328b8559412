//! `GET /dev/mail`: the mails that a deployment in development would have sent, newest first.

use core::fmt::Write;

use edge_types::timestamp;
use http::{HeaderValue, StatusCode, header};
use image_rules::Code;

use super::texts::escape;
use crate::{
    app::App,
    config::{MailSettings, is_local},
    context::RequestContext,
    ports::Ports,
    request::base_url,
    response::{self, Body, HandlerResult},
};

/// Shows the mailbox. Each mail is in a frame of its own, which runs nothing.
///
/// # Errors
/// `NOT_FOUND` unless mails go to the mailbox, and the request to this machine: on another, strangers could read it.
pub fn mailbox<P: Ports>(app: &App<P>, context: &RequestContext<'_>) -> HandlerResult<P> {
    const CSP: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    let is_here = is_local(&base_url(&app.config, context.head));
    if app.config.mail != Some(MailSettings::Mailbox) || !is_here {
        return Err(Code::NotFound.into());
    }
    let mails = app.isolate.mailbox.borrow();
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Mailbox</title></head>\
         <body style=\"max-width:720px;margin:24px auto;padding:0 16px;font:16px/1.5 sans-serif\">\
         <h1>Mailbox of development</h1>",
    );
    if mails.is_empty() {
        page.push_str("<p>No mails yet.</p>");
    }
    for (at_ms, mail) in mails.iter() {
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "<article><h2 lang=\"{}\">{}</h2><p>{} to {}</p><details open><summary>Text</summary>\
             <pre style=\"white-space:pre-wrap;overflow-wrap:anywhere\">{}</pre></details>\
             <iframe title=\"{}\" sandbox=\"allow-top-navigation-by-user-activation\" \
             style=\"width:100%;height:420px;border:1px solid #ccc\" srcdoc=\"{}\"></iframe></article>",
            mail.language,
            escape(mail.subject),
            timestamp(*at_ms),
            escape(&mail.to),
            escape(&mail.text),
            escape(mail.subject),
            // So that links leave the frame.
            escape(&mail.html.replacen("<head>", "<head><base target=\"_top\">", 1)),
        );
    }
    page.push_str("</body></html>");
    let mut response = response::never_cached(response::empty(StatusCode::OK));
    *response.body_mut() = Body::Bytes(page.into_bytes());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    Ok(response)
}
