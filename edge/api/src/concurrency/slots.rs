//! How many uploads an isolate processes at the same time. It has one thread, so more of them would only all be
//! slower.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use edge_types::UserId;

use super::{
    client::Client,
    queue::{Attempt, Queue, Waiter},
};

/// A small image takes some 10 ms of the thread, and its upload waits up to thirty times as long for ledgers,
/// store and database: so many keep the thread busy.
const MAX_SLOTS: u64 = 32;
/// Three rounds of uploads, which take a second where an upload takes the 300 ms that they are made for.
const MAX_WAITING: u64 = 3 * MAX_SLOTS;
/// A client that sends for longer has a slow connection and does not need the thread, so its slot is free for
/// others: on 8 Mbit/s the largest image takes five seconds.
const RECEIVING_SLOT_MS: u64 = 5_000;
/// A slot that is older has leaked: a live request finishes sooner (store timeout 25 s, registration 11 s). The
/// platform drops nothing of a request that it cancels.
const PROCESSING_SLOT_MS: u64 = 60_000;

/// The slots of an isolate and the queue for them.
#[derive(Debug, Default)]
pub struct UploadSlots {
    slots: RefCell<SlotTable>,
    queue: Rc<Queue>,
}

#[derive(Debug, Default)]
struct SlotTable {
    taken: BTreeMap<u64, TakenSlot>,
    last: u64,
}

#[derive(Debug)]
struct TakenSlot {
    client: Client,
    state: SlotState,
}

/// What an upload does, and since when.
#[derive(Clone, Copy, Debug)]
enum SlotState {
    Receiving(u64),
    Processing(u64),
}

/// The right of one upload to a slot, until this is dropped. It has none before it gets one, and while its client
/// sends nothing.
#[derive(Debug)]
pub struct UploadSlot {
    slots: Rc<UploadSlots>,
    client: RefCell<Client>,
    id: Cell<Option<u64>>,
}

impl SlotState {
    const fn is_busy(self, now_ms: u64) -> bool {
        match self {
            Self::Receiving(since_ms) => now_ms.saturating_sub(since_ms) < RECEIVING_SLOT_MS,
            Self::Processing(since_ms) => now_ms.saturating_sub(since_ms) < PROCESSING_SLOT_MS,
        }
    }
}

impl SlotTable {
    /// The clients that slots are held for; `except` is the number of a slot that does not count.
    fn busy(&self, except: Option<u64>, now_ms: u64) -> impl Iterator<Item = (&Client, u64)> {
        self.taken
            .iter()
            .filter(move |(id, slot)| Some(**id) != except && slot.state.is_busy(now_ms))
            .map(|(_, slot)| (&slot.client, 1))
    }

    fn free(&self, now_ms: u64) -> u64 {
        MAX_SLOTS.saturating_sub(self.busy(None, now_ms).count() as u64)
    }
}

impl UploadSlots {
    /// Whether more than one upload is being processed.
    pub fn are_shared(&self, now_ms: u64) -> bool {
        self.slots.borrow().free(now_ms) < MAX_SLOTS - 1
    }

    /// For an upload of this client, which has no slot yet.
    pub fn for_client(self: &Rc<Self>, client: Client) -> UploadSlot {
        let (client, id) = (RefCell::new(client), Cell::default());
        UploadSlot { slots: Rc::clone(self), client, id }
    }
}

impl UploadSlot {
    pub fn client(&self) -> Client {
        self.client.borrow().clone()
    }

    /// Counts the upload against the share of a user, too. Whether the user may keep the slot.
    pub fn set_user(&self, user: &UserId, now_ms: u64) -> bool {
        let client = self.client.take().with_user(user);
        let mut slots = self.slots.slots.borrow_mut();
        let held = slots.busy(self.id.get(), now_ms);
        let may_keep = client.may_hold(1, MAX_SLOTS, held);
        if let Some(slot) = self.id.get().and_then(|id| slots.taken.get_mut(&id)) {
            slot.client = client.clone();
        }
        drop(slots);
        self.client.replace(client);
        may_keep
    }

    /// A position in the queue, unless it is full or the client has its share of it.
    pub fn queue_up(&self, now_ms: u64) -> Option<Waiter> {
        self.slots.queue.join_bounded(self.client(), MAX_WAITING, now_ms)
    }

    /// Takes a slot, when there is one for each of those who came before, too.
    pub fn take(&self, now_ms: u64, ahead: usize) -> Attempt<()> {
        let client = self.client();
        let mut slots = self.slots.slots.borrow_mut();
        if !client.may_hold(1, MAX_SLOTS, slots.busy(None, now_ms)) {
            return Attempt::Passed;
        }
        if ahead as u64 >= slots.free(now_ms) {
            return Attempt::NotFree;
        }
        slots.last += 1;
        let id = slots.last;
        slots.taken.insert(id, TakenSlot { client, state: SlotState::Processing(now_ms) });
        self.id.set(Some(id));
        Attempt::Taken(())
    }

    pub fn release(&self) {
        if let Some(id) = self.id.take() {
            self.slots.slots.borrow_mut().taken.remove(&id);
        }
    }

