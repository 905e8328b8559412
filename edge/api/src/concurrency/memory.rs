//! The memory that the requests of one isolate may hold at the same time. An isolate has 128 MB in all and wasm
//! memory never shrinks, so bodies and decodes reserve their size, wait for it first come, first served, and are
//! refused when it does not become free.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::queue::MAX_WAIT_MS;

/// After this time others may have the memory that a body has not filled: on 8 Mbit/s the largest body takes five
/// seconds.
const FILL_MS: u64 = 5_000;
/// Bodies that announce at most so much are read with one call. A chunk costs a round trip through JavaScript and
/// has some kilobytes; a preflighted image has 300 KB.
pub const SINGLE_READ_BYTES: u64 = 512 * 1024;
/// A lease without a sign of life for so long has leaked: the platform drops nothing of a request that it
/// cancels. A body that is read with one call shows none for at most 52 s; after the decode a failing store takes
/// 25 s and a registration 11 s.
const LEASE_EXPIRY_MS: u64 = 60_000;
/// The same for a decode, which shows a sign of life after each step.
const DECODE_EXPIRY_MS: u64 = 10_000;

/// The memory budget of an isolate. The mutex is never contended: wasm has one thread.
#[derive(Clone, Debug, Default)]
pub struct MemoryBudget(Arc<Mutex<BudgetState>>);

#[derive(Debug, Default)]
struct BudgetState {
    used_bytes: u64,
    /// The highest use so far.
    peak_bytes: u64,
    leases: BTreeMap<u64, LeaseState>,
    last: u64,
    /// What the oldest waiting decode needs; bodies and copies leave it free.
    pending_decode: Option<PendingNeed>,
    /// What the oldest waiting body needs; copies leave it free.
    pending_body: Option<PendingNeed>,
}

/// Memory that is kept free for the oldest waiting request.
#[derive(Clone, Copy, Debug)]
struct PendingNeed {
    bytes: u64,
    /// A cancelled waiter never withdraws its need.
    until_ms: u64,
}

#[derive(Clone, Copy, Debug)]
struct LeaseState {
    purpose: Purpose,
    bytes: u64,
    /// The part that has been filled; all of it for a decode.
    filled_bytes: u64,
    since_ms: u64,
    /// The last sign of life of the request.
    seen_ms: u64,
    /// Whether bytes have arrived since then. They arrive without a clock.
    has_grown: bool,
}

/// Reserved memory, until this is dropped.
#[derive(Debug)]
pub struct Lease {
    budget: MemoryBudget,
    id: u64,
    max_bytes: u64,
}

/// What memory is reserved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A body. Bodies get at most half of the budget, so that one can always be decoded.
    Body,
    /// A copy of a picture for the cache, which is skipped without memory.
    Copy,
    /// A decode, which runs without interruption.
    Decode,
}

impl Purpose {
    const fn max_bytes(self, budget_bytes: u64) -> u64 {
        match self {
            Self::Body | Self::Copy => budget_bytes / 2,
            Self::Decode => budget_bytes,
        }
    }

    const fn expiry_ms(self) -> u64 {
        match self {
            Self::Body | Self::Copy => LEASE_EXPIRY_MS,
            Self::Decode => DECODE_EXPIRY_MS,
        }
    }
}

/// What others may hold beside a decode of any size. Otherwise two large decodes that wait with their bodies in
/// memory would wait for each other.
const fn beside_decode_bytes(budget_bytes: u64) -> u64 {
    budget_bytes / 4
}

impl MemoryBudget {
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes
    }

    pub fn peak_bytes(&self) -> u64 {
        self.state().peak_bytes
    }

    /// Reserves memory for a copy, if it is free now.
    pub fn try_reserve(&self, bytes: u64, budget_bytes: u64, now_ms: u64) -> Option<Lease> {
        self.take(Purpose::Copy, bytes, budget_bytes, None, now_ms)
    }

    fn state(&self) -> MutexGuard<'_, BudgetState> {
        // A panic cannot leave numbers half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves memory, if it is free now. `own` is what the same request holds already. Callers for a body or a
    /// decode are the oldest that wait for one, so what they do not get is kept free for them.
    pub fn take(
        &self,
        purpose: Purpose,
        bytes: u64,
        budget_bytes: u64,
        own: Option<&Lease>,
        now_ms: u64,
    ) -> Option<Lease> {
        let mut state = self.state();
        state.reclaim(now_ms);
        let own_bytes = own.and_then(|own| state.leases.get_mut(&own.id)).map_or(0, |lease| {
            lease.seen_ms = now_ms;
            lease.bytes
        });
        let used_bytes = state.used_bytes.checked_add(bytes)?;
        let others_bytes = state.used_bytes.saturating_sub(own_bytes);
        let max_bytes = purpose.max_bytes(budget_bytes);
        let is_free = match purpose {
            Purpose::Decode => {
                used_bytes <= max_bytes || others_bytes <= beside_decode_bytes(budget_bytes)
            }
            // With nothing else in memory, whatever the policy accepts is accepted here, too.
            Purpose::Body | Purpose::Copy => {
                others_bytes == 0
                    || (used_bytes <= max_bytes
                        && state.leaves_room(purpose, used_bytes, budget_bytes))
            }
        };
        if purpose != Purpose::Copy {
            state.note_need(purpose, bytes, (!is_free).then_some(now_ms + MAX_WAIT_MS));
        }
        if !is_free {
            return None;
        }
        state.use_bytes(used_bytes);
        state.last += 1;
        let id = state.last;
        let filled_bytes = if purpose == Purpose::Decode { bytes } else { 0 };
        let lease = LeaseState {
            purpose,
            bytes,
            filled_bytes,
            since_ms: now_ms,
            seen_ms: now_ms,
            has_grown: false,
        };
        state.leases.insert(id, lease);
        drop(state);
        Some(Lease { budget: self.clone(), id, max_bytes })
    }
}

