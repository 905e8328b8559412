//! The memory that the requests of one isolate may hold at once. An isolate has 128 MB for all it
//! does and wasm never gives memory back, so bodies and decodes are admitted by their size, wait
//! for it (`queue`), and are refused when it does not come.

mod metered;

pub use metered::Metered;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    app::{App, Ports},
    error::Refusal,
    queue::wait,
    stats::Stage,
};

/// How long a body may take before others get the memory that it has not filled: on a phone's
/// connection of 8 Mbit/s the largest takes five seconds.
const FILL_MS: u64 = 5_000;
/// Bodies that are announced as no longer than this are read in one go: each chunk costs a round
/// through JavaScript, and they come in pieces of some kilobytes. A preflighted picture has 300 KB.
pub const ONE_GO_BYTES: u64 = 512 * 1024;

/// What is in use. The lock is never waited for, as wasm has one thread.
#[derive(Clone, Debug, Default)]
pub struct MemoryBudget(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    used_bytes: u64,
    /// The most that ever were in use.
    peak_bytes: u64,
    leases: BTreeMap<u64, Held>,
    last: u64,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    bytes: u64,
    /// What of it has been filled; all of it for a decode.
    filled_bytes: u64,
    since_ms: u64,
}

/// Memory that is in use until this is dropped.
#[derive(Debug)]
pub struct Lease {
    budget: MemoryBudget,
    id: u64,
    most_bytes: u64,
}

/// What the memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A body that is being read: held while others work. Bodies together take half, so that
    /// whoever holds one can always hope to decode it.
    Body,
    /// A decode: begun and ended without a pause, so that there is one at a time.
    Decode,
}

impl Purpose {
    /// What waiting for it is counted as.
    const fn queue(self) -> Stage {
        match self {
            Self::Body => Stage::BodyQueue,
            Self::Decode => Stage::DecodeQueue,
        }
    }

    const fn most(self, budget_bytes: u64) -> u64 {
        match self {
            Self::Body => budget_bytes / 2,
            Self::Decode => budget_bytes,
        }
    }
}

impl MemoryBudget {
    /// Bytes in use.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.book().used_bytes
    }

    /// The most that ever were in use.
    #[must_use]
    pub fn peak_bytes(&self) -> u64 {
        self.book().peak_bytes
    }

    /// Memory for something that can be left undone, if there is some at once.
    #[must_use]
    pub fn spare(&self, bytes: u64, budget_bytes: u64, now_ms: u64) -> Option<Lease> {
        self.take(Purpose::Body, bytes, Purpose::Body.most(budget_bytes), None, now_ms)
    }

    /// Memory to decode what a body brought, which lies in memory meanwhile, if there is some now.
    #[must_use]
    pub fn decode(
        &self,
        bytes: u64,
        budget_bytes: u64,
        body: Option<&Lease>,
        now_ms: u64,
    ) -> Option<Lease> {
        self.take(Purpose::Decode, bytes, Purpose::Decode.most(budget_bytes), body, now_ms)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Numbers cannot be left half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `own` is what the same request holds already.
    fn take(
        &self,
        purpose: Purpose,
        bytes: u64,
        most_bytes: u64,
        own: Option<&Lease>,
        now_ms: u64,
    ) -> Option<Lease> {
        let mut book = self.book();
        book.squeeze(now_ms);
        let used_bytes = book.used_bytes.checked_add(bytes)?;
        let own_bytes = own.and_then(|own| book.leases.get(&own.id)).map_or(0, |held| held.bytes);
        // Alone, anything that the policy lets through is let through here, too.
        if used_bytes > most_bytes && book.used_bytes > own_bytes {
            return None;
        }
        book.use_bytes(used_bytes);
        book.last += 1;
        let id = book.last;
        let filled_bytes = if purpose == Purpose::Decode { bytes } else { 0 };
        book.leases.insert(id, Held { bytes, filled_bytes, since_ms: now_ms });
        drop(book);
        Some(Lease { budget: self.clone(), id, most_bytes })
    }
}

impl Book {
    fn use_bytes(&mut self, used_bytes: u64) {
        self.used_bytes = used_bytes;
        self.peak_bytes = self.peak_bytes.max(used_bytes);
    }

    /// Bodies that come too slowly keep what they have filled and no more, so that a few slow
    /// callers do not stop the others. One that is read in one go lies with the platform until it is whole,
    /// and nobody knows how much of it.
    fn squeeze(&mut self, now_ms: u64) {
        for held in self.leases.values_mut() {
            let is_slow = now_ms.saturating_sub(held.since_ms) >= FILL_MS;
            if is_slow && held.bytes > ONE_GO_BYTES && held.filled_bytes < held.bytes {
                self.used_bytes = self.used_bytes.saturating_sub(held.bytes - held.filled_bytes);
                held.bytes = held.filled_bytes;
            }
        }
    }
}

