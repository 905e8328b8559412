//! People who sign up here: in, on, out, and what becomes of those who try others' doors.

mod adoption;
mod guessing;
mod profiles;

use http::header;
use serde_json::json;

use super::*;

const PASSWORD: &str = "correct horse 배터리";

fn post(app: &App<World>, path: &str, headers: &[(&str, &str)], body: &Value) -> Outcome {
    let mut request =
        Request::builder().method(Method::POST).uri(format!("https://image.the-form{path}"));
    request = request.header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(app, request, body.to_string().as_bytes())
}

fn sign_up(app: &App<World>, email: &str) -> Outcome {
    let outcome = post(app, "/users/signup", &[], &json!({"email": email, "password": PASSWORD}));
    assert_eq!(outcome.status, StatusCode::CREATED, "{}", outcome.json);
    outcome
}

fn log_in(app: &App<World>, email: &str, password: &str) -> Outcome {
    post(app, "/auth/login", &[], &json!({"email": email, "password": password}))
}

/// The pair of name and value of the cookie that an answer sets.
fn cookie(outcome: &Outcome) -> String {
    let cookie = outcome.headers[header::SET_COOKIE].to_str().expect("text");
    cookie.split(';').next().expect("a pair").to_owned()
}

fn refresh(app: &App<World>, cookie: &str) -> Outcome {
    post(app, "/auth/refresh_token", &[("cookie", cookie)], &Value::Null)
}

fn bearer(outcome: &Outcome) -> String {
    format!("Bearer {}", outcome.json["data"]["accessToken"].as_str().expect("issued"))
}

#[test]
fn signing_up_logs_in_and_the_token_is_good() {
    let app = app();
    let body = json!({"email": " Ann@Example.ORG", "password": PASSWORD, "nickname": "지민"});
    let signed = post(&app, "/users/signup", &[], &body);
    assert_eq!(signed.status, StatusCode::CREATED, "{}", signed.json);
    assert_eq!(signed.json["message"], "signup_success");
    let data = &signed.json["data"];
    let id = data["user"]["id"].as_str().expect("text");
    assert!(id.starts_with('u') && id.len() == 33, "{id}");
    assert_eq!(data["expiresIn"], 900);
    let now_s = NOW_MS / 1000;
    let payload = json!({"sub": id, "email": "ann@example.org", "role": "USER", "iat": now_s, "exp": now_s + 900});
    assert_eq!(data["payload"], payload);
    assert_eq!(data["user"]["nickname"], "지민");
    assert_eq!(data["user"]["profileImageUrl"], Value::Null);
    assert_eq!(signed.headers["cache-control"], "no-store");
    let set = signed.headers[header::SET_COOKIE].to_str().expect("text");
    let attributes = "; Max-Age=1209600; Path=/; HttpOnly; Secure; SameSite=Strict";
    assert!(set.ends_with(attributes), "{set}");
    let listed = send(&app, get("/images").header("authorization", bearer(&signed)), b"");
    assert_eq!(listed.status, StatusCode::OK, "{}", listed.json);
    let stored = &app.ports.accounts.users.borrow()[0].1.0;
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert!(!signed.json.to_string().contains("argon2"));
}

#[test]
fn what_cannot_be_an_account_is_refused() {
    let app = app();
    sign_up(&app, "ann@example.org");
    for (email, password, code) in [
        ("ANN@example.org ", PASSWORD, "EMAIL_TAKEN"),
        ("no address", PASSWORD, "MALFORMED_REQUEST"),
        ("bob@example.org", "1234567", "MALFORMED_REQUEST"),
        ("bob@example.org", &"가".repeat(129), "MALFORMED_REQUEST"),
        ("bob@example.org", &"가".repeat(128), "none"),
    ] {
        let body = json!({"email": email, "password": password});
        assert_eq!(post(&app, "/auth/signup", &[], &body).code(), code, "{email}");
    }
    let body = json!({"email": "c@example.org", "password": PASSWORD, "nickname": "a\nb"});
    assert_eq!(post(&app, "/users/signup", &[], &body).code(), "MALFORMED_REQUEST");
    assert_eq!(post(&app, "/users/signup", &[], &json!([1])).code(), "MALFORMED_REQUEST");
    assert_eq!(app.ports.accounts.users.borrow().len(), 2);
}

