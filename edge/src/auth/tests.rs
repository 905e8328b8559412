//! Tokens of every kind against one fixed clock. The secret is made up; the P-256 key is the published
//! example of RFC 7517 appendix A.2.

use http::{Request, header, request::Parts};
use image_rules::Code;
use jwt_compact::{
    AlgorithmExt, Claims, Header,
    alg::{Es256, Hs256, Hs256Key},
};

use super::{verify::clock, *};
use crate::error::Refusal;

pub(crate) const HS256_SECRET: &str = "a secret of the unit tests, 32 bytes and more";
pub(crate) const SIGNING_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}"#;
pub(crate) const NOW_MS: u64 = 1_763_000_000_000;

/// A request that carries this header.
pub(crate) fn head(authorization: Option<&str>) -> Parts {
    let mut request = Request::builder();
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(()).expect("valid").into_parts().0
}

/// A token signed with the shared secret.
pub(crate) fn hs256(claims: serde_json::Value, lifetime_s: i64) -> String {
    let time = clock(NOW_MS).expect("valid");
    let claims = Claims::new(claims).set_duration(&time, chrono::Duration::seconds(lifetime_s));
    let key = Hs256Key::new(HS256_SECRET);
    Hs256.token(&Header::empty(), &claims, &key).expect("signs")
}

fn keys() -> KeySet {
    let mut keys = KeySet::default();
    keys.add_secret(HS256_SECRET).expect("long enough");
    keys.add_own(&SigningKey::from_jwk(SIGNING_JWK).expect("valid"));
    keys
}

fn outcome(token: &str) -> Result<Principal, Refusal> {
    authenticate(&keys(), &head(Some(&format!("Bearer {token}"))), NOW_MS)
}

fn refused(code: Code) -> Result<Principal, Refusal> {
    Err(Refusal::new(code))
}

#[test]
fn a_genuine_token_makes_a_principal() {
    let token = hs256(serde_json::json!({"sub": "123"}), 60);
    let expected = Principal { user: UserId::parse("123").expect("valid"), role: Role::User };
    assert_eq!(outcome(&token), Ok(expected));
}

#[test]
fn a_token_of_our_own_key_is_found_by_its_name() {
    let signing = SigningKey::from_jwk(SIGNING_JWK).expect("valid");
    let time = clock(NOW_MS).expect("valid");
    let claims = serde_json::json!({"sub": "guest-1", "role": "GUEST"});
    let claims = Claims::new(claims).set_duration(&time, chrono::Duration::seconds(60));
    let sign = |name: &str| {
        let header = Header::empty().with_key_id(name);
        Es256.token(&header, &claims, &signing.key).expect("signs")
    };
    assert_eq!(outcome(&sign(&signing.id)).map(|principal| principal.role), Ok(Role::Guest));
    assert_eq!(outcome(&sign("another")), refused(Code::TokenInvalid));
}

#[test]
fn a_missing_token_is_not_an_invalid_one() {
    for header in [None, Some(""), Some("Bearer"), Some("Bearer  "), Some("Basic abc")] {
        assert_eq!(
            authenticate(&keys(), &head(header), NOW_MS),
            refused(Code::TokenMissing),
            "{header:?}"
        );
    }
}

#[test]
fn only_a_genuine_token_can_be_expired() {
    let claims = || serde_json::json!({"sub": "123"});
    assert_eq!(outcome(&hs256(claims(), -31)), refused(Code::TokenExpired));
    assert!(outcome(&hs256(claims(), -29)).is_ok(), "within the leeway");
    let mut forged = hs256(claims(), -31);
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    assert_eq!(outcome(&forged), refused(Code::TokenInvalid));
}

