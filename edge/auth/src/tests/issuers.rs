//! Several issuers at once: whom each may name, which roles it may give, and that none speaks for another.
//! The tokens have the shape of those that Auth0, Firebase, Supabase, Clerk and Keycloak issue.

use edge_types::Role;
use image_rules::Code;
use jwt_compact::alg::Hs256Key;
use serde_json::{Value, json};

use super::{
    HS256_SECRET, NOW_MS, TokenTester, config,
    keyring::{Signer, claims, key_pairs, key_set},
};

const SHOP: &str = "https://shop.example";
const SHOP_SECRET: &str = "a secret of the shop, with 32 bytes or more";

/// The variables of these issuers beside the secret of the shop.
fn variables<'a>(issuers: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("AUTH_ISSUERS", issuers), ("SHOP_SECRET", SHOP_SECRET)], more].concat()
}

fn tester(issuers: &Value) -> TokenTester {
    TokenTester::with(&variables(&issuers.to_string(), &[]))
}

/// An entry for the shop with some fields changed; `null` takes one away.
fn shop(changes: &Value) -> Value {
    let mut entry = json!({"name": "shop", "issuer": SHOP, "hs256Secret": "SHOP_SECRET"});
    for (field, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            entry.as_object_mut().expect("an object").remove(field);
        } else {
            entry[field] = value.clone();
        }
    }
    entry
}

fn says(signer: &Signer, changes: &Value) -> String {
    signer.token(&signer.head(signer.name()), &claims(changes))
}

fn shop_says(changes: &Value) -> String {
    let mut all = json!({"iss": SHOP});
    all.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
    says(&Signer::Hs256(Hs256Key::new(SHOP_SECRET)), &all)
}

fn caller(tester: &TokenTester, token: &str) -> (String, Role) {
    let principal = tester.show(token).expect(token);
    (principal.user().to_string(), principal.role())
}

#[test]
fn tokens_of_auth0_are_taken_with_a_bar_in_the_subject_and_roles_in_a_namespace() {
    let issuer = "https://the-form.eu.auth0.com/";
    let tester = tester(&json!([{
        "name": "auth", "issuer": issuer, "audience": "https://image.the-form",
        "jwks": {"keys": [key_pairs()[0].named_jwk("RS256")]},
        "roles": ["SERVICE", "USER"], "roleClaim": "https://the-form/roles",
        "roleMap": {"member": "USER", "backend": "SERVICE"},
    }]));
    let token = |roles: Value| {
        let claims = json!({
            "https://the-form/roles": roles, "iss": issuer, "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
            "aud": ["https://image.the-form", "https://the-form.eu.auth0.com/userinfo"],
            "iat": NOW_MS / 1000, "exp": NOW_MS / 1000 + 86_400, "scope": "openid profile email",
            "azp": "my_client_id",
        });
        let head = json!({"alg": "RS256", "typ": "JWT", "kid": "RS256"}).to_string();
        key_pairs()[0].token(&head, &claims.to_string())
    };
    let user = "auth-Q4WTiKutQFQRSYKz4BIYFg";
    assert_eq!(caller(&tester, &token(json!(["member"]))), (user.to_owned(), Role::User));
    assert_eq!(caller(&tester, &token(json!(["member", "backend"]))).1, Role::Service);
    assert_eq!(tester.refusal(&token(json!(["USER"]))), Code::RoleNotAllowed, "by the map only");
    assert_eq!(tester.refusal(&token(json!([]))), Code::RoleNotAllowed);
    let opaque_api = says(
        &key_pairs()[0],
        &json!({"iss": issuer, "aud": ["https://the-form.eu.auth0.com/userinfo"]}),
    );
    assert_eq!(tester.refusal(&opaque_api), Code::TokenInvalid, "for another interface");
}

