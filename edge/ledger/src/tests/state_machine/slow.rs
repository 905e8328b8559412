//! A store and a registry that take time.

use std::cell::RefCell;

use edge_registry::{
    Event, FormImage, ImageRow, NewImage, Registry, RegistryError, Review, testing::FakeRegistry,
};
use edge_storage::{
    Description, NewObject, ObjectFacts, ObjectKey, ObjectStore, Page, Span, StoreError, StoreKey,
    StoredObject,
};
use edge_types::{Clock, FormName, ImageId, Random, UserId};
use futures_executor::block_on;

use super::LEASE_S;
use crate::{
    Answer, DeliveryError, EventOutcome, EventSettings, LedgerDeps, StoredImage, WebhookEvent,
    service::new_image, testing::FakeLedgerDeps, tests::image,
};

/// Other tasks run before and after each operation of `inner`, and a row that is in flight may arrive at
/// the registry although nobody waits for it any more.
pub struct Slow {
    pub inner: FakeLedgerDeps,
    pub rows: RefCell<Vec<RowInFlight>>,
}

pub struct RowInFlight {
    key: ObjectKey,
    owner: UserId,
    is_held: bool,
    sent_ms: u64,
}

/// How long the ledger waits for the registry.
pub const DEADLINE_MS: u64 = 5_000;
/// How long a row may be in flight.
const IN_FLIGHT_MS: u64 = 30_000;

impl Slow {
    /// Lets other tasks run.
    pub async fn pause(&self) {
        self.inner.sleep(0).await;
    }

    /// Delivers the rows in flight for which `arrives` holds, and drops the others.
    pub fn settle(&self, arrives: impl Fn(usize) -> bool) {
        for (at, sent) in self.rows.take().into_iter().enumerate() {
            if arrives(at) && self.inner.now_ms() < sent.sent_ms + IN_FLIGHT_MS {
                // A registry that is down refuses this row like any other.
                let _ = block_on(self.arrive(&sent));
            }
        }
    }

    async fn arrive(&self, sent: &RowInFlight) -> Result<ImageId, RegistryError> {
        let is_held = sent.is_held;
        let image = StoredImage { is_held, ..image(&sent.key, "", sent.sent_ms) };
        self.inner.registry.add(new_image(&image, &sent.owner)).await
    }
}

impl ObjectStore for Slow {
    type Content = Vec<u8>;

    /// A writer gives up after a fifth of the lease.
    async fn put(&self, object: NewObject<'_>) -> Result<(), StoreError> {
        let late_ms = self.inner.now_ms() + u64::from(LEASE_S) * 1000 / 5;
        self.pause().await;
        if self.inner.now_ms() >= late_ms {
            return Err(StoreError::Failed("too late".to_owned()));
        }
        let stored = self.inner.store.put(object).await;
        self.pause().await;
        stored
    }

    async fn delete(&self, key: &dyn StoreKey) -> Result<(), StoreError> {
        self.pause().await;
        self.inner.store.delete(key).await?;
        self.pause().await;
        Ok(())
    }

    async fn head(&self, key: &dyn StoreKey) -> Result<Option<ObjectFacts>, StoreError> {
        self.inner.store.head(key).await
    }

    async fn get(
        &self,
        key: &dyn StoreKey,
        span: Option<Span>,
    ) -> Result<Option<StoredObject<Vec<u8>>>, StoreError> {
        self.inner.store.get(key, span).await
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page, StoreError> {
        self.inner.store.list(after, limit).await
    }

    async fn describe(&self, key: &dyn StoreKey) -> Result<Option<Description>, StoreError> {
        self.inner.store.describe(key).await
    }

    async fn deployment_id(&self) -> Result<Option<String>, StoreError> {
        self.inner.store.deployment_id().await
    }

    async fn set_deployment_id(&self, id: &str) -> Result<(), StoreError> {
        self.inner.store.set_deployment_id(id).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.inner.store.probe().await
    }
}

impl Registry for Slow {
    async fn add(&self, image: NewImage<'_>) -> Result<ImageId, RegistryError> {
        let sent_ms = self.inner.now_ms();
        let sent = || RowInFlight {
            key: image.key.clone(),
            owner: image.owner.clone(),
            is_held: image.is_held,
            sent_ms,
        };
        self.rows.borrow_mut().push(sent());
        self.pause().await;
        if self.inner.now_ms() >= sent_ms + DEADLINE_MS {
            return Err(RegistryError("no answer in time".to_owned()));
        }
        let is_own = |other: &RowInFlight| other.key == *image.key && other.sent_ms == sent_ms;
        self.rows.borrow_mut().retain(|other| !is_own(other));
        let added = self.arrive(&sent()).await;
        self.pause().await;
        added
    }

    async fn remove(&self, keys: &[ObjectKey]) -> Result<(), RegistryError> {
        self.pause().await;
        self.inner.registry.remove(keys).await?;
        self.pause().await;
        Ok(())
    }

    async fn form_images(
        &self,
        form: &FormName,
        after: u64,
        limit: u32,
    ) -> Result<Vec<FormImage>, RegistryError> {
        self.inner.registry.form_images(form, after, limit).await
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<ImageRow>, RegistryError> {
        self.inner.registry.find(key).await
    }

    async fn decide(
        &self,
        key: &ObjectKey,
        review: Review,
        reason: Option<&str>,
    ) -> Result<(), RegistryError> {
        self.pause().await;
        self.inner.registry.decide(key, review, reason).await?;
        self.pause().await;
        Ok(())
    }

    async fn event(&self, event: &Event) -> Result<(), RegistryError> {
        self.inner.registry.event(event).await
    }

    async fn probe(&self) -> Result<(), RegistryError> {
        self.inner.registry.probe().await
    }
}

impl Clock for Slow {
    fn now_ms(&self) -> u64 {
        self.inner.now_ms()
    }

    async fn sleep(&self, _ms: u64) {
        self.pause().await;
    }
}

impl Random for Slow {
    fn random(&self) -> [u8; 16] {
        self.inner.random()
    }
}

impl LedgerDeps for Slow {
    type Store = Self;
    type Registry = Self;
    type WebhookStore = FakeRegistry;
    type Ledger = FakeLedgerDeps;

    fn store(&self) -> &Self {
        self
    }

    fn ledger(&self) -> &FakeLedgerDeps {
        &self.inner
    }

    fn registry(&self) -> &Self {
        self
    }

    fn webhook_store(&self) -> &FakeRegistry {
        &self.inner.registry
    }

    async fn purge_copies(&self, _key: &ObjectKey, _derived: &[String]) {}

    fn event_settings(&self) -> Option<&EventSettings> {
        self.inner.event_settings()
    }

    async fn deliver(&self, event: &WebhookEvent, ms: u64) -> Result<Answer, DeliveryError> {
        self.inner.deliver(event, ms).await
    }

    fn count_events(&self, outcome: EventOutcome, times: u64) {
        self.inner.count_events(outcome, times);
    }
}
