//! The metadata of providers of sign-in (OpenID Connect Discovery 1.0), cached per isolate.

use std::{cell::RefCell, rc::Rc};

use edge_auth::KeyServerUrl;
use serde_json::Value;

/// Metadata is fetched again after this time.
const FRESH_MS: u64 = 5 * 60_000;

/// The metadata of providers in this isolate. There are at most 20.
#[derive(Default)]
pub struct ProviderCache(RefCell<Vec<Rc<ProviderMetadata>>>);

impl ProviderCache {
    pub fn get(&self, issuer: &str, now_ms: u64) -> Option<Rc<ProviderMetadata>> {
        let mut known = self.0.borrow_mut();
        known.retain(|it| now_ms.saturating_sub(it.fetched_ms) < FRESH_MS);
        known.iter().find(|it| it.issuer == issuer).cloned()
    }

    pub fn put(&self, metadata: ProviderMetadata) -> Rc<ProviderMetadata> {
        let metadata = Rc::new(metadata);
        self.0.borrow_mut().push(Rc::clone(&metadata));
        metadata
    }
}

/// Where a provider is asked.
#[derive(Debug)]
pub struct ProviderMetadata {
    issuer: String,
    fetched_ms: u64,
    pub authorization: KeyServerUrl,
    pub token: KeyServerUrl,
    pub keys: KeyServerUrl,
    /// Whether the secret goes into the form instead of a header.
    pub posts_secret: bool,
    /// Whether its answers name the issuer (RFC 9207).
    pub names_issuer: bool,
}

impl ProviderMetadata {
    /// From a document of this issuer.
    pub fn read(text: &str, issuer: &str, fetched_ms: u64) -> Option<Self> {
        let document: Value = serde_json::from_str(text).ok()?;
        let url = |name: &str| KeyServerUrl::parse(document.get(name)?.as_str()?);
        // Another issuer could have its tokens taken for those of this one (OpenID Connect Discovery 1.0 §4.3).
        if document.get("issuer")?.as_str()? != issuer {
            return None;
        }
        let methods = document.get("token_endpoint_auth_methods_supported");
        let methods = methods.and_then(Value::as_array);
        Some(Self {
            issuer: issuer.to_owned(),
            fetched_ms,
            authorization: url("authorization_endpoint")?,
            token: url("token_endpoint")?,
            keys: url("jwks_uri")?,
            posts_secret: methods.is_some_and(|it| it.iter().any(|it| it == "client_secret_post")),
            names_issuer: document.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
        })
    }
}
