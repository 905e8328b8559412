//! The object store on any S3-compatible service. It builds and signs requests, judges answers and
//! tries again; how bytes travel is the business of [`Outside`].
//!
//! One store serves all requests of an isolate: it holds nothing that belongs to a single one.

mod answer;
mod outside;
mod put;
mod retry;
mod settings;
mod sign;
#[cfg(test)]
mod tests;
mod xml;

use core::cell::Cell;

use rusty_s3::Method;

pub use outside::{HttpAnswer, HttpBody, HttpFault, HttpRequest, Outside};
pub use settings::{Service, ServiceParts, ServiceProblem};

use super::{
    Content, DEPLOYMENT_ID_KEY, Description, Doubt, NewObject, ObjectFacts, ObjectKey, ObjectStore,
    Page, Span, StoreFault, StoredObject,
};
use retry::{Patience, Step, persist};
use sign::Call;

/// A bucket of an S3-compatible service.
pub struct S3Store<O> {
    service: Service,
    outside: O,
    /// Whether the service is thought to know conditional writes; unlearned at its first refusal.
    knows_conditions: Cell<bool>,
}

/// All keys of ours begin with it.
const PREFIX: &str = "users/";
/// The most that services list at once.
const MOST_KEYS: u32 = 1000;
/// A thousand keys of at most 1 KiB with what is said about each: a listing is never longer.
const LISTING_BYTES: usize = 4 * 1024 * 1024;

impl<O: Outside> S3Store<O> {
    /// On this bucket.
    pub const fn new(service: Service, outside: O) -> Self {
        Self { service, outside, knows_conditions: Cell::new(true) }
    }

    async fn send(
        &self,
        call: Call<'_>,
        timeout_ms: u64,
    ) -> Result<HttpAnswer<O::Body>, HttpFault> {
        self.outside.send(call.sign(&self.service, self.outside.now_ms(), timeout_ms)).await
    }

    const fn patience(&self) -> Patience {
        Patience::of_caller(self.service.timeout_ms)
    }

    async fn try_head(&self, key: &str, timeout_ms: u64) -> Step<Option<ObjectFacts>> {
        match self.send(Call::object(Method::Head, key), timeout_ms).await {
            Err(fault) => Step::Again(fault.into()),
            Ok(found) if found.status == 200 => settle(answer::whole(&found).map(Some)),
            Ok(other) => answer::absent(answer::rejection(other).await),
        }
    }

    async fn try_describe(&self, key: &str, timeout_ms: u64) -> Step<Option<Description>> {
        match self.send(Call::object(Method::Head, key), timeout_ms).await {
            Err(fault) => Step::Again(fault.into()),
            Ok(found) if found.status == 200 => settle(answer::whole(&found).map(|facts| {
                Some(Description { size_bytes: facts.size_bytes, metadata: put::metadata(&found) })
            })),
            Ok(other) => answer::absent(answer::rejection(other).await),
        }
    }

    async fn try_get(
        &self,
        key: &str,
        span: Option<Span>,
        timeout_ms: u64,
    ) -> Step<Option<StoredObject<O::Body>>> {
        let mut call = Call::object(Method::Get, key);
        if let Some((first, last)) = span.map(answer::bounds) {
            call = call.range(format!("bytes={first}-{last}"));
        }
        let found = match self.send(call, timeout_ms).await {
            Err(fault) => return Step::Again(fault.into()),
            Ok(found) if matches!(found.status, 200 | 206) => found,
            Ok(other) => return answer::absent(answer::rejection(other).await),
        };
        let facts = match span {
            None if found.status == 200 => answer::whole(&found),
            None => Err(Doubt::OtherSpan),
            Some(span) => answer::part(&found, span),
        };
        settle(facts.map(|facts| Some(StoredObject { content: found.body, facts })))
    }

    async fn try_delete(&self, key: &str, timeout_ms: u64) -> Step<()> {
        match self.send(Call::object(Method::Delete, key), timeout_ms).await {
            Err(fault) => Step::Again(fault.into()),
            Ok(done) if matches!(done.status, 200 | 204) => Step::Done(()),
            Ok(other) => match answer::absent(answer::rejection(other).await) {
                Step::Done(None::<()> | Some(())) => Step::Done(()),
                Step::Again(fault) => Step::Again(fault),
                Step::Stop(fault) => Step::Stop(fault),
            },
        }
    }

