//! Object keys, the port to the object store, and the S3 protocol. No I/O happens here: the ports are
//! filled by the platform.

mod binding;
mod body_buffer;
mod derived_key;
mod error;
mod key;
mod metadata;
pub mod s3;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod upload_key;

pub use binding::BucketBinding;
pub use body_buffer::BodyBuffer;
pub use derived_key::DerivedKey;
pub use error::{ErrorCode, InvalidReply, Rejection, StoreError};
pub use key::{KeyParts, ObjectKey};
pub use metadata::{Held, ObjectMetadata};
pub use upload_key::UploadKey;

use image_rules::Format;

/// What an object may be called: nothing is read, written or deleted under any other name.
pub trait StoreKey {
    fn as_str(&self) -> &str;
}

/// A store of objects that are written once.
pub trait ObjectStore {
    type Content: Content;

    /// Writes a new object; it is durable when this returns.
    fn put(&self, object: NewObject<'_>) -> impl Future<Output = Result<(), StoreError>>;

    /// Size and entity tag of an object that exists.
    fn head(
        &self,
        key: &dyn StoreKey,
    ) -> impl Future<Output = Result<Option<ObjectFacts>, StoreError>>;

    /// An object that exists, or a span of it.
    fn get(
        &self,
        key: &dyn StoreKey,
        span: Option<Span>,
    ) -> impl Future<Output = Result<Option<StoredObject<Self::Content>>, StoreError>>;

    /// Size and metadata of an object that exists.
    fn describe(
        &self,
        key: &dyn StoreKey,
    ) -> impl Future<Output = Result<Option<Description>, StoreError>>;

    /// Deletes an object; succeeds when there is none.
    fn delete(&self, key: &dyn StoreKey) -> impl Future<Output = Result<(), StoreError>>;

    /// A page of keys in the store's own order, after the token of an earlier page.
    fn list(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page, StoreError>>;

    /// The id of the deployment that the bucket is bound to.
    fn deployment_id(&self) -> impl Future<Output = Result<Option<String>, StoreError>>;

    /// Binds the bucket to a deployment; overwrites an earlier binding.
    fn set_deployment_id(&self, id: &str) -> impl Future<Output = Result<(), StoreError>>;

    /// Whether the store answers at all.
    fn probe(&self) -> impl Future<Output = Result<(), StoreError>>;
}

/// The key of the deployment id. It is no image key, so it is neither served nor swept.
pub const DEPLOYMENT_ID_KEY: &str = "deployment-id";

pub struct NewObject<'a> {
    pub key: &'a dyn StoreKey,
    pub bytes: Vec<u8>,
    /// Its media type, from its bytes.
    pub format: Format,
    /// The digest; the store rejects bytes that do not match.
    pub sha256: [u8; 32],
    pub metadata: ObjectMetadata,
}

/// The bytes of an object, not read yet.
pub trait Content {
    /// Reads them into memory. There must be as many as `size_bytes`, so that no more memory is used than the caller has
    /// reserved.
    fn into_bytes(self, size_bytes: u64) -> impl Future<Output = Result<Vec<u8>, StoreError>>;

    /// A span of them, not read yet.
    fn part(self, span: Span) -> Self;
}

/// Size and entity tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFacts {
    /// How many bytes the whole object has.
    pub size_bytes: u64,
    /// Quoted, as in the header.
    pub etag: String,
}

/// Size and metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    pub size_bytes: u64,
    pub metadata: ObjectMetadata,
}

/// A byte range within an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub offset: u64,
    pub length: u64,
}

impl Span {
    pub const fn end(self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// The part of a chunk that lies within the span; the chunk begins at byte `at`.
    pub fn cut(self, at: u64, mut chunk: Vec<u8>) -> Vec<u8> {
        let within = |byte: u64| usize::try_from(byte.saturating_sub(at)).unwrap_or(usize::MAX);
        chunk.truncate(within(self.end()));
        chunk.drain(..within(self.offset).min(chunk.len()));
        chunk
    }
}

pub struct StoredObject<C> {
    /// All bytes, or those of the span.
    pub content: C,
    /// Of the whole object.
    pub facts: ObjectFacts,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Every key that was found, ours or not.
    pub keys: Vec<String>,
    /// The token of the next page, if there is one.
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_does_not_depend_on_the_chunks() {
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
