//! Removals that run in the background: of many images, and of everything of a user (an erasure). A removal is a row, so
//! one that was interrupted continues. What is done is not counted: what is left is, so a step may be repeated.

use edge_storage::ObjectKey;
use edge_types::{MAX_SAFE_INTEGER, RemovalId, UserId};

use crate::{Event, EventRecord, RefreshFamily, RegistryError, StoredEvent};

/// Removals, and the list of what was erased.
pub trait RemovalStore {
    /// Adds a removal; returns it, or the erasure of the same user that is not over.
    fn add_removal(
        &self,
        new: &NewRemoval<'_>,
    ) -> impl Future<Output = Result<Removal, RegistryError>>;

    /// A removal as it is now.
    fn removal(
        &self,
        id: &RemovalId,
    ) -> impl Future<Output = Result<Option<Removal>, RegistryError>>;

    /// Takes the removal that waits longest, for so long. Of concurrent calls one gets it.
    fn take_removal(
        &self,
        now_ms: u64,
        until_ms: u64,
    ) -> impl Future<Output = Result<Option<Removal>, RegistryError>>;

    /// Keeps a removal until another time, with where it stopped.
    fn keep_removal(
        &self,
        id: &RemovalId,
        until_ms: u64,
        cursor: &str,
    ) -> impl Future<Output = Result<(), RegistryError>>;

    /// The keys of some images of a scope, oldest first.
    fn keys_to_remove(
        &self,
        scope: &RemovalScope,
        until: Until,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<String>, RegistryError>>;

    /// How many images of a scope there are.
    fn count_images(
        &self,
        scope: &RemovalScope,
        until: Until,
    ) -> impl Future<Output = Result<u64, RegistryError>>;

    /// Ends a removal of images, and forgets what it was about.
    fn finish_removal(
        &self,
        id: &RemovalId,
        now_ms: u64,
    ) -> impl Future<Output = Result<(), RegistryError>>;

    /// Notes keys that name another user than the one who is erased, before their images are removed.
    fn note_erased(
        &self,
        keys: &[ObjectKey],
        now_ms: u64,
    ) -> impl Future<Output = Result<(), RegistryError>>;

    /// Deletes account, sessions and profile, replaces the user in audit events by the pseudonym, writes the user to the list
    /// of the erased, and ends the erasure, in one transaction.
    fn erase(&self, erasure: &Erasure<'_>) -> impl Future<Output = Result<(), RegistryError>>;

    /// The erasures that were over for as long as they protect.
    fn settled_erasures(
        &self,
        now_ms: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Removal>, RegistryError>>;

    /// Forgets whom an erasure was about.
    fn settle(&self, id: &RemovalId) -> impl Future<Output = Result<(), RegistryError>>;

    /// Deletes removals that ended before a moment.
    fn delete_removals(&self, before_ms: u64) -> impl Future<Output = Result<(), RegistryError>>;

    /// Names in one of the tables, in their order, after a name.
    fn traces(
        &self,
        source: TraceSource,
        after: &str,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Trace>, RegistryError>>;

    /// Those of the names that were erased.
    fn erased(&self, names: &[String]) -> impl Future<Output = Result<Vec<Trace>, RegistryError>>;

    /// Writes the end of the ban of a user who was erased, or that there is none; whether that changed.
    fn keep_erased_ban(
        &self,
        name: &str,
        until_ms: Option<u64>,
    ) -> impl Future<Output = Result<bool, RegistryError>>;

    /// The bans of erased users that have not ended, and when they do, last first.
    fn erased_bans(
        &self,
        now_ms: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Trace>, RegistryError>>;

    /// All sessions of a user, also those that have ended.
    fn all_sessions(
        &self,
        user: &UserId,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<RefreshFamily>, RegistryError>>;

    /// The latest events about a subject.
    fn events_about(
        &self,
        subject: &str,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<StoredEvent>, RegistryError>>;
}

/// Up to which image, and to which moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    pub image_id: u64,
    /// Images that were created before.
    pub ms: u64,
}

impl Until {
    pub const ALL: Self = Self { image_id: MAX_SAFE_INTEGER, ms: MAX_SAFE_INTEGER };
}

/// What to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovalScope {
    /// The images with these keys.
    Keys(Vec<ObjectKey>),
    /// The images of a form that were there when the removal was added.
    Form(String),
    /// The images of a user, likewise.
    Owner(UserId),
    /// Everything of a user.
    User(UserId),
    /// What a restored database has again of the erased.
    Replay,
    /// Forgotten, because it is over.
    Over,
}

impl RemovalScope {
    /// The name of its kind in the database.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Keys(_) => "keys",
            Self::Form(_) => "form",
            Self::Owner(_) => "owner",
            Self::User(_) => "user",
            Self::Replay => "replay",
            Self::Over => "over",
        }
    }
}

/// A removal to be added.
pub struct NewRemoval<'a> {
    pub id: &'a RemovalId,
    pub scope: &'a RemovalScope,
    pub requested_by: &'a UserId,
    /// How long after its end an erasure still refuses registrations for the user.
    pub protects_ms: u64,
    pub created_ms: u64,
}

/// A removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    pub id: RemovalId,
    pub scope: RemovalScope,
    /// Whether it is of everything of a user.
    pub is_erasure: bool,
    /// The images of its scope have at most this number.
    pub last_image_id: u64,
    /// How many images there were.
    pub total: u64,
    /// How many of them are left.
    pub left: u64,
    pub requested_by: Option<String>,
    pub created_ms: u64,
    pub finished_ms: Option<u64>,
    /// Where it stopped.
    pub cursor: String,
}

/// The end of an erasure.
pub struct Erasure<'a> {
    pub user: &'a UserId,
    /// What events name instead of the user.
    pub pseudonym: &'a str,
    /// Only what was created before; all of it without.
    pub before_ms: Option<u64>,
    pub now_ms: u64,
    /// Written in the same transaction.
    pub event: &'a Event,
    /// The event for the back end, likewise.
    pub webhook: Option<&'a EventRecord>,
    /// The removal that ends; a replay goes on.
    pub removal: Option<&'a RemovalId>,
}

/// Where users are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceSource {
    Users,
    Images,
    Events,
    /// Images whose keys are in the list of the erased.
    ErasedKeys,
}

/// A user who is named, and since when. Or an entry of the list of the erased, and when it was erased, or when its ban
/// ends: a pseudonym, or the key of an image that named another user.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Trace {
    pub name: String,
    pub at_ms: u64,
}
