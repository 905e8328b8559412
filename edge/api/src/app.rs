//! The configuration, the state of the isolate and the ports: what every request needs.

use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::Rc,
};

use edge_auth::{Authenticator, RemoteKeys};
use edge_registry::{Event, Registry};
use edge_types::{UserId, log};

use crate::{
    concurrency::{Resources, Scheduler},
    config::Config,
    day_totals::DayTotals,
    erased_bans::ErasedBans,
    form_cache::FormCache,
    missing_pictures::MissingPictures,
    ports::{Mail, Ports},
    provider_cache::ProviderCache,
    readiness::ReadinessCache,
    session_cache::SessionCache,
    telemetry::{Counters, LineLimiter},
};

/// The state that the requests of one isolate share.
#[derive(Default)]
pub struct Isolate {
    pub resources: Resources,
    /// The keys that were fetched from the key server.
    pub remote_keys: RemoteKeys,
    /// The metadata that was fetched from providers of sign-in.
    pub providers: ProviderCache,
    pub counters: Rc<Counters>,
    pub line_limiter: LineLimiter,
    pub sessions: SessionCache,
    pub forms: FormCache,
    pub erased_bans: ErasedBans,
    pub missing_pictures: MissingPictures,
    pub readiness: ReadinessCache,
    /// Whether a removal was added that no run has begun.
    pub has_removals: Cell<bool>,
    /// Whether an event was added to the database that no ledger has.
    pub has_events: Cell<bool>,
    /// When an alarm last flushed the counters.
    pub flushed_ms: Cell<u64>,
    /// What the deployment has stored today, when it was last read.
    pub day_totals: Cell<Option<DayTotals>>,
    /// Whether the bucket need not be bound any more.
    pub is_binding_decided: Cell<bool>,
    /// Mails that are sent after the response.
    pub mails: RefCell<Vec<Mail>>,
    /// What the mailbox of development shows, with the time.
    pub mailbox: RefCell<Vec<(u64, Mail)>>,
    id: OnceCell<String>,
}

impl Isolate {
    /// The id of the isolate, made of these bytes at the first call.
    pub fn id(&self, random: [u8; 16]) -> String {
        let make = || uuid::Builder::from_random_bytes(random).into_uuid().to_string();
        self.id.get_or_init(make).clone()
    }
}

/// What every request needs.
pub struct App<P> {
    pub config: Rc<Config>,
    pub isolate: Rc<Isolate>,
    pub ports: P,
}

impl<P: Ports> App<P> {
    pub fn scheduler(&self) -> Scheduler<'_, P> {
        Scheduler {
            resources: &self.isolate.resources,
            counters: &self.isolate.counters,
            clock: &self.ports,
            memory_budget_bytes: self.config.memory_budget_bytes,
        }
    }

    pub fn authenticator(&self) -> Authenticator<'_, P, P::KeyServer> {
        Authenticator {
            config: &self.config.auth,
            remote_keys: &self.isolate.remote_keys,
            clock: &self.ports,
            key_server: self.ports.key_server(),
        }
    }

    /// Writes an audit event about a user, at this moment.
    pub async fn record_of(
        &self,
        idempotency_key: String,
        kind: &str,
        user: &UserId,
        reason: &str,
    ) {
        self.record(Event {
            idempotency_key,
            at_ms: self.ports.now_ms(),
            kind: kind.to_owned(),
            subject: format!("user:{user}"),
            reason: reason.to_owned(),
            until_ms: None,
            detail: None,
        })
        .await;
    }

    /// Writes an audit event. What it reports has happened in any case, so a failure is only logged.
    pub async fn record(&self, event: Event) {
        if let Err(error) = self.ports.registry().event(&event).await {
            log::error("event_lost", &[("cause", &error.to_string())]);
        }
    }
}
