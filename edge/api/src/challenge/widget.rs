//! `GET /auth/challenge/widget`: a page with the Turnstile widget, for a frame. Cloudflare's script runs in this page
//! only, so no page of yours has to allow it.

use base64ct::{Base64, Encoding};
use http::{HeaderValue, StatusCode, header};
use image_rules::{Code, Language};
use sha2::{Digest, Sha256};

use super::purpose;
use crate::{
    app::App,
    config::{AllowedOrigins, ChallengeSettings},
    context::RequestContext,
    ports::Ports,
    response::{self, Body, HandlerResult},
};

/// Sends the token to the page around the frame, or null when Cloudflare's script was not loaded. `frame-ancestors`
/// determines which pages these can be. A module runs after the script before it.
const SCRIPT: &str = r#"const send = (turnstile) => parent.postMessage({ turnstile }, "*");
const { sitekey, action } = document.body.dataset;
if (window.turnstile) turnstile.render(document.body, { sitekey, action, callback: send });
else send(null);"#;

/// The page for a purpose.
///
/// # Errors
/// `NOT_FOUND` where Turnstile is not configured, `MALFORMED_REQUEST` for another purpose.
pub fn widget<P: Ports>(app: &App<P>, context: &RequestContext<'_>) -> HandlerResult<P> {
    let Some(ChallengeSettings::Turnstile(settings)) = &app.config.challenge else {
        return Err(Code::NotFound.into());
    };
    let (site_key, action) = (&settings.site_key, purpose(context)?.into_str());
    let (language, title) = match context.language() {
        Language::En => ("en", "Checking your browser"),
        Language::Ko => ("ko", "브라우저 확인"),
    };
    let page = format!(
        r#"<!doctype html><html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<script src="https://challenges.cloudflare.com/turnstile/v0/api.js?render=explicit" defer></script>
<body data-sitekey="{site_key}" data-action="{action}"><script type="module">{SCRIPT}</script>"#
    );
    let mut response = response::empty(StatusCode::OK);
    *response.body_mut() = Body::Bytes(page.into_bytes());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // Cloudflare checks the host of the page.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Language"));
    if let Ok(policy) = HeaderValue::try_from(policy(&app.config.allowed_origins)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response::never_cached(response))
}

/// The sources that Cloudflare documents for the widget, and the pages that may show it.
fn policy(allowed: &AllowedOrigins) -> String {
    let hash = Base64::encode_string(&Sha256::digest(SCRIPT));
    let ancestors = match allowed {
        AllowedOrigins::Any => "*".to_owned(),
        AllowedOrigins::Only(origins) => origins.join(" "),
    };
    format!(
        "default-src 'none'; script-src 'sha256-{hash}' https://challenges.cloudflare.com; \
         frame-src https://challenges.cloudflare.com; style-src 'unsafe-inline'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'self' {ancestors}"
    )
}
