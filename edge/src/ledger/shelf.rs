//! Where an account keeps what it knows. Everything but setting the alarm is done at once, without
//! waiting, so that what is read and written between two waits belongs together.

use serde::{Deserialize, Serialize};

use super::{
    bucket::Bucket,
    entry::Entry,
    guesses::Guesses,
    message::{StateCount, Ticket},
    quota::Usage,
    standing::Conduct,
};
use crate::{registry::Event, storage::Stem};

/// What is known of the account itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    /// Its rate.
    pub bucket: Bucket,
    /// What it used today.
    pub usage: Usage,
    /// What is held against it.
    pub conduct: Conduct,
    /// Attempts at its password. Sheets of before know none.
    #[serde(default)]
    pub guesses: Guesses,
}

/// How many requests were told to wait, in the minute of the last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refusals {
    minute: u64,
    count: u32,
}

impl Refusals {
    /// One more in this minute.
    #[must_use]
    pub const fn more(self, minute: u64) -> Self {
        let count = if self.minute == minute { self.count.saturating_add(1) } else { 1 };
        Self { minute, count }
    }

    /// How many.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.count
    }
}

/// An event that the registry has not been told of yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsent {
    /// Its number on this shelf.
    pub id: u64,
    /// What happened; its mark is empty until it is sent.
    pub event: Event,
    /// How often telling has failed.
    pub tries: u32,
}

/// The storage of one account.
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails for one reason: storage that does not work"
)]
pub trait Shelf {
    /// What is known of the account; of a new one, nothing.
    fn sheet(&self) -> Result<Sheet, ShelfFault>;
    /// Writes what is known of the account.
    fn write_sheet(&self, sheet: &Sheet) -> Result<(), ShelfFault>;

    /// One upload.
    fn entry(&self, stem: &Stem) -> Result<Option<Entry>, ShelfFault>;
    /// Writes an upload, new or not.
    fn write_entry(&self, entry: &Entry) -> Result<(), ShelfFault>;
    /// Forgets an upload.
    fn drop_entry(&self, stem: &Stem) -> Result<(), ShelfFault>;
    /// Uploads of these bytes, oldest first.
    fn twins(&self, sha256: &str) -> Result<Vec<Entry>, ShelfFault>;
    /// Uploads that are due, longest due first.
    fn due_entries(&self, now_ms: u64, most: u32) -> Result<Vec<Entry>, ShelfFault>;
    /// The uploads of last, newest first.
    fn latest_entries(&self, most: u32) -> Result<Vec<Entry>, ShelfFault>;
    /// How many uploads are in each state that any is in.
    fn state_counts(&self) -> Result<Vec<StateCount>, ShelfFault>;

    /// Counts a request that was told to wait, and how many there were in this minute. What is in memory
    /// is good enough: whoever floods keeps the account awake.
    fn count_refusal(&self, minute: u64) -> u32;

    /// Spends a ticket; whether it was still whole. Forgets those past their time.
    fn spend(&self, ticket: &Ticket, now_ms: u64) -> Result<bool, ShelfFault>;

    /// Keeps an event until the registry was told.
    fn write_event(&self, event: &Event) -> Result<(), ShelfFault>;
    /// Events that are due, longest due first.
    fn due_events(&self, now_ms: u64, most: u32) -> Result<Vec<Unsent>, ShelfFault>;
    /// Tries again at that time.
    fn postpone_event(&self, id: u64, tries: u32, due_ms: u64) -> Result<(), ShelfFault>;
    /// The registry was told.
    fn drop_event(&self, id: u64) -> Result<(), ShelfFault>;

    /// When the first of all uploads and events is due.
    fn next_due_ms(&self) -> Result<Option<u64>, ShelfFault>;
    /// Sees to it that the alarm rings by then, even if nobody ever asks again.
    fn arm(&self) -> impl Future<Output = Result<(), ShelfFault>>;
}

/// The storage of an account did not do what was asked, with the platform's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShelfFault(pub String);