#[test]
fn forged_tokens_are_invalid() {
    let genuine = hs256(serde_json::json!({"sub": "123"}), 60);
    let (head, signature) = genuine.rsplit_once('.').expect("three parts");
    let other = {
        let claims = Claims::new(serde_json::json!({"sub": "123", "exp": 9_999_999_999_u64}));
        let key = Hs256Key::new("another secret of 32 bytes and a few more");
        Hs256.token(&Header::empty(), &claims, &key).expect("signs")
    };
    // {"alg":"none"} and {"sub":"123","exp":9999999999}
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxMjMiLCJleHAiOjk5OTk5OTk5OTl9.";
    let long = format!("{head}.{}", "A".repeat(9000));
    let swapped = format!("{head}x.{signature}");
    for token in ["x", "a.b.c", &other, none, &long, &swapped, &format!("{head}.")] {
        assert_eq!(outcome(token), refused(Code::TokenInvalid), "{token}");
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let signing = SigningKey::from_jwk(SIGNING_JWK).expect("valid");
    let public = signing.key.verifying_key().to_encoded_point(false);
    let claims = Claims::new(serde_json::json!({"sub": "123", "exp": 9_999_999_999_u64}));
    let header = Header::empty().with_key_id(signing.id.clone());
    let key = Hs256Key::new(public.as_bytes());
    let token = Hs256.token(&header, &claims, &key).expect("signs");
    assert_eq!(outcome(&token), refused(Code::TokenInvalid));
}

#[test]
fn claims_that_cannot_be_used_are_invalid() {
    let no_expiry = {
        let claims = Claims::new(serde_json::json!({"sub": "123"}));
        Hs256.token(&Header::empty(), &claims, &Hs256Key::new(HS256_SECRET)).expect("signs")
    };
    assert_eq!(outcome(&no_expiry), refused(Code::TokenInvalid), "no exp");
    for claims in [
        serde_json::json!({}),
        serde_json::json!({"sub": ""}),
        serde_json::json!({"sub": "../other"}),
        serde_json::json!({"sub": 123}),
        serde_json::json!({"sub": "123", "role": "ROOT"}),
        serde_json::json!({"sub": "123", "nbf": NOW_MS / 1000 + 60}),
    ] {
        assert_eq!(outcome(&hs256(claims.clone(), 60)), refused(Code::TokenInvalid), "{claims}");
    }
}

#[test]
fn a_key_of_a_platform_verifies_what_it_signed() {
    let signing = SigningKey::from_jwk(SIGNING_JWK).expect("valid");
    let time = clock(NOW_MS).expect("valid");
    let claims = Claims::new(serde_json::json!({"sub": "123"}))
        .set_duration(&time, chrono::Duration::seconds(60));
    let token = Es256.token(&Header::empty(), &claims, &signing.key).expect("signs");
    let head = head(Some(&format!("Bearer {token}")));

    let mut keys = KeySet::default();
    assert_eq!(authenticate(&keys, &head, NOW_MS), refused(Code::TokenInvalid), "no key yet");
    let (public, _private) = SIGNING_JWK.split_once(",\"d\"").expect("has d");
    keys.add_jwks(&format!(r#"{{"keys":[{public},"alg":"ES256"}}]}}"#)).expect("public");
    assert!(authenticate(&keys, &head, NOW_MS).is_ok());
}

#[test]
fn a_key_set_takes_public_keys_only() {
    let mut keys = KeySet::default();
    let with = |key: &str| format!(r#"{{"keys":[{key}]}}"#);
    assert!(keys.add_jwks(&with(SIGNING_JWK)).is_err(), "private");
    assert!(keys.add_jwks(&with(r#"{"kty":"oct","k":"AAAA"}"#)).is_err(), "secret");
    let public = SIGNING_JWK.split(",\"d\"").next().map(|start| format!("{start}}}"));
    assert!(keys.add_jwks(&with(&public.expect("has d"))).is_ok());
    assert!(keys.add_secret("31 bytes are not enough for it!").is_err());
}

#[test]
fn nothing_secret_shows_in_debug_output() {
    let signing = SigningKey::from_jwk(SIGNING_JWK).expect("valid");
    let shown = format!("{:?} {signing:?}", keys());
    assert!(!shown.contains("870MB6") && !shown.contains("secret of"), "{shown}");
}
