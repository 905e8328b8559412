//! For tests: ledgers in memory, on the real service and the real accounts.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "only tests use this module, and a panic is a failed test"
)]

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    pin::Pin,
    rc::Rc,
};

use edge_registry::{
    Event,
    testing::{FakeRegistry, yield_once},
};
use edge_storage::{ObjectKey, UploadKey, testing::FakeStore};
use edge_types::{Clock, Random, UserId};

use crate::{
    AccountState, Answer, CachedStorage, Command, DeliveryError, Derivation, EventOutcome,
    EventQueue, EventSettings, FormCount, KeptUpload, LedgerClient, LedgerDeps, LedgerError,
    LedgerRequest, LedgerService, LedgerStorage, OutboxEvent, PhaseCount, Place, SpentTicket,
    Upload, UploadPhase, UploadState, WebhookEvent, storage::StorageResult,
};

/// The rows of one ledger, in memory.
#[derive(Default)]
pub struct FakeLedgerStorage {
    account: RefCell<AccountState>,
    uploads: RefCell<BTreeMap<UploadKey, Upload>>,
    tickets: RefCell<BTreeMap<String, u64>>,
    events: RefCell<BTreeMap<u64, (OutboxEvent, u64)>>,
    last_event: Cell<u64>,
    queues: RefCell<BTreeMap<(u64, String), EventQueue>>,
    form_count: RefCell<Option<FormCount>>,
    places: RefCell<BTreeMap<(UserId, ObjectKey), Place>>,
    derivations: RefCell<BTreeMap<(UploadKey, String), Derivation>>,
    alarm_ms: Cell<Option<u64>>,
    /// Whether a table was created.
    has_tables: Cell<bool>,
    /// As the platform bills them: a deleted row and a set alarm count as well.
    rows_written: Cell<u64>,
}

impl FakeLedgerStorage {
    pub fn rows_written(&self) -> u64 {
        self.rows_written.get()
    }

    fn count_rows(&self, rows: usize) {
        self.rows_written.set(self.rows_written.get() + rows as u64);
    }

    fn select(&self, passes: impl Fn(&Upload) -> bool) -> Vec<Upload> {
        self.uploads.borrow().values().filter(|upload| passes(upload)).cloned().collect()
    }
}

fn is_kept(upload: &Upload) -> bool {
    matches!(upload.state.phase(), UploadPhase::Kept | UploadPhase::Held)
}

impl LedgerStorage for FakeLedgerStorage {
    fn probe(&self) -> StorageResult<()> {
        Ok(())
    }

    fn account(&self) -> StorageResult<AccountState> {
        Ok(self.account.borrow().clone())
    }

    fn write_account(&self, state: &AccountState) -> StorageResult<()> {
        self.count_rows(1);
        self.has_tables.set(true);
        state.clone_into(&mut self.account.borrow_mut());
        Ok(())
    }

    fn upload(&self, key: &UploadKey) -> StorageResult<Option<Upload>> {
        Ok(self.uploads.borrow().get(key).cloned())
    }

    fn write_upload(&self, upload: &Upload) -> StorageResult<()> {
        self.count_rows(1);
        self.has_tables.set(true);
        self.uploads.borrow_mut().insert(upload.key.clone(), upload.clone());
        Ok(())
    }

    fn delete_upload(&self, key: &UploadKey) -> StorageResult<()> {
        let deleted = self.uploads.borrow_mut().remove(key);
        self.count_rows(deleted.into_iter().count());
        Ok(())
    }

    fn uploads_of_ms(&self, admitted_ms: u64, of: &UploadKey) -> StorageResult<Vec<Upload>> {
        let prefix = of.prefix_of_ms(admitted_ms);
        Ok(self.select(|upload| upload.key.as_str().starts_with(&prefix)))
    }

    fn open_uploads(&self) -> StorageResult<Vec<Upload>> {
        Ok(self.select(|upload| !is_kept(upload)))
    }

