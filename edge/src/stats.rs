//! What was served and refused, counted in the isolate and written to the registry some seconds
//! later, so that no request waits for it. An isolate that dies loses at most those seconds. Counts
//! are for looking at; limits and bans are the ledger's, which loses nothing.
//!
//! There are counts by the hour for the administrators' page, sums since the beginning for metrics and
//! alerts, and durations; all go in one transaction.

mod label;
mod series;
mod tallies;
mod timing;
mod watched;

pub use label::{Area, Outcome, Route};
pub use series::{BanReason, Family, Limit, Series, SweepEnd, SweepStop};
pub use tallies::{Counts, Tallies};
pub use timing::{BOUNDS_MS, Histogram, Stage};
pub use watched::Watched;

use http::StatusCode;
use image_rules::Format;

use crate::{
    alert,
    app::{App, Isolate, Ports},
    call::Call,
    log,
    registry::{Annals, HourCount, IsolateMemory, Meters, Sums, Timing, Total},
};

/// How long counts gather. One write of three rows, or fifteen when there were uploads, in so many seconds
/// is what a busy isolate costs the database, and a quiet one nothing.
const GATHER_MS: u64 = 5_000;
/// How long hours are kept: a quarter of a year, some 80,000 small rows at most.
const KEPT_HOURS: u64 = 92 * 24;
/// How long an isolate is remembered that does not write any more.
pub const KEPT_ISOLATES_MS: u64 = HOUR_MS;

/// Milliseconds in an hour.
pub const HOUR_MS: u64 = 3_600_000;

/// What became of one file that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileCount {
    /// Stored, repeated or refused.
    pub outcome: Outcome,
    /// What it was sent as, when that is known.
    pub format: Option<Format>,
    /// Bytes that came, of a file that was read whole.
    pub bytes_in: u64,
    /// Bytes that were stored for it.
    pub bytes_stored: u64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// What it asked for.
    pub route: Route,
    /// How it ended.
    pub outcome: Outcome,
    /// What it was answered.
    pub status: StatusCode,
    /// How long it took until then.
    pub took_ms: u64,
}

/// Counts a request, the files that it brought, and where an upload spent its time.
pub fn count<P: Ports>(app: &App<P>, call: &Call<'_>, end: &End) {
    let hour = app.ports.now_ms() / HOUR_MS;
    let tallies = &app.isolate.tallies;
    let End { route, outcome, status, took_ms } = *end;
    tallies.add(hour, route.area, outcome, Counts::one(0, 0));
    tallies.count(Series::Request { route, status: status.as_u16(), outcome }, 1);
    for part in call.faults() {
        tallies.count(Series::Fault(part), 1);
    }
    if route != Route::UPLOAD {
        return;
    }
    let mut files = call.take_files();
    if let Outcome::Refused(_) = outcome
        && files.is_empty()
    {
        // Refused before a file was seen: it counts as one.
        files.push(FileCount { outcome, format: None, bytes_in: 0, bytes_stored: 0 });
    }
    for file in files {
        let FileCount { outcome, format, bytes_in, bytes_stored } = file;
        tallies.add(hour, Area::Files, outcome, Counts::one(bytes_in, bytes_stored));
        tallies.count(Series::File { outcome, format }, 1);
        tallies.count(Series::BytesIn, bytes_in);
        tallies.count(Series::BytesStored, bytes_stored);
    }
    for (stage, spent_ms) in call.spent_ms() {
        tallies.time(stage, spent_ms);
    }
    tallies.time(Stage::Whole, took_ms);
}

/// Writes what was counted, some seconds from now, and tells the team of what it must hear; whoever
/// asked [`Tallies::plan`] and was told so does it, after the answer.
pub async fn flush_later<P: Ports>(app: &App<P>) {
    app.ports.sleep(GATHER_MS).await;
    app.isolate.tallies.end_plan();
    flush(&app.ports, &app.isolate).await;
    if app.isolate.tallies.take_news() {
        alert::tell(app).await;
    }
}

/// Writes what was counted. What cannot be written is kept for the next time; of a write whose answer
/// is lost, the counts may be there twice.
pub async fn flush<P: Ports>(ports: &P, isolate: &Isolate) {
    let batch = isolate.tallies.take();
    if batch.is_empty() {
        return;
    }
    let sums = Sums {
        hours: batch.hours.iter().map(|(place, counts)| row(*place, *counts)).collect(),
        totals: batch
            .totals
            .iter()
            .map(|((name, labels), total)| Total::new(name, labels, *total))
            .collect(),
        timings: batch.timings.iter().map(|(stage, histogram)| timing(*stage, histogram)).collect(),
        isolate: memory(ports, isolate),
    };
    if let Err(fault) = ports.registry().add_counts(&sums).await {
        log::error("counts_unwritten", &[("cause", &fault.0)]);
        isolate.tallies.put_back(batch);
    } else if sums.totals.iter().any(alert::watches) {
        isolate.tallies.note_news();
    }
}

/// The memory of this isolate now.
pub fn memory<P: Ports>(ports: &P, isolate: &Isolate) -> IsolateMemory {
    IsolateMemory {
        id: isolate.name(ports.random()),
        at_ms: ports.now_ms(),
        used_bytes: isolate.memory.used_bytes(),
        peak_bytes: isolate.memory.peak_bytes(),
        wasm_bytes: ports.memory_bytes(),
    }
}

/// Writes what was counted and drops what is of long ago.
pub async fn tend<P: Ports>(app: &App<P>) {
    flush(&app.ports, &app.isolate).await;
    let now_ms = app.ports.now_ms();
    let before_hour = (now_ms / HOUR_MS).saturating_sub(KEPT_HOURS);
    let registry = app.ports.registry();
    let forgotten = async {
        registry.forget_counts(before_hour).await?;
        registry.forget_isolates(now_ms.saturating_sub(KEPT_ISOLATES_MS)).await
    };
    if let Err(fault) = forgotten.await {
        log::error("counts_unforgotten", &[("cause", &fault.0)]);
    }
}

fn row((hour, area, outcome): tallies::Place, counts: Counts) -> HourCount {
    HourCount {
        hour,
        area: area.name().to_owned(),
        code: outcome.name().to_owned(),
        count: counts.count,
        bytes_in: counts.bytes_in,
        bytes_stored: counts.bytes_stored,
    }
}

fn timing(stage: Stage, histogram: &Histogram) -> Timing {
    let Histogram { sum_ms, counts } = *histogram;
    Timing { stage: stage.name().to_owned(), sum_ms, counts: counts.to_vec() }
}
