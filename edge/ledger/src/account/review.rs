//! The decision about a held image. A release is written down before the object is copied, so the alarm finishes one that
//! was interrupted. A refusal is a removal that leaves the row.

use edge_registry::{ImageRow, Review};
use edge_storage::{ObjectKey, UploadKey};

use super::{LedgerAccount, removal::CALLER_REMOVAL_MS, uploads::DUPLICATE_WINDOW_MS};
use crate::{
    EventType, ImageDetails, LedgerStorage, RefuseImage, ReleaseImage, ReviewOutcome, StoredImage,
    storage::StorageResult,
    upload::{Upload, UploadState},
};

/// What a reviewer wants.
#[derive(Debug)]
pub enum Decision {
    Release(ReleaseImage),
    Refuse(RefuseImage),
}

impl Decision {
    pub const fn key(&self) -> &ObjectKey {
        match self {
            Self::Release(ReleaseImage { key }) | Self::Refuse(RefuseImage { key, .. }) => key,
        }
    }
}

impl<S: LedgerStorage> LedgerAccount<'_, S> {
    /// Begins to carry out a decision. `row` is what the database says of an image that the ledger has forgotten.
    pub fn begin_decision(
        &self,
        decision: Decision,
        row: Option<ImageRow>,
    ) -> StorageResult<Result<Upload, ReviewOutcome>> {
        let key = decision.key();
        let upload = match self.storage.upload(&UploadKey::of(key))? {
            Some(upload) => Some(upload),
            None => row.and_then(|row| held(row, key, self.now_ms)),
        };
        let Some(upload) = upload else { return Ok(Err(ReviewOutcome::Decided)) };
        let due_ms = self.now_ms.saturating_add(CALLER_REMOVAL_MS);
        let (image, image_id) = (upload.state.image().cloned(), upload.state.image_id());
        let begun = match (upload.state.clone(), decision) {
            (UploadState::Held { image, image_id }, Decision::Release(_)) => {
                upload.advance(UploadState::Releasing { image, image_id }, due_ms)
            }
            (UploadState::Held { .. }, Decision::Refuse(RefuseImage { reason, place, .. })) => {
                let removing = upload.removing(self.now_ms, due_ms);
                Some(removing.with_place(place).with_refusal(Some(reason)))
            }
            (UploadState::Releasing { .. }, Decision::Release(_))
            | (UploadState::Removing { refusal: Some(_), .. }, Decision::Refuse(_)) => {
                return Ok(Err(ReviewOutcome::Underway));
            }
            _ => None,
        };
        let Some(begun) = begun else { return Ok(Err(ReviewOutcome::Decided)) };
        if let (Some(image), Some(reason)) = (&image, begun.refusal()) {
            let details =
                ImageDetails { image_id, reason: Some(reason), ..ImageDetails::default() };
            self.push_image_event(EventType::ImageRefused, image, details)?;
        }
        self.storage.write_upload(&begun)?;
        Ok(Ok(begun))
    }

    /// The object is where it can be read, unless another command has changed the upload.
    pub fn end_release(&self, upload: &Upload) -> StorageResult<()> {
        if !self.is_unchanged(upload)? {
            return Ok(());
        }
        if let UploadState::Releasing { image, image_id } = upload.state.clone() {
            let image = Box::new(StoredImage { is_held: false, ..*image });
            let due_ms = self.now_ms.saturating_add(DUPLICATE_WINDOW_MS);
            let kept = upload.clone().advance(UploadState::Kept { image, image_id }, due_ms);
            if let Some(kept) = kept {
                let image = kept.state.image();
                let details = ImageDetails { image_id: Some(image_id), ..ImageDetails::default() };
                if let Some(image) = image {
                    self.push_image_event(EventType::ImageReleased, image, details)?;
                }
                self.storage.write_upload(&kept)?;
            }
        }
        Ok(())
    }
}

/// The upload of a held image, from its row.
fn held(row: ImageRow, key: &ObjectKey, now_ms: u64) -> Option<Upload> {
    let image_id = row.id;
    let image = StoredImage {
        key: key.clone(),
        sha256: row.sha256,
        format: key.format()?,
        width: row.width,
        height: row.height,
        size_bytes: row.size_bytes,
        // Charged long ago.
        original_size_bytes: row.size_bytes,
        original_name: row.original_name,
        form_id: row.form_id,
        // The caller names the place.
        is_counted: false,
        is_held: true,
        placeholder: row.placeholder.unwrap_or_default(),
        removed: Vec::new(),
        stored_ms: row.created_ms,
    };
    (row.review == Some(Review::Held)).then(|| Upload::held(image, image_id, now_ms))
}
