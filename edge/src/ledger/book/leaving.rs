//! An upload on its way out: given up, run out of time, or removed. Each is first written down as
//! leaving, so that whatever half-fails is finished by the alarm.

use super::Book;
use crate::{
    ledger::{
        entry::{Entry, REGISTERING_MS, State},
        message::Release,
        shelf::{Shelf, ShelfFault, Unsent},
    },
    storage::{ObjectKey, Stem},
};

/// The first wait after a failure; each further one is twice as long.
const FIRST_WAIT_MS: u64 = 2_000;
/// The longest: what is down for long is tried every ten minutes.
const LONGEST_WAIT_MS: u64 = 600_000;
/// How long the removal that a caller waits for has to itself, before the alarm looks after it.
const OWN_TIME_MS: u64 = 30_000;

impl<S: Shelf> Book<'_, S> {
    /// An upload came to nothing. What was accepted meanwhile stays: its caller may know of it.
    pub fn release(&self, release: &Release) -> Result<(), ShelfFault> {
        let Some(entry) = self.shelf.entry(&release.stem)? else { return Ok(()) };
        match entry.state {
            State::Intent if release.stored_maybe => self.withdraw(entry),
            State::Intent => {
                self.give_back(&entry)?;
                self.shelf.drop_entry(&entry.stem)
            }
            _ => Ok(()),
        }
    }

    /// Gives back what was charged; the alarm removes whatever was stored, once all has settled.
    pub(super) fn withdraw(&self, entry: Entry) -> Result<(), ShelfFault> {
        self.give_back(&entry)?;
        let settled_ms = entry.settled_ms(self.now_ms);
        self.shelf.write_entry(&Entry { charge: None, ..entry.removing(self.now_ms, settled_ms) })
    }

    /// Only once: whoever calls this writes the entry without its charge, or drops it.
    fn give_back(&self, entry: &Entry) -> Result<(), ShelfFault> {
        let Some(charge) = entry.charge else { return Ok(()) };
        let mut sheet = self.shelf.sheet()?;
        sheet.usage.give_back(self.now_ms, charge);
        self.shelf.write_sheet(&sheet)
    }

    /// A picture is to go, whatever the ledger knows of it. Nothing when another key is meant.
    pub fn begin_removal(&self, key: &ObjectKey) -> Result<Option<Entry>, ShelfFault> {
        let due_ms = self.now_ms.saturating_add(OWN_TIME_MS);
        let entry = match self.shelf.entry(&Stem::of(key))? {
            None => Entry::stranger(key, self.now_ms, due_ms),
            Some(entry) if entry.keys().contains(key) => {
                self.give_back(&entry)?;
                Entry { charge: None, ..entry.removing(self.now_ms, due_ms) }
            }
            Some(_) => return Ok(None),
        };
        self.shelf.write_entry(&entry)?;
        Ok(Some(entry))
    }

    /// What is due and must go, written down as leaving. What is kept is only forgotten, and an upload
    /// that ran out of time is given a little more, for an object that is just being written.
    pub fn collect(&self, most: u32) -> Result<Vec<Entry>, ShelfFault> {
        let mut leaving = Vec::new();
        for entry in self.shelf.due_entries(self.now_ms, most)? {
            match entry.state {
                State::Kept { .. } => {
                    self.shelf.drop_entry(&entry.stem)?;
                    continue;
                }
                State::Intent => {
                    self.withdraw(entry)?;
                    continue;
                }
                _ => self.give_back(&entry)?,
            }
            let entry = Entry { charge: None, ..entry.removing(self.now_ms, self.now_ms) };
            self.shelf.write_entry(&entry)?;
            leaving.push(entry);
        }
        Ok(leaving)
    }

    /// All of it is gone: forgotten, unless it changed meanwhile or a row may still come.
    pub fn end_removal(&self, entry: &Entry) -> Result<(), ShelfFault> {
        if self.shelf.entry(&entry.stem)?.as_ref() != Some(entry) {
            return Ok(());
        }
        match entry.row_until_ms().filter(|until_ms| *until_ms > self.now_ms) {
            Some(due_ms) => self.shelf.write_entry(&Entry { due_ms, tries: 0, ..entry.clone() }),
            None => self.shelf.drop_entry(&entry.stem),
        }
    }

    /// An upload was given up while the registry was being told of it, so a row may be there or come:
    /// the removal is taken up again, or goes on.
    pub(super) fn disown(&self, key: &ObjectKey) -> Result<(), ShelfFault> {
        let until_ms = self.now_ms.saturating_add(REGISTERING_MS);
        self.shelf.write_entry(&Entry::stranger(key, until_ms, self.now_ms))
    }

    /// Something did not answer: later again, unless it changed meanwhile.
    pub fn fail_removal(&self, entry: &Entry) -> Result<(), ShelfFault> {
        if self.shelf.entry(&entry.stem)?.as_ref() == Some(entry) {
            let (tries, due_ms) = self.later(entry.tries);
            self.shelf.write_entry(&Entry { due_ms, tries, ..entry.clone() })?;
        }
        Ok(())
    }

    /// Something else did not answer, so this was not even tried: soon again, unless it changed.
    pub fn put_off(&self, entry: &Entry) -> Result<(), ShelfFault> {
        if self.shelf.entry(&entry.stem)?.as_ref() == Some(entry) {
            let due_ms = self.now_ms.saturating_add(FIRST_WAIT_MS);
            self.shelf.write_entry(&Entry { due_ms, ..entry.clone() })?;
        }
        Ok(())
    }

    /// The registry could not be told of an event: later again.
    pub fn fail_event(&self, unsent: &Unsent) -> Result<(), ShelfFault> {
        let (tries, due_ms) = self.later(unsent.tries);
        self.shelf.postpone_event(unsent.id, tries, due_ms)
    }

    fn later(&self, tries: u32) -> (u32, u64) {
        let wait_ms = FIRST_WAIT_MS.saturating_mul(1 << tries.min(20)).min(LONGEST_WAIT_MS);
        (tries.saturating_add(1), self.now_ms.saturating_add(wait_ms))
    }
}
