//! The object store on an R2 bucket. Every call has a timeout; R2 retries by itself.

use std::collections::HashMap;

use edge_storage::{
    Content, DEPLOYMENT_ID_KEY, Description, NewObject, ObjectFacts, ObjectMetadata, ObjectStore,
    Page, Span, StoreError, StoreKey, StoredObject,
};
use edge_types::with_timeout;
use worker::{Bucket, Conditional, HttpMetadata, Range};

use crate::{image_bytes::ImageBytes, runtime::Runtime};

/// An R2 bucket.
pub struct R2Store {
    pub bucket: Bucket,
    /// Of one call.
    pub timeout_ms: u64,
}

impl R2Store {
    async fn in_time<T>(
        &self,
        call: impl Future<Output = worker::Result<T>>,
    ) -> Result<T, StoreError> {
        let outcome = with_timeout(&Runtime, self.timeout_ms, call).await;
        outcome.ok_or(StoreError::Timeout)?.map_err(failed)
    }
}

impl ObjectStore for R2Store {
    type Content = ImageBytes;

    async fn put(&self, object: NewObject<'_>) -> Result<(), StoreError> {
        let http_metadata = HttpMetadata {
            content_type: Some(object.format.media_type().to_owned()),
            ..HttpMetadata::default()
        };
        let if_absent = Conditional {
            etag_matches: None,
            etag_does_not_match: Some("*".to_owned()),
            uploaded_before: None,
            uploaded_after: None,
        };
        let metadata = object.metadata.pairs().into_iter();
        let metadata: HashMap<_, _> =
            metadata.map(|(name, value)| (name.to_owned(), value)).collect();
        let write = self
            .bucket
            .put(object.key.as_str(), object.bytes)
            .http_metadata(http_metadata)
            .custom_metadata(metadata)
            .sha256(object.sha256)
            .only_if(if_absent);
        let written = self.in_time(write.execute()).await?;
        written.map(|_| ()).ok_or(StoreError::Exists)
    }

    async fn head(&self, key: &dyn StoreKey) -> Result<Option<ObjectFacts>, StoreError> {
        let object = self.in_time(self.bucket.head(key.as_str())).await?;
        Ok(object.as_ref().map(facts))
    }

    async fn get(
        &self,
        key: &dyn StoreKey,
        span: Option<Span>,
    ) -> Result<Option<StoredObject<ImageBytes>>, StoreError> {
        let mut request = self.bucket.get(key.as_str());
        if let Some(Span { offset, length }) = span {
            request = request.range(Range::OffsetWithLength { offset, length });
        }
        let Some(object) = self.in_time(request.execute()).await? else { return Ok(None) };
        let facts = facts(&object);
        let Some(body) = object.body() else { return Ok(None) };
        let content = ImageBytes::new(body.response_body().map_err(failed)?);
        Ok(Some(StoredObject { content, facts }))
    }

    async fn describe(&self, key: &dyn StoreKey) -> Result<Option<Description>, StoreError> {
        let Some(object) = self.in_time(self.bucket.head(key.as_str())).await? else {
            return Ok(None);
        };
        let metadata = object.custom_metadata().map_err(failed)?;
        let metadata = ObjectMetadata::read(|name| metadata.get(name).cloned());
        Ok(Some(Description { size_bytes: object.size(), metadata }))
    }

    async fn delete(&self, key: &dyn StoreKey) -> Result<(), StoreError> {
        self.in_time(self.bucket.delete(key.as_str())).await
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page, StoreError> {
        let mut request = self.bucket.list().limit(limit);
        if let Some(after) = after {
            request = request.cursor(after);
        }
        let found = self.in_time(request.execute()).await?;
        let keys = found.objects().iter().map(worker::Object::key).collect();
        Ok(Page { keys, next: found.cursor() })
    }

    async fn deployment_id(&self) -> Result<Option<String>, StoreError> {
        let request = self.bucket.get(DEPLOYMENT_ID_KEY);
        let Some(object) = self.in_time(request.execute()).await? else { return Ok(None) };
        let Some(body) = object.body() else { return Ok(None) };
        let content = ImageBytes::new(body.response_body().map_err(failed)?);
        let bytes = content.into_bytes(object.size()).await?;
        Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()))
    }

    async fn set_deployment_id(&self, id: &str) -> Result<(), StoreError> {
        let write = self.bucket.put(DEPLOYMENT_ID_KEY, id.as_bytes().to_vec());
        self.in_time(write.execute()).await.map(|_| ())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.in_time(self.bucket.head("readiness")).await.map(|_| ())
    }
}

fn facts(object: &worker::Object) -> ObjectFacts {
    ObjectFacts { size_bytes: object.size(), etag: object.http_etag() }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: worker::Error) -> StoreError {
    StoreError::Failed(error.to_string())
}
