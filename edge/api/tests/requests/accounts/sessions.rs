//! Sessions are listed and ended, end by themselves, and count where it matters.

use edge_auth::testing::{NOW_MS, hs256};
use edge_types::Role;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::{PASSWORD, bearer, cookie, log_in, post, post_to, refresh, sign_up, with_headers};
use crate::harness::{TestApp, TestResponse, app, app_with, get, send};

const ANN: &str = "ann@example.org";
const DAY_MS: u64 = 86_400_000;

fn ask(app: &TestApp, method: Method, path: &str, bearer: &str) -> TestResponse {
    send(app, get(path).method(method).header("authorization", bearer), b"")
}

fn sessions(app: &TestApp, bearer: &str) -> Vec<Value> {
    let listed = ask(app, Method::GET, "/auth/sessions", bearer);
    assert_eq!(listed.status, StatusCode::OK, "{}", listed.json);
    listed.json["data"]["sessions"].as_array().expect("a list").clone()
}

/// Logs in with a browser of this name.
fn log_in_with(app: &TestApp, user_agent: &str) -> TestResponse {
    let body = json!({"email": ANN, "password": PASSWORD});
    post(app, "/auth/login", &[("user-agent", user_agent)], &body)
}

fn user_id(response: &TestResponse) -> String {
    response.json["data"]["user"]["id"].as_str().expect("text").to_owned()
}

fn set_role(app: &TestApp, role: Role) {
    app.ports.users.users.borrow_mut()[0].0.role = role;
}

/// An administrator who has logged in.
fn log_in_as_admin(app: &TestApp) -> TestResponse {
    sign_up(app, ANN);
    set_role(app, Role::Admin);
    let login = log_in(app, ANN, PASSWORD);
    assert_eq!(login.json["data"]["user"]["role"], "ADMIN");
    login
}

fn status(app: &TestApp, bearer: &str) -> String {
    ask(app, Method::GET, "/admin/api/status", bearer).code().to_owned()
}

#[test]
fn a_user_lists_their_sessions_the_last_used_first() {
    let app = app();
    sign_up(&app, "bob@example.org");
    let first = sign_up(&app, ANN);
    app.ports.clock.advance(1_000);
    let phone = log_in_with(&app, &"Phone ".repeat(100));
    app.ports.clock.advance(1_000);
    let renewed = refresh(&app, &cookie(&first));
    let listed = sessions(&app, &bearer(&renewed));
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["current"], true);
    assert_eq!(listed[0]["userAgent"], Value::Null);
    assert_eq!(listed[0]["createdAt"], "2025-11-13T02:13:20.000Z");
    assert_eq!(listed[0]["usedAt"], "2025-11-13T02:13:22.000Z");
    assert_eq!(listed[0]["expiresAt"], "2025-11-27T02:13:22.000Z");
    assert_eq!(listed[1]["current"], false);
    assert_eq!(listed[1]["userAgent"].as_str().map(str::len), Some(256));
    assert_eq!(sessions(&app, &bearer(&phone))[1]["current"], true);
    let platform = format!("Bearer {}", hs256(json!({"sub": "123"}), 60));
    assert_eq!(sessions(&app, &platform), [Value::Null; 0], "a platform's users have none here");
}

