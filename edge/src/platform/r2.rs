//! The object store on an R2 bucket. A call that hangs is given up; R2 tries again by itself.

use std::collections::HashMap;

use worker::{Bucket, Conditional, HttpMetadata, Range};

use super::{
    bytes::PictureBytes,
    deadline::{TimedOut, within},
};
use crate::storage::{
    Content, DEPLOYMENT_ID_KEY, Description, NewObject, ObjectFacts, ObjectKey, ObjectMetadata,
    ObjectStore, Page, Span, StoreFault, StoredObject,
};

/// An R2 bucket.
pub struct R2Store {
    /// The binding.
    pub bucket: Bucket,
    /// How long one call may take.
    pub timeout_ms: u64,
}

impl R2Store {
    async fn bounded<T>(
        &self,
        call: impl Future<Output = worker::Result<T>>,
    ) -> Result<T, StoreFault> {
        match within(self.timeout_ms, call).await {
            Ok(outcome) => outcome.map_err(failed),
            Err(TimedOut) => Err(StoreFault::Timeout),
        }
    }
}

impl ObjectStore for R2Store {
    type Content = PictureBytes;

    async fn put(&self, object: NewObject<'_>) -> Result<(), StoreFault> {
        let metadata = HttpMetadata {
            content_type: Some(object.format.media_type().to_owned()),
            ..HttpMetadata::default()
        };
        let unless_there =
            Conditional { etag_does_not_match: Some("*".to_owned()), ..empty_condition() };
        let kept = object.metadata.pairs().into_iter();
        let kept: HashMap<_, _> = kept.map(|(name, value)| (name.to_owned(), value)).collect();
        let write = self
            .bucket
            .put(object.key.as_str(), object.bytes)
            .http_metadata(metadata)
            .custom_metadata(kept)
            .sha256(object.sha256)
            .only_if(unless_there);
        let written = self.bounded(write.execute()).await?;
        written.map(|_| ()).ok_or(StoreFault::Exists)
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectFacts>, StoreFault> {
        let object = self.bounded(self.bucket.head(key.as_str())).await?;
        Ok(object.as_ref().map(facts))
    }

    async fn get(
        &self,
        key: &ObjectKey,
        span: Option<Span>,
    ) -> Result<Option<StoredObject<PictureBytes>>, StoreFault> {
        let mut request = self.bucket.get(key.as_str());
        if let Some(Span { offset, length }) = span {
            request = request.range(Range::OffsetWithLength { offset, length });
        }
        let Some(object) = self.bounded(request.execute()).await? else { return Ok(None) };
        let facts = facts(&object);
        let Some(body) = object.body() else { return Ok(None) };
        let body = body.response_body().map_err(failed)?;
        let content = PictureBytes::new(body);
        Ok(Some(StoredObject { content, facts }))
    }

    async fn describe(&self, key: &ObjectKey) -> Result<Option<Description>, StoreFault> {
        let Some(object) = self.bounded(self.bucket.head(key.as_str())).await? else {
            return Ok(None);
        };
        let kept = object.custom_metadata().map_err(failed)?;
        let metadata = ObjectMetadata::read(|name| kept.get(name).cloned());
        Ok(Some(Description { size_bytes: object.size(), metadata }))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreFault> {
        self.bounded(self.bucket.delete(key.as_str())).await
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page, StoreFault> {
        let mut request = self.bucket.list().limit(limit);
        if let Some(after) = after {
            request = request.cursor(after);
        }
        let found = self.bounded(request.execute()).await?;
        let keys = found.objects().iter().map(worker::Object::key).collect();
        Ok(Page { keys, next: found.cursor() })
    }

    async fn deployment_id(&self) -> Result<Option<String>, StoreFault> {
        let request = self.bucket.get(DEPLOYMENT_ID_KEY);
        let Some(object) = self.bounded(request.execute()).await? else { return Ok(None) };
        let Some(body) = object.body() else { return Ok(None) };
        let content = PictureBytes::new(body.response_body().map_err(failed)?);
        let bytes = content.into_bytes().await?;
        Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()))
    }

    async fn set_deployment_id(&self, id: &str) -> Result<(), StoreFault> {
        let write = self.bucket.put(DEPLOYMENT_ID_KEY, id.as_bytes().to_vec());
        self.bounded(write.execute()).await.map(|_| ())
    }

    async fn probe(&self) -> Result<(), StoreFault> {
        self.bounded(self.bucket.head("readiness")).await.map(|_| ())
    }
}

fn facts(object: &worker::Object) -> ObjectFacts {
    ObjectFacts { size_bytes: object.size(), etag: object.http_etag() }
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