#[test]
fn tokens_of_firebase_are_taken_for_their_project_only() {
    let entry = |project: &str, name: &str| {
        json!({
            "name": name, "issuer": format!("https://securetoken.google.com/{project}"),
            "audience": project, "jwks": {"keys": [key_pairs()[0].named_jwk("RS256")]},
            "roles": ["USER", "GUEST"], "roleClaim": "firebase.sign_in_provider",
            "roleMap": {"password": "USER", "google.com": "USER", "anonymous": "GUEST"},
        })
    };
    let tester = tester(&json!([entry("the-form", "fire")]));
    let token = |project: &str, provider: &str| {
        let claims = json!({
            "name": "Ann", "iss": format!("https://securetoken.google.com/{project}"),
            "aud": project, "auth_time": NOW_MS / 1000 - 9, "user_id": "aBcDeFgHiJkLmNoPqRsTuVwXyZ12",
            "sub": "aBcDeFgHiJkLmNoPqRsTuVwXyZ12", "iat": NOW_MS / 1000, "exp": NOW_MS / 1000 + 3600,
            "email": "ann@example.com", "email_verified": true,
            "firebase": {"identities": {"email": ["ann@example.com"]}, "sign_in_provider": provider},
        });
        key_pairs()[0].token(&key_pairs()[0].head("RS256"), &claims.to_string())
    };
    let user = "fire-aBcDeFgHiJkLmNoPqRsTuVwXyZ12".to_owned();
    assert_eq!(caller(&tester, &token("the-form", "password")), (user.clone(), Role::User));
    assert_eq!(caller(&tester, &token("the-form", "google.com")).1, Role::User);
    assert_eq!(caller(&tester, &token("the-form", "anonymous")), (user, Role::Guest));
    assert_eq!(tester.refusal(&token("the-form", "phone")), Code::RoleNotAllowed, "not in the map");
    // Google signs for all projects with the same keys.
    assert_eq!(tester.refusal(&token("another", "password")), Code::TokenInvalid);
}

#[test]
fn tokens_of_supabase_are_taken_and_its_interface_keys_are_not() {
    let issuer = "https://abcdefghijklmnop.supabase.co/auth/v1";
    let tester = tester(&json!([shop(&json!({
        "name": "supa", "issuer": issuer, "audience": "authenticated", "roleMap": {"authenticated": "USER"},
    }))]));
    let signer = Signer::Hs256(Hs256Key::new(SHOP_SECRET));
    let session = json!({
        "aal": "aal1", "amr": [{"method": "password", "timestamp": NOW_MS / 1000}],
        "app_metadata": {"provider": "email", "providers": ["email"]}, "aud": "authenticated",
        "email": "ann@example.com", "exp": NOW_MS / 1000 + 3600, "iat": NOW_MS / 1000,
        "is_anonymous": false, "iss": issuer, "phone": "", "role": "authenticated",
        "session_id": "4b938a09-5372-4177-a314-cfa292099ea2",
        "sub": "3a3e2a5b-7a7c-4d3b-9a56-a0a3f34c2d11", "user_metadata": {},
    });
    let token = |changes: Value| {
        let mut claims = session.clone();
        claims.as_object_mut().expect("an object").extend(changes.as_object().expect("it").clone());
        signer.token(&signer.head("k1"), &claims.to_string())
    };
    let user = "supa-3a3e2a5b-7a7c-4d3b-9a56-a0a3f34c2d11".to_owned();
    assert_eq!(caller(&tester, &token(json!({}))), (user, Role::User));
    assert_eq!(tester.refusal(&token(json!({"role": "service_role"}))), Code::RoleNotAllowed);
    // The keys that stand in every page and on every server are signed with the same secret.
    for role in ["anon", "service_role"] {
        let key = json!({
            "iss": "supabase", "ref": "abcdefghijklmnop", "role": role, "iat": NOW_MS / 1000,
            "exp": NOW_MS / 1000 + 315_360_000,
        });
        let key = signer.token(&signer.head("k1"), &key.to_string());
        assert_eq!(tester.refusal(&key), Code::TokenInvalid, "{role}");
    }
}

#[test]
fn supabase_says_of_people_without_an_account_that_they_are_anonymous() {
    let tester = tester(&json!([shop(&json!({
        "roles": ["USER", "GUEST"], "roleClaim": "is_anonymous", "roleMap": {"true": "GUEST", "false": "USER"},
    }))]));
    let guest = shop_says(&json!({"is_anonymous": true, "role": "authenticated"}));
    assert_eq!(caller(&tester, &guest), ("shop-123".to_owned(), Role::Guest));
    assert_eq!(caller(&tester, &shop_says(&json!({"is_anonymous": false}))).1, Role::User);
}