    /// Receives the body of a client, which may be slow.
    pub async fn while_receiving<T>(
        &self,
        now_ms: impl Fn() -> u64,
        receiving: impl Future<Output = T>,
    ) -> T {
        self.set(SlotState::Receiving(now_ms()));
        let received = receiving.await;
        self.set(SlotState::Processing(now_ms()));
        received
    }

    fn set(&self, state: SlotState) {
        let mut slots = self.slots.slots.borrow_mut();
        if let Some(slot) = self.id.get().and_then(|id| slots.taken.get_mut(&id)) {
            slot.state = state;
        }
    }
}

impl Drop for UploadSlot {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use edge_types::ClientIp;
    use futures_executor::block_on;
    use std::future::ready;

    use super::*;

    /// A slot for work of our own, which has no share.
    fn take(slots: &Rc<UploadSlots>, now_ms: u64) -> Option<UploadSlot> {
        let slot = slots.for_client(Client::default());
        slot.take(now_ms, 0).taken().map(|()| slot)
    }

    fn full(slots: &Rc<UploadSlots>) -> Vec<UploadSlot> {
        (0..MAX_SLOTS).map(|_| take(slots, 0).expect("a slot")).collect()
    }

    #[test]
    fn slots_and_queue_are_bounded() {
        let slots = Rc::new(UploadSlots::default());
        assert!(!slots.are_shared(0));
        let one = take(&slots, 0).expect("a slot");
        assert!(!slots.are_shared(0));
        drop(one);
        let mut taken = full(&slots);
        assert!(slots.are_shared(0));
        assert!(take(&slots, 0).is_none());
        taken.pop();
        assert!(take(&slots, 0).is_some(), "the one that was released");
        let queue_up = || slots.for_client(Client::default()).queue_up(0);
        let waiting: Vec<_> = (0..MAX_WAITING).map(|_| queue_up().expect("room")).collect();
        assert!(queue_up().is_none());
        drop(waiting);
        assert!(queue_up().is_some());
    }

    #[test]
    fn the_first_to_come_is_the_first_to_get_a_slot() {
        let slots = Rc::new(UploadSlots::default());
        let mut taken = full(&slots);
        let [first, second] = [0; 2].map(|_| slots.for_client(Client::default()));
        let [one, other] = [&first, &second].map(|slot| slot.queue_up(0).expect("room"));
        taken.pop();
        assert!(second.take(0, other.ahead()).taken().is_none(), "the free one is the first's");
        assert!(first.take(0, one.ahead()).taken().is_some());
        drop(one);
        assert!(second.take(0, other.ahead()).taken().is_none(), "none is free");
        drop(first);
        assert!(second.take(0, other.ahead()).taken().is_some());
    }

    #[test]
    fn a_client_ip_that_has_its_share_is_passed() {
        let slots = Rc::new(UploadSlots::default());
        let of = |ip| slots.for_client(Client::of_ip(&ClientIp::parse(Some(ip))));
        let mut held: Vec<_> = (0..MAX_SLOTS).map(|_| of("203.0.113.1")).collect();
        held.retain(|slot| slot.take(0, 0).taken().is_some());
        assert_eq!(held.len(), 24);
        assert!(matches!(of("203.0.113.1").take(0, 0), Attempt::Passed));
        let others: Vec<_> = (0..8).map(|_| of("203.0.113.2")).collect();
        assert!(others.iter().all(|slot| slot.take(0, 0).taken().is_some()));
        assert!(matches!(of("203.0.113.2").take(0, 0), Attempt::NotFree));
    }

    #[test]
    fn a_user_keeps_a_slot_within_their_share() {
        let slots = Rc::new(UploadSlots::default());
        let user = UserId::parse("a").expect("valid");
        let slot = || {
            let slot = take(&slots, 0).expect("free");
            (slot.set_user(&user, 0), slot)
        };
        let held: Vec<_> = (0..20).map(|_| slot()).collect();
        let kept: Vec<_> = held.iter().map(|(is_kept, _)| *is_kept).collect();
        assert_eq!(kept.iter().filter(|is_kept| **is_kept).count(), 16);
        let (_, last) = held.last().expect("20");
        last.release();
        assert!(matches!(last.take(0, 0), Attempt::Passed));
    }

    #[test]
    fn a_slow_client_does_not_block_others() {
        let slots = Rc::new(UploadSlots::default());
        let taken = full(&slots);
        for slot in &taken {
            slot.set(SlotState::Receiving(0));
        }
        assert!(take(&slots, RECEIVING_SLOT_MS - 1).is_none());
        assert!(take(&slots, RECEIVING_SLOT_MS).is_some());
        for slot in &taken {
            block_on(slot.while_receiving(|| RECEIVING_SLOT_MS, ready(())));
        }
        assert!(take(&slots, RECEIVING_SLOT_MS).is_none(), "received uploads are processed");
    }

    #[test]
    fn the_slot_of_a_cancelled_request_expires_after_a_minute() {
        let slots = Rc::new(UploadSlots::default());
        full(&slots).into_iter().for_each(std::mem::forget);
        assert!(take(&slots, PROCESSING_SLOT_MS - 1).is_none());
        assert!(take(&slots, PROCESSING_SLOT_MS).is_some());
        assert!(!slots.are_shared(PROCESSING_SLOT_MS));
    }
}
