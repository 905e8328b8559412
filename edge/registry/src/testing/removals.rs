//! Removals in memory.

use std::collections::BTreeMap;

use edge_storage::ObjectKey;
use edge_types::{MAX_SAFE_INTEGER, RemovalId, UserId};

use super::{FakeRegistry, FakeUserStore};
use crate::{
    Erasure, Event, ImageRow, NewRemoval, RefreshFamily, Registry, RegistryError, Removal,
    RemovalScope, RemovalStore, StoredEvent, Trace, TraceSource, Until,
};

/// A row of the table.
pub struct FakeRemoval {
    pub removal: Removal,
    pub taken_until_ms: u64,
    pub protects_ms: u64,
}

impl RemovalScope {
    fn has(&self, row: &ImageRow) -> bool {
        match self {
            Self::Keys(keys) => keys.iter().any(|key| key.as_str() == row.key),
            Self::Form(form) => row.form_id.as_ref() == Some(form),
            Self::Owner(user) | Self::User(user) => row.owner == user.as_str(),
            Self::Replay | Self::Over => false,
        }
    }
}

impl FakeRegistry {
    fn keys_of(&self, scope: &RemovalScope, until: Until) -> Vec<String> {
        let rows = self.rows.borrow();
        let is_one = |row: &&ImageRow| {
            row.id.0 <= until.image_id && row.created_ms < until.ms && scope.has(row)
        };
        rows.iter().filter(is_one).map(|row| row.key.clone()).collect()
    }

    fn as_now(&self, row: &FakeRemoval) -> Removal {
        let until = Until { image_id: row.removal.last_image_id, ..Until::ALL };
        let left = self.keys_of(&row.removal.scope, until).len() as u64;
        Removal { left, ..row.removal.clone() }
    }

    fn change(&self, id: &RemovalId, change: impl FnOnce(&mut FakeRemoval)) {
        self.removals.borrow_mut().iter_mut().find(|row| row.removal.id == *id).map(change);
    }
}

impl RemovalStore for FakeUserStore {
    async fn add_removal(&self, new: &NewRemoval<'_>) -> Result<Removal, RegistryError> {
        let registry = &self.registry;
        registry.probe().await?;
        let is_erasure = matches!(new.scope, RemovalScope::User(_));
        let same = |row: &&FakeRemoval| is_erasure && row.removal.scope == *new.scope;
        if let Some(row) = registry.removals.borrow().iter().find(same) {
            return Ok(registry.as_now(row));
        }
        let last = registry.rows.borrow().last().map_or(0, |row| row.id.0);
        let row = FakeRemoval {
            removal: Removal {
                id: new.id.clone(),
                scope: new.scope.clone(),
                is_erasure,
                last_image_id: if is_erasure { MAX_SAFE_INTEGER } else { last },
                total: registry.keys_of(new.scope, Until::ALL).len() as u64,
                left: 0,
                requested_by: Some(new.requested_by.to_string()),
                created_ms: new.created_ms,
                finished_ms: None,
                cursor: String::new(),
            },
            taken_until_ms: 0,
            protects_ms: new.protects_ms,
        };
        let removal = registry.as_now(&row);
        registry.removals.borrow_mut().push(row);
        Ok(removal)
    }

    async fn removal(&self, id: &RemovalId) -> Result<Option<Removal>, RegistryError> {
        self.registry.probe().await?;
        let removals = self.registry.removals.borrow();
        let found = removals.iter().find(|row| row.removal.id == *id);
        Ok(found.map(|row| self.registry.as_now(row)))
    }

    async fn take_removal(
        &self,
        now_ms: u64,
        until_ms: u64,
    ) -> Result<Option<Removal>, RegistryError> {
        self.registry.probe().await?;
        let mut removals = self.registry.removals.borrow_mut();
        let waiting = removals
            .iter_mut()
            .filter(|row| row.removal.finished_ms.is_none() && row.taken_until_ms <= now_ms);
        let Some(row) = waiting.min_by_key(|row| row.taken_until_ms) else { return Ok(None) };
        row.taken_until_ms = until_ms;
        Ok(Some(row.removal.clone()))
    }

    async fn keep_removal(
        &self,
        id: &RemovalId,
        until_ms: u64,
        cursor: &str,
    ) -> Result<(), RegistryError> {
        self.registry.probe().await?;
        self.registry.change(id, |row| {
            row.taken_until_ms = until_ms;
            cursor.clone_into(&mut row.removal.cursor);
        });
        Ok(())
    }