#[test]
fn a_user_ends_one_session_or_all_others() {
    let app = app();
    let bob = sign_up(&app, "bob@example.org");
    let first = sign_up(&app, ANN);
    let [second, third, fourth] = [(); 3].map(|()| log_in(&app, ANN, PASSWORD));
    let id_of = |response: &TestResponse| {
        let listed = sessions(&app, &bearer(response));
        let own = listed.iter().find(|it| it["current"] == true).expect("listed");
        own["id"].as_str().expect("text").to_owned()
    };
    let second_id = id_of(&second);
    let path = format!("/auth/sessions/{second_id}");
    assert_eq!(ask(&app, Method::DELETE, &path, &bearer(&bob)).code(), "NOT_FOUND", "another's");
    let ended = ask(&app, Method::DELETE, &path, &bearer(&first));
    assert_eq!(ended.json["message"], "end_session_success", "{}", ended.json);
    assert_eq!(ended.json["data"], json!({"ended": 1}));
    assert_eq!(ask(&app, Method::DELETE, &path, &bearer(&first)).code(), "NOT_FOUND", "ended");
    assert_eq!(refresh(&app, &cookie(&second)).code(), "TOKEN_INVALID");
    let refused = ask(&app, Method::GET, "/auth/sessions", &bearer(&second));
    assert_eq!(refused.code(), "TOKEN_INVALID", "its access token lists and ends nothing");
    assert_eq!(sessions(&app, &bearer(&first)).len(), 3);

    let others = ask(&app, Method::DELETE, "/auth/sessions", &bearer(&third));
    assert_eq!(others.json["data"], json!({"ended": 2}), "{}", others.json);
    for ended in [&first, &fourth] {
        assert_eq!(refresh(&app, &cookie(ended)).code(), "TOKEN_INVALID");
    }
    let body = json!({"email": ANN, "password": PASSWORD});
    let again = post(&app, "/auth/login", &[("authorization", &bearer(&first))], &body);
    assert_eq!(again.status, StatusCode::OK, "who was logged out may log in: {}", again.json);
    assert_eq!(refresh(&app, &cookie(&third)).status, StatusCode::OK, "the own one goes on");
    assert_eq!(sessions(&app, &bearer(&bob)).len(), 1, "other users are not affected");
    let events = app.ports.registry.events.borrow();
    let revoked: Vec<_> = events.iter().filter(|event| event.kind == "revoke").collect();
    assert_eq!(revoked.len(), 2, "refreshing an ended session is no reuse");
    assert!(revoked.iter().all(|event| event.reason == "by_the_user" && event.detail.is_none()));
}

#[test]
fn an_administrator_lists_and_ends_the_sessions_of_any_user() {
    let app = app();
    let ann = sign_up(&app, ANN);
    let second = log_in(&app, ANN, PASSWORD);
    let boss = format!("Bearer {}", hs256(json!({"sub": "boss", "role": "ADMIN"}), 60));
    let path = format!("/admin/api/users/{}/sessions", user_id(&ann));
    let listed = ask(&app, Method::GET, &path, &boss).json["data"]["sessions"].clone();
    let listed = listed.as_array().expect("a list");
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|it| it["current"] == false));
    let one = format!("{path}/{}", listed[0]["id"].as_str().expect("text"));
    assert_eq!(ask(&app, Method::DELETE, &one, &boss).json["data"], json!({"ended": 1}));
    assert_eq!(ask(&app, Method::DELETE, &one, &boss).code(), "NOT_FOUND");
    let all = ask(&app, Method::DELETE, &path, &boss);
    assert_eq!(all.json["message"], "end_sessions_success", "{}", all.json);
    assert_eq!(all.json["data"], json!({"ended": 1}));
    assert_eq!(ask(&app, Method::DELETE, &path, &boss).json["data"], json!({"ended": 0}));
    for ended in [&ann, &second] {
        assert_eq!(refresh(&app, &cookie(ended)).code(), "TOKEN_INVALID");
    }
    let events = app.ports.registry.events.borrow();
    let revoked: Vec<_> = events.iter().filter(|event| event.kind == "revoke").collect();
    assert_eq!(revoked.len(), 2);
    assert_eq!(revoked[0].reason, "administrator");
    assert_eq!(revoked[0].detail.as_deref(), Some("by boss"));
    for path in ["/users/123/other", "/users/123/sessions/x", "/users/a.b/sessions", "/users/"] {
        assert_eq!(ask(&app, Method::GET, &format!("/admin/api{path}"), &boss).code(), "NOT_FOUND");
    }
}

