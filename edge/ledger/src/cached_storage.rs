//! The storage of one ledger together with what is kept of it in memory while its Durable Object lives. Nobody
//! else writes the storage, so memory is what the rows say, and it is read from them again after a restart.
//!
//! One thing is in memory only: that an upload is being registered. A registration lives in the object as well,
//! so after a restart the upload is what its row says, an intent, and a client that got no answer sends again.

mod derivations;
mod places;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use edge_registry::Event;
use edge_storage::UploadKey;
use edge_types::{MAX_SAFE_INTEGER, PERMANENT_MS};

use crate::{
    AccountState, EventQueue, LedgerStorage, OutboxEvent, PhaseCount, QuotaCharge, SpentTicket,
    Upload, UploadPhase, WebhookEvent,
    storage::StorageResult,
    token_bucket::TokenBucket,
    upload::{Reservation, UploadState},
};
use places::CachedPlaces;

pub struct CachedStorage<S> {
    rows: S,
    account: RefCell<Option<AccountState>>,
    uploads: RefCell<Option<UploadIndex>>,
    /// When the alarm is set for.
    alarm: Cell<NextTime>,
    /// When the first outbox event is due.
    event: Cell<NextTime>,
    /// When the last spent ticket expires.
    ticket: Cell<NextTime>,
    rate_refusals: Cell<RateRefusals>,
    places: CachedPlaces,
    /// Whether there are rows of derived pictures, when it is known.
    has_derivations: Cell<Option<bool>>,
    /// When the first event for the back end is due.
    queue: Cell<NextTime>,
    /// The streams whose first event is being sent.
    attempts: RefCell<BTreeSet<String>>,
    /// Whether the alarm is sending: it decides afterwards when it runs again.
    is_delivering: Cell<bool>,
    /// Nothing is sent before.
    held_until_ms: Cell<u64>,
    /// Events that were not counted yet.
    queued_events: Cell<u64>,
}

impl<S> CachedStorage<S> {
    pub const fn new(rows: S) -> Self {
        Self {
            rows,
            account: RefCell::new(None),
            uploads: RefCell::new(None),
            alarm: Cell::new(NextTime::Unknown),
            event: Cell::new(NextTime::Unknown),
            ticket: Cell::new(NextTime::Unknown),
            rate_refusals: Cell::new(RateRefusals::NONE),
            places: CachedPlaces::new(),
            has_derivations: Cell::new(None),
            queue: Cell::new(NextTime::Unknown),
            attempts: RefCell::new(BTreeSet::new()),
            is_delivering: Cell::new(false),
            held_until_ms: Cell::new(0),
            queued_events: Cell::new(0),
        }
    }

    pub const fn rows(&self) -> &S {
        &self.rows
    }
}

impl<S: LedgerStorage> CachedStorage<S> {
    /// Runs on the index, which is read from the rows first if it is not there.
    fn index<T>(&self, run: impl FnOnce(&mut UploadIndex) -> T) -> StorageResult<T> {
        let mut index = self.uploads.borrow_mut();
        if let Some(index) = &mut *index {
            return Ok(run(index));
        }
        let mut read = UploadIndex::default();
        for upload in self.rows.open_uploads()? {
            read.add(&upload);
        }
        for kept in self.rows.kept_uploads()? {
            read.add_kept(&kept.key, &kept.sha256, kept.due_ms);
        }
        Ok(run(index.insert(read)))
    }

    /// The account with the latest state of its rate.
    pub fn account(&self) -> StorageResult<AccountState> {
        if let Some(state) = &*self.account.borrow() {
            return Ok(state.clone());
        }
        let mut state = self.rows.account()?;
        let reserved = self.index(|index| index.latest_rate())?;
        state.rate = reserved.map_or(state.rate, |rate| rate.later(state.rate));
        self.account.replace(Some(state.clone()));
        Ok(state)
    }

    pub fn write_account(&self, state: &AccountState) -> StorageResult<()> {
        self.account.replace(None);
        self.rows.write_account(state)?;
        self.account.replace(Some(state.clone()));
        Ok(())
    }

    /// Writes an upload whose reservation has the new state of the rate, so the account needs no row.
    pub fn write_admission(&self, state: &AccountState, upload: &Upload) -> StorageResult<()> {
        self.account.replace(None);
        self.write_upload(upload)?;
        self.account.replace(Some(state.clone()));
        Ok(())
    }

