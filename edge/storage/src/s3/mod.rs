//! The object store on any S3-compatible service: builds and signs requests, interprets responses and retries. The transfer is
//! that of [`HttpClient`].
//!
//! One store serves all requests of an isolate, so it has no state of a single request.

mod http_client;
mod put;
mod reply;
mod retry;
mod settings;
mod sign;
#[cfg(test)]
mod tests;
mod xml;

use core::cell::Cell;

use rusty_s3::Method;

pub use http_client::{HttpBody, HttpClient, HttpError, HttpRequest, HttpResponse};
pub use settings::{Service, ServiceParts, ServiceProblem};

use super::{
    Content, DEPLOYMENT_ID_KEY, Description, InvalidReply, NewObject, ObjectFacts, ObjectStore,
    Page, Span, StoreError, StoreKey, StoredObject,
};
use retry::{Attempt, RetryPolicy, retry};
use sign::S3Request;

/// A bucket of an S3-compatible service.
pub struct S3Store<O> {
    service: Service,
    http_client: O,
    /// Whether the service supports conditional writes: assumed until its first rejection.
    supports_conditional_writes: Cell<bool>,
}

/// The most keys per listing that services allow.
const MOST_KEYS: u32 = 1000;
/// Upper bound of a listing: a thousand keys of at most 1 KiB with their attributes.
const LISTING_BYTES: usize = 4 * 1024 * 1024;

impl<O: HttpClient> S3Store<O> {
    pub const fn new(service: Service, http_client: O) -> Self {
        Self { service, http_client, supports_conditional_writes: Cell::new(true) }
    }

    async fn send(
        &self,
        request: S3Request<'_>,
        timeout_ms: u64,
    ) -> Result<HttpResponse<O::Body>, HttpError> {
        self.http_client
            .send(request.sign(&self.service, self.http_client.now_ms(), timeout_ms))
            .await
    }

    const fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::of_caller(self.service.timeout_ms)
    }

    async fn try_head(&self, key: &str, timeout_ms: u64) -> Attempt<Option<ObjectFacts>> {
        match self.send(S3Request::object(Method::Head, key), timeout_ms).await {
            Err(error) => Attempt::Retry(error.into()),
            Ok(found) if found.status == 200 => settle(reply::whole(&found).map(Some)),
            Ok(other) => reply::absent(reply::rejection(other).await),
        }
    }

    async fn try_describe(&self, key: &str, timeout_ms: u64) -> Attempt<Option<Description>> {
        match self.send(S3Request::object(Method::Head, key), timeout_ms).await {
            Err(error) => Attempt::Retry(error.into()),
            Ok(found) if found.status == 200 => settle(reply::whole(&found).map(|facts| {
                Some(Description { size_bytes: facts.size_bytes, metadata: put::metadata(&found) })
            })),
            Ok(other) => reply::absent(reply::rejection(other).await),
        }
    }

    async fn try_get(
        &self,
        key: &str,
        span: Option<Span>,
        timeout_ms: u64,
    ) -> Attempt<Option<StoredObject<O::Body>>> {
        let mut request = S3Request::object(Method::Get, key);
        if let Some((first, last)) = span.map(reply::bounds) {
            request = request.range(format!("bytes={first}-{last}"));
        }
        let found = match self.send(request, timeout_ms).await {
            Err(error) => return Attempt::Retry(error.into()),
            Ok(found) if matches!(found.status, 200 | 206) => found,
            Ok(other) => return reply::absent(reply::rejection(other).await),
        };
        let facts = match span {
            None if found.status == 200 => reply::whole(&found),
            None => Err(InvalidReply::OtherSpan),
            Some(span) => reply::part(&found, span),
        };
        settle(facts.map(|facts| Some(StoredObject { content: found.body, facts })))
    }

    async fn try_delete(&self, key: &str, timeout_ms: u64) -> Attempt<()> {
        match self.send(S3Request::object(Method::Delete, key), timeout_ms).await {
            Err(error) => Attempt::Retry(error.into()),
            Ok(done) if matches!(done.status, 200 | 204) => Attempt::Done(()),
            Ok(other) => match reply::absent(reply::rejection(other).await) {
                Attempt::Done(None::<()> | Some(())) => Attempt::Done(()),
                Attempt::Retry(error) => Attempt::Retry(error),
                Attempt::Fail(error) => Attempt::Fail(error),
            },
        }
    }

    async fn try_list(&self, after: Option<&str>, limit: u32, timeout_ms: u64) -> Attempt<Page> {
        let mut request = S3Request::bucket(Method::Get)
            .query("list-type", "2")
            .query("max-keys", limit.clamp(1, MOST_KEYS).to_string());
        if let Some(after) = after {
            request = request.query("continuation-token", after);
        }
        let found = match self.send(request, timeout_ms).await {
            Err(error) => return Attempt::Retry(error.into()),
            Ok(found) if found.status == 200 => found,
            Ok(other) => return reply::record_image_incident(reply::rejection(other).await),
        };
        match found.body.read(LISTING_BYTES).await {
            Err(error) => Attempt::Retry(error.into()),
            Ok(document) => settle(page(&String::from_utf8_lossy(&document))),
        }
    }
}

