//! A store and a registry that take their time.

use std::cell::RefCell;

use futures_executor::block_on;

use super::LEASE_S;
use crate::{
    auth::UserId,
    ledger::{
        desk::{Reach, row},
        memory::MemoryReach,
        tests::record,
    },
    registry::{Event, ImageId, NewRow, Registry, RegistryFault, Row},
    storage::{
        Description, NewObject, ObjectFacts, ObjectKey, ObjectStore, Page, Span, StoreFault,
        StoredObject,
    },
};

/// Others get their turn before and after whatever `inner` does; and a row that is on its way to the
/// registry may arrive although nobody waits for it any more.
pub struct Slow {
    pub inner: MemoryReach,
    pub rows: RefCell<Vec<RowOnItsWay>>,
}

pub struct RowOnItsWay {
    key: ObjectKey,
    owner: UserId,
    sent_ms: u64,
}

/// How long the registry is waited for, and how long a row may be on its way.
pub const DEADLINE_MS: u64 = 5_000;
const ON_ITS_WAY_MS: u64 = 30_000;

impl Slow {
    pub async fn turn(&self) {
        self.inner.sleep(0).await;
    }

    /// Those rows arrive that `arrives` says; none is on its way after.
    pub fn settle(&self, arrives: impl Fn(usize) -> bool) {
        for (at, sent) in self.rows.take().into_iter().enumerate() {
            if arrives(at) && self.inner.now_ms() < sent.sent_ms + ON_ITS_WAY_MS {
                // A registry that is down takes it no more than any other.
                let _ = block_on(self.arrive(&sent));
            }
        }
    }

    async fn arrive(&self, sent: &RowOnItsWay) -> Result<ImageId, RegistryFault> {
        let record = record(&sent.key, "", sent.sent_ms);
        self.inner.registry.add(row(&record, &sent.owner)).await
    }
}

impl ObjectStore for Slow {
    type Content = Vec<u8>;

    /// A writer gives up after a fifth of the lease.
    async fn put(&self, object: NewObject<'_>) -> Result<(), StoreFault> {
        let late_ms = self.inner.now_ms() + u64::from(LEASE_S) * 1000 / 5;
        self.turn().await;
        if self.inner.now_ms() >= late_ms {
            return Err(StoreFault::Failed("too late".to_owned()));
        }
        let stored = self.inner.store.put(object).await;
        self.turn().await;
        stored
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreFault> {
        self.turn().await;
        self.inner.store.delete(key).await?;
        self.turn().await;
        Ok(())
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectFacts>, StoreFault> {
        self.inner.store.head(key).await
    }

    async fn get(
        &self,
        key: &ObjectKey,
        span: Option<Span>,
    ) -> Result<Option<StoredObject<Vec<u8>>>, StoreFault> {
        self.inner.store.get(key, span).await
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page, StoreFault> {
        self.inner.store.list(after, limit).await
    }

    async fn describe(&self, key: &ObjectKey) -> Result<Option<Description>, StoreFault> {
        self.inner.store.describe(key).await
    }

    async fn deployment_id(&self) -> Result<Option<String>, StoreFault> {
        self.inner.store.deployment_id().await
    }

    async fn set_deployment_id(&self, id: &str) -> Result<(), StoreFault> {
        self.inner.store.set_deployment_id(id).await
    }

    async fn probe(&self) -> Result<(), StoreFault> {
        self.inner.store.probe().await
    }
}

impl Registry for Slow {
    async fn add(&self, row: NewRow<'_>) -> Result<ImageId, RegistryFault> {
        let sent_ms = self.inner.now_ms();
        let sent = || RowOnItsWay { key: row.key.clone(), owner: row.owner.clone(), sent_ms };
        self.rows.borrow_mut().push(sent());
        self.turn().await;
        if self.inner.now_ms() >= sent_ms + DEADLINE_MS {
            return Err(RegistryFault("no answer in time".to_owned()));
        }
        let mine = |other: &RowOnItsWay| other.key == *row.key && other.sent_ms == sent_ms;
        self.rows.borrow_mut().retain(|other| !mine(other));
        let added = self.arrive(&sent()).await;
        self.turn().await;
        added
    }

    async fn remove(&self, key: &ObjectKey) -> Result<(), RegistryFault> {
        self.turn().await;
        self.inner.registry.remove(key).await?;
        self.turn().await;
        Ok(())
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<Row>, RegistryFault> {
        self.inner.registry.find(key).await
    }

    async fn event(&self, event: &Event) -> Result<(), RegistryFault> {
        self.inner.registry.event(event).await
    }

    async fn probe(&self) -> Result<(), RegistryFault> {
        self.inner.registry.probe().await
    }
}

impl Reach for Slow {
    type Store = Self;
    type Registry = Self;

    fn store(&self) -> &Self {
        self
    }

    fn registry(&self) -> &Self {
        self
    }

    fn now_ms(&self) -> u64 {
        self.inner.now_ms()
    }

    fn random(&self) -> [u8; 16] {
        self.inner.random()
    }

    async fn sleep(&self, _ms: u64) {
        self.turn().await;
    }
}