    fn kept_uploads(&self) -> StorageResult<Vec<KeptUpload>> {
        let kept = |upload: Upload| match upload.state {
            UploadState::Kept { image, .. } | UploadState::Held { image, .. } => {
                Some(KeptUpload { key: upload.key, sha256: image.sha256, due_ms: upload.due_ms })
            }
            _ => None,
        };
        Ok(self.select(is_kept).into_iter().filter_map(kept).collect())
    }

    fn delete_kept(&self, now_ms: u64) -> StorageResult<()> {
        let mut uploads = self.uploads.borrow_mut();
        let before = uploads.len();
        uploads.retain(|_, upload| !is_kept(upload) || upload.due_ms > now_ms);
        self.count_rows(before - uploads.len());
        Ok(())
    }

    fn latest_uploads(&self, limit: u32) -> StorageResult<Vec<Upload>> {
        let uploads = self.uploads.borrow();
        Ok(uploads.values().rev().take(limit as usize).cloned().collect())
    }

    fn count_phases(&self) -> StorageResult<Vec<PhaseCount>> {
        let mut counts: BTreeMap<UploadPhase, u32> = BTreeMap::new();
        for upload in self.uploads.borrow().values() {
            *counts.entry(upload.state.phase()).or_default() += 1;
        }
        Ok(counts.into_iter().map(|(phase, count)| PhaseCount { phase, count }).collect())
    }

    fn spend_ticket(&self, ticket: &SpentTicket, now_ms: u64) -> StorageResult<bool> {
        self.has_tables.set(true);
        let mut tickets = self.tickets.borrow_mut();
        let before = tickets.len();
        tickets.retain(|_, expires_ms| *expires_ms > now_ms);
        let is_unspent = tickets.insert(ticket.id.clone(), ticket.expires_ms).is_none();
        self.count_rows(before.saturating_sub(tickets.len()) + usize::from(is_unspent));
        Ok(is_unspent)
    }

    fn last_ticket_ms(&self) -> StorageResult<Option<u64>> {
        Ok(self.tickets.borrow().values().max().copied())
    }

    fn delete_tickets(&self) -> StorageResult<()> {
        let deleted = self.tickets.take();
        self.count_rows(deleted.len());
        Ok(())
    }

    fn write_event(&self, event: &Event) -> StorageResult<()> {
        self.count_rows(1);
        self.has_tables.set(true);
        let id = self.last_event.get() + 1;
        self.last_event.set(id);
        let outbox = OutboxEvent { id, event: event.clone(), tries: 0 };
        self.events.borrow_mut().insert(id, (outbox, event.at_ms));
        Ok(())
    }

