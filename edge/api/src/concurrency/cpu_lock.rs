//! The lock for work that keeps the thread busy for long. Without it, of twelve photos of 12 MP that arrive
//! together each decode would begin where another ends, and nobody else would be answered until all are done.

use std::{cell::Cell, rc::Rc};

use image_rules::{Action, Format, Plan};

/// Decoding, resizing and encoding so many pixels takes some 30 ms.
const LONG_PIXELS: u64 = 2_000_000;
/// A lock that is older has leaked: plans take two seconds at most, and the platform drops nothing of a request
/// that it cancels.
const MAX_HELD_MS: u64 = 10_000;

/// Since when the lock is held.
#[derive(Debug, Default)]
pub struct CpuLock(Cell<Option<u64>>);

/// Holds the lock until it is dropped.
#[derive(Debug)]
pub struct CpuLockGuard {
    lock: Rc<CpuLock>,
    since_ms: u64,
}

impl CpuLock {
    pub fn try_lock(self: &Rc<Self>, now_ms: u64) -> Option<CpuLockGuard> {
        if self.0.get().is_some_and(|since_ms| now_ms.saturating_sub(since_ms) < MAX_HELD_MS) {
            return None;
        }
        self.0.set(Some(now_ms));
        Some(CpuLockGuard { lock: Rc::clone(self), since_ms: now_ms })
    }
}

impl Drop for CpuLockGuard {
    fn drop(&mut self) {
        // After the expiry it may be held by another request.
        if self.lock.0.get() == Some(self.since_ms) {
            self.lock.0.set(None);
        }
    }
}

/// Whether a plan needs the lock. A JPEG that is kept is decoded at an eighth of its size, which takes some
/// milliseconds.
pub fn is_long(plan: &Plan) -> bool {
    let report = plan.report();
    let pixels = u64::from(report.width) * u64::from(report.height) * u64::from(report.frames);
    let is_fully_decoded = plan.action() == Action::Optimise || report.format != Format::Jpeg;
    is_fully_decoded && pixels > LONG_PIXELS
}

#[cfg(test)]
mod tests {
    use image_rules::{Policy, Report, inspect};

    use super::*;

    /// Of a photo of this size.
    fn plan(width: u32, height: u32, policy: &Policy) -> Plan {
        let photo = include_bytes!("../../../../tests/fixtures/jpeg/baseline-420.jpg");
        let report = inspect(photo, policy).expect("a photo");
        Plan::new(&Report { width, height, ..report }, policy).expect("fits")
    }

    #[test]
    fn one_request_at_a_time_holds_it() {
        let lock = Rc::new(CpuLock::default());
        let guard = lock.try_lock(0).expect("free");
        assert!(lock.try_lock(MAX_HELD_MS - 1).is_none());
        let next = lock.try_lock(MAX_HELD_MS).expect("the first one has expired");
        drop(guard);
        assert!(lock.try_lock(MAX_HELD_MS).is_none(), "an expired guard does not release it");
        drop(next);
        assert!(lock.try_lock(MAX_HELD_MS).is_some());
    }

    #[test]
    fn resizing_a_photo_needs_the_lock_and_keeping_it_does_not() {
        let policy = Policy::EDGE;
        assert!(is_long(&plan(4032, 3024, &policy)));
        assert!(!is_long(&plan(2048, 1536, &policy)), "kept: an eighth is decoded");
        let small = Policy { max_edge: 200, ..policy };
        assert!(is_long(&plan(2048, 1536, &small)));
        assert!(!is_long(&plan(1600, 1200, &small)));
    }
}
