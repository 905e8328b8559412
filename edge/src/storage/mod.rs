//! Where pictures lie: the key of an object, and the port to whatever store holds it.

mod key;
#[cfg(test)]
pub mod memory;

pub use key::{KeyParts, ObjectKey};

use image_rules::Format;

/// A store of objects that are written once.
pub trait ObjectStore {
    /// The bytes of an object, as the store hands them out.
    type Content;

    /// Writes a new object; it is durable when this returns.
    fn put(&self, object: NewObject<'_>) -> impl Future<Output = Result<(), StoreFault>>;

    /// The object, or nothing when there is none.
    fn get(
        &self,
        key: &ObjectKey,
    ) -> impl Future<Output = Result<Option<StoredObject<Self::Content>>, StoreFault>>;

    /// Removes the object; there being none is no fault.
    fn delete(&self, key: &ObjectKey) -> impl Future<Output = Result<(), StoreFault>>;

    /// Whether the store answers at all.
    fn probe(&self) -> impl Future<Output = Result<(), StoreFault>>;
}

/// An object to be written.
pub struct NewObject<'a> {
    /// Where.
    pub key: &'a ObjectKey,
    /// What.
    pub bytes: Vec<u8>,
    /// Its media type, from its bytes.
    pub format: Format,
    /// The digest that the store checks what arrived against.
    pub sha256: [u8; 32],
}

/// An object that was read.
pub struct StoredObject<C> {
    /// Its bytes.
    pub content: C,
    /// How many.
    pub size_bytes: u64,
    /// Quoted, as it goes into the header.
    pub etag: String,
}

/// The store did not do what was asked.
#[derive(Debug)]
pub enum StoreFault {
    /// It failed, with the platform's words.
    Failed(String),
    /// There is an object at this key already; nothing was overwritten.
    Exists,
}
