//! The memory that the requests of one isolate may hold at once. An isolate has 128 MB for all it
//! does and wasm never gives memory back, so bodies and decodes are admitted by their size, wait
//! for it in the order of arrival (`queue`), and are refused when it does not come.

mod metered;

pub use metered::Metered;

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    app::{App, Ports},
    error::Refusal,
    queue::{PATIENCE_MS, wait},
    stats::Stage,
};

/// How long a body may take before others get the memory that it has not filled: on a phone's
/// connection of 8 Mbit/s the largest takes five seconds.
const FILL_MS: u64 = 5_000;
/// Bodies that are announced as no longer than this are read in one go: each chunk costs a round
/// through JavaScript, and they come in pieces of some kilobytes. A preflighted picture has 300 KB.
pub const ONE_GO_BYTES: u64 = 512 * 1024;
/// A lease without a sign of life for so long has leaked: its request was ended by the platform, which
/// drops nothing. A body that is read in one go shows none for 52 s at most, and after the decode a store
/// that fails takes 25 s and a registration 11 s.
const HELD_MS: u64 = 60_000;
/// The same for a decode, which takes two seconds at most and is not interrupted.
const DECODE_MS: u64 = 10_000;

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
    /// What the oldest waiting decode needs; bodies and copies leave it free.
    wanted_decode: Option<Wanted>,
    /// What the oldest waiting body needs; copies leave it free.
    wanted_body: Option<Wanted>,
}

/// Memory that is kept free for the oldest waiting request.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    bytes: u64,
    /// A waiter that was ended by the platform never withdraws its need.
    until_ms: u64,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    purpose: Purpose,
    bytes: u64,
    /// What of it has been filled; all of it for a decode.
    filled_bytes: u64,
    since_ms: u64,
    /// The last sign of life of the request.
    seen_ms: u64,
    /// Whether bytes have come since then. They come without a clock.
    has_grown: bool,
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
    /// A copy of a picture that is put aside for the next caller: left undone without memory.
    Copy,
    /// A decode: begun and ended without a pause, so that there is one at a time.
    Decode,
}

impl Purpose {
    const fn most(self, budget_bytes: u64) -> u64 {
        match self {
            Self::Body | Self::Copy => budget_bytes / 2,
            Self::Decode => budget_bytes,
        }
    }

    /// How long a lease lives without a sign of life.
    const fn expiry_ms(self) -> u64 {
        match self {
            Self::Body | Self::Copy => HELD_MS,
            Self::Decode => DECODE_MS,
        }
    }
}

/// What others may hold beside a decode of any size, so that two large ones that wait with their bodies
/// in memory do not wait for each other.
const fn beside_bytes(budget_bytes: u64) -> u64 {
    budget_bytes / 4
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
        self.take(Purpose::Copy, bytes, budget_bytes, None, now_ms)
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
        self.take(Purpose::Decode, bytes, budget_bytes, body, now_ms)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Numbers cannot be left half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `own` is what the same request holds already. Whoever asks for a body or a decode is the oldest that
    /// waits for it, so what it does not get is kept free for it.
    fn take(
        &self,
        purpose: Purpose,
        bytes: u64,
        budget_bytes: u64,
        own: Option<&Lease>,
        now_ms: u64,
    ) -> Option<Lease> {
        let mut book = self.book();
        book.squeeze(now_ms);
        let own_bytes = own.and_then(|own| book.leases.get_mut(&own.id)).map_or(0, |held| {
            held.seen_ms = now_ms;
            held.bytes
        });
        let used_bytes = book.used_bytes.checked_add(bytes)?;
        let others_bytes = book.used_bytes.saturating_sub(own_bytes);
        let most_bytes = purpose.most(budget_bytes);
        let is_free = match purpose {
            Purpose::Decode => {
                used_bytes <= most_bytes || others_bytes <= beside_bytes(budget_bytes)
            }
            // Alone, anything that the policy lets through is let through here, too.
            Purpose::Body | Purpose::Copy => {
                others_bytes == 0
                    || (used_bytes <= most_bytes
                        && book.leaves_room(purpose, used_bytes, budget_bytes))
            }
        };
        if purpose != Purpose::Copy {
            book.want(purpose, bytes, (!is_free).then_some(now_ms + PATIENCE_MS));
        }
        if !is_free {
            return None;
        }
        book.use_bytes(used_bytes);
        book.last += 1;
        let id = book.last;
        let filled_bytes = if purpose == Purpose::Decode { bytes } else { 0 };
        let held = Held {
            purpose,
            bytes,
            filled_bytes,
            since_ms: now_ms,
            seen_ms: now_ms,
            has_grown: false,
        };
        book.leases.insert(id, held);
        drop(book);
        Some(Lease { budget: self.clone(), id, most_bytes })
    }
}

