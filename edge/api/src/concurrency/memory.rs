//! The memory that the requests of one isolate may hold at the same time. An isolate has 128 MB in all and wasm
//! memory never shrinks, so bodies and decodes reserve their size, wait for it first come, first served, and are
//! refused when it does not become free.
//!
//! Bodies have two pools, so that small ones do not wait behind large ones. Both together leave room for a decode
//! of any size, so that requests that hold their bodies do not wait for each other.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    client::Client,
    queue::{Attempt, MAX_WAIT_MS},
};

/// What arrives before a body is reserved in full: a client that sends nothing holds no more.
pub const FIRST_BYTES: u64 = 16 * 1024;
/// What the platform reads at a time beyond what has arrived: large enough that a preflighted image of 300 KB takes
/// five calls.
pub const CHUNK_BYTES: u64 = 64 * 1024;
/// A body of at most so much is small; a preflighted image has 300 KB.
const SMALL_BODY_BYTES: u64 = 512 * 1024;
/// After this time others may have the memory that a body has not filled: on 8 Mbit/s the largest body takes five
/// seconds.
const FILL_MS: u64 = 5_000;
/// A lease without a sign of life for so long has leaked: the platform drops nothing of a request that it
/// cancels. A body may be silent for 20 s; after the decode a failing store takes 25 s and a registration 11 s.
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
    /// What a waiting decode needs; bodies and copies leave it free.
    pending_decode: Option<PendingNeed>,
    /// What a waiting body needs; copies leave it free.
    pending_body: Option<PendingNeed>,
}

/// Memory that is kept free for a waiting request.
#[derive(Clone, Copy, Debug)]
struct PendingNeed {
    bytes: u64,
    /// A cancelled waiter never withdraws its need.
    until_ms: u64,
}

#[derive(Debug)]
struct LeaseState {
    purpose: Purpose,
    client: Client,
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
    budget_bytes: u64,
}

/// What memory is reserved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    SmallBody,
    LargeBody,
    /// A copy of a picture for the cache, which is skipped without memory.
    Copy,
    /// A decode, which runs without interruption.
    Decode,
}

impl Purpose {
    /// Of a body that announces so much.
    pub const fn of_body(bytes: u64) -> Self {
        if bytes <= SMALL_BODY_BYTES { Self::SmallBody } else { Self::LargeBody }
    }

    const fn expiry_ms(self) -> u64 {
        match self {
            Self::SmallBody | Self::LargeBody | Self::Copy => LEASE_EXPIRY_MS,
            Self::Decode => DECODE_EXPIRY_MS,
        }
    }
}

/// How the bytes of the budget are divided. In the default of 64 MiB:
#[derive(Clone, Copy, Debug)]
struct Division {
    /// 32 MiB. Bodies and copies.
    bodies: u64,
    /// 12 MiB of those: two of the largest images, or one form of any size.
    large_bodies: u64,
    /// 20 MiB of those: 40 uploads of 512 KiB.
    small_bodies: u64,
    /// 4 MiB of those: what small bodies may take even while a decode waits for memory.
    least_bodies: u64,
    /// 80 MiB. All, with a decode as large as the budget.
    all: u64,
}

impl Division {
    const fn of(budget_bytes: u64) -> Self {
        let (beside_decode, least_bodies) = (budget_bytes / 4, budget_bytes / 16);
        let bodies = budget_bytes / 2;
        let large_bodies = beside_decode - least_bodies;
        Self {
            bodies,
            large_bodies,
            small_bodies: bodies - large_bodies,
            least_bodies,
            all: budget_bytes.saturating_add(beside_decode),
        }
    }
}

/// What is reserved, by purpose.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    small: u64,
    large: u64,
    copies: u64,
    decodes: u64,
}

impl Held {
    const fn bodies(self) -> u64 {
        self.small.saturating_add(self.large).saturating_add(self.copies)
    }