    fn due_events(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<OutboxEvent>> {
        let events = self.events.borrow();
        let due = events.values().filter(|(_, due_ms)| *due_ms <= now_ms);
        Ok(due.take(limit as usize).map(|(outbox, _)| outbox.clone()).collect())
    }

    fn postpone_event(&self, id: u64, tries: u32, due_ms: u64) -> StorageResult<()> {
        self.count_rows(1);
        if let Some((outbox, due)) = self.events.borrow_mut().get_mut(&id) {
            (outbox.tries, *due) = (tries, due_ms);
        }
        Ok(())
    }

    fn delete_event(&self, id: u64) -> StorageResult<()> {
        self.count_rows(1);
        self.events.borrow_mut().remove(&id);
        Ok(())
    }

    fn next_event_ms(&self) -> StorageResult<Option<u64>> {
        Ok(self.events.borrow().values().map(|(_, due_ms)| *due_ms).min())
    }

    fn write_queue(&self, queue: &EventQueue) -> StorageResult<()> {
        self.count_rows(1);
        self.has_tables.set(true);
        self.queues.borrow_mut().insert((queue.due_ms, queue.stream.clone()), queue.clone());
        Ok(())
    }

    fn delete_queue(&self, due_ms: u64, stream: &str) -> StorageResult<()> {
        let deleted = self.queues.borrow_mut().remove(&(due_ms, stream.to_owned()));
        self.count_rows(deleted.into_iter().count());
        Ok(())
    }

    fn delete_queues(&self) -> StorageResult<()> {
        self.count_rows(self.queues.take().len());
        Ok(())
    }

    fn queue(&self, due_ms: u64, stream: &str) -> StorageResult<Option<EventQueue>> {
        Ok(self.queues.borrow().get(&(due_ms, stream.to_owned())).cloned())
    }

    fn find_queue(&self, stream: &str) -> StorageResult<Option<EventQueue>> {
        Ok(self.queues.borrow().values().find(|queue| queue.stream == stream).cloned())
    }

    fn due_queues(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<EventQueue>> {
        let queues = self.queues.borrow();
        let due = queues.values().take_while(|queue| queue.due_ms <= now_ms);
        Ok(due.take(limit as usize).cloned().collect())
    }

    fn next_queue_ms(&self) -> StorageResult<Option<u64>> {
        Ok(self.queues.borrow().keys().next().map(|(due_ms, _)| *due_ms))
    }

    fn derivations(&self, upload: &UploadKey) -> StorageResult<Vec<Derivation>> {
        let derivations = self.derivations.borrow();
        Ok(derivations.values().filter(|it| it.upload == *upload).cloned().collect())
    }

    fn write_derivation(&self, derivation: &Derivation) -> StorageResult<()> {
        self.count_rows(1);
        self.has_tables.set(true);
        let id = (derivation.upload.clone(), derivation.name.clone());
        self.derivations.borrow_mut().insert(id, derivation.clone());
        Ok(())
    }

    fn delete_derivation(&self, upload: &UploadKey, name: &str) -> StorageResult<()> {
        let deleted = self.derivations.borrow_mut().remove(&(upload.clone(), name.to_owned()));
        self.count_rows(deleted.into_iter().count());
        Ok(())
    }

    fn delete_derivations(&self, upload: &UploadKey) -> StorageResult<()> {
        let mut derivations = self.derivations.borrow_mut();
        let before = derivations.len();
        derivations.retain(|(of, _), _| of != upload);
        self.count_rows(before - derivations.len());
        Ok(())
    }

    fn has_derivations(&self) -> StorageResult<bool> {
        Ok(!self.derivations.borrow().is_empty())
    }

    fn form_count(&self) -> StorageResult<Option<FormCount>> {
        Ok(self.form_count.borrow().clone())
    }

    fn write_form_count(&self, count: &FormCount) -> StorageResult<()> {
        self.count_rows(1);
        self.has_tables.set(true);
        self.form_count.replace(Some(count.clone()));
        Ok(())
    }

    fn place(&self, owner: &UserId, key: &ObjectKey) -> StorageResult<Option<Place>> {
        Ok(self.places.borrow().get(&(owner.clone(), key.clone())).cloned())
    }

    fn write_place(&self, place: &Place) -> StorageResult<()> {
        self.count_rows(1);
        self.has_tables.set(true);
        let id = (place.owner.clone(), place.key.clone());
        self.places.borrow_mut().insert(id, place.clone());
        Ok(())
    }

    fn delete_place(&self, owner: &UserId, key: &ObjectKey) -> StorageResult<()> {
        let deleted = self.places.borrow_mut().remove(&(owner.clone(), key.clone()));
        self.count_rows(deleted.into_iter().count());
        Ok(())
    }

    fn delete_places(&self) -> StorageResult<()> {
        self.count_rows(self.places.take().len());
        Ok(())
    }

    fn count_places(&self) -> StorageResult<u32> {
        let places = self.places.borrow();
        Ok(u32::try_from(places.values().filter(|place| place.is_counted).count()).unwrap())
    }

    fn count_places_of(&self, owner: &UserId) -> StorageResult<u32> {
        let places = self.places.borrow();
        Ok(u32::try_from(places.values().filter(|place| place.owner == *owner).count()).unwrap())
    }

    fn leased_places(&self) -> StorageResult<Vec<Place>> {
        let places = self.places.borrow();
        Ok(places.values().filter(|place| place.lease_ms.is_some()).cloned().collect())
    }

    async fn alarm_ms(&self) -> StorageResult<Option<u64>> {
        Ok(self.alarm_ms.get())
    }

    async fn set_alarm(&self, at_ms: u64) -> StorageResult<()> {
        self.count_rows(1);
        self.alarm_ms.set(Some(at_ms));
        Ok(())
    }

    async fn delete_alarm(&self) -> StorageResult<()> {
        self.count_rows(1);
        self.alarm_ms.set(None);
        Ok(())
    }

    fn is_empty(&self) -> bool {
        !self.has_tables.get()
    }

    async fn delete_all(&self) -> StorageResult<()> {
        self.count_rows(1);
        self.has_tables.set(false);
        self.account.replace(AccountState::default());
        self.uploads.borrow_mut().clear();
        self.derivations.borrow_mut().clear();
        self.tickets.borrow_mut().clear();
        self.events.borrow_mut().clear();
        self.last_event.set(0);
        self.queues.borrow_mut().clear();
        self.form_count.replace(None);
        self.places.borrow_mut().clear();
        self.alarm_ms.set(None);
        Ok(())
    }
}

impl CachedStorage<FakeLedgerStorage> {
    /// The ledger of a new subject.
    pub fn fake() -> Self {
        Self::new(FakeLedgerStorage::default())
    }

    /// When the alarm will run, if it is set.
    pub fn alarm_ms(&self) -> Option<u64> {
        self.rows().alarm_ms.get()
    }

    /// The platform does so when the alarm runs.
    pub fn clear_alarm(&self) {
        self.rows().alarm_ms.set(None);
    }
}

/// Answers an event, at a time.
pub type BackEnd = Box<dyn Fn(&WebhookEvent, u64) -> Result<Answer, DeliveryError>>;

/// What ledgers in memory need; the clock stands still until a test sets it.
#[derive(Default)]
pub struct FakeLedgerDeps {
    pub store: Rc<FakeStore>,
    pub registry: Rc<FakeRegistry>,
    pub clock_ms: Rc<Cell<u64>>,
    /// How often randomness was drawn.
    pub drawn: Cell<u64>,
    /// How long it would have slept.
    pub slept_ms: Cell<u64>,
    /// Whether ledgers do not reach each other.
    pub is_cut_off: Cell<bool>,
    /// Which events the back end gets.
    pub event_settings: Option<EventSettings>,
    /// What it answers; without it, it takes every event.
    pub back_end: RefCell<Option<BackEnd>>,
    /// How long an answer takes, in turns of other futures.
    pub back_end_turns: Cell<u32>,
    /// What was sent, and when; not with a `back_end`.
    pub sent: RefCell<Vec<(u64, WebhookEvent)>>,
    /// By outcome, how often it was counted.
    pub event_counts: RefCell<BTreeMap<&'static str, u64>>,
    pub(crate) storages: RefCell<BTreeMap<String, Rc<CachedStorage<FakeLedgerStorage>>>>,
}

impl FakeLedgerDeps {
    fn storage(&self, subject: &str) -> Rc<CachedStorage<FakeLedgerStorage>> {
        let mut storages = self.storages.borrow_mut();
        let storage = storages.entry(subject.to_owned());
        storage.or_insert_with(|| Rc::new(CachedStorage::fake())).clone()
    }

    /// Boxed, because a ledger may send a command to another one.
    fn execute(
        &self,
        request: LedgerRequest,
    ) -> Pin<Box<dyn Future<Output = Result<String, LedgerError>> + '_>> {
        Box::pin(async move {
            let storage = self.storage(&request.subject);
            let service = LedgerService { storage: &*storage, deps: self };
            let reply = service.execute(request).await;
            reply.map_err(|error| LedgerError::Unreachable(error.to_string()))
        })
    }
}

/// From one ledger to another.
impl LedgerClient for FakeLedgerDeps {
    async fn send_json(&self, subject: String, command: Command) -> Result<String, LedgerError> {
        if self.is_cut_off.get() {
            return Err(LedgerError::Unreachable("the test cut it off".to_owned()));
        }
        self.execute(LedgerRequest { subject, command }).await
    }
}

impl LedgerDeps for FakeLedgerDeps {
    type Store = FakeStore;
    type Registry = FakeRegistry;
    type WebhookStore = FakeRegistry;
    type Ledger = Self;

