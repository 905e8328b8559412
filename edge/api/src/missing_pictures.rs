//! The pictures that the store did not have a moment ago, so that a page that asks for them again and again costs nothing.

use std::{cell::RefCell, collections::BTreeMap};

use edge_storage::ObjectKey;

/// How long a picture counts as missing that the store did not have.
const MISSING_MS: u64 = 10_000;
/// A key takes about 200 bytes.
const MAX_MISSING: usize = 1_000;

#[derive(Default)]
pub struct MissingPictures(RefCell<BTreeMap<ObjectKey, u64>>);

impl MissingPictures {
    pub fn contains(&self, key: &ObjectKey, now_ms: u64) -> bool {
        let seen_ms = self.0.borrow().get(key).copied();
        seen_ms.is_some_and(|seen_ms| seen_ms.abs_diff(now_ms) < MISSING_MS)
    }

    /// It has just been written.
    pub fn forget(&self, key: &ObjectKey) {
        self.0.borrow_mut().remove(key);
    }

    pub fn add(&self, key: &ObjectKey, now_ms: u64) {
        let mut missing = self.0.borrow_mut();
        if missing.len() >= MAX_MISSING {
            missing.clear();
        }
        missing.insert(key.clone(), now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_picture_is_remembered_for_a_moment() {
        let key = |ms: usize| {
            let uuid = "00000000-0000-4000-8000-000000000000";
            ObjectKey::parse(&format!("users/1/images/{ms}-{uuid}.png")).expect("a key")
        };
        let missing = MissingPictures::default();
        missing.add(&key(1), 50_000);
        assert!(missing.contains(&key(1), 59_999));
        assert!(!missing.contains(&key(1), 60_000));
        assert!(!missing.contains(&key(2), 50_000));
        missing.forget(&key(1));
        assert!(!missing.contains(&key(1), 50_000));
        for ms in 0..5_000 {
            missing.add(&key(ms), 50_000);
        }
        assert!(missing.0.borrow().len() <= MAX_MISSING);
    }
}
