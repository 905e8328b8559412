//! Alerts to the team: bans, refresh tokens that were used twice, a store that is down, bursts of server errors, sweeps that
//! fail or find something.
//!
//! Alerts are deduplicated across isolates: a kind that was sent is suppressed for 10 minutes, and the next alert reports
//! the counts accumulated since. The isolate that sends takes a lease in the database first; when it dies, the lease ends
//! and the next scheduled run sends.

mod kind;

use edge_registry::{AlertState, MetricsStore, RegistryError, Total, Unreported};
use edge_types::{log, with_timeout};

use crate::{
    app::App,
    ports::{AlertSink, AlertSinkError, Ports},
    telemetry::Metric,
};
use kind::Kind;

/// How long a kind is suppressed after an alert.
const WINDOW_MS: u64 = 600_000;
/// How long an isolate has to send: three times the timeouts of webhook and database.
const LEASE_MS: u64 = 30_000;
const SEND_TIMEOUT_MS: u64 = 5_000;

/// Whether an alert watches this counter.
pub fn watches(total: &Total) -> bool {
    Kind::ALL.iter().any(|kind| kind.weight(total) > 0)
}

/// Sends what is due, after a watched counter was written.
pub async fn send_due<P: Ports>(app: &App<P>) {
    if app.config.alert_webhook.is_some() {
        log_error(check(app, false).await);
    }
}

/// The scheduled run. Counts below the threshold are forgotten, so that ten errors are a burst only within one interval.
pub async fn run_scheduled<P: Ports>(app: &App<P>) {
    let outcome = if app.config.alert_webhook.is_some() {
        check(app, true).await
    } else {
        // A webhook that is configured later does not report the past.
        app.ports.registry().mark_all_reported().await
    };
    log_error(outcome);
}

fn log_error(outcome: Result<(), RegistryError>) {
    if let Err(error) = outcome {
        log::error("alerts_failed", &[("cause", &error.to_string())]);
    }
}

/// A kind with the counters to report.
struct PendingAlert {
    kind: Kind,
    totals: Vec<Total>,
    since_ms: u64,
}

async fn check<P: Ports>(app: &App<P>, is_scheduled: bool) -> Result<(), RegistryError> {
    let (registry, now_ms) = (app.ports.registry(), app.ports.now_ms());
    let Unreported { totals, alert_states } = registry.unreported().await?;
    let mut pending = Vec::new();
    for kind in Kind::ALL {
        let totals: Vec<_> = totals.iter().filter(|it| kind.weight(it) > 0).cloned().collect();
        let state = alert_states.iter().find(|state| state.kind == kind.name());
        let (since_ms, next_ms) = state.map_or((0, 0), |it| (it.since_ms, it.next_ms));
        if totals.is_empty() || next_ms > now_ms {
            continue;
        }
        if !kind.is_due(&totals) {
            if is_scheduled {
                registry.mark_reported(&state_of(kind, now_ms, next_ms), &totals).await?;
            }
        } else if registry.lease_alert(kind.name(), next_ms, now_ms + LEASE_MS).await? {
            pending.push(PendingAlert { kind, totals, since_ms });
        }
    }
    if pending.is_empty() || !send(app, &pending).await {
        return Ok(());
    }
    for PendingAlert { kind, totals, .. } in pending {
        registry.mark_reported(&state_of(kind, now_ms, now_ms + WINDOW_MS), &totals).await?;
    }
    Ok(())
}

fn state_of(kind: Kind, since_ms: u64, next_ms: u64) -> AlertState {
    AlertState { kind: kind.name().to_owned(), since_ms, next_ms }
}

/// Whether the webhook took the message. Its URL is a secret and never logged.
async fn send<P: Ports>(app: &App<P>, pending: &[PendingAlert]) -> bool {
    let Some(webhook) = &app.config.alert_webhook else { return false };
    let body = webhook.body(&text(app.config.public_base_url.as_deref(), pending));
    let sending = app.ports.alert_sink().send(webhook.url(), body);
    let outcome = with_timeout(&app.ports, SEND_TIMEOUT_MS, sending).await;
    let outcome = outcome.unwrap_or(Err(AlertSinkError::Timeout));
    app.isolate.counters.count(Metric::Message(outcome.is_ok()), 1);
    let kinds: Vec<_> = pending.iter().map(|alert| alert.kind.name()).collect();
    let kinds = kinds.join(" ");
    match &outcome {
        Ok(()) => log::info("alert_sent", &[("kinds", &kinds)]),
        Err(error) => {
            log::error("alert_unsent", &[("kinds", &kinds), ("cause", &error.to_string())]);
        }
    }
    outcome.is_ok()
}

/// The message. It contains nothing that a caller wrote.
fn text(base_url: Option<&str>, pending: &[PendingAlert]) -> String {
    let lines = pending.iter().map(|alert| alert.kind.line(&alert.totals, alert.since_ms));
    let mut lines: Vec<_> = std::iter::once("The-Form Images".to_owned()).chain(lines).collect();
    lines.extend(base_url.map(|base_url| format!("{base_url}/admin/")));
    lines.join("\n")
}
