//! A store whose failures are counted, whoever calls it: an upload, a sweep or an account's alarm.

use std::rc::Rc;

use super::Series;
use crate::{
    app::Isolate,
    storage::{
        Description, NewObject, ObjectFacts, ObjectKey, ObjectStore, Page, Span, StoreFault,
        StoredObject,
    },
};

/// A store, and where its failures are counted.
pub struct Watched<S> {
    /// The store itself.
    pub store: S,
    /// Who counts.
    pub isolate: Rc<Isolate>,
}

impl<S> Watched<S> {
    fn seen<T>(&self, outcome: Result<T, StoreFault>) -> Result<T, StoreFault> {
        if let Err(fault) = &outcome {
            self.isolate.tallies.count(Series::StoreFault(fault.kind()), 1);
        }
        outcome
    }
}

impl<S: ObjectStore> ObjectStore for Watched<S> {
    type Content = S::Content;

    async fn put(&self, object: NewObject<'_>) -> Result<(), StoreFault> {
        self.seen(self.store.put(object).await)
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectFacts>, StoreFault> {
        self.seen(self.store.head(key).await)
    }

    async fn get(
        &self,
        key: &ObjectKey,
        span: Option<Span>,
    ) -> Result<Option<StoredObject<S::Content>>, StoreFault> {
        self.seen(self.store.get(key, span).await)
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreFault> {
        self.seen(self.store.delete(key).await)
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page, StoreFault> {
        self.seen(self.store.list(after, limit).await)
    }

    async fn describe(&self, key: &ObjectKey) -> Result<Option<Description>, StoreFault> {
        self.seen(self.store.describe(key).await)
    }

    async fn deployment_id(&self) -> Result<Option<String>, StoreFault> {
        self.seen(self.store.deployment_id().await)
    }

    async fn set_deployment_id(&self, id: &str) -> Result<(), StoreFault> {
        self.seen(self.store.set_deployment_id(id).await)
    }

    async fn probe(&self) -> Result<(), StoreFault> {
        self.seen(self.store.probe().await)
    }
}
