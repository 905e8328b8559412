//! Issuer, audience, roles and times of tokens: the platform's rules for its tokens, ours for ours.

use edge_types::{Role, SessionId, UserId};
use image_rules::Code;
use jwt_compact::alg::Hs256Key;
use serde_json::{Value, json};

use crate::AccountClaims;

use super::{
    HS256_SECRET, NOW_MS, TokenTester, config,
    keyring::{Signer, claims, key_pairs, key_set, platform},
    refused,
};

const ISSUER: &str = "https://login.example/";
const AUDIENCE: &str = "images";

fn strict() -> TokenTester {
    let keys = key_set(key_pairs());
    TokenTester::with(&[("AUTH_JWKS", &keys), ("AUTH_ISSUER", ISSUER), ("AUTH_AUDIENCE", AUDIENCE)])
}

fn says(signer: &Signer, changes: &Value) -> String {
    signer.token(&signer.head(signer.name()), &claims(changes))
}

#[test]
fn a_token_of_the_platform_needs_its_issuer_and_our_audience() {
    let tester = strict();
    for signer in platform() {
        for aud in [json!(AUDIENCE), json!([AUDIENCE]), json!(["other", AUDIENCE])] {
            let token = says(signer, &json!({"iss": ISSUER, "aud": aud}));
            assert_eq!(tester.user(&token), "123");
        }
        for changes in [
            json!({}),
            json!({"iss": ISSUER}),
            json!({"aud": AUDIENCE}),
            json!({"iss": "https://login.example", "aud": AUDIENCE}),
            json!({"iss": "HTTPS://LOGIN.EXAMPLE/", "aud": AUDIENCE}),
            json!({"iss": [ISSUER], "aud": AUDIENCE}),
            json!({"iss": ISSUER, "aud": "image"}),
            json!({"iss": ISSUER, "aud": []}),
            json!({"iss": ISSUER, "aud": ["other"]}),
            json!({"iss": ISSUER, "aud": [AUDIENCE, 7]}),
            json!({"iss": ISSUER, "aud": format!("{AUDIENCE} other")}),
            json!({"iss": "urn:the-form:images", "aud": AUDIENCE}),
        ] {
            assert_eq!(tester.refusal(&says(signer, &changes)), Code::TokenInvalid, "{changes}");
        }
        let expired = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": 1});
        assert_eq!(tester.refusal(&says(signer, &expired)), Code::TokenExpired);
        let expired_elsewhere = json!({"iss": "https://other.example/", "exp": 1});
        assert_eq!(tester.refusal(&says(signer, &expired_elsewhere)), Code::TokenInvalid);
    }
}

#[test]
fn an_unknown_or_forbidden_role_is_not_allowed() {
    let keys = key_set(key_pairs());
    let tester = TokenTester::with(&[("AUTH_JWKS", &keys)]);
    let without = TokenTester::with(&[("AUTH_JWKS", &keys), ("PLATFORM_ADMIN", "false")]);
    for signer in platform() {
        for role in ["ROOT", "user", "ADMIN ", ""] {
            let token = says(signer, &json!({"role": role}));
            assert_eq!(tester.refusal(&token), Code::RoleNotAllowed, "{role}");
            let expired = says(signer, &json!({"role": role, "exp": 1}));
            assert_eq!(tester.refusal(&expired), Code::TokenExpired, "{role}");
        }
        let admin = says(signer, &json!({"role": "ADMIN"}));
        assert_eq!(tester.show(&admin).expect("taken").role(), Role::Admin);
        assert_eq!(without.refusal(&admin), Code::RoleNotAllowed);
        assert_eq!(
            without.show(&says(signer, &json!({"role": "SERVICE"}))).expect("taken").role(),
            Role::Service
        );
    }
    let boss = UserId::parse("boss").expect("valid");
    let own = access_token(&without, &boss, Role::Admin);
    let own = without.show(&own).expect("an administrator with an account here");
    assert_eq!(own.role(), Role::Admin);
}

fn session() -> SessionId {
    SessionId::parse(&"5e".repeat(16)).expect("an id")
}

fn access_token(tester: &TokenTester, user: &UserId, role: Role) -> String {
    let account = AccountClaims {
        user,
        role,
        email: "a@example.com",
        session: &session(),
        created_ms: NOW_MS,
        is_unverified: false,
    };
    tester.config.signing.issue_access_token(&account, 900, NOW_MS).expect("signed")
}

#[test]
fn only_a_token_of_ours_names_one_of_our_sessions() {
    let tester = TokenTester::with(&[]);
    let user = UserId::parse("42").expect("valid");
    let own = tester.show(&access_token(&tester, &user, Role::User)).expect("taken");
    assert_eq!(own.session(), Some(&session()));
    let claims = json!({"sub": "42", "role": "ADMIN", "sid": session().as_str()});
    let foreign = tester.show(&crate::testing::hs256(claims, 60)).expect("taken");
    assert_eq!(foreign.session(), None);
    assert_eq!(tester.show(&guest_token(&tester)).expect("taken").session(), None);
}

