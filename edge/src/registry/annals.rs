//! What administrators look at: counts by the hour, who uploads, and what happened to accounts.

use serde::{Deserialize, Serialize};

use super::{RegistryFault, Sums};

/// Sums and past events.
pub trait Annals {
    /// Adds what was counted, all or none.
    fn add_counts(&self, sums: &Sums) -> impl Future<Output = Result<(), RegistryFault>>;

    /// Drops the counts of hours before one.
    fn forget_counts(&self, before_hour: u64) -> impl Future<Output = Result<(), RegistryFault>>;

    /// Counts of an hour and those after it, in the order of time.
    fn counts(
        &self,
        since_hour: u64,
    ) -> impl Future<Output = Result<Vec<HourCount>, RegistryFault>>;

    /// How many owners registered pictures in each hour that has some.
    fn uploaders_by_hour(
        &self,
        since_ms: u64,
    ) -> impl Future<Output = Result<Vec<HourUploaders>, RegistryFault>>;

    /// Who registered pictures since then, whoever has the most bytes first.
    fn uploaders(
        &self,
        since_ms: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Uploader>, RegistryFault>>;

    /// How many they are.
    fn count_uploaders(&self, since_ms: u64) -> impl Future<Output = Result<u64, RegistryFault>>;

    /// Past events, newest first.
    fn events(
        &self,
        wanted: EventsWanted<'_>,
    ) -> impl Future<Output = Result<Vec<PastEvent>, RegistryFault>>;

    /// The last ban of each account whose end, as far as it was told here, lies ahead; newest first.
    /// It may have been lifted since.
    fn bans(
        &self,
        now_ms: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<PastEvent>, RegistryFault>>;
}

/// How often something happened in an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourCount {
    /// Hours since 1970.
    pub hour: u64,
    /// What it was about.
    pub area: String,
    /// How it ended: a public code, or a word for success.
    pub code: String,
    /// How often.
    pub count: u64,
    /// Bytes that came with it.
    pub bytes_in: u64,
    /// Bytes that were stored for it.
    pub bytes_stored: u64,
}

/// How many owners there were in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct HourUploaders {
    /// Hours since 1970.
    pub hour: u64,
    /// How many.
    pub uploaders: u64,
}

/// One who uploads.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Uploader {
    /// Who.
    pub owner: String,
    /// Pictures.
    pub count: u64,
    /// Bytes stored.
    pub bytes: u64,
    /// When the last one was stored.
    pub last_ms: u64,
}

/// Which events are asked for.
#[derive(Clone, Copy, Debug)]
pub struct EventsWanted<'a> {
    /// Older than this one.
    pub before: Option<u64>,
    /// Of this kind only.
    pub kind: Option<&'a str>,
    /// How many at most.
    pub limit: u32,
}

/// An event as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PastEvent {
    /// Its number.
    pub id: u64,
    /// When.
    pub at_ms: u64,
    /// What.
    pub kind: String,
    /// To whom or to what.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// Until when, for a ban.
    pub until_ms: Option<u64>,
    /// Who did it, or what led to it.
    pub detail: Option<String>,
}
