//! Writing once: an object is stored when the service says so, and never over another one.
//!
//! A write whose answer was lost may have happened. The next attempt then finds an object at its key,
//! and that is a success exactly when it is this object.

use base64ct::{Base64, Encoding};
use edge_types::log;
use rusty_s3::Method;
use sha2::{Digest, Sha256};

use super::{
    S3Store,
    http_client::{HttpClient, HttpResponse},
    reply,
    retry::{Attempt, retry},
    settle,
    sign::S3Request,
};
use crate::{Content, DEPLOYMENT_ID_KEY, InvalidReply, NewObject, ObjectMetadata, StoreError};

/// Objects never change, and services hand this out when they are asked directly.
const CACHE_CONTROL: &str = "public, max-age=86400";
const CHECKSUM: &str = "x-amz-checksum-sha256";
/// What the names of an object's own metadata begin with.
const METADATA: &str = "x-amz-meta-";

/// What is kept beside an object, from the answer to a `HEAD`.
pub(crate) fn metadata<B>(answer: &HttpResponse<B>) -> ObjectMetadata {
    ObjectMetadata::read(|name| answer.header(&format!("{METADATA}{name}")).map(str::to_owned))
}

impl<O: HttpClient> S3Store<O> {
    pub(crate) async fn write(&self, object: &NewObject<'_>) -> Result<(), StoreError> {
        let digest = Base64::encode_string(&object.sha256);
        let mut may_be_ours = false;
        let attempt = async |timeout_ms| {
            let until_ms = self.http_client.now_ms().saturating_add(timeout_ms);
            let writing = Writing { store: self, object, digest: &digest, until_ms };
            let step = writing.attempt(may_be_ours).await;
            may_be_ours |= matches!(step, Attempt::Retry(_));
            step
        };
        retry(&self.http_client, self.retry_policy(), attempt).await
    }
}

impl<O: HttpClient> S3Store<O> {
    /// Over what is there: unlike a picture it may be written again.
    pub(crate) async fn write_deployment_id(&self, id: &str) -> Result<(), StoreError> {
        let digest = Base64::encode_string(&Sha256::digest(id));
        let attempt = async |timeout_ms| {
            let request = S3Request::object(Method::Put, DEPLOYMENT_ID_KEY)
                .header("content-type", "text/plain")
                .header(CHECKSUM, digest.as_str())
                .body(id.as_bytes());
            match self.send(request, timeout_ms).await {
                Err(error) => Attempt::Retry(error.into()),
                Ok(answer) if answer.status == 200 => settle(reply::etag(&answer).map(|_| ())),
                Ok(answer) => reply::record_image_incident(reply::rejection(answer).await),
            }
        };
        retry(&self.http_client, self.retry_policy(), attempt).await
    }
}

/// One attempt to write one object.
struct Writing<'a, O> {
    store: &'a S3Store<O>,
    object: &'a NewObject<'a>,
    digest: &'a str,
    /// When the attempt is over, whatever it takes to make sure of it.
    until_ms: u64,
}