/// Does not retry an invalid reply, because the next one would be the same.
fn settle<T>(outcome: Result<T, InvalidReply>) -> Attempt<T> {
    match outcome {
        Ok(value) => Attempt::Done(value),
        Err(doubt) => Attempt::Fail(StoreError::InvalidReply(doubt)),
    }
}

/// The keys of a listing. A document that is no listing is an error, not an empty bucket.
fn page(document: &str) -> Result<Page, InvalidReply> {
    let listing = document.split_once("<ListBucketResult").map(|(_, listing)| listing);
    let listing = listing.and_then(|listing| listing.split_once("</ListBucketResult>"));
    let (listing, _) = listing.ok_or(InvalidReply::NoListing)?;
    let keys = xml::texts(listing, "Key").collect();
    let is_truncated = xml::first(listing, "IsTruncated").is_some_and(|text| text == "true");
    let next = xml::first(listing, "NextContinuationToken").filter(|_| is_truncated);
    if is_truncated && next.is_none() {
        return Err(InvalidReply::NoListing);
    }
    Ok(Page { keys, next })
}

impl<O: HttpClient> ObjectStore for S3Store<O> {
    type Content = O::Body;

    async fn put(&self, object: NewObject<'_>) -> Result<(), StoreError> {
        self.write(&object).await
    }

    async fn head(&self, key: &dyn StoreKey) -> Result<Option<ObjectFacts>, StoreError> {
        let attempt = async |timeout_ms| self.try_head(key.as_str(), timeout_ms).await;
        retry(&self.http_client, self.retry_policy(), attempt).await
    }

    async fn get(
        &self,
        key: &dyn StoreKey,
        span: Option<Span>,
    ) -> Result<Option<StoredObject<O::Body>>, StoreError> {
        let attempt = async |timeout_ms| self.try_get(key.as_str(), span, timeout_ms).await;
        retry(&self.http_client, self.retry_policy(), attempt).await
    }

    async fn delete(&self, key: &dyn StoreKey) -> Result<(), StoreError> {
        let attempt = async |timeout_ms| self.try_delete(key.as_str(), timeout_ms).await;
        retry(&self.http_client, self.retry_policy(), attempt).await
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page, StoreError> {
        let attempt = async |timeout_ms| self.try_list(after, limit, timeout_ms).await;
        retry(&self.http_client, self.retry_policy(), attempt).await
    }

    async fn describe(&self, key: &dyn StoreKey) -> Result<Option<Description>, StoreError> {
        let attempt = async |timeout_ms| self.try_describe(key.as_str(), timeout_ms).await;
        retry(&self.http_client, self.retry_policy(), attempt).await
    }

    async fn deployment_id(&self) -> Result<Option<String>, StoreError> {
        let attempt = async |timeout_ms| self.try_get(DEPLOYMENT_ID_KEY, None, timeout_ms).await;
        let Some(object) = retry(&self.http_client, self.retry_policy(), attempt).await? else {
            return Ok(None);
        };
        let bytes = object.content.into_bytes(object.facts.size_bytes).await?;
        Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()))
    }

    async fn set_deployment_id(&self, id: &str) -> Result<(), StoreError> {
        self.write_deployment_id(id).await
    }

    /// Lists one key, because its error has a cause, unlike that of `HEAD` for the bucket.
    async fn probe(&self) -> Result<(), StoreError> {
        let attempt = async |timeout_ms| self.try_list(None, 1, timeout_ms).await;
        retry(&self.http_client, RetryPolicy::of_probe(self.service.timeout_ms), attempt)
            .await
            .map(|_| ())
    }
}
