//! Limits, strikes, and what does not count.

use edge_auth::testing::NOW_MS;
use edge_types::{Clock, timestamp};
use futures_executor::block_on;
use http::{Method, Request, StatusCode};
use serde_json::json;

use crate::harness::{
    PIXEL, app, app_with, get, gif, remaining, send, upload, upload_of, user_token,
};

#[test]
fn the_flood_limit_is_checked_before_the_token() {
    let app = app();
    app.ports.rate_limiter.refuses.set(true);
    let request = Request::builder().method(Method::POST).uri("https://edge.example/images");
    let response = send(&app, request, PIXEL);
    assert_eq!(response.code(), "RATE_LIMITED");
    assert_eq!(response.headers["retry-after"], "60");
}

#[test]
fn a_client_ip_has_an_exact_limit_as_well() {
    let app = app_with(&[("IP_PER_MINUTE", "2")]);
    let ask = |ip: &str| send(&app, get("/auth/guest-token").header("cf-connecting-ip", ip), b"");
    assert_eq!(ask("203.0.113.7").status, StatusCode::OK);
    let last = ask("203.0.113.7");
    assert_eq!(last.headers["ratelimit-policy"], "\"address\";q=2;w=60");
    assert!(last.headers["ratelimit"].to_str().expect("text").starts_with("\"address\";r=0;"));
    let refused = ask("203.0.113.7");
    assert_eq!(refused.code(), "RATE_LIMITED");
    assert_eq!(refused.headers["retry-after"], "30");
    assert_eq!(ask("203.0.113.8").status, StatusCode::OK, "another client IP");
    app.ports.set_time(NOW_MS + 30_000);
    assert_eq!(ask("203.0.113.7").status, StatusCode::OK, "after the announced time");
}

#[test]
fn a_user_over_a_limit_gets_a_retry_after() {
    let app = app_with(&[("RATE_PER_MINUTE", "3"), ("DAILY_COUNT", "4")]);
    let sent = |byte: u8| send(&app, upload(), &gif(byte));
    for byte in 0..3 {
        assert_eq!(sent(byte).status, StatusCode::CREATED);
    }
    let refused = sent(3);
    assert_eq!(refused.code(), "RATE_LIMITED");
    assert_eq!(refused.headers["retry-after"], "20");
    assert_eq!(remaining(&refused, "user"), 0);
    app.ports.set_time(NOW_MS + 60_000);
    assert_eq!(sent(4).status, StatusCode::CREATED);
    let refused = sent(5);
    assert_eq!(refused.code(), "QUOTA_EXCEEDED");
    let seconds: u64 =
        refused.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    let now_s = app.ports.clock.now_ms() / 1000;
    assert_eq!((now_s + seconds) % 86_400, 0, "midnight");
}

#[test]
fn a_failed_upload_is_not_charged() {
    let app = app();
    let before = remaining(&send(&app, upload(), &gif(1)), "day");
    for broken in [&b"GIF89a cut"[..], b"", b"just text"] {
        send(&app, upload(), broken);
    }
    assert_eq!(remaining(&send(&app, upload(), &gif(2)), "day"), before - 1);
}

#[test]
fn disguised_files_ban_their_user_until_the_announced_time() {
    let app = app_with(&[("STRIKES_TO_BAN", "3"), ("BAN_S", "100")]);
    for text in ["%PDF-1.7 a", "%PDF-1.7 a", "%PDF-1.7 b", "%PDF-1.7 c"] {
        assert_eq!(send(&app, upload(), text.as_bytes()).code(), "INVALID_FILE_SIGNATURE");
    }
    let banned = send(&app, upload(), PIXEL);
    assert_eq!((banned.status, banned.code()), (StatusCode::FORBIDDEN, "USER_BANNED"));
    let until = timestamp(NOW_MS + 100_000);
    assert_eq!(banned.json["bannedUntil"], until);
    assert!(banned.json["detail"].as_str().expect("text").contains(&until));
    app.ports.set_time(NOW_MS + 100_000);
    assert_eq!(send(&app, upload(), PIXEL).status, StatusCode::CREATED);
    block_on(app.ports.ledger.run_alarms());
    let events = app.ports.registry.events.borrow();
    let subjects: Vec<_> = events.iter().map(|event| &*event.subject).collect();
    assert_eq!(subjects, ["user:123"], "not the client IP of a user");
}

#[test]
fn continuing_after_a_refusal_is_one_strike_a_minute() {
    let app = app_with(&[("RATE_PER_MINUTE", "2"), ("STRIKES_TO_BAN", "2"), ("BAN_S", "600")]);
    let sent = |count: u8| (0..count).map(|n| send(&app, upload(), &gif(n))).last().expect("one");
    assert_eq!(sent(3).code(), "RATE_LIMITED", "one refusal");
    assert_eq!(sent(7).code(), "RATE_LIMITED", "a flood, which counts once a minute");
    app.ports.set_time(NOW_MS + 1_000);
    assert_eq!(sent(3).code(), "RATE_LIMITED", "it is still the same minute");
    app.ports.set_time(NOW_MS + 60_000);
    assert_eq!(sent(4).code(), "RATE_LIMITED", "a flood again");
    assert_eq!(sent(1).code(), "USER_BANNED");
}

#[test]
fn honest_mistakes_are_no_strikes() {
    let app = app_with(&[("STRIKES_TO_BAN", "1")]);
    let broken = [PIXEL, b"x"].concat();
    for (kind, body) in [
        ("text/plain", &b"just text"[..]),
        ("image/png", PIXEL),
        ("image/heic", PIXEL),
        ("image/gif", b""),
        ("image/gif", &broken[..20]),
    ] {
        let request = upload_of(kind, &user_token());
        assert_ne!(send(&app, request, body).status, StatusCode::CREATED, "{kind}");
    }
    assert_eq!(send(&app, upload(), PIXEL).status, StatusCode::CREATED);
}

#[test]
fn readiness_names_the_component_that_is_down() {
    let app = app();
    app.ports.registry.broken.set(true);
    let response = send(&app, get("/readyz"), b"");
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    let expected = json!({
        "storage": "ok", "registry": "unreachable", "ledger": "ok", "bucket": "unknown",
    });
    assert_eq!(response.json, expected);
}
