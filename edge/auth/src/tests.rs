//! Tokens of every kind against one fixed clock. The secret is made up; the P-256 key is the published
//! example of RFC 7517 appendix A.2.

mod forged;
mod issuers;
mod key_sets;
pub(crate) mod keyring;
mod published;
mod remote;
mod rules;

use std::{collections::BTreeMap, rc::Rc};

use edge_types::{ConfigProblem, Problem, Reader, Role, UserId, Variables, testing::TestClock};
use futures_executor::block_on;
use http::{Request, header, request::Parts};
use image_rules::Code;
use jwt_compact::{AlgorithmExt, Claims, Header, alg::Es256};

use super::{
    claims::clock,
    testing::{FakeKeyServer, HS256_SECRET, NOW_MS, SIGNING_JWK, hs256},
    *,
};

/// A request that carries this header.
fn head(authorization: Option<&str>) -> Parts {
    let mut request = Request::builder();
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(()).expect("valid").into_parts().0
}

/// Verifies tokens against a clock and a key server in memory.
struct TokenTester {
    config: AuthConfig,
    remote_keys: RemoteKeys,
    clock: Rc<TestClock>,
    key_server: FakeKeyServer,
}

struct Values<'a>(BTreeMap<&'a str, &'a str>);

impl Variables for Values<'_> {
    fn read(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| (*value).to_owned())
    }
}

/// The configuration that these variables make, beside a secret and a signing key.
fn config(variables: &[(&str, &str)]) -> Result<AuthConfig, Vec<ConfigProblem>> {
    let keys = [
        ("SIGNING_JWK", SIGNING_JWK),
        ("AUTH_HS256_SECRET", HS256_SECRET),
        ("PLATFORM_ADMIN", "true"),
    ];
    let values = Values(keys.iter().chain(variables).copied().collect());
    let mut reader = Reader::new(&values);
    match AuthConfig::read(&mut reader) {
        Some(config) if reader.problems.is_empty() => Ok(config),
        _ => Err(reader.problems),
    }
}

impl TokenTester {
    fn with(variables: &[(&str, &str)]) -> Self {
        Self::of(config(variables).expect("usable"))
    }

    /// With a key server, for tokens that name neither issuer nor audience; that the configuration
    /// demands both is tested in `rules`.
    fn with_key_server(url: &str, variables: &[(&str, &str)]) -> Self {
        let more = [("AUTH_JWKS_URL", url), ("AUTH_ISSUER", "x"), ("AUTH_AUDIENCE", "x")];
        let mut config = config(&[&more[..], variables].concat()).expect("usable");
        (config.platform.iss, config.platform.audience) = (None, None);
        Self::of(config)
    }

    fn of(config: AuthConfig) -> Self {
        let clock = TestClock::at(NOW_MS);
        clock.hold();
        let key_server = FakeKeyServer::new(&clock);
        Self { config, remote_keys: RemoteKeys::default(), clock, key_server }
    }

    fn authenticator(&self) -> Authenticator<'_, TestClock, FakeKeyServer> {
        let Self { config, remote_keys, clock, key_server } = self;
        Authenticator { config, remote_keys, clock, key_server }
    }

    async fn verified(&self, token: &str) -> Result<Principal, TokenError> {
        self.authenticator().authenticate(&head(Some(&format!("Bearer {token}")))).await
    }

    async fn shown(&self, token: &str) -> Result<Principal, Problem> {
        Ok(self.verified(token).await?)
    }

    /// Whether a token is refused as one that only an attacker makes.
    fn is_hostile(&self, token: &str) -> bool {
        self.clock.run(self.verified(token)) == Err(TokenError::Hostile)
    }

    /// Presents a token; as much time passes as that takes.
    fn show(&self, token: &str) -> Result<Principal, Problem> {
        self.clock.run(self.shown(token))
    }

    /// The user of a token that must be accepted.
    fn user(&self, token: &str) -> String {
        self.show(token).expect("accepted").user().to_string()
    }

    /// The code of a token that must be refused.
    fn refusal(&self, token: &str) -> Code {
        self.show(token).expect_err(token).code
    }
}