impl BudgetState {
    fn use_bytes(&mut self, used_bytes: u64) {
        self.used_bytes = used_bytes;
        self.peak_bytes = self.peak_bytes.max(used_bytes);
    }

    /// Records until when memory is needed, or that it was reserved. The smaller need of another queue yields.
    fn note_need(&mut self, purpose: Purpose, bytes: u64, until_ms: Option<u64>) {
        let need = match purpose {
            Purpose::Decode => &mut self.pending_decode,
            Purpose::Body | Purpose::Copy => &mut self.pending_body,
        };
        if need.is_none_or(|need| need.bytes <= bytes) {
            *need = until_ms.map(|until_ms| PendingNeed { bytes, until_ms });
        }
    }

    /// Whether a use of so many bytes leaves free what the oldest waiting requests need.
    fn leaves_room(&self, purpose: Purpose, used_bytes: u64, budget_bytes: u64) -> bool {
        let bytes = |need: Option<PendingNeed>| need.map_or(0, |need| need.bytes);
        let decode_bytes = bytes(self.pending_decode);
        let body_bytes = if purpose == Purpose::Copy { bytes(self.pending_body) } else { 0 };
        used_bytes.saturating_add(body_bytes) <= Purpose::Body.max_bytes(budget_bytes)
            && (used_bytes <= beside_decode_bytes(budget_bytes)
                || used_bytes.saturating_add(decode_bytes) <= budget_bytes)
    }

    /// Frees leaked leases and what slow bodies have not filled, so that a few slow clients do not block the
    /// others. A body that is read with one call keeps its lease: how much of it has arrived is unknown.
    fn reclaim(&mut self, now_ms: u64) {
        let is_over = |need: &mut PendingNeed| need.until_ms <= now_ms;
        self.pending_decode.take_if(is_over);
        self.pending_body.take_if(is_over);
        let is_leaked = |lease: &mut LeaseState| {
            if mem::take(&mut lease.has_grown) {
                lease.seen_ms = now_ms;
            }
            now_ms.saturating_sub(lease.seen_ms) >= lease.purpose.expiry_ms()
        };
        for (_, lease) in self.leases.extract_if(.., |_, lease| is_leaked(lease)) {
            self.used_bytes = self.used_bytes.saturating_sub(lease.bytes);
        }
        for lease in self.leases.values_mut() {
            let is_slow = now_ms.saturating_sub(lease.since_ms) >= FILL_MS;
            if is_slow && lease.bytes > SINGLE_READ_BYTES && lease.filled_bytes < lease.bytes {
                self.used_bytes = self.used_bytes.saturating_sub(lease.bytes - lease.filled_bytes);
                lease.bytes = lease.filled_bytes;
            }
        }
    }
}

impl Lease {
    /// Records a sign of life of the request.
    pub fn renew(&self, now_ms: u64) {
        if let Some(lease) = self.budget.state().leases.get_mut(&self.id) {
            lease.seen_ms = now_ms;
        }
    }

    /// Records bytes that have arrived. Whether there is memory for them.
    pub fn grow(&self, bytes: u64) -> bool {
        let mut state = self.budget.state();
        let used_bytes = state.used_bytes;
        let Some(lease) = state.leases.get_mut(&self.id) else { return false };
        lease.has_grown = true;
        lease.filled_bytes = lease.filled_bytes.saturating_add(bytes);
        let more = lease.filled_bytes.saturating_sub(lease.bytes);
        if more > 0 && used_bytes.saturating_add(more) > self.max_bytes {
            return false;
        }
        lease.bytes += more;
        state.use_bytes(used_bytes.saturating_add(more));
        true
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        if let Some(lease) = state.leases.remove(&self.id) {
            state.used_bytes = state.used_bytes.saturating_sub(lease.bytes);
        }
    }
}

#[cfg(test)]
mod tests;
