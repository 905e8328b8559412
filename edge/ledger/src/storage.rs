//! The port to the storage of one ledger. Everything but the alarm is synchronous, so reads and writes between
//! two awaits are atomic. Every row that is written costs money, so tables have no indexes: what must be found
//! by something else than its key is found in memory ([`crate::CachedStorage`]).

use edge_registry::Event;
use edge_storage::{ObjectKey, UploadKey};
use edge_types::{FormName, PERMANENT_MS, UserId};
use image_rules::Format;
use serde::{Deserialize, Serialize};

use crate::{
    EventQueue, PhaseCount, SpentTicket, abuse::AbuseRecord, login_throttle::LoginThrottle,
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
    /// As it was when the row was written. An open upload may have a later one in its reservation.
    pub rate: TokenBucket,
    /// Of committed uploads; open ones have reservations.
    pub usage: DailyUsage,
    pub abuse: AbuseRecord,
    #[serde(default)]
    pub login_throttle: LoginThrottle,
    #[serde(default)]
    pub new_identities: NewIdentities,
    /// Whether everything of the user is being erased. Nothing is admitted meanwhile.
    #[serde(default)]
    pub is_erasing: bool,
}

/// How long a limit is remembered at least after it was last counted: as long as the bytes of a kept upload. It is far
/// longer than a rate takes to be full again, and a ledger that is used all day sets one alarm for it.
const REST_MS: u64 = 86_400_000;

impl AccountState {
    /// From when on it allows what a new account allows. Nothing is remembered longer.
    pub(crate) fn end_ms(&self) -> u64 {
        // Every field is named: a new one must say how long it counts.
        let Self { rate, usage, abuse, login_throttle, new_identities, is_erasing } = self;
        if *is_erasing {
            return PERMANENT_MS;
        }
        let changed_ms = rate.changed_ms().max(login_throttle.changed_ms());
        let changed_ms = changed_ms.max(new_identities.begin_ms());
        let ends_ms = [usage.end_ms(), abuse.end_ms(), login_throttle.end_ms()];
        ends_ms.into_iter().fold(changed_ms.saturating_add(REST_MS), u64::max)
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

/// A kept upload, as far as it is needed to find it by its bytes and to forget it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptUpload {
    pub key: UploadKey,
    pub sha256: String,
    pub due_ms: u64,
}

/// A picture that is derived from an uploaded one, or that is not derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    pub upload: UploadKey,
    /// Says how it is derived; begins with `private/` for that of a private picture.
    pub name: String,
    pub state: DerivationState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DerivationState {
    /// An isolate makes it, or died while it did so.
    Making {
        until_ms: u64,
    },
    Stored {
        format: Format,
    },
    /// The original is served instead, always or until then.
    Original {
        until_ms: Option<u64>,
    },
}

/// How the pictures of a form are counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormCount {
    pub form: FormName,
    /// The form has had a limit since then; the places are those of its pictures.
    pub since_ms: u64,
    /// When pictures are counted that were on their way when the form got its limit.
    pub recount_ms: Option<u64>,
}

/// The place of one picture in a form. While a picture is being claimed, its uploader and each claimant have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub owner: UserId,
    pub key: ObjectKey,
    /// The end of its lease. A confirmed place has none.
    pub lease_ms: Option<u64>,
    /// Whether it counts for the form; that of a claimant does so when it is confirmed.
    pub is_counted: bool,
}

/// The storage of one ledger.
pub trait LedgerStorage {
    /// Checks that the storage answers.
    fn probe(&self) -> StorageResult<()>;

    /// The default for a new subject.
    fn account(&self) -> StorageResult<AccountState>;
    fn write_account(&self, state: &AccountState) -> StorageResult<()>;

