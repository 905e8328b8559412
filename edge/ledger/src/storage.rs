//! The port to the storage of one ledger. Everything but setting the alarm is synchronous, so reads and
//! writes between two awaits are atomic.

use edge_registry::Event;
use edge_storage::UploadKey;
use serde::{Deserialize, Serialize};

use crate::{
    PhaseCount, SpentTicket, abuse::AbuseRecord, login_throttle::LoginThrottle,
    new_identities::NewIdentities, quota::DailyUsage, token_bucket::TokenBucket, upload::Upload,
};

/// The storage failed, with the platform's message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LedgerStorageError(pub String);

pub type StorageResult<T> = Result<T, LedgerStorageError>;

/// The limits and the abuse record of the subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    pub rate: TokenBucket,
    pub usage: DailyUsage,
    pub abuse: AbuseRecord,
    #[serde(default)]
    pub login_throttle: LoginThrottle,
    #[serde(default)]
    pub new_identities: NewIdentities,
}

/// How many requests were refused by the rate, in the minute of the last one.
#[derive(Clone, Copy, Debug, Default)]
pub struct RateRefusals {
    minute: u64,
    count: u32,
}

impl RateRefusals {
    #[must_use]
    pub const fn more(self, minute: u64) -> Self {
        let count = if self.minute == minute { self.count.saturating_add(1) } else { 1 };
        Self { minute, count }
    }

    pub const fn count(self) -> u32 {
        self.count
    }
}

/// An audit event that the database does not have yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEvent {
    pub id: u64,
    /// Its idempotency key is empty until it is sent.
    pub event: Event,
    pub tries: u32,
}

/// The storage of one ledger.
pub trait LedgerStorage {
    /// The default for a new subject.
    fn account(&self) -> StorageResult<AccountState>;
    fn write_account(&self, state: &AccountState) -> StorageResult<()>;

    fn upload(&self, key: &UploadKey) -> StorageResult<Option<Upload>>;
    fn write_upload(&self, upload: &Upload) -> StorageResult<()>;
    fn delete_upload(&self, key: &UploadKey) -> StorageResult<()>;
    /// Uploads with these bytes, oldest first.
    fn find_duplicates(&self, sha256: &str) -> StorageResult<Vec<Upload>>;
    /// Uploads that are due, longest due first.
    fn due_uploads(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<Upload>>;
    /// The latest uploads, newest first.
    fn latest_uploads(&self, limit: u32) -> StorageResult<Vec<Upload>>;
    /// How many uploads are in each phase that has some.
    fn count_phases(&self) -> StorageResult<Vec<PhaseCount>>;

    /// Counts a refusal by the rate; returns how many there were in this minute. Memory is enough: a flood
    /// keeps the ledger awake.
    fn count_rate_refusal(&self, minute: u64) -> u32;

    /// Spends a ticket. Whether it was unspent. Deletes expired tickets.
    fn spend_ticket(&self, ticket: &SpentTicket, now_ms: u64) -> StorageResult<bool>;

    fn write_event(&self, event: &Event) -> StorageResult<()>;
    /// Outbox events that are due, longest due first.
    fn due_events(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<OutboxEvent>>;
    fn postpone_event(&self, id: u64, tries: u32, due_ms: u64) -> StorageResult<()>;
    fn delete_event(&self, id: u64) -> StorageResult<()>;

    /// When the first upload or event is due.
    fn next_due_ms(&self) -> StorageResult<Option<u64>>;
    /// Sets the alarm for the next due time, unless it is set for an earlier one.
    fn set_alarm(&self) -> impl Future<Output = StorageResult<()>>;
}
