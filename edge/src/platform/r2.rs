//! The object store on an R2 bucket.

use worker::{Bucket, Conditional, HttpMetadata, ResponseBody};

use crate::storage::{NewObject, ObjectKey, ObjectStore, StoreFault, StoredObject};

/// An R2 bucket.
pub struct R2Store(pub Bucket);

/// A stored picture that streams to the caller without passing through our memory.
pub struct R2Content(pub ResponseBody);

impl ObjectStore for R2Store {
    type Content = R2Content;

    async fn put(&self, object: NewObject<'_>) -> Result<(), StoreFault> {
        let metadata = HttpMetadata {
            content_type: Some(object.format.media_type().to_owned()),
            ..HttpMetadata::default()
        };
        let unless_there =
            Conditional { etag_does_not_match: Some("*".to_owned()), ..empty_condition() };
        let written = self
            .0
            .put(object.key.as_str(), object.bytes)
            .http_metadata(metadata)
            .sha256(object.sha256)
            .only_if(unless_there)
            .execute()
            .await
            .map_err(failed)?;
        written.map(|_| ()).ok_or(StoreFault::Exists)
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<StoredObject<R2Content>>, StoreFault> {
        let Some(object) = self.0.get(key.as_str()).execute().await.map_err(failed)? else {
            return Ok(None);
        };
        let (size_bytes, etag) = (object.size(), object.http_etag());
        let Some(body) = object.body() else { return Ok(None) };
        let content = R2Content(body.response_body().map_err(failed)?);
        Ok(Some(StoredObject { content, size_bytes, etag }))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreFault> {
        self.0.delete(key.as_str()).await.map_err(failed)
    }

    async fn probe(&self) -> Result<(), StoreFault> {
        self.0.head("readiness").await.map_err(failed).map(|_| ())
    }
}

const fn empty_condition() -> Conditional {
    Conditional {
        etag_matches: None,
        etag_does_not_match: None,
        uploaded_before: None,
        uploaded_after: None,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failed(error: worker::Error) -> StoreFault {
    StoreFault::Failed(error.to_string())
}
