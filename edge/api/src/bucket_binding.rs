//! Binds the bucket to the database: both hold the id of the deployment. With another bucket, or an empty one, all objects
//! seem to be missing, and nothing may be removed because of that.
//!
//! The id is written only while there is nothing to lose (no row, no image), or when an administrator says so.

use edge_registry::ImageStore;
use edge_storage::{BucketBinding, ObjectKey, ObjectStore, StoreError};

use crate::{app::App, error::InternalError, ports::Ports};

/// How many keys are listed to see that a bucket holds no image.
const KEYS: u32 = 100;

/// Compares the ids. A new deployment gets one.
///
/// # Errors
/// A database or store that fails.
pub async fn check<P: Ports>(app: &App<P>) -> Result<BucketBinding, InternalError> {
    let database_id = app.ports.registry().deployment_id().await?;
    let bucket_id = match app.ports.store().deployment_id().await {
        Err(StoreError::Denied(_)) => return Ok(BucketBinding::Unreadable),
        bucket_id => bucket_id?,
    };
    if bucket_id.is_none() && is_new(app).await? {
        bind(app).await?;
        return Ok(BucketBinding::Bound);
    }
    Ok(BucketBinding::compare(database_id.as_deref(), bucket_id.as_deref()))
}

/// Binds the bucket of a new deployment before its first image is stored. A component that fails here also fails the
/// upload, or the sweep reports what is missing.
pub async fn ensure<P: Ports>(app: &App<P>) {
    if app.isolate.is_binding_decided.get() {
        return;
    }
    let is_decided = match app.ports.registry().deployment_id().await {
        Ok(Some(_)) => true,
        Ok(None) => check(app).await.is_ok(),
        Err(_) => false,
    };
    app.isolate.is_binding_decided.set(is_decided);
}

/// Writes the same id to both: that of the database, or a new one. A bucket that had another id is taken over, which the
/// other deployment notices.
///
/// # Errors
/// A database or store that fails; a retry continues.
pub async fn bind<P: Ports>(app: &App<P>) -> Result<(), InternalError> {
    let new = uuid::Builder::from_random_bytes(app.ports.random()).into_uuid().to_string();
    // The database first: of concurrent calls all write the one id that it has then.
    let id = app.ports.registry().bind_deployment(&new, app.ports.now_ms()).await?;
    Ok(app.ports.store().set_deployment_id(&id).await?)
}

async fn is_new<P: Ports>(app: &App<P>) -> Result<bool, InternalError> {
    if !app.ports.registry().images_after(0, 1).await?.is_empty() {
        return Ok(false);
    }
    let page = app.ports.store().list(None, KEYS).await?;
    Ok(page.keys.iter().all(|key| ObjectKey::parse(key).is_none()))
}
