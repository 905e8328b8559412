//! Accounts in memory, for tests: the real desk and the real book on a shelf that is a map.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use super::{
    Account, Ledger, LedgerFault,
    desk::{Desk, Reach},
    entry::Entry,
    message::{Envelope, Phase, Question, Reply, StateCount, Ticket},
    shelf::{Refusals, Sheet, Shelf, ShelfFault, Unsent},
};
use crate::{
    registry::{
        Event,
        memory::{MemoryRegistry, turn},
    },
    storage::{Stem, memory::MemoryStore},
};

/// A shelf in memory.
#[derive(Default)]
pub struct MemoryShelf {
    sheet: RefCell<Sheet>,
    entries: RefCell<BTreeMap<Stem, Entry>>,
    tickets: RefCell<BTreeMap<String, u64>>,
    events: RefCell<BTreeMap<u64, (Unsent, u64)>>,
    last_event: Cell<u64>,
    refusals: Cell<Refusals>,
}

impl MemoryShelf {
    /// All uploads that pass, the first due first.
    fn select(&self, most: u32, passes: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let entries = self.entries.borrow();
        let mut found: Vec<_> = entries.values().filter(|entry| passes(entry)).cloned().collect();
        found.sort_by_key(|entry| entry.due_ms);
        found.truncate(most as usize);
        found
    }
}

impl Shelf for MemoryShelf {
    fn sheet(&self) -> Result<Sheet, ShelfFault> {
        Ok(self.sheet.borrow().clone())
    }

    fn write_sheet(&self, sheet: &Sheet) -> Result<(), ShelfFault> {
        sheet.clone_into(&mut self.sheet.borrow_mut());
        Ok(())
    }

    fn entry(&self, stem: &Stem) -> Result<Option<Entry>, ShelfFault> {
        Ok(self.entries.borrow().get(stem).cloned())
    }

    fn write_entry(&self, entry: &Entry) -> Result<(), ShelfFault> {
        self.entries.borrow_mut().insert(entry.stem.clone(), entry.clone());
        Ok(())
    }

    fn drop_entry(&self, stem: &Stem) -> Result<(), ShelfFault> {
        self.entries.borrow_mut().remove(stem);
        Ok(())
    }

    fn twins(&self, sha256: &str) -> Result<Vec<Entry>, ShelfFault> {
        let same = |entry: &Entry| entry.state.record().is_some_and(|it| it.sha256 == sha256);
        Ok(self.select(u32::MAX, same))
    }

    fn due_entries(&self, now_ms: u64, most: u32) -> Result<Vec<Entry>, ShelfFault> {
        Ok(self.select(most, |entry| entry.due_ms <= now_ms))
    }

    fn latest_entries(&self, most: u32) -> Result<Vec<Entry>, ShelfFault> {
        let entries = self.entries.borrow();
        Ok(entries.values().rev().take(most as usize).cloned().collect())
    }

    fn state_counts(&self) -> Result<Vec<StateCount>, ShelfFault> {
        let mut counts: BTreeMap<Phase, u32> = BTreeMap::new();
        for entry in self.entries.borrow().values() {
            *counts.entry(entry.state.phase()).or_default() += 1;
        }
        Ok(counts.into_iter().map(|(state, count)| StateCount { state, count }).collect())
    }

    fn count_refusal(&self, minute: u64) -> u32 {
        self.refusals.set(self.refusals.get().more(minute));
        self.refusals.get().count()
    }

    fn spend(&self, ticket: &Ticket, now_ms: u64) -> Result<bool, ShelfFault> {
        let mut tickets = self.tickets.borrow_mut();
        tickets.retain(|_, expires_ms| *expires_ms > now_ms);
        Ok(tickets.insert(ticket.id.clone(), ticket.expires_ms).is_none())
    }

    fn write_event(&self, event: &Event) -> Result<(), ShelfFault> {
        let id = self.last_event.get() + 1;
        self.last_event.set(id);
        let unsent = Unsent { id, event: event.clone(), tries: 0 };
        self.events.borrow_mut().insert(id, (unsent, event.at_ms));
        Ok(())
    }

    fn due_events(&self, now_ms: u64, most: u32) -> Result<Vec<Unsent>, ShelfFault> {
        let events = self.events.borrow();
        let due = events.values().filter(|(_, due_ms)| *due_ms <= now_ms);
        Ok(due.take(most as usize).map(|(unsent, _)| unsent.clone()).collect())
    }