#[test]
fn tokens_of_clerk_are_taken_with_the_audience_of_their_template() {
    let issuer = "https://clerk.the-form.example";
    let tester = tester(&json!([{
        "name": "clerk", "issuer": issuer, "audience": "images",
        "jwks": {"keys": [key_pairs()[0].named_jwk("ins_2abcdefghijklmnopqrstuvwxyz")]},
    }]));
    let session = json!({
        "azp": "https://the-form.example", "exp": NOW_MS / 1000 + 60, "fva": [0, -1],
        "iat": NOW_MS / 1000, "iss": issuer, "jti": "a1b2c3d4e5f60718293a", "nbf": NOW_MS / 1000 - 10,
        "sid": "sess_2abcdefghijklmnopqrstuvwxyz", "sts": "active",
        "sub": "user_2abcdefghijklmnopqrstuvwxyz", "v": 2,
    });
    let head = json!({
        "alg": "RS256", "cat": "cl_B7d4PD111AAA", "kid": "ins_2abcdefghijklmnopqrstuvwxyz", "typ": "JWT",
    });
    let token = |claims: &Value| key_pairs()[0].token(&head.to_string(), &claims.to_string());
    assert_eq!(
        tester.refusal(&token(&session)),
        Code::TokenInvalid,
        "the session's own names nobody"
    );
    let mut of_template = session.clone();
    of_template["aud"] = json!("images");
    let user = "clerk-user_2abcdefghijklmnopqrstuvwxyz".to_owned();
    assert_eq!(caller(&tester, &token(&of_template)), (user, Role::User));
}

#[test]
fn tokens_of_keycloak_are_taken_with_roles_of_the_realm_or_of_a_client() {
    let issuer = "https://sso.example/realms/the-form";
    let entry = |role_claim: &str| {
        json!([{
            "name": "kc", "issuer": issuer, "audience": "images",
            "jwks": {"keys": [key_pairs()[0].named_jwk("RS256")]},
            "roles": ["ADMIN", "USER"], "roleClaim": role_claim,
            "roleMap": {"image-admin": "ADMIN", "default-roles-the-form": "USER", "editor": "USER"},
        }])
    };
    let token = |realm: Value, client: Value| {
        let claims = json!({
            "exp": NOW_MS / 1000 + 300, "iat": NOW_MS / 1000, "auth_time": NOW_MS / 1000,
            "jti": "onrtac:5c0d6a7e-6a5e-4a9f-9f0e-0d6a7e5c9f0e", "iss": issuer,
            "aud": ["images", "account"], "sub": "f1c4f64e-2c0c-4cda-8c9f-9f3f8f3a2b0e", "typ": "Bearer",
            "azp": "web", "sid": "4c0a3a8a-3a47-4f2f-8e89-9e5f9b0a0a0a", "acr": "1",
            "allowed-origins": ["https://the-form.example"], "realm_access": {"roles": realm},
            "resource_access": {"images": {"roles": client}, "account": {"roles": ["view-profile"]}},
            "scope": "openid email profile", "email_verified": false, "preferred_username": "ada",
        });
        key_pairs()[0].token(&key_pairs()[0].head("RS256"), &claims.to_string())
    };
    let usual = json!(["default-roles-the-form", "offline_access", "uma_authorization"]);
    let realm = tester(&entry("realm_access.roles"));
    let user = "kc-f1c4f64e-2c0c-4cda-8c9f-9f3f8f3a2b0e".to_owned();
    assert_eq!(caller(&realm, &token(usual.clone(), json!([]))), (user, Role::User));
    let admin = json!(["offline_access", "default-roles-the-form", "image-admin"]);
    assert_eq!(caller(&realm, &token(admin, json!([]))).1, Role::Admin, "the first of its roles");
    assert_eq!(realm.refusal(&token(json!(["offline_access"]), json!([]))), Code::RoleNotAllowed);
    let client = tester(&entry("resource_access.images.roles"));
    assert_eq!(caller(&client, &token(usual.clone(), json!(["editor"]))).1, Role::User);
    assert_eq!(client.refusal(&token(usual, json!(["viewer"]))), Code::RoleNotAllowed);
}

