//! Answers the questions of one account: what needs only the book at once, what needs the registry or
//! the store by asking them between two looks into the book. While it waits, other questions are
//! answered; hence nothing read before a wait is believed after it.

use super::{
    book::{Book, ClaimStep, CommitStep},
    entry::Entry,
    message::{Claim, Claimed, Commit, Commitment, Envelope, Question, Record, Removal, Reply},
    shelf::{Shelf, ShelfFault},
};
use crate::{
    app::Ports,
    auth::UserId,
    delivery::{Copies, addresses},
    log,
    registry::{Event, ImageId, NewRow, Registry, RegistryFault},
    storage::{ObjectKey, ObjectStore, Stem, StoreFault},
};

/// How many uploads and events one run of the alarm finishes: six requests each stay far below the
/// thousand that the platform gives one invocation.
const BATCH: u32 = 50;
/// How often, and how long each time, the same bytes in progress are waited for: six seconds in all,
/// one more than the registry is given.
const LOOKS: u32 = 120;
const LOOK_MS: u64 = 50;

/// What an account can reach beside its own shelf.
pub trait Reach {
    /// Where the bytes are.
    type Store: ObjectStore;
    /// Where the rows are.
    type Registry: Registry;

    /// Where the bytes are.
    fn store(&self) -> &Self::Store;
    /// Where the rows are.
    fn registry(&self) -> &Self::Registry;
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
    /// Sixteen bytes that nobody can guess.
    fn random(&self) -> [u8; 16];
    /// Lets others work for so many milliseconds.
    fn sleep(&self, ms: u64) -> impl Future<Output = ()>;
    /// Drops copies that were kept to answer faster; what is left of them ages out by itself.
    fn forget_copies(&self, _key: &ObjectKey) -> impl Future<Output = ()> {
        async {}
    }
}

impl<P: Ports> Reach for P {
    type Store = P::Store;
    type Registry = P::Registry;

    fn store(&self) -> &P::Store {
        Ports::store(self)
    }

    fn registry(&self) -> &P::Registry {
        Ports::registry(self)
    }

    fn now_ms(&self) -> u64 {
        Ports::now_ms(self)
    }

    fn random(&self) -> [u8; 16] {
        Ports::random(self)
    }

    fn sleep(&self, ms: u64) -> impl Future<Output = ()> {
        Ports::sleep(self, ms)
    }

    async fn forget_copies(&self, key: &ObjectKey) {
        let Some(base_url) = self.public_base_url() else { return };
        for address in addresses(base_url, key) {
            self.copies().forget(&address).await;
        }
    }
}

/// Why a question has no answer.
#[derive(Debug)]
pub enum DeskFault {
    /// It makes no sense for this account.
    Malformed,
    /// The account's storage failed.
    Shelf(ShelfFault),
}

impl From<ShelfFault> for DeskFault {
    fn from(fault: ShelfFault) -> Self {
        Self::Shelf(fault)
    }
}

/// Where one account answers.
pub struct Desk<'a, S, R> {
    /// What it knows.
    pub shelf: &'a S,
    /// What it can reach.
    pub reach: &'a R,
}

