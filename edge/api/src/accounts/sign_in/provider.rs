//! What is asked of a provider: its metadata (OpenID Connect Discovery 1.0), and who the person is (RFC 6749 §4.1.3, OpenID
//! Connect Core 1.0 §3.1.3; for Naver its profile). URLs come from the configuration and from metadata of configured issuers.

use std::rc::Rc;

use base64ct::{Base64, Encoding};
use edge_auth::{IdTokenRules, KeyServer, KeyServerRequest};
use edge_types::{Email, Problem, log, with_timeout};
use image_rules::Code;
use serde_json::{Map, Value};

use super::failed;
use crate::{
    app::App, config::Provider, error::ApiError, ports::Ports, provider_cache::ProviderMetadata,
};

/// How long a request waits for an answer of a provider.
const DEADLINE_MS: u64 = 5_000;
/// The longest subject (OpenID Connect Core 1.0 §2).
const MAX_SUBJECT_BYTES: usize = 255;

/// A person, as the provider says.
pub(super) struct Person {
    pub(super) subject: String,
    pub(super) email: Option<Email>,
    /// Whether the provider has verified the address, and its word counts.
    pub(super) is_verified: bool,
}

/// The metadata of a provider.
///
/// # Errors
/// `BUSY` while it cannot be read.
pub(super) async fn metadata<P: Ports>(
    app: &App<P>,
    provider: &Provider,
) -> Result<Rc<ProviderMetadata>, ApiError> {
    let (cache, issuer) = (&app.isolate.providers, &provider.issuer);
    let now_ms = app.ports.now_ms();
    if let Some(known) = cache.get(issuer, now_ms) {
        return Ok(known);
    }
    let document = if provider.is_naver {
        Some(format!(
            r#"{{"issuer":"{issuer}","authorization_endpoint":"{issuer}/oauth2.0/authorize",
            "token_endpoint":"{issuer}/oauth2.0/token","jwks_uri":"{issuer}",
            "token_endpoint_auth_methods_supported":["client_secret_post"]}}"#
        ))
    } else {
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        ask(app, &KeyServerRequest { url: &url, authorization: None, form: None }).await
    };
    let metadata = document.and_then(|text| ProviderMetadata::read(&text, issuer, now_ms));
    let Some(metadata) = metadata else {
        log::error("provider_metadata_unusable", &[("provider", &provider.name)]);
        return Err(Problem::retry(Code::Busy, 5).into());
    };
    Ok(cache.put(metadata))
}

/// As `application/x-www-form-urlencoded`.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Redeems the code, and reads who the person is.
///
/// # Errors
/// `SIGN_IN_FAILED` for whatever the provider does wrong; a code can be redeemed once, so the person starts again.
pub(super) async fn redeem<P: Ports>(
    app: &App<P>,
    provider: &Provider,
    metadata: &ProviderMetadata,
    [code, verifier, nonce, redirect_uri]: [&str; 4],
) -> Result<Person, ApiError> {
    let client_id = encoded(&provider.client_id);
    let mut form = format!(
        "grant_type=authorization_code&code={}&code_verifier={verifier}&client_id={client_id}&redirect_uri={}",
        encoded(code),
        encoded(redirect_uri)
    );
    let mut authorization = None;
    if let Some(secret) = provider.secret.as_deref().map(encoded) {
        if metadata.posts_secret {
            form = form + "&client_secret=" + &secret;
        } else {
            // Encoded before they are joined (RFC 6749 §2.3.1).
            let pair = Base64::encode_string(format!("{client_id}:{secret}").as_bytes());
            authorization = Some(format!("Basic {pair}"));
        }
    }
    let url = metadata.token.as_str();
    let request = KeyServerRequest { url, authorization, form: Some(form) };
    let answer = object(ask(app, &request).await)?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    if provider.is_naver {
        // Naver has no ID tokens; the profile is read with the access token.
        let host = match provider.issuer.as_str() {
            "https://nid.naver.com" => "https://openapi.naver.com",
            issuer => issuer,
        };
        let authorization = Some(format!("Bearer {}", text("access_token").unwrap_or_default()));
        let url = format!("{host}/v1/nid/me");
        let request = KeyServerRequest { url: &url, authorization, form: None };
        let answer = object(ask(app, &request).await)?;
        let profile = answer.get("response").and_then(Value::as_object);
        return person(profile, "id", false);
    }
    let (issuer, client_id) = (&*provider.issuer, &*provider.client_id);
    let rules = IdTokenRules { issuer, client_id, nonce, keys: &metadata.keys };
    let (remote_keys, token) = (&app.isolate.remote_keys, text("id_token").unwrap_or_default());
    let claims = rules.verify(remote_keys, &app.ports, app.ports.key_server(), token).await;
    let claims = claims.map_err(|_| failed("id_token_refused"))?;
    person(Some(&claims), "sub", provider.trusts_email)
}

/// The person of a profile or of claims.
fn person(
    claims: Option<&Map<String, Value>>,
    subject: &str,
    trusts_email: bool,
) -> Result<Person, ApiError> {
    let claim = |name: &str| claims.and_then(|claims| claims.get(name));
    let text = |name: &str| claim(name).and_then(Value::as_str);
    let is_subject = |text: &&str| (1..=MAX_SUBJECT_BYTES).contains(&text.len());
    let subject = text(subject).filter(is_subject).ok_or_else(|| failed("answer_malformed"))?;
    // Apple writes it as a text.
    let is_verified = claim("email_verified") == Some(&Value::Bool(true))
        || text("email_verified") == Some("true");
    let email = text("email").and_then(Email::parse);
    Ok(Person { subject: subject.to_owned(), email, is_verified: is_verified && trusts_email })
}

/// The answer of a provider, when it is a success.
async fn ask<P: Ports>(app: &App<P>, request: &KeyServerRequest<'_>) -> Option<String> {
    let sending = app.ports.key_server().send(request);
    with_timeout(&app.ports, DEADLINE_MS, sending).await?.ok()
}

fn object(answer: Option<String>) -> Result<Value, ApiError> {
    let answer = answer.ok_or_else(|| failed("provider_refuses"))?;
    serde_json::from_str(&answer).map_err(|_| failed("answer_malformed"))
}