    /// What open uploads have taken of the daily quota.
    pub fn reserved(&self) -> StorageResult<Vec<QuotaCharge>> {
        self.index(|index| index.reservations.values().map(|it| it.charge).collect())
    }

    pub fn upload(&self, key: &UploadKey) -> StorageResult<Option<Upload>> {
        match self.index(|index| index.registering.get(key).cloned())? {
            Some(upload) => Ok(Some(upload)),
            None => self.rows.upload(key),
        }
    }

    pub fn write_upload(&self, upload: &Upload) -> StorageResult<()> {
        self.rows.write_upload(upload)?;
        self.index(|index| index.put(upload))
    }

    /// Notes an upload that is being registered, in memory only.
    pub fn hold_upload(&self, upload: &Upload) -> StorageResult<()> {
        self.index(|index| {
            index.put(upload);
            index.registering.insert(upload.key.clone(), upload.clone());
        })
    }

    pub fn delete_upload(&self, key: &UploadKey) -> StorageResult<()> {
        self.rows.delete_upload(key)?;
        self.index(|index| index.remove(key))
    }

    /// Uploads with these bytes by the owner of this one, oldest first.
    pub fn find_duplicates(&self, sha256: &str, of: &UploadKey) -> StorageResult<Vec<Upload>> {
        let mut found = Vec::new();
        for admitted_ms in self.index(|index| index.admitted_ms(sha256))? {
            for upload in self.rows.uploads_of_ms(admitted_ms, of)? {
                let upload = self.latest(upload)?;
                if upload.state.image().is_some_and(|image| image.sha256 == sha256) {
                    found.push(upload);
                }
            }
        }
        Ok(found)
    }

    /// The upload of a row, or what memory has of it.
    fn latest(&self, upload: Upload) -> StorageResult<Upload> {
        self.index(|index| index.registering.get(&upload.key).cloned().unwrap_or(upload))
    }