impl Book {
    fn use_bytes(&mut self, used_bytes: u64) {
        self.used_bytes = used_bytes;
        self.peak_bytes = self.peak_bytes.max(used_bytes);
    }

    /// Notes until when something is wanted, or that it was had. A smaller need of another queue stands back.
    fn want(&mut self, purpose: Purpose, bytes: u64, until_ms: Option<u64>) {
        let wanted = if purpose == Purpose::Decode {
            &mut self.wanted_decode
        } else {
            &mut self.wanted_body
        };
        if wanted.is_none_or(|wanted| wanted.bytes <= bytes) {
            *wanted = until_ms.map(|until_ms| Wanted { bytes, until_ms });
        }
    }

    /// Whether a use of so many bytes leaves free what the oldest waiting requests need.
    fn leaves_room(&self, purpose: Purpose, used_bytes: u64, budget_bytes: u64) -> bool {
        let bytes = |wanted: Option<Wanted>| wanted.map_or(0, |wanted| wanted.bytes);
        let decode_bytes = bytes(self.wanted_decode);
        let body_bytes = if purpose == Purpose::Copy { bytes(self.wanted_body) } else { 0 };
        used_bytes.saturating_add(body_bytes) <= Purpose::Body.most(budget_bytes)
            && (used_bytes <= beside_bytes(budget_bytes)
                || used_bytes.saturating_add(decode_bytes) <= budget_bytes)
    }

    /// Takes back the leases of requests that are no more, and what slow bodies do not use: bodies that come
    /// too slowly keep what they have filled and no more, so that a few slow callers do not stop the
    /// others. One that is read in one go lies with the platform until it is whole, and nobody knows how
    /// much of it.
    fn squeeze(&mut self, now_ms: u64) {
        let is_over = |wanted: &mut Wanted| wanted.until_ms <= now_ms;
        self.wanted_decode.take_if(is_over);
        self.wanted_body.take_if(is_over);
        let is_leaked = |held: &mut Held| {
            if mem::take(&mut held.has_grown) {
                held.seen_ms = now_ms;
            }
            now_ms.saturating_sub(held.seen_ms) >= held.purpose.expiry_ms()
        };
        for (_, held) in self.leases.extract_if(.., |_, held| is_leaked(held)) {
            self.used_bytes = self.used_bytes.saturating_sub(held.bytes);
        }
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
        held.has_grown = true;
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

/// Waits for memory for a body or for a decode that takes a few milliseconds.
///
/// # Errors
/// `BUSY` when there is none in time.
pub async fn reserve<P: Ports>(
    app: &App<P>,
    purpose: Purpose,
    bytes: u64,
) -> Result<Lease, Refusal> {
    let isolate = &app.isolate;
    let (stage, queue) = match purpose {
        Purpose::Body | Purpose::Copy => (Stage::BodyQueue, &isolate.queues.body),
        Purpose::Decode => (Stage::DecodeQueue, &isolate.queues.small_decode),
    };
    let budget_bytes = app.config.memory_budget_bytes;
    let take = |now_ms, ahead| {
        if ahead > 0 {
            return None;
        }
        isolate.memory.take(purpose, bytes, budget_bytes, None, now_ms)
    };
    wait(app, stage, queue.join(app.ports.now_ms()), take).await
}

#[cfg(test)]
mod tests;