#[test]
fn a_session_ends_90_days_after_its_login_however_often_it_is_used() {
    let app = app();
    let mut mine = cookie(&sign_up(&app, ANN));
    for day in (1..90).step_by(8) {
        app.ports.set_time(NOW_MS + day * DAY_MS);
        mine = cookie(&refresh(&app, &mine));
    }
    app.ports.set_time(NOW_MS + 90 * DAY_MS - 1_000);
    let last = refresh(&app, &mine);
    assert_eq!(last.status, StatusCode::OK, "{}", last.json);
    let set = last.headers[header::SET_COOKIE].to_str().expect("text");
    assert!(set.contains("; Max-Age=1;"), "{set}");
    app.ports.set_time(NOW_MS + 90 * DAY_MS);
    assert_eq!(refresh(&app, &cookie(&last)).code(), "TOKEN_EXPIRED");
    let events = app.ports.registry.events.borrow();
    assert!(events.iter().all(|event| event.kind != "revoke"), "it is no reuse");
}

#[test]
fn a_lower_limit_ends_old_sessions_at_their_next_refresh() {
    let before = app();
    let mine = cookie(&sign_up(&before, ANN));
    let after = app_with(&[("REFRESH_ABSOLUTE_DAYS", "1")]);
    after.ports.users.users.borrow_mut().append(&mut before.ports.users.users.borrow_mut());
    after.ports.users.families.borrow_mut().append(&mut before.ports.users.families.borrow_mut());
    after.ports.set_time(NOW_MS + DAY_MS);
    assert_eq!(refresh(&after, &mine).code(), "TOKEN_EXPIRED");
    assert!(after.ports.registry.events.borrow().is_empty(), "it is no reuse");
}

#[test]
fn an_administrator_who_logged_out_is_refused_within_a_minute() {
    let app = app();
    let login = log_in_as_admin(&app);
    assert_eq!(status(&app, &bearer(&login)), "none");
    let out = with_headers(post_to("/auth/logout"), &[("cookie", &cookie(&login))]);
    assert_eq!(send(&app, out, b"").status, StatusCode::OK);
    assert_eq!(status(&app, &bearer(&login)), "TOKEN_INVALID", "at once by the same isolate");

    let login = log_in(&app, ANN, PASSWORD);
    assert_eq!(status(&app, &bearer(&login)), "none");
    // As by another isolate.
    for family in app.ports.users.families.borrow_mut().iter_mut() {
        family.revoked_ms = Some(NOW_MS);
    }
    app.ports.clock.advance(60_000);
    assert_eq!(status(&app, &bearer(&login)), "TOKEN_INVALID");
}

#[test]
fn a_demoted_administrator_is_refused_within_a_minute_and_gets_a_token_with_the_new_role() {
    let app = app();
    let login = log_in_as_admin(&app);
    let image = ask(&app, Method::DELETE, "/images/1", &bearer(&login));
    assert_eq!(image.code(), "IMAGE_NOT_FOUND", "administrators may delete any");
    set_role(&app, Role::User);
    app.ports.clock.advance(60_000);
    for (method, path) in [
        (Method::GET, "/admin/api/status"),
        (Method::DELETE, "/images/1"),
        (Method::GET, "/users/123"),
        (Method::GET, "/metrics"),
    ] {
        let refused = ask(&app, method, path, &bearer(&login));
        assert_eq!(refused.code(), "TOKEN_EXPIRED", "{path}");
    }
    let renewed = refresh(&app, &cookie(&login));
    assert_eq!(renewed.json["data"]["payload"]["role"], "USER");
    assert_eq!(status(&app, &bearer(&renewed)), "ROLE_NOT_ALLOWED");
}

#[test]
fn the_database_is_asked_once_in_half_a_minute() {
    let app = app();
    let login = log_in_as_admin(&app);
    assert_eq!(status(&app, &bearer(&login)), "none");
    app.ports.registry.broken.set(true);
    assert_eq!(status(&app, &bearer(&login)), "none");
    app.ports.clock.advance(30_000);
    assert_eq!(status(&app, &bearer(&login)), "BUSY", "without a database nobody is trusted");
}

#[test]
fn without_built_in_accounts_there_are_no_sessions() {
    let app = app_with(&[("AUTH_BUILTIN", "false")]);
    let platform = format!("Bearer {}", hs256(json!({"sub": "123"}), 60));
    for path in ["/auth/sessions", "/auth/sessions/0123456789abcdef0123456789abcdef"] {
        assert_eq!(ask(&app, Method::DELETE, path, &platform).code(), "NOT_FOUND", "{path}");
    }
}
