//! Guessed passwords. `docs/security.md` states the bounds.

use http::{StatusCode, header};
use serde_json::json;

use super::{PASSWORD, log_in, post, sign_up};
use crate::harness::{TestApp, TestResponse, app};

const ANN: &str = "ann@example.org";
const MINUTE_MS: u64 = 60_000;
const DAY_MINUTES: u64 = 1440;

fn log_in_from(app: &TestApp, client_ip: &str, email: &str, password: &str) -> TestResponse {
    let body = json!({"email": email, "password": password});
    post(app, "/auth/login", &[("cf-connecting-ip", client_ip)], &body)
}

/// With the cookies of a browser.
fn log_in_with(app: &TestApp, cookies: &str, email: &str, password: &str) -> TestResponse {
    let headers = [("cf-connecting-ip", "198.51.100.1"), ("cookie", cookies)];
    post(app, "/auth/login", &headers, &json!({"email": email, "password": password}))
}

/// The device cookie that a response sets.
fn device_cookie(response: &TestResponse) -> String {
    let mut cookies = response.headers.get_all(header::SET_COOKIE).iter();
    let cookie =
        cookies.find_map(|it| it.to_str().ok().filter(|it| it.starts_with("__Host-device")));
    cookie.expect("set").split(';').next().expect("a pair").to_owned()
}

/// How many of the attempts had their password checked.
fn count_checked<'a>(responses: impl IntoIterator<Item = &'a TestResponse>) -> usize {
    let is_checked = |response: &&TestResponse| match response.code() {
        "CREDENTIALS_INVALID" => true,
        "RATE_LIMITED" => false,
        other => panic!("{other}"),
    };
    responses.into_iter().filter(is_checked).count()
}

#[test]
fn an_unknown_address_and_a_wrong_password_get_the_same_response() {
    let app = app();
    sign_up(&app, ANN);
    let visible = |response: TestResponse| {
        let mut json = response.json;
        json["requestId"].take();
        (response.status, json, response.headers.len())
    };
    for attempt in 0..12 {
        let wrong = visible(log_in(&app, ANN, "wrong password"));
        let unknown = visible(log_in(&app, "bob@example.org", "wrong password"));
        let expected = if attempt < 10 { "CREDENTIALS_INVALID" } else { "RATE_LIMITED" };
        assert_eq!(wrong.1["code"], expected, "{attempt}");
        assert_eq!(wrong, unknown, "{attempt}");
    }
}

#[test]
fn one_client_ip_cannot_keep_the_owner_out() {
    let app = app();
    sign_up(&app, ANN);
    // As often as the limit of requests allows, for a day.
    let mut guesses = 0;
    for minute in 0..DAY_MINUTES {
        app.ports.clock.advance(MINUTE_MS);
        let responses: Vec<_> =
            (0..3).map(|_| log_in_from(&app, "203.0.113.7", ANN, "guess")).collect();
        guesses += count_checked(&responses);
        if minute % 60 == 0 {
            let owner = log_in_from(&app, "198.51.100.1", ANN, PASSWORD);
            assert_eq!(owner.status, StatusCode::OK, "minute {minute}: {}", owner.json);
        }
    }
    assert_eq!(guesses, 10 + 47, "at once, and one every half hour");
}

#[test]
fn addresses_of_one_ipv6_site_are_one_caller() {
    let app = app();
    sign_up(&app, ANN);
    let from = |network: u32| format!("2001:db8:1:{network:x}::1");
    let responses: Vec<_> = (0..30).map(|at| log_in_from(&app, &from(at), ANN, "guess")).collect();
    assert_eq!(count_checked(&responses), 10);
    let owner = log_in_from(&app, "2001:db8:2::1", ANN, PASSWORD);
    assert_eq!(owner.status, StatusCode::OK, "{}", owner.json);
}