impl<S: Shelf, R: Reach> Desk<'_, S, R> {
    fn book(&self) -> Book<'_, S> {
        Book { shelf: self.shelf, now_ms: self.reach.now_ms() }
    }

    /// Answers a question.
    ///
    /// # Errors
    /// A question that makes no sense here, or a shelf that does not work.
    pub async fn answer(&self, envelope: Envelope) -> Result<Reply, DeskFault> {
        let reply = self.reply(envelope).await?;
        self.shelf.arm().await?;
        Ok(reply)
    }

    async fn reply(&self, Envelope { account, question }: Envelope) -> Result<Reply, DeskFault> {
        let subject = account.as_str();
        let book = self.book();
        Ok(match question {
            Question::Probe => book.shelf.next_due_ms().map(|_| Reply::Done)?,
            Question::Enter(enter) => Reply::Entry(book.enter(enter)?),
            Question::Standing => Reply::Standing(book.standing()?),
            Question::Strike(strike) => Reply::Standing(book.strike(subject, &strike)?),
            Question::Attempt => Reply::Attempt { wait_s: book.attempt()? },
            Question::Trust => book.trust().map(|()| Reply::Done)?,
            Question::Ban(ban) => Reply::Standing(book.ban(subject, &ban)?),
            Question::Lift { by } => book.lift(subject, &by).map(|()| Reply::Done)?,
            Question::Look { terms } => Reply::Sight(book.look(&terms)?),
            Question::Knows { keys } => Reply::Known(book.knows(keys)?),
            question => {
                let user = subject.strip_prefix("user:").and_then(UserId::parse);
                self.answer_owner(&user.ok_or(DeskFault::Malformed)?, question).await?
            }
        })
    }

    /// Questions about uploads: only the account of whom the key names answers them.
    async fn answer_owner(&self, owner: &UserId, question: Question) -> Result<Reply, DeskFault> {
        let own = |stem: &Stem| {
            if stem.owner().as_ref() == Some(owner) { Ok(()) } else { Err(DeskFault::Malformed) }
        };
        Ok(match question {
            Question::Admit(admit) => {
                Reply::Admission(self.book().admit(owner, self.reach.random(), &admit)?)
            }
            Question::Commit(commit) => {
                own(&Stem::of(&commit.record.key))?;
                Reply::Commitment(self.commit(owner, &commit).await?)
            }
            Question::Release(release) => {
                own(&release.stem)?;
                self.book().release(&release).map(|()| Reply::Done)?
            }
            Question::Claim(claim) => {
                own(&Stem::of(&claim.key))?;
                Reply::Claimed(self.claim(claim).await?)
            }
            Question::Remove { key } => {
                own(&Stem::of(&key))?;
                Reply::Removal(self.remove(&key).await?)
            }
            _ => return Err(DeskFault::Malformed),
        })
    }

    async fn commit(&self, owner: &UserId, commit: &Commit) -> Result<Commitment, ShelfFault> {
        let mut looks = 0;
        let record = loop {
            match self.book().begin_commit(commit, looks < LOOKS)? {
                CommitStep::Done(commitment) => return Ok(commitment),
                CommitStep::Register(record) => break record,
                CommitStep::Wait => {
                    looks += 1;
                    self.reach.sleep(LOOK_MS).await;
                }
            }
        };
        self.shelf.arm().await?;
        match self.register(&record, owner).await {
            Ok(image_id) => self.book().end_commit(&record, image_id),
            Err(fault) => {
                tell_fault("commit", &fault);
                self.book().fail_commit(&record)
            }
        }
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, ShelfFault> {
        let (record, by) = match self.book().begin_claim(claim)? {
            ClaimStep::Done(claimed) => return Ok(claimed),
            ClaimStep::Register { record, by } => (record, by),
        };
        self.shelf.arm().await?;
        match self.register(&record, &by).await {
            Ok(image_id) => self.book().end_claim(&record, image_id),
            Err(fault) => {
                tell_fault("claim", &fault);
                self.book().fail_claim(&record)
            }
        }
    }

    async fn register(&self, record: &Record, owner: &UserId) -> Result<ImageId, RegistryFault> {
        self.reach.registry().add(row(record, owner)).await
    }

    async fn remove(&self, key: &ObjectKey) -> Result<Removal, ShelfFault> {
        let Some(entry) = self.book().begin_removal(key)? else { return Ok(Removal::Finished) };
        self.shelf.arm().await?;
        let finished = self.clear(&entry).await?;
        Ok(if finished { Removal::Finished } else { Removal::Underway })
    }

    /// Does what is due: what must go goes, and the registry hears of events. At the first failure
    /// the rest of the batch waits a little: whatever is down is not asked fifty times.
    ///
    /// # Errors
    /// A shelf that does not work.
    pub async fn alarm(&self) -> Result<(), ShelfFault> {
        let leaving = self.book().collect(BATCH)?;
        let mut working = true;
        for entry in &leaving {
            if working {
                working = self.clear(entry).await?;
            } else {
                self.book().put_off(entry)?;
            }
        }
        for unsent in self.shelf.due_events(self.reach.now_ms(), BATCH)? {
            let mark = format!("{}#{}-{}", unsent.event.subject, unsent.event.at_ms, unsent.id);
            let event = Event { mark, ..unsent.event.clone() };
            match self.reach.registry().event(&event).await {
                Ok(()) => self.shelf.drop_event(unsent.id)?,
                Err(fault) => {
                    tell_fault("event", &fault);
                    self.book().fail_event(&unsent)?;
                }
            }
        }
        Ok(())
    }

    /// Row, then bytes, then copies, then the entry: at no time is there a row without its bytes
    /// that nobody is about to remove. Whether all of it is gone.
    async fn clear(&self, entry: &Entry) -> Result<bool, ShelfFault> {
        match self.erase(entry).await {
            Ok(()) => self.book().end_removal(entry).map(|()| true),
            Err(fault) => {
                log::error("removal_failed", &[("cause", &format!("{fault:?}"))]);
                self.book().fail_removal(entry).map(|()| false)
            }
        }
    }

    async fn erase(&self, entry: &Entry) -> Result<(), EraseFault> {
        let row_maybe = entry.row_until_ms().is_some();
        for key in entry.keys() {
            if row_maybe {
                self.reach.registry().remove(&key).await.map_err(EraseFault::Registry)?;
            }
            self.reach.store().delete(&key).await.map_err(EraseFault::Store)?;
            self.reach.forget_copies(&key).await;
        }
        Ok(())
    }
}

/// A picture as the registry wants it.
pub(super) fn row<'a>(record: &'a Record, owner: &'a UserId) -> NewRow<'a> {
    NewRow {
        key: &record.key,
        owner,
        form_id: record.form_id.as_deref(),
        format: record.format,
        width: record.width,
        height: record.height,
        size_bytes: record.size_bytes,
        sha256: &record.sha256,
        original_name: record.original_name.as_deref(),
        created_ms: record.stored_ms,
    }
}

/// What stands in the way of a removal.
#[derive(Debug)]
#[expect(dead_code, reason = "read through Debug, for the log")]
enum EraseFault {
    Registry(RegistryFault),
    Store(StoreFault),
}

fn tell_fault(doing: &str, fault: &RegistryFault) {
    log::error("registry_failed", &[("doing", doing), ("cause", &fault.0)]);
}
