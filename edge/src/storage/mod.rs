//! Where pictures lie: the key of an object, and the port to whatever store holds it.

mod fault;
mod key;
#[cfg(test)]
pub mod memory;
mod metadata;
pub mod s3;
mod stem;

pub use fault::{Doubt, ErrorCode, Rejection, StoreFault};
pub use key::{KeyParts, ObjectKey};
pub use metadata::ObjectMetadata;
pub use stem::Stem;

use image_rules::Format;

/// A store of objects that are written once.
pub trait ObjectStore {
    /// The bytes of an object, as the store hands them out.
    type Content: Content;

    /// Writes a new object; it is durable when this returns.
    fn put(&self, object: NewObject<'_>) -> impl Future<Output = Result<(), StoreFault>>;

    /// What is known of the object, or nothing when there is none.
    fn head(
        &self,
        key: &ObjectKey,
    ) -> impl Future<Output = Result<Option<ObjectFacts>, StoreFault>>;

    /// The object or a span of it, or nothing when there is none.
    fn get(
        &self,
        key: &ObjectKey,
        span: Option<Span>,
    ) -> impl Future<Output = Result<Option<StoredObject<Self::Content>>, StoreFault>>;

    /// What the store keeps beside the object, or nothing when there is none.
    fn describe(
        &self,
        key: &ObjectKey,
    ) -> impl Future<Output = Result<Option<Description>, StoreFault>>;

    /// Removes the object; there being none is no fault.
    fn delete(&self, key: &ObjectKey) -> impl Future<Output = Result<(), StoreFault>>;

    /// Some keys of the store in its own order, from where an earlier page ended.
    fn list(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page, StoreFault>>;

    /// The id of the deployment that the store belongs to, when one was written.
    fn deployment_id(&self) -> impl Future<Output = Result<Option<String>, StoreFault>>;

    /// Writes the id of the deployment that the store belongs to, over another one if there is one.
    fn set_deployment_id(&self, id: &str) -> impl Future<Output = Result<(), StoreFault>>;

    /// Whether the store answers at all.
    fn probe(&self) -> impl Future<Output = Result<(), StoreFault>>;
}

/// Where the id of the deployment lies: no key of a picture, so it is neither served nor swept.
pub const DEPLOYMENT_ID_KEY: &str = "deployment-id";

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
    /// What is kept beside it.
    pub metadata: ObjectMetadata,
}

/// Bytes that a store hands out and that have not been read yet.
pub trait Content {
    /// All of them, in memory.
    fn into_bytes(self) -> impl Future<Output = Result<Vec<u8>, StoreFault>>;

    /// This much of them, still unread.
    #[must_use]
    fn part(self, span: Span) -> Self;
}

/// What is known of an object without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFacts {
    /// How many bytes the whole object has.
    pub size_bytes: u64,
    /// Quoted, as it goes into the header.
    pub etag: String,
}

/// An object without its bytes, with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// How many bytes it has.
    pub size_bytes: u64,
    /// What is kept beside it.
    pub metadata: ObjectMetadata,
}

/// A span of an object; it lies within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub offset: u64,
    /// How many; at least one.
    pub length: u64,
}

impl Span {
    /// The first byte after it.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// What of a chunk that begins at byte `at` lies within it.
    #[must_use]
    pub fn cut(self, at: u64, mut chunk: Vec<u8>) -> Vec<u8> {
        let within = |byte: u64| usize::try_from(byte.saturating_sub(at)).unwrap_or(usize::MAX);
        chunk.truncate(within(self.end()));
        chunk.drain(..within(self.offset).min(chunk.len()));
        chunk
    }
}

/// An object that was read.
pub struct StoredObject<C> {
    /// Its bytes, or those of the span that was asked for.
    pub content: C,
    /// What is known of the whole.
    pub facts: ObjectFacts,
}

/// Some keys of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Every key that was found, ours or not.
    pub keys: Vec<String>,
    /// What to go on from; nothing at the end.
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_the_same_however_the_bytes_are_cut() {
        let bytes: Vec<u8> = (0..20).collect();
        for (offset, length) in [(0, 1), (0, 20), (3, 7), (7, 13), (19, 1)] {
            let span = Span { offset: offset as u64, length: length as u64 };
            for size in [1, 3, 7, 20] {
                let chunks = bytes.chunks(size).enumerate();
                let parts =
                    chunks.flat_map(|(at, chunk)| span.cut((at * size) as u64, chunk.to_vec()));
                let expected: Vec<u8> = bytes[offset..][..length].to_vec();
                assert_eq!(parts.collect::<Vec<_>>(), expected, "{span:?} in {size}s");
            }
        }
    }
}