/// These hashes were computed apart from this code.
#[test]
fn a_subject_always_becomes_the_same_user() {
    let tester = tester(&json!([shop(&json!({}))]));
    let user = |sub: &str| caller(&tester, &shop_says(&json!({"sub": sub}))).0;
    let longest = "x".repeat(59);
    for plain in ["1", "a_B-9", "guest-1", &longest] {
        assert_eq!(user(plain), format!("shop-{plain}"));
    }
    for (sub, expected) in [
        ("a/b", "shop-HDFqJNtmyhFRrHM0Crxmvc"),
        ("사용자", "shop-g_X91eH4J67X408oxmmXbL"),
        (
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "shop-dIf1nX4prZ1JCpOoL6qHSi",
        ),
        ("aaaaaaaaaaaaaaaaaaaaaa", "shop-g2mvZa7WtaLM8KjgbQsUXB"),
    ] {
        assert_eq!(user(sub), expected, "{sub}");
    }
    assert_eq!(tester.refusal(&shop_says(&json!({"sub": ""}))), Code::TokenInvalid);
    // A subject that equals the hash of another is hashed itself.
    let hash = &user("a/b")["shop-".len()..];
    assert_ne!(user(hash), user("a/b"));
}

#[test]
fn the_user_may_stand_in_another_claim() {
    for (claim, value) in [("uid", json!({"uid": "7"})), ("user.id", json!({"user": {"id": "7"}}))]
    {
        let tester = tester(&json!([shop(&json!({"userClaim": claim}))]));
        assert_eq!(caller(&tester, &shop_says(&value)).0, "shop-7", "{claim}");
        assert_eq!(tester.refusal(&shop_says(&json!({}))), Code::TokenInvalid, "without {claim}");
    }
}

#[test]
fn an_issuer_gives_the_roles_that_are_listed_and_no_other() {
    let usual = tester(&json!([shop(&json!({}))]));
    assert_eq!(caller(&usual, &shop_says(&json!({}))).1, Role::User);
    for role in ["SERVICE", "ADMIN", "GUEST", "ROOT", "user", ""] {
        let token = shop_says(&json!({"role": role}));
        assert_eq!(usual.refusal(&token), Code::RoleNotAllowed, "{role}");
        let expired = shop_says(&json!({"role": role, "exp": 1}));
        assert_eq!(usual.refusal(&expired), Code::TokenExpired, "{role}");
    }
    let back_ends = tester(&json!([shop(&json!({"roles": ["SERVICE"]}))]));
    assert_eq!(caller(&back_ends, &shop_says(&json!({"role": "SERVICE"}))).1, Role::Service);
    assert_eq!(back_ends.refusal(&shop_says(&json!({}))), Code::RoleNotAllowed, "not a user's");
    for strange in [json!(7), json!({"role": "USER"}), json!(["USER", 7]), json!([["USER"]])] {
        let token = shop_says(&json!({"role": strange}));
        assert_eq!(usual.refusal(&token), Code::TokenInvalid, "{strange}");
    }
}