    /// Uploads that are due and not kept, longest due first.
    pub fn due_uploads(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<Upload>> {
        let due = self.index(|index| index.due(now_ms, limit))?;
        let uploads = due.iter().map(|key| self.upload(key));
        Ok(uploads.collect::<StorageResult<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// Forgets the kept uploads that are due.
    pub fn forget_kept(&self, now_ms: u64) -> StorageResult<()> {
        self.rows.delete_kept(now_ms)?;
        self.index(|index| index.forget(now_ms))
    }

    /// The latest uploads, newest first.
    pub fn latest_uploads(&self, limit: u32) -> StorageResult<Vec<Upload>> {
        self.rows.latest_uploads(limit)?.into_iter().map(|upload| self.latest(upload)).collect()
    }

    /// How many uploads are in each phase that has some.
    pub fn count_phases(&self) -> StorageResult<Vec<PhaseCount>> {
        let mut counts = self.rows.count_phases()?;
        let registering = self.index(|index| index.registering.len())?;
        let registering = u32::try_from(registering).unwrap_or(u32::MAX);
        for intents in counts.iter_mut().filter(|it| it.phase == UploadPhase::Intent) {
            intents.count = intents.count.saturating_sub(registering);
        }
        counts.push(PhaseCount { phase: UploadPhase::Registering, count: registering });
        counts.retain(|it| it.count > 0);
        Ok(counts)
    }

    /// Counts a refusal by the rate; returns how many there were in this minute. Memory is enough: a flood
    /// keeps the ledger awake.
    pub fn count_rate_refusal(&self, minute: u64) -> u32 {
        self.rate_refusals.set(self.rate_refusals.get().more(minute));
        self.rate_refusals.get().count()
    }

    pub fn spend_ticket(&self, ticket: &SpentTicket, now_ms: u64) -> StorageResult<bool> {
        self.ticket.set(NextTime::Unknown);
        self.rows.spend_ticket(ticket, now_ms)
    }

    pub fn delete_tickets(&self) -> StorageResult<()> {
        self.ticket.set(NextTime::Unknown);
        self.rows.delete_tickets()
    }

    /// All uploads that are not kept.
    pub fn open_uploads(&self) -> StorageResult<Vec<Upload>> {
        self.rows.open_uploads()?.into_iter().map(|upload| self.latest(upload)).collect()
    }

    pub fn write_event(&self, event: &Event) -> StorageResult<()> {
        self.event.set(NextTime::Unknown);
        self.rows.write_event(event)
    }

    pub fn due_events(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<OutboxEvent>> {
        self.rows.due_events(now_ms, limit)
    }

    pub fn postpone_event(&self, id: u64, tries: u32, due_ms: u64) -> StorageResult<()> {
        self.event.set(NextTime::Unknown);
        self.rows.postpone_event(id, tries, due_ms)
    }

    pub fn delete_event(&self, id: u64) -> StorageResult<()> {
        self.event.set(NextTime::Unknown);
        self.rows.delete_event(id)
    }

    /// Adds an event to the queue of its stream. `is_first` when there is none yet, which need not be looked up.
    pub fn push_event(
        &self,
        stream: &str,
        event: WebhookEvent,
        due_ms: u64,
        is_first: bool,
    ) -> StorageResult<()> {
        let known = if is_first { None } else { self.rows.find_queue(stream)? };
        let mut queue = known.unwrap_or_else(|| EventQueue {
            stream: stream.to_owned(),
            due_ms,
            tries: 0,
            events: Vec::new(),
        });
        if queue.events.iter().any(|known| known.id == event.id) {
            return Ok(());
        }
        queue.events.push(event);
        self.queued_events.set(self.queued_events.get() + 1);
        self.write_queue(&queue)
    }

    /// Adds an event, or makes the queue that has it due again.
    pub fn renew_event(&self, stream: &str, event: WebhookEvent, now_ms: u64) -> StorageResult<()> {
        match self.rows.find_queue(stream)? {
            Some(queue) if queue.events.first().is_some_and(|first| first.id == event.id) => {
                let is_being_sent = self.attempts.borrow().contains(stream);
                if is_being_sent {
                    return Ok(());
                }
                self.move_queue(queue.due_ms, &EventQueue { due_ms: now_ms, tries: 0, ..queue })
            }
            _ => self.push_event(stream, event, now_ms, false),
        }
    }

    /// An attempt ended: the next one is at this time, or the event is done with.
    pub fn end_attempt(
        &self,
        sent: &EventQueue,
        next: Option<(u32, u64)>,
        now_ms: u64,
    ) -> StorageResult<()> {
        let id = |queue: &EventQueue| queue.events.first().map(|event| event.id.clone());
        // Other events may have been added meanwhile.
        let Some(mut queue) = self.rows.queue(sent.due_ms, &sent.stream)? else { return Ok(()) };
        if id(&queue) != id(sent) {
            return Ok(());
        }
        let (tries, due_ms) = next.unwrap_or_else(|| {
            queue.events.remove(0);
            (0, now_ms)
        });
        self.move_queue(sent.due_ms, &EventQueue { due_ms, tries, ..queue })
    }

    fn move_queue(&self, from_ms: u64, queue: &EventQueue) -> StorageResult<()> {
        if from_ms != queue.due_ms || queue.events.is_empty() {
            self.queue.set(NextTime::Unknown);
            self.rows.delete_queue(from_ms, &queue.stream)?;
        }
        if queue.events.is_empty() { Ok(()) } else { self.write_queue(queue) }
    }

    fn write_queue(&self, queue: &EventQueue) -> StorageResult<()> {
        self.queue.set(NextTime::Unknown);
        self.rows.write_queue(queue)
    }

    pub fn delete_queues(&self) -> StorageResult<()> {
        self.queue.set(NextTime::Unknown);
        self.rows.delete_queues()
    }

    pub fn queue_of(&self, stream: &str) -> StorageResult<Option<EventQueue>> {
        self.rows.find_queue(stream)
    }

    /// Leaves nothing but ids in the events of one stream, or of all.
    pub fn reduce_events(&self, stream: Option<&str>) -> StorageResult<()> {
        let queues = match stream {
            Some(stream) => self.rows.find_queue(stream)?.into_iter().collect(),
            None => self.rows.due_queues(MAX_SAFE_INTEGER, u32::MAX)?,
        };
        for mut queue in queues {
            queue.events = queue.events.into_iter().map(WebhookEvent::reduced).collect();
            self.rows.write_queue(&queue)?;
        }
        Ok(())
    }

    /// The queues that are due and not being sent, longest due first.
    pub fn due_queues(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<EventQueue>> {
        let attempts = self.attempts.borrow();
        let more = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
        let mut due = self.rows.due_queues(now_ms, limit.saturating_add(more))?;
        due.retain(|queue| !attempts.contains(&queue.stream));
        due.truncate(limit as usize);
        Ok(due)
    }

    /// When the alarm sends the next event.
    pub fn next_delivery_ms(&self) -> StorageResult<Option<u64>> {
        if self.is_delivering.get() {
            return Ok(None);
        }
        Ok(self.next_queue_ms()?.map(|due_ms| due_ms.max(self.held_until_ms.get())))
    }

    fn next_queue_ms(&self) -> StorageResult<Option<u64>> {
        NextTime::known(&self.queue, || self.rows.next_queue_ms())
    }

    /// Sends nothing before this time.
    pub fn hold_deliveries(&self, until_ms: u64) {
        self.held_until_ms.set(until_ms);
    }

    pub fn begin_delivery_run(&self) -> impl Drop {
        self.is_delivering.set(true);
        DeliveryRun(&self.is_delivering)
    }

    /// Begins to send the first event of a stream, unless it is being sent.
    pub fn begin_attempt(&self, stream: &str) -> Option<impl Drop> {
        let is_free = self.attempts.borrow_mut().insert(stream.to_owned());
        is_free.then(|| Attempt(&self.attempts, stream.to_owned()))
    }

    /// How many events were queued since the last call.
    pub fn take_queued_events(&self) -> u64 {
        self.queued_events.take()
    }

    /// When the alarm has something to do. Kept uploads are forgotten together, when the last one is due, and
    /// by every run before: one alarm a day instead of one for each upload. When nothing else is to be done, the
    /// ledger deletes itself.
    pub fn next_due_ms(&self) -> StorageResult<Option<u64>> {
        match self.next_work_ms()? {
            Some(due_ms) => Ok(Some(due_ms)),
            None => self.limits_end_ms(),
        }
    }

    /// When an upload or an event is due.
    fn next_work_ms(&self) -> StorageResult<Option<u64>> {
        let uploads_ms = self.index(|index| index.next_due_ms())?;
        let places_ms = self.place_index(|index| index.next_due_ms())?;
        let events_ms = self.next_event_ms()?.into_iter().chain(self.next_delivery_ms()?);
        Ok(uploads_ms.into_iter().chain(events_ms).chain(places_ms).min())
    }

    fn next_event_ms(&self) -> StorageResult<Option<u64>> {
        NextTime::known(&self.event, || self.rows.next_event_ms())
    }

    /// When no limit, strike, ban or spent ticket counts any more. [`None`] when there is none, for a permanent ban, an
    /// erasure, and the ledger of a form, which stays with the form. The rows of derived pictures stay with the pictures.
    fn limits_end_ms(&self) -> StorageResult<Option<u64>> {
        if self.rows.is_empty() || self.place_index(|index| index.is_in_use())? {
            return Ok(None);
        }
        let tickets_end_ms = NextTime::known(&self.ticket, || self.rows.last_ticket_ms())?;
        let account = self.account()?;
        let has_limits = tickets_end_ms.is_some() || account != AccountState::default();
        if !has_limits && self.has_derivations()? {
            return Ok(None);
        }
        let end_ms = account.end_ms().max(tickets_end_ms.unwrap_or(0));
        Ok((end_ms < PERMANENT_MS).then_some(end_ms))
    }

    /// Whether nothing counts any more. Every table must be considered here, because the ledger is then deleted.
    pub fn is_at_rest(&self, now_ms: u64) -> StorageResult<bool> {
        Ok(self.has_ended(now_ms)? && !self.has_derivations()?)
    }

    /// The same, but for the rows of derived pictures.
    fn has_ended(&self, now_ms: u64) -> StorageResult<bool> {
        let ends_ms = [self.index(|index| index.end_ms())?, self.limits_end_ms()?];
        Ok(self.next_event_ms()?.is_none()
            && self.next_queue_ms()?.is_none()
            && ends_ms.iter().all(|end_ms| end_ms.is_some_and(|end_ms| end_ms <= now_ms)))
    }

    /// Deletes the ledger if it is at rest; whether it did. The next command finds a new ledger. Where only the rows of
    /// derived pictures are left to keep, it forgets all else.
    pub async fn delete_at_rest(&self, now_ms: u64) -> StorageResult<bool> {
        let is_at_rest = self.is_at_rest(now_ms)?;
        if !is_at_rest && self.has_ended(now_ms)? {
            self.write_account(&AccountState::default())?;
            self.delete_tickets()?;
        }
        if is_at_rest {
            // First, because other commands may run before the platform answers.
            self.forget_memory();
            self.rows.delete_all().await?;
        }
        Ok(is_at_rest)
    }

    /// What is in memory is read from the rows again.
    fn forget_memory(&self) {
        self.account.replace(None);
        self.uploads.replace(None);
        self.alarm.set(NextTime::Unknown);
        self.event.set(NextTime::Unknown);
        self.ticket.set(NextTime::Unknown);
        self.places.forget();
        self.has_derivations.set(None);
        self.queue.set(NextTime::Unknown);
        self.held_until_ms.set(0);
    }

    /// Sets the alarm for the next due time, unless it is set for an earlier one: an alarm that runs too early
    /// finds nothing and is set again. A deletion can wait for any alarm.
    pub async fn set_alarm(&self) -> StorageResult<()> {
        if self.next_due_ms()?.is_none() {
            return Ok(());
        }
        if self.alarm.get() == NextTime::Unknown {
            let alarm_ms = self.rows.alarm_ms().await?;
            // Another command may have set it meanwhile.
            if self.alarm.get() == NextTime::Unknown {
                self.alarm.set(NextTime::Known(alarm_ms));
            }
        }
        let (alarm_ms, work_ms) = (self.alarm.get().time_ms(), self.next_work_ms()?);
        let is_set =
            alarm_ms.is_some_and(|alarm_ms| work_ms.is_none_or(|due_ms| alarm_ms <= due_ms));
        match self.next_due_ms()? {
            Some(due_ms) if !is_set => self.put_alarm(due_ms).await,
            _ => Ok(()),
        }
    }

    /// The alarm runs, so it is not set any more.
    pub fn begin_alarm(&self) {
        self.alarm.set(NextTime::Known(None));
    }

    /// Sets the alarm for this time, whatever it was set for.
    pub async fn put_alarm(&self, at_ms: u64) -> StorageResult<()> {
        self.alarm.set(NextTime::Known(Some(at_ms)));
        let outcome = self.rows.set_alarm(at_ms).await;
        outcome.inspect_err(|_| self.alarm.set(NextTime::Unknown))
    }

    /// Sets the alarm after its run for what is due next, or deletes it.
    pub async fn end_alarm(&self) -> StorageResult<()> {
        let (alarm_ms, due_ms) = (self.alarm.get().time_ms(), self.next_due_ms()?);
        match due_ms {
            Some(due_ms) if alarm_ms != Some(due_ms) => self.put_alarm(due_ms).await,
            None if alarm_ms.is_some() => {
                self.alarm.set(NextTime::Known(None));
                let outcome = self.rows.delete_alarm().await;
                outcome.inspect_err(|_| self.alarm.set(NextTime::Unknown))
            }
            _ => Ok(()),
        }
    }

    /// Forgets everything that is not in a row, as a restart does.
    #[cfg(any(test, feature = "testing"))]
    pub fn restart(&self) {
        self.forget_memory();
        self.rate_refusals.set(RateRefusals::NONE);
        self.end_count();
        self.attempts.take();
        self.is_delivering.set(false);
    }
}

/// Ends a run however it ends.
struct DeliveryRun<'a>(&'a Cell<bool>);

impl Drop for DeliveryRun<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Ends an attempt however it ends.
struct Attempt<'a>(&'a RefCell<BTreeSet<String>>, String);

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().remove(&self.1);
    }
}

/// How many requests were refused by the rate, in the minute of the last one.
#[derive(Clone, Copy, Debug, Default)]
struct RateRefusals {
    minute: u64,
    count: u32,
}

impl RateRefusals {
    const NONE: Self = Self { minute: 0, count: 0 };