    async fn try_list(&self, after: Option<&str>, limit: u32, timeout_ms: u64) -> Step<Page> {
        let mut call = Call::bucket(Method::Get)
            .query("list-type", "2")
            .query("prefix", PREFIX)
            .query("max-keys", limit.clamp(1, MOST_KEYS).to_string());
        if let Some(after) = after {
            call = call.query("continuation-token", after);
        }
        let found = match self.send(call, timeout_ms).await {
            Err(fault) => return Step::Again(fault.into()),
            Ok(found) if found.status == 200 => found,
            Ok(other) => return answer::judge(answer::rejection(other).await),
        };
        match found.body.read(LISTING_BYTES).await {
            Err(fault) => Step::Again(fault.into()),
            Ok(document) => settle(page(&String::from_utf8_lossy(&document))),
        }
    }
}

/// An answer that cannot be right would be no better the next time.
fn settle<T>(outcome: Result<T, Doubt>) -> Step<T> {
    match outcome {
        Ok(value) => Step::Done(value),
        Err(doubt) => Step::Stop(StoreFault::Untrusted(doubt)),
    }
}

/// The keys of a listing; an empty bucket is told apart from a document that is something else.
fn page(document: &str) -> Result<Page, Doubt> {
    let listing = document.split_once("<ListBucketResult").map(|(_, listing)| listing);
    let listing = listing.and_then(|listing| listing.split_once("</ListBucketResult>"));
    let (listing, _) = listing.ok_or(Doubt::NoListing)?;
    let keys = xml::texts(listing, "Key").collect();
    let is_truncated = xml::first(listing, "IsTruncated").is_some_and(|text| text == "true");
    let next = xml::first(listing, "NextContinuationToken").filter(|_| is_truncated);
    if is_truncated && next.is_none() {
        return Err(Doubt::NoListing);
    }
    Ok(Page { keys, next })
}

impl<O: Outside> ObjectStore for S3Store<O> {
    type Content = O::Body;

    async fn put(&self, object: NewObject<'_>) -> Result<(), StoreFault> {
        self.write(&object).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectFacts>, StoreFault> {
        let attempt = async |timeout_ms| self.try_head(key.as_str(), timeout_ms).await;
        persist(&self.outside, self.patience(), attempt).await
    }

    async fn get(
        &self,
        key: &ObjectKey,
        span: Option<Span>,
    ) -> Result<Option<StoredObject<O::Body>>, StoreFault> {
        let attempt = async |timeout_ms| self.try_get(key.as_str(), span, timeout_ms).await;
        persist(&self.outside, self.patience(), attempt).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreFault> {
        let attempt = async |timeout_ms| self.try_delete(key.as_str(), timeout_ms).await;
        persist(&self.outside, self.patience(), attempt).await
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page, StoreFault> {
        let attempt = async |timeout_ms| self.try_list(after, limit, timeout_ms).await;
        persist(&self.outside, self.patience(), attempt).await
    }

    async fn describe(&self, key: &ObjectKey) -> Result<Option<Description>, StoreFault> {
        let attempt = async |timeout_ms| self.try_describe(key.as_str(), timeout_ms).await;
        persist(&self.outside, self.patience(), attempt).await
    }

    async fn deployment_id(&self) -> Result<Option<String>, StoreFault> {
        let attempt = async |timeout_ms| self.try_get(DEPLOYMENT_ID_KEY, None, timeout_ms).await;
        let Some(object) = persist(&self.outside, self.patience(), attempt).await? else {
            return Ok(None);
        };
        let bytes = object.content.into_bytes().await?;
        Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()))
    }

    async fn set_deployment_id(&self, id: &str) -> Result<(), StoreFault> {
        self.write_deployment_id(id).await
    }

    /// Lists one key: unlike `HEAD` of the bucket, the answer says what is wrong.
    async fn probe(&self) -> Result<(), StoreFault> {
        let attempt = async |timeout_ms| self.try_list(None, 1, timeout_ms).await;
        persist(&self.outside, Patience::of_probe(self.service.timeout_ms), attempt)
            .await
            .map(|_| ())
    }
}