#[test]
fn logging_in_twice_is_told_and_as_whom() {
    let app = app();
    let signed = sign_up(&app, "ann@example.org");
    let login = log_in(&app, "Ann@example.org", PASSWORD);
    assert_eq!(login.json["message"], "login_success", "{}", login.json);
    let body = json!({"email": "ann@example.org", "password": PASSWORD});
    let bearer = bearer(&signed);
    let again = post(&app, "/auth/login", &[("authorization", &bearer)], &body);
    assert_eq!((again.status, again.code()), (StatusCode::CONFLICT, "ALREADY_LOGGED_IN"));
    let id = signed.json["data"]["user"]["id"].as_str().expect("text");
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
fn a_refresh_token_is_good_once_and_its_reuse_ends_the_family() {
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
    let told: Vec<_> = events.iter().map(|event| (&*event.kind, &*event.reason)).collect();
    let once = [("signup", "without_picture"), ("revoke", "refresh_token_reused")];
    assert_eq!(told, once, "told once");
    let login = log_in(&app, "ann@example.org", PASSWORD);
    assert_eq!(refresh(&app, &cookie(&login)).status, StatusCode::OK, "another family");
}

#[test]
fn a_session_ends_by_time_or_by_logging_out() {
    let app = app_with(&[("REFRESH_TOKEN_S", "100")]);
    let mine = cookie(&sign_up(&app, "ann@example.org"));
    app.ports.clock_ms.set(NOW_MS + 99_999);
    let mine = cookie(&refresh(&app, &mine));
    app.ports.clock_ms.set(NOW_MS + 199_999);
    assert_eq!(refresh(&app, &mine).code(), "TOKEN_EXPIRED");
    let other = cookie(&log_in(&app, "ann@example.org", PASSWORD));
    assert_eq!(app.ports.accounts.families.borrow().len(), 1, "what is past its time is forgotten");
    let out = post(&app, "/auth/logout", &[("cookie", &other)], &Value::Null);
    assert_eq!(out.json["message"], "logout_success");
    let set = out.headers[header::SET_COOKIE].to_str().expect("text");
    assert!(set.starts_with("__Host-refresh_token=; Max-Age=0; Path=/;"), "{set}");
    assert_eq!(refresh(&app, &other).code(), "TOKEN_INVALID");
    let events = app.ports.registry.events.borrow();
    assert!(events.iter().all(|event| event.kind != "revoke"), "nothing was stolen");
    assert_eq!(post(&app, "/auth/logout", &[], &Value::Null).status, StatusCode::OK);
    assert_eq!(post(&app, "/auth/refresh_token", &[], &Value::Null).code(), "TOKEN_MISSING");
    assert_eq!(refresh(&app, "__Host-refresh_token=x").code(), "TOKEN_INVALID");
}

#[test]
fn a_cookie_that_was_sent_in_is_never_adopted() {
    let app = app();
    let planted = cookie(&sign_up(&app, "eve@example.org"));
    let body = json!({"email": "ann@example.org", "password": PASSWORD});
    let ann = post(&app, "/users/signup", &[("cookie", &planted)], &body);
    let login = post(&app, "/auth/login", &[("cookie", &planted)], &body);
    for outcome in [&ann, &login] {
        assert_ne!(cookie(outcome), planted);
    }
    let eve = refresh(&app, &planted);
    assert_eq!(eve.json["data"]["user"]["email"], "eve@example.org");
}

#[test]
fn pages_of_other_sites_reach_neither_cookie_nor_answer() {
    let own = [("ALLOWED_ORIGINS", "https://the-form, http://localhost:5173")];
    for (variables, origin, taken, told) in [
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
        let outcome = post(&app, "/auth/refresh_token", &headers, &Value::Null);
        assert_eq!(outcome.status == StatusCode::OK, taken, "{origin}: {}", outcome.json);
        let credentials = outcome.headers.get(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
        assert_eq!(credentials.is_some(), told, "{origin}");
        let policy = send(&app, get("/policy").header("origin", origin), b"");
        assert!(!policy.headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
        if !taken {
            assert_eq!(outcome.code(), "ROLE_NOT_ALLOWED");
            assert_eq!(refresh(&app, &mine).status, StatusCode::OK, "nothing was spent");
        }
    }
}

#[test]
fn a_form_of_another_site_cannot_send_what_is_asked_for() {
    let app = app();
    let mine = cookie(&sign_up(&app, "ann@example.org"));
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        for path in ["/auth/refresh_token", "/auth/logout", "/auth/login", "/users/signup"] {
            let request = Request::builder()
                .method(Method::POST)
                .uri(format!("https://image.the-form{path}"))
                .header("content-type", kind)
                .header("cookie", &mine);
            assert_eq!(send(&app, request, b"{}").code(), "MALFORMED_REQUEST", "{path}");
        }
    }
    assert_eq!(refresh(&app, &mine).status, StatusCode::OK);
}

#[test]
fn refreshing_and_signing_out_need_no_body_but_the_right_origin() {
    let app = app();
    let bare = |path: &str, cookie: &str, more: &[(&str, &str)]| {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("https://image.the-form{path}"))
            .header("cookie", cookie);
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        send(&app, request, b"")
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
    assert_eq!(refresh(&app, &mine).code(), "TOKEN_INVALID", "it has ended");
}

#[test]
fn accounts_can_be_left_to_the_platform() {
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
        let outcome = send(&app, get(path).method(method), b"");
        assert_eq!(outcome.code(), "NOT_FOUND", "{path}");
    }
    assert_eq!(send(&app, get("/auth/guest-token"), b"").status, StatusCode::OK);
}

#[test]
fn tokens_of_the_key_before_stay_good_and_both_keys_are_published() {
    const NEXT: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
    let before = app();
    let signed = sign_up(&before, "ann@example.org");
    let public = SIGNING_JWK.split(",\"d\"").next().expect("a part").to_owned() + "}";
    for previous in [SIGNING_JWK, &public] {
        let after = app_with(&[("SIGNING_JWK", NEXT), ("SIGNING_JWK_PREVIOUS", previous)]);
        let listed = send(&after, get("/images").header("authorization", bearer(&signed)), b"");
        assert_eq!(listed.status, StatusCode::OK, "{}", listed.json);
        let keys = send(&after, get("/.well-known/jwks.json"), b"").json;
        assert_eq!(keys["keys"].as_array().map(Vec::len), Some(2));
        assert!(!keys.to_string().contains("\"d\""), "{keys}");
        assert_ne!(keys["keys"][0]["kid"], keys["keys"][1]["kid"]);
    }
    let later = app_with(&[("SIGNING_JWK", NEXT)]);
    let refused = send(&later, get("/images").header("authorization", bearer(&signed)), b"");
    assert_eq!(refused.code(), "TOKEN_INVALID");
}
