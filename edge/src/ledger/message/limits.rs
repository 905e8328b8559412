//! What is said of limits: those of a role, how much of each is left, and who may go on.

use serde::{Deserialize, Serialize};

use crate::{ledger::text, storage::Stem};

/// The limits of one role; the ledger has none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Uploads a minute.
    pub rate_per_minute: u32,
    /// Uploads a day (UTC).
    pub daily_count: u32,
    /// Bytes sent a day (UTC).
    pub daily_bytes: u64,
}

/// One limit as the `RateLimit` fields tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauge {
    /// How much there is in a window: `q`.
    pub quota: u64,
    /// The window in seconds: `w`.
    pub window_s: u32,
    /// How much is left now: `r`.
    pub remaining: u64,
    /// Seconds until all of it is there again: `t`.
    pub reset_s: u32,
}

/// The limits of an account and how much of each is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauges {
    /// Uploads a minute.
    pub rate: Gauge,
    /// Uploads a day.
    pub daily_count: Gauge,
    /// Bytes a day.
    pub daily_bytes: Gauge,
}

/// See [`super::Question::Enter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enter {
    /// Requests a minute.
    pub rate_per_minute: u32,
}

/// Whether an address may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entrance {
    /// Its limit, after this request.
    pub rate: Gauge,
    /// Why not, if not.
    pub refused: Option<Refused>,
}

/// Why an account may not go on, and when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What is in the way.
    pub by: Barrier,
    /// Seconds until it is not, rounded up; at least one. A spent ticket stays spent: zero.
    pub retry_after_s: u32,
}

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Barrier {
    /// A ban.
    Ban,
    /// Too many in this minute.
    Rate,
    /// Too many in this minute, and as many again after being told to wait.
    Flood,
    /// Too many today.
    DailyCount,
    /// Too much today, this one included.
    DailyBytes,
    /// The ticket was spent before.
    TicketSpent,
    /// The ticket is past its time.
    TicketExpired,
}

impl Barrier {
    /// As it stands in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Rate => "rate",
            Self::Flood => "flood",
            Self::DailyCount => "daily_count",
            Self::DailyBytes => "daily_bytes",
            Self::TicketSpent => "ticket_spent",
            Self::TicketExpired => "ticket_expired",
        }
    }
}

/// See [`super::Question::Admit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admit {
    /// The limits of the caller's role.
    pub terms: Terms,
    /// The bytes that the caller declares, or the most that is taken when he does not.
    pub bytes: u64,
    /// How long the upload may take before what it stored is removed.
    pub lease_s: u32,
    /// The ticket to be spent; for the first file of a request only.
    pub ticket: Option<Ticket>,
}

/// A ticket that is good for one upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its name.
    pub id: String,
    /// Until when it is good, and so how long its being spent is remembered.
    pub expires_ms: u64,
}

/// Whether an upload may go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The limits, after this upload.
    pub gauges: Gauges,
    /// The name to store under, or why not.
    pub outcome: Result<Leave, Refused>,
}

/// The leave to store one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// What its key begins with; the extension follows from the format.
    #[serde(with = "text")]
    pub stem: Stem,
    /// When the leave ends: nothing may be written to the store from then on.
    pub until_ms: u64,
}
