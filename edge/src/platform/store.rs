//! The object store that the configuration names, behind one type.

use std::{cell::OnceCell, rc::Rc};

use worker::{Env, Response, ResponseBody, Result};

use super::{
    r2::{R2Content, R2Store},
    s3::{FetchedBody, Fetcher},
};
use crate::{
    config::{Config, Storage},
    storage::{
        Content, NewObject, ObjectFacts, ObjectKey, ObjectStore, Page, Span, StoreFault,
        StoredObject, s3::S3Store,
    },
};

thread_local! {
    /// What an isolate learned about its service is kept for its next request.
    static S3: OnceCell<Rc<S3Store<Fetcher>>> = const { OnceCell::new() };
}

/// One of the stores.
pub enum Store {
    /// The R2 binding.
    R2(R2Store),
    /// An S3-compatible service.
    S3(Rc<S3Store<Fetcher>>),
}

impl Store {
    /// The one that the configuration names; only R2 needs its binding.
    pub fn new(env: &Env, config: &Config) -> Result<Self> {
        Ok(match &config.storage {
            Storage::R2 => Self::R2(R2Store {
                bucket: env.bucket("IMAGES")?,
                timeout_ms: config.storage_timeout_ms,
            }),
            Storage::S3(service) => Self::S3(S3.with(|cell| {
                let store = || Rc::new(S3Store::new((**service).clone(), Fetcher));
                Rc::clone(cell.get_or_init(store))
            })),
        })
    }
}

/// A stored picture of one of the stores.
pub enum StoredBytes {
    /// From R2.
    R2(R2Content),
    /// From an S3-compatible service.
    S3(FetchedBody),
    /// Kept near the caller, or made here.
    Copy(ResponseBody),
}

impl StoredBytes {
    /// For the caller, to whom it streams without passing through our memory.
    pub fn into_stream(self) -> ResponseBody {
        match self {
            Self::R2(content) => content.body,
            Self::S3(content) => content.into_stream(),
            Self::Copy(body) => body,
        }
    }
}

impl Content for StoredBytes {
    async fn into_bytes(self) -> core::result::Result<Vec<u8>, StoreFault> {
        match self {
            Self::R2(content) => content.into_bytes().await,
            Self::S3(content) => content.into_bytes().await,
            Self::Copy(ResponseBody::Body(bytes)) => Ok(bytes),
            Self::Copy(body) => {
                let failed = |error: worker::Error| StoreFault::Failed(error.to_string());
                Response::from_body(body).map_err(failed)?.bytes().await.map_err(failed)
            }
        }
    }
}

type Outcome<T> = core::result::Result<T, StoreFault>;

impl ObjectStore for Store {
    type Content = StoredBytes;

    async fn put(&self, object: NewObject<'_>) -> Outcome<()> {
        match self {
            Self::R2(store) => store.put(object).await,
            Self::S3(store) => store.put(object).await,
        }
    }

    async fn head(&self, key: &ObjectKey) -> Outcome<Option<ObjectFacts>> {
        match self {
            Self::R2(store) => store.head(key).await,
            Self::S3(store) => store.head(key).await,
        }
    }

    async fn get(
        &self,
        key: &ObjectKey,
        span: Option<Span>,
    ) -> Outcome<Option<StoredObject<StoredBytes>>> {
        Ok(match self {
            Self::R2(store) => store.get(key, span).await?.map(|found| found.map(StoredBytes::R2)),
            Self::S3(store) => store.get(key, span).await?.map(|found| found.map(StoredBytes::S3)),
        })
    }

    async fn delete(&self, key: &ObjectKey) -> Outcome<()> {
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

    async fn probe(&self) -> Outcome<()> {
        match self {
            Self::R2(store) => store.probe().await,
            Self::S3(store) => store.probe().await,
        }
    }
}