    async fn keys_to_remove(
        &self,
        scope: &RemovalScope,
        until: Until,
        limit: u32,
    ) -> Result<Vec<String>, RegistryError> {
        self.registry.probe().await?;
        let mut keys = self.registry.keys_of(scope, until);
        keys.truncate(limit as usize);
        Ok(keys)
    }

    async fn count_images(&self, scope: &RemovalScope, until: Until) -> Result<u64, RegistryError> {
        self.registry.probe().await?;
        Ok(self.registry.keys_of(scope, until).len() as u64)
    }

    async fn finish_removal(&self, id: &RemovalId, now_ms: u64) -> Result<(), RegistryError> {
        self.registry.probe().await?;
        self.registry.change(id, |row| {
            row.removal.finished_ms = Some(now_ms);
            row.removal.scope = RemovalScope::Over;
        });
        Ok(())
    }

    async fn note_erased(&self, keys: &[ObjectKey], now_ms: u64) -> Result<(), RegistryError> {
        self.registry.probe().await?;
        let mut erased = self.registry.erased.borrow_mut();
        for key in keys {
            erased.entry(key.to_string()).or_insert(now_ms);
        }
        Ok(())
    }

    async fn erase(&self, erasure: &Erasure<'_>) -> Result<(), RegistryError> {
        self.registry.probe().await?;
        let Erasure { user, pseudonym, now_ms, .. } = *erasure;
        let is_before = |ms: u64| erasure.before_ms.is_none_or(|before_ms| ms < before_ms);
        let is_erased = |(it, _): &(crate::User, crate::PasswordHash)| {
            it.id == *user && is_before(it.created_ms)
        };
        let had_account = self.users.borrow().iter().any(is_erased);
        self.users.borrow_mut().retain(|it| !is_erased(it));
        self.families.borrow_mut().retain(|family| !had_account || family.user != *user);
        self.reservations.borrow_mut().retain(|_, (id, _)| id != user);
        self.links.borrow_mut().retain(|link| !had_account || link.user.as_ref() != Some(user));
        self.identities.borrow_mut().retain(|it| !had_account || it.user != *user);
        let (own, by) = (format!("user:{user}"), format!("by {user}"));
        let folder = format!("users/{user}/");
        let mut events = self.registry.events.borrow_mut();
        for (at, event) in events.iter_mut().enumerate().filter(|(_, it)| is_before(it.at_ms)) {
            let is_actor = event.detail.as_deref() == Some(by.as_str());
            let is_subject = event.subject == own;
            if is_actor || is_subject {
                event.idempotency_key = format!("{pseudonym}#{at}");
            }
            if is_actor {
                event.detail = Some(format!("by {pseudonym}"));
            }
            if is_subject {
                pseudonym.clone_into(&mut event.subject);
            }
            event.detail = event.detail.take().map(|it| it.replace(&folder, "users/erased/"));
        }
        let is_new = |event: &Event| event.idempotency_key != erasure.event.idempotency_key;
        if events.iter().all(is_new) {
            events.push(erasure.event.clone());
        }
        self.registry.reduce_events(user);
        self.registry.add_new_event(erasure.webhook);
        let mut erased = self.registry.erased.borrow_mut();
        let erased_ms = erased.entry(pseudonym.to_owned()).or_insert(0);
        *erased_ms = (*erased_ms).max(erasure.before_ms.unwrap_or(now_ms));
        for row in self.registry.removals.borrow_mut().iter_mut() {
            let removal = &mut row.removal;
            if removal.requested_by.as_deref() == Some(user.as_str()) {
                removal.requested_by = None;
            }
            if erasure.removal == Some(&removal.id) {
                removal.finished_ms = removal.finished_ms.or(Some(now_ms));
            }
        }
        Ok(())
    }

    async fn settled_erasures(
        &self,
        now_ms: u64,
        limit: u32,
    ) -> Result<Vec<Removal>, RegistryError> {
        self.registry.probe().await?;
        let removals = self.registry.removals.borrow();
        let is_settled = |row: &&FakeRemoval| {
            let finished_ms = row.removal.finished_ms.filter(|_| row.removal.is_erasure);
            row.removal.scope != RemovalScope::Over
                && finished_ms.is_some_and(|ms| ms + row.protects_ms <= now_ms)
        };
        let settled = removals.iter().filter(is_settled).map(|row| row.removal.clone());
        Ok(settled.take(limit as usize).collect())
    }