    fn store(&self) -> &FakeStore {
        &self.store
    }

    fn ledger(&self) -> &Self {
        self
    }

    fn registry(&self) -> &FakeRegistry {
        &self.registry
    }

    fn webhook_store(&self) -> &FakeRegistry {
        &self.registry
    }

    async fn purge_copies(&self, _key: &ObjectKey, _derived: &[String]) {}

    fn event_settings(&self) -> Option<&EventSettings> {
        self.event_settings.as_ref()
    }

    async fn deliver(
        &self,
        event: &WebhookEvent,
        _timeout_ms: u64,
    ) -> Result<Answer, DeliveryError> {
        for _ in 0..self.back_end_turns.get() {
            yield_once().await;
        }
        let now_ms = self.clock_ms.get();
        if let Some(back_end) = &*self.back_end.borrow() {
            return back_end(event, now_ms);
        }
        self.sent.borrow_mut().push((now_ms, event.clone()));
        Ok(Answer::default())
    }

    fn count_events(&self, outcome: EventOutcome, times: u64) {
        *self.event_counts.borrow_mut().entry(outcome.into_str()).or_default() += times;
    }
}

impl Clock for FakeLedgerDeps {
    fn now_ms(&self) -> u64 {
        self.clock_ms.get()
    }

    /// Time does not pass, but other futures run.
    async fn sleep(&self, ms: u64) {
        self.slept_ms.set(self.slept_ms.get() + ms);
        yield_once().await;
    }
}

impl Random for FakeLedgerDeps {
    fn random(&self) -> [u8; 16] {
        self.drawn.set(self.drawn.get() + 1);
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&self.drawn.get().to_be_bytes());
        bytes
    }
}

