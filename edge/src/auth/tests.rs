//! Tokens of every kind against one fixed clock. The secret is made up; the P-256 key is the published
//! example of RFC 7517 appendix A.2.

mod forged;
mod key_sets;
pub(crate) mod keyring;
mod published;
mod remote;
mod rules;

use std::{collections::BTreeMap, rc::Rc};

use futures_executor::block_on;
use http::{Request, header, request::Parts};
use image_rules::Code;
use jwt_compact::{
    AlgorithmExt, Claims, Header,
    alg::{Es256, Hs256, Hs256Key},
};

use super::{claims::clock, *};
use crate::{
    app::App,
    config::{Config, ConfigProblem, Variables},
    error::Refusal,
    route::Endpoint,
    story::World,
};

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

/// Where tokens are shown: a whole app, in memory.
struct Desk {
    app: App<World>,
}

struct Values<'a>(BTreeMap<&'a str, &'a str>);

impl Variables for Values<'_> {
    fn read(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| (*value).to_owned())
    }
}

/// The configuration that these variables make, beside a secret and a signing key.
fn config(variables: &[(&str, &str)]) -> Result<Config, Vec<ConfigProblem>> {
    let keys = [
        ("SIGNING_JWK", SIGNING_JWK),
        ("AUTH_HS256_SECRET", HS256_SECRET),
        ("PLATFORM_ADMIN", "true"),
    ];
    Config::read(&Values(keys.iter().chain(variables).copied().collect()))
}

impl Desk {
    fn with(variables: &[(&str, &str)]) -> Self {
        Self::of(config(variables).expect("usable"))
    }

    /// With a key server, for tokens that name neither issuer nor audience; that the configuration
    /// demands both is tried in `rules`.
    fn with_key_server(url: &str, variables: &[(&str, &str)]) -> Self {
        let more = [("AUTH_JWKS_URL", url), ("AUTH_ISSUER", "x"), ("AUTH_AUDIENCE", "x")];
        let mut config = config(&[&more[..], variables].concat()).expect("usable");
        config.token_rules = TokenRules { issuer: None, audience: None, ..config.token_rules };
        Self::of(config)
    }

    fn of(config: Config) -> Self {
        let ports = World::default();
        ports.clock.hold();
        Self { app: App { config: Rc::new(config), isolate: Rc::default(), ports } }
    }

    async fn verified(&self, token: &str) -> Result<Principal, TokenError> {
        authenticate(&self.app, &head(Some(&format!("Bearer {token}")))).await
    }

    async fn shown(&self, token: &str) -> Result<Principal, Refusal> {
        Ok(self.verified(token).await?)
    }

    /// Whether a token is refused as one that only an attacker makes.
    fn is_hostile(&self, token: &str) -> bool {
        self.app.ports.clock.run(self.verified(token)) == Err(TokenError::Hostile)
    }

    /// Shows a token, letting as much time pass as that takes.
    fn show(&self, token: &str) -> Result<Principal, Refusal> {
        self.app.ports.clock.run(self.shown(token))
    }

    /// The user of a token that must be taken.
    fn user(&self, token: &str) -> String {
        self.show(token).expect("taken").user().to_string()
    }

    /// What a token that must not be taken is refused with.
    fn refusal(&self, token: &str) -> Code {
        self.show(token).expect_err(token).code
    }
}

fn outcome(token: &str) -> Result<Principal, Refusal> {
    Desk::with(&[]).show(token)
}

fn refused(code: Code) -> Result<Principal, Refusal> {
    Err(Refusal::new(code))
}

#[test]
fn a_genuine_token_makes_a_principal() {
    let token = hs256(serde_json::json!({"sub": "123"}), 60);
    let principal = outcome(&token).expect("taken");
    assert_eq!(principal.user(), &UserId::parse("123").expect("valid"));
    assert_eq!(principal.role(), Role::User);
}

