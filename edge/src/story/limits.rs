//! Who may go on, and what becomes of those who may not.

use super::*;

#[test]
fn an_address_over_its_limit_waits_before_its_token_is_looked_at() {
    let app = app();
    app.ports.gate.left.set(1);
    let request = Request::builder().method(Method::POST).uri("https://edge.example/images");
    let outcome = send(&app, request, PIXEL);
    assert_eq!(outcome.code(), "RATE_LIMITED");
    assert_eq!(outcome.headers["retry-after"], "60");
}

#[test]
fn the_exact_limit_of_an_address_follows_the_rough_one() {
    let app = app_with(&[("IP_PER_MINUTE", "2")]);
    let ask = |address: &str| {
        send(&app, get("/auth/guest-token").header("cf-connecting-ip", address), b"")
    };
    assert_eq!(ask("203.0.113.7").status, StatusCode::OK);
    let last = ask("203.0.113.7");
    assert_eq!(last.headers["ratelimit-policy"], "\"address\";q=2;w=60");
    assert!(last.headers["ratelimit"].to_str().expect("text").starts_with("\"address\";r=0;"));
    let refused = ask("203.0.113.7");
    assert_eq!(refused.code(), "RATE_LIMITED");
    assert_eq!(refused.headers["retry-after"], "30");
    assert_eq!(ask("203.0.113.8").status, StatusCode::OK, "another address");
    app.ports.clock_ms.set(NOW_MS + 30_000);
    assert_eq!(ask("203.0.113.7").status, StatusCode::OK, "what was promised holds");
}

#[test]
fn a_user_over_a_limit_is_told_when_to_come_back() {
    let app = app_with(&[("RATE_PER_MINUTE", "3"), ("DAILY_COUNT", "4")]);
    let sent = |byte: u8| send(&app, upload(), &picture(byte));
    for byte in 0..3 {
        assert_eq!(sent(byte).status, StatusCode::CREATED);
    }
    let refused = sent(3);
    assert_eq!(refused.code(), "RATE_LIMITED");
    assert_eq!(refused.headers["retry-after"], "20");
    assert_eq!(limit(&refused, "user"), 0);
    app.ports.clock_ms.set(NOW_MS + 60_000);
    assert_eq!(sent(4).status, StatusCode::CREATED);
    let refused = sent(5);
    assert_eq!(refused.code(), "QUOTA_EXCEEDED");
    let seconds: u64 =
        refused.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    let now_s = app.ports.clock_ms.get() / 1000;
    assert_eq!((now_s + seconds) % 86_400, 0, "midnight");
}

#[test]
fn what_comes_to_nothing_charges_nothing() {
    let app = app();
    let before = limit(&send(&app, upload(), &picture(1)), "day");
    for broken in [&b"GIF89a cut"[..], b"", b"just text"] {
        send(&app, upload(), broken);
    }
    assert_eq!(limit(&send(&app, upload(), &picture(2)), "day"), before - 1);
}

#[test]
fn disguises_ban_their_user_until_the_time_that_is_told() {
    let app = app_with(&[("STRIKES_TO_BAN", "3"), ("BAN_S", "100")]);
    for text in ["%PDF-1.7 a", "%PDF-1.7 a", "%PDF-1.7 b", "%PDF-1.7 c"] {
        assert_eq!(send(&app, upload(), text.as_bytes()).code(), "INVALID_FILE_SIGNATURE");
    }
    let banned = send(&app, upload(), PIXEL);
    assert_eq!((banned.status, banned.code()), (StatusCode::FORBIDDEN, "USER_BANNED"));
    let until = crate::response::timestamp(NOW_MS + 100_000);
    assert_eq!(banned.json["bannedUntil"], until);
    assert!(banned.json["detail"].as_str().expect("text").contains(&until));
    app.ports.clock_ms.set(NOW_MS + 100_000);
    assert_eq!(send(&app, upload(), PIXEL).status, StatusCode::CREATED);
    block_on(app.ports.ledger.ring());
    let events = app.ports.registry.events.borrow();
    let subjects: Vec<_> = events.iter().map(|event| &*event.subject).collect();
    assert_eq!(subjects, ["user:123"], "and not the client IP of a user");
}

#[test]
fn going_on_after_being_told_to_wait_is_a_strike_a_minute() {
    let app = app_with(&[("RATE_PER_MINUTE", "2"), ("STRIKES_TO_BAN", "2"), ("BAN_S", "600")]);
    let sent =
        |count: u8| (0..count).map(|n| send(&app, upload(), &picture(n))).last().expect("one");
    assert_eq!(sent(3).code(), "RATE_LIMITED", "told to wait once");
    assert_eq!(sent(7).code(), "RATE_LIMITED", "a flood, which counts once in a minute");
    app.ports.clock_ms.set(NOW_MS + 1_000);
    assert_eq!(sent(3).code(), "RATE_LIMITED", "it is still the same minute");
    app.ports.clock_ms.set(NOW_MS + 60_000);
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
        let mut request = upload();
        request.headers_mut().expect("valid").insert("content-type", kind.parse().expect("text"));
        assert_ne!(send(&app, request, body).status, StatusCode::CREATED, "{kind}");
    }
    assert_eq!(send(&app, upload(), PIXEL).status, StatusCode::CREATED);
}

#[test]
fn readiness_names_the_part_that_is_down() {
    let app = app();
    app.ports.registry.broken.set(true);
    let outcome = send(&app, get("/readyz"), b"");
    assert_eq!(outcome.status, StatusCode::SERVICE_UNAVAILABLE);
    let expected = serde_json::json!({
        "storage": "ok", "registry": "unreachable", "ledger": "ok", "bucket": "unknown",
    });
    assert_eq!(outcome.json, expected);
}
