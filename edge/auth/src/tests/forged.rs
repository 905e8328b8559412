//! The known attacks on JWTs with every kind of key: each is rejected with its code, and no URL in a token causes a request.

mod bodies;
mod encodings;
mod heads;
mod unknown_keys;

use std::collections::BTreeSet;

use image_rules::Code;
use serde_json::{Value, json};

use super::{
    NOW_MS, TokenTester,
    keyring::{Signer, claims, encode, key_pairs, key_set, platform},
};

/// The only URL that may be requested.
const KEY_SERVER: &str = "https://login.example/jwks.json";

/// Tokens that must be rejected, each with the fault.
#[derive(Default)]
struct Forgeries(Vec<(String, String)>);

impl Forgeries {
    fn add(&mut self, what: impl Into<String>, token: impl Into<String>) {
        self.0.push((what.into(), token.into()));
    }
}

fn tester() -> TokenTester {
    let tester = TokenTester::with_key_server(KEY_SERVER, &[("AUTH_JWKS", &key_set(key_pairs()))]);
    let other = json!({"keys": [Signer::p256().named_jwk("elsewhere")]});
    *tester.key_server.answer.borrow_mut() = Ok(other.to_string());
    tester
}

#[test]
fn no_forged_token_is_accepted_or_causes_a_request() {
    let mut forged = Forgeries::default();
    for signer in platform() {
        heads::other_algorithms(&mut forged, signer);
        heads::keys_in_the_header(&mut forged, signer);
        heads::broken_headers(&mut forged, signer);
        bodies::broken_claims(&mut forged, signer);
        bodies::absurd_times(&mut forged, signer);
        encodings::other_encodings(&mut forged, signer);
    }
    unknown_keys::public_keys_as_secrets(&mut forged);
    unknown_keys::other_keys(&mut forged);

    let tester = tester();
    for (what, token) in &forged.0 {
        assert_eq!(tester.refusal(token), Code::TokenInvalid, "{what}: {token}");
    }
    let asked = tester.key_server.asked.borrow();
    assert!(asked.iter().all(|url| url == KEY_SERVER), "{asked:?}");
    let distinct: BTreeSet<_> = forged.0.iter().map(|(_, token)| token).collect();
    assert!(distinct.len() >= 200, "only {} kinds", distinct.len());
    println!("{} forged tokens, all refused", distinct.len());
}

#[test]
fn the_valid_tokens_behind_the_forgeries_are_accepted() {
    let tester = tester();
    for signer in platform() {
        let name = signer.name();
        assert_eq!(tester.user(&signer.genuine(name)), "123", "{name}");
        let nameless = json!({"alg": name}).to_string();
        assert_eq!(tester.user(&signer.token(&nameless, &claims(&json!({})))), "123", "{name}");
        let fuller = json!({
            "alg": name, "kid": name, "typ": "at+jwt", "cty": "json", "other": {"a": [1, 2]},
            "x5t": encode([7; 20]),
        });
        let full = claims(&json!({
            "role": "USER", "iss": "https://login.example", "aud": ["a", "b"], "nbf": 0,
            "iat": NOW_MS / 1000 + 20, "exp": 9_999_999_999_u64, "more": [{"sub": "x"}],
        }));
        assert_eq!(tester.user(&signer.token(&fuller.to_string(), &full)), "123", "{name}");
    }
}

#[test]
fn only_the_time_makes_a_valid_token_expired() {
    let tester = tester();
    let expired = |exp: Value| claims(&json!({ "exp": exp }));
    for signer in platform() {
        let head = signer.head(signer.name());
        for exp in [json!(0), json!(1), json!(NOW_MS / 1000 - 30), json!(1_500_000_000.5)] {
            assert_eq!(tester.refusal(&signer.token(&head, &expired(exp))), Code::TokenExpired);
        }
        let token = signer.token(&head, &expired(json!(NOW_MS / 1000 - 29)));
        assert_eq!(tester.user(&token), "123", "within the leeway");
        let mut forged = signer.token(&head, &expired(json!(1)));
        forged.replace_range(forged.len() - 8.., "AAAAAAAA");
        assert_eq!(tester.refusal(&forged), Code::TokenInvalid, "expired and forged");
    }
}

#[test]
fn only_tokens_that_no_issuer_makes_are_hostile() {
    let tester = tester();
    let attacker = Signer::p256();
    let of = |head: &str, more: &Value| attacker.token(head, &claims(more));
    let secret = Signer::Hs256(jwt_compact::alg::Hs256Key::new(
        b"the secret of another issuer, long enough",
    ));
    for signer in key_pairs() {
        let name = signer.name();
        let hostile = [
            format!(
                "{}.{}.",
                encode(json!({"alg": "nOnE"}).to_string()),
                encode(claims(&json!({})))
            ),
            of(&format!(r#"{{"alg":"{name}","alg":"{name}"}}"#), &json!({})),
            signer.token(&signer.head(name), r#"{"sub":"1","sub":"2","exp":9999999999}"#),
            secret.token(&json!({"alg": "HS256", "kid": name}).to_string(), &claims(&json!({}))),
        ];
        let members = ["jwk", "jku", "x5u", "x5c"];
        let members = members
            .map(|it| of(&json!({"alg": name, it: "https://x.example"}).to_string(), &json!({})));
        for token in hostile.iter().chain(&members) {
            assert!(tester.is_hostile(token), "{name}: {token}");
        }
        let honest = [
            of(&signer.head(name), &json!({})),
            of(&signer.head("a key that is not there any more"), &json!({})),
            of(&json!({"alg": name}).to_string(), &json!({})),
            of(&json!({"alg": name, "crit": ["exp"], "exp": 1}).to_string(), &json!({})),
            signer.token(&signer.head(name), &claims(&json!({"role": "ROOT"}))),
            signer.token(&signer.head(name), &claims(&json!({"sub": "a b"}))),
            signer.token(&signer.head(name), &claims(&json!({"exp": 1}))),
            secret.genuine("HS256"),
            secret.token(&json!({"alg": "HS256"}).to_string(), &claims(&json!({}))),
            signer.genuine(name).replace('.', ""),
            "x".to_owned(),
        ];
        for token in honest {
            assert!(!tester.is_hostile(&token), "{name}: {token}");
            assert!(tester.show(&token).is_err(), "{name}: {token}");
        }
    }
}

#[test]
fn key_confusion_is_detected_for_published_keys_as_well() {
    let key = Signer::p256();
    let tester = TokenTester::with_key_server(KEY_SERVER, &[]);
    let set = json!({"keys": [key.named_jwk("published")]}).to_string();
    *tester.key_server.answer.borrow_mut() = Ok(set);
    let secret = Signer::Hs256(jwt_compact::alg::Hs256Key::new(
        b"the secret of another issuer, long enough",
    ));
    let confused = secret.token(&secret.head("published"), &claims(&json!({})));
    assert!(!tester.is_hostile(&confused), "nothing is fetched for it");
    assert_eq!(tester.user(&key.genuine("published")), "123");
    assert!(tester.is_hostile(&confused));
}
