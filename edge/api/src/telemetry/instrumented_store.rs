//! A store whose failed calls are counted, whether an upload, a sweep or a ledger's alarm makes them.

use std::rc::Rc;

use edge_storage::{
    Description, NewObject, ObjectFacts, ObjectStore, Page, Span, StoreError, StoreKey,
    StoredObject,
};

use super::{Counters, Metric};

pub struct InstrumentedStore<S> {
    pub store: S,
    pub counters: Rc<Counters>,
}

impl<S> InstrumentedStore<S> {
    fn count<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &outcome {
            self.counters.count(Metric::StoreError(error.kind()), 1);
        }
        outcome
    }
}

impl<S: ObjectStore> ObjectStore for InstrumentedStore<S> {
    type Content = S::Content;

    async fn put(&self, object: NewObject<'_>) -> Result<(), StoreError> {
        self.count(self.store.put(object).await)
    }

    async fn head(&self, key: &dyn StoreKey) -> Result<Option<ObjectFacts>, StoreError> {
        self.count(self.store.head(key).await)
    }

    async fn get(
        &self,
        key: &dyn StoreKey,
        span: Option<Span>,
    ) -> Result<Option<StoredObject<S::Content>>, StoreError> {
        self.count(self.store.get(key, span).await)
    }

    async fn delete(&self, key: &dyn StoreKey) -> Result<(), StoreError> {
        self.count(self.store.delete(key).await)
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page, StoreError> {
        self.count(self.store.list(after, limit).await)
    }

    async fn describe(&self, key: &dyn StoreKey) -> Result<Option<Description>, StoreError> {
        self.count(self.store.describe(key).await)
    }

    async fn deployment_id(&self) -> Result<Option<String>, StoreError> {
        self.count(self.store.deployment_id().await)
    }

    async fn set_deployment_id(&self, id: &str) -> Result<(), StoreError> {
        self.count(self.store.set_deployment_id(id).await)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.count(self.store.probe().await)
    }
}
