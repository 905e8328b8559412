//! The object store on an R2 bucket.

use worker::{Bucket, Conditional, HttpMetadata, Range, Response, ResponseBody};

use crate::storage::{
    Content, NewObject, ObjectFacts, ObjectKey, ObjectStore, Page, Span, StoreFault, StoredObject,
};

/// An R2 bucket.
pub struct R2Store(pub Bucket);

/// A stored picture that streams to the caller without passing through our memory.
pub struct R2Content(pub ResponseBody);

impl Content for R2Content {
    async fn into_bytes(self) -> Result<Vec<u8>, StoreFault> {
        let answer = Response::from_body(self.0).map_err(failed);
        answer?.bytes().await.map_err(failed)
    }
}

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

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectFacts>, StoreFault> {
        let object = self.0.head(key.as_str()).await.map_err(failed)?;
        Ok(object.as_ref().map(facts))
    }

    async fn get(
        &self,
        key: &ObjectKey,
        span: Option<Span>,
    ) -> Result<Option<StoredObject<R2Content>>, StoreFault> {
        let mut request = self.0.get(key.as_str());
        if let Some(Span { offset, length }) = span {
            request = request.range(Range::OffsetWithLength { offset, length });
        }
        let Some(object) = request.execute().await.map_err(failed)? else { return Ok(None) };
        let facts = facts(&object);
        let Some(body) = object.body() else { return Ok(None) };
        let content = R2Content(body.response_body().map_err(failed)?);
        Ok(Some(StoredObject { content, facts }))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreFault> {
        self.0.delete(key.as_str()).await.map_err(failed)
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page, StoreFault> {
        let mut request = self.0.list().limit(limit);
        if let Some(after) = after {
            request = request.cursor(after);
        }
        let found = request.execute().await.map_err(failed)?;
        let keys = found.objects().iter().map(worker::Object::key).collect();
        Ok(Page { keys, next: found.cursor() })
    }

    async fn probe(&self) -> Result<(), StoreFault> {
        self.0.head("readiness").await.map_err(failed).map(|_| ())
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
