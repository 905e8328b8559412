//! The signed examples of RFC 7515 and RFC 8037, if the folder of corpora exists.

use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_compact::{
    Algorithm as _, UntrustedToken,
    alg::{Ed25519, Hs256Key},
};
use serde_json::{Map, Value, json};

use super::super::{
    jwk::read_key_set,
    keys::{NamedKey, VerifyingKey},
};

const PATH: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora/jwt/rfc/rfc7515_8037.json");

/// The key of an example, without its private member.
fn key(jwk: &Value) -> Option<NamedKey> {
    if jwk["kty"] == "oct" {
        let secret = Base64UrlUnpadded::decode_vec(jwk["k"].as_str()?).ok()?;
        let key = VerifyingKey::Hs256(Hs256Key::new(secret));
        return Some(NamedKey { id: None, key });
    }
    let members = jwk.as_object()?.iter();
    let public =
        members.filter(|(name, _)| matches!(name.as_str(), "kty" | "crv" | "x" | "y" | "n" | "e"));
    let public: Map<_, _> = public.map(|(name, value)| (name.clone(), value.clone())).collect();
    read_key_set(&json!({ "keys": [public] }).to_string()).ok()?.pop()?.ok()
}

/// Whether the signature is good, whatever is signed.
fn is_signed(key: &NamedKey, compact: &str) -> bool {
    if let VerifyingKey::EdDsa(key) = &key.key {
        let (message, signature) = compact.rsplit_once('.').expect("three parts");
        let signature = Base64UrlUnpadded::decode_vec(signature).expect("base64url");
        let signature = signature.as_slice().try_into().expect("64 bytes");
        return Ed25519.verify_signature(&signature, key, message.as_bytes());
    }
    let token = UntrustedToken::new(compact);
    token.is_ok_and(|token| key.check::<Map<String, Value>>(&token).is_some())
}

#[test]
fn signatures_of_the_rfcs_verify_and_broken_ones_do_not() {
    let Ok(text) = std::fs::read_to_string(PATH) else { return };
    let examples: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let mut good = 0;
    for example in &examples {
        // What is not a token in three parts cannot be presented here at all.
        let Some(compact) = example["compact"].as_str() else { continue };
        let supported = !matches!(example["id"].as_str(), Some("RFC7515-A.4" | "RFC7515-A.5"));
        let found = key(&example["jwk"]).is_some_and(|key| is_signed(&key, compact));
        assert_eq!(found, supported, "{}", example["id"]);
        if let (true, Some(key)) = (found, key(&example["jwk"])) {
            good += 1;
            let broken = compact.replacen("eyJ", "eyK", 1);
            assert!(!is_signed(&key, &broken), "{}", example["id"]);
        }
    }
    println!(
        "{good} of {} published examples verify; the others are of kinds not taken here",
        examples.len()
    );
}
