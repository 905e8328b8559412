//! How many uploads an isolate processes at the same time. It has one thread, so more of them would only all be
//! slower.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::queue::{Queue, Waiter};

/// A small image takes some 10 ms of the thread, and its upload waits up to thirty times as long for ledgers,
/// store and database: so many keep the thread busy.
const MAX_SLOTS: usize = 32;
/// Three rounds of uploads, which take a second where an upload takes the 300 ms that they are made for.
const MAX_WAITING: usize = 3 * MAX_SLOTS;
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
    taken: BTreeMap<u64, SlotState>,
    last: u64,
}

/// What an upload does, and since when.
#[derive(Clone, Copy, Debug)]
enum SlotState {
    Receiving(u64),
    Processing(u64),
}

/// The slot of one upload, until this is dropped.
#[derive(Debug)]
pub struct UploadSlot {
    slots: Rc<UploadSlots>,
    id: u64,
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
    fn free(&self, now_ms: u64) -> usize {
        let busy = self.taken.values().filter(|state| state.is_busy(now_ms));
        MAX_SLOTS.saturating_sub(busy.count())
    }
}

impl UploadSlots {
    /// Whether more than one upload is being processed.
    pub fn are_shared(&self, now_ms: u64) -> bool {
        self.slots.borrow().free(now_ms) < MAX_SLOTS - 1
    }

    /// A position in the queue, unless it is full.
    pub fn queue_up(&self, now_ms: u64) -> Option<Waiter> {
        (self.queue.len(now_ms) < MAX_WAITING).then(|| self.queue.join(now_ms))
    }

    /// A slot, when there is one for each of those who came before, too.
    pub fn take(self: &Rc<Self>, now_ms: u64, ahead: usize) -> Option<UploadSlot> {
        let mut slots = self.slots.borrow_mut();
        if ahead >= slots.free(now_ms) {
            return None;
        }
        slots.last += 1;
        let id = slots.last;
        slots.taken.insert(id, SlotState::Processing(now_ms));
        drop(slots);
        Some(UploadSlot { slots: Rc::clone(self), id })
    }
}

impl UploadSlot {
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
        self.slots.slots.borrow_mut().taken.insert(self.id, state);
    }
}

impl Drop for UploadSlot {
    fn drop(&mut self) {
        self.slots.slots.borrow_mut().taken.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use std::future::ready;

    use super::*;

    fn take(slots: &Rc<UploadSlots>, now_ms: u64) -> Option<UploadSlot> {
        slots.take(now_ms, 0)
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
        let waiting: Vec<_> = (0..MAX_WAITING).map(|_| slots.queue_up(0).expect("room")).collect();
        assert!(slots.queue_up(0).is_none());
        drop(waiting);
        assert!(slots.queue_up(0).is_some());
    }

    #[test]
    fn the_first_to_come_is_the_first_to_get_a_slot() {
        let slots = Rc::new(UploadSlots::default());
        let mut taken = full(&slots);
        let first = slots.queue_up(0).expect("room");
        let second = slots.queue_up(0).expect("room");
        taken.pop();
        let take = |waiter: &Waiter| slots.take(0, waiter.ahead());
        assert!(take(&second).is_none(), "the free one belongs to the first");
        let slot = take(&first).expect("free");
        drop(first);
        assert!(take(&second).is_none(), "none is free");
        drop(slot);
        assert!(take(&second).is_some());
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