#[test]
fn a_key_server_requires_issuer_and_audience() {
    let with = |more: &[(&'static str, &'static str)]| {
        let url = [("AUTH_JWKS_URL", "https://login.example/jwks.json")];
        let problems = config(&[&url[..], more].concat()).err().unwrap_or_default();
        problems.into_iter().map(|problem| problem.variable).collect::<Vec<_>>()
    };
    assert_eq!(with(&[]), ["AUTH_ISSUER", "AUTH_AUDIENCE"]);
    assert_eq!(with(&[("AUTH_ISSUER", ISSUER)]), ["AUTH_AUDIENCE"]);
    assert_eq!(with(&[("AUTH_AUDIENCE", AUDIENCE)]), ["AUTH_ISSUER"]);
    assert_eq!(with(&[("AUTH_ISSUER", ISSUER), ("AUTH_AUDIENCE", AUDIENCE)]), [""; 0]);
}

#[test]
fn our_tokens_need_no_claims_of_the_platform() {
    for tester in [strict(), TokenTester::with(&[])] {
        let token = guest_token(&tester);
        let principal = tester.show(&token).expect("taken");
        assert!(principal.user().to_string().starts_with("guest-"));
        assert_eq!(principal.role(), Role::Guest);
        tester.clock.advance(331_000);
        assert_eq!(tester.show(&token), refused(Code::TokenExpired));
    }
}

#[test]
fn an_access_token_of_ours_is_accepted_until_it_expires() {
    let tester = strict();
    let user = UserId::parse("42").expect("valid");
    let token = access_token(&tester, &user, Role::Admin);
    let principal = tester.show(&token).expect("taken");
    assert_eq!((principal.user(), principal.role()), (&user, Role::Admin));
    tester.clock.advance(929_999);
    assert!(tester.show(&token).is_ok(), "within the leeway");
    tester.clock.advance(1);
    assert_eq!(tester.show(&token), refused(Code::TokenExpired));
}

#[test]
fn our_key_cannot_sign_tokens_of_the_platform() {
    let tester = strict();
    let signing = tester.config.signing.key.clone();
    let ours = Signer::Es256(signing);
    let head = ours.head(&tester.config.signing.id);
    let token = ours.token(&head, &claims(&json!({"iss": ISSUER, "aud": AUDIENCE})));
    assert_eq!(tester.refusal(&token), Code::TokenInvalid);
}

#[test]
fn times_are_compared_in_seconds_with_a_leeway_of_thirty() {
    let tester = TokenTester::with(&[]);
    let secret = Signer::Hs256(Hs256Key::new(HS256_SECRET));
    let now = NOW_MS / 1000;
    for good in [
        json!({"exp": now - 29}),
        json!({"nbf": now + 30}),
        json!({"iat": now + 30}),
        json!({"nbf": 0, "iat": 0}),
    ] {
        assert_eq!(tester.user(&says(&secret, &good)), "123", "{good}");
    }
    for over in [json!({"exp": now - 30}), json!({"exp": 0})] {
        assert_eq!(tester.refusal(&says(&secret, &over)), Code::TokenExpired, "{over}");
    }
    for wrong in [
        json!({"exp": -1}),
        json!({"nbf": -1}),
        json!({"iat": -1}),
        json!({"nbf": now + 31}),
        json!({"iat": now + 31}),
    ] {
        assert_eq!(tester.refusal(&says(&secret, &wrong)), Code::TokenInvalid, "{wrong}");
    }
}

#[test]
fn a_token_may_have_at_most_8192_bytes() {
    let tester = TokenTester::with(&[]);
    let secret = Signer::Hs256(Hs256Key::new(HS256_SECRET));
    // Three bytes are four characters, so not every length can be had by the claims alone.
    let of_length = |length: usize| {
        let heads = ["HS256", "HS256 ", "HS256  "].map(|kid| secret.head(kid));
        let fillings = (length / 4 * 3 - 250..length / 4 * 3).rev();
        let tokens = fillings.flat_map(|filling| {
            let claims = claims(&json!({"x": "y".repeat(filling)}));
            heads.each_ref().map(|head| secret.token(head, &claims))
        });
        tokens.into_iter().find(|token| token.len() == length).expect("of this length")
    };
    assert_eq!(tester.user(&of_length(8192)), "123");
    assert_eq!(tester.refusal(&of_length(8193)), Code::TokenInvalid);
}

fn guest_token(tester: &TokenTester) -> String {
    tester.config.signing.issue_guest_token([1; 16], false, 300, NOW_MS).expect("signed")
}