    async fn settle(&self, id: &RemovalId) -> Result<(), RegistryError> {
        self.registry.probe().await?;
        self.registry.change(id, |row| row.removal.scope = RemovalScope::Over);
        Ok(())
    }

    async fn delete_removals(&self, before_ms: u64) -> Result<(), RegistryError> {
        self.registry.probe().await?;
        self.registry.removals.borrow_mut().retain(|FakeRemoval { removal, .. }| {
            removal.scope != RemovalScope::Over
                || removal.finished_ms.is_none_or(|finished_ms| finished_ms >= before_ms)
        });
        Ok(())
    }

    async fn traces(
        &self,
        source: TraceSource,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Trace>, RegistryError> {
        self.registry.probe().await?;
        let rows = self.registry.rows.borrow();
        let named: Vec<(String, u64)> = match source {
            TraceSource::Users => {
                let users = self.users.borrow();
                users.iter().map(|(user, _)| (user.id.to_string(), user.created_ms)).collect()
            }
            TraceSource::Images => {
                rows.iter().map(|row| (row.owner.clone(), row.created_ms)).collect()
            }
            TraceSource::Events => {
                let events = self.registry.events.borrow();
                let of_user = |event: &Event| Some(event.subject.strip_prefix("user:")?.to_owned());
                events.iter().filter_map(|event| Some((of_user(event)?, event.at_ms))).collect()
            }
            TraceSource::ErasedKeys => {
                let erased = self.registry.erased.borrow();
                let is_erased = |row: &&ImageRow| erased.contains_key(&row.key);
                rows.iter().filter(is_erased).map(|row| (row.key.clone(), row.created_ms)).collect()
            }
        };
        let mut first: BTreeMap<String, u64> = BTreeMap::new();
        for (name, ms) in named.into_iter().filter(|(name, _)| name.as_str() > after) {
            let first_ms = first.entry(name).or_insert(ms);
            *first_ms = ms.min(*first_ms);
        }
        let traces = first.into_iter().map(|(name, at_ms)| Trace { name, at_ms });
        Ok(traces.take(limit as usize).collect())
    }

    async fn erased(&self, names: &[String]) -> Result<Vec<Trace>, RegistryError> {
        self.registry.probe().await?;
        let erased = self.registry.erased.borrow();
        let found = names
            .iter()
            .filter_map(|name| Some(Trace { name: name.clone(), at_ms: *erased.get(name)? }));
        Ok(found.collect())
    }

    async fn keep_erased_ban(
        &self,
        name: &str,
        until_ms: Option<u64>,
    ) -> Result<bool, RegistryError> {
        self.registry.probe().await?;
        if !self.registry.erased.borrow().contains_key(name) {
            return Ok(false);
        }
        let mut bans = self.registry.erased_bans.borrow_mut();
        let before = match until_ms {
            Some(until_ms) => bans.insert(name.to_owned(), until_ms),
            None => bans.remove(name),
        };
        Ok(before != until_ms)
    }

    async fn erased_bans(&self, now_ms: u64, limit: u32) -> Result<Vec<Trace>, RegistryError> {
        self.registry.probe().await?;
        let bans = self.registry.erased_bans.borrow();
        let open = bans.iter().filter(|(_, until_ms)| **until_ms > now_ms);
        let traces = open.map(|(name, until_ms)| Trace { name: name.clone(), at_ms: *until_ms });
        Ok(traces.take(limit as usize).collect())
    }

    async fn all_sessions(
        &self,
        user: &UserId,
        limit: u32,
    ) -> Result<Vec<RefreshFamily>, RegistryError> {
        self.registry.probe().await?;
        let families = self.families.borrow();
        let of_user = families.iter().filter(|family| family.user == *user);
        Ok(of_user.take(limit as usize).cloned().collect())
    }

    async fn events_about(
        &self,
        subject: &str,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, RegistryError> {
        self.registry.probe().await?;
        let mut events = self.registry.past();
        events.retain(|event| event.subject == subject);
        events.truncate(limit as usize);
        Ok(events)
    }
}

impl FakeRemoval {
    /// The removal that is added to a restored database.
    pub fn replay() -> Self {
        let removal = Removal {
            id: RemovalId::new([0; 16]),
            scope: RemovalScope::Replay,
            is_erasure: false,
            last_image_id: 0,
            total: 0,
            left: 0,
            requested_by: None,
            created_ms: 0,
            finished_ms: None,
            cursor: String::new(),
        };
        Self { removal, taken_until_ms: 0, protects_ms: 0 }
    }
}
