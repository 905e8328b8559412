//! What the requests of one isolate share: upload slots, memory and the CPU lock, with queues before them.

mod client;
mod cpu_lock;
mod memory;
mod metered;
mod queue;
mod slots;

use std::{future::poll_fn, pin::pin, rc::Rc, task::Poll};

use edge_types::{Clock, Problem, UserId, with_timeout};
use image_rules::Plan;

use crate::{
    error::busy,
    telemetry::{Counters, Stage},
};
use cpu_lock::{CpuLock, CpuLockGuard};
use memory::Purpose;
use queue::{Attempt, Queue};
use slots::UploadSlots;

pub use client::Client;
pub use memory::{CHUNK_BYTES, FIRST_BYTES, Lease, MemoryBudget};
pub use metered::MeteredBody;
pub use slots::UploadSlot;

/// How long others run between two long decodes. A small upload takes some 10 ms of the thread in a dozen pieces,
/// so several make progress.
const PAUSE_MS: u64 = 40;
/// How long others run between two steps of a plan, of some 25 ms each.
const STEP_PAUSE_MS: u64 = 10;
/// The same when no other upload is in progress: others may still read pictures.
const SHORTEST_PAUSE_MS: u64 = 1;
/// A body whose first bytes take longer is one of a client that sends nothing yet.
const SILENT_MS: u64 = 100;

/// The shared resources of an isolate.
#[derive(Debug, Default)]
pub struct Resources {
    pub memory: MemoryBudget,
    slots: Rc<UploadSlots>,
    cpu_lock: Rc<CpuLock>,
    /// Small bodies do not wait behind large ones.
    small_body_queue: Rc<Queue>,
    large_body_queue: Rc<Queue>,
    /// Small decodes have their own queue, so that they do not wait behind large ones. Those lose nothing by it: a
    /// small decode takes some milliseconds.
    small_decode_queue: Rc<Queue>,
    large_decode_queue: Rc<Queue>,
}

/// Hands out the resources of an isolate.
pub struct Scheduler<'a, C> {
    pub resources: &'a Resources,
    pub counters: &'a Counters,
    pub clock: &'a C,
    pub memory_budget_bytes: u64,
}

