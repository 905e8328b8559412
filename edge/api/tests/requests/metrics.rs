//! `/metrics`: sums of all isolates, for scrapers and administrators only.

use std::rc::Rc;

use edge_api::{
    app::{App, Isolate},
    jobs,
    telemetry::InstrumentedStore,
};
use edge_auth::testing::{NOW_MS, hs256};
use edge_registry::Registry;
use edge_storage::{ObjectStore, StoreError, testing::FakeStore};
use edge_types::Clock;
use futures_executor::block_on;
use http::StatusCode;
use serde_json::json;

use crate::harness::{PIXEL, TestApp, TestResponse, app_with, get, gif, send, upload};

const TOKEN: &str = "scrape-0123456789abcdef0123456789";

fn app_with_metrics() -> TestApp {
    app_with(&[("METRICS_TOKEN", TOKEN)])
}

fn scrape(app: &TestApp, token: &str) -> TestResponse {
    send(app, get("/metrics").header("authorization", format!("Bearer {token}")), b"")
}

/// The value of one sample.
fn sample(app: &TestApp, name: &str) -> String {
    let response = scrape(app, TOKEN);
    assert_eq!(response.status, StatusCode::OK, "{}", response.json);
    let prefix = format!("image_edge_{name} ");
    let line = response.text.lines().find_map(|line| line.strip_prefix(&prefix).map(str::to_owned));
    line.unwrap_or_else(|| panic!("no {name} in\n{}", response.text))
}

