//! Makes the row of an object again: from its key, from what was stored beside it, and where that is
//! missing from its bytes.

use image_rules::inspect_as;

use super::SweepFault;
use crate::{
    app::{App, Ports},
    log,
    memory::{Purpose, reserve},
    registry::{NewRow, Registry},
    storage::{Content, ObjectKey, ObjectMetadata, ObjectStore},
    upload::hexadecimal,
};

/// Registers an object; whether it has a row now. The owner is the one in the key: who claimed the picture
/// later is known to the lost row only.
pub(super) async fn register<P: Ports>(app: &App<P>, key: &ObjectKey) -> Result<bool, SweepFault> {
    let (Some(owner), Some(format)) = (key.owner(), key.format()) else { return Ok(false) };
    let Some(found) = app.ports.store().describe(key).await? else { return Ok(false) };
    let kept = match found.metadata {
        kept @ ObjectMetadata { sha256: Some(_), width: Some(_), height: Some(_), .. } => kept,
        kept => look_into(app, key, found.size_bytes, kept).await?,
    };
    let ObjectMetadata { sha256: Some(sha256), width: Some(width), height: Some(height), .. } =
        &kept
    else {
        return Ok(false);
    };
    let row = NewRow {
        key,
        owner: &owner,
        form_id: kept.form_id.as_deref(),
        format,
        width: *width,
        height: *height,
        size_bytes: found.size_bytes,
        sha256,
        original_name: kept.original_name.as_deref(),
        created_ms: key.written_ms(),
    };
    app.ports.registry().add(row).await?;
    Ok(true)
}

/// Reads the object. What is no picture, or one that is too large for today's limits, stays unknown.
async fn look_into<P: Ports>(
    app: &App<P>,
    key: &ObjectKey,
    size_bytes: u64,
    kept: ObjectMetadata,
) -> Result<ObjectMetadata, SweepFault> {
    let Some(format) = key.format() else { return Ok(kept) };
    if size_bytes > app.config.policy.limits.max_bytes {
        return Ok(kept);
    }
    // Without memory for it now, a later run comes by.
    let Ok(lease) = reserve(app, Purpose::Body, size_bytes).await else { return Ok(kept) };
    let Some(object) = app.ports.store().get(key, None).await? else { return Ok(kept) };
    let bytes = object.content.into_bytes().await?;
    let report = inspect_as(&bytes, format, &app.config.policy);
    let digest = app.ports.sha256(&bytes).await;
    drop((bytes, lease));
    Ok(match report {
        Ok(report) => {
            let (width, height) = report.upright_size();
            let (width, height) = (Some(width), Some(height));
            ObjectMetadata { sha256: Some(hexadecimal(&digest)), width, height, ..kept }
        }
        Err(error) => {
            log::info("object_unregistered", &[("code", error.code().name())]);
            kept
        }
    })
}