    const fn all(self) -> u64 {
        self.bodies().saturating_add(self.decodes)
    }
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
        let mut state = self.state();
        state.reclaim(now_ms);
        let is_free = state.has_room_for_copy(bytes, Division::of(budget_bytes));
        is_free.then(|| {
            let id = state.lease(Purpose::Copy, Client::default(), bytes, now_ms);
            Lease { budget: self.clone(), id, budget_bytes }
        })
    }

    /// Reserves memory for a body, if it is free now. `own` is what the same request holds already. Callers are the
    /// oldest that wait for one, so copies leave free what they do not get.
    pub fn take_body(
        &self,
        client: &Client,
        bytes: u64,
        budget_bytes: u64,
        own: Option<&Lease>,
        now_ms: u64,
    ) -> Attempt<Lease> {
        let mut state = self.state();
        state.reclaim(now_ms);
        let purpose = Purpose::of_body(bytes);
        let own = own.map(|own| own.id);
        state.note_life(own, now_ms);
        let division = Division::of(budget_bytes);
        if !state.is_within_share(client, purpose, bytes, own, division) {
            return Attempt::Passed;
        }
        let pending_bytes = state.pending_decode.map_or(0, |need| need.bytes);
        if !state.has_room_for_body(purpose, bytes, own, pending_bytes, division) {
            let until_ms = now_ms.saturating_add(MAX_WAIT_MS);
            state.pending_body = Some(PendingNeed { bytes, until_ms });
            return Attempt::NotFree;
        }
        state.pending_body = None;
        let id = state.lease(purpose, client.clone(), bytes, now_ms);
        drop(state);
        Attempt::Taken(Lease { budget: self.clone(), id, budget_bytes })
    }

    /// Reserves memory for a decode, if it is free now. `own` is what the same request holds already. Bodies and
    /// copies leave free what the caller does not get.
    pub fn take_decode(
        &self,
        bytes: u64,
        budget_bytes: u64,
        own: Option<&Lease>,
        now_ms: u64,
    ) -> Option<Lease> {
        let mut state = self.state();
        state.reclaim(now_ms);
        let own = own.map(|own| own.id);
        state.note_life(own, now_ms);
        let is_free = state.has_room_for_decode(bytes, own, budget_bytes);
        // The smaller need of another queue yields.
        if state.pending_decode.is_none_or(|need| need.bytes <= bytes) {
            let until_ms = now_ms.saturating_add(MAX_WAIT_MS);
            let need = PendingNeed { bytes: bytes.min(budget_bytes), until_ms };
            state.pending_decode = (!is_free).then_some(need);
        }
        is_free.then(|| {
            let id = state.lease(Purpose::Decode, Client::default(), bytes, now_ms);
            Lease { budget: self.clone(), id, budget_bytes }
        })
    }

    fn state(&self) -> MutexGuard<'_, BudgetState> {
        // A panic cannot leave numbers half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BudgetState {
    fn lease(&mut self, purpose: Purpose, client: Client, bytes: u64, now_ms: u64) -> u64 {
        self.use_bytes(self.used_bytes.saturating_add(bytes));
        self.last += 1;
        let filled_bytes = if purpose == Purpose::Decode { bytes } else { 0 };
        let (since_ms, seen_ms) = (now_ms, now_ms);
        let lease = LeaseState {
            purpose,
            client,
            bytes,
            filled_bytes,
            since_ms,
            seen_ms,
            has_grown: false,
        };
        self.leases.insert(self.last, lease);
        self.last
    }

    fn use_bytes(&mut self, used_bytes: u64) {
        self.used_bytes = used_bytes;
        self.peak_bytes = self.peak_bytes.max(used_bytes);
    }

    fn note_life(&mut self, lease: Option<u64>, now_ms: u64) {
        if let Some(lease) = lease.and_then(|id| self.leases.get_mut(&id)) {
            lease.seen_ms = now_ms;
        }
    }

    /// What all leases hold but one.
    fn held_except(&self, own: Option<u64>) -> Held {
        let mut held = Held::default();
        for (_, lease) in self.leases.iter().filter(|(id, _)| Some(**id) != own) {
            let sum = match lease.purpose {
                Purpose::SmallBody => &mut held.small,
                Purpose::LargeBody => &mut held.large,
                Purpose::Copy => &mut held.copies,
                Purpose::Decode => &mut held.decodes,
            };
            *sum = sum.saturating_add(lease.bytes);
        }
        held
    }

    /// Whether the client IP and the user may have so much of their pool.
    fn is_within_share(
        &self,
        client: &Client,
        purpose: Purpose,
        bytes: u64,
        own: Option<u64>,
        division: Division,
    ) -> bool {
        let capacity = match purpose {
            Purpose::SmallBody => division.small_bodies,
            Purpose::LargeBody => division.large_bodies,
            Purpose::Copy | Purpose::Decode => return true,
        };
        let others =
            self.leases.iter().filter(|(id, lease)| Some(**id) != own && lease.purpose == purpose);
        client.may_hold(bytes, capacity, others.map(|(_, lease)| (&lease.client, lease.bytes)))
    }

    /// `pending_bytes` is what a decode waits for.
    fn has_room_for_body(
        &self,
        purpose: Purpose,
        bytes: u64,
        own: Option<u64>,
        pending_bytes: u64,
        division: Division,
    ) -> bool {
        let held = self.held_except(own);
        let is_room_beside = |pending_bytes: u64| {
            held.bodies().saturating_add(bytes) <= division.bodies
                && held.all().saturating_add(bytes).saturating_add(pending_bytes) <= division.all
        };
        if purpose == Purpose::LargeBody {
            let is_normal = bytes <= division.large_bodies;
            // Alone in its pool, a body may have any size that the policy accepts.
            (held.large == 0 && (is_normal || pending_bytes == 0))
                || (held.large.saturating_add(bytes) <= division.large_bodies
                    && is_room_beside(pending_bytes))
        } else {
            let small_bytes = held.small.saturating_add(bytes);
            held.small == 0
                || (small_bytes <= division.least_bodies && is_room_beside(0))
                || (small_bytes <= division.small_bodies && is_room_beside(pending_bytes))
        }
    }

    fn has_room_for_copy(&self, bytes: u64, division: Division) -> bool {
        let held = self.held_except(None);
        let is_awaited = self.pending_body.is_some() || self.pending_decode.is_some();
        let after = |held: u64| held.saturating_add(bytes);
        !is_awaited && after(held.bodies()) <= division.bodies && after(held.all()) <= division.all
    }

    /// A decode may be larger than a small budget; then others may hold what they may hold beside one as large as
    /// the budget. Beside a lone form of any size, small bodies have what is always theirs.
    fn has_room_for_decode(&self, bytes: u64, own: Option<u64>, budget_bytes: u64) -> bool {
        let division = Division::of(budget_bytes);
        let others_bytes = self.held_except(own).all();
        let is_room = self.used_bytes.saturating_add(bytes.min(budget_bytes)) <= division.all;
        is_room || others_bytes <= division.least_bodies
    }

    /// Frees leaked leases and what slow bodies have not filled, so that a few slow clients do not block the
    /// others. What the platform is reading for them stays counted.
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
            let arriving_bytes = lease.filled_bytes.saturating_add(CHUNK_BYTES);
            if is_slow && arriving_bytes < lease.bytes && lease.purpose != Purpose::Copy {
                self.used_bytes = self.used_bytes.saturating_sub(lease.bytes - arriving_bytes);
                lease.bytes = arriving_bytes;
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
        let Some(lease) = state.leases.get_mut(&self.id) else { return false };
        lease.has_grown = true;
        lease.filled_bytes = lease.filled_bytes.saturating_add(bytes);
        let (filled_bytes, reserved_bytes) = (lease.filled_bytes, lease.bytes);
        if filled_bytes <= reserved_bytes {
            return true;
        }
        let (purpose, client) = (lease.purpose, mem::take(&mut lease.client));
        let (own, division) = (Some(self.id), Division::of(self.budget_bytes));
        let is_free = state.is_within_share(&client, purpose, filled_bytes, own, division)
            && state.has_room_for_body(purpose, filled_bytes, own, 0, division);
        let used_bytes = state.used_bytes.saturating_add(filled_bytes - reserved_bytes);
        let Some(lease) = state.leases.get_mut(&self.id) else { return false };
        lease.client = client;
        if is_free {
            lease.bytes = filled_bytes;
            state.use_bytes(used_bytes);
        }
        is_free
    }

    /// Gives back a part: of a file that was processed only the result is still in memory.
    pub fn shrink(&self, bytes: u64) {
        let mut state = self.budget.state();
        if let Some(lease) = state.leases.get_mut(&self.id) {
            let freed_bytes = bytes.min(lease.bytes);
            lease.bytes -= freed_bytes;
            lease.filled_bytes = lease.filled_bytes.saturating_sub(freed_bytes);
            state.used_bytes = state.used_bytes.saturating_sub(freed_bytes);
        }
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