    fn upload(&self, key: &UploadKey) -> StorageResult<Option<Upload>>;
    fn write_upload(&self, upload: &Upload) -> StorageResult<()>;
    fn delete_upload(&self, key: &UploadKey) -> StorageResult<()>;
    /// Uploads that were admitted in this millisecond, by the owner of this one.
    fn uploads_of_ms(&self, admitted_ms: u64, of: &UploadKey) -> StorageResult<Vec<Upload>>;
    /// All uploads that are neither kept nor held.
    fn open_uploads(&self) -> StorageResult<Vec<Upload>>;
    /// Those that are kept or held.
    fn kept_uploads(&self) -> StorageResult<Vec<KeptUpload>>;
    /// Forgets those of them that are due.
    fn delete_kept(&self, now_ms: u64) -> StorageResult<()>;
    /// The latest uploads, newest first.
    fn latest_uploads(&self, limit: u32) -> StorageResult<Vec<Upload>>;
    /// How many uploads are in each phase that has some.
    fn count_phases(&self) -> StorageResult<Vec<PhaseCount>>;

    /// Spends a ticket. Whether it was unspent. Deletes expired tickets.
    fn spend_ticket(&self, ticket: &SpentTicket, now_ms: u64) -> StorageResult<bool>;
    /// When the last spent ticket expires.
    fn last_ticket_ms(&self) -> StorageResult<Option<u64>>;
    fn delete_tickets(&self) -> StorageResult<()>;

    fn write_event(&self, event: &Event) -> StorageResult<()>;
    /// Outbox events that are due, longest due first.
    fn due_events(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<OutboxEvent>>;
    fn postpone_event(&self, id: u64, tries: u32, due_ms: u64) -> StorageResult<()>;
    fn delete_event(&self, id: u64) -> StorageResult<()>;
    /// When the first outbox event is due.
    fn next_event_ms(&self) -> StorageResult<Option<u64>>;

    fn write_queue(&self, queue: &EventQueue) -> StorageResult<()>;
    fn delete_queue(&self, due_ms: u64, stream: &str) -> StorageResult<()>;
    fn delete_queues(&self) -> StorageResult<()>;
    /// The queue that is due then.
    fn queue(&self, due_ms: u64, stream: &str) -> StorageResult<Option<EventQueue>>;
    /// Reads all queues.
    fn find_queue(&self, stream: &str) -> StorageResult<Option<EventQueue>>;
    /// The queues that are due, longest due first.
    fn due_queues(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<EventQueue>>;
    /// When the first queue is due.
    fn next_queue_ms(&self) -> StorageResult<Option<u64>>;

    /// Those of one upload.
    fn derivations(&self, upload: &UploadKey) -> StorageResult<Vec<Derivation>>;
    fn write_derivation(&self, derivation: &Derivation) -> StorageResult<()>;
    fn delete_derivation(&self, upload: &UploadKey, name: &str) -> StorageResult<()>;
    fn delete_derivations(&self, upload: &UploadKey) -> StorageResult<()>;
    fn has_derivations(&self) -> StorageResult<bool>;

    fn form_count(&self) -> StorageResult<Option<FormCount>>;
    fn write_form_count(&self, count: &FormCount) -> StorageResult<()>;
    fn place(&self, owner: &UserId, key: &ObjectKey) -> StorageResult<Option<Place>>;
    fn write_place(&self, place: &Place) -> StorageResult<()>;
    fn delete_place(&self, owner: &UserId, key: &ObjectKey) -> StorageResult<()>;
    fn delete_places(&self) -> StorageResult<()>;
    /// The places that count.
    fn count_places(&self) -> StorageResult<u32>;
    /// All places of one owner.
    fn count_places_of(&self, owner: &UserId) -> StorageResult<u32>;
    fn leased_places(&self) -> StorageResult<Vec<Place>>;

    /// When the alarm will run, if it is set.
    fn alarm_ms(&self) -> impl Future<Output = StorageResult<Option<u64>>>;
    fn set_alarm(&self, at_ms: u64) -> impl Future<Output = StorageResult<()>>;
    fn delete_alarm(&self) -> impl Future<Output = StorageResult<()>>;

    /// Whether nothing was written since the ledger was new or deleted.
    fn is_empty(&self) -> bool;
    /// Deletes everything, also the alarm, when it is first polled: what is written from then on stays.
    fn delete_all(&self) -> impl Future<Output = StorageResult<()>>;
}
