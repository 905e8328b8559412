//! The admin API, and its rejection of other roles.

use std::collections::BTreeSet;

use edge_api::jobs::{self, HOUR_MS};
use edge_auth::testing::{NOW_MS, hs256};
use futures_executor::block_on;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{
    PIXEL, TestApp, TestResponse, app, app_with, get, gif, send, upload, upload_as,
};

fn ask(app: &TestApp, method: Method, path: &str, body: &Value) -> TestResponse {
    ask_as(app, &json!({"sub": "boss", "role": "ADMIN"}), method, path, body)
}

fn ask_as(app: &TestApp, claims: &Value, method: Method, path: &str, body: &Value) -> TestResponse {
    let request = get(&format!("/admin/api{path}"))
        .method(method)
        .header("authorization", format!("Bearer {}", hs256(claims.clone(), 4 * 3600)))
        .header("content-type", "application/json");
    send(app, request, if body.is_null() { String::new() } else { body.to_string() }.as_bytes())
}

fn see(app: &TestApp, path: &str) -> Value {
    let response = ask(app, Method::GET, path, &Value::Null);
    assert_eq!(response.status, StatusCode::OK, "{}", response.json);
    assert_eq!(response.headers["cache-control"], "no-store");
    response.json["data"].clone()
}

fn ban(app: &TestApp, subject: &str, seconds: u64) -> TestResponse {
    let body = json!({"account": subject, "seconds": seconds, "reason": "spam"});
    ask(app, Method::POST, "/bans", &body)
}

const ALL: [(Method, &str); 12] = [
    (Method::GET, "/status"),
    (Method::GET, "/stats"),
    (Method::GET, "/uploaders"),
    (Method::GET, "/events"),
    (Method::GET, "/bans"),
    (Method::POST, "/bans"),
    (Method::DELETE, "/bans/user:123"),
    (Method::GET, "/users/123"),
    (Method::GET, "/users/123/sessions"),
    (Method::DELETE, "/users/123/sessions"),
    (Method::DELETE, "/users/123/sessions/0123456789abcdef0123456789abcdef"),
    (Method::POST, "/bucket"),
];

#[test]
fn looking_up_another_user_is_recorded_before_anything_is_shown() {
    let app = app();
    send(&app, upload(), PIXEL);
    let admin = json!({"sub": "boss", "role": "ADMIN"});
    let list = |claims: &Value, query: &str| {
        let request = get(&format!("/images{query}"));
        let bearer = format!("Bearer {}", hs256(claims.clone(), 4 * 3600));
        send(&app, request.header("authorization", bearer), b"")
    };
    see(&app, "/users/123");
    see(&app, "/users/123?limit=1");
    app.ports.set_time(NOW_MS + 60_000);
    assert_eq!(list(&admin, "?userId=123").status, StatusCode::OK);
    // Neither their own pictures, nor a back end, nor users who look at what is theirs.
    list(&admin, "");
    list(&json!({"sub": "api", "role": "SERVICE"}), "?userId=123");
    list(&json!({"sub": "123"}), "?userId=123");
    let events = app.ports.registry.events.borrow().clone();
    let seen: Vec<_> = events.iter().filter(|event| event.kind == "lookup").collect();
    assert_eq!(seen.len(), 2, "one a minute: {seen:?}");
    assert!(seen.iter().all(|event| event.subject == "user:123"));
    assert!(seen.iter().all(|event| event.detail.as_deref() == Some("by boss")));

    app.ports.registry.broken.set(true);
    let unseen = ask(&app, Method::GET, "/users/124", &Value::Null);
    assert_eq!(unseen.code(), "BUSY");
}

#[test]
fn old_events_are_deleted_and_bans_that_last_are_not() {
    const DAY_MS: u64 = 24 * HOUR_MS;
    let app = app_with(&[("EVENT_DAYS", "30")]);
    for (subject, days) in [("user:short", 1), ("user:long", 60)] {
        assert_eq!(ban(&app, subject, days * 86_400).status, StatusCode::CREATED);
    }
    block_on(app.ports.ledger.run_alarms());
    let subjects = || {
        let events = app.ports.registry.events.borrow();
        let users = events.iter().filter(|event| event.kind == "ban");
        users.map(|event| event.subject.clone()).collect::<BTreeSet<_>>()
    };
    for (day, expected) in [
        (30, &["user:long", "user:short"][..]),
        (31, &["user:long"]),
        (59, &["user:long"]),
        (60, &[]),
    ] {
        app.ports.set_time(NOW_MS + day * DAY_MS);
        block_on(jobs::flush(&app.ports, &app.isolate));
        block_on(jobs::run_scheduled(&app));
        assert!(subjects().iter().eq(expected), "after {day} days: {:?}", subjects());
    }
}

