//! Restores the row of an object: from its key, its metadata, and where these are incomplete from its bytes.

use edge_registry::{NewImage, Registry};
use edge_storage::{Content, Held, ObjectKey, ObjectMetadata, ObjectStore};
use edge_types::{hex, log};
use image_rules::inspect_as;

use crate::{app::App, concurrency::Client, error::InternalError, ports::Ports};

/// Registers an object; whether it has a row now. The owner is the one in the key: only the lost row knew who claimed
/// the image later.
pub async fn register<P: Ports>(app: &App<P>, key: &ObjectKey) -> Result<bool, InternalError> {
    let (Some(owner), Some(format)) = (key.owner(), key.format()) else { return Ok(false) };
    let Some(found) = app.ports.store().describe(key).await? else { return Ok(false) };
    let metadata = match found.metadata {
        metadata @ ObjectMetadata { sha256: Some(_), width: Some(_), height: Some(_), .. } => {
            metadata
        }
        metadata => complete_from_bytes(app, key, found.size_bytes, metadata).await?,
    };
    let ObjectMetadata { sha256: Some(sha256), width: Some(width), height: Some(height), .. } =
        &metadata
    else {
        return Ok(false);
    };
    let public = key.public();
    let image = NewImage {
        key: if metadata.held == Some(Held::Public) { &public } else { key },
        owner: &owner,
        form_id: metadata.form_id.as_deref(),
        format,
        width: *width,
        height: *height,
        size_bytes: found.size_bytes,
        sha256,
        original_name: metadata.original_name.as_deref(),
        // One of a private form that was released is reviewed again: its object stays as it is.
        is_held: metadata.held.is_some() && key.is_private(),
        // The object does not have it.
        placeholder: None,
        created_ms: key.written_ms(),
    };
    app.ports.registry().add(image).await?;
    Ok(true)
}

/// Reads the object. What is no image, or exceeds the limits of today, stays incomplete.
async fn complete_from_bytes<P: Ports>(
    app: &App<P>,
    key: &ObjectKey,
    size_bytes: u64,
    metadata: ObjectMetadata,
) -> Result<ObjectMetadata, InternalError> {
    let Some(format) = key.format() else { return Ok(metadata) };
    if size_bytes > app.config.policy.limits.max_bytes {
        return Ok(metadata);
    }
    // Without memory for it now, a later run retries.
    let Ok(lease) = app.scheduler().reserve_body(&Client::default(), size_bytes, None).await else {
        return Ok(metadata);
    };
    let Some(object) = app.ports.store().get(key, None).await? else { return Ok(metadata) };
    let bytes = object.content.into_bytes(size_bytes).await?;
    let report = inspect_as(&bytes, format, &app.config.policy);
    let digest = app.ports.sha256(&bytes).await;
    drop((bytes, lease));
    Ok(match report {
        Ok(report) => {
            let (width, height) = report.upright_size();
            let (width, height) = (Some(width), Some(height));
            ObjectMetadata { sha256: Some(hex::encode(&digest)), width, height, ..metadata }
        }
        Err(error) => {
            log::info("object_unregistered", &[("code", error.code().name())]);
            metadata
        }
    })
}
