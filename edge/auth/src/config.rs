//! The variables that say which tokens are accepted.

use edge_types::Reader;

use crate::{KeyServerUrl, SigningKey, claims::TokenRules, key_set::KeySet, keys::UnusableKey};

/// Which tokens are accepted, and the key that signs those that are issued here.
#[derive(Debug)]
pub struct AuthConfig {
    /// The keys that tokens are verified with.
    pub keys: KeySet,
    /// Where the platform publishes more of them.
    pub key_server: Option<KeyServerUrl>,
    pub rules: TokenRules,
    pub signing: SigningKey,
}

impl AuthConfig {
    /// [`None`] without a usable signing key; the reader has the problems.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let signing = signing_key(reader);
        let keys = key_set(reader, signing.as_ref());
        let key_server = reader.parsed(
            "AUTH_JWKS_URL",
            "an https URL without a user name (http only for localhost)",
            KeyServerUrl::parse,
        );
        let rules = TokenRules::read(reader);
        Some(Self { keys, key_server, rules, signing: signing? })
    }
}

fn signing_key(reader: &mut Reader<'_>) -> Option<SigningKey> {
    let jwk = reader.text("SIGNING_JWK").unwrap_or_default();
    let key = SigningKey::from_jwk(&jwk);
    if key.is_err() {
        reader.problem("SIGNING_JWK", "a private P-256 JWK (make dev writes one)");
    }
    key.ok()
}

fn key_set(reader: &mut Reader<'_>, signing: Option<&SigningKey>) -> KeySet {
    let mut keys = KeySet::default();
    if let Some(signing) = signing {
        keys.add_own(signing);
    }
    let mut add = |variable, add: fn(&mut KeySet, &str) -> Result<(), UnusableKey>| {
        if let Some(text) = reader.text(variable)
            && let Err(reason) = add(&mut keys, &text)
        {
            reader.problem(variable, reason.expected());
        }
    };
    add("SIGNING_JWK_PREVIOUS", KeySet::add_previous);
    add("AUTH_HS256_SECRET", KeySet::add_secret);
    add("AUTH_JWKS", KeySet::add_jwks);
    keys
}

impl TokenRules {
    fn read(reader: &mut Reader<'_>) -> Self {
        const EXPECTED: &str = "set, because AUTH_JWKS_URL is: the keys of a shared identity provider sign for all its customers";
        let has_key_server = reader.text("AUTH_JWKS_URL").is_some();
        let mut read = |variable| {
            if has_key_server { reader.required(variable, EXPECTED) } else { reader.text(variable) }
        };
        let (issuer, audience) = (read("AUTH_ISSUER"), read("AUTH_AUDIENCE"));
        Self { issuer, audience, may_give_admin: reader.flag("PLATFORM_ADMIN", false) }
    }
}
