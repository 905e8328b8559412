//! The bans of erased users that this isolate knows. The list is short, so each isolate has it, and a request need not ask
//! the database.

use std::{cell::RefCell, collections::BTreeMap};

use edge_auth::erased_name;
use edge_registry::Trace;
use edge_types::UserId;

/// How long the list is used again. A ban is in the list of every isolate after this time.
const TRUSTED_MS: u64 = 30_000;
/// How long it is used while the database fails: less than the five minutes between two runs of the scheduled job, of which
/// the first writes a ban to the database, and the second deletes it from the ledger.
const MAX_AGE_MS: u64 = 240_000;

#[derive(Default)]
pub struct ErasedBans(RefCell<Option<BanList>>);

/// The bans by pseudonym, until when.
pub struct BanList {
    read_ms: u64,
    /// The key of the pseudonyms.
    deployment_id: String,
    bans: BTreeMap<String, u64>,
}

impl BanList {
    pub const fn new(read_ms: u64, deployment_id: String) -> Self {
        Self { read_ms, deployment_id, bans: BTreeMap::new() }
    }

    pub fn extend(&mut self, bans: Vec<Trace>) {
        for ban in bans {
            self.bans.insert(ban.name, ban.at_ms);
        }
    }
}

impl ErasedBans {
    pub fn is_fresh(&self, now_ms: u64) -> bool {
        self.is_younger(TRUSTED_MS, now_ms)
    }

    /// Whether the list may be used if it cannot be read again.
    pub fn may_be_used(&self, now_ms: u64) -> bool {
        self.is_younger(MAX_AGE_MS, now_ms)
    }

    fn is_younger(&self, age_ms: u64, now_ms: u64) -> bool {
        let list = self.0.borrow();
        list.as_ref().is_some_and(|list| list.read_ms.abs_diff(now_ms) < age_ms)
    }

    pub fn put(&self, list: BanList) {
        self.0.replace(Some(list));
    }

    /// The list is read again at the next request.
    pub fn clear(&self) {
        self.0.replace(None);
    }

    /// The end of the ban of a user.
    pub fn until_ms(&self, user: &UserId, now_ms: u64) -> Option<u64> {
        let list = self.0.borrow();
        // Without a ban there is nothing to compute.
        let list = list.as_ref().filter(|list| !list.bans.is_empty())?;
        let until_ms = list.bans.get(&erased_name(&list.deployment_id, user.as_str()));
        until_ms.copied().filter(|until_ms| now_ms < *until_ms)
    }
}
