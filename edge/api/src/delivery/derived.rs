//! Derived pictures in the store: each is made once, by the isolate that gets its lease from the ledger of the original's
//! owner. Without one, or when the ledger does not answer, readers get the original.

use edge_ledger::{DeriveImage, DerivedOutcome, DerivedStatus, EndDerivation, LedgerClient};
use edge_storage::{
    Content, DerivedKey, NewObject, ObjectKey, ObjectMetadata, ObjectStore, StoreError,
    StoredObject,
};
use edge_types::log;
use image_rules::{Code, Format};

use super::{
    derive::{Derived, derive},
    recipe::{Recipe, known_format},
};
use crate::{
    app::App,
    concurrency::Client,
    error::{ApiError, InternalError},
    ports::{EdgeCache, Picture, Ports, StoreContent},
};

/// A lease covers the time that reading and writing the store take at most, two and a half times the timeout of one call
/// each, and this for the work between: a minute with the default timeout.
const WORK_MS: u64 = 10_000;

/// What a request gets instead of the original.
pub enum Obtained<C> {
    Derived(Picture<C>),
    /// The whole original, if the store was asked for it.
    Original(Option<StoredObject<C>>),
    /// The same for now: somebody else is making the picture, or it cannot be made at this moment.
    OriginalForNow(Option<StoredObject<C>>),
}

/// One derived picture.
pub struct DerivedRequest<'a, P> {
    pub app: &'a App<P>,
    pub key: &'a ObjectKey,
    /// The format of the original.
    pub source: Format,
    pub recipe: &'a Recipe,
    /// The name of the recipe.
    pub name: &'a str,
    pub client: Client,
}

