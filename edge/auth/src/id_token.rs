//! ID tokens (OpenID Connect Core 1.0 §3.1.3.7), verified by the published keys of their issuer like access tokens.

use edge_types::{Clock, Problem};
use image_rules::Code;
use serde_json::{Map, Value};

use crate::{
    KeyServer, KeyServerUrl, RemoteKeys, claims::check_times, issuer::texts, remote::NeverLoaded,
    token::PresentedToken,
};

const INVALID: Problem = Problem::new(Code::TokenInvalid);

/// What the ID token of one sign-in must say.
pub struct IdTokenRules<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    /// Where the issuer publishes its keys.
    pub keys: &'a KeyServerUrl,
}

impl IdTokenRules<'_> {
    /// Returns the claims of a genuine token that was issued for this sign-in and has not expired.
    ///
    /// # Errors
    /// `TOKEN_INVALID`, `TOKEN_EXPIRED`; `BUSY` while the keys have never been loaded.
    pub async fn verify<C: Clock, K: KeyServer>(
        &self,
        remote_keys: &RemoteKeys,
        clock: &C,
        key_server: &K,
        token: &str,
    ) -> Result<Map<String, Value>, Problem> {
        let token = PresentedToken::parse(token).map_err(|_| INVALID)?;
        if token.issuer() != Some(self.issuer) || !token.has_public_algorithm() {
            return Err(INVALID);
        }
        let keys = remote_keys.of(self.keys);
        let verified = keys.verify(clock, key_server, self.keys, &token).await;
        let claims = verified.map_err(|NeverLoaded| Problem::new(Code::Busy))?.ok_or(INVALID)?;
        check_times(&claims, clock.now_ms())?;
        if self.accept(&claims.custom) { Ok(claims.custom) } else { Err(INVALID) }
    }

    /// A token for several audiences must name this client as the authorized party.
    fn accept(&self, claims: &Map<String, Value>) -> bool {
        let audiences = claims.get("aud").and_then(texts).unwrap_or_default();
        let party = claims.get("azp");
        let is_for_us = audiences.contains(&self.client_id)
            && (audiences.len() == 1 || party.is_some())
            && party.is_none_or(|party| party == self.client_id);
        is_for_us && claims.get("nonce").and_then(Value::as_str) == Some(self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_for_one_client_and_one_sign_in() {
        let keys = KeyServerUrl::parse("https://login.example/jwks").expect("a URL");
        let rules = IdTokenRules { issuer: "i", client_id: "app", nonce: "n", keys: &keys };
        let accepts = |claims: Value| rules.accept(claims.as_object().expect("an object"));
        assert!(accepts(json!({ "aud": "app", "nonce": "n" })));
        assert!(accepts(json!({ "aud": ["app"], "azp": "app", "nonce": "n" })));
        assert!(accepts(json!({ "aud": ["other", "app"], "azp": "app", "nonce": "n" })));
        for claims in [
            json!({ "nonce": "n" }),
            json!({ "aud": "other", "nonce": "n" }),
            json!({ "aud": ["app", 7], "nonce": "n" }),
            json!({ "aud": ["app", "other"], "nonce": "n" }),
            json!({ "aud": "app", "azp": "other", "nonce": "n" }),
            json!({ "aud": "app" }),
            json!({ "aud": "app", "nonce": "" }),
            json!({ "aud": "app", "nonce": "m" }),
            json!({ "aud": "app", "nonce": ["n"] }),
        ] {
            assert!(!accepts(claims.clone()), "{claims}");
        }
    }
}
