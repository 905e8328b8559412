//! Writing once: an object is stored when the service says so, and never over another one.
//!
//! A write whose answer was lost may have happened. The next attempt then finds an object at its key,
//! and that is a success exactly when it is this object.

use base64ct::{Base64, Encoding};
use rusty_s3::Method;
use sha2::{Digest, Sha256};

use super::{
    S3Store, answer,
    outside::{HttpAnswer, Outside},
    retry::{Step, persist},
    settle,
    sign::Call,
};
use crate::{
    log,
    storage::{Content, DEPLOYMENT_ID_KEY, Doubt, NewObject, ObjectMetadata, StoreFault},
};

/// Objects never change, and services hand this out when they are asked directly.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const CHECKSUM: &str = "x-amz-checksum-sha256";
/// What the names of an object's own metadata begin with.
const METADATA: &str = "x-amz-meta-";

/// What is kept beside an object, from the answer to a `HEAD`.
pub(super) fn metadata<B>(answer: &HttpAnswer<B>) -> ObjectMetadata {
    ObjectMetadata::read(|name| answer.header(&format!("{METADATA}{name}")).map(str::to_owned))
}

impl<O: Outside> S3Store<O> {
    pub(super) async fn write(&self, object: &NewObject<'_>) -> Result<(), StoreFault> {
        let digest = Base64::encode_string(&object.sha256);
        let mut may_be_ours = false;
        let attempt = async |timeout_ms| {
            let until_ms = self.outside.now_ms().saturating_add(timeout_ms);
            let writing = Writing { store: self, object, digest: &digest, until_ms };
            let step = writing.attempt(may_be_ours).await;
            may_be_ours |= matches!(step, Step::Again(_));
            step
        };
        persist(&self.outside, self.patience(), attempt).await
    }
}

impl<O: Outside> S3Store<O> {
    /// Over what is there: unlike a picture it may be written again.
    pub(super) async fn write_deployment_id(&self, id: &str) -> Result<(), StoreFault> {
        let digest = Base64::encode_string(&Sha256::digest(id));
        let attempt = async |timeout_ms| {
            let call = Call::object(Method::Put, DEPLOYMENT_ID_KEY)
                .header("content-type", "text/plain")
                .header(CHECKSUM, digest.as_str())
                .body(id.as_bytes());
            match self.send(call, timeout_ms).await {
                Err(fault) => Step::Again(fault.into()),
                Ok(answer) if answer.status == 200 => settle(answer::etag(&answer).map(|_| ())),
                Ok(answer) => answer::judge(answer::rejection(answer).await),
            }
        };
        persist(&self.outside, self.patience(), attempt).await
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

impl<O: Outside> Writing<'_, O> {
    async fn attempt(&self, may_be_ours: bool) -> Step<()> {
        if self.store.knows_conditions.get() {
            match self.store.send(self.call().header("if-none-match", "*"), self.left_ms()).await {
                Err(fault) => return Step::Again(fault.into()),
                Ok(answer) if answer.status == 501 => self.unlearn(),
                Ok(answer) => return self.conclude(answer, may_be_ours).await,
            }
        }
        self.look_then_write(may_be_ours).await
    }

    fn left_ms(&self) -> u64 {
        self.until_ms.saturating_sub(self.store.outside.now_ms())
    }

    fn call(&self) -> Call<'_> {
        let call = Call::object(Method::Put, self.object.key.as_str())
            .header("content-type", self.object.format.media_type())
            .header("cache-control", IMMUTABLE)
            .header(CHECKSUM, self.digest)
            .body(&self.object.bytes);
        self.object
            .metadata
            .pairs()
            .into_iter()
            .fold(call, |call, (name, value)| call.header(format!("{METADATA}{name}"), value))
    }

    /// Said once an isolate: from here on two writers of one key could pass each other. Keys have 122
    /// random bits, so two writers of one key do not occur.
    fn unlearn(&self) {
        self.store.knows_conditions.set(false);
        log::error("s3_knows_no_conditional_writes", &[("instead", "HEAD before PUT")]);
    }

    /// For a service that does not know conditional writes.
    async fn look_then_write(&self, may_be_ours: bool) -> Step<()> {
        match self.store.try_head(self.object.key.as_str(), self.left_ms()).await {
            Step::Done(Some(_)) => return self.taken(may_be_ours).await,
            Step::Done(None) => {}
            Step::Again(fault) => return Step::Again(fault),
            Step::Stop(fault) => return Step::Stop(fault),
        }
        match self.store.send(self.call(), self.left_ms()).await {
            Err(fault) => Step::Again(fault.into()),
            Ok(answer) => self.conclude(answer, may_be_ours).await,
        }
    }

    async fn conclude(&self, answer: HttpAnswer<O::Body>, may_be_ours: bool) -> Step<()> {
        match answer.status {
            200 => settle(self.receipt(&answer)),
            412 => self.taken(may_be_ours).await,
            // Somebody is writing this key right now, perhaps an attempt of ours that was given up.
            409 => Step::Again(StoreFault::Exists),
            _ => answer::judge(answer::rejection(answer).await),
        }
    }

    /// Every service answers a write with the entity tag, and those that know digests with the digest.
    fn receipt(&self, answer: &HttpAnswer<O::Body>) -> Result<(), Doubt> {
        answer::etag(answer)?;
        match answer.header(CHECKSUM) {
            Some(digest) if digest != self.digest => Err(Doubt::OtherDigest),
            _ => Ok(()),
        }
    }

    async fn taken(&self, may_be_ours: bool) -> Step<()> {
        if !may_be_ours {
            return Step::Stop(StoreFault::Exists);
        }
        match self.is_there().await {
            Step::Done(true) => Step::Done(()),
            Step::Done(false) => Step::Stop(StoreFault::Exists),
            Step::Again(fault) => Step::Again(fault),
            Step::Stop(fault) => Step::Stop(fault),
        }
    }

    /// Whether exactly this object lies at its key: by the digest that the service keeps, or by
    /// reading it back where it keeps none.
    async fn is_there(&self) -> Step<bool> {
        let key = self.object.key.as_str();
        let call = Call::object(Method::Head, key).header("x-amz-checksum-mode", "ENABLED");
        let found = match self.store.send(call, self.left_ms()).await {
            Err(fault) => return Step::Again(fault.into()),
            Ok(found) if found.status == 200 => found,
            Ok(other) => return answer::judge(answer::rejection(other).await),
        };
        let size_bytes = answer::whole(&found).map(|facts| facts.size_bytes);
        if size_bytes != Ok(self.object.bytes.len() as u64) {
            return settle(size_bytes.map(|_| false));
        }
        match found.header(CHECKSUM) {
            Some(digest) => Step::Done(digest == self.digest),
            None => self.reads_back().await,
        }
    }

    async fn reads_back(&self) -> Step<bool> {
        match self.store.try_get(self.object.key.as_str(), None, self.left_ms()).await {
            Step::Done(None) => Step::Done(false),
            Step::Done(Some(object)) => match object.content.into_bytes().await {
                Ok(bytes) => {
                    Step::Done(<[u8; 32]>::from(Sha256::digest(bytes)) == self.object.sha256)
                }
                Err(fault) => Step::Again(fault),
            },
            Step::Again(fault) => Step::Again(fault),
            Step::Stop(fault) => Step::Stop(fault),
        }
    }
}