#[test]
fn only_administrators_are_served() {
    let app = app();
    for (method, path) in ALL {
        for role in ["USER", "GUEST", "SERVICE"] {
            let claims = json!({"sub": "123", "role": role});
            let refused = ask_as(&app, &claims, method.clone(), path, &Value::Null);
            assert_eq!(refused.code(), "ROLE_NOT_ALLOWED", "{role} {method} {path}");
        }
        let request = get(&format!("/admin/api{path}")).method(method);
        assert_eq!(send(&app, request, b"").code(), "TOKEN_MISSING", "{path}");
        let preflight = get(&format!("/admin/api{path}")).method(Method::OPTIONS);
        assert_eq!(send(&app, preflight, b"").status, StatusCode::NO_CONTENT, "{path}");
    }
}

#[test]
fn counts_are_exact_and_files_are_counted_apart_from_requests() {
    let app = app();
    for shade in [1, 2, 2] {
        send(&app, upload(), &gif(shade));
    }
    send(&app, upload().header("content-length", "6000000"), b"");
    send(&app, upload_as(&json!({"sub": "124"})), b"<svg></svg>");
    send(&app, get("/nowhere"), b"");
    let stats = see(&app, "/stats?hours=2");
    let totals = &stats["totals"];
    let codes =
        json!({"STORED": 2, "REPEATED": 1, "FILE_TOO_LARGE": 1, "INVALID_FILE_SIGNATURE": 1});
    assert_eq!(totals["codes"], codes);
    assert_eq!(totals["bytesIn"], 3 * PIXEL.len() + 11);
    assert_eq!(totals["bytesStored"], 2 * PIXEL.len());
    assert_eq!(totals["uploaders"], 1);
    let series = stats["series"].as_array().expect("a list");
    assert_eq!(series.len(), 2);
    assert_eq!(series[0]["codes"], json!({}));
    assert_eq!(series[1]["hour"], "2025-11-13T02:00:00.000Z");
    assert_eq!(series[1]["codes"], codes);

    let requests = &see(&app, "/status")["requests"];
    assert_eq!(requests["areas"]["uploads"], json!({"served": 3, "refused": 2}));
    assert_eq!(requests["areas"]["other"], json!({"served": 0, "refused": 1}));
    assert_eq!(requests["total"], 7, "the request for stats counts, this one not yet");
}

#[test]
fn counts_that_cannot_be_written_are_written_later() {
    let app = app();
    send(&app, upload(), PIXEL);
    app.ports.registry.broken.set(true);
    block_on(jobs::flush(&app.ports, &app.isolate));
    assert!(app.ports.registry.counts.borrow().is_empty());
    app.ports.registry.broken.set(false);
    block_on(jobs::flush(&app.ports, &app.isolate));
    block_on(jobs::flush(&app.ports, &app.isolate));
    let counts = app.ports.registry.counts.borrow();
    let counts: Vec<_> = counts.iter().map(|it| (&*it.area, &*it.code, it.count)).collect();
    assert_eq!(counts, [("files", "STORED", 1), ("uploads", "SERVED", 1)]);
}

#[test]
fn old_counts_are_deleted() {
    let app = app();
    send(&app, get("/nowhere"), b"");
    block_on(jobs::run_scheduled(&app));
    assert_eq!(app.ports.registry.counts.borrow().len(), 1);
    app.ports.set_time(NOW_MS + 93 * 24 * HOUR_MS);
    block_on(jobs::run_scheduled(&app));
    assert!(app.ports.registry.counts.borrow().is_empty());
}

#[test]
fn a_ban_is_enforced_listed_and_ended() {
    let app = app();
    let banned = ban(&app, "user:123", 3600);
    assert_eq!(banned.status, StatusCode::CREATED, "{}", banned.json);
    assert_eq!(banned.json["data"]["bannedUntil"], "2025-11-13T03:13:20.000Z");
    assert_eq!(send(&app, upload(), PIXEL).code(), "USER_BANNED");
    ban(&app, "ip:2001:db8:1:2:3::4", 60);
    block_on(app.ports.ledger.run_alarms());

    let bans = see(&app, "/bans")["bans"].clone();
    let listed = bans.as_array().expect("a list");
    assert_eq!(listed.len(), 2);
    let user = listed.iter().find(|ban| ban["account"] == "user:123").expect("listed");
    assert_eq!(user["reason"], "spam");
    assert_eq!(user["detail"], "by boss");
    assert!(listed.iter().any(|ban| ban["account"] == "ip:2001:db8:1:2::"));

    let response = ask(&app, Method::DELETE, "/bans/user%3A123", &Value::Null);
    assert_eq!(response.json["data"]["account"], "user:123");
    let bans = see(&app, "/bans")["bans"].clone();
    assert_eq!(bans.as_array().expect("a list").len(), 1, "the ledger knows before the database");
    assert_eq!(send(&app, upload(), PIXEL).status, StatusCode::CREATED);

    block_on(app.ports.ledger.run_alarms());
    let events = see(&app, "/events?limit=2");
    let kinds: Vec<_> = events["events"].as_array().expect("a list").iter().collect();
    assert_eq!(kinds.len(), 2);
    assert_eq!(kinds[0]["kind"], "lift");
    let rest =
        see(&app, &format!("/events?cursor={}", events["nextCursor"].as_str().expect("one more")));
    assert_eq!(rest["events"].as_array().expect("a list").len(), 1);
    let lifts = see(&app, "/events?kind=lift");
    assert_eq!(lifts["events"].as_array().expect("a list").len(), 1);
}

