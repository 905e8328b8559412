//! Scheduled jobs: health checks, the sweep, flushing counters, alerts.

mod ceilings;
mod flush;
mod sweep;

pub use flush::{HOUR_MS, KEPT_ISOLATES_MS, flush, flush_later, isolate_memory};
pub use sweep::{Findings, sweep};

use crate::{alerts, app::App, health, ports::Ports};

/// The cron handler, every few minutes.
pub async fn run_scheduled<P: Ports>(app: &App<P>) {
    health::probe(app).await;
    sweep::run_scheduled(app).await;
    ceilings::run_scheduled(app).await;
    flush::run_scheduled(app).await;
    alerts::run_scheduled(app).await;
}
