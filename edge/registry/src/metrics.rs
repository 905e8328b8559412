//! Counters since the beginning and durations, for metrics and alerts, and which of them were reported.

use serde::{Deserialize, Serialize};

use crate::RegistryError;

/// Counters, durations and the state of alerts.
pub trait MetricsStore {
    /// Everything that `/metrics` shows; isolates only that have written since then.
    fn metrics_snapshot(
        &self,
        now_ms: u64,
        isolates_since_ms: u64,
    ) -> impl Future<Output = Result<MetricsSnapshot, RegistryError>>;

    /// Deletes isolates that have not written since then.
    fn delete_isolates(&self, before_ms: u64) -> impl Future<Output = Result<(), RegistryError>>;

    /// Counters that have grown since they were reported, and the state of each kind of alert.
    fn unreported(&self) -> impl Future<Output = Result<Unreported, RegistryError>>;

    /// Takes the lease to send a kind of alert, unless another isolate has taken it since `seen_next_ms`
    /// was read.
    fn lease_alert(
        &self,
        kind: &str,
        seen_next_ms: u64,
        next_ms: u64,
    ) -> impl Future<Output = Result<bool, RegistryError>>;

    /// Records that these counters were reported, and the new state of the kind.
    fn mark_reported(
        &self,
        state: &AlertState,
        reported: &[Total],
    ) -> impl Future<Output = Result<(), RegistryError>>;

    /// Records that all counters were reported: no webhook is configured.
    fn mark_all_reported(&self) -> impl Future<Output = Result<(), RegistryError>>;
}

/// What an isolate has counted, written in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterBatch {
    pub hours: Vec<HourCount>,
    /// Since the beginning.
    pub totals: Vec<Total>,
    pub timings: Vec<Timing>,
    /// The isolate that counted.
    pub isolate: IsolateMemory,
}

/// How often something happened in an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourCount {
    /// Hours since 1970.
    pub hour: u64,
    pub area: String,
    /// A public code, or a word for success.
    pub code: String,
    pub count: u64,
    pub bytes_in: u64,
    pub bytes_stored: u64,
}

/// One counter since the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    pub name: String,
    /// As in the text format of metrics.
    pub labels: String,
    pub total: u64,
    /// Its value when an alert last reported it.
    #[serde(default)]
    pub reported: u64,
}

impl Total {
    pub fn new(name: &str, labels: &str, total: u64) -> Self {
        Self { name: name.to_owned(), labels: labels.to_owned(), total, reported: 0 }
    }

    pub const fn unreported(&self) -> u64 {
        self.total.saturating_sub(self.reported)
    }
}

/// The histogram of a duration since the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timing {
    pub stage: String,
    pub sum_ms: u64,
    /// For each bucket, and for what exceeds the last.
    pub counts: Vec<u64>,
}

/// The memory of one isolate when it last wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolateMemory {
    pub id: String,
    pub at_ms: u64,
    pub used_bytes: u64,
    pub peak_bytes: u64,
    /// The size of the wasm memory.
    pub wasm_bytes: u64,
}

/// Everything that `/metrics` shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsSnapshot {
    /// In the order of name and labels.
    pub totals: Vec<Total>,
    pub timings: Vec<Timing>,
    pub isolates: Vec<IsolateMemory>,
    /// Subjects that are banned now, by the audit log.
    pub bans: u64,
    /// When the last sweep ended.
    pub swept_ms: u64,
}

/// What alerts have not reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreported {
    pub totals: Vec<Total>,
    pub alert_states: Vec<AlertState>,
}

/// The state of one kind of alert.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AlertState {
    pub kind: String,
    /// The counts of the next message begin here.
    pub since_ms: u64,
    /// When the next message may be sent.
    pub next_ms: u64,
}
