//! What was served and refused, counted in the isolate and written to the registry some seconds
//! later, so that no request waits for it. An isolate that dies loses at most those seconds. Counts
//! are for looking at; limits and bans are the ledger's, which loses nothing.

mod label;
mod tallies;

pub use label::{Area, Outcome};
pub use tallies::{Counts, Tallies};

use http::Method;

use crate::{
    app::{App, Ports},
    call::Call,
    error::Failure,
    log,
    registry::{Annals, HourCount},
};

/// How long counts gather. One write in so many seconds is what a busy isolate costs the database,
/// and a quiet one nothing.
const GATHER_MS: u64 = 3_000;
/// How long hours are kept: a quarter of a year, some 80,000 small rows at most.
const KEPT_HOURS: u64 = 92 * 24;

/// Milliseconds in an hour.
pub const HOUR_MS: u64 = 3_600_000;

/// What became of one file that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileCount {
    /// Stored, repeated or refused.
    pub outcome: Outcome,
    /// Bytes that came, of a file that was read whole.
    pub bytes_in: u64,
    /// Bytes that were stored for it.
    pub bytes_stored: u64,
}

/// Counts a request and the files that it brought.
pub fn count<P: Ports>(app: &App<P>, call: &Call<'_>, failure: Option<&Failure>) {
    let hour = app.ports.now_ms() / HOUR_MS;
    let tallies = &app.isolate.tallies;
    let (method, path) = (&call.head.method, call.head.uri.path());
    let outcome = failure.map_or(Outcome::Served, |failure| Outcome::Refused(failure.code()));
    tallies.add(hour, Area::of(method, path), outcome, Counts::one(0, 0));
    let mut files = call.take_files();
    if let Outcome::Refused(_) = outcome
        && files.is_empty()
        && *method == Method::POST
        && path == "/images"
    {
        // Refused before a file was seen: it counts as one.
        files.push(FileCount { outcome, bytes_in: 0, bytes_stored: 0 });
    }
    for file in files {
        let counts = Counts::one(file.bytes_in, file.bytes_stored);
        tallies.add(hour, Area::Files, file.outcome, counts);
    }
}

/// Writes what was counted, some seconds from now; whoever asked [`Tallies::plan`] and was told so
/// does it, after the answer.
pub async fn flush_later<P: Ports>(app: &App<P>) {
    app.ports.sleep(GATHER_MS).await;
    app.isolate.tallies.end_plan();
    flush(app).await;
}

/// Writes what was counted. What cannot be written is kept for the next time; of a write whose answer
/// is lost, the counts may be there twice.
pub async fn flush<P: Ports>(app: &App<P>) {
    let counts = app.isolate.tallies.take();
    if counts.is_empty() {
        return;
    }
    let rows: Vec<_> = counts.iter().map(|(place, counts)| row(*place, *counts)).collect();
    if let Err(fault) = app.ports.registry().add_counts(&rows).await {
        log::error("counts_unwritten", &[("cause", &fault.0)]);
        app.isolate.tallies.put_back(counts);
    }
}

/// Writes what was counted and drops hours of long ago.
pub async fn tend<P: Ports>(app: &App<P>) {
    flush(app).await;
    let before_hour = (app.ports.now_ms() / HOUR_MS).saturating_sub(KEPT_HOURS);
    if let Err(fault) = app.ports.registry().forget_counts(before_hour).await {
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