impl<O: HttpClient> Writing<'_, O> {
    async fn attempt(&self, may_be_ours: bool) -> Attempt<()> {
        if self.store.supports_conditional_writes.get() {
            match self.store.send(self.request().header("if-none-match", "*"), self.left_ms()).await
            {
                Err(error) => return Attempt::Retry(error.into()),
                Ok(answer) if answer.status == 501 => self.disable_conditional_writes(),
                Ok(answer) => return self.conclude(answer, may_be_ours).await,
            }
        }
        self.look_then_write(may_be_ours).await
    }

    fn left_ms(&self) -> u64 {
        self.until_ms.saturating_sub(self.store.http_client.now_ms())
    }

    fn request(&self) -> S3Request<'_> {
        let request = S3Request::object(Method::Put, self.object.key.as_str())
            .header("content-type", self.object.format.media_type())
            .header("cache-control", CACHE_CONTROL)
            .header(CHECKSUM, self.digest)
            .body(&self.object.bytes);
        self.object.metadata.pairs().into_iter().fold(request, |request, (name, value)| {
            request.header(format!("{METADATA}{name}"), value)
        })
    }

    /// Said once an isolate: from here on two writers of one key could pass each other. Keys have 122
    /// random bits, so two writers of one key do not occur.
    fn disable_conditional_writes(&self) {
        self.store.supports_conditional_writes.set(false);
        log::error("s3_knows_no_conditional_writes", &[("instead", "HEAD before PUT")]);
    }

    /// For a service that does not know conditional writes.
    async fn look_then_write(&self, may_be_ours: bool) -> Attempt<()> {
        match self.store.try_head(self.object.key.as_str(), self.left_ms()).await {
            Attempt::Done(Some(_)) => return self.taken(may_be_ours).await,
            Attempt::Done(None) => {}
            Attempt::Retry(error) => return Attempt::Retry(error),
            Attempt::Fail(error) => return Attempt::Fail(error),
        }
        match self.store.send(self.request(), self.left_ms()).await {
            Err(error) => Attempt::Retry(error.into()),
            Ok(answer) => self.conclude(answer, may_be_ours).await,
        }
    }

    async fn conclude(&self, answer: HttpResponse<O::Body>, may_be_ours: bool) -> Attempt<()> {
        match answer.status {
            200 => settle(self.receipt(&answer)),
            412 => self.taken(may_be_ours).await,
            // Another request is writing this key now, perhaps an earlier attempt that timed out.
            409 => Attempt::Retry(StoreError::Exists),
            _ => reply::record_image_incident(reply::rejection(answer).await),
        }
    }

    /// Every service answers a write with the entity tag, and those that know digests with the digest.
    fn receipt(&self, answer: &HttpResponse<O::Body>) -> Result<(), InvalidReply> {
        reply::etag(answer)?;
        match answer.header(CHECKSUM) {
            Some(digest) if digest != self.digest => Err(InvalidReply::OtherDigest),
            _ => Ok(()),
        }
    }

    async fn taken(&self, may_be_ours: bool) -> Attempt<()> {
        if !may_be_ours {
            return Attempt::Fail(StoreError::Exists);
        }
        match self.is_there().await {
            Attempt::Done(true) => Attempt::Done(()),
            Attempt::Done(false) => Attempt::Fail(StoreError::Exists),
            Attempt::Retry(error) => Attempt::Retry(error),
            Attempt::Fail(error) => Attempt::Fail(error),
        }
    }

    /// Whether exactly this object lies at its key: by the digest that the service keeps, or by
    /// reading it back where it keeps none.
    async fn is_there(&self) -> Attempt<bool> {
        let key = self.object.key.as_str();
        let request = S3Request::object(Method::Head, key).header("x-amz-checksum-mode", "ENABLED");
        let found = match self.store.send(request, self.left_ms()).await {
            Err(error) => return Attempt::Retry(error.into()),
            Ok(found) if found.status == 200 => found,
            Ok(other) => return reply::record_image_incident(reply::rejection(other).await),
        };
        let size_bytes = reply::whole(&found).map(|facts| facts.size_bytes);
        if size_bytes != Ok(self.object.bytes.len() as u64) {
            return settle(size_bytes.map(|_| false));
        }
        match found.header(CHECKSUM) {
            Some(digest) => Attempt::Done(digest == self.digest),
            None => self.reads_back().await,
        }
    }

    async fn reads_back(&self) -> Attempt<bool> {
        let size_bytes = self.object.bytes.len() as u64;
        match self.store.try_get(self.object.key.as_str(), None, self.left_ms()).await {
            Attempt::Done(None) => Attempt::Done(false),
            Attempt::Done(Some(object)) => match object.content.into_bytes(size_bytes).await {
                Ok(bytes) => {
                    Attempt::Done(<[u8; 32]>::from(Sha256::digest(bytes)) == self.object.sha256)
                }
                Err(error) => Attempt::Retry(error),
            },
            Attempt::Retry(error) => Attempt::Retry(error),
            Attempt::Fail(error) => Attempt::Fail(error),
        }
    }
}
