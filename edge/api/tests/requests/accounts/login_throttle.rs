//! Guessed passwords.

use futures_executor::block_on;
use http::StatusCode;
use serde_json::json;

use super::{PASSWORD, log_in, post, sign_up};
use crate::harness::{TestResponse, app, app_with};

#[test]
fn an_unknown_address_and_a_wrong_password_get_the_same_response() {
    let app = app();
    sign_up(&app, "ann@example.org");
    let visible = |response: TestResponse| {
        let mut json = response.json;
        json["requestId"].take();
        (response.status, json, response.headers.len())
    };
    let wrong = visible(log_in(&app, "ann@example.org", "wrong password"));
    let unknown = visible(log_in(&app, "bob@example.org", "wrong password"));
    assert_eq!(wrong.1["code"], "CREDENTIALS_INVALID");
    assert_eq!(wrong, unknown);
    let short = visible(log_in(&app, "ann@example.org", ""));
    assert_eq!(short, unknown);
}

#[test]
fn logins_with_one_address_are_throttled_across_client_ips() {
    let app = app();
    sign_up(&app, "ann@example.org");
    for email in ["ann@example.org", "nobody@example.org"] {
        let guess = |from: u32, password: &str| {
            let body = json!({"email": email, "password": password});
            let address = format!("203.0.113.{from}");
            post(&app, "/auth/login", &[("cf-connecting-ip", &address)], &body)
        };
        for at in 0..5 {
            assert_eq!(guess(at, &format!("guess {at}")).code(), "CREDENTIALS_INVALID");
        }
        let throttled = guess(9, PASSWORD);
        assert_eq!(throttled.code(), "RATE_LIMITED", "the right one must wait, too");
        assert_eq!(throttled.headers["retry-after"], "1");
        app.ports.clock.advance(1_000);
        assert_eq!(guess(9, "guess").code(), "CREDENTIALS_INVALID");
        assert_eq!(guess(9, "guess").headers["retry-after"], "2");
    }
    app.ports.clock.advance(2_000);
    assert_eq!(log_in(&app, "ann@example.org", PASSWORD).status, StatusCode::OK);
    for _ in 0..5 {
        let wrong = log_in(&app, "ann@example.org", "wrong password");
        assert_eq!(wrong.code(), "CREDENTIALS_INVALID", "the login reset the throttle");
    }
}

#[test]
fn guessing_many_passwords_bans_the_client_ip_and_repeating_one_does_not() {
    let app = app_with(&[("STRIKES_TO_BAN", "2"), ("BAN_S", "100")]);
    let from = [("cf-connecting-ip", "203.0.113.7")];
    let guess = |at: u32, password: &str| {
        let body = json!({"email": format!("user{at}@example.org"), "password": password});
        post(&app, "/auth/login", &from, &body).code().to_owned()
    };
    for _ in 0..4 {
        assert_eq!(guess(0, "the same"), "CREDENTIALS_INVALID");
    }
    for at in 1..10 {
        assert_eq!(guess(at, "123456"), "CREDENTIALS_INVALID", "{at}");
    }
    assert_eq!(guess(10, "123456"), "USER_BANNED");
    block_on(app.ports.ledger.run_alarms());
    let events = app.ports.registry.events.borrow();
    assert_eq!((&*events[0].reason, &*events[0].subject), ("guessing", "ip:203.0.113.7"));
}

#[test]
fn without_a_ledger_no_password_is_checked() {
    let app = app();
    sign_up(&app, "ann@example.org");
    app.ports.ledger.broken.set(true);
    assert_eq!(log_in(&app, "ann@example.org", PASSWORD).code(), "BUSY");
}
