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
    rc::Rc,
};

use edge_registry::{
    Event,
    testing::{FakeRegistry, yield_once},
};
use edge_storage::{ObjectKey, UploadKey, testing::FakeStore};
use edge_types::{Clock, Random};

use crate::{
    AccountState, Command, LedgerClient, LedgerDeps, LedgerError, LedgerRequest, LedgerService,
    LedgerStorage, OutboxEvent, PhaseCount, RateRefusals, SpentTicket, Upload, UploadPhase,
    storage::StorageResult,
};

/// The storage of one ledger in memory.
#[derive(Default)]
pub struct FakeLedgerStorage {
    account: RefCell<AccountState>,
    uploads: RefCell<BTreeMap<UploadKey, Upload>>,
    tickets: RefCell<BTreeMap<String, u64>>,
    events: RefCell<BTreeMap<u64, (OutboxEvent, u64)>>,
    last_event: Cell<u64>,
    rate_refusals: Cell<RateRefusals>,
}

impl FakeLedgerStorage {
    /// All uploads that pass, the first due first.
    fn select(&self, limit: u32, passes: impl Fn(&Upload) -> bool) -> Vec<Upload> {
        let uploads = self.uploads.borrow();
        let mut found: Vec<_> = uploads.values().filter(|upload| passes(upload)).cloned().collect();
        found.sort_by_key(|upload| upload.due_ms);
        found.truncate(limit as usize);
        found
    }
}

impl LedgerStorage for FakeLedgerStorage {
    fn account(&self) -> StorageResult<AccountState> {
        Ok(self.account.borrow().clone())
    }

    fn write_account(&self, state: &AccountState) -> StorageResult<()> {
        state.clone_into(&mut self.account.borrow_mut());
        Ok(())
    }

    fn upload(&self, key: &UploadKey) -> StorageResult<Option<Upload>> {
        Ok(self.uploads.borrow().get(key).cloned())
    }

    fn write_upload(&self, upload: &Upload) -> StorageResult<()> {
        self.uploads.borrow_mut().insert(upload.key.clone(), upload.clone());
        Ok(())
    }

    fn delete_upload(&self, key: &UploadKey) -> StorageResult<()> {
        self.uploads.borrow_mut().remove(key);
        Ok(())
    }

    fn find_duplicates(&self, sha256: &str) -> StorageResult<Vec<Upload>> {
        let is_same = |upload: &Upload| upload.state.image().is_some_and(|it| it.sha256 == sha256);
        Ok(self.select(u32::MAX, is_same))
    }

    fn due_uploads(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<Upload>> {
        Ok(self.select(limit, |upload| upload.due_ms <= now_ms))
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

    fn count_rate_refusal(&self, minute: u64) -> u32 {
        self.rate_refusals.set(self.rate_refusals.get().more(minute));
        self.rate_refusals.get().count()
    }

    fn spend_ticket(&self, ticket: &SpentTicket, now_ms: u64) -> StorageResult<bool> {
        let mut tickets = self.tickets.borrow_mut();
        tickets.retain(|_, expires_ms| *expires_ms > now_ms);
        Ok(tickets.insert(ticket.id.clone(), ticket.expires_ms).is_none())
    }

    fn write_event(&self, event: &Event) -> StorageResult<()> {
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
        if let Some((outbox, due)) = self.events.borrow_mut().get_mut(&id) {
            (outbox.tries, *due) = (tries, due_ms);
        }
        Ok(())
    }

    fn delete_event(&self, id: u64) -> StorageResult<()> {
        self.events.borrow_mut().remove(&id);
        Ok(())
    }

    fn next_due_ms(&self) -> StorageResult<Option<u64>> {
        let uploads = self.uploads.borrow();
        let events = self.events.borrow();
        let due = uploads.values().map(|upload| upload.due_ms);
        Ok(due.chain(events.values().map(|(_, due_ms)| *due_ms)).min())
    }

    async fn set_alarm(&self) -> StorageResult<()> {
        Ok(())
    }
}

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
}

impl LedgerDeps for FakeLedgerDeps {
    type Store = FakeStore;
    type Registry = FakeRegistry;

    fn store(&self) -> &FakeStore {
        &self.store
    }

    fn registry(&self) -> &FakeRegistry {
        &self.registry
    }

    async fn purge_copies(&self, _key: &ObjectKey) {}
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
    storages: RefCell<BTreeMap<String, Rc<FakeLedgerStorage>>>,
}

impl FakeLedger {
    /// Over these stores, with this clock.
    pub fn over(store: Rc<FakeStore>, registry: Rc<FakeRegistry>, clock_ms: Rc<Cell<u64>>) -> Self {
        let deps = FakeLedgerDeps { store, registry, clock_ms, ..FakeLedgerDeps::default() };
        Self { deps, ..Self::default() }
    }

    /// Runs the alarm of every ledger.
    ///
    /// # Panics
    /// Never: memory does not fail.
    pub async fn run_alarms(&self) {
        let storages: Vec<_> = self.storages.borrow().values().cloned().collect();
        for storage in storages {
            let service = LedgerService { storage: &*storage, deps: &self.deps };
            service.run_alarm().await.expect("memory does not fail");
        }
    }

    fn storage(&self, subject: &str) -> Rc<FakeLedgerStorage> {
        self.storages.borrow_mut().entry(subject.to_owned()).or_default().clone()
    }
}

impl LedgerClient for FakeLedger {
    async fn send_json(&self, subject: String, command: Command) -> Result<String, LedgerError> {
        if self.broken.get() {
            return Err(LedgerError::Unreachable("told to fail".to_owned()));
        }
        // Through JSON, as between Worker and Durable Object.
        let text = serde_json::to_string(&LedgerRequest { subject, command })?;
        let request: LedgerRequest = serde_json::from_str(&text)?;
        let storage = self.storage(&request.subject);
        let service = LedgerService { storage: &*storage, deps: &self.deps };
        let reply = service.execute(request).await;
        reply.map_err(|error| LedgerError::Unreachable(error.to_string()))
    }
}
