//! Scheduled jobs: health checks, removals, the sweep, flushing counters, alerts; and what runs after a response.

mod ceilings;
mod flush;
mod sweep;

pub use flush::{HOUR_MS, KEPT_ISOLATES_MS, flush, flush_after_alarm, flush_later, isolate_memory};
pub use sweep::{Findings, sweep};

use edge_registry::{MailLinkStore, RemovalStore, SignInStore};
use edge_types::log;
use futures_util::future::join3;

use crate::{
    alerts,
    app::App,
    error::InternalError,
    health, mails,
    ports::{Mail, Ports},
    removals, webhooks,
};

/// How long the progress of a removal can be read after its end.
const KEPT_REMOVALS_MS: u64 = 7 * 24 * HOUR_MS;

/// The cron handler, every few minutes.
pub async fn run_scheduled<P: Ports>(app: &App<P>) {
    health::probe(app).await;
    if let Err(error) = end_removals(app).await {
        log::error("removals_unsettled", &[("cause", &error.to_string())]);
    }
    removals::run(app).await;
    webhooks::run_scheduled(app).await;
    sweep::run_scheduled(app).await;
    ceilings::run_scheduled(app).await;
    flush::run_scheduled(app).await;
    alerts::run_scheduled(app).await;
}

/// Forgets what removals were about that are over.
async fn end_removals<P: Ports>(app: &App<P>) -> Result<(), InternalError> {
    removals::settle(app).await?;
    let before_ms = app.ports.now_ms().saturating_sub(KEPT_REMOVALS_MS);
    app.ports.users().delete_removals(before_ms).await?;
    app.ports.users().delete_expired_links(app.ports.now_ms()).await?;
    Ok(app.ports.users().delete_expired_sign_ins(app.ports.now_ms()).await?)
}

/// What is to be done after a response. It is decided before, because another request of the isolate may follow.
#[derive(Debug)]
pub struct AfterResponse {
    mails: Vec<Mail>,
    flushes: bool,
    removes: bool,
    enqueues: bool,
}

impl AfterResponse {
    /// [`None`] when there is nothing to do.
    pub fn plan<P: Ports>(app: &App<P>) -> Option<Self> {
        let flushes = app.isolate.counters.plan_flush(app.ports.now_ms());
        let removes = app.isolate.has_removals.take();
        let enqueues = app.isolate.has_events.take();
        let mails = app.isolate.mails.take();
        (flushes || removes || enqueues || !mails.is_empty()).then_some(Self {
            mails,
            flushes,
            removes,
            enqueues,
        })
    }

    pub async fn run<P: Ports>(self, app: &App<P>) {
        let flushing = async {
            if self.flushes {
                flush_later(app).await;
            }
        };
        let removing = async {
            if self.enqueues {
                webhooks::enqueue_new(app).await;
            }
            if self.removes {
                removals::run(app).await;
            }
        };
        join3(flushing, removing, mails::send_waiting(app, self.mails)).await;
    }
}
