//! What the team is told, and how often.

use super::*;
use crate::{alert, error::Part, health, stats::Series};

const URL: &str = "https://hooks.slack.com/services/T0/B0/very-secret";

fn watched() -> App<World> {
    app_with(&[("ALERT_WEBHOOK_URL", URL), ("STRIKES_TO_BAN", "1")])
}

/// What is done after an answer, and every few minutes.
fn write(app: &App<World>) {
    block_on(stats::flush_later(app));
}

fn turn(app: &App<World>) {
    block_on(stats::tend(app));
    block_on(alert::tend(app));
}

fn sent(app: &App<World>) -> Vec<String> {
    let sent = app.ports.messenger.sent.take();
    assert!(sent.iter().all(|(url, _)| url == URL));
    let text = |body: &str| serde_json::from_str::<Value>(body).expect("JSON")["text"].clone();
    sent.iter().map(|(_, body)| text(body).as_str().expect("text").to_owned()).collect()
}

fn pass(app: &App<World>, ms: u64) {
    app.ports.clock_ms.set(app.ports.clock_ms.get() + ms);
}

fn be_banned(app: &App<World>, user: &str) {
    send(app, upload_as(&serde_json::json!({"sub": user})), b"<svg></svg>");
}

#[test]
fn a_ban_is_told_at_once_and_those_that_follow_together() {
    let app = watched();
    be_banned(&app, "1");
    write(&app);
    let [message] = &*sent(&app) else { panic!("one message") };
    assert!(message.contains("Accounts shut out: 1 so far (disguise 1)"), "{message}");
    assert!(message.ends_with("\nhttps://image.the-form/admin/"), "{message}");
    for user in ["2", "3"] {
        be_banned(&app, user);
        write(&app);
    }
    turn(&app);
    assert!(sent(&app).is_empty(), "not again so soon");
    pass(&app, 600_000);
    turn(&app);
    let [message] = &*sent(&app) else { panic!("one message") };
    assert!(message.contains("Accounts shut out: 2 since 2025-11-13T"), "{message}");
    turn(&app);
    pass(&app, 600_000);
    turn(&app);
    assert!(sent(&app).is_empty(), "nothing new");
}

#[test]
fn it_is_told_also_when_a_scraper_had_it_written() {
    let app = watched();
    be_banned(&app, "1");
    block_on(stats::flush(&app.ports, &app.isolate));
    write(&app);
    assert_eq!(sent(&app).len(), 1);
}

#[test]
fn of_many_isolates_one_tells() {
    let mut app = watched();
    be_banned(&app, "1");
    block_on(stats::flush(&app.ports, &app.isolate));
    for _ in 0..3 {
        app.isolate = Rc::default();
        block_on(alert::tell(&app));
    }
    assert_eq!(sent(&app).len(), 1);
}

#[test]
fn what_comes_together_is_told_together() {
    let app = watched();
    be_banned(&app, "1");
    app.isolate.tallies.count(Series::Reuse, 2);
    app.isolate.tallies.count(Series::Fault(Part::Ledger), 12);
    write(&app);
    let [message] = &*sent(&app) else { panic!("one message") };
    for part in ["shut out: 1", "used twice", ": 2 so far", "ours: 12 so far (ledger 12)"] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn a_webhook_that_fails_or_hangs_is_asked_again_and_nothing_is_lost() {
    let app = watched();
    app.ports.messenger.status.set(Some(500));
    be_banned(&app, "1");
    write(&app);
    assert_eq!(sent(&app).len(), 1);
    turn(&app);
    assert!(sent(&app).is_empty(), "it is still in somebody's hands");
    app.ports.messenger.silent.set(true);
    pass(&app, 30_000);
    let began_ms = app.ports.clock_ms.get();
    turn(&app);
    assert_eq!(app.ports.clock_ms.get() - began_ms, 5_000, "and is given up in time");
    app.ports.messenger.silent.set(false);
    app.ports.messenger.status.set(None);
    pass(&app, 30_000);
    turn(&app);
    let [message] = &*sent(&app) else { panic!("one message") };
    assert!(message.contains("Accounts shut out: 1 so far"), "{message}");
    let lines = crate::log::tests::written().join("\n");
    assert!(
        lines.contains("alert_unsent") && lines.contains("Status(500)") && lines.contains("Late")
    );
    assert!(!lines.contains("very-secret"));
}

#[test]
fn a_burst_is_told_and_a_failure_now_and_then_is_not() {
    let app = watched();
    let fail = |times| app.isolate.tallies.count(Series::Fault(Part::Registry), times);
    for _ in 0..4 {
        fail(6);
        write(&app);
        turn(&app);
    }
    assert!(sent(&app).is_empty());
    fail(6);
    write(&app);
    fail(4);
    write(&app);
    let [message] = &*sent(&app) else { panic!("one message") };
    assert!(message.contains(": 10 since"), "{message}");
}

#[test]
fn a_store_that_is_down_is_told_as_soon_as_it_is_noticed() {
    let app = watched();
    app.ports.store.broken.set(true);
    block_on(health::probe(&app));
    write(&app);
    let [message] = &*sent(&app) else { panic!("one message") };
    assert!(
        message.contains("The object store fails: 1 so far (storage unreachable 1)"),
        "{message}"
    );
}

#[test]
fn without_a_webhook_nothing_is_sent_and_the_past_is_forgotten() {
    let mut app = app();
    app.isolate.tallies.count(Series::Reuse, 5);
    write(&app);
    turn(&app);
    app.config = watched().config;
    turn(&app);
    assert!(sent(&app).is_empty());
    app.isolate.tallies.count(Series::Reuse, 1);
    write(&app);
    assert_eq!(sent(&app).len(), 1);
}

#[test]
fn a_registry_that_is_down_holds_nothing_up() {
    let app = watched();
    app.ports.registry.broken.set(true);
    be_banned(&app, "1");
    write(&app);
    turn(&app);
    assert!(sent(&app).is_empty());
    app.ports.registry.broken.set(false);
    turn(&app);
    assert_eq!(sent(&app).len(), 1);
}