#[test]
fn no_issuer_speaks_for_another() {
    let bank = "https://bank.example";
    let issuers = json!([
        shop(&json!({"roles": ["USER", "ADMIN"]})),
        {"name": "bank", "issuer": bank, "audience": "images", "jwks": {"keys": [key_pairs()[1].named_jwk("ES256")]}},
    ]);
    let tester = tester(&issuers);
    let [shop, bank_key] = [&Signer::Hs256(Hs256Key::new(SHOP_SECRET)), &key_pairs()[1]];
    let platform = Signer::Hs256(Hs256Key::new(HS256_SECRET));
    let ours = Signer::Es256(tester.config.signing.key.clone());
    assert_eq!(
        caller(&tester, &says(bank_key, &json!({"iss": bank, "aud": "images"}))).0,
        "bank-123"
    );
    assert_eq!(
        caller(&tester, &says(&platform, &json!({"iss": "https://elsewhere.example"}))).0,
        "123"
    );
    for (what, signer, claims) in [
        ("the shop for the bank", shop, json!({"iss": bank, "aud": "images"})),
        ("the bank for the shop", bank_key, json!({"iss": SHOP})),
        ("the platform for the shop", &platform, json!({"iss": SHOP})),
        ("we for the shop", &ours, json!({"iss": SHOP})),
        ("the shop for us", shop, json!({"iss": "urn:the-form:images"})),
        ("the shop for the platform", shop, json!({})),
        ("the bank for nobody", bank_key, json!({"aud": "images"})),
        ("the bank for others", bank_key, json!({"iss": bank, "aud": "shop"})),
        ("the shop with a ticket", shop, json!({"iss": SHOP, "ticket": {"id": "1"}})),
        ("the platform with an id of the shop", &platform, json!({"sub": "shop-123"})),
    ] {
        assert_eq!(tester.refusal(&says(signer, &claims)), Code::TokenInvalid, "{what}");
    }
    assert_eq!(tester.user(&says(&platform, &json!({"sub": "shopper-1"}))), "shopper-1");
    // The public key of the bank as a shared secret.
    let confused = Signer::Hs256(Hs256Key::new(bank_key.public_jwk().to_string()));
    let token = confused.token(&confused.head("ES256"), &claims(&json!({"iss": bank})));
    assert!(tester.is_hostile(&token));
}

#[test]
fn each_key_server_is_asked_for_the_tokens_of_its_issuer_only() {
    let entry = |name: &str| {
        json!({
            "name": name, "issuer": format!("https://{name}.example"), "audience": "images",
            "jwksUrl": format!("https://{name}.example/jwks.json"),
        })
    };
    let tester = tester(&json!([entry("one"), entry("two")]));
    *tester.key_server.answer.borrow_mut() = Ok(key_set(key_pairs()));
    let token = |issuer: &str| says(&key_pairs()[2], &json!({"iss": issuer, "aud": "images"}));
    assert_eq!(tester.refusal(&token("https://three.example")), Code::TokenInvalid);
    assert!(tester.key_server.asked.borrow().is_empty());
    assert_eq!(caller(&tester, &token("https://two.example")).0, "two-123");
    assert_eq!(caller(&tester, &token("https://two.example")).0, "two-123");
    assert_eq!(*tester.key_server.asked.borrow(), ["https://two.example/jwks.json"]);
    assert_eq!(caller(&tester, &token("https://one.example")).0, "one-123");
    assert_eq!(tester.key_server.asked.borrow().len(), 2);
}

/// The faults of a configuration with these issuers.
fn faults(issuers: &str, more: &[(&str, &str)]) -> Vec<String> {
    let problems = config(&variables(issuers, more)).err().unwrap_or_default();
    problems.into_iter().map(|problem| problem.variable.into_owned()).collect()
}

