//! What scrapers read: sums that are true whoever counted, and only for whom it is meant.

use serde_json::json;

use super::*;
use crate::{registry::Registry, storage::StoreFault};

const TOKEN: &str = "scrape-0123456789abcdef0123456789";

fn watched() -> App<World> {
    app_with(&[("METRICS_TOKEN", TOKEN)])
}

fn scrape(app: &App<World>, token: &str) -> Outcome {
    send(app, get("/metrics").header("authorization", format!("Bearer {token}")), b"")
}

/// The value of one sample.
fn sample(app: &App<World>, name: &str) -> String {
    let outcome = scrape(app, TOKEN);
    assert_eq!(outcome.status, StatusCode::OK, "{}", outcome.json);
    let prefix = format!("image_edge_{name} ");
    let line = outcome.text.lines().find_map(|line| line.strip_prefix(&prefix).map(str::to_owned));
    line.unwrap_or_else(|| panic!("no {name} in\n{}", outcome.text))
}

#[test]
fn metrics_are_for_the_scraper_and_for_administrators() {
    let app = watched();
    let served = scrape(&app, TOKEN);
    assert_eq!(served.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(served.headers["cache-control"], "no-store");
    let admin = hs256(json!({"sub": "boss", "role": "ADMIN"}), 60);
    assert_eq!(scrape(&app, &admin).status, StatusCode::OK);
    assert_eq!(scrape(&app, &hs256(json!({"sub": "123"}), 60)).code(), "ROLE_NOT_ALLOWED");
    assert_eq!(scrape(&app, &TOKEN[1..]).code(), "TOKEN_INVALID");
    assert_eq!(send(&app, get("/metrics"), b"").code(), "TOKEN_MISSING");
    assert_eq!(scrape(&super::app(), TOKEN).code(), "TOKEN_INVALID", "without one there is none");
}

#[test]
fn what_happened_is_told_by_every_isolate_and_never_goes_back() {
    let mut app = watched();
    send(&app, upload(), &picture(1));
    send(&app, upload(), &picture(1));
    send(&app, upload(), b"<svg></svg>");
    send(&app, get("/nowhere"), b"");
    let check = |app: &App<World>| {
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
    // Another isolate, which knows nothing of its own; the first has not been heard of for a minute.
    app.isolate = Rc::default();
    app.ports.clock_ms.set(NOW_MS + 61_000);
    check(&app);
}

#[test]
fn when_the_sums_cannot_be_read_nobody_is_told_zero() {
    let app = watched();
    send(&app, upload(), PIXEL);
    app.ports.registry.broken.set(true);
    let refused = scrape(&app, TOKEN);
    assert_eq!((refused.status.as_u16(), refused.code()), (503, "BUSY"));
    app.ports.registry.broken.set(false);
    assert_eq!(sample(&app, r#"faults_total{part="registry"}"#), "1", "the scrape");
}

#[test]
fn durations_fall_into_their_buckets() {
    let app = watched();
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
    send(&app, upload(), &picture(1));
    send(&app, upload(), &picture(2));
    assert_eq!(send(&app, upload(), &picture(3)).code(), "RATE_LIMITED");
    app.ports.clock_ms.set(NOW_MS + 61_000);
    send(&app, upload(), b"<svg></svg>");
    assert_eq!(sample(&app, r#"bans_total{reason="disguise"}"#), "0", "one strike is no ban");
    send(&app, upload(), b"<svg/>");
    assert_eq!(send(&app, upload(), &picture(4)).code(), "USER_BANNED");
    block_on(app.ports.ledger.ring());
    app.ports.store.objects.borrow_mut().clear();
    block_on(crate::sweep::tend(&app));
    for (name, expected) in [
        (r#"limit_refusals_total{account="user",barrier="rate"}"#, "1"),
        (r#"limit_refusals_total{account="user",barrier="ban"}"#, "1"),
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
fn a_part_that_does_not_answer_is_named_in_time_and_counted() {
    let app = watched();
    assert_eq!(send(&app, get("/readyz"), b"").status, StatusCode::OK);
    app.ports.store.hanging.set(true);
    let began_ms = app.ports.clock_ms.get();
    let refused = send(&app, get("/readyz"), b"");
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    let expected = json!({
        "storage": "unreachable", "registry": "ok", "ledger": "ok", "bucket": "unknown",
    });
    assert_eq!(refused.json, expected);
    assert_eq!(app.ports.clock_ms.get() - began_ms, 5_000);
    assert_eq!(sample(&app, r#"probes_total{part="storage",outcome="unreachable"}"#), "1");
    assert_eq!(sample(&app, r#"probes_total{part="ledger",outcome="ok"}"#), "2");
}

#[test]
fn failures_of_the_store_are_counted_whoever_asked() {
    use crate::storage::ObjectStore;
    let isolate = Rc::<crate::app::Isolate>::default();
    let store = stats::Watched { store: MemoryStore::failing(), isolate: Rc::clone(&isolate) };
    assert!(matches!(block_on(store.probe()), Err(StoreFault::Failed(_))));
    let app = App { isolate, ..watched() };
    assert_eq!(sample(&app, r#"storage_errors_total{kind="failed"}"#), "1");
    assert!(block_on(app.ports.registry.probe()).is_ok());
}
