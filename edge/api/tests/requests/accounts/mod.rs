//! The built-in accounts: sign-up, login, refresh tokens, logout.

mod claim;
mod login_throttle;
mod mail_links;
mod passwords;
mod profiles;
mod sessions;
mod sign_in;

use edge_auth::testing::{NOW_MS, SIGNING_JWK, hs256};
use http::{Method, Request, StatusCode, header, request::Builder};
use serde_json::{Value, json};

use crate::harness::{TestApp, TestResponse, app, app_with, get, send};

const PASSWORD: &str = "correct horse 배터리";

/// On the origin of the images, so that requests of its own pages are same-origin.
fn post_to(path: &str) -> Builder {
    Request::post(format!("https://image.the-form{path}"))
}

fn with_headers(request: Builder, headers: &[(&str, &str)]) -> Builder {
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

fn post(app: &TestApp, path: &str, headers: &[(&str, &str)], body: &Value) -> TestResponse {
    let request = post_to(path).header("content-type", "application/json");
    send(app, with_headers(request, headers), body.to_string().as_bytes())
}

fn sign_up(app: &TestApp, email: &str) -> TestResponse {
    let response = post(app, "/users/signup", &[], &json!({"email": email, "password": PASSWORD}));
    assert_eq!(response.status, StatusCode::CREATED, "{}", response.json);
    response
}

fn log_in(app: &TestApp, email: &str, password: &str) -> TestResponse {
    post(app, "/auth/login", &[], &json!({"email": email, "password": password}))
}

/// Name and value of the cookie that a response sets.
fn cookie(response: &TestResponse) -> String {
    let cookie = response.headers[header::SET_COOKIE].to_str().expect("text");
    cookie.split(';').next().expect("a pair").to_owned()
}

fn refresh(app: &TestApp, cookie: &str) -> TestResponse {
    post(app, "/auth/refresh_token", &[("cookie", cookie)], &Value::Null)
}

fn access_token(response: &TestResponse) -> &str {
    response.json["data"]["accessToken"].as_str().expect("issued")
}

fn bearer(response: &TestResponse) -> String {
    format!("Bearer {}", access_token(response))
}

#[test]
fn sign_up_logs_in() {
    let app = app();
    let body = json!({"email": " Ann@Example.ORG", "password": PASSWORD, "nickname": "지민"});
    let signed_up = post(&app, "/users/signup", &[], &body);
    assert_eq!(signed_up.status, StatusCode::CREATED, "{}", signed_up.json);
    assert_eq!(signed_up.json["message"], "signup_success");
    let data = &signed_up.json["data"];
    let id = data["user"]["id"].as_str().expect("text");
    assert!(id.starts_with('u') && id.len() == 33, "{id}");
    assert_eq!(data["expiresIn"], 900);
    let now_s = NOW_MS / 1000;
    let payload = json!({"sub": id, "email": "ann@example.org", "role": "USER", "iat": now_s, "exp": now_s + 900});
    assert_eq!(data["payload"], payload);
    assert_eq!(data["user"]["nickname"], "지민");
    assert_eq!(data["user"]["profileImageUrl"], Value::Null);
    assert_eq!(signed_up.headers["cache-control"], "no-store");
    let set = signed_up.headers[header::SET_COOKIE].to_str().expect("text");
    let attributes = "; Max-Age=1209600; Path=/; HttpOnly; Secure; SameSite=Strict";
    assert!(set.ends_with(attributes), "{set}");
    let listed = send(&app, get("/images").header("authorization", bearer(&signed_up)), b"");
    assert_eq!(listed.status, StatusCode::OK, "{}", listed.json);
    let stored = &app.ports.users.users.borrow()[0].1.0;
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert!(!signed_up.json.to_string().contains("argon2"));
}

#[test]
fn an_invalid_sign_up_is_refused() {
    let app = app();
    sign_up(&app, "ann@example.org");
    for (email, password, code) in [
        ("ANN@example.org ", PASSWORD, "EMAIL_TAKEN"),
        ("no address", PASSWORD, "MALFORMED_REQUEST"),
        ("bob@example.org", "1234567", "MALFORMED_REQUEST"),
        ("bob@example.org", "Password1", "PASSWORD_COMMON"),
        ("bob@example.org", "Bob@Example.org", "PASSWORD_COMMON"),
        ("bob@example.org", &"가".repeat(129), "MALFORMED_REQUEST"),
        ("bob@example.org", &"가".repeat(128), "none"),
    ] {
        let body = json!({"email": email, "password": password});
        assert_eq!(post(&app, "/auth/signup", &[], &body).code(), code, "{email}");
    }
    let body = json!({"email": "c@example.org", "password": PASSWORD, "nickname": "a\nb"});
    assert_eq!(post(&app, "/users/signup", &[], &body).code(), "MALFORMED_REQUEST");
    assert_eq!(post(&app, "/users/signup", &[], &json!([1])).code(), "MALFORMED_REQUEST");
    assert_eq!(app.ports.users.users.borrow().len(), 2);
}

#[test]
fn a_second_login_is_a_conflict_that_names_the_user() {
    let app = app();
    let signed_up = sign_up(&app, "ann@example.org");
    let login = log_in(&app, "Ann@example.org", PASSWORD);
    assert_eq!(login.json["message"], "login_success", "{}", login.json);
    let body = json!({"email": "ann@example.org", "password": PASSWORD});
    let bearer = bearer(&signed_up);
    let again = post(&app, "/auth/login", &[("authorization", &bearer)], &body);
    assert_eq!((again.status, again.code()), (StatusCode::CONFLICT, "ALREADY_LOGGED_IN"));
    let id = signed_up.json["data"]["user"]["id"].as_str().expect("text");
    assert_eq!(again.json["sub"], id);
    assert!(again.json["detail"].as_str().expect("text").contains(id));
    let guest = format!("Bearer {}", hs256(json!({"sub": "g", "role": "GUEST"}), 60));
    let old = format!("Bearer {}", hs256(json!({"sub": "7"}), -60));
    for header in [guest, old, "Bearer x".to_owned()] {
        let login = post(&app, "/auth/login", &[("authorization", &header)], &body);
        assert_eq!(login.status, StatusCode::OK, "{}", login.json);
    }
}

#[test]
fn the_reuse_of_a_refresh_token_revokes_its_family() {
    let app = app();
    let first = cookie(&sign_up(&app, "ann@example.org"));
    let second = refresh(&app, &first);
    assert_eq!(second.json["message"], "refresh_token_success", "{}", second.json);
    let second = cookie(&second);
    assert_ne!(first, second);
    let third = cookie(&refresh(&app, &second));
    assert_eq!(refresh(&app, &first).code(), "TOKEN_INVALID");
    assert_eq!(refresh(&app, &third).code(), "TOKEN_INVALID", "the last of the family");
    let events = app.ports.registry.events.borrow();
    let recorded: Vec<_> = events.iter().map(|event| (&*event.kind, &*event.reason)).collect();
    let expected = [("signup", "without_picture"), ("revoke", "refresh_token_reused")];
    assert_eq!(recorded, expected, "the revocation is recorded once");
    let login = log_in(&app, "ann@example.org", PASSWORD);
    assert_eq!(refresh(&app, &cookie(&login)).status, StatusCode::OK, "another family");
}

#[test]
fn a_session_ends_by_expiry_or_logout() {
    let app = app_with(&[("REFRESH_TOKEN_S", "100")]);
    let mine = cookie(&sign_up(&app, "ann@example.org"));
    app.ports.set_time(NOW_MS + 99_999);
    let mine = cookie(&refresh(&app, &mine));
    app.ports.set_time(NOW_MS + 199_999);
    assert_eq!(refresh(&app, &mine).code(), "TOKEN_EXPIRED");
    let other = cookie(&log_in(&app, "ann@example.org", PASSWORD));
    assert_eq!(app.ports.users.families.borrow().len(), 1, "the expired one was deleted");
    let out = post(&app, "/auth/logout", &[("cookie", &other)], &Value::Null);
    assert_eq!(out.json["message"], "logout_success");
    let set = out.headers[header::SET_COOKIE].to_str().expect("text");
    assert!(set.starts_with("__Host-refresh_token=; Max-Age=0; Path=/;"), "{set}");
    assert_eq!(refresh(&app, &other).code(), "TOKEN_INVALID");
    let events = app.ports.registry.events.borrow();
    assert!(events.iter().all(|event| event.kind != "revoke"), "an expired token is no reuse");
    assert_eq!(post(&app, "/auth/logout", &[], &Value::Null).status, StatusCode::OK);
    assert_eq!(post(&app, "/auth/refresh_token", &[], &Value::Null).code(), "TOKEN_MISSING");
    assert_eq!(refresh(&app, "__Host-refresh_token=x").code(), "TOKEN_INVALID");
}

#[test]
fn of_several_refresh_cookies_none_is_used_or_ended() {
    let app = app();
    let [eve, ann] =
        ["eve", "ann"].map(|name| cookie(&sign_up(&app, &format!("{name}@example.org"))));
    for cookies in [format!("{eve}; {ann}"), format!("{ann}; {eve}"), format!("{ann}; {ann}")] {
        assert_eq!(refresh(&app, &cookies).code(), "MALFORMED_REQUEST", "{cookies}");
        let out = post(&app, "/auth/logout", &[("cookie", &cookies)], &Value::Null);
        assert_eq!(out.code(), "MALFORMED_REQUEST", "{cookies}");
    }
    for (mine, email) in [(eve, "eve@example.org"), (ann, "ann@example.org")] {
        assert_eq!(refresh(&app, &mine).json["data"]["user"]["email"], email);
    }
}

#[test]
fn a_planted_cookie_is_never_adopted() {
    let app = app();
    let planted = cookie(&sign_up(&app, "eve@example.org"));
    let body = json!({"email": "ann@example.org", "password": PASSWORD});
    let ann = post(&app, "/users/signup", &[("cookie", &planted)], &body);
    let login = post(&app, "/auth/login", &[("cookie", &planted)], &body);
    for response in [&ann, &login] {
        assert_ne!(cookie(response), planted);
    }
    let eve = refresh(&app, &planted);
    assert_eq!(eve.json["data"]["user"]["email"], "eve@example.org");
}

#[test]
fn other_origins_can_neither_use_the_cookie_nor_read_the_response() {
    let own = [("ALLOWED_ORIGINS", "https://the-form, http://localhost:5173")];
    for (variables, origin, is_accepted, has_credentials) in [
        (&own[..], "https://image.the-form", true, false),
        (&own[..], "https://the-form", true, true),
        (&own[..], "https://evil.example", false, false),
        (&own[..], "null", false, false),
        (&[("ALLOWED_ORIGINS", "*")][..], "https://image.the-form", true, false),
        (&[("ALLOWED_ORIGINS", "*")][..], "https://evil.example", false, false),
    ] {
        let app = app_with(variables);
        let mine = cookie(&sign_up(&app, "ann@example.org"));
        let headers = [("cookie", &*mine), ("origin", origin)];
        let response = post(&app, "/auth/refresh_token", &headers, &Value::Null);
        assert_eq!(response.status == StatusCode::OK, is_accepted, "{origin}: {}", response.json);
        let credentials = response.headers.get(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
        assert_eq!(credentials.is_some(), has_credentials, "{origin}");
        let policy = send(&app, get("/policy").header("origin", origin), b"");
        assert!(!policy.headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
        if !is_accepted {
            assert_eq!(response.code(), "ROLE_NOT_ALLOWED");
            assert_eq!(refresh(&app, &mine).status, StatusCode::OK, "the token was not spent");
        }
    }
}

#[test]
fn a_form_of_another_site_is_refused_by_its_content_type() {
    let app = app();
    let mine = cookie(&sign_up(&app, "ann@example.org"));
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        for path in ["/auth/refresh_token", "/auth/logout", "/auth/login", "/users/signup"] {
            let request = post_to(path).header("content-type", kind).header("cookie", &mine);
            assert_eq!(send(&app, request, b"{}").code(), "MALFORMED_REQUEST", "{path}");
        }
    }
    assert_eq!(refresh(&app, &mine).status, StatusCode::OK);
}

#[test]
fn refresh_and_logout_need_no_body_but_the_right_origin() {
    let app = app();
    let bare = |path: &str, cookie: &str, more: &[(&str, &str)]| {
        send(&app, with_headers(post_to(path).header("cookie", cookie), more), b"")
    };
    let first = cookie(&sign_up(&app, "ann@example.org"));
    let length = [("content-length", "0"), ("origin", "https://image.the-form")];
    let refreshed = bare("/auth/refresh_token", &first, &length);
    assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.json);
    let mine = cookie(&refreshed);
    for (name, value, code) in [
        ("origin", "https://evil.example", "ROLE_NOT_ALLOWED"),
        ("origin", "null", "ROLE_NOT_ALLOWED"),
        ("content-length", "2", "MALFORMED_REQUEST"),
        ("transfer-encoding", "chunked", "MALFORMED_REQUEST"),
        ("content-type", "text/plain", "MALFORMED_REQUEST"),
    ] {
        for path in ["/auth/refresh_token", "/auth/logout"] {
            assert_eq!(bare(path, &mine, &[(name, value)]).code(), code, "{path} {name}: {value}");
        }
    }
    let out = bare("/auth/logout", &mine, &[]);
    assert_eq!(out.json["message"], "logout_success", "{}", out.json);
    assert_eq!(refresh(&app, &mine).code(), "TOKEN_INVALID", "it was revoked");
}

#[test]
fn built_in_accounts_can_be_disabled() {
    let app = app_with(&[("AUTH_BUILTIN", "false")]);
    for (method, path) in [
        (Method::POST, "/users/signup"),
        (Method::POST, "/auth/signup"),
        (Method::POST, "/auth/login"),
        (Method::POST, "/auth/refresh_token"),
        (Method::OPTIONS, "/auth/logout"),
        (Method::GET, "/users/123"),
        (Method::PATCH, "/users/123"),
    ] {
        let response = send(&app, get(path).method(method), b"");
        assert_eq!(response.code(), "NOT_FOUND", "{path}");
    }
    assert_eq!(send(&app, get("/auth/guest-token"), b"").status, StatusCode::OK);
}

#[test]
fn tokens_of_the_previous_key_stay_valid_and_both_keys_are_published() {
    const NEXT: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
    let before = app();
    let signed_up = sign_up(&before, "ann@example.org");
    let public = SIGNING_JWK.split(",\"d\"").next().expect("a part").to_owned() + "}";
    for previous in [SIGNING_JWK, &public] {
        let after = app_with(&[("SIGNING_JWK", NEXT), ("SIGNING_JWK_PREVIOUS", previous)]);
        let listed = send(&after, get("/images").header("authorization", bearer(&signed_up)), b"");
        assert_eq!(listed.status, StatusCode::OK, "{}", listed.json);
        let keys = send(&after, get("/.well-known/jwks.json"), b"").json;
        assert_eq!(keys["keys"].as_array().map(Vec::len), Some(2));
        assert!(!keys.to_string().contains("\"d\""), "{keys}");
        assert_ne!(keys["keys"][0]["kid"], keys["keys"][1]["kid"]);
    }
    let later = app_with(&[("SIGNING_JWK", NEXT)]);
    let refused = send(&later, get("/images").header("authorization", bearer(&signed_up)), b"");
    assert_eq!(refused.code(), "TOKEN_INVALID");
}
