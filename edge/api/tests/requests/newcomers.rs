//! Budgets of guests and new accounts behind one client IP, ceilings of the deployment, and bans of claimants.

use edge_api::jobs;
use edge_auth::testing::{NOW_MS, hs256};
use edge_types::Subject;
use futures_executor::block_on;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::harness::{
    PIXEL, TestApp, TestResponse, app, app_with, get, gif, guest_token, send, upload, upload_with,
};

const FROM: &str = "203.0.113.7";
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

fn token_from(app: &TestApp, client_ip: &str) -> TestResponse {
    send(app, get("/auth/guest-token").header("cf-connecting-ip", client_ip), b"")
}

fn upload_from(app: &TestApp, client_ip: &str, token: &str, bytes: &[u8]) -> TestResponse {
    send(app, upload_with(token).header("cf-connecting-ip", client_ip), bytes)
}

fn post(
    app: &TestApp,
    path: &str,
    client_ip: &str,
    token: Option<&str>,
    body: &Value,
) -> TestResponse {
    let mut request = Request::post(format!("https://image.the-form{path}"))
        .header("content-type", "application/json")
        .header("cf-connecting-ip", client_ip);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    send(app, request, body.to_string().as_bytes())
}

fn sign_up(app: &TestApp, client_ip: &str, email: &str) -> TestResponse {
    let body = json!({"email": email, "password": "correct horse battery"});
    post(app, "/users/signup", client_ip, None, &body)
}

fn text<'a>(response: &'a TestResponse, pointer: &str) -> &'a str {
    response.json.pointer(pointer).and_then(Value::as_str).expect("text")
}

/// A picture that no other call returns.
fn another(number: usize) -> Vec<u8> {
    let mut bytes = PIXEL.to_vec();
    bytes[13..16].copy_from_slice(&number.to_be_bytes()[5..]);
    bytes
}

fn ban(app: &TestApp, subject: &str) {
    let admin = hs256(json!({"sub": "boss", "role": "ADMIN"}), 4 * 3600);
    let body = json!({"account": subject, "permanent": true, "reason": "spam"});
    let banned = post(app, "/admin/api/bans", "198.51.100.9", Some(&admin), &body);
    assert_eq!(banned.status, StatusCode::CREATED, "{}", banned.json);
}

