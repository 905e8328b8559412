//! Tokens signed with unknown keys.

use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_compact::alg::Hs256Key;
use serde_json::json;

use super::{
    super::keyring::{Signer, claims, key_pairs, key_set},
    Forgeries,
};

/// Algorithm confusion: the published key is used as an HMAC secret.
pub(super) fn public_keys_as_secrets(forged: &mut Forgeries) {
    for pair in key_pairs() {
        let jwk = pair.public_jwk();
        let mut guesses = vec![jwk.to_string().into_bytes(), key_set(key_pairs()).into_bytes()];
        for text in ["n", "x", "y"].iter().filter_map(|member| jwk[*member].as_str()) {
            guesses.push(text.as_bytes().to_vec());
            guesses.push(Base64UrlUnpadded::decode_vec(text).expect("base64url"));
        }
        if let Signer::Es256(key) = pair {
            for compressed in [false, true] {
                let point = key.verifying_key().to_encoded_point(compressed);
                guesses.push(point.as_bytes().to_vec());
            }
        }
        for guess in guesses {
            let signer = Signer::Hs256(Hs256Key::new(guess));
            for kid in [pair.name(), "another"] {
                let head = json!({"alg": "HS256", "kid": kid}).to_string();
                let what = format!("the {} key as a secret", pair.name());
                forged.add(what, signer.token(&head, &claims(&json!({}))));
            }
        }
    }
}

pub(super) fn other_keys(forged: &mut Forgeries) {
    for secret in ["", "secret", "HS256", "0", "\0", "a secret of the unit tests, 32 bytes and mor"]
    {
        let signer = Signer::Hs256(Hs256Key::new(secret));
        forged.add(format!("the secret {secret:?}"), signer.genuine("HS256"));
    }
    for unknown_key in [Signer::rsa(2048), Signer::rsa(1024), Signer::p256(), Signer::ed25519()] {
        let name = unknown_key.name();
        forged.add(format!("another {name} key under our name"), unknown_key.genuine(name));
        let nameless = json!({"alg": name}).to_string();
        forged
            .add(format!("another {name} key"), unknown_key.token(&nameless, &claims(&json!({}))));
    }
    for pair in key_pairs() {
        for kid in ["RS256", "ES256", "EdDSA", "none"].into_iter().filter(|kid| *kid != pair.name())
        {
            forged.add(format!("{} under the name {kid}", pair.name()), pair.genuine(kid));
        }
    }
}
