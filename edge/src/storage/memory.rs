//! A store in memory, for tests.

use std::{cell::RefCell, collections::BTreeMap};

use super::{NewObject, ObjectKey, ObjectStore, StoreFault, StoredObject};

/// Keeps objects until it is dropped; fails every write when told to.
#[derive(Default)]
pub struct MemoryStore {
    /// What is stored, by key.
    pub objects: RefCell<BTreeMap<String, Vec<u8>>>,
    /// Whether writes fail.
    pub broken: bool,
}

impl ObjectStore for MemoryStore {
    type Content = Vec<u8>;

    async fn put(&self, object: NewObject<'_>) -> Result<(), StoreFault> {
        self.probe().await?;
        let mut objects = self.objects.borrow_mut();
        if objects.contains_key(object.key.as_str()) {
            return Err(StoreFault::Exists);
        }
        objects.insert(object.key.to_string(), object.bytes);
        Ok(())
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<StoredObject<Vec<u8>>>, StoreFault> {
        let bytes = self.objects.borrow().get(key.as_str()).cloned();
        Ok(bytes.map(|bytes| StoredObject {
            size_bytes: bytes.len() as u64,
            etag: format!("\"{}\"", bytes.len()),
            content: bytes,
        }))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreFault> {
        self.objects.borrow_mut().remove(key.as_str());
        Ok(())
    }

    async fn probe(&self) -> Result<(), StoreFault> {
        if self.broken { Err(StoreFault::Failed("told to fail".to_owned())) } else { Ok(()) }
    }
}
