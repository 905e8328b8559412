//! What the requests of one isolate share: upload slots, memory and the CPU lock, with queues before them.

mod cpu_lock;
mod memory;
mod metered;
mod queue;
mod slots;
mod steps;

use std::{future::poll_fn, pin::pin, rc::Rc, task::Poll};

use edge_types::{Clock, Problem};
use image_rules::Plan;

use crate::{
    error::busy,
    telemetry::{Counters, Stage},
};
use cpu_lock::{CpuLock, CpuLockGuard};
use queue::Queue;
use slots::UploadSlots;

pub use memory::{Lease, MemoryBudget, Purpose, SINGLE_READ_BYTES};
pub use metered::MeteredBody;
pub use slots::UploadSlot;
pub use steps::{end_step, process_in_steps};

/// How long others run between two long decodes. A small upload takes some 10 ms of the thread in a dozen pieces,
/// so several make progress.
const PAUSE_MS: u64 = 40;
/// How long others run between two steps of a plan: decode, resize, encode.
const STEP_PAUSE_MS: u64 = 10;
/// The same when no other upload is in progress: others may still read pictures.
const SHORTEST_PAUSE_MS: u64 = 1;

/// The shared resources of an isolate.
#[derive(Debug, Default)]
pub struct Resources {
    pub memory: MemoryBudget,
    slots: Rc<UploadSlots>,
    cpu_lock: Rc<CpuLock>,
    body_queue: Rc<Queue>,
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
    pub async fn acquire_slot(&self) -> Result<UploadSlot, Problem> {
        let slots = &self.resources.slots;
        let waiter = slots.queue_up(self.clock.now_ms()).ok_or_else(busy)?;
        let take = |now_ms, ahead| slots.take(now_ms, ahead);
        waiter.acquire_with_timeout(self.clock, self.counters, Stage::SlotQueue, take).await
    }

    /// Waits for memory for a body, or for a decode that takes some milliseconds.
    ///
    /// # Errors
    /// `BUSY` when there is none in time.
    pub async fn reserve_memory(&self, purpose: Purpose, bytes: u64) -> Result<Lease, Problem> {
        let (stage, queue) = match purpose {
            Purpose::Body | Purpose::Copy => (Stage::BodyQueue, &self.resources.body_queue),
            Purpose::Decode => (Stage::DecodeQueue, &self.resources.small_decode_queue),
        };
        let take = |now_ms, ahead| {
            let memory = &self.resources.memory;
            if ahead > 0 {
                return None;
            }
            memory.take(purpose, bytes, self.memory_budget_bytes, None, now_ms)
        };
        let waiter = queue.join(self.clock.now_ms());
        waiter.acquire_with_timeout(self.clock, self.counters, stage, take).await
    }

    /// Carries out a plan once there is memory for it and, if it takes long, the CPU lock. `body` is the memory that
    /// the same request holds already. `work` pends after each step ([`process_in_steps`]); then others run.
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
                return None;
            }
            let guard = if is_long { Some(cpu_lock.try_lock(now_ms)?) } else { None };
            let (bytes, budget_bytes) = (plan.peak_bytes(), self.memory_budget_bytes);
            Some((guard, memory.take(Purpose::Decode, bytes, budget_bytes, body, now_ms)?))
        };
        let waiter = queue.join(self.clock.now_ms());
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
