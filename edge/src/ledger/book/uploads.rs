//! An upload on its way in: stored, registered or pending, claimed. Whatever has to wait is cut in
//! two, a beginning that writes down what is about to happen and an end that looks again.

use super::Book;
use crate::{
    auth::UserId,
    ledger::{
        entry::{Entry, REGISTERING_MS, State},
        message::{Claim, Claimed, Commit, Commitment, Disposition, Phase, Receipt, Record},
        shelf::{Shelf, ShelfFault},
    },
    registry::ImageId,
    storage::Stem,
};

/// How long the same bytes of the same form are known again: what a client retries, it retries within a day.
const REMEMBERED_MS: u64 = 86_400_000;

/// What a commit comes to.
#[derive(Debug)]
pub enum CommitStep {
    /// This.
    Done(Commitment),
    /// Nothing yet: the same bytes are just being registered.
    Wait,
    /// The registry is to be told.
    Register(Box<Record>),
}

/// What a claim comes to.
#[derive(Debug)]
pub enum ClaimStep {
    /// This.
    Done(Claimed),
    /// The registry is to be told.
    Register {
        /// The picture.
        record: Box<Record>,
        /// Whose it becomes.
        by: UserId,
    },
}

impl<S: Shelf> Book<'_, S> {
    /// An object was stored. With `patient`, the same bytes in progress are waited for.
    pub fn begin_commit(&self, commit: &Commit, patient: bool) -> Result<CommitStep, ShelfFault> {
        let lapsed = Ok(CommitStep::Done(Commitment::Lapsed));
        let record = &commit.record;
        let Some(entry) = self.shelf.entry(&Stem::of(&record.key))? else { return lapsed };
        match &entry.state {
            State::Intent if self.now_ms < entry.due_ms => {}
            State::Registering(there) if there.key == record.key => {
                return Ok(CommitStep::Register(there.clone()));
            }
            // The answer to the first asking was lost: it is given again.
            state if state.record().is_some_and(|there| there.key == record.key) => {
                let again = entry.receipt().map(Commitment::Accepted);
                return Ok(CommitStep::Done(again.unwrap_or(Commitment::Lapsed)));
            }
            _ => return lapsed,
        }
        match self.twin(commit)? {
            Twin::Same(receipt) => {
                self.withdraw(entry)?;
                Ok(CommitStep::Done(Commitment::Same(receipt)))
            }
            Twin::Coming if patient => Ok(CommitStep::Wait),
            Twin::Coming | Twin::None => self.accept(entry, commit),
        }
    }

    fn accept(&self, entry: Entry, commit: &Commit) -> Result<CommitStep, ShelfFault> {
        let record = Box::new(commit.record.clone());
        let in_ms = |ms| self.now_ms.saturating_add(ms);
        let (state, due_ms) = match commit.disposition {
            Disposition::Register => {
                (State::Registering(record.clone()), entry.due_ms.max(in_ms(REGISTERING_MS)))
            }
            Disposition::Pending { for_s } => {
                (State::Pending(record.clone()), in_ms(u64::from(for_s) * 1000))
            }
        };
        let charge = entry.charge;
        let may_fail = matches!(state, State::Registering(_));
        let Some(mut entry) = entry.step(state, due_ms) else {
            return Ok(CommitStep::Done(Commitment::Lapsed));
        };
        if let Some(charge) = charge {
            let mut sheet = self.shelf.sheet()?;
            let sent = sheet.usage.correct(self.now_ms, charge, record.original_size_bytes);
            if sent != charge {
                self.shelf.write_sheet(&sheet)?;
            }
            entry.charge = may_fail.then_some(sent);
        }
        self.shelf.write_entry(&entry)?;
        Ok(match entry.receipt() {
            Some(receipt) => CommitStep::Done(Commitment::Accepted(receipt)),
            None => CommitStep::Register(record),
        })
    }

    /// The registry was told: kept, unless the upload was given up meanwhile.
    pub fn end_commit(&self, record: &Record, id: ImageId) -> Result<Commitment, ShelfFault> {
        let kept = self.keep(record, id)?;
        Ok(kept.map_or(Commitment::Lapsed, |(receipt, _)| Commitment::Accepted(receipt)))
    }

    /// The registry did not answer: it may have a row all the same, so the alarm looks later.
    pub fn fail_commit(&self, record: &Record) -> Result<Commitment, ShelfFault> {
        match self.shelf.entry(&Stem::of(&record.key))? {
            Some(entry) if entry.state.phase() == Phase::Registering => self.withdraw(entry)?,
            entry => match entry.as_ref().and_then(Entry::receipt) {
                Some(receipt) => return Ok(Commitment::Accepted(receipt)),
                None => self.disown(&record.key)?,
            },
        }
        Ok(Commitment::Unregistered)
    }

    /// A pending picture is to be kept. Who begins to claim it has it: nobody else gets it after.
    pub fn begin_claim(&self, claim: Claim) -> Result<ClaimStep, ShelfFault> {
        let done = |claimed| Ok(ClaimStep::Done(claimed));
        let Claim { key, by, form_id, original_name } = claim;
        let Some(entry) = self.shelf.entry(&Stem::of(&key))? else {
            return done(Claimed::NotFound);
        };
        let Some(record) = entry.state.record().filter(|record| record.key == key) else {
            return done(Claimed::NotFound);
        };
        match &entry.state {
            State::Pending(_) if self.now_ms < entry.due_ms => {}
            State::Pending(_) => return done(Claimed::NotFound),
            State::Claiming { record, by: first } if *first == by => {
                return Ok(ClaimStep::Register { record: record.clone(), by });
            }
            _ => return done(Claimed::AlreadyRegistered),
        }
        let form_id = form_id.or_else(|| record.form_id.clone());
        let original_name = record.original_name.clone().or(original_name);
        let record = Box::new(Record { original_name, form_id, ..record.clone() });
        let state = State::Claiming { record: record.clone(), by: by.clone() };
        let due_ms = entry.due_ms.max(self.now_ms.saturating_add(REGISTERING_MS));
        let Some(entry) = entry.step(state, due_ms) else { return done(Claimed::NotFound) };
        self.shelf.write_entry(&entry)?;
        Ok(ClaimStep::Register { record, by })
    }

    /// The registry was told: kept, and of several who asked at once only one is told so.
    pub fn end_claim(&self, record: &Record, image_id: ImageId) -> Result<Claimed, ShelfFault> {
        Ok(match self.keep(record, image_id)? {
            Some((receipt, true)) => Claimed::Now(receipt),
            Some((_, false)) => Claimed::AlreadyRegistered,
            None => Claimed::NotFound,
        })
    }

    /// The registry did not answer: the claim stays begun, and its claimant may take it up again.
    pub fn fail_claim(&self, record: &Record) -> Result<Claimed, ShelfFault> {
        let entry = self.shelf.entry(&Stem::of(&record.key))?;
        Ok(match entry.map(|entry| entry.state.phase()) {
            Some(Phase::Claiming) => Claimed::Unregistered,
            Some(Phase::Kept) => Claimed::AlreadyRegistered,
            _ => self.disown(&record.key).map(|()| Claimed::NotFound)?,
        })
    }

    /// Marks as kept; whether this was the first to do so. What was given up meanwhile has a row by
    /// now that must go again.
    fn keep(
        &self,
        record: &Record,
        id: ImageId,
    ) -> Result<Option<(Box<Receipt>, bool)>, ShelfFault> {
        let entry = self.shelf.entry(&Stem::of(&record.key))?;
        if let Some(there) = entry.as_ref().filter(|it| it.state.phase() == Phase::Kept) {
            return Ok(there.receipt().map(|receipt| (receipt, false)));
        }
        let state = State::Kept { record: Box::new(record.clone()), image_id: id };
        let due_ms = self.now_ms.saturating_add(REMEMBERED_MS);
        let kept = entry.and_then(|entry| entry.step(state, due_ms));
        let Some(kept) = kept else { return self.disown(&record.key).map(|()| None) };
        self.shelf.write_entry(&Entry { charge: None, ..kept.clone() })?;
        Ok(kept.receipt().map(|receipt| (receipt, true)))
    }

    /// Looks for the same bytes of the same form (none is a form of its own) among what was committed
    /// within the day and still exists. Another form gets a record and an object of its own, because
    /// whoever deletes the one keeps the other. The upload itself is only admitted as yet, and so has no
    /// bytes to be found by.
    fn twin(&self, commit: &Commit) -> Result<Twin, ShelfFault> {
        let Commit { record, disposition } = commit;
        let mut coming = false;
        for mut twin in self.shelf.twins(&record.sha256)? {
            let Some(there) = twin.state.record().filter(|it| it.form_id == record.form_id) else {
                continue;
            };
            let age_ms = self.now_ms.saturating_sub(there.stored_ms);
            if age_ms >= REMEMBERED_MS || self.now_ms >= twin.due_ms {
                continue;
            }
            match (&twin.state, disposition) {
                (State::Kept { .. }, _) => {}
                // Who sends it again wants to have it as long as if it had come only now.
                (State::Pending(_), Disposition::Pending { for_s }) => {
                    let anew_ms = self.now_ms.saturating_add(u64::from(*for_s) * 1000);
                    twin.due_ms = twin.due_ms.max(anew_ms);
                    self.shelf.write_entry(&twin)?;
                }
                (State::Registering(_) | State::Claiming { .. }, _) => {
                    coming = true;
                    continue;
                }
                _ => continue,
            }
            if let Some(receipt) = twin.receipt() {
                return Ok(Twin::Same(receipt));
            }
        }
        Ok(if coming { Twin::Coming } else { Twin::None })
    }
}

/// Whether the same bytes are there.
enum Twin {
    /// No.
    None,
    /// They are just being registered.
    Coming,
    /// As told.
    Same(Box<Receipt>),
}
