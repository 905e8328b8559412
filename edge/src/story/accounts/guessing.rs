//! Those who try passwords.

use super::*;

#[test]
fn an_unknown_address_and_a_wrong_password_are_answered_alike() {
    let app = app();
    sign_up(&app, "ann@example.org");
    let told = |outcome: Outcome| {
        let mut json = outcome.json;
        json["requestId"].take();
        (outcome.status, json, outcome.headers.len())
    };
    let wrong = told(log_in(&app, "ann@example.org", "wrong password"));
    let unknown = told(log_in(&app, "bob@example.org", "wrong password"));
    assert_eq!(wrong.1["code"], "CREDENTIALS_INVALID");
    assert_eq!(wrong, unknown);
    let short = told(log_in(&app, "ann@example.org", ""));
    assert_eq!(short, unknown);
}

#[test]
fn guessing_one_password_is_slowed_wherever_it_comes_from() {
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
        let slowed = guess(9, PASSWORD);
        assert_eq!(slowed.code(), "RATE_LIMITED", "the right one has to wait as well");
        assert_eq!(slowed.headers["retry-after"], "1");
        app.ports.clock_ms.set(app.ports.clock_ms.get() + 1_000);
        assert_eq!(guess(9, "guess").code(), "CREDENTIALS_INVALID");
        assert_eq!(guess(9, "guess").headers["retry-after"], "2");
    }
    app.ports.clock_ms.set(app.ports.clock_ms.get() + 2_000);
    assert_eq!(log_in(&app, "ann@example.org", PASSWORD).status, StatusCode::OK);
    for _ in 0..5 {
        let wrong = log_in(&app, "ann@example.org", "wrong password");
        assert_eq!(wrong.code(), "CREDENTIALS_INVALID", "forgotten");
    }
}

#[test]
fn guessing_at_many_from_one_address_bans_it_and_repeating_oneself_does_not() {
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
    block_on(app.ports.ledger.ring());
    let events = app.ports.registry.events.borrow();
    assert_eq!((&*events[0].reason, &*events[0].subject), ("guessing", "ip:203.0.113.7"));
}

#[test]
fn nothing_is_guessed_while_it_cannot_be_counted() {
    let app = app();
    sign_up(&app, "ann@example.org");
    app.ports.ledger.broken.set(true);
    assert_eq!(log_in(&app, "ann@example.org", PASSWORD).code(), "BUSY");
}