    const fn more(self, minute: u64) -> Self {
        let count = if self.minute == minute { self.count.saturating_add(1) } else { 1 };
        Self { minute, count }
    }

    const fn count(self) -> u32 {
        self.count
    }
}

/// When something is due next, if at all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NextTime {
    /// Not read yet.
    Unknown,
    Known(Option<u64>),
}

impl NextTime {
    /// What the cell has, which is read first if it is unknown.
    fn known(
        cell: &Cell<Self>,
        read: impl FnOnce() -> StorageResult<Option<u64>>,
    ) -> StorageResult<Option<u64>> {
        let time_ms = match cell.get() {
            Self::Known(time_ms) => time_ms,
            Self::Unknown => read()?,
        };
        cell.set(Self::Known(time_ms));
        Ok(time_ms)
    }

    const fn time_ms(self) -> Option<u64> {
        match self {
            Self::Known(time_ms) => time_ms,
            Self::Unknown => None,
        }
    }
}

/// How long the bytes of an upload may be asked for after its admission: the longest lease and the window in
/// which the same bytes are recognised, with an hour to spare.
const FOUND_MS: u64 = 26 * 3_600_000;

/// What is found in memory. Kept uploads, of which there may be many, take 16 bytes each.
#[derive(Default)]
struct UploadIndex {
    /// When each upload that is not kept is due.
    due_ms: BTreeMap<UploadKey, u64>,
    reservations: BTreeMap<UploadKey, Reservation>,
    /// In memory only; their rows say that they are intents.
    registering: BTreeMap<UploadKey, Upload>,
    /// A hash of the bytes, and when the upload was admitted. The rows tell whether there is such an upload.
    images: BTreeSet<(u64, u64)>,
    /// When the last kept upload is due.
    last_kept_due_ms: Option<u64>,
}

