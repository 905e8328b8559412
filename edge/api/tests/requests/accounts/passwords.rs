//! Passwords are changed with the old one.

use edge_auth::testing::hs256;
use http::StatusCode;
use serde_json::{Value, json};

use super::{PASSWORD, bearer, cookie, log_in, post, refresh, sign_up};
use crate::harness::{TestApp, TestResponse, app, app_with};

const ANN: &str = "ann@example.org";
const NEXT: &str = "battery staple 배터리";

fn path_of(signed_up: &TestResponse) -> String {
    format!("/users/{}/password", signed_up.json["data"]["user"]["id"].as_str().expect("text"))
}

fn change(app: &TestApp, session: &TestResponse, old: &str, new: &str) -> TestResponse {
    let body = json!({"oldPassword": old, "newPassword": new});
    post(app, &path_of(session), &[("authorization", &bearer(session))], &body)
}

#[test]
fn a_user_changes_the_password_and_all_other_sessions_end() {
    let app = app();
    let bob = sign_up(&app, "bob@example.org");
    let first = sign_up(&app, ANN);
    let [second, third] = [(); 2].map(|()| log_in(&app, ANN, PASSWORD));
    let changed = change(&app, &second, PASSWORD, NEXT);
    assert_eq!(changed.json["message"], "change_password_success", "{}", changed.json);
    assert_eq!(changed.json["data"], json!({"endedSessions": 2}));
    assert_eq!(changed.headers["cache-control"], "no-store");
    for ended in [&first, &third] {
        assert_eq!(refresh(&app, &cookie(ended)).code(), "TOKEN_INVALID");
        assert_eq!(change(&app, ended, NEXT, PASSWORD).code(), "TOKEN_INVALID");
    }
    assert_eq!(refresh(&app, &cookie(&second)).status, StatusCode::OK, "the own one goes on");
    assert_eq!(refresh(&app, &cookie(&bob)).status, StatusCode::OK);
    assert_eq!(log_in(&app, ANN, PASSWORD).code(), "CREDENTIALS_INVALID");
    assert_eq!(log_in(&app, ANN, NEXT).status, StatusCode::OK);
    assert_eq!(log_in(&app, "bob@example.org", PASSWORD).status, StatusCode::OK);
    let events = app.ports.registry.events.borrow();
    let recorded: Vec<_> = events.iter().filter(|event| event.kind == "password").collect();
    let expected = second.json["data"]["user"]["id"].as_str().map(|id| format!("user:{id}"));
    assert_eq!(recorded.len(), 1);
    assert_eq!(
        (Some(&recorded[0].subject), &*recorded[0].reason),
        (expected.as_ref(), "by_the_user")
    );
}

#[test]
fn a_wrong_old_password_or_a_new_one_that_may_not_be_chosen_changes_nothing() {
    let app = app();
    let ann = sign_up(&app, ANN);
    log_in(&app, ANN, PASSWORD);
    for (old, new, code) in [
        ("guess", NEXT, "CREDENTIALS_INVALID"),
        ("", NEXT, "CREDENTIALS_INVALID"),
        (PASSWORD, "1234567", "MALFORMED_REQUEST"),
        (PASSWORD, "iloveyou1", "PASSWORD_COMMON"),
        (PASSWORD, ANN, "PASSWORD_COMMON"),
        ("guess", "iloveyou1", "PASSWORD_COMMON"),
    ] {
        assert_eq!(change(&app, &ann, old, new).code(), code, "{old} {new}");
    }
    let headers = [("authorization", &*bearer(&ann))];
    let extra = json!({"oldPassword": PASSWORD, "newPassword": NEXT, "password": NEXT});
    for body in [json!({"newPassword": NEXT}), json!([PASSWORD, NEXT]), extra, Value::Null] {
        assert_eq!(
            post(&app, &path_of(&ann), &headers, &body).code(),
            "MALFORMED_REQUEST",
            "{body}"
        );
    }
    assert_eq!(log_in(&app, ANN, PASSWORD).status, StatusCode::OK);
    let families = app.ports.users.families.borrow();
    assert!(families.iter().all(|family| family.revoked_ms.is_none()), "no session ended");
}

#[test]
fn nobody_changes_the_password_of_another() {
    let app = app();
    let (ann, bob) = (sign_up(&app, ANN), sign_up(&app, "bob@example.org"));
    let body = json!({"oldPassword": PASSWORD, "newPassword": NEXT});
    let admin = format!("Bearer {}", hs256(json!({"sub": "boss", "role": "ADMIN"}), 60));
    for caller in [&bearer(&bob), &admin] {
        let refused = post(&app, &path_of(&ann), &[("authorization", caller)], &body);
        assert_eq!(refused.code(), "USER_MISMATCH");
    }
    assert_eq!(post(&app, &path_of(&ann), &[], &body).code(), "TOKEN_MISSING");
    let platform = format!("Bearer {}", hs256(json!({"sub": "123"}), 60));
    let without = post(&app, "/users/123/password", &[("authorization", &platform)], &body);
    assert_eq!(without.code(), "NOT_FOUND", "a user of the platform has no password here");
    assert_eq!(log_in(&app, ANN, PASSWORD).status, StatusCode::OK);
}

#[test]
fn a_stolen_token_guesses_no_more_passwords_than_a_login() {
    let app = app();
    let ann = sign_up(&app, ANN);
    let codes: Vec<_> =
        (0..12).map(|_| change(&app, &ann, "guess", NEXT).code().to_owned()).collect();
    assert_eq!(codes.iter().filter(|code| *code == "CREDENTIALS_INVALID").count(), 10);
    assert_eq!(change(&app, &ann, PASSWORD, NEXT).code(), "RATE_LIMITED");
}

#[test]
fn a_changed_password_is_not_changed_again_with_the_old_one() {
    let app = app();
    let ann = sign_up(&app, ANN);
    assert_eq!(change(&app, &ann, PASSWORD, NEXT).status, StatusCode::OK);
    assert_eq!(change(&app, &ann, PASSWORD, "another one").code(), "CREDENTIALS_INVALID");
    assert_eq!(change(&app, &ann, NEXT, PASSWORD).status, StatusCode::OK);
}

#[test]
fn without_built_in_accounts_no_password_is_changed() {
    let app = app_with(&[("AUTH_BUILTIN", "false")]);
    let platform = format!("Bearer {}", hs256(json!({"sub": "123"}), 60));
    let body = json!({"oldPassword": PASSWORD, "newPassword": NEXT});
    let refused = post(&app, "/users/123/password", &[("authorization", &platform)], &body);
    assert_eq!(refused.code(), "NOT_FOUND");
}