impl Lease {
    /// So many bytes have come. Whether there is memory for them.
    fn fill(&self, bytes: u64) -> bool {
        let mut book = self.budget.book();
        let used_bytes = book.used_bytes;
        let Some(held) = book.leases.get_mut(&self.id) else { return false };
        held.filled_bytes = held.filled_bytes.saturating_add(bytes);
        let more = held.filled_bytes.saturating_sub(held.bytes);
        if more > 0 && used_bytes.saturating_add(more) > self.most_bytes {
            return false;
        }
        held.bytes += more;
        book.use_bytes(used_bytes.saturating_add(more));
        true
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut book = self.budget.book();
        if let Some(held) = book.leases.remove(&self.id) {
            book.used_bytes = book.used_bytes.saturating_sub(held.bytes);
        }
    }
}

/// Waits for memory.
///
/// # Errors
/// `BUSY` when there is none in time.
pub async fn reserve<P: Ports>(
    app: &App<P>,
    purpose: Purpose,
    bytes: u64,
) -> Result<Lease, Refusal> {
    let most_bytes = purpose.most(app.config.memory_budget_bytes);
    let take = |now_ms| app.isolate.memory.take(purpose, bytes, most_bytes, None, now_ms);
    wait(app, purpose.queue(), take).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(budget: &MemoryBudget, bytes: u64, now_ms: u64) -> Option<Lease> {
        budget.take(Purpose::Body, bytes, Purpose::Body.most(200), None, now_ms)
    }

    fn decode(budget: &MemoryBudget, bytes: u64, own: Option<&Lease>) -> Option<Lease> {
        budget.decode(bytes, 200, own, 0)
    }

    #[test]
    fn what_is_leased_comes_back() {
        let budget = MemoryBudget::default();
        let first = body(&budget, 60, 0).expect("there is room");
        assert!(body(&budget, 41, 0).is_none());
        let second = body(&budget, 40, 0).expect("there is just enough");
        assert_eq!(budget.used_bytes(), 100);
        drop((first, second));
        assert_eq!(budget.used_bytes(), 0);
        assert_eq!(budget.peak_bytes(), 100);
    }

    #[test]
    fn bodies_leave_half_to_decodes() {
        let budget = MemoryBudget::default();
        let held = body(&budget, 100, 0).expect("half is for bodies");
        assert!(body(&budget, 1, 0).is_none());
        assert!(decode(&budget, 100, None).is_some());
        drop(held);
    }

    #[test]
    fn alone_anything_passes_and_nothing_overflows() {
        let budget = MemoryBudget::default();
        let large = body(&budget, 1_000, 0).expect("alone");
        assert!(body(&budget, u64::MAX, 0).is_none());
        drop(large);
    }

    #[test]
    fn a_body_does_not_stand_in_the_way_of_its_own_decode() {
        let budget = MemoryBudget::default();
        let own = body(&budget, 10, 0).expect("there is room");
        assert!(decode(&budget, 195, None).is_none());
        assert!(decode(&budget, 195, Some(&own)).is_some());
        let other = body(&budget, 1, 0).expect("there is room");
        assert!(decode(&budget, 195, Some(&own)).is_none(), "not while others hold any");
        drop(other);
    }

    #[test]
    fn a_body_that_is_longer_than_was_thought_gets_more_while_there_is_some() {
        let budget = MemoryBudget::default();
        let untold = body(&budget, 10, 0).expect("there is room");
        let other = body(&budget, 60, 0).expect("there is room");
        assert!(untold.fill(40));
        assert_eq!(budget.used_bytes(), 100);
        assert!(!untold.fill(1));
        drop(other);
        assert!(untold.fill(1));
        drop(untold);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn slow_bodies_keep_only_what_they_have_filled() {
        let budget = MemoryBudget::default();
        let long = 2 * ONE_GO_BYTES;
        let read = |bytes, now_ms| budget.take(Purpose::Body, bytes, long, None, now_ms);
        let slow = read(long, 0).expect("there is room");
        assert!(slow.fill(10));
        assert!(read(long - 10, FILL_MS - 1).is_none());
        let other = read(long - 10, FILL_MS).expect("the slow one has ten");
        assert!(!slow.fill(1), "there is no memory left for it");
        drop(other);
        assert!(slow.fill(1), "there is again");
        drop(slow);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn what_is_read_in_one_go_may_be_there_already() {
        let budget = MemoryBudget::default();
        let slow = budget.take(Purpose::Body, ONE_GO_BYTES, ONE_GO_BYTES, None, 0).expect("room");
        assert!(budget.take(Purpose::Body, 1, ONE_GO_BYTES, None, FILL_MS).is_none());
        drop(slow);
        assert_eq!(budget.used_bytes(), 0);
    }
}
