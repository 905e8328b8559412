//! The removal of an upload that failed, expired or was deleted. It is written down first, so the alarm
//! finishes what fails halfway.

use edge_storage::{ObjectKey, UploadKey};

use super::LedgerAccount;
use crate::{
    EventQueue, EventType, ImageDetails, LedgerStorage, OutboxEvent, ReleaseUpload, RemoveImage,
    storage::StorageResult,
    upload::{REGISTRATION_TIMEOUT_MS, Upload, UploadState},
};

/// The pause after a failure; it doubles with each further one.
const FIRST_PAUSE_MS: u64 = 2_000;
const MAX_PAUSE_MS: u64 = 600_000;
/// How long the removal of a waiting caller has before the alarm repeats it.
pub(super) const CALLER_REMOVAL_MS: u64 = 30_000;

impl<S: LedgerStorage> LedgerAccount<'_, S> {
    /// Ends an upload that failed. An upload that was committed meanwhile stays: its caller may know of it.
    pub fn release(&self, command: &ReleaseUpload) -> StorageResult<()> {
        let Some(upload) = self.storage.upload(&command.upload_key)? else { return Ok(()) };
        match upload.state {
            UploadState::Intent if command.may_be_stored => self.abort(upload),
            UploadState::Intent => {
                self.save_rate(&upload)?;
                self.storage.delete_upload(&upload.key)
            }
            _ => Ok(()),
        }
    }

    /// Gives back the charge and lets the alarm remove what was stored, once writes in flight have arrived.
    pub(super) fn abort(&self, upload: Upload) -> StorageResult<()> {
        self.save_rate(&upload)?;
        let settled_ms = upload.settled_ms(self.now_ms);
        self.storage.write_upload(&upload.removing(self.now_ms, settled_ms))
    }

    /// Writes the rate to the account before the reservation is deleted, so the token stays spent.
    pub(super) fn save_rate(&self, upload: &Upload) -> StorageResult<()> {
        match upload.reservation {
            Some(_) => self.storage.write_account(&self.storage.account()?),
            None => Ok(()),
        }
    }

    /// Begins the removal of an image, whether the ledger has its upload or not. [`None`] when the upload has
    /// another object key.
    pub fn begin_removal(&self, command: RemoveImage) -> StorageResult<Option<Upload>> {
        let known = self.storage.upload(&UploadKey::of(&command.key))?;
        if known.as_ref().is_none_or(|upload| upload.object_keys().contains(&command.key)) {
            self.push_deleted(&command, known.as_ref())?;
        }
        let RemoveImage { key, place, .. } = command;
        let due_ms = self.now_ms.saturating_add(CALLER_REMOVAL_MS);
        let upload = match known {
            None => Upload::unknown_key(&key, place, self.now_ms, due_ms),
            Some(upload) if upload.object_keys().contains(&key) => {
                self.save_rate(&upload)?;
                upload.removing(self.now_ms, due_ms).with_place(place).with_refusal(None)
            }
            Some(_) => return Ok(None),
        };
        self.storage.write_upload(&upload)?;
        Ok(Some(upload))
    }

    /// Queues the event of a deletion: once, when the removal begins.
    fn push_deleted(&self, command: &RemoveImage, known: Option<&Upload>) -> StorageResult<()> {
        let Some(events) = self.events.filter(|_| !command.is_repair) else { return Ok(()) };
        let state = known.map(|upload| &upload.state);
        // One that is still being registered was no event yet.
        if matches!(
            state,
            Some(UploadState::Intent | UploadState::Registering(_) | UploadState::Removing { .. })
        ) {
            return Ok(());
        }
        let image = state.and_then(UploadState::image);
        let (event_type, now_ms) = (EventType::ImageDeleted, self.now_ms);
        let event = match (&command.row, image) {
            (Some(row), _) => {
                events.row(event_type, now_ms, row, image.map(|image| &*image.removed))
            }
            (None, Some(image)) => events.image(event_type, now_ms, image, ImageDetails::default()),
            (None, None) => None,
        };
        let Some(mut event) = event else { return Ok(()) };
        let stream = EventQueue::stream_of(&command.key);
        if command.is_erasure {
            self.storage.reduce_events(Some(&stream))?;
            event = event.reduced();
        }
        self.storage.push_event(&stream, event, now_ms, false)
    }

    /// Queues the event of a pending image that nobody claimed.
    fn push_expired(&self, upload: &Upload) -> StorageResult<()> {
        match &upload.state {
            UploadState::Pending(image) | UploadState::Claiming { image, .. } => {
                let expires_ms = Some(upload.due_ms);
                let details = ImageDetails { expires_ms, ..ImageDetails::default() };
                self.push_image_event(EventType::ImageExpired, image, details)
            }
            _ => Ok(()),
        }
    }

    /// Turns uploads that are due into removals and returns those that can begin now, with the releases that were
    /// interrupted. One whose lease has ended waits for writes in flight.
    pub fn collect_due(&self, limit: u32) -> StorageResult<Vec<Upload>> {
        let mut due = Vec::new();
        for upload in self.storage.due_uploads(self.now_ms, limit)? {
            match upload.state {
                UploadState::Intent => self.abort(upload)?,
                UploadState::Releasing { .. } => due.push(upload),
                _ => {
                    self.save_rate(&upload)?;
                    self.push_expired(&upload)?;
                    let upload = upload.removing(self.now_ms, self.now_ms);
                    self.storage.write_upload(&upload)?;
                    due.push(upload);
                }
            }
        }
        Ok(due)
    }

    /// Row, objects and copies are gone: forgets the upload, unless a row or a derived picture may have appeared since
    /// the removal began, or another command has changed the upload.
    pub fn end_removal(&self, upload: &Upload, began_ms: u64) -> StorageResult<()> {
        if !self.is_unchanged(upload)? {
            return Ok(());
        }
        let expected_ms =
            [upload.row_expected_until_ms(), self.derivations_settle_ms(&upload.key)?];
        let last_ms = expected_ms.into_iter().flatten().max();
        if let Some(due_ms) = last_ms.filter(|until_ms| *until_ms > began_ms) {
            return self.storage.write_upload(&Upload { due_ms, tries: 0, ..upload.clone() });
        }
        self.storage.delete_derivations(&upload.key)?;
        self.storage.delete_upload(&upload.key)
    }

    /// An upload was given up while its row was being written, so a row may exist or appear: the alarm
    /// removes it. A removal that has begun keeps what it knows: the place to free, and why the image was refused.
    pub(super) fn schedule_cleanup(&self, key: &ObjectKey) -> StorageResult<()> {
        let until_ms = self.now_ms.saturating_add(REGISTRATION_TIMEOUT_MS);
        let known = self.storage.upload(&UploadKey::of(key))?;
        let known = known.and_then(|upload| upload.expecting_row(until_ms, self.now_ms));
        let upload = known.unwrap_or_else(|| Upload::unknown_key(key, None, until_ms, self.now_ms));
        self.storage.write_upload(&upload)
    }

    /// The removal or the release failed: retried later, unless another command has changed the upload.
    pub fn fail_work(&self, upload: &Upload) -> StorageResult<()> {
        if self.is_unchanged(upload)? {
            let (tries, due_ms) = self.backoff(upload.tries);
            self.storage.write_upload(&Upload { due_ms, tries, ..upload.clone() })?;
        }
        Ok(())
    }

    /// The removal or the release was not tried because another one failed: retried soon.
    pub fn postpone_work(&self, upload: &Upload) -> StorageResult<()> {
        if self.is_unchanged(upload)? {
            let due_ms = self.now_ms.saturating_add(FIRST_PAUSE_MS);
            self.storage.write_upload(&Upload { due_ms, ..upload.clone() })?;
        }
        Ok(())
    }

    pub fn is_unchanged(&self, upload: &Upload) -> StorageResult<bool> {
        Ok(self.storage.upload(&upload.key)?.as_ref() == Some(upload))
    }

    /// The database did not take an event: retried later.
    pub fn fail_event(&self, event: &OutboxEvent) -> StorageResult<()> {
        let (tries, due_ms) = self.backoff(event.tries);
        self.storage.postpone_event(event.id, tries, due_ms)
    }

    fn backoff(&self, tries: u32) -> (u32, u64) {
        let pause_ms = FIRST_PAUSE_MS.saturating_mul(1 << tries.min(20)).min(MAX_PAUSE_MS);
        (tries.saturating_add(1), self.now_ms.saturating_add(pause_ms))
    }
}
