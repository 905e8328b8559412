//! Sums since the beginning and durations, as metrics and alerts read them, and how far alerts have got.

use serde::{Deserialize, Serialize};

use super::{HourCount, RegistryFault};

/// Sums and alerts.
pub trait Meters {
    /// Everything that metrics tell of; isolates only those that wrote since then.
    fn meters(
        &self,
        now_ms: u64,
        isolates_since_ms: u64,
    ) -> impl Future<Output = Result<Readings, RegistryFault>>;

    /// Forgets isolates that have not written since then.
    fn forget_isolates(&self, before_ms: u64) -> impl Future<Output = Result<(), RegistryFault>>;

    /// Sums of which something has not been told, and how each kind of alert stands.
    fn untold(&self) -> impl Future<Output = Result<Untold, RegistryFault>>;

    /// Takes it in hand to tell of a kind until then, unless somebody else did since it was read.
    fn claim(
        &self,
        kind: &str,
        seen_free_ms: u64,
        free_ms: u64,
    ) -> impl Future<Output = Result<bool, RegistryFault>>;

    /// These sums have been told up to here; the next message of the kind may be sent from `free_ms` on.
    fn settle(
        &self,
        standing: &AlertStanding,
        told: &[Total],
    ) -> impl Future<Output = Result<(), RegistryFault>>;

    /// All sums count as told: there is nobody to tell.
    fn settle_all(&self) -> impl Future<Output = Result<(), RegistryFault>>;
}

/// What was counted, to be written all or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// By the hour.
    pub hours: Vec<HourCount>,
    /// Since the beginning.
    pub totals: Vec<Total>,
    /// How long things took.
    pub timings: Vec<Timing>,
    /// The isolate that counted.
    pub isolate: IsolateMemory,
}

/// One sum since the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// Of what.
    pub name: String,
    /// Which, as metrics write it.
    pub labels: String,
    /// How often.
    pub total: u64,
    /// How often as far as an alert told.
    #[serde(default)]
    pub told: u64,
}

impl Total {
    /// Of which nothing was told.
    #[must_use]
    pub fn new(name: &str, labels: &str, total: u64) -> Self {
        Self { name: name.to_owned(), labels: labels.to_owned(), total, told: 0 }
    }

    /// How often nobody was told.
    #[must_use]
    pub const fn untold(&self) -> u64 {
        self.total.saturating_sub(self.told)
    }
}

/// How long something took since the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timing {
    /// What.
    pub stage: String,
    /// Milliseconds in all.
    pub sum_ms: u64,
    /// How often, for each bucket and beyond.
    pub counts: Vec<u64>,
}

/// The memory of one isolate when it last wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolateMemory {
    /// Which.
    pub id: String,
    /// When.
    pub at_ms: u64,
    /// Bytes that were in use.
    pub used_bytes: u64,
    /// The most that ever were.
    pub peak_bytes: u64,
    /// What it has taken from the platform.
    pub wasm_bytes: u64,
}

/// Everything that metrics tell of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// Sums since the beginning, in the order of name and labels.
    pub totals: Vec<Total>,
    /// How long things took.
    pub timings: Vec<Timing>,
    /// Isolates that wrote not long ago.
    pub isolates: Vec<IsolateMemory>,
    /// Accounts that are shut out now, as far as the registry was told.
    pub bans: u64,
    /// When the last sweep was over.
    pub swept_ms: u64,
}

/// What alerts have not told yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untold {
    /// Sums of which something has not been told.
    pub totals: Vec<Total>,
    /// How each kind stands of which there ever was something to tell.
    pub standings: Vec<AlertStanding>,
}

/// How one kind of alert stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AlertStanding {
    /// Which.
    pub kind: String,
    /// Since when what happened has not been told.
    pub since_ms: u64,
    /// From when on the next message may be sent.
    pub free_ms: u64,
}