#[test]
fn many_client_ips_guess_116_passwords_a_day_and_no_known_browser_waits_for_them() {
    let app = app();
    let browser = device_cookie(&sign_up(&app, ANN));
    let mut guesses = 0;
    let mut client_ips = 0_u32;
    for minute in 0..DAY_MINUTES {
        let mut guess = || {
            client_ips += 1;
            let [_, second, third, fourth] = client_ips.to_be_bytes();
            log_in_from(&app, &format!("10.{second}.{third}.{fourth}"), ANN, "guess")
        };
        // Each from another client IP.
        let attempts = if minute == 0 { 30 } else { 2 };
        let responses: Vec<_> = (0..attempts).map(|_| guess()).collect();
        guesses += count_checked(&responses);
        if minute % 60 == 30 {
            let known = log_in_with(&app, &browser, ANN, PASSWORD);
            assert_eq!(known.status, StatusCode::OK, "minute {minute}: {}", known.json);
        }
        app.ports.clock.advance(MINUTE_MS);
    }
    assert!(client_ips > 2000);
    assert_eq!(guesses, 20 + 95, "at once, and one every quarter of an hour");
    app.ports.clock.advance(MINUTE_MS);
    let unknown = log_in_from(&app, "198.51.100.1", ANN, "guess");
    assert_eq!(unknown.code(), "CREDENTIALS_INVALID", "the 116th, as the day ends");
}

#[test]
fn logins_of_the_owner_give_nothing_to_those_who_guess() {
    let app = app();
    sign_up(&app, ANN);
    let mut guesses = 0;
    for at in 0..40 {
        guesses += count_checked([&log_in_from(&app, &format!("203.0.113.{at}"), ANN, "guess")]);
        log_in_from(&app, "198.51.100.1", ANN, PASSWORD);
    }
    assert_eq!(guesses, 20);
}

#[test]
fn a_known_browser_has_a_throttle_of_its_own() {
    let app = app();
    let browser = device_cookie(&sign_up(&app, ANN));
    sign_up(&app, "bob@example.org");
    let responses: Vec<_> = (0..12).map(|_| log_in_with(&app, &browser, ANN, "guess")).collect();
    assert_eq!(count_checked(&responses), 10, "a stolen cookie guesses no more than a client IP");
    let fresh = log_in_from(&app, "198.51.100.1", ANN, PASSWORD);
    assert_eq!(fresh.status, StatusCode::OK, "it uses nothing up of other browsers");
    let other = log_in_with(&app, &browser, "bob@example.org", PASSWORD);
    assert_eq!(other.status, StatusCode::OK, "for another address it is no known browser");
    assert_ne!(device_cookie(&other), browser);
    app.ports.clock.advance(30 * MINUTE_MS);
    let known = log_in_with(&app, &browser, ANN, PASSWORD);
    assert_eq!(known.status, StatusCode::OK, "{}", known.json);
    let renewed = device_cookie(&known);
    assert_ne!(renewed, browser, "it ends a year after the last login");
    assert_eq!(count_checked([&log_in_with(&app, &renewed, ANN, "guess")]), 1);
    let again = log_in_with(&app, &renewed, ANN, "guess");
    assert_eq!(again.code(), "RATE_LIMITED", "a renewed cookie is the same browser");
}

#[test]
fn one_client_ip_guesses_60_passwords_of_all_addresses_and_one_more_a_minute() {
    let app = app();
    sign_up(&app, ANN);
    let guess =
        |at: usize| log_in_from(&app, "203.0.113.7", &format!("user{at}@example.org"), "123456");
    let responses: Vec<_> = (0..70).map(guess).collect();
    assert_eq!(count_checked(&responses), 60);
    assert_eq!(responses[69].headers["retry-after"], "60");
    let neighbour = log_in_from(&app, "203.0.113.8", ANN, PASSWORD);
    assert_eq!(neighbour.status, StatusCode::OK, "{}", neighbour.json);
    app.ports.clock.advance(MINUTE_MS);
    assert_eq!(count_checked(&(70..75).map(guess).collect::<Vec<_>>()), 1);
    let bans = app.ports.registry.events.borrow().iter().filter(|it| it.kind == "ban").count();
    assert_eq!(bans, 0, "a wrong password is no strike");
}

#[test]
fn without_a_ledger_no_password_is_checked() {
    let app = app();
    sign_up(&app, ANN);
    app.ports.ledger.broken.set(true);
    assert_eq!(log_in(&app, ANN, PASSWORD).code(), "BUSY");
}