    fn postpone_event(&self, id: u64, tries: u32, due_ms: u64) -> Result<(), ShelfFault> {
        if let Some((unsent, due)) = self.events.borrow_mut().get_mut(&id) {
            (unsent.tries, *due) = (tries, due_ms);
        }
        Ok(())
    }

    fn drop_event(&self, id: u64) -> Result<(), ShelfFault> {
        self.events.borrow_mut().remove(&id);
        Ok(())
    }

    fn next_due_ms(&self) -> Result<Option<u64>, ShelfFault> {
        let entries = self.entries.borrow();
        let events = self.events.borrow();
        let uploads = entries.values().map(|entry| entry.due_ms);
        Ok(uploads.chain(events.values().map(|(_, due_ms)| *due_ms)).min())
    }

    async fn arm(&self) -> Result<(), ShelfFault> {
        Ok(())
    }
}

/// What accounts in memory reach; its clock stands still until it is set.
#[derive(Default)]
pub struct MemoryReach {
    /// Where the bytes are.
    pub store: Rc<MemoryStore>,
    /// Where the rows are.
    pub registry: Rc<MemoryRegistry>,
    /// Milliseconds since 1970.
    pub clock_ms: Rc<Cell<u64>>,
    /// How often it was asked for randomness.
    pub drawn: Cell<u64>,
    /// How long it would have slept.
    pub slept_ms: Cell<u64>,
}

impl Reach for MemoryReach {
    type Store = MemoryStore;
    type Registry = MemoryRegistry;

    fn store(&self) -> &MemoryStore {
        &self.store
    }

    fn registry(&self) -> &MemoryRegistry {
        &self.registry
    }

    fn now_ms(&self) -> u64 {
        self.clock_ms.get()
    }

    fn random(&self) -> [u8; 16] {
        self.drawn.set(self.drawn.get() + 1);
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&self.drawn.get().to_be_bytes());
        bytes
    }

    /// Time does not pass, but others get their turn.
    async fn sleep(&self, ms: u64) {
        self.slept_ms.set(self.slept_ms.get() + ms);
        turn().await;
    }
}

/// All accounts, in memory.
#[derive(Default)]
pub struct MemoryLedger {
    /// What they reach.
    pub reach: MemoryReach,
    /// Whether they cannot be asked.
    pub broken: Cell<bool>,
    shelves: RefCell<BTreeMap<String, Rc<MemoryShelf>>>,
}

impl MemoryLedger {
    /// Over these stores, with this clock.
    #[must_use]
    pub fn over(
        store: Rc<MemoryStore>,
        registry: Rc<MemoryRegistry>,
        clock_ms: Rc<Cell<u64>>,
    ) -> Self {
        let reach = MemoryReach { store, registry, clock_ms, ..MemoryReach::default() };
        Self { reach, ..Self::default() }
    }

    /// Runs the alarm of every account that has something due.
    ///
    /// # Panics
    /// Never: memory does not fail.
    pub async fn ring(&self) {
        let shelves: Vec<_> = self.shelves.borrow().values().cloned().collect();
        for shelf in shelves {
            let desk = Desk { shelf: &*shelf, reach: &self.reach };
            desk.alarm().await.expect("memory does not fail");
        }
    }

    fn shelf(&self, account: &str) -> Rc<MemoryShelf> {
        self.shelves.borrow_mut().entry(account.to_owned()).or_default().clone()
    }
}

impl Ledger for MemoryLedger {
    async fn ask(&self, account: &Account, question: Question) -> Result<Reply, LedgerFault> {
        self.probe().await?;
        let envelope = Envelope { account: account.to_string(), question };
        // Through JSON, as on the real way.
        let text = serde_json::to_string(&envelope).expect("plain values");
        let envelope: Envelope = serde_json::from_str(&text).expect("reads back");
        let account = self.shelf(&envelope.account);
        let reply = Desk { shelf: &*account, reach: &self.reach }.answer(envelope).await;
        let reply = reply.map_err(|fault| LedgerFault::Unreachable(format!("{fault:?}")))?;
        let text = serde_json::to_string(&reply).expect("plain values");
        Ok(serde_json::from_str(&text).expect("reads back"))
    }

    async fn probe(&self) -> Result<(), LedgerFault> {
        if self.broken.get() {
            return Err(LedgerFault::Unreachable("told to fail".to_owned()));
        }
        Ok(())
    }
}
