//! Verifies Turnstile tokens. Cloudflare accepts each once, within five minutes.

use edge_auth::Purpose;
use edge_types::with_timeout;
use http::{HeaderName, Uri};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    config::{AllowedOrigins, Turnstile},
    context::RequestContext,
    error::ApiError,
    ports::{Ports, SiteVerify, SiteVerifyError},
    request,
};

/// The longest token that Cloudflare documents.
const MAX_TOKEN_BYTES: usize = 2048;
/// Cloudflare answers within some ten milliseconds.
const TIMEOUT_MS: u64 = 5_000;

#[derive(Serialize)]
struct VerifyRequest<'a> {
    secret: &'a str,
    response: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remoteip: Option<&'a str>,
}

/// The answer of siteverify. `hostname` and `action` are those of the widget, and a caller cannot change them.
#[derive(Deserialize)]
struct Verdict {
    success: bool,
    #[serde(default, rename = "error-codes")]
    error_codes: Vec<String>,
    hostname: Option<String>,
    action: Option<String>,
}

/// Whether a token is valid for this purpose, on a page that may call.
///
/// # Errors
/// Those of the port. The token is then neither accepted nor refused.
pub(super) async fn verify<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    settings: &Turnstile,
    purpose: Purpose,
    token: &str,
) -> Result<bool, ApiError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Ok(false);
    }
    let remoteip = request::text_header(context.head, HeaderName::from_static("cf-connecting-ip"));
    let request = VerifyRequest { secret: &settings.secret, response: token, remoteip };
    // Serialising texts to memory cannot fail.
    let body = serde_json::to_string(&request).unwrap_or_default();
    let asking = app.ports.site_verify().verify(&settings.verify_url, body);
    let answer = with_timeout(&app.ports, TIMEOUT_MS, asking).await;
    let answer = answer.unwrap_or(Err(SiteVerifyError::Timeout))?;
    let verdict: Verdict = serde_json::from_str(&answer).map_err(|_| SiteVerifyError::Malformed)?;
    if !verdict.success {
        return verdict.refusal().map_or(Ok(false), |error| Err(error.into()));
    }
    let is_ours = |host: &str| {
        context.head.uri.host() == Some(host) || is_allowed(&app.config.allowed_origins, host)
    };
    Ok(settings.is_test()
        || (verdict.action.as_deref() == Some(purpose.into_str())
            && verdict.hostname.as_deref().is_some_and(is_ours)))
}

impl Verdict {
    /// Why siteverify could not judge the token, if it could not.
    fn refusal(&self) -> Option<SiteVerifyError> {
        let has = |name: &str| self.error_codes.iter().any(|code| code == name);
        if has("missing-input-secret") || has("invalid-input-secret") {
            Some(SiteVerifyError::SecretRefused)
        } else if has("internal-error") {
            Some(SiteVerifyError::Failed)
        } else {
            None
        }
    }
}

/// Whether pages of this host may call.
fn is_allowed(origins: &AllowedOrigins, host: &str) -> bool {
    match origins {
        AllowedOrigins::Any => true,
        AllowedOrigins::Only(origins) => {
            origins.iter().any(|origin| host_of(origin).as_deref() == Some(host))
        }
    }
}

fn host_of(origin: &str) -> Option<String> {
    Some(origin.parse::<Uri>().ok()?.host()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_allowed_origins_may_have_the_widget() {
        let only = AllowedOrigins::Only(vec![
            "https://shop.example".to_owned(),
            "http://localhost:8080".to_owned(),
        ]);
        for (host, expected) in [
            ("shop.example", true),
            ("localhost", true),
            ("evil.example", false),
            ("shop.example.evil.example", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(&only, host), expected, "{host}");
        }
        assert!(is_allowed(&AllowedOrigins::Any, "anywhere.example"));
    }
}
