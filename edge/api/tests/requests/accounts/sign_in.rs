//! Sign-in at providers: what the flow refuses, and which account it leads to.

use std::collections::BTreeMap;

use base64ct::{Base64UrlUnpadded, Encoding};
use edge_auth::testing::{NOW_MS, SIGNING_JWK, es256, hs256};
use edge_types::Role;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{PASSWORD, cookie, log_in, post, refresh, sign_up};
use crate::harness::{TestApp, TestResponse, app, app_with, ask, get, send};

const ANN: &str = "ann@example.org";
const BASE: &str = "https://image.the-form";
const ISSUER: &str = "https://login.example";
const RETURN: &str = "https://app.example/in";
const MINUTE_MS: u64 = 60_000;
const PROVIDERS: &str = r#"[
    {"name":"work","issuer":"https://login.example","clientId":"app","title":"Work","titleKo":"회사"},
    {"name":"other","issuer":"https://other.example","clientId":"app","responseMode":"form_post"},
    {"name":"naver","type":"naver","clientId":"app"}]"#;

fn sign_in_app(variables: &[(&str, &str)]) -> TestApp {
    let own = [
        ("OIDC_PROVIDERS", PROVIDERS),
        ("OIDC_RETURN_URLS", "https://app.example/in, https://app.example/other"),
        ("OIDC_SECRET_WORK", "a secret"),
    ];
    let app = app_with(&[&own[..], variables].concat());
    publish(&app, ISSUER, &json!({}));
    publish(&app, "https://other.example", &json!({}));
    app
}

/// The metadata and the keys of a provider.
fn publish(app: &TestApp, issuer: &str, more: &Value) {
    let mut metadata = json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    });
    let members = metadata.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    let mut key: Value = serde_json::from_str(SIGNING_JWK).expect("JSON");
    key.as_object_mut().expect("an object").remove("d");
    let mut documents = app.ports.key_server.documents.borrow_mut();
    let url = format!("{issuer}/.well-known/openid-configuration");
    documents.insert(url, metadata.to_string());
    documents.insert(format!("{issuer}/jwks"), json!({ "keys": [key] }).to_string());
}

/// A sign-in that has begun.
struct Begun {
    name: &'static str,
    cookie: String,
    /// The parameters for the provider.
    parameters: BTreeMap<String, String>,
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn begin(app: &TestApp, name: &'static str) -> Begun {
    let response = send(app, get(&format!("/auth/sign-in/{name}")), b"");
    assert_eq!(response.status, StatusCode::SEE_OTHER, "{}", response.json);
    let location = response.headers[header::LOCATION].to_str().expect("text");
    let (_, query) = location.split_once('?').expect("a query");
    Begun { name, cookie: cookie(&response), parameters: parameters(query) }
}

impl Begun {
    /// The claims of a person with a verified address.
    fn claims(&self) -> Value {
        let (now_s, nonce) = (NOW_MS / 1000, &self.parameters["nonce"]);
        json!({
            "iss": ISSUER, "aud": "app", "sub": "ann-at-work", "nonce": nonce, "iat": now_s,
            "exp": now_s + 300, "email": ANN, "email_verified": true,
        })
    }

    /// Comes back with a query, which may have the state as `{state}`.
    fn come_back(&self, app: &TestApp, query: &str) -> TestResponse {
        let query = query.replace("{state}", &self.parameters["state"]);
        let request = get(&format!("/auth/sign-in/{}/callback?{query}", self.name));
        send(app, request.header("cookie", &self.cookie), b"")
    }

