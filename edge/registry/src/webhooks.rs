//! Events for the back end, as far as the database has them: those of changes in the database until a ledger has them,
//! those whose last attempt failed, and those that were given up. And the state of the endpoint that all ledgers share.

use edge_types::UserId;
use serde::{Deserialize, Serialize};

use crate::RegistryError;

/// Events and the endpoint of the back end.
pub trait WebhookStore {
    /// The trouble with the endpoint; [`None`] while it works.
    fn endpoint(&self) -> impl Future<Output = Result<Option<EndpointTrouble>, RegistryError>>;

    /// Takes the right to try the endpoint, until a moment. Of concurrent calls one gets it.
    fn take_probe(
        &self,
        now_ms: u64,
        until_ms: u64,
    ) -> impl Future<Output = Result<bool, RegistryError>>;

    /// An event was delivered. With `works`, the trouble is over.
    fn note_delivery(
        &self,
        id: &str,
        works: bool,
    ) -> impl Future<Output = Result<(), RegistryError>>;

    /// An attempt failed, in one transaction with its effect on the endpoint.
    fn note_failure(
        &self,
        failure: &FailedDelivery<'_>,
    ) -> impl Future<Output = Result<(), RegistryError>>;

    /// The endpoint works, whatever is known of it.
    fn end_trouble(&self) -> impl Future<Output = Result<(), RegistryError>>;

    /// Events that no ledger has yet, oldest first.
    fn new_events(
        &self,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<EventRecord>, RegistryError>>;

    /// A ledger has a new event.
    fn forget_new_event(&self, id: &str) -> impl Future<Output = Result<(), RegistryError>>;

    /// Events whose last attempt failed, also those that were given up; the last change first.
    fn failed_events(
        &self,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<FailedEvent>, RegistryError>>;

    /// Events that name this user and are not delivered, oldest first.
    fn undelivered_events_of(
        &self,
        user: &UserId,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<EventRecord>, RegistryError>>;

    /// How many have failed, and how many were given up.
    fn count_failed_events(&self) -> impl Future<Output = Result<FailedEvents, RegistryError>>;

    /// Makes failed events new again: those with these ids, or so many of all. How many there were.
    fn renew_events(
        &self,
        ids: Option<&[String]>,
        limit: u32,
    ) -> impl Future<Output = Result<u64, RegistryError>>;

    /// Deletes events that were given up before a moment.
    fn delete_dead_events(&self, before_ms: u64)
    -> impl Future<Output = Result<(), RegistryError>>;
}

/// An event with where it belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// The header `webhook-id`.
    pub id: String,
    /// Such as `image.stored`.
    pub event_type: String,
    /// The ledger whose outbox it belongs to.
    pub subject: String,
    /// Events of one stream of a ledger are sent in order.
    pub stream: String,
    /// JSON.
    pub body: String,
    pub created_ms: u64,
}

/// An attempt that failed.
pub struct FailedDelivery<'a> {
    pub event: &'a EventRecord,
    pub tries: u32,
    pub error: &'a str,
    pub now_ms: u64,
    /// When the next attempt is made; [`None`] when the event is given up.
    pub next_ms: Option<u64>,
    /// Whether the endpoint asks for no more events.
    pub is_gone: bool,
}

/// What is wrong with the endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct EndpointTrouble {
    /// Since the last success.
    pub failures: u32,
    pub failing_since_ms: u64,
    pub last_failure_ms: u64,
    pub last_error: String,
    /// No attempt is made before.
    pub next_probe_ms: u64,
    /// Since when it asks for no more events.
    pub stopped_ms: Option<u64>,
}

/// The pause before the endpoint is tried again, after a failure that follows so many others: the first is perhaps
/// chance, then 5 s, doubling up to half an hour. The SQL of D1 says the same.
#[cfg(any(test, feature = "testing"))]
pub const fn probe_pause_ms(failures_before: u32) -> u64 {
    if failures_before == 0 {
        return 0;
    }
    let doublings = if failures_before > 10 { 9 } else { failures_before - 1 };
    let pause_ms = 5_000 << doublings;
    if pause_ms > 1_800_000 { 1_800_000 } else { pause_ms }
}

/// An event whose last attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FailedEvent {
    pub id: String,
    pub event_type: String,
    pub subject: String,
    pub body: String,
    pub tries: u32,
    pub last_error: String,
    pub created_ms: u64,
    pub changed_ms: u64,
    /// [`None`] for one that was given up.
    pub next_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct FailedEvents {
    pub failed: u64,
    pub dead: u64,
}
