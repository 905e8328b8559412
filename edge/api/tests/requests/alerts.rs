//! Alerts: what is sent to the webhook, and how often.

use std::rc::Rc;

use edge_api::{
    Component, health,
    jobs::{self, run_scheduled},
    telemetry::Metric,
};
use edge_types::{Clock, testing::written};
use futures_executor::block_on;
use serde_json::{Value, json};

use crate::harness::{TestApp, app, app_with, send, upload_as};

const URL: &str = "https://hooks.slack.com/services/T0/B0/very-secret";

fn watched() -> TestApp {
    app_with(&[("ALERT_WEBHOOK_URL", URL), ("STRIKES_TO_BAN", "1")])
}

/// What runs after a response.
fn flush(app: &TestApp) {
    block_on(jobs::flush_later(app));
}

/// What runs every few minutes.
fn run_cron(app: &TestApp) {
    block_on(run_scheduled(app));
}

/// The texts that were sent since the last call.
fn sent(app: &TestApp) -> Vec<String> {
    let sent = app.ports.alert_sink.sent.take();
    assert!(sent.iter().all(|(url, _)| url == URL));
    let text = |body: &str| serde_json::from_str::<Value>(body).expect("JSON")["text"].clone();
    sent.iter().map(|(_, body)| text(body).as_str().expect("text").to_owned()).collect()
}

/// Uploads a disguised file, which bans the user.
fn be_banned(app: &TestApp, user: &str) {
    send(app, upload_as(&json!({"sub": user})), b"<svg></svg>");
}

#[test]
fn the_first_ban_is_reported_at_once_and_later_ones_together() {
    let app = watched();
    be_banned(&app, "1");
    flush(&app);
    let [message] = &*sent(&app) else { panic!("one message") };
    assert!(message.contains("Subjects banned: 1 so far (disguise 1)"), "{message}");
    assert!(message.ends_with("\nhttps://image.the-form/admin/"), "{message}");
    for user in ["2", "3"] {
        be_banned(&app, user);
        flush(&app);
    }
    run_cron(&app);
    assert!(sent(&app).is_empty(), "suppressed");
    app.ports.clock.advance(600_000);
    run_cron(&app);
    let [message] = &*sent(&app) else { panic!("one message") };
    assert!(message.contains("Subjects banned: 2 since 2025-11-13T"), "{message}");
    run_cron(&app);
    app.ports.clock.advance(600_000);
    run_cron(&app);
    assert!(sent(&app).is_empty(), "nothing new");
}

#[test]
fn what_a_scrape_flushed_is_reported_as_well() {
    let app = watched();
    be_banned(&app, "1");
    block_on(jobs::flush(&app.ports, &app.isolate));
    flush(&app);
    assert_eq!(sent(&app).len(), 1);
}

#[test]
fn of_many_isolates_one_sends() {
    let mut app = watched();
    be_banned(&app, "1");
    block_on(jobs::flush(&app.ports, &app.isolate));
    for _ in 0..3 {
        app.isolate = Rc::default();
        run_cron(&app);
    }
    assert_eq!(sent(&app).len(), 1);
}

#[test]
fn one_message_reports_several_kinds() {
    let app = watched();
    be_banned(&app, "1");
    app.isolate.counters.count(Metric::Reuse, 2);
    app.isolate.counters.count(Metric::InternalError(Component::Ledger), 12);
    flush(&app);
    let [message] = &*sent(&app) else { panic!("one message") };
    for part in ["banned: 1", "used twice", ": 2 so far", "server errors: 12 so far (ledger 12)"] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn a_webhook_that_fails_or_hangs_is_retried_and_nothing_is_lost() {
    let app = watched();
    app.ports.alert_sink.status.set(Some(500));
    be_banned(&app, "1");
    flush(&app);
    assert_eq!(sent(&app).len(), 1);
    run_cron(&app);
    assert!(sent(&app).is_empty(), "the lease of the first attempt has not ended");
    app.ports.alert_sink.hanging.set(true);
    app.ports.clock.advance(30_000);
    let began_ms = app.ports.clock.now_ms();
    run_cron(&app);
    assert_eq!(app.ports.clock.now_ms() - began_ms, 5_000, "the timeout");
    app.ports.alert_sink.hanging.set(false);
    app.ports.alert_sink.status.set(None);
    app.ports.clock.advance(30_000);
    run_cron(&app);
    let [message] = &*sent(&app) else { panic!("one message") };
    assert!(message.contains("Subjects banned: 1 so far"), "{message}");
    let lines = written();
    let unsent: Vec<_> = lines.iter().filter(|line| line.contains("alert_unsent")).collect();
    assert_eq!(unsent.len(), 2, "{lines:?}");
    assert!(unsent[0].contains("status 500") && unsent[1].contains("no answer in time"));
    assert!(!lines.join("\n").contains("very-secret"));
}

#[test]
fn a_burst_of_errors_is_reported_and_single_errors_are_not() {
    let app = watched();
    let fail =
        |times| app.isolate.counters.count(Metric::InternalError(Component::Registry), times);
    for _ in 0..4 {
        fail(6);
        flush(&app);
        run_cron(&app);
    }
    assert!(sent(&app).is_empty());
    fail(6);
    flush(&app);
    fail(4);
    flush(&app);
    let [message] = &*sent(&app) else { panic!("one message") };
    assert!(message.contains(": 10 since"), "{message}");
}

#[test]
fn a_store_that_is_down_is_reported_by_the_health_check() {
    let app = watched();
    app.ports.store.broken.set(true);
    block_on(health::probe(&app));
    flush(&app);
    let [message] = &*sent(&app) else { panic!("one message") };
    assert!(
        message.contains("The object store fails: 1 so far (storage unreachable 1)"),
        "{message}"
    );
}

#[test]
fn without_a_webhook_nothing_is_sent_then_or_later() {
    let mut app = app();
    app.isolate.counters.count(Metric::Reuse, 5);
    flush(&app);
    run_cron(&app);
    app.config = watched().config;
    run_cron(&app);
    assert!(sent(&app).is_empty());
    app.isolate.counters.count(Metric::Reuse, 1);
    flush(&app);
    assert_eq!(sent(&app).len(), 1);
}

#[test]
fn alerts_are_sent_once_the_database_answers_again() {
    let app = watched();
    app.ports.registry.broken.set(true);
    be_banned(&app, "1");
    flush(&app);
    run_cron(&app);
    assert!(sent(&app).is_empty());
    app.ports.registry.broken.set(false);
    run_cron(&app);
    assert_eq!(sent(&app).len(), 1);
}