#[test]
fn invalid_bans_and_queries_are_refused() {
    let app = app();
    let long = "x".repeat(201);
    for body in [
        json!({"account": "user:1", "seconds": 60}),
        json!({"account": "user:1", "seconds": 0, "reason": "x"}),
        json!({"account": "user:1", "seconds": 31_622_401, "reason": "x"}),
        json!({"account": "user:1", "seconds": -1, "reason": "x"}),
        json!({"account": "user:1", "seconds": 60, "reason": " "}),
        json!({"account": "user:1", "seconds": 60, "reason": "a\nb"}),
        json!({"account": "user:1", "seconds": 60, "reason": long}),
        json!({"account": "user:a b", "seconds": 60, "reason": "x"}),
        json!({"account": "readiness", "seconds": 60, "reason": "x"}),
        json!({"account": "user:1", "seconds": 60, "reason": "x", "for": "ever"}),
        json!([]),
    ] {
        let refused = ask(&app, Method::POST, "/bans", &body);
        assert_eq!(refused.code(), "MALFORMED_REQUEST", "{body}");
    }
    assert_eq!(
        ban(&app, "ip:unknown", 60).code(),
        "ROLE_NOT_ALLOWED",
        "the administrator's own client IP"
    );
    for query in ["/stats?hours=0", "/uploaders?limit=x", "/events?kind=A", "/users/1?cursor=x"] {
        let refused = ask(&app, Method::GET, query, &Value::Null);
        assert_eq!(refused.code(), "MALFORMED_REQUEST", "{query}");
    }
}

#[test]
fn a_user_is_shown_with_abuse_status_limits_and_images() {
    let app = app();
    for shade in 0..3 {
        send(&app, upload(), &gif(shade));
    }
    send(&app, upload(), b"<svg></svg>");
    let user = see(&app, "/users/123?limit=2");
    assert_eq!(user["standing"]["strikes"], 1);
    assert_eq!(user["standing"]["bannedUntil"], Value::Null);
    assert_eq!(user["pseudonym"], app.config.auth.signing.pseudonym("123"));
    assert_eq!(user["limits"]["dailyCount"]["quota"], 1000);
    assert_eq!(user["limits"]["dailyCount"]["remaining"], 997);
    assert_eq!(user["states"], json!({"kept": 3}));
    assert_eq!(user["images"].as_array().expect("a list").len(), 2);
    let rest =
        see(&app, &format!("/users/123?cursor={}", user["nextCursor"].as_str().expect("one")));
    assert_eq!(rest["images"].as_array().expect("a list").len(), 1);
    assert_eq!(see(&app, "/users/nobody")["images"], json!([]));
    let guest = see(&app, "/users/guest-1");
    assert_eq!(guest["limits"]["dailyCount"]["quota"], 100);
}

#[test]
fn uploaders_are_listed_by_bytes() {
    let app = app();
    send(&app, upload(), &gif(1));
    for shade in 2..4 {
        send(&app, upload_as(&json!({"sub": "busy"})), &gif(shade));
    }
    let uploaders = see(&app, "/uploaders?limit=1")["uploaders"].clone();
    let expected = json!([{"userId": "busy", "count": 2, "bytes": 2 * PIXEL.len(),
        "lastAt": "2025-11-13T02:13:20.000Z"}]);
    assert_eq!(uploaders, expected);
    app.ports.set_time(NOW_MS + 2 * HOUR_MS);
    assert_eq!(see(&app, "/uploaders?hours=1")["uploaders"], json!([]));
}

#[test]
fn the_status_names_what_works_also_without_a_database() {
    let app = app();
    let status = see(&app, "/status");
    let parts = json!({"storage": "ok", "registry": "ok", "ledger": "ok", "bucket": "bound"});
    assert_eq!(status["parts"], parts);
    assert_eq!(status["deployment"]["id"], "v-1");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    app.ports.registry.broken.set(true);
    let status = see(&app, "/status");
    assert_eq!(status["parts"]["registry"], "unreachable");
    assert_eq!(status["requests"], Value::Null);
    assert_eq!(ask(&app, Method::GET, "/stats", &Value::Null).code(), "BUSY");
}
