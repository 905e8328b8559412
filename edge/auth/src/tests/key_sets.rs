//! The keys that are accepted from a key set. An unusable key is an invalid variable inline, and is skipped from a key server.

use image_rules::Code;
use p256::elliptic_curve::rand_core::{OsRng, RngCore};
use serde_json::{Value, json};

use super::{
    SIGNING_JWK, TokenTester, config,
    keyring::{Signer, encode, key_pairs, key_set},
};
use crate::UnusableKey;

const KEY_SERVER: &str = "https://login.example/jwks.json";

fn with(key: &Value, changes: &Value) -> Value {
    let mut key = key.clone();
    for (name, value) in changes.as_object().expect("an object") {
        key[name] = value.clone();
    }
    key
}

fn number(bytes: usize) -> String {
    let mut number = vec![0; bytes];
    OsRng.fill_bytes(&mut number);
    number[0] |= 0x80;
    number[bytes - 1] |= 1;
    encode(number)
}

/// Unusable keys, with the reason.
fn unusable() -> Vec<(Value, UnusableKey)> {
    use UnusableKey::{Algorithm, Malformed, Purpose, Secret, Weak};
    let [rsa, ec, ed] = [0, 1, 2].map(|at: usize| key_pairs()[at].public_jwk());
    let private: Value = serde_json::from_str(SIGNING_JWK).expect("JSON");
    let mut keys = vec![
        (private, Secret),
        (json!({"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}), Secret),
        (json!({"kty": "oct"}), Malformed),
        (with(&rsa, &json!({"d": "AQAB"})), Secret),
        (with(&ed, &json!({"d": null})), Secret),
        (with(&rsa, &json!({"n": number(128)})), Weak),
        (with(&rsa, &json!({"n": format!("AAAA{}", number(255))})), Weak),
        // 2047 bits in as many bytes as 2048 have.
        (with(&rsa, &json!({"n": encode([&[0x7f][..], &[0xff; 255]].concat())})), Weak),
        (with(&rsa, &json!({"n": ""})), Weak),
        (with(&rsa, &json!({"n": number(513)})), Malformed),
        (with(&rsa, &json!({"e": "AQ"})), Malformed),
        (with(&rsa, &json!({"e": "AA"})), Malformed),
        (with(&rsa, &json!({"e": "Ag"})), Malformed),
        (with(&rsa, &json!({"e": ""})), Malformed),
        (with(&rsa, &json!({"n": 7})), Malformed),
        (with(&ec, &json!({"crv": "P-384"})), Malformed),
        (with(&ec, &json!({"crv": "secp256k1"})), Malformed),
        (with(&ec, &json!({"x": ec["y"]})), Malformed),
        (with(&ec, &json!({"x": "AA"})), Malformed),
        (with(&ec, &json!({"y": null})), Malformed),
        (with(&ec, &json!({"x": format!("{}=", ec["x"].as_str().expect("text"))})), Malformed),
        (with(&ed, &json!({"crv": "X25519"})), Malformed),
        (with(&ed, &json!({"crv": "Ed448"})), Malformed),
        (with(&ed, &json!({"x": "AA"})), Malformed),
        // The neutral point, and one of order two: with these keys every message has a valid signature.
        (with(&ed, &json!({"x": encode([&[1][..], &[0; 31]].concat())})), Weak),
        (with(&ed, &json!({"x": encode([&[0xec][..], &[0xff; 30], &[0x7f]].concat())})), Weak),
        (json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}), Malformed),
        (json!({"kty": "EC"}), Malformed),
        (json!({}), Malformed),
        (json!("key"), Malformed),
        (json!(null), Malformed),
    ];
    for (key, own, other) in
        [(&rsa, "RS256", "ES256"), (&ec, "ES256", "RS256"), (&ed, "EdDSA", "HS256")]
    {
        for alg in [other, "none", "RS512", "ES384", "HS256", "RSA-OAEP", "", &own.to_lowercase()] {
            keys.push((with(key, &json!({"alg": alg})), Algorithm));
        }
        keys.push((with(key, &json!({"use": "enc"})), Purpose));
        keys.push((with(key, &json!({"use": ""})), Purpose));
        keys.push((with(key, &json!({"key_ops": ["sign"]})), Purpose));
        keys.push((with(key, &json!({"key_ops": []})), Purpose));
        keys.push((with(key, &json!({"key_ops": "verify"})), Malformed));
        keys.push((with(key, &json!({"kid": 7})), Malformed));
        keys.push((with(key, &json!({"alg": 7})), Malformed));
    }
    keys
}

#[test]
fn an_unusable_inline_key_is_reported_with_the_reason() {
    for (key, reason) in unusable() {
        let jwks = json!({"keys": [key_pairs()[1].public_jwk(), key]}).to_string();
        let problems = config(&[("AUTH_JWKS", &jwks)]).expect_err(&jwks);
        assert_eq!(problems.len(), 1);
        assert_eq!(
            (problems[0].variable.clone(), problems[0].expected),
            ("AUTH_JWKS".into(), reason.expected()),
            "{key}"
        );
    }
}

#[test]
fn an_invalid_inline_key_set_is_an_invalid_variable() {
    let key = key_pairs()[1].public_jwk();
    let twice = key.to_string().replacen('{', r#"{"kty":"EC","#, 1);
    for jwks in [
        "not json".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"keys":{}}"#.to_owned(),
        key.to_string(),
        format!(r#"{{"keys":[{twice}]}}"#),
        format!(r#"{{"keys":[],"keys":[{key}]}}"#),
    ] {
        let problems = config(&[("AUTH_JWKS", &jwks)]).expect_err(&jwks);
        assert_eq!(problems[0].expected, UnusableKey::NotAKeySet.expected(), "{jwks}");
    }
    assert!(config(&[("AUTH_HS256_SECRET", "31 bytes are not enough for it!")]).is_err());
}

#[test]
fn an_unusable_key_of_the_key_server_is_skipped() {
    let mut keys: Vec<_> = unusable().into_iter().map(|(key, _)| key).take(28).collect();
    keys.extend(key_pairs().iter().map(|pair| pair.named_jwk(pair.name())));
    let tester = TokenTester::with_key_server(KEY_SERVER, &[]);
    *tester.key_server.answer.borrow_mut() = Ok(json!({ "keys": keys }).to_string());
    for pair in key_pairs() {
        assert_eq!(tester.user(&pair.genuine(pair.name())), "123", "{}", pair.name());
    }
    let private = Signer::Es256(tester.config.signing.key.clone());
    assert_eq!(tester.refusal(&private.genuine("another")), Code::TokenInvalid);
}

#[test]
fn the_members_about_the_use_of_a_key_are_optional() {
    for pair in key_pairs() {
        for changes in [
            json!({}),
            json!({"use": "sig", "alg": pair.name(), "kid": "k", "x5t": "x", "other": 1}),
            json!({"key_ops": ["sign", "verify"], "ext": true}),
        ] {
            let jwks = json!({"keys": [with(&pair.public_jwk(), &changes)]}).to_string();
            let tester = TokenTester::with(&[("AUTH_JWKS", &jwks)]);
            assert_eq!(tester.user(&pair.genuine("k")), "123", "{changes}");
        }
    }
}

#[test]
fn keys_with_one_kid_and_different_algorithms_are_distinguished() {
    let keys: Vec<_> = key_pairs().iter().map(|pair| pair.named_jwk("same")).collect();
    let tester = TokenTester::with(&[("AUTH_JWKS", &json!({ "keys": keys }).to_string())]);
    for pair in key_pairs() {
        assert_eq!(tester.user(&pair.genuine("same")), "123", "{}", pair.name());
        assert_eq!(tester.refusal(&pair.genuine("other")), Code::TokenInvalid);
    }
    assert!(config(&[("AUTH_JWKS", &key_set(key_pairs()))]).is_ok());
}

#[test]
fn each_fault_of_a_key_has_its_own_message() {
    use UnusableKey::{Algorithm, Malformed, NotAKeySet, Purpose, Secret, Short, Weak};
    let reasons = [Short, NotAKeySet, Secret, Purpose, Algorithm, Weak, Malformed];
    let said: std::collections::BTreeSet<_> = reasons.map(UnusableKey::expected).into();
    assert_eq!(said.len(), reasons.len());
}
