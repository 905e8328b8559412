//! The list of pictures that are kept: one row for each, with the number that platforms store; and
//! what happened to accounts.

mod annals;
#[cfg(test)]
pub mod memory;
mod meters;

pub use annals::{Annals, EventsWanted, HourCount, HourUploaders, PastEvent, Uploader};
pub use meters::{AlertStanding, IsolateMemory, Meters, Readings, Sums, Timing, Total, Untold};

use image_rules::Format;
use serde::{Deserialize, Serialize};

use crate::{auth::UserId, storage::ObjectKey};

/// Keeps the rows.
pub trait Registry {
    /// Adds a row; it is durable when this returns. For a key that has a row already, nothing changes
    /// and its number is told.
    fn add(&self, row: NewRow<'_>) -> impl Future<Output = Result<ImageId, RegistryFault>>;

    /// The row of a key, if there is one.
    fn find(&self, key: &ObjectKey) -> impl Future<Output = Result<Option<Row>, RegistryFault>>;

    /// Removes the row of a key; there being none is no fault.
    fn remove(&self, key: &ObjectKey) -> impl Future<Output = Result<(), RegistryFault>>;

    /// Adds an event; one with the same mark is there once.
    fn event(&self, event: &Event) -> impl Future<Output = Result<(), RegistryFault>>;

    /// Whether the database answers at all.
    fn probe(&self) -> impl Future<Output = Result<(), RegistryFault>>;
}

/// Rows once they are there: for those who ask for them, for those who adopt, and for the sweep.
pub trait Catalogue: Registry {
    /// Makes a picture of `from` one of `to`; whether it is now, also when it was before.
    fn hand_over(
        &self,
        key: &ObjectKey,
        from: &UserId,
        to: &UserId,
    ) -> impl Future<Output = Result<bool, RegistryFault>>;

    /// The row with a number, if there is one.
    fn get(&self, id: ImageId) -> impl Future<Output = Result<Option<Row>, RegistryFault>>;

    /// Rows of one owner, newest first.
    fn list(&self, listing: Listing<'_>) -> impl Future<Output = Result<Vec<Row>, RegistryFault>>;

    /// Which of these keys have rows.
    fn registered(
        &self,
        keys: &[String],
    ) -> impl Future<Output = Result<Vec<String>, RegistryFault>>;

    /// Rows in the order of their numbers, above one of them.
    fn rows_after(
        &self,
        id: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Row>, RegistryFault>>;

    /// The id that this deployment shares with its bucket, when one was written.
    fn deployment_id(&self) -> impl Future<Output = Result<Option<String>, RegistryFault>>;

    /// Writes that id, unless there is one; the one that is there now.
    fn bind_deployment(
        &self,
        id: &str,
        now_ms: u64,
    ) -> impl Future<Output = Result<String, RegistryFault>>;

    /// Where a sweep left off; empty at the beginning.
    fn mark(&self, sweep: &str) -> impl Future<Output = Result<String, RegistryFault>>;

    /// Remembers where a sweep left off.
    fn set_mark(&self, sweep: &str, mark: &str) -> impl Future<Output = Result<(), RegistryFault>>;
}

/// The number of a registered picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageId(pub u64);

/// The last whole number that JavaScript, and so D1, tells from the next.
pub const MOST_WHOLE: u64 = (1 << 53) - 1;

impl ImageId {
    /// From text as we write it: no sign, no leading zero, and no number that could not be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id: u64 = text.parse().ok()?;
        (id <= MOST_WHOLE && id.to_string() == text).then_some(Self(id))
    }
}

/// Which rows are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    /// Whose.
    pub owner: &'a UserId,
    /// Of this form only.
    pub form_id: Option<&'a str>,
    /// Older than this one.
    pub before: Option<ImageId>,
    /// How many at most.
    pub limit: u32,
}

/// A picture to be registered.
#[derive(Clone, Copy)]
pub struct NewRow<'a> {
    /// Where its bytes lie.
    pub key: &'a ObjectKey,
    /// Whose it is.
    pub owner: &'a UserId,
    /// The form that it belongs to.
    pub form_id: Option<&'a str>,
    /// What it is.
    pub format: Format,
    /// Width as seen.
    pub width: u32,
    /// Height as seen.
    pub height: u32,
    /// Bytes that were stored.
    pub size_bytes: u64,
    /// Digest of what was stored, in hexadecimal.
    pub sha256: &'a str,
    /// What the caller called it: data only.
    pub original_name: Option<&'a str>,
    /// When it was stored.
    pub created_ms: u64,
}

/// A registered picture, as the database has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Row {
    /// Its number.
    pub id: ImageId,
    /// Where its bytes lie.
    pub key: String,
    /// Whose it is.
    pub owner: String,
    /// The form that it belongs to.
    pub form_id: Option<String>,
    /// Its media type.
    pub media_type: String,
    /// Width as seen.
    pub width: u32,
    /// Height as seen.
    pub height: u32,
    /// Bytes that were stored.
    pub size_bytes: u64,
    /// Digest of what was stored, in hexadecimal.
    pub sha256: String,
    /// What the caller called it.
    pub original_name: Option<String>,
    /// When it was stored.
    pub created_ms: u64,
}

/// Something that happened to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Tells this event from every other, also when it is told again.
    pub mark: String,
    /// When.
    pub at_ms: u64,
    /// What: `ban`, `lift`, `revoke`, `signup`, `delete`, `sweep` or `bind`.
    pub kind: String,
    /// To whom: `user:{id}` or `ip:{address}`.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// Until when, for a ban.
    pub until_ms: Option<u64>,
    /// Who did it, or what led to it.
    pub detail: Option<String>,
}

/// The database did not do what was asked, with the platform's words.
#[derive(Debug)]
pub struct RegistryFault(pub String);
