//! A store in memory, for tests.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "only tests use this module, and a panic is a failed test"
)]

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use super::{
    Content, Description, InvalidReply, NewObject, ObjectFacts, ObjectMetadata, ObjectStore, Page,
    Rejection, Span, StoreError, StoreKey, StoredObject,
};

/// An object store in memory; writes and deletions fail while `broken` is set.
#[derive(Default)]
pub struct FakeStore {
    pub objects: RefCell<BTreeMap<String, Vec<u8>>>,
    /// Metadata by key; objects that a test inserts directly have none.
    pub metadata: RefCell<BTreeMap<String, ObjectMetadata>>,
    pub deployment_id: RefCell<Option<String>>,
    /// Whether reading the id is denied.
    pub denies_id: Cell<bool>,
    pub broken: Cell<bool>,
    /// Whether the probe never answers.
    pub hanging: Cell<bool>,
    /// Number of write attempts.
    pub writes: Cell<u32>,
}

impl FakeStore {
    pub fn failing() -> Self {
        let store = Self::default();
        store.broken.set(true);
        store
    }
}

impl Content for Vec<u8> {
    async fn into_bytes(self, size_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let is_whole = self.len() as u64 == size_bytes;
        if is_whole { Ok(self) } else { Err(InvalidReply::OtherSize.into()) }
    }

    fn part(self, span: Span) -> Self {
        span.cut(0, self)
    }
}

impl ObjectStore for FakeStore {
    type Content = Vec<u8>;

    async fn put(&self, object: NewObject<'_>) -> Result<(), StoreError> {
        self.writes.set(self.writes.get() + 1);
        self.probe().await?;
        let mut objects = self.objects.borrow_mut();
        if objects.contains_key(object.key.as_str()) {
            return Err(StoreError::Exists);
        }
        objects.insert(object.key.as_str().to_owned(), object.bytes);
        self.metadata.borrow_mut().insert(object.key.as_str().to_owned(), object.metadata);
        Ok(())
    }

    async fn describe(&self, key: &dyn StoreKey) -> Result<Option<Description>, StoreError> {
        let metadata = self.metadata.borrow().get(key.as_str()).cloned().unwrap_or_default();
        let facts = self.head(key).await?;
        Ok(facts.map(|facts| Description { size_bytes: facts.size_bytes, metadata }))
    }

    async fn deployment_id(&self) -> Result<Option<String>, StoreError> {
        self.probe().await?;
        if self.denies_id.get() {
            return Err(StoreError::Denied(Rejection { status: 403, code: None }));
        }
        Ok(self.deployment_id.borrow().clone())
    }

    async fn set_deployment_id(&self, id: &str) -> Result<(), StoreError> {
        self.probe().await?;
        self.deployment_id.replace(Some(id.to_owned()));
        Ok(())
    }

    async fn head(&self, key: &dyn StoreKey) -> Result<Option<ObjectFacts>, StoreError> {
        let objects = self.objects.borrow();
        Ok(objects.get(key.as_str()).map(|bytes| facts(bytes)))
    }

    async fn get(
        &self,
        key: &dyn StoreKey,
        span: Option<Span>,
    ) -> Result<Option<StoredObject<Vec<u8>>>, StoreError> {
        let objects = self.objects.borrow();
        let Some(bytes) = objects.get(key.as_str()) else { return Ok(None) };
        let content = match span {
            None => bytes.clone(),
            Some(span) => {
                let from = usize::try_from(span.offset).expect("small");
                let to = from + usize::try_from(span.length).expect("small");
                bytes.get(from..to).expect("a span lies within the object").to_vec()
            }
        };
        Ok(Some(StoredObject { content, facts: facts(bytes) }))
    }

    async fn delete(&self, key: &dyn StoreKey) -> Result<(), StoreError> {
        self.probe().await?;
        self.objects.borrow_mut().remove(key.as_str());
        self.metadata.borrow_mut().remove(key.as_str());
        Ok(())
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page, StoreError> {
        let objects = self.objects.borrow();
        let from = after.unwrap_or_default();
        let mut keys = objects.keys().filter(|key| key.as_str() > from);
        let page: Vec<_> = keys.by_ref().take(limit as usize).cloned().collect();
        let next = keys.next().and(page.last().cloned());
        Ok(Page { keys: page, next })
    }

    async fn probe(&self) -> Result<(), StoreError> {
        if self.hanging.get() {
            std::future::pending::<()>().await;
        }
        if self.broken.get() { Err(StoreError::Failed("set to fail".to_owned())) } else { Ok(()) }
    }
}

fn facts(bytes: &[u8]) -> ObjectFacts {
    ObjectFacts { size_bytes: bytes.len() as u64, etag: format!("\"{}\"", bytes.len()) }
}
