//! Whether the components work, as `/readyz` answers, and the last answer of the isolate.

use std::cell::Cell;

use serde::Serialize;

/// Each component with `ok` or `unreachable`, and the binding of the bucket.
#[derive(Clone, Copy, Serialize)]
pub struct Readiness {
    pub storage: &'static str,
    pub registry: &'static str,
    pub ledger: &'static str,
    pub bucket: &'static str,
    #[serde(skip)]
    pub is_wrong_bucket: bool,
}

pub const OK: &str = "ok";
pub const UNREACHABLE: &str = "unreachable";

impl Readiness {
    /// A bucket that is known to belong to another database counts as a failure: images are not found, and uploads go
    /// to the wrong bucket. One that is not bound yet is most likely the right one.
    pub fn is_ready(&self) -> bool {
        [self.storage, self.registry, self.ledger].iter().all(|state| *state == OK)
            && !self.is_wrong_bucket
    }
}

/// How long the answer of `/readyz` is used again: everybody may ask, and each check asks three components.
const REMEMBERED_MS: u64 = 2_000;

/// The last check of the isolate, and when it began.
#[derive(Default)]
pub struct ReadinessCache(Cell<Option<(Readiness, u64)>>);

impl ReadinessCache {
    pub fn get(&self, now_ms: u64) -> Option<Readiness> {
        let (readiness, at_ms) = self.0.get()?;
        (at_ms.abs_diff(now_ms) < REMEMBERED_MS).then_some(readiness)
    }

    /// A component has just been changed.
    pub fn forget(&self) {
        self.0.set(None);
    }

    pub fn put(&self, readiness: Readiness, at_ms: u64) {
        self.0.set(Some((readiness, at_ms)));
    }
}