#[test]
fn metrics_are_for_the_scraper_and_for_administrators() {
    let app = app_with_metrics();
    let served = scrape(&app, TOKEN);
    assert_eq!(served.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(served.headers["cache-control"], "no-store");
    let admin = hs256(json!({"sub": "boss", "role": "ADMIN"}), 60);
    assert_eq!(scrape(&app, &admin).status, StatusCode::OK);
    assert_eq!(scrape(&app, &hs256(json!({"sub": "123"}), 60)).code(), "ROLE_NOT_ALLOWED");
    assert_eq!(scrape(&app, &TOKEN[1..]).code(), "TOKEN_INVALID");
    assert_eq!(send(&app, get("/metrics"), b"").code(), "TOKEN_MISSING");
    assert_eq!(
        scrape(&app_with(&[]), TOKEN).code(),
        "TOKEN_INVALID",
        "without METRICS_TOKEN no token is accepted"
    );
}

#[test]
fn every_isolate_shows_the_same_sums() {
    let mut app = app_with_metrics();
    send(&app, upload(), &gif(1));
    send(&app, upload(), &gif(1));
    send(&app, upload(), b"<svg></svg>");
    send(&app, get("/nowhere"), b"");
    let check = |app: &TestApp| {
        for (name, expected) in [
            (r#"uploads_total{outcome="STORED",format="gif"}"#, "1"),
            (r#"uploads_total{outcome="REPEATED",format="gif"}"#, "1"),
            (r#"uploads_total{outcome="INVALID_FILE_SIGNATURE",format="gif"}"#, "1"),
            (r#"uploads_total{outcome="STORED",format="png"}"#, "0"),
            (r#"upload_bytes_total{direction="stored"}"#, "35"),
            (r#"requests_total{route="upload",status="201",outcome="SERVED"}"#, "1"),
            (r#"requests_total{route="unknown",status="404",outcome="NOT_FOUND"}"#, "1"),
            (r#"stage_seconds_count{stage="whole"}"#, "3"),
            (r#"stage_seconds_count{stage="store"}"#, "2"),
            (r#"queue_seconds_count{purpose="decode"}"#, "2"),
            ("isolates", "1"),
        ] {
            assert_eq!(sample(app, name), expected, "{name}");
        }
    };
    check(&app);
    // A new isolate; the first one has not written for a minute.
    app.isolate = Rc::default();
    app.ports.set_time(NOW_MS + 61_000);
    check(&app);
}

#[test]
fn without_a_database_the_response_is_busy_instead_of_zero() {
    let app = app_with_metrics();
    send(&app, upload(), PIXEL);
    app.ports.registry.broken.set(true);
    let refused = scrape(&app, TOKEN);
    assert_eq!((refused.status.as_u16(), refused.code()), (503, "BUSY"));
    app.ports.registry.broken.set(false);
    assert_eq!(sample(&app, r#"internal_errors_total{component="registry"}"#), "1", "the scrape");
}

#[test]
fn durations_fall_into_their_buckets() {
    let app = app_with_metrics();
    app.ports.tick_ms.set(7);
    send(&app, upload(), PIXEL);
    app.ports.tick_ms.set(0);
    assert_eq!(sample(&app, r#"stage_seconds_bucket{stage="store",le="0.005"}"#), "0");
    assert_eq!(sample(&app, r#"stage_seconds_bucket{stage="store",le="0.01"}"#), "1");
    assert_eq!(sample(&app, r#"stage_seconds_sum{stage="store"}"#), "0.007");
}

#[test]
fn limits_bans_and_sweeps_are_counted() {
    let app =
        app_with(&[("METRICS_TOKEN", TOKEN), ("RATE_PER_MINUTE", "2"), ("STRIKES_TO_BAN", "2")]);
    send(&app, upload(), &gif(1));
    send(&app, upload(), &gif(2));
    assert_eq!(send(&app, upload(), &gif(3)).code(), "RATE_LIMITED");
    app.ports.set_time(NOW_MS + 61_000);
    send(&app, upload(), b"<svg></svg>");
    assert_eq!(sample(&app, r#"bans_total{reason="disguise"}"#), "0", "one strike is no ban");
    send(&app, upload(), b"<svg/>");
    assert_eq!(send(&app, upload(), &gif(4)).code(), "USER_BANNED");
    block_on(app.ports.ledger.run_alarms());
    app.ports.store.objects.borrow_mut().clear();
    block_on(jobs::run_scheduled(&app));
    for (name, expected) in [
        (r#"limit_refusals_total{subject="user",limit="rate"}"#, "1"),
        (r#"limit_refusals_total{subject="user",limit="ban"}"#, "1"),
        (r#"bans_total{reason="disguise"}"#, "1"),
        ("bans", "1"),
        (r#"sweeps_total{outcome="found"}"#, "1"),
        (r#"sweep_findings_total{kind="row_without_object"}"#, "2"),
    ] {
        assert_eq!(sample(&app, name), expected, "{name}");
    }
    let swept_s: u64 = sample(&app, "swept_timestamp_seconds").parse().expect("a number");
    assert!(swept_s * 1000 >= NOW_MS, "{swept_s}");
}

#[test]
fn a_component_that_does_not_answer_is_named_in_time_and_counted() {
    let app = app_with_metrics();
    assert_eq!(send(&app, get("/readyz"), b"").status, StatusCode::OK);
    app.ports.store.hanging.set(true);
    // The last answer is remembered for two seconds.
    app.ports.set_time(app.ports.clock.now_ms() + 2_000);
    let began_ms = app.ports.clock.now_ms();
    let refused = send(&app, get("/readyz"), b"");
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    let expected = json!({
        "storage": "unreachable", "registry": "ok", "ledger": "ok", "bucket": "unknown",
    });
    assert_eq!(refused.json, expected);
    assert_eq!(app.ports.clock.now_ms() - began_ms, 5_000);
    assert_eq!(sample(&app, r#"probes_total{component="storage",outcome="unreachable"}"#), "1");
    assert_eq!(sample(&app, r#"probes_total{component="ledger",outcome="ok"}"#), "2");
}

#[test]
fn failures_of_the_store_are_counted_for_every_caller() {
    let isolate = Rc::<Isolate>::default();
    let counters = Rc::clone(&isolate.counters);
    let store = InstrumentedStore { store: FakeStore::failing(), counters };
    assert!(matches!(block_on(store.probe()), Err(StoreError::Failed(_))));
    let app = App { isolate, ..app_with_metrics() };
    assert_eq!(sample(&app, r#"storage_errors_total{kind="failed"}"#), "1");
    assert!(block_on(app.ports.registry.probe()).is_ok());
}