#[test]
fn a_client_ip_gets_40_guest_tokens_an_hour_and_a_site_four_times_as_many() {
    let app = app();
    for _ in 0..40 {
        assert_eq!(token_from(&app, FROM).status, StatusCode::OK);
    }
    let refused = token_from(&app, FROM);
    assert_eq!((refused.status, refused.code()), (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"));
    let left_s = (HOUR_MS - NOW_MS % HOUR_MS).div_ceil(1000).to_string();
    assert_eq!(refused.headers["retry-after"], *left_s);
    assert_eq!(token_from(&app, "203.0.113.8").status, StatusCode::OK, "another client IP");
    app.ports.clock.advance(HOUR_MS);
    assert_eq!(token_from(&app, FROM).status, StatusCode::OK, "another hour");
    let issued = (0..200).filter(|at| {
        let client_ip = format!("2001:db8:1:{at:x}::1");
        token_from(&app, &client_ip).status == StatusCode::OK
    });
    assert_eq!(issued.count(), 160);
    for _ in 0..50 {
        assert_eq!(token_from(&app, "127.0.0.1").status, StatusCode::OK, "a developer's machine");
    }
}

#[test]
fn guests_and_new_accounts_of_a_client_ip_share_a_budget_and_others_do_not() {
    let app = app_with(&[("IP_DAILY_COUNT", "3")]);
    let account = sign_up(&app, FROM, "ann@example.org");
    let account = text(&account, "/data/accessToken");
    let guest = guest_token(&app);
    assert_eq!(upload_from(&app, FROM, &guest, &gif(1)).status, StatusCode::CREATED);
    assert_eq!(
        upload_from(&app, FROM, &guest, &gif(1)).status,
        StatusCode::OK,
        "a repetition is free"
    );
    assert_eq!(upload_from(&app, FROM, &guest, b"<svg></svg>").status, StatusCode::BAD_REQUEST);
    assert_eq!(upload_from(&app, FROM, account, &gif(2)).status, StatusCode::CREATED);
    let ticket = post(&app, "/uploads/tickets", FROM, Some(account), &json!({}));
    let ticket = text(&ticket, "/data/ticket");
    assert_eq!(upload_from(&app, FROM, ticket, &gif(3)).status, StatusCode::CREATED);
    for token in [account, &guest_token(&app)] {
        let refused = upload_from(&app, FROM, token, &gif(4));
        assert_eq!(
            (refused.status, refused.code()),
            (StatusCode::TOO_MANY_REQUESTS, "QUOTA_EXCEEDED")
        );
    }
    let ticket = post(&app, "/uploads/tickets", FROM, Some(account), &json!({}));
    let ticket = text(&ticket, "/data/ticket");
    assert_eq!(upload_from(&app, FROM, ticket, &gif(4)).code(), "QUOTA_EXCEEDED");
    assert_eq!(upload_from(&app, "203.0.113.8", account, &gif(4)).status, StatusCode::CREATED);
    let platform = hs256(json!({"sub": "123"}), 3600);
    assert_eq!(upload_from(&app, FROM, &platform, &gif(5)).status, StatusCode::CREATED);
}

#[test]
fn an_account_is_new_for_a_day() {
    let app = app_with(&[("IP_DAILY_COUNT", "1")]);
    sign_up(&app, FROM, "ann@example.org");
    app.ports.clock.advance(DAY_MS - 1000);
    let log_in = |app: &TestApp| {
        let body = json!({"email": "ann@example.org", "password": "correct horse battery"});
        post(app, "/auth/login", FROM, None, &body)
    };
    let young = log_in(&app);
    let young = text(&young, "/data/accessToken");
    assert_eq!(upload_from(&app, FROM, young, &gif(1)).status, StatusCode::CREATED);
    assert_eq!(upload_from(&app, FROM, young, &gif(2)).code(), "QUOTA_EXCEEDED");
    app.ports.clock.advance(1000);
    assert_eq!(
        upload_from(&app, FROM, young, &gif(2)).status,
        StatusCode::CREATED,
        "with the same token"
    );
}

#[test]
fn bytes_are_charged_as_they_were_received() {
    let app = app_with(&[("IP_DAILY_BYTES", "6000000"), ("GUEST_TOKEN_S", "3600")]);
    let guest = guest_token(&app);
    // Without a length the largest picture is reserved, until the size is known.
    for shade in 0..10 {
        assert_eq!(upload_from(&app, FROM, &guest, &gif(shade)).status, StatusCode::CREATED);
        app.ports.clock.advance(MINUTE_MS);
    }
    let announced = upload_with(&guest).header("cf-connecting-ip", FROM);
    let refused = send(&app, announced.header("content-length", "5242880"), b"");
    assert_ne!(refused.code(), "QUOTA_EXCEEDED", "{}", refused.json);
}

#[test]
fn a_claim_is_charged_to_the_claimant() {
    let app = app_with(&[("DAILY_COUNT", "10")]);
    let user = hs256(json!({"sub": "123"}), 3600);
    for number in 0..9 {
        assert_eq!(upload_from(&app, FROM, &user, &another(number)).status, StatusCode::CREATED);
    }
    let guest = guest_token(&app);
    let stored = upload_from(&app, FROM, &guest, &gif(1));
    let claim = json!({"key": text(&stored, "/data/key"), "guestToken": guest});
    let claimed = post(&app, "/images/metadata", FROM, Some(&user), &claim);
    assert_eq!(claimed.status, StatusCode::CREATED, "{}", claimed.json);
    let other = guest_token(&app);
    let stored = upload_from(&app, FROM, &other, &gif(2));
    let claim = json!({"key": text(&stored, "/data/key"), "guestToken": other});
    let refused = post(&app, "/images/metadata", FROM, Some(&user), &claim);
    assert_eq!(refused.code(), "QUOTA_EXCEEDED", "{}", refused.json);
    assert_eq!(upload_from(&app, FROM, &user, &another(99)).code(), "QUOTA_EXCEEDED");
    app.ports.set_time(NOW_MS - NOW_MS % DAY_MS + DAY_MS);
    assert_eq!(upload_from(&app, FROM, &user, &another(99)).code(), "TOKEN_EXPIRED");
}

#[test]
fn a_failed_claim_is_not_charged() {
    let app = app_with(&[("DAILY_COUNT", "10")]);
    let (user, guest) = (hs256(json!({"sub": "123"}), 3600), guest_token(&app));
    let stored = upload_from(&app, FROM, &guest, &gif(1));
    let claim = json!({"key": text(&stored, "/data/key"), "guestToken": guest});
    app.ports.registry.broken.set(true);
    for _ in 0..12 {
        assert_eq!(post(&app, "/images/metadata", FROM, Some(&user), &claim).code(), "BUSY");
    }
    app.ports.registry.broken.set(false);
    let claimed = post(&app, "/images/metadata", FROM, Some(&user), &claim);
    assert_eq!(claimed.status, StatusCode::CREATED, "{}", claimed.json);
}

#[test]
fn nobody_claims_for_the_banned() {
    let app = app();
    let guest = guest_token(&app);
    let stored = upload_from(&app, FROM, &guest, &gif(1));
    let key = text(&stored, "/data/key");
    ban(&app, "user:123");
    let user = hs256(json!({"sub": "123"}), 3600);
    let claim = json!({"key": key, "guestToken": guest});
    assert_eq!(post(&app, "/images/metadata", FROM, Some(&user), &claim).code(), "USER_BANNED");
    let back_end = hs256(json!({"sub": "shop", "role": "SERVICE"}), 3600);
    let claim = json!({"key": key, "userId": "123"});
    let refused = post(&app, "/images/metadata", FROM, Some(&back_end), &claim);
    assert_eq!(refused.code(), "USER_BANNED", "{}", refused.json);
}

#[test]
fn a_banned_guest_gives_no_picture_to_others() {
    let app = app();
    let guest = guest_token(&app);
    let stored = upload_from(&app, FROM, &guest, &gif(1));
    let key = text(&stored, "/data/key");
    ban(&app, &format!("user:{}", key.split('/').nth(1).expect("an owner")));
    let user = hs256(json!({"sub": "123"}), 3600);
    let claim = json!({"key": key, "guestToken": guest});
    assert_eq!(post(&app, "/images/metadata", FROM, Some(&user), &claim).code(), "USER_BANNED");
    let body = json!({"email": "ann@example.org", "password": "correct horse battery",
        "imageKey": key, "guestToken": guest});
    let refused = post(&app, "/users/signup", FROM, None, &body);
    assert_eq!(refused.code(), "USER_BANNED", "{}", refused.json);
    assert!(app.ports.registry.keys().is_empty());
    assert!(app.ports.users.users.borrow().is_empty());
}

#[test]
fn a_permanent_ban_has_no_end_and_can_be_lifted() {
    let app = app();
    ban(&app, "user:123");
    app.ports.clock.advance(50 * 366 * DAY_MS);
    let status = block_on(edge_ledger::LedgerClient::send(
        &app.ports.ledger,
        &Subject::parse("user:123").expect("a user"),
        edge_ledger::GetAbuseStatus,
    ));
    assert_eq!(status.expect("a reply").banned_until_ms, Some(edge_types::PERMANENT_MS));
    app.ports.set_time(NOW_MS);
    for (method, path) in [
        (Method::POST, "/images"),
        (Method::GET, "/images"),
        (Method::GET, "/users/123"),
        (Method::POST, "/uploads/tickets"),
    ] {
        let token = hs256(json!({"sub": "123"}), 3600);
        let request = get(path).method(method).header("authorization", format!("Bearer {token}"));
        let refused = send(&app, request.header("content-type", "image/gif"), PIXEL);
        assert_eq!(refused.code(), "USER_BANNED", "{path}");
        assert_eq!(refused.json["bannedUntil"], "9999-12-31T23:59:59.999Z", "{path}");
        assert!(text(&refused, "/detail").ends_with("The block has no end."), "{}", refused.json);
        assert!(!refused.headers.contains_key("retry-after"), "{path}");
    }
    let admin = hs256(json!({"sub": "boss", "role": "ADMIN"}), 3600);
    block_on(app.ports.ledger.run_alarms());
    let listed = get("/admin/api/bans").header("authorization", format!("Bearer {admin}"));
    assert_eq!(send(&app, listed, b"").json["data"]["bans"][0]["permanent"], true);
    let lift = get("/admin/api/bans/user:123").method(Method::DELETE);
    send(&app, lift.header("authorization", format!("Bearer {admin}")), b"");
    assert_eq!(send(&app, upload(), PIXEL).status, StatusCode::CREATED);
    for body in [
        json!({"account": "user:1", "reason": "x"}),
        json!({"account": "user:1", "seconds": 60, "permanent": true, "reason": "x"}),
        json!({"account": "user:1", "permanent": false, "reason": "x"}),
        json!({"account": "user:1", "permanent": "yes", "reason": "x"}),
    ] {
        let refused = post(&app, "/admin/api/bans", "198.51.100.9", Some(&admin), &body);
        assert_eq!(refused.code(), "MALFORMED_REQUEST", "{body}");
    }
}

#[test]
fn a_reached_ceiling_of_the_deployment_refuses_every_upload_until_midnight() {
    for (variable, value) in
        [("DAILY_COUNT_TOTAL", "3"), ("DAILY_BYTES_TOTAL", &(3 * PIXEL.len()).to_string())]
    {
        let app = app_with(&[(variable, value)]);
        for shade in 0..3 {
            assert_eq!(send(&app, upload(), &gif(shade)).status, StatusCode::CREATED);
        }
        block_on(jobs::flush(&app.ports, &app.isolate));
        app.ports.clock.advance(MINUTE_MS);
        for role in ["USER", "SERVICE", "GUEST"] {
            let token = hs256(json!({"sub": "9", "role": role}), 3600);
            let refused = send(&app, upload_with(&token), &gif(9));
            assert_eq!(refused.code(), "QUOTA_EXCEEDED", "{variable}: {role}");
            let left_s = (DAY_MS - (NOW_MS + MINUTE_MS) % DAY_MS).div_ceil(1000).to_string();
            assert_eq!(refused.headers["retry-after"], *left_s);
        }
        app.ports.set_time(NOW_MS - NOW_MS % DAY_MS + DAY_MS);
        let token = guest_token(&app);
        assert_eq!(send(&app, upload_with(&token), &gif(9)).status, StatusCode::CREATED);
    }
}

#[test]
fn a_ceiling_alerts_once_at_four_fifths_and_once_when_it_is_reached() {
    let webhook = ("ALERT_WEBHOOK_URL", "https://hooks.slack.com/services/x");
    let app = app_with(&[("DAILY_COUNT_TOTAL", "5"), webhook]);
    let sent = || {
        block_on(jobs::run_scheduled(&app));
        app.ports.clock.advance(11 * MINUTE_MS);
        let mut sent = app.ports.alert_sink.sent.borrow_mut();
        sent.drain(..).map(|(_, body)| body).collect::<Vec<_>>()
    };
    let mut shade = 0;
    let mut store = || {
        shade += 1;
        let token = hs256(json!({"sub": "123"}), 4 * 3600);
        assert_eq!(send(&app, upload_with(&token), &gif(shade)).status, StatusCode::CREATED);
        block_on(jobs::flush(&app.ports, &app.isolate));
    };
    (0..3).for_each(|_| store());
    assert_eq!(sent(), [""; 0]);
    store();
    let near = sent();
    assert_eq!(near.len(), 1);
    assert!(near[0].contains("Daily ceilings of the deployment"), "{}", near[0]);
    assert!(near[0].contains("(count near 1)"), "{}", near[0]);
    assert_eq!(sent(), [""; 0], "once");
    store();
    let reached = sent();
    assert!(reached[0].contains("count reached 1"), "{}", reached[0]);
    assert_eq!(sent(), [""; 0], "once");
}

/// One client IP tries for a day everything that makes a picture permanent without an account that is older than a day:
/// fresh guest tokens, claims by fresh accounts and by accounts of a platform, sign-ups with the picture of a guest.
#[test]
fn what_one_client_ip_makes_permanent_in_a_day_is_at_most_its_budget() {
    const BUDGET: usize = 60;
    let app = app_with(&[("IP_DAILY_COUNT", "60")]);
    let start_ms = NOW_MS - NOW_MS % DAY_MS + DAY_MS;
    let (mut number, mut tokens, mut accounts, mut refused) = (0, 0, 0, 0);
    for step in 0..288 {
        app.ports.set_time(start_ms + step * 5 * MINUTE_MS);
        for turn in 0..8 {
            number += 1;
            let guest = token_from(&app, FROM);
            if guest.status != StatusCode::OK {
                refused += 1;
                continue;
            }
            tokens += 1;
            let guest = text(&guest, "/data/token").to_owned();
            let stored = upload_from(&app, FROM, &guest, &another(number));
            if stored.code() == "QUOTA_EXCEEDED" {
                refused += 1;
            }
            let Some(key) = stored.json.pointer("/data/key").and_then(Value::as_str) else {
                continue;
            };
            if turn % 2 == 0 {
                let body = json!({"email": format!("user{number}@example.org"),
                    "password": "correct horse battery", "imageKey": key, "guestToken": guest});
                let account = post(&app, "/users/signup", FROM, None, &body);
                if account.status == StatusCode::CREATED {
                    accounts += 1;
                    let token = text(&account, "/data/accessToken");
                    upload_from(&app, FROM, token, &another(100_000 + number));
                }
            } else {
                let time_s = (start_ms + step * 5 * MINUTE_MS - NOW_MS) / 1000 + 3600;
                let claims = json!({"sub": format!("p{number}")});
                let user = hs256(claims, time_s.try_into().expect("small"));
                let claim = json!({"key": key, "guestToken": guest});
                post(&app, "/images/metadata", FROM, Some(&user), &claim);
            }
        }
    }
    let permanent = app.ports.registry.keys().len();
    assert!(tokens > 500 && accounts > 5 && refused > 500, "{tokens} {accounts} {refused}");
    assert_eq!(permanent, BUDGET, "all that the budget allows, and no more");
}