impl UploadIndex {
    fn put(&mut self, upload: &Upload) {
        self.remove(&upload.key);
        self.add(upload);
    }

    fn add(&mut self, upload: &Upload) {
        let Upload { key, state, due_ms, reservation, .. } = upload;
        if let UploadState::Kept { image, .. } | UploadState::Held { image, .. } = state {
            return self.add_kept(key, &image.sha256, *due_ms);
        }
        self.due_ms.insert(key.clone(), *due_ms);
        if let Some(reservation) = reservation {
            self.reservations.insert(key.clone(), *reservation);
        }
        if let Some(image) = state.image() {
            self.images.insert((hash(&image.sha256), key.admitted_ms()));
        }
    }

    fn add_kept(&mut self, key: &UploadKey, sha256: &str, due_ms: u64) {
        self.images.insert((hash(sha256), key.admitted_ms()));
        self.last_kept_due_ms = self.last_kept_due_ms.max(Some(due_ms));
    }

    /// Its bytes stay: other uploads may have been admitted in the same millisecond.
    fn remove(&mut self, key: &UploadKey) {
        self.due_ms.remove(key);
        self.reservations.remove(key);
        self.registering.remove(key);
    }

    fn forget(&mut self, now_ms: u64) {
        self.images.retain(|(_, admitted_ms)| admitted_ms.saturating_add(FOUND_MS) > now_ms);
        self.last_kept_due_ms = self.last_kept_due_ms.filter(|due_ms| *due_ms > now_ms);
    }

