//! The sessions that this isolate has looked up. An ended session and a changed role take effect within [`TRUSTED_MS`],
//! not only when the access token expires.

use std::{cell::RefCell, collections::BTreeMap};

use edge_types::{Role, SessionId};

/// How long a reply of the database is used again: half of the minute that is promised.
const TRUSTED_MS: u64 = 30_000;
/// A session takes about 100 bytes.
const MAX_SESSIONS: usize = 1_000;

#[derive(Default)]
pub struct SessionCache(RefCell<BTreeMap<SessionId, CachedSession>>);

#[derive(Clone, Copy)]
pub struct CachedSession {
    /// The role of its user; [`None`] when it has ended.
    pub role: Option<Role>,
    /// When the database said so.
    pub at_ms: u64,
}

impl SessionCache {
    pub fn get(&self, id: &SessionId, now_ms: u64) -> Option<CachedSession> {
        let cached = self.0.borrow().get(id).copied();
        cached.filter(|cached| cached.at_ms.abs_diff(now_ms) < TRUSTED_MS)
    }

    pub fn put(&self, id: &SessionId, session: CachedSession) {
        let mut sessions = self.0.borrow_mut();
        if sessions.len() >= MAX_SESSIONS {
            sessions.clear();
        }
        sessions.insert(id.clone(), session);
    }

    /// Sessions that were ended by this isolate are refused by it at once.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_763_114_400_000;

    fn id(number: usize) -> SessionId {
        SessionId::parse(&format!("{number:032x}")).expect("an id")
    }

    fn cached(at_ms: u64) -> CachedSession {
        CachedSession { role: Some(Role::Admin), at_ms }
    }

    #[test]
    fn a_reply_is_used_for_half_a_minute_by_any_clock() {
        let cache = SessionCache::default();
        cache.put(&id(1), cached(NOW_MS));
        assert!(cache.get(&id(1), NOW_MS + TRUSTED_MS - 1).is_some());
        assert!(cache.get(&id(1), NOW_MS + TRUSTED_MS).is_none());
        assert!(cache.get(&id(1), NOW_MS - TRUSTED_MS).is_none(), "the clock was set back");
        assert!(cache.get(&id(2), NOW_MS).is_none());
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = SessionCache::default();
        for number in 0..3 * MAX_SESSIONS {
            cache.put(&id(number), cached(NOW_MS));
            assert!(cache.0.borrow().len() <= MAX_SESSIONS);
            assert!(cache.get(&id(number), NOW_MS).is_some());
        }
    }
}
