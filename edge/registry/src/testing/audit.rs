//! Counts and audit events in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::FakeRegistry;
use crate::{
    AuditStore, CounterBatch, EventQuery, HourCount, HourUploaders, Registry, RegistryError,
    StoredEvent, Uploader,
};

const HOUR_MS: u64 = 3_600_000;

impl FakeRegistry {
    pub(super) fn past(&self) -> Vec<StoredEvent> {
        let events = self.events.borrow();
        let past = (1..).zip(events.iter()).map(|(id, event)| StoredEvent {
            id,
            at_ms: event.at_ms,
            kind: event.kind.clone(),
            subject: event.subject.clone(),
            reason: event.reason.clone(),
            until_ms: event.until_ms,
            detail: event.detail.clone(),
        });
        let mut past: Vec<_> = past.collect();
        past.reverse();
        past
    }
}

impl AuditStore for FakeRegistry {
    async fn add_counts(&self, sums: &CounterBatch) -> Result<(), RegistryError> {
        self.probe().await?;
        self.add_sums(sums);
        let mut there = self.counts.borrow_mut();
        for more in &sums.hours {
            let same = |it: &&mut HourCount| {
                (it.hour, &it.area, &it.code) == (more.hour, &more.area, &more.code)
            };
            if let Some(count) = there.iter_mut().find(same) {
                count.count += more.count;
                count.bytes_in += more.bytes_in;
                count.bytes_stored += more.bytes_stored;
            } else {
                there.push(more.clone());
            }
        }
        Ok(())
    }

    async fn delete_counts(&self, before_hour: u64) -> Result<(), RegistryError> {
        self.counts.borrow_mut().retain(|count| count.hour >= before_hour);
        self.probe().await
    }

    async fn mark_hour(&self, _hour: u64) -> Result<(), RegistryError> {
        self.probe().await
    }

    async fn delete_events(
        &self,
        before_ms: u64,
        now_ms: u64,
        limit: u32,
    ) -> Result<(), RegistryError> {
        self.probe().await?;
        let mut left = limit;
        self.events.borrow_mut().retain(|event| {
            let is_over = event.kind != "ban" || event.until_ms.is_some_and(|ms| ms <= now_ms);
            let is_deleted = is_over && event.at_ms < before_ms && left > 0;
            left -= u32::from(is_deleted);
            !is_deleted
        });
        Ok(())
    }

    async fn counts(&self, since_hour: u64) -> Result<Vec<HourCount>, RegistryError> {
        self.probe().await?;
        let counts = self.counts.borrow();
        Ok(counts.iter().filter(|count| count.hour >= since_hour).cloned().collect())
    }

    async fn uploaders_by_hour(&self, since_ms: u64) -> Result<Vec<HourUploaders>, RegistryError> {
        self.probe().await?;
        let mut hours: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        for row in self.rows.borrow().iter().filter(|row| row.created_ms >= since_ms) {
            hours.entry(row.created_ms / HOUR_MS).or_default().insert(row.owner.clone());
        }
        let count = |(hour, owners): (u64, BTreeSet<_>)| HourUploaders {
            hour,
            uploaders: owners.len() as u64,
        };
        Ok(hours.into_iter().map(count).collect())
    }

    async fn uploaders(&self, since_ms: u64, limit: u32) -> Result<Vec<Uploader>, RegistryError> {
        self.probe().await?;
        let mut found: BTreeMap<String, Uploader> = BTreeMap::new();
        for row in self.rows.borrow().iter().filter(|row| row.created_ms >= since_ms) {
            let owner = row.owner.clone();
            let one = found.entry(owner.clone()).or_insert(Uploader {
                owner,
                count: 0,
                bytes: 0,
                last_ms: 0,
            });
            one.count += 1;
            one.bytes += row.size_bytes;
            one.last_ms = one.last_ms.max(row.created_ms);
        }
        let mut found: Vec<_> = found.into_values().collect();
        found.sort_by_key(|one| core::cmp::Reverse((one.bytes, one.last_ms)));
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn count_uploaders(&self, since_ms: u64) -> Result<u64, RegistryError> {
        Ok(self.uploaders(since_ms, u32::MAX).await?.len() as u64)
    }

    async fn events(&self, wanted: EventQuery<'_>) -> Result<Vec<StoredEvent>, RegistryError> {
        self.probe().await?;
        let passes = |event: &StoredEvent| {
            wanted.before.is_none_or(|before| event.id < before)
                && wanted.kind.is_none_or(|kind| event.kind == kind)
        };
        let past = self.past().into_iter().filter(passes);
        Ok(past.take(wanted.limit as usize).collect())
    }

    async fn bans(&self, now_ms: u64, limit: u32) -> Result<Vec<StoredEvent>, RegistryError> {
        self.probe().await?;
        let mut seen = BTreeSet::new();
        let is_ban = |event: &StoredEvent| event.kind == "ban" && event.until_ms > Some(now_ms);
        let past = self.past().into_iter().filter(is_ban);
        let last = past.filter(|event| seen.insert(event.subject.clone()));
        Ok(last.take(limit as usize).collect())
    }
}