#[test]
fn every_fault_of_an_entry_is_named_by_its_field_and_no_value_repeated() {
    let private = json!({"keys": [{"kty": "oct", "k": "AAAA"}]});
    for (changes, fields) in [
        (json!({}), vec![]),
        (json!({"name": null}), vec!["name"]),
        (json!({"name": "s"}), vec!["name"]),
        (json!({"name": "Shop"}), vec!["name"]),
        (json!({"name": "thirteenchars"}), vec!["name"]),
        (json!({"name": "guest"}), vec!["name"]),
        (json!({"issuer": null}), vec!["issuer"]),
        (json!({"issuer": ""}), vec!["issuer"]),
        (json!({"issuer": "a\nb"}), vec!["issuer"]),
        (json!({"issuer": "urn:the-form:images"}), vec!["issuer"]),
        (json!({"audience": ["images"]}), vec!["audience"]),
        (json!({"hs256Secret": null}), vec![""]),
        (json!({"jwks": {"keys": []}}), vec![""]),
        (json!({"hs256Secret": "MISSING_SECRET"}), vec!["hs256Secret"]),
        (json!({"hs256Secret": "SHORT_SECRET"}), vec!["hs256Secret"]),
        (json!({"hs256Secret": SHOP_SECRET}), vec!["hs256Secret"]),
        (json!({"hs256Secret": null, "jwks": private}), vec!["jwks"]),
        (json!({"hs256Secret": null, "jwks": "[]"}), vec!["jwks"]),
        (json!({"hs256Secret": null, "jwksUrl": "https://shop.example/keys"}), vec!["audience"]),
        (
            json!({"hs256Secret": null, "jwksUrl": "http://shop.example/keys"}),
            vec!["audience", "jwksUrl"],
        ),
        (json!({"roles": []}), vec!["roles"]),
        (json!({"roles": ["user"]}), vec!["roles"]),
        (json!({"roles": "USER"}), vec!["roles"]),
        (json!({"roleMap": {"a": "ADMIN"}}), vec!["roleMap"]),
        (json!({"roleMap": {"a": "a"}}), vec!["roleMap"]),
        (json!({"roleMap": []}), vec!["roleMap"]),
        (json!({"roleClaim": ""}), vec!["roleClaim"]),
        (json!({"userClaim": 7}), vec!["userClaim"]),
        (json!({"rolse": ["ADMIN"]}), vec![""]),
        (json!({"name": "S", "roles": [], "roleClaim": 1}), vec!["name", "roles", "roleClaim"]),
    ] {
        let expected: Vec<_> = fields
            .into_iter()
            .map(|field| {
                format!("AUTH_ISSUERS[1]{}{field}", if field.is_empty() { "" } else { "." })
            })
            .collect();
        let other =
            json!({"name": "other", "issuer": "https://other.example", "jwks": {"keys": []}});
        let issuers = json!([other, shop(&changes)]).to_string();
        let problems = config(&variables(&issuers, &[("SHORT_SECRET", "short")]));
        let problems = problems.err().unwrap_or_default();
        assert!(!format!("{problems:?}").contains("a secret of the shop"), "{changes}");
        let named: Vec<_> = problems.into_iter().map(|problem| problem.variable).collect();
        assert_eq!(named, expected, "{changes}");
    }
}

#[test]
fn names_and_issuers_are_unique_and_the_list_is_one() {
    let twice = json!([shop(&json!({})), shop(&json!({}))]).to_string();
    assert_eq!(faults(&twice, &[]), ["AUTH_ISSUERS[1].name", "AUTH_ISSUERS[1].issuer"]);
    let one = json!([shop(&json!({}))]).to_string();
    assert_eq!(faults(&one, &[("AUTH_ISSUER", SHOP)]), ["AUTH_ISSUER"]);
    assert_eq!(faults(&one, &[("AUTH_ISSUER", "https://platform.example")]), [""; 0]);
    let many = |count: usize| {
        let entry =
            |at| shop(&json!({"name": format!("n{at}"), "issuer": format!("https://n{at}")}));
        json!((0..count).map(entry).collect::<Vec<_>>()).to_string()
    };
    assert_eq!(faults(&many(20), &[]), [""; 0]);
    let member_twice = r#"[{"name":"a1","name":"a2"}]"#;
    for wrong in ["{}", "[", "null", member_twice, &many(21)] {
        assert_eq!(faults(wrong, &[]), ["AUTH_ISSUERS"], "{wrong:.30}");
    }
    assert_eq!(faults("[7]", &[]), ["AUTH_ISSUERS[0]"]);
}

#[test]
fn the_blocks_of_the_guide_are_configurations_that_can_be_used() {
    const GUIDES: [&str; 2] = [
        include_str!("../../../../docs/integrate.md"),
        include_str!("../../../../docs/ko/integrate.md"),
    ];
    let blocks = GUIDES.map(|guide| {
        let blocks = guide.split("```json\n[").skip(1);
        blocks.map(|block| format!("[{}", block.split("```").next().expect("its end"))).collect()
    });
    let [english, korean]: [Vec<String>; 2] = blocks;
    assert_eq!(english.len(), 5);
    assert_eq!(english, korean);
    for block in english {
        assert_eq!(faults(&block, &[]), [""; 0], "{block}");
    }
}