    fn admitted_ms(&self, sha256: &str) -> Vec<u64> {
        let hash = hash(sha256);
        self.images.range((hash, 0)..=(hash, u64::MAX)).map(|(_, ms)| *ms).collect()
    }

    /// The keys of those that are due, longest due first.
    fn due(&self, now_ms: u64, limit: u32) -> Vec<UploadKey> {
        let mut due: Vec<_> = self.due_ms.iter().filter(|(_, due_ms)| **due_ms <= now_ms).collect();
        due.sort_by_key(|(_, due_ms)| **due_ms);
        due.truncate(limit as usize);
        due.into_iter().map(|(key, _)| key.clone()).collect()
    }

    fn next_due_ms(&self) -> Option<u64> {
        self.due_ms.values().copied().chain(self.last_kept_due_ms).min()
    }

    /// When none of them is needed any more. [`None`] while one is open.
    fn end_ms(&self) -> Option<u64> {
        self.due_ms.is_empty().then(|| self.last_kept_due_ms.unwrap_or(0))
    }

    fn latest_rate(&self) -> Option<TokenBucket> {
        self.reservations.values().map(|it| it.rate).reduce(TokenBucket::later)
    }
}

fn hash(sha256: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    sha256.hash(&mut hasher);
    hasher.finish()
}