impl<C: Clock> Scheduler<'_, C> {
    /// Waits for an upload slot.
    ///
    /// # Errors
    /// `BUSY` when there is none in time, and at once when too many are waiting.
    pub async fn acquire_slot(&self, client: Client) -> Result<UploadSlot, Problem> {
        let slot = self.resources.slots.for_client(client);
        self.acquire(&slot).await?;
        Ok(slot)
    }

    /// Counts an upload against the share of its user. Beyond it the upload waits for another slot.
    ///
    /// # Errors
    /// Those of [`Self::acquire_slot`].
    pub async fn share_slot(&self, slot: &UploadSlot, user: &UserId) -> Result<(), Problem> {
        if slot.set_user(user, self.clock.now_ms()) {
            return Ok(());
        }
        slot.release();
        self.acquire(slot).await
    }

    /// Waits for the first bytes of a body. A client that sends nothing has no slot meanwhile, and waits for
    /// another one then.
    ///
    /// # Errors
    /// That of `arriving`, and those of [`Self::acquire_slot`].
    pub async fn first_bytes<T, E: From<Problem>>(
        &self,
        slot: &UploadSlot,
        arriving: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut arriving = pin!(arriving);
        if let Some(arrived) = with_timeout(self.clock, SILENT_MS, arriving.as_mut()).await {
            return arrived;
        }
        slot.release();
        let arrived = arriving.await?;
        self.acquire(slot).await?;
        Ok(arrived)
    }

    async fn acquire(&self, slot: &UploadSlot) -> Result<(), Problem> {
        let waiter = slot.queue_up(self.clock.now_ms()).ok_or_else(busy)?;
        let take = |now_ms, ahead| slot.take(now_ms, ahead);
        waiter.acquire_with_timeout(self.clock, self.counters, Stage::SlotQueue, take).await
    }

    /// Waits for memory for a body. `own` is what the same request holds already.
    ///
    /// # Errors
    /// `BUSY` when there is none in time.
    pub async fn reserve_body(
        &self,
        client: &Client,
        bytes: u64,
        own: Option<&Lease>,
    ) -> Result<Lease, Problem> {
        let Resources { memory, small_body_queue, large_body_queue, .. } = self.resources;
        let is_small = Purpose::of_body(bytes) == Purpose::SmallBody;
        let queue = if is_small { small_body_queue } else { large_body_queue };
        let take = |now_ms, ahead| {
            if ahead > 0 {
                return Attempt::NotFree;
            }
            memory.take_body(client, bytes, self.memory_budget_bytes, own, now_ms)
        };
        let waiter = queue.join(client.clone(), self.clock.now_ms());
        waiter.acquire_with_timeout(self.clock, self.counters, Stage::BodyQueue, take).await
    }

    /// Waits for memory for work that takes some milliseconds, such as a small decode.
    ///
    /// # Errors
    /// `BUSY` when there is none in time.
    pub async fn reserve_decode(&self, bytes: u64) -> Result<Lease, Problem> {
        let Resources { memory, small_decode_queue, .. } = self.resources;
        let take = |now_ms, ahead| {
            if ahead > 0 {
                return Attempt::NotFree;
            }
            memory
                .take_decode(bytes, self.memory_budget_bytes, None, now_ms)
                .map_or(Attempt::Passed, Attempt::Taken)
        };
        let waiter = small_decode_queue.join(Client::default(), self.clock.now_ms());
        waiter.acquire_with_timeout(self.clock, self.counters, Stage::DecodeQueue, take).await
    }

    /// Carries out a plan once there is memory for it and, if it takes long, the CPU lock. `body` is the memory that
    /// the same request holds already. `work` pends after each step ([`image_rules::process_in_steps`]); then others run.
    ///
    /// # Errors
    /// `BUSY` when it cannot begin in time.
    pub async fn run_plan<T>(
        &self,
        plan: &Plan,
        body: Option<&Lease>,
        work: impl Future<Output = T>,
    ) -> Result<T, Problem> {
        let Resources { memory, slots, cpu_lock, .. } = self.resources;
        let is_long = cpu_lock::is_long(plan);
        let queue = if is_long {
            &self.resources.large_decode_queue
        } else {
            &self.resources.small_decode_queue
        };
        let take = |now_ms, ahead| {
            if ahead > 0 {
                return Attempt::NotFree;
            }
            let guard = if is_long { cpu_lock.try_lock(now_ms) } else { None };
            if is_long && guard.is_none() {
                return Attempt::NotFree;
            }
            // Others that need less memory may run meanwhile, and free that of their bodies.
            memory
                .take_decode(plan.peak_bytes(), self.memory_budget_bytes, body, now_ms)
                .map_or(Attempt::Passed, |lease| Attempt::Taken((guard, lease)))
        };
        let waiter = queue.join(Client::default(), self.clock.now_ms());
        let stage = Stage::DecodeQueue;
        let (guard, lease) =
            waiter.acquire_with_timeout(self.clock, self.counters, stage, take).await?;
        let mut work = pin!(work);
        let output = loop {
            match poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
                Poll::Ready(output) => break output,
                Poll::Pending => self.pause(guard.as_ref(), [Some(&lease), body]).await,
            }
        };
        drop(lease);
        let now_ms = self.clock.now_ms();
        if let Some(guard) = guard.filter(|_| slots.are_shared(now_ms)) {
            guard.expire_soon(now_ms);
            // The platform's clock stands still during CPU work, so only a sleep lets others run.
            self.clock.sleep(PAUSE_MS).await;
        }
        Ok(output)
    }

    /// Lets other requests run between two steps. The platform's clock stands still during CPU work, so only a sleep
    /// does, and what is held is renewed after it.
    async fn pause(&self, guard: Option<&CpuLockGuard>, leases: [Option<&Lease>; 2]) {
        let now_ms = self.clock.now_ms();
        if let Some(guard) = guard {
            guard.expire_soon(now_ms);
        }
        let is_shared = self.resources.slots.are_shared(now_ms);
        self.clock.sleep(if is_shared { STEP_PAUSE_MS } else { SHORTEST_PAUSE_MS }).await;
        let now_ms = self.clock.now_ms();
        if let Some(guard) = guard {
            guard.renew(now_ms);
        }
        for lease in leases.into_iter().flatten() {
            lease.renew(now_ms);
        }
    }
}