#[test]
fn each_role_is_told_and_only_some_upload() {
    for (role, name, uploads) in [
        (Role::User, "USER", true),
        (Role::Guest, "GUEST", true),
        (Role::Service, "SERVICE", true),
        (Role::Admin, "ADMIN", false),
    ] {
        let principal = outcome(&hs256(serde_json::json!({"sub": "123", "role": name}), 60));
        let principal = principal.expect("taken");
        assert_eq!(principal.role(), role);
        assert_eq!(principal.may_upload(false).is_ok(), uploads, "{name}");
    }
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
    let desk = Desk::with(&[]);
    for header in [None, Some(""), Some("Bearer"), Some("Bearer  "), Some("Basic abc")] {
        let outcome = block_on(authenticate(&desk.app, &head(header)));
        assert_eq!(outcome.map_err(Refusal::from), refused(Code::TokenMissing), "{header:?}");
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
fn nothing_secret_shows_in_debug_output() {
    let shown = format!("{:?}", config(&[]).expect("usable"));
    assert!(!shown.contains("870MB6") && !shown.contains("secret of"), "{shown}");
}

#[test]
fn a_pseudonym_tells_users_apart_and_says_nothing_without_the_key() {
    let key = SigningKey::from_jwk(SIGNING_JWK).expect("valid");
    let name = key.pseudonym("123");
    assert_eq!(name.len(), 16, "{name}");
    assert_eq!(name, SigningKey::from_jwk(SIGNING_JWK).expect("valid").pseudonym("123"));
    assert_ne!(name, key.pseudonym("124"));
    let names: std::collections::BTreeSet<_> =
        (0..1000).map(|user| key.pseudonym(&user.to_string())[..8].to_owned()).collect();
    assert_eq!(names.len(), 1000, "all of it is digest");
}

#[test]
fn an_id_has_1_to_64_characters_that_may_stand_in_a_path() {
    let longest = "x".repeat(64);
    for text in ["1", "guest-1", "a_B-9", &longest] {
        assert_eq!(UserId::parse(text).expect(text).as_str(), text);
    }
    for text in ["", "a.b", "a/b", "a b", "é", &"x".repeat(65)] {
        assert_eq!(UserId::parse(text), None, "{text}");
    }
    let is_guest = |text: &str| UserId::parse(text).expect("valid").is_guest();
    assert!(is_guest("guest-1") && !is_guest("guest") && !is_guest("a-guest-1"));
}

#[test]
fn a_permit_is_for_its_owner_and_for_nobody_else() {
    let caller = outcome(&hs256(serde_json::json!({"sub": "123"}), 60)).expect("taken");
    let permit = caller.may_upload(false).expect("a user");
    let [own, other] = ["123", "124"].map(|id| UserId::parse(id).expect("valid"));
    assert_eq!(permit.owner(), &own);
    assert_eq!(permit.is_for(None), Ok(()));
    assert_eq!(permit.is_for(Some(&own)), Ok(()));
    assert_eq!(permit.is_for(Some(&other)), Err(Refusal::new(Code::UserMismatch)));
}

#[test]
fn what_is_anothers_is_reached_by_back_ends_and_administrators_only() {
    let [own, other] = ["123", "124"].map(|id| UserId::parse(id).expect("valid"));
    for (role, reaches) in [("USER", false), ("GUEST", false), ("SERVICE", true), ("ADMIN", true)] {
        let caller = outcome(&hs256(serde_json::json!({"sub": "123", "role": role}), 60));
        let caller = caller.expect("taken");
        assert_eq!(caller.must_reach(&Endpoint::ListImages, &own), Ok(()), "{role}");
        let outcome = caller.must_reach(&Endpoint::ListImages, &other);
        assert_eq!(
            outcome.map_err(|refusal| refusal.code),
            if reaches { Ok(()) } else { Err(Code::UserMismatch) }
        );
    }
}

/// The thumbprint of RFC 7638 section 3: the SHA-256 of the required members in their order. This one
/// was computed apart from this code.
#[test]
fn a_signing_key_is_named_by_its_thumbprint_also_when_only_its_public_half_is_left() {
    let key = SigningKey::from_jwk(SIGNING_JWK).expect("valid");
    assert_eq!(key.id, "727f88fd634c0a57");
    assert_eq!(key.public().id, key.id);
    let public = serde_json::to_string(&key.public().jwk()).expect("JSON");
    assert!(public.contains(r#""kid":"727f88fd634c0a57""#), "{public}");
}