fn outcome(token: &str) -> Result<Principal, Problem> {
    TokenTester::with(&[]).show(token)
}

fn refused(code: Code) -> Result<Principal, Problem> {
    Err(Problem::new(code))
}

#[test]
fn a_valid_token_yields_a_principal() {
    let token = hs256(serde_json::json!({"sub": "123"}), 60);
    let principal = outcome(&token).expect("taken");
    assert_eq!(principal.user(), &UserId::parse("123").expect("valid"));
    assert_eq!(principal.role(), Role::User);
}

#[test]
fn each_role_is_read_and_only_some_may_upload() {
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
fn a_token_of_our_own_key_is_verified_by_its_kid() {
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
    let tester = TokenTester::with(&[]);
    for header in [None, Some(""), Some("Bearer"), Some("Bearer  "), Some("Basic abc")] {
        let outcome = block_on(tester.authenticator().authenticate(&head(header)));
        assert_eq!(outcome.map_err(Problem::from), refused(Code::TokenMissing), "{header:?}");
    }
}

#[test]
fn only_a_token_with_a_valid_signature_can_be_expired() {
    let claims = || serde_json::json!({"sub": "123"});
    assert_eq!(outcome(&hs256(claims(), -31)), refused(Code::TokenExpired));
    assert!(outcome(&hs256(claims(), -29)).is_ok(), "within the leeway");
    let mut forged = hs256(claims(), -31);
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    assert_eq!(outcome(&forged), refused(Code::TokenInvalid));
}

#[test]
fn debug_output_contains_no_secret() {
    let shown = format!("{:?}", config(&[]).expect("usable"));
    assert!(!shown.contains("870MB6") && !shown.contains("secret of"), "{shown}");
}

#[test]
fn pseudonyms_differ_by_user_and_by_key() {
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
fn a_permit_is_valid_for_its_owner_only() {
    let caller = outcome(&hs256(serde_json::json!({"sub": "123"}), 60)).expect("taken");
    let permit = caller.may_upload(false).expect("a user");
    let [own, other] = ["123", "124"].map(|id| UserId::parse(id).expect("valid"));
    assert_eq!(permit.owner(), &own);
    assert_eq!(permit.is_for(None), Ok(()));
    assert_eq!(permit.is_for(Some(&own)), Ok(()));
    assert_eq!(permit.is_for(Some(&other)), Err(Problem::new(Code::UserMismatch)));
}

#[test]
fn only_back_ends_and_administrators_may_access_resources_of_others() {
    const ALL: &[Role] = &[Role::User, Role::Guest, Role::Service, Role::Admin];
    let rights = Rights {
        roles: ALL,
        others: &[Role::Service, Role::Admin],
        ticket: false,
        open_session: false,
    };
    let [own, other] = ["123", "124"].map(|id| UserId::parse(id).expect("valid"));
    for (role, may) in [("USER", false), ("GUEST", false), ("SERVICE", true), ("ADMIN", true)] {
        let caller = outcome(&hs256(serde_json::json!({"sub": "123", "role": role}), 60));
        let caller = caller.expect("accepted");
        assert!(!caller.may_access_others(), "{role}: nothing before it is authorized");
        let caller = caller.authorize(rights).expect("every role");
        assert_eq!(caller.check_access(&own), Ok(()), "{role}");
        let outcome = caller.check_access(&other).map_err(|problem| problem.code);
        assert_eq!(outcome, if may { Ok(()) } else { Err(Code::UserMismatch) });
    }
}

/// The thumbprint of RFC 7638 section 3: the SHA-256 of the required members in their order. This one
/// was computed apart from this code.
#[test]
fn the_kid_is_the_thumbprint_also_of_a_public_key() {
    let key = SigningKey::from_jwk(SIGNING_JWK).expect("valid");
    assert_eq!(key.id, "727f88fd634c0a57");
    assert_eq!(key.public().id, key.id);
    let public = serde_json::to_string(&key.public().jwk()).expect("JSON");
    assert!(public.contains(r#""kid":"727f88fd634c0a57""#), "{public}");
}
