//! Writes the counters of an isolate to the database some seconds after they were incremented, so that no request waits for
//! it. An isolate that dies loses at most those seconds. Limits and bans are exact: they are in the ledger.

use edge_registry::{
    AuditStore, CounterBatch, HourCount, IsolateMemory, MetricsStore, Timing, Total,
};
use edge_types::log;

use crate::{
    alerts,
    app::{App, Isolate},
    ports::Ports,
    telemetry::{ALERT_FLUSH_MS, CounterKey, Counts, FLUSH_INTERVAL_MS, Histogram, Stage},
};

/// How long the counts of hours are kept: a quarter of a year, some 80,000 small rows at most.
const KEPT_HOURS: u64 = 92 * 24;
/// How many old events one run deletes: 144,000 a day.
const DELETED_EVENTS: u32 = 500;
/// How long the memory of an isolate is kept that does not write any more.
pub const KEPT_ISOLATES_MS: u64 = HOUR_MS;
pub const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Waits, flushes, and sends alerts that are due. Runs after the response of a request that got `true` from
/// [`crate::telemetry::Counters::plan_flush`].
pub async fn flush_later<P: Ports>(app: &App<P>) {
    app.ports.sleep(ALERT_FLUSH_MS).await;
    let watches = |name: &str, labels: &str| alerts::watches(&Total::new(name, labels, 1));
    if !app.isolate.counters.any_total(watches) {
        app.ports.sleep(FLUSH_INTERVAL_MS - ALERT_FLUSH_MS).await;
    }
    app.isolate.counters.end_plan();
    flush(&app.ports, &app.isolate).await;
    if app.isolate.counters.take_alerts() {
        alerts::send_due(app).await;
    }
}

/// Writes the counters after an alarm: alarms follow each other quickly, and each row that is written costs.
pub async fn flush_after_alarm<P: Ports>(ports: &P, isolate: &Isolate) {
    let now_ms = ports.now_ms();
    let watches = |name: &str, labels: &str| alerts::watches(&Total::new(name, labels, 1));
    let is_due = isolate.flushed_ms.get().saturating_add(FLUSH_INTERVAL_MS) <= now_ms;
    if is_due || isolate.counters.any_total(watches) {
        isolate.flushed_ms.set(now_ms);
        flush(ports, isolate).await;
    }
}

/// Writes the counters. What cannot be written is kept for the next flush; when the response of a write is lost, its counts
/// may be there twice.
pub async fn flush<P: Ports>(ports: &P, isolate: &Isolate) {
    let batch = isolate.counters.take();
    if batch.is_empty() {
        return;
    }
    let counters = CounterBatch {
        hours: batch.hours.iter().map(|(key, counts)| hour_count(*key, *counts)).collect(),
        totals: batch
            .totals
            .iter()
            .map(|((name, labels), total)| Total::new(name, labels, *total))
            .collect(),
        timings: batch.timings.iter().map(|(stage, histogram)| timing(*stage, histogram)).collect(),
        isolate: isolate_memory(ports, isolate),
    };
    if let Err(error) = ports.registry().add_counts(&counters).await {
        log::error("counts_unwritten", &[("cause", &error.to_string())]);
        isolate.counters.put_back(batch);
    } else if counters.totals.iter().any(alerts::watches) {
        isolate.counters.note_alerts();
    }
}

/// The memory of this isolate now.
pub fn isolate_memory<P: Ports>(ports: &P, isolate: &Isolate) -> IsolateMemory {
    IsolateMemory {
        id: isolate.id(ports.random()),
        at_ms: ports.now_ms(),
        used_bytes: isolate.resources.memory.used_bytes(),
        peak_bytes: isolate.resources.memory.peak_bytes(),
        wasm_bytes: ports.wasm_memory_bytes(),
    }
}

/// Flushes, deletes old counts and audit events, and marks the next hour.
pub async fn run_scheduled<P: Ports>(app: &App<P>) {
    flush(&app.ports, &app.isolate).await;
    let now_ms = app.ports.now_ms();
    let hour = now_ms / HOUR_MS;
    let registry = app.ports.registry();
    let deleting = async {
        registry.delete_counts(hour.saturating_sub(KEPT_HOURS)).await?;
        registry.mark_hour(hour.saturating_add(1)).await?;
        registry.delete_isolates(now_ms.saturating_sub(KEPT_ISOLATES_MS)).await?;
        let before_ms = now_ms.saturating_sub(u64::from(app.config.event_days) * DAY_MS);
        registry.delete_events(before_ms, now_ms, DELETED_EVENTS).await
    };
    if let Err(error) = deleting.await {
        log::error("counts_undeleted", &[("cause", &error.to_string())]);
    }
}

fn hour_count((hour, area, outcome): CounterKey, counts: Counts) -> HourCount {
    HourCount {
        hour,
        area: area.into_str().to_owned(),
        code: outcome.name().to_owned(),
        count: counts.count,
        bytes_in: counts.bytes_in,
        bytes_stored: counts.bytes_stored,
    }
}

fn timing(stage: Stage, histogram: &Histogram) -> Timing {
    let Histogram { sum_ms, counts } = *histogram;
    Timing { stage: stage.into_str().to_owned(), sum_ms, counts: counts.to_vec() }
}