/// All ledgers, in memory.
#[derive(Default)]
pub struct FakeLedger {
    pub deps: FakeLedgerDeps,
    /// Whether no ledger answers.
    pub broken: Cell<bool>,
    /// Commands that were sent.
    pub commands: Cell<u64>,
}

impl FakeLedger {
    /// Over these stores, with this clock.
    pub fn over(store: Rc<FakeStore>, registry: Rc<FakeRegistry>, clock_ms: Rc<Cell<u64>>) -> Self {
        let deps = FakeLedgerDeps { store, registry, clock_ms, ..FakeLedgerDeps::default() };
        Self { deps, ..Self::default() }
    }

    /// Runs the alarms that are due, as the platform does.
    ///
    /// # Panics
    /// Never: memory does not fail.
    pub async fn run_alarms(&self) {
        let storages: Vec<_> = self.deps.storages.borrow().values().cloned().collect();
        for storage in storages {
            if storage.alarm_ms().is_some_and(|alarm_ms| alarm_ms <= self.deps.now_ms()) {
                storage.clear_alarm();
                let service = LedgerService { storage: &*storage, deps: &self.deps };
                service.run_alarm().await.expect("memory does not fail");
            }
        }
    }

    /// Restarts every ledger: what is not in a row is gone.
    pub fn restart(&self) {
        self.deps.storages.borrow().values().for_each(|storage| storage.restart());
    }

    /// The subjects whose ledgers have rows.
    pub fn names(&self) -> Vec<String> {
        let storages = self.deps.storages.borrow();
        let kept = storages.iter().filter(|(_, storage)| !storage.rows().is_empty());
        kept.map(|(name, _)| name.clone()).collect()
    }

    /// How many rows all ledgers have written.
    pub fn rows_written(&self) -> u64 {
        self.deps.storages.borrow().values().map(|storage| storage.rows().rows_written()).sum()
    }
}

impl LedgerClient for FakeLedger {
    async fn send_json(&self, subject: String, command: Command) -> Result<String, LedgerError> {
        if self.broken.get() {
            return Err(LedgerError::Unreachable("the test broke it".to_owned()));
        }
        self.commands.set(self.commands.get() + 1);
        // Through JSON, as between Worker and Durable Object.
        let text = serde_json::to_string(&LedgerRequest { subject, command })?;
        let request: LedgerRequest = serde_json::from_str(&text)?;
        self.deps.execute(request).await
    }
}
