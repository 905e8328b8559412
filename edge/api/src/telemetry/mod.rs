//! Counters, durations and log lines of one isolate. A scheduled flush writes them to the database.

mod counters;
mod instrumented_store;
mod label;
mod line_limiter;
mod metric;
mod timing;

pub use counters::{ALERT_FLUSH_MS, Batch, CounterKey, Counters, Counts, FLUSH_INTERVAL_MS};
pub use instrumented_store::InstrumentedStore;
pub use label::{Area, FileCount, Outcome, RequestEnd, Route};
pub use line_limiter::LineLimiter;
pub use metric::{
    BanReason, Ceiling, CeilingLevel, Limit, Metric, MetricFamily, SweepOutcome, SweepStop,
};
pub use timing::{BOUNDS_MS, Histogram, Stage};
