//! The lock for work that keeps the thread busy for long. Without it, of twelve photos of 12 MP that arrive
//! together each decode would begin where another ends, and nobody else would be answered until all are done.

use std::{cell::Cell, rc::Rc, time::Duration};

use image_rules::Plan;

/// About one step: a plan with less work is carried out at once.
const LONG_WORK: Duration = Duration::from_millis(25);
/// A lock that was not renewed for so long has leaked: a step takes a quarter of a second at most, and the platform
/// drops nothing of a request that it cancels.
const MAX_HELD_MS: u64 = 10_000;
/// The same for a lock that is held only for a pause of some milliseconds.
const MAX_PAUSE_MS: u64 = 1_000;

#[derive(Debug, Default)]
pub struct CpuLock {
    /// The guard that holds the lock, and when it expires.
    held: Cell<Option<(u64, u64)>>,
    last: Cell<u64>,
}

/// Holds the lock until it is dropped.
#[derive(Debug)]
pub struct CpuLockGuard {
    lock: Rc<CpuLock>,
    id: u64,
}

impl CpuLock {
    pub fn try_lock(self: &Rc<Self>, now_ms: u64) -> Option<CpuLockGuard> {
        if self.held.get().is_some_and(|(_, until_ms)| now_ms < until_ms) {
            return None;
        }
        let id = self.last.get() + 1;
        self.last.set(id);
        self.held.set(Some((id, now_ms.saturating_add(MAX_HELD_MS))));
        Some(CpuLockGuard { lock: Rc::clone(self), id })
    }
}

impl CpuLockGuard {
    /// Nothing but a pause follows.
    pub fn expire_soon(&self, now_ms: u64) {
        if self.is_holder() {
            self.lock.held.set(Some((self.id, now_ms.saturating_add(MAX_PAUSE_MS))));
        }
    }

    /// Work goes on. After the expiry another request may hold the lock, and keeps it.
    pub fn renew(&self, now_ms: u64) {
        if self.is_holder() {
            self.lock.held.set(Some((self.id, now_ms.saturating_add(MAX_HELD_MS))));
        }
    }

    /// After the expiry another request may hold it.
    fn is_holder(&self) -> bool {
        self.lock.held.get().is_some_and(|(id, _)| id == self.id)
    }
}

impl Drop for CpuLockGuard {
    fn drop(&mut self) {
        if self.is_holder() {
            self.lock.held.set(None);
        }
    }
}

/// Whether a plan needs the lock.
pub fn is_long(plan: &Plan) -> bool {
    plan.work() > LONG_WORK
}

#[cfg(test)]
mod tests {
    use image_rules::{Policy, Report, inspect, report::Coded};

    use super::*;

    /// Of a photo of this size, as a camera writes it.
    fn plan(width: u32, height: u32, policy: &Policy) -> Plan {
        let photo = include_bytes!("../../../../tests/fixtures/jpeg/baseline-420.jpg");
        let report = inspect(photo, policy).expect("a photo");
        let pixels = u64::from(width) * u64::from(height);
        // Half as many samples of chroma as of luma.
        let jpeg_blocks = pixels * 3 / 2 / 64;
        let coded = Coded { pixels, scan_blocks: jpeg_blocks, ..report.coded };
        let size_bytes = pixels / 4;
        let report = Report { width, height, size_bytes, jpeg_blocks, coded, ..report };
        Plan::new(&report, policy).expect("fits")
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
    fn a_pause_that_never_ends_expires_after_a_second() {
        let lock = Rc::new(CpuLock::default());
        let guard = lock.try_lock(0).expect("free");
        guard.expire_soon(100);
        assert!(lock.try_lock(100 + MAX_PAUSE_MS - 1).is_none());
        assert!(lock.try_lock(100 + MAX_PAUSE_MS).is_some());
    }

    #[test]
    fn a_lock_is_held_for_as_long_as_steps_follow_each_other() {
        let lock = Rc::new(CpuLock::default());
        let guard = lock.try_lock(0).expect("free");
        for step in 1..100 {
            guard.expire_soon(step * 500);
            guard.renew(step * 500 + 10);
            assert!(lock.try_lock(step * 500 + MAX_HELD_MS / 2).is_none());
        }
        let next = lock.try_lock(100_000).expect("the first one has expired");
        guard.renew(100_000);
        drop(guard);
        assert!(lock.try_lock(100_000 + MAX_HELD_MS - 1).is_none(), "it is the next one's");
        drop(next);
    }

    #[test]
    fn resizing_a_photo_needs_the_lock_and_keeping_it_does_not() {
        let policy = Policy::EDGE;
        assert!(is_long(&plan(4032, 3024, &policy)));
        assert!(!is_long(&plan(2048, 1536, &policy)), "kept: an eighth is decoded");
        let small = Policy { max_edge: 200, ..policy };
        assert!(!is_long(&plan(1600, 1200, &small)));
        let kept = plan(2048, 1536, &policy);
        let coded = Coded { scan_blocks: 100 * kept.report().jpeg_blocks, ..kept.report().coded };
        let many_scans = Report { progressive: true, coded, ..kept.report().clone() };
        assert!(is_long(&Plan::new(&many_scans, &policy).expect("fits")), "of 100 scans");
    }
}
