//! Counts a request.

use crate::{
    app::App,
    context::RequestContext,
    jobs::HOUR_MS,
    ports::Ports,
    telemetry::{Area, Counts, FileCount, Metric, Outcome, RequestEnd, Route, Stage},
};

/// Counts a request, its files, and where an upload spent its time.
pub fn count<P: Ports>(app: &App<P>, context: &RequestContext<'_>, end: &RequestEnd) {
    let hour = app.ports.now_ms() / HOUR_MS;
    let counters = &app.isolate.counters;
    let RequestEnd { route, outcome, status, took_ms } = *end;
    counters.add(hour, route.area, outcome, Counts::one(0, 0));
    counters.count(Metric::Request { route, status: status.as_u16(), outcome }, 1);
    for component in context.failed_components() {
        counters.count(Metric::InternalError(component), 1);
    }
    if route != Route::UPLOAD {
        return;
    }
    let mut files = context.take_files();
    if let Outcome::Refused(_) = outcome
        && files.is_empty()
    {
        // A request that is refused before its files are read counts as one file.
        files.push(FileCount { outcome, format: None, bytes_in: 0, bytes_stored: 0 });
    }
    for file in files {
        let FileCount { outcome, format, bytes_in, bytes_stored } = file;
        counters.add(hour, Area::Files, outcome, Counts::one(bytes_in, bytes_stored));
        counters.count(Metric::File { outcome, format }, 1);
        counters.count(Metric::BytesIn, bytes_in);
        counters.count(Metric::BytesStored, bytes_stored);
    }
    for (stage, spent_ms) in context.spent_ms() {
        counters.time(stage, spent_ms);
    }
    counters.time(Stage::Whole, took_ms);
}
