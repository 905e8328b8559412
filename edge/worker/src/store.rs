//! The object store of the configuration, as one type.

use std::{cell::OnceCell, rc::Rc};

use edge_api::config::{Config, Storage};
use edge_storage::{
    Description, NewObject, ObjectFacts, ObjectStore, Page, Span, StoreError, StoreKey,
    StoredObject, s3::S3Store,
};
use worker::{Env, Result};

use crate::{image_bytes::ImageBytes, r2::R2Store, runtime::Runtime};

thread_local! {
    /// One for all requests of the isolate: it remembers what the service supports.
    static S3: OnceCell<Rc<S3Store<Runtime>>> = const { OnceCell::new() };
}

pub enum Store {
    /// The R2 binding.
    R2(R2Store),
    /// An S3-compatible service.
    S3(Rc<S3Store<Runtime>>),
}

impl Store {
    /// The store of the configuration. Only R2 needs its binding.
    pub fn new(env: &Env, config: &Config) -> Result<Self> {
        Ok(match &config.storage {
            Storage::R2 => Self::R2(R2Store {
                bucket: env.bucket("IMAGES")?,
                timeout_ms: config.storage_timeout_ms,
            }),
            Storage::S3(service) => Self::S3(S3.with(|cell| {
                let store = || Rc::new(S3Store::new((**service).clone(), Runtime));
                Rc::clone(cell.get_or_init(store))
            })),
        })
    }
}

type Outcome<T> = core::result::Result<T, StoreError>;

impl ObjectStore for Store {
    type Content = ImageBytes;

    async fn put(&self, object: NewObject<'_>) -> Outcome<()> {
        match self {
            Self::R2(store) => store.put(object).await,
            Self::S3(store) => store.put(object).await,
        }
    }

    async fn head(&self, key: &dyn StoreKey) -> Outcome<Option<ObjectFacts>> {
        match self {
            Self::R2(store) => store.head(key).await,
            Self::S3(store) => store.head(key).await,
        }
    }

    async fn get(
        &self,
        key: &dyn StoreKey,
        span: Option<Span>,
    ) -> Outcome<Option<StoredObject<ImageBytes>>> {
        match self {
            Self::R2(store) => store.get(key, span).await,
            Self::S3(store) => store.get(key, span).await,
        }
    }

    async fn delete(&self, key: &dyn StoreKey) -> Outcome<()> {
        match self {
            Self::R2(store) => store.delete(key).await,
            Self::S3(store) => store.delete(key).await,
        }
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Outcome<Page> {
        match self {
            Self::R2(store) => store.list(after, limit).await,
            Self::S3(store) => store.list(after, limit).await,
        }
    }

    async fn describe(&self, key: &dyn StoreKey) -> Outcome<Option<Description>> {
        match self {
            Self::R2(store) => store.describe(key).await,
            Self::S3(store) => store.describe(key).await,
        }
    }

    async fn deployment_id(&self) -> Outcome<Option<String>> {
        match self {
            Self::R2(store) => store.deployment_id().await,
            Self::S3(store) => store.deployment_id().await,
        }
    }

    async fn set_deployment_id(&self, id: &str) -> Outcome<()> {
        match self {
            Self::R2(store) => store.set_deployment_id(id).await,
            Self::S3(store) => store.set_deployment_id(id).await,
        }
    }

    async fn probe(&self) -> Outcome<()> {
        match self {
            Self::R2(store) => store.probe().await,
            Self::S3(store) => store.probe().await,
        }
    }
}