    /// Comes back as the person of these claims.
    fn as_person(&self, app: &TestApp, claims: Value) -> TestResponse {
        give(app, &json!({ "id_token": es256(claims) }));
        self.come_back(app, "code=a%2Bcode&state={state}")
    }
}

/// What the provider answers to the request for tokens.
fn give(app: &TestApp, answer: &Value) {
    let mut documents = app.ports.key_server.documents.borrow_mut();
    documents.insert(format!("{ISSUER}/token"), answer.to_string());
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn location(response: &TestResponse) -> &str {
    assert_eq!(response.status, StatusCode::SEE_OTHER, "{}", response.json);
    response.headers[header::LOCATION].to_str().expect("text")
}

/// The step and the token in the URL of the page that asks for a password.
fn step(response: &TestResponse) -> (&str, &str) {
    let url = location(response);
    let step = url.strip_prefix("https://image.the-form/account/#").expect("the page");
    step.split_once('=').expect("a token")
}

fn link(app: &TestApp, begun: &Begun, body: &Value) -> TestResponse {
    post(app, "/auth/sign-in/link", &[("cookie", &begun.cookie)], body)
}

/// The user of the session that a response opens.
fn user(app: &TestApp, response: &TestResponse) -> Value {
    refresh(app, &cookie(response)).json["data"]["user"].clone()
}

fn verify(app: &TestApp) {
    app.ports.users.users.borrow_mut()[0].0.has_verified_email = true;
}

#[test]
fn the_provider_gets_what_the_flow_needs() {
    let app = sign_in_app(&[]);
    let begun = begin(&app, "work");
    let sent = |name: &str| &*begun.parameters[name];
    assert_eq!((sent("response_type"), sent("client_id")), ("code", "app"));
    assert_eq!((sent("scope"), sent("code_challenge_method")), ("openid email", "S256"));
    assert_eq!(sent("redirect_uri"), "https://image.the-form/auth/sign-in/work/callback");
    let kept = app.ports.users.sign_ins.borrow().clone();
    let digest = edge_types::hex::encode(&Sha256::digest(sent("state")));
    assert!(kept.contains_key(&digest) && kept.len() == 1);
    assert!(!format!("{kept:?}").contains(sent("state")));
    let back = begun.as_person(&app, begun.claims());
    assert_eq!(location(&back), RETURN);
    assert!(app.ports.users.sign_ins.borrow().is_empty());
    let form = parameters(&app.ports.key_server.forms.borrow()[0]);
    assert_eq!((&*form["grant_type"], &*form["code"]), ("authorization_code", "a+code"));
    assert_eq!(
        (&*form["redirect_uri"], &*form["client_secret"]),
        (sent("redirect_uri"), "a secret")
    );
    let challenge = Base64UrlUnpadded::encode_string(&Sha256::digest(&form["code_verifier"]));
    assert_eq!(challenge, sent("code_challenge"));
    assert_eq!(begin(&app, "other").parameters["response_mode"], "form_post");
}

#[test]
fn a_state_works_once_for_ten_minutes_in_one_browser() {
    let app = sign_in_app(&[]);
    let begun = begin(&app, "work");
    assert_eq!(begun.come_back(&app, "code=a&state=0").code(), "SIGN_IN_FAILED");
    assert_eq!(begun.come_back(&app, "code=a").code(), "SIGN_IN_FAILED");
    assert_eq!(
        begun.come_back(&app, "code=a&state={state}&state={state}").code(),
        "SIGN_IN_FAILED"
    );
    assert_eq!(location(&begun.as_person(&app, begun.claims())), RETURN);
    assert_eq!(begun.as_person(&app, begun.claims()).code(), "SIGN_IN_FAILED", "the second time");
    let secret = format!("__Secure-sign_in={}", "0".repeat(64));
    for cookie in ["", "__Secure-sign_in=x", &secret] {
        let begun = Begun { cookie: cookie.to_owned(), ..begin(&app, "work") };
        let refused = begun.as_person(&app, begun.claims());
        assert_eq!((refused.status, refused.code()), (StatusCode::UNAUTHORIZED, "SIGN_IN_FAILED"));
    }
    let (early, late) = (begin(&app, "work"), begin(&app, "work"));
    app.ports.set_time(NOW_MS + 10 * MINUTE_MS - 1);
    let later = |begun: &Begun| with(begun.claims(), "exp", json!(NOW_MS / 1000 + 900));
    assert_eq!(location(&early.as_person(&app, later(&early))), RETURN);
    app.ports.set_time(NOW_MS + 10 * MINUTE_MS);
    assert_eq!(late.as_person(&app, later(&late)).code(), "SIGN_IN_FAILED");
}

#[test]
fn an_answer_must_come_from_the_provider_that_was_asked() {
    let app = sign_in_app(&[]);
    for query in [
        "code=a&state={state}&iss=https://other.example",
        "code=a&state={state}&iss=https://login.example&iss=https://login.example",
        "state={state}",
        "code=a&error=access_denied&state={state}",
    ] {
        let begun = begin(&app, "work");
        give(&app, &json!({ "id_token": es256(begun.claims()) }));
        assert_eq!(begun.come_back(&app, query).code(), "SIGN_IN_FAILED", "{query}");
    }
    let other = Begun { name: "other", ..begin(&app, "work") };
    assert_eq!(other.come_back(&app, "code=a&state={state}").code(), "SIGN_IN_FAILED");
    let begun = begin(&app, "work");
    give(&app, &json!({ "id_token": es256(begun.claims()) }));
    let named = begun.come_back(&app, "code=a&state={state}&iss=https%3A%2F%2Flogin.example");
    assert_eq!(location(&named), RETURN);
    let app = sign_in_app(&[]);
    publish(&app, ISSUER, &json!({ "authorization_response_iss_parameter_supported": true }));
    let begun = begin(&app, "work");
    assert_eq!(begun.as_person(&app, begun.claims()).code(), "SIGN_IN_FAILED", "no iss");
}

#[test]
fn metadata_of_another_issuer_is_refused() {
    for wrong in [
        json!({ "issuer": "https://login.example/" }),
        json!({ "issuer": "https://other.example" }),
        json!({ "token_endpoint": "http://login.example/token" }),
        json!({ "jwks_uri": null }),
    ] {
        let app = sign_in_app(&[]);
        publish(&app, ISSUER, &wrong);
        let refused = send(&app, get("/auth/sign-in/work"), b"");
        assert_eq!(
            (refused.code(), &refused.headers["retry-after"]),
            ("BUSY", &"5".parse().expect("valid"))
        );
        publish(&app, ISSUER, &json!({}));
        begin(&app, "work");
    }
}

#[test]
fn an_id_token_is_genuine_and_of_this_sign_in() {
    let app = sign_in_app(&[]);
    for (name, value) in [
        ("nonce", json!("another")),
        ("aud", json!("another")),
        ("iss", json!("https://other.example")),
        ("exp", json!(NOW_MS / 1000 - 300)),
        ("sub", json!("")),
        ("sub", json!("a".repeat(256))),
        ("sub", json!(7)),
    ] {
        let begun = begin(&app, "work");
        let refused = begun.as_person(&app, with(begun.claims(), name, value));
        assert_eq!(refused.code(), "SIGN_IN_FAILED", "{name}");
    }
    for answer in ["no JSON", "[]", "{}", r#"{"id_token":7}"#] {
        let begun = begin(&app, "work");
        let url = format!("{ISSUER}/token");
        app.ports.key_server.documents.borrow_mut().insert(url, answer.to_owned());
        assert_eq!(begun.come_back(&app, "code=a&state={state}").code(), "SIGN_IN_FAILED");
    }
    let begun = begin(&app, "work");
    let head = Base64UrlUnpadded::encode_string(br#"{"alg":"none"}"#);
    let claims = Base64UrlUnpadded::encode_string(begun.claims().to_string().as_bytes());
    for token in [hs256(begun.claims(), 300), format!("{head}.{claims}.")] {
        let begun = begin(&app, "work");
        give(&app, &json!({ "id_token": token }));
        assert_eq!(begun.come_back(&app, "code=a&state={state}").code(), "SIGN_IN_FAILED");
    }
    assert!(app.ports.users.users.borrow().is_empty());
}

#[test]
fn a_new_person_gets_an_account_and_the_same_one_later() {
    let app = sign_in_app(&[]);
    let begun = begin(&app, "work");
    // Apple writes it so.
    let claims = with(begun.claims(), "email_verified", json!("true"));
    let first = user(&app, &begun.as_person(&app, claims));
    assert_eq!((&first["email"], &first["emailVerified"]), (&json!(ANN), &json!(true)));
    let begun = begin(&app, "work");
    let moved = with(begun.claims(), "email", json!("moved@example.org"));
    assert_eq!(user(&app, &begun.as_person(&app, moved))["id"], first["id"]);
    for unverified in [json!(false), json!(null), json!("yes"), json!(1)] {
        let begun = begin(&app, "work");
        let claims = with(
            with(begun.claims(), "sub", json!(unverified.to_string())),
            "email",
            json!("bob@example.org"),
        );
        let user = user(&app, &begun.as_person(&app, with(claims, "email_verified", unverified)));
        assert_eq!((&user["email"], &user["emailVerified"]), (&json!(""), &json!(false)));
    }
    let service = json!({"sub": "platform", "role": "SERVICE"});
    let path = format!("/users/{}/export", first["id"].as_str().expect("text"));
    let export = ask(&app, Method::GET, &path, &service, &Value::Null);
    let identity = &export.json["data"]["identities"][0];
    assert_eq!(
        (&identity["issuer"], &identity["subject"]),
        (&json!(ISSUER), &json!("ann-at-work"))
    );
}

#[test]
fn naver_counts_as_not_having_verified_an_address() {
    let app = sign_in_app(&[]);
    sign_up(&app, ANN);
    verify(&app);
    let begun = begin(&app, "naver");
    let profile = json!({ "resultcode": "00", "response": { "id": "ann", "email": ANN, "email_verified": true } });
    {
        let mut documents = app.ports.key_server.documents.borrow_mut();
        documents.insert("https://openapi.naver.com/v1/nid/me".to_owned(), profile.to_string());
        let token = json!({ "access_token": "t" }).to_string();
        documents.insert("https://nid.naver.com/oauth2.0/token".to_owned(), token);
    }
    let back = begun.come_back(&app, "code=a&state={state}");
    assert_eq!(step(&back).0, "link");
    let asked = app.ports.key_server.asked.borrow();
    assert_eq!(
        asked[..],
        ["https://nid.naver.com/oauth2.0/token", "https://openapi.naver.com/v1/nid/me"]
    );
}

#[test]
fn an_account_with_the_address_is_linked_when_both_sides_have_verified_it() {
    let app = sign_in_app(&[]);
    let local = sign_up(&app, ANN);
    verify(&app);
    let begun = begin(&app, "work");
    let back = begun.as_person(&app, begun.claims());
    assert_eq!(location(&back), RETURN);
    assert_eq!(user(&app, &back)["id"], local.json["data"]["user"]["id"]);
    assert_ne!(refresh(&app, &cookie(&local)).code(), "TOKEN_INVALID", "sessions go on");
    assert_eq!(log_in(&app, ANN, PASSWORD).code(), "none", "so does the password");
    let events = app.ports.registry.events.borrow();
    assert!(events.iter().any(|event| event.kind == "link" && event.reason == "by_provider"));
}

#[test]
fn an_account_is_linked_with_its_password_unless_both_sides_have_verified_the_address() {
    for (verified_here, verified_there, wanted) in
        [(true, false, "link"), (false, false, "link"), (false, true, "take")]
    {
        let app = sign_in_app(&[]);
        let local = sign_up(&app, ANN);
        if verified_here {
            verify(&app);
        }
        let begun = begin(&app, "work");
        let claims = with(begun.claims(), "email_verified", json!(verified_there));
        let back = begun.as_person(&app, claims);
        let (step, token) = step(&back);
        assert_eq!(step, wanted);
        assert!(!back.headers.contains_key(header::SET_COOKIE), "no session yet");
        let elsewhere = Begun { cookie: String::new(), ..begin(&app, "work") };
        let right = json!({ "token": token, "password": PASSWORD });
        assert_eq!(link(&app, &elsewhere, &right).code(), "SIGN_IN_FAILED");
        let wrong = json!({ "token": token, "password": "wrong" });
        assert_eq!(link(&app, &begun, &wrong).code(), "CREDENTIALS_INVALID");
        if wanted == "link" {
            assert_eq!(link(&app, &begun, &json!({ "token": token })).code(), "MALFORMED_REQUEST");
        }
        let origin = [("cookie", &*begun.cookie), ("origin", "https://evil.example")];
        let foreign = post(&app, "/auth/sign-in/link", &origin, &right);
        assert_eq!(foreign.code(), "ROLE_NOT_ALLOWED");
        let linked = link(&app, &begun, &right);
        assert_eq!(linked.json["data"], json!({ "returnUrl": RETURN }), "{}", linked.json);
        let user = user(&app, &linked);
        assert_eq!(user["id"], local.json["data"]["user"]["id"]);
        assert_eq!(user["emailVerified"], verified_here);
        assert_eq!(link(&app, &begun, &right).code(), "SIGN_IN_FAILED", "it works once");
        assert_eq!(log_in(&app, ANN, PASSWORD).code(), "none");
    }
}

#[test]
fn an_unverified_account_that_is_taken_over_loses_what_a_stranger_may_have() {
    let app = sign_in_app(&[]);
    let stranger = sign_up(&app, ANN);
    // The stranger links a provider as well.
    let begun = begin(&app, "work");
    let claims =
        with(with(begun.claims(), "sub", json!("stranger")), "email_verified", json!(false));
    let back = begun.as_person(&app, claims);
    let linked = link(&app, &begun, &json!({ "token": step(&back).1, "password": PASSWORD }));
    assert_eq!(linked.status, StatusCode::OK, "{}", linked.json);
    let begun = begin(&app, "work");
    let back = begun.as_person(&app, begun.claims());
    let (kind, token) = step(&back);
    assert_eq!(kind, "take");
    let owned = link(&app, &begun, &json!({ "token": token }));
    let user = user(&app, &owned);
    assert_eq!(user["id"], stranger.json["data"]["user"]["id"]);
    assert_eq!(user["emailVerified"], true);
    assert_eq!(refresh(&app, &cookie(&stranger)).code(), "TOKEN_INVALID");
    assert_eq!(refresh(&app, &cookie(&linked)).code(), "TOKEN_INVALID");
    assert_eq!(log_in(&app, ANN, PASSWORD).code(), "CREDENTIALS_INVALID");
    let identities = app.ports.users.identities.borrow();
    assert_eq!((identities.len(), &*identities[0].subject), (1, "ann-at-work"));
}

#[test]
fn an_account_that_was_verified_in_the_meantime_is_not_taken_over() {
    let app = sign_in_app(&[]);
    sign_up(&app, ANN);
    let begun = begin(&app, "work");
    let back = begun.as_person(&app, begun.claims());
    verify(&app);
    let refused = link(&app, &begun, &json!({ "token": step(&back).1 }));
    assert_eq!(refused.code(), "SIGN_IN_FAILED");
    assert_eq!(log_in(&app, ANN, PASSWORD).code(), "none");
}

#[test]
fn accounts_of_administrators_are_not_linked_and_a_state_is_no_token() {
    let app = sign_in_app(&[]);
    sign_up(&app, ANN);
    verify(&app);
    app.ports.users.users.borrow_mut()[0].0.role = Role::Admin;
    let begun = begin(&app, "work");
    assert_eq!(begun.as_person(&app, begun.claims()).code(), "SIGN_IN_FAILED");
    let begun = begin(&app, "work");
    let state = json!({ "token": begun.parameters["state"], "password": PASSWORD });
    assert_eq!(link(&app, &begun, &state).code(), "SIGN_IN_FAILED");
    assert!(app.ports.users.identities.borrow().is_empty());
}

#[test]
fn a_person_without_a_verified_address_is_sent_a_mail_where_addresses_must_be_verified() {
    let mails = [("MAIL_URL", "https://mail.example/send"), ("MAIL_FROM", "no-reply@example.org")];
    let app = sign_in_app(&[&mails[..], &[("EMAIL_VERIFICATION", "optional")]].concat());
    sign_up(&app, ANN);
    let users = app.ports.users.users.take();
    let app = sign_in_app(&[&mails[..], &[("EMAIL_VERIFICATION", "required")]].concat());
    *app.ports.users.users.borrow_mut() = users;
    let begun = begin(&app, "work");
    let claims = with(begun.claims(), "email_verified", json!(false));
    let back = begun.as_person(&app, claims);
    let body = json!({ "token": step(&back).1, "password": PASSWORD });
    assert_eq!(link(&app, &begun, &body).code(), "EMAIL_NOT_VERIFIED");
}

#[test]
fn only_urls_of_the_list_are_returned_to() {
    let app = sign_in_app(&[]);
    for query in [
        "return=https://evil.example",
        "return=https://app.example/in/",
        "return=",
        "return=https://app.example/in&return=https://app.example/in",
        "other=https://app.example/in",
    ] {
        let refused = send(&app, get(&format!("/auth/sign-in/work?{query}")), b"");
        assert_eq!(refused.code(), "MALFORMED_REQUEST", "{query}");
    }
    let accepted = send(&app, get("/auth/sign-in/work?return=https://app.example/other"), b"");
    assert_eq!(accepted.status, StatusCode::SEE_OTHER);
    assert_eq!(send(&app, get("/auth/sign-in/google"), b"").code(), "NOT_FOUND");
}

#[test]
fn a_browser_is_sent_to_a_page_and_a_program_gets_json() {
    let app = sign_in_app(&[]);
    let begun = begin(&app, "work");
    let callback = || get("/auth/sign-in/work/callback?code=a&state=x");
    let page = send(&app, callback().header("accept", "text/html,*/*"), b"");
    assert_eq!(location(&page), format!("{BASE}/account/#failed=SIGN_IN_FAILED"));
    assert!(page.text.is_empty() && page.headers["cache-control"] == "no-store");
    assert_eq!(send(&app, callback(), b"").status, StatusCode::UNAUTHORIZED);
    let form = format!("state={}&error=x", begun.parameters["state"]);
    let post = Request::post(format!("{BASE}/auth/sign-in/work/callback"));
    let as_text = send(&app, post.header("content-type", "text/plain"), form.as_bytes());
    assert_eq!(as_text.code(), "MALFORMED_REQUEST");
}

#[test]
fn the_providers_are_listed_in_the_language_of_the_page() {
    let listed = send(&sign_in_app(&[]), get("/auth/sign-in").header("accept-language", "ko"), b"");
    let data = &listed.json["data"];
    let named = |name: &str, title: &str| json!({ "name": name, "title": title });
    assert_eq!(
        data["providers"],
        json!([named("work", "회사"), named("other", "other"), named("naver", "네이버")])
    );
    assert_eq!(data["returnUrl"], RETURN);
    let none = send(&app(), get("/auth/sign-in"), b"");
    assert_eq!(none.json["data"], json!({ "providers": [], "returnUrl": null }));
}
