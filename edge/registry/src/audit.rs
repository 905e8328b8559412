//! The audit log and counts by the hour, for the administrators' page.

use serde::{Deserialize, Serialize};

use crate::{CounterBatch, HourCount, RegistryError};

/// Counts and audit events.
pub trait AuditStore {
    /// Adds counters in one transaction.
    fn add_counts(&self, batch: &CounterBatch) -> impl Future<Output = Result<(), RegistryError>>;

    /// Deletes what is known of hours before one.
    fn delete_counts(&self, before_hour: u64) -> impl Future<Output = Result<(), RegistryError>>;

    /// Notes which images there are before this hour begins, so that those since then are found.
    fn mark_hour(&self, hour: u64) -> impl Future<Output = Result<(), RegistryError>>;

    /// Deletes events before a moment, oldest first, so many at most. Bans that have not ended at `now_ms` stay.
    fn delete_events(
        &self,
        before_ms: u64,
        now_ms: u64,
        limit: u32,
    ) -> impl Future<Output = Result<(), RegistryError>>;

    /// Counts of an hour and the hours after it, in the order of time.
    fn counts(
        &self,
        since_hour: u64,
    ) -> impl Future<Output = Result<Vec<HourCount>, RegistryError>>;

    /// How many owners registered images in each hour that has some.
    fn uploaders_by_hour(
        &self,
        since_ms: u64,
    ) -> impl Future<Output = Result<Vec<HourUploaders>, RegistryError>>;

    /// Owners of the images that were registered since then, most bytes first.
    fn uploaders(
        &self,
        since_ms: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Uploader>, RegistryError>>;

    fn count_uploaders(&self, since_ms: u64) -> impl Future<Output = Result<u64, RegistryError>>;

    /// Events, newest first.
    fn events(
        &self,
        query: EventQuery<'_>,
    ) -> impl Future<Output = Result<Vec<StoredEvent>, RegistryError>>;

    /// The last ban of each subject that has not ended, newest first. It may have been lifted since: the
    /// ledger knows.
    fn bans(
        &self,
        now_ms: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<StoredEvent>, RegistryError>>;
}

/// An audit event to be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// An event with the same key is stored once.
    pub idempotency_key: String,
    pub at_ms: u64,
    /// `ban`, `lift`, `revoke`, `signup`, `delete`, `lookup`, `sweep` or `bind`.
    pub kind: String,
    /// `user:{id}`, `ip:{address}` or `store`.
    pub subject: String,
    pub reason: String,
    /// The end of a ban.
    pub until_ms: Option<u64>,
    /// Who did it, or what led to it.
    pub detail: Option<String>,
}

/// An audit event with its number.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StoredEvent {
    pub id: u64,
    pub at_ms: u64,
    pub kind: String,
    pub subject: String,
    pub reason: String,
    pub until_ms: Option<u64>,
    pub detail: Option<String>,
}

/// Which events to list.
#[derive(Clone, Copy, Debug)]
pub struct EventQuery<'a> {
    /// Older than this one.
    pub before: Option<u64>,
    pub kind: Option<&'a str>,
    pub limit: u32,
}

/// How many owners registered images in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct HourUploaders {
    /// Hours since 1970.
    pub hour: u64,
    pub uploaders: u64,
}

/// An owner with the sum of their images.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Uploader {
    pub owner: String,
    pub count: u64,
    pub bytes: u64,
    /// When the last image was stored.
    pub last_ms: u64,
}
