//! The memory that the requests of one isolate may hold at once. An isolate has 128 MB for all it
//! does and wasm never gives memory back, so bodies and decodes are admitted by their size, wait a
//! bounded time, and are refused after it.

use std::{cell::Cell, rc::Rc};

use image_rules::Code;

use crate::{
    app::{App, Ports},
    error::Refusal,
};

/// How long a request waits for memory before it is told to come back.
const PATIENCE_MS: u64 = 4_000;
/// Waiting is asking again: a wake-up across requests is not to be had on Workers. A kept picture is
/// done in some 10 ms.
const STEP_MS: u64 = 10;
/// When those who were turned away come back.
const RETRY_S: u32 = 2;

/// What is in use.
#[derive(Clone, Debug, Default)]
pub struct MemoryBudget(Rc<Cell<u64>>);

/// Memory that is in use until this is dropped.
#[derive(Debug)]
pub struct Lease {
    budget: MemoryBudget,
    bytes: u64,
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
        self.0.get()
    }

    fn take(&self, bytes: u64, most: u64) -> Option<Lease> {
        let used = self.0.get().checked_add(bytes)?;
        // Alone, anything that the policy lets through is let through here, too.
        if used > most && self.0.get() > 0 {
            return None;
        }
        self.0.set(used);
        Some(Lease { budget: self.clone(), bytes })
    }
}

impl Lease {
    /// Gives back what is above so many bytes.
    pub fn shrink(&mut self, bytes: u64) {
        let freed = self.bytes.saturating_sub(bytes);
        self.bytes -= freed;
        self.budget.0.set(self.budget.0.get().saturating_sub(freed));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shrink(0);
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
    for _ in 0..PATIENCE_MS / STEP_MS {
        if let Some(lease) = app.isolate.memory.take(bytes, most_bytes) {
            return Ok(lease);
        }
        app.ports.sleep(STEP_MS).await;
    }
    Err(Refusal::retry(Code::Busy, RETRY_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_leased_comes_back() {
        let budget = MemoryBudget::default();
        let mut first = budget.take(60, 100).expect("there is room");
        assert!(budget.take(41, 100).is_none());
        first.shrink(50);
        let second = budget.take(50, 100).expect("room was given back");
        assert_eq!(budget.used_bytes(), 100);
        drop((first, second));
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn bodies_leave_half_to_decodes() {
        let budget = MemoryBudget::default();
        let body = budget.take(50, Purpose::Body.most(100)).expect("half is for bodies");
        assert!(budget.take(1, Purpose::Body.most(100)).is_none());
        assert!(budget.take(50, Purpose::Decode.most(100)).is_some());
        drop(body);
    }

    #[test]
    fn alone_anything_passes_and_nothing_overflows() {
        let budget = MemoryBudget::default();
        let large = budget.take(1_000, 100).expect("alone");
        assert!(budget.take(u64::MAX, 100).is_none());
        drop(large);
    }
}