impl<P: Ports> DerivedRequest<'_, P> {
    /// From the store, or made now.
    ///
    /// # Errors
    /// `IMAGE_NOT_FOUND`; a store that fails.
    pub async fn obtain(&self) -> Result<Obtained<StoreContent<P>>, ApiError> {
        // The ledger is asked only where the key of the object is not known.
        let known = match known_format(self.source, self.recipe.output) {
            Some(format) => DerivedStatus::Stored(format),
            None => self.ask(None).await,
        };
        match known {
            DerivedStatus::Stored(format) => {
                if let Some(picture) = self.read(format).await? {
                    return Ok(Obtained::Derived(picture));
                }
            }
            DerivedStatus::Original => return Ok(Obtained::Original(None)),
            DerivedStatus::Gone => return Err(Code::ImageNotFound.into()),
            DerivedStatus::Unknown | DerivedStatus::Underway | DerivedStatus::Make { .. } => {}
        }
        // Before a lease is written: a picture that is missing leaves no trace.
        let store = self.app.ports.store();
        let original = store.get(self.key, None).await?.ok_or(Code::ImageNotFound)?;
        match self.ask(Some(self.lease_ms())).await {
            DerivedStatus::Make { until_ms } => self.make(original, until_ms).await,
            DerivedStatus::Stored(format) => {
                if let Some(picture) = self.read(format).await? {
                    return Ok(Obtained::Derived(picture));
                }
                // Somebody has deleted it from the bucket. The next request makes it again.
                self.end(DerivedOutcome::Abandoned).await;
                Ok(Obtained::OriginalForNow(Some(original)))
            }
            DerivedStatus::Gone => Err(Code::ImageNotFound.into()),
            DerivedStatus::Original => Ok(Obtained::Original(Some(original))),
            DerivedStatus::Underway | DerivedStatus::Unknown => {
                Ok(Obtained::OriginalForNow(Some(original)))
            }
        }
    }

    fn lease_ms(&self) -> u64 {
        self.app.config.storage_timeout_ms * 5 + WORK_MS
    }

    /// [`DerivedStatus::Unknown`] when the ledger does not answer: the original can be shown all the same.
    async fn ask(&self, lease_ms: Option<u64>) -> DerivedStatus {
        let command = DeriveImage { key: self.key.clone(), name: self.name.to_owned(), lease_ms };
        let Some(owner) = self.key.owner() else { return DerivedStatus::Unknown };
        let status = self.app.ports.ledger().send_to_user(&owner, command).await;
        status.unwrap_or_else(|error| {
            log::error("derivation_unknown", &[("cause", &error.to_string())]);
            DerivedStatus::Unknown
        })
    }

    /// Whether the original is still there.
    async fn end(&self, outcome: DerivedOutcome) -> bool {
        let Some(owner) = self.key.owner() else { return true };
        let command = EndDerivation { key: self.key.clone(), name: self.name.to_owned(), outcome };
        let is_wanted = self.app.ports.ledger().send_to_user(&owner, command).await;
        is_wanted.unwrap_or_else(|error| {
            // The lease ends by itself, and the removal of the original deletes what was written.
            log::error("derivation_unknown", &[("cause", &error.to_string())]);
            true
        })
    }

    async fn read(&self, format: Format) -> Result<Option<Picture<StoreContent<P>>>, ApiError> {
        let key = DerivedKey::new(self.key, self.name, format);
        let found = self.app.ports.store().get(&key, None).await?;
        Ok(found.map(|StoredObject { content, facts }| Picture { content, facts, format }))
    }

    async fn make(
        &self,
        original: StoredObject<StoreContent<P>>,
        until_ms: u64,
    ) -> Result<Obtained<StoreContent<P>>, ApiError> {
        let derived = match self.derive(original).await {
            Ok(Some(derived)) => derived,
            Ok(None) => {
                self.end(DerivedOutcome::Original).await;
                return Ok(Obtained::Original(None));
            }
            // A page of many new sizes does not wait for all of them.
            Err(ApiError::Client(problem)) if problem.code == Code::Busy => {
                self.end(DerivedOutcome::Abandoned).await;
                return Ok(Obtained::OriginalForNow(None));
            }
            Err(ApiError::Client(problem)) => {
                log::error("derivation_failed", &[("cause", problem.code.name())]);
                self.end(DerivedOutcome::Failed).await;
                return Ok(Obtained::Original(None));
            }
            Err(error) => {
                self.end(DerivedOutcome::Abandoned).await;
                return Err(error);
            }
        };
        Ok(self.store(derived, until_ms).await.map_or(Obtained::Original(None), Obtained::Derived))
    }

    async fn derive(
        &self,
        original: StoredObject<StoreContent<P>>,
    ) -> Result<Option<Derived>, ApiError> {
        let app = self.app;
        let size_bytes = original.facts.size_bytes;
        let memory = app.scheduler().reserve_body(&self.client, size_bytes, None).await?;
        let original = original.content.into_bytes(size_bytes).await?;
        derive(app, original, self.recipe, &memory).await
    }

    /// Stores what was derived. If that fails, the reader gets it all the same. [`None`] if the original was removed or moved
    /// meanwhile.
    async fn store(&self, derived: Derived, until_ms: u64) -> Option<Picture<StoreContent<P>>> {
        let (ports, format) = (&self.app.ports, derived.format);
        let facts = derived.facts();
        let key = DerivedKey::new(self.key, self.name, format);
        let object = NewObject {
            key: &key,
            bytes: derived.bytes.clone(),
            format,
            sha256: derived.sha256,
            metadata: ObjectMetadata::default(),
        };
        let written = if ports.now_ms() < until_ms {
            ports.store().put(object).await.map_err(InternalError::from)
        } else {
            Err(InternalError::from(StoreError::Timeout))
        };
        let outcome = match written {
            // Written by an attempt that counted as failed: a recipe always makes the same bytes.
            Ok(()) | Err(InternalError::Store(StoreError::Exists)) => {
                DerivedOutcome::Stored(format)
            }
            Err(error) => {
                log::error("derivation_unstored", &[("cause", &error.to_string())]);
                DerivedOutcome::Abandoned
            }
        };
        if !self.end(outcome).await {
            // The removal of the original deletes it as well; this is earlier.
            if let Err(error) = ports.store().delete(&key).await {
                log::error("removal_failed", &[("cause", &error.to_string())]);
            }
            return None;
        }
        // The entity tag that later readers get.
        let stored = ports.store().head(&key).await.ok().flatten();
        let content = ports.edge_cache().content(derived.bytes);
        Some(Picture { content, facts: stored.unwrap_or(facts), format })
    }
}
