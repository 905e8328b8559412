//! Commits and claims. Each has a beginning, which writes down what is about to happen, and an end, which
//! reads the upload again: other commands run in between.

use edge_storage::UploadKey;
use edge_types::{FormName, ImageId, UserId};

use super::LedgerAccount;
use crate::{
    ClaimImage, ClaimOutcome, CommitOutcome, CommitUpload, Disposition, EventQueue, EventType,
    ImageDetails, LedgerStorage, Receipt, StoredImage, UploadPhase,
    storage::StorageResult,
    upload::{REGISTRATION_TIMEOUT_MS, Upload, UploadState},
    webhook::WAIT_MS,
};

/// How long the same bytes of the same form are recognised: clients retry within a day.
pub(super) const DUPLICATE_WINDOW_MS: u64 = 86_400_000;

/// What to do next for a commit.
#[derive(Debug)]
pub enum CommitStep {
    Done(CommitOutcome),
    /// The same bytes are being registered: ask again.
    Wait,
    /// Write the row.
    Register(Box<StoredImage>),
}

/// What to do next for a claim.
#[derive(Debug)]
pub enum ClaimStep {
    Done(ClaimOutcome),
    /// Write the row.
    Register {
        image: Box<StoredImage>,
        claimant: UserId,
    },
}

impl<S: LedgerStorage> LedgerAccount<'_, S> {
    /// Begins a commit. With `may_wait`, it waits for the same bytes that are being registered.
    pub fn begin_commit(
        &self,
        command: &CommitUpload,
        may_wait: bool,
    ) -> StorageResult<CommitStep> {
        let lapsed = Ok(CommitStep::Done(CommitOutcome::Lapsed));
        let image = &command.image;
        let Some(upload) = self.storage.upload(&UploadKey::of(&image.key))? else { return lapsed };
        match &upload.state {
            UploadState::Intent if self.now_ms < upload.due_ms => {}
            UploadState::Registering(known) if known.key == image.key => {
                return Ok(CommitStep::Register(known.clone()));
            }
            // The reply to the first commit was lost, so it is repeated.
            state if state.image().is_some_and(|known| known.key == image.key) => {
                let outcome = upload.receipt().map(CommitOutcome::Accepted);
                return Ok(CommitStep::Done(outcome.unwrap_or(CommitOutcome::Lapsed)));
            }
            _ => return lapsed,
        }
        match self.find_duplicate(command)? {
            Duplicate::Same(receipt) => {
                self.abort(upload)?;
                Ok(CommitStep::Done(CommitOutcome::Same(receipt)))
            }
            Duplicate::InProgress if may_wait => Ok(CommitStep::Wait),
            Duplicate::InProgress | Duplicate::None => self.accept(upload, command),
        }
    }

    fn accept(&self, upload: Upload, command: &CommitUpload) -> StorageResult<CommitStep> {
        let image = Box::new(command.image.clone());
        let (state, due_ms) = match command.disposition {
            // The row of the intent stays as it is: if the object restarts now, its alarm removes what was written.
            Disposition::Register => {
                let timeout_ms = self.now_ms.saturating_add(REGISTRATION_TIMEOUT_MS);
                (UploadState::Registering(image.clone()), upload.due_ms.max(timeout_ms))
            }
            Disposition::Pending { for_s } => {
                let expires_ms = self.now_ms.saturating_add(u64::from(for_s) * 1000);
                (UploadState::Pending(image.clone()), expires_ms)
            }
        };
        let Some(mut upload) = upload.advance(state, due_ms) else {
            return Ok(CommitStep::Done(CommitOutcome::Lapsed));
        };
        if let Some(reservation) = &mut upload.reservation {
            reservation.charge = reservation.charge.with_bytes(image.original_size_bytes);
        }
        if let UploadState::Registering(_) = upload.state {
            self.storage.hold_upload(&upload)?;
            return Ok(CommitStep::Register(image));
        }
        self.push_stored(&image, None, Some(due_ms), command.waits)?;
        let upload = self.commit_reservation(upload)?;
        let outcome = upload.receipt().map(CommitOutcome::Accepted);
        Ok(CommitStep::Done(outcome.unwrap_or(CommitOutcome::Lapsed)))
    }

    /// Writes an upload that is committed, and its reservation to the account.
    fn commit_reservation(&self, upload: Upload) -> StorageResult<Upload> {
        if let Some(reservation) = upload.reservation {
            let mut account = self.storage.account()?;
            account.usage.add(reservation.charge);
            self.storage.write_account(&account)?;
        }
        let upload = Upload { reservation: None, ..upload };
        self.storage.write_upload(&upload)?;
        Ok(upload)
    }

    /// Queues the first event of an image. When its upload waits for the answer, the alarm leaves it alone so long.
    fn push_stored(
        &self,
        image: &StoredImage,
        image_id: Option<ImageId>,
        expires_ms: Option<u64>,
        waits: bool,
    ) -> StorageResult<()> {
        let details = ImageDetails { image_id, expires_ms, ..ImageDetails::default() };
        let event = self
            .events
            .and_then(|it| it.image(EventType::ImageStored, self.now_ms, image, details));
        let Some(event) = event else { return Ok(()) };
        let due_ms = self.now_ms.saturating_add(if waits { WAIT_MS + 1_000 } else { 0 });
        self.storage.push_event(&EventQueue::stream_of(&image.key), event, due_ms, true)
    }

    /// The row is written: keeps the upload, unless it was given up meanwhile.
    pub fn end_commit(
        &self,
        command: &CommitUpload,
        image: &StoredImage,
        id: ImageId,
    ) -> StorageResult<CommitOutcome> {
        let kept = self.keep(image, id, command.waits)?;
        Ok(kept.map_or(CommitOutcome::Lapsed, |(receipt, _)| CommitOutcome::Accepted(receipt)))
    }

    /// The database failed. The row may exist all the same, so the alarm removes it.
    pub fn fail_commit(&self, image: &StoredImage) -> StorageResult<CommitOutcome> {
        match self.storage.upload(&UploadKey::of(&image.key))? {
            Some(upload) if upload.state.phase() == UploadPhase::Registering => {
                self.abort(upload)?;
            }
            upload => match upload.as_ref().and_then(Upload::receipt) {
                Some(receipt) => return Ok(CommitOutcome::Accepted(receipt)),
                None => self.schedule_cleanup(&image.key)?,
            },
        }
        Ok(CommitOutcome::Unregistered)
    }

    /// Begins the claim of a pending image. From then on no other claimant can have it.
    pub fn begin_claim(&self, command: ClaimImage) -> StorageResult<ClaimStep> {
        let done = |outcome| Ok(ClaimStep::Done(outcome));
        let ClaimImage { key, claimant, form_id, original_name, has_policy, has_place } = command;
        let Some(upload) = self.storage.upload(&UploadKey::of(&key))? else {
            return done(ClaimOutcome::NotFound);
        };
        let Some(image) = upload.state.image().filter(|image| image.key == key) else {
            return done(ClaimOutcome::NotFound);
        };
        match &upload.state {
            UploadState::Pending(_) if self.now_ms < upload.due_ms => {}
            UploadState::Pending(_) => return done(ClaimOutcome::NotFound),
            UploadState::Claiming { image, claimant: first } if *first == claimant => {
                return Ok(ClaimStep::Register { image: image.clone(), claimant });
            }
            _ => return done(ClaimOutcome::AlreadyRegistered),
        }
        let is_moved = form_id.is_some() && form_id != image.form_id;
        let is_bound = image.is_counted || image.is_held || image.key.is_private();
        if is_moved && (has_policy || is_bound) {
            return done(ClaimOutcome::OtherForm);
        }
        let form_id = form_id.or_else(|| image.form_id.clone());
        let counted = form_id.as_deref().filter(|_| image.is_counted).and_then(FormName::parse);
        if let Some(form) = counted
            && !has_place
            && upload.key.owner().as_ref() != Some(&claimant)
        {
            return done(ClaimOutcome::NeedsPlace(form));
        }
        let original_name = image.original_name.clone().or(original_name);
        let image = Box::new(StoredImage { original_name, form_id, ..image.clone() });
        let state = UploadState::Claiming { image: image.clone(), claimant: claimant.clone() };
        let timeout_ms = self.now_ms.saturating_add(REGISTRATION_TIMEOUT_MS);
        let due_ms = upload.due_ms.max(timeout_ms);
        let Some(upload) = upload.advance(state, due_ms) else {
            return done(ClaimOutcome::NotFound);
        };
        self.storage.write_upload(&upload)?;
        Ok(ClaimStep::Register { image, claimant })
    }

    /// The row is written: keeps the upload. Of concurrent claims one is answered [`ClaimOutcome::Claimed`].
    pub fn end_claim(&self, image: &StoredImage, id: ImageId) -> StorageResult<ClaimOutcome> {
        Ok(match self.keep(image, id, false)? {
            Some((receipt, true)) => ClaimOutcome::Claimed(receipt),
            Some((_, false)) => ClaimOutcome::AlreadyRegistered,
            None => ClaimOutcome::NotFound,
        })
    }

    /// The database failed: the claim stays begun, and its claimant may retry.
    pub fn fail_claim(&self, image: &StoredImage) -> StorageResult<ClaimOutcome> {
        let upload = self.storage.upload(&UploadKey::of(&image.key))?;
        Ok(match upload.map(|upload| upload.state.phase()) {
            Some(UploadPhase::Claiming) => {
                ClaimOutcome::Unregistered { form_id: image.form_id.clone() }
            }
            Some(UploadPhase::Held | UploadPhase::Releasing | UploadPhase::Kept) => {
                ClaimOutcome::AlreadyRegistered
            }
            _ => self.schedule_cleanup(&image.key).map(|()| ClaimOutcome::NotFound)?,
        })
    }

    /// Keeps an upload, or holds it for a review; whether this call was the first to do so. [`None`] for an upload that was given up
    /// meanwhile: its row is removed again.
    fn keep(
        &self,
        image: &StoredImage,
        image_id: ImageId,
        waits: bool,
    ) -> StorageResult<Option<(Box<Receipt>, bool)>> {
        let upload = self.storage.upload(&UploadKey::of(&image.key))?;
        if let Some(kept) = upload.as_ref().filter(|it| it.state.image_id().is_some()) {
            return Ok(kept.receipt().map(|receipt| (receipt, false)));
        }
        let boxed = Box::new(image.clone());
        let state = if image.is_held {
            UploadState::Held { image: boxed, image_id }
        } else {
            UploadState::Kept { image: boxed, image_id }
        };
        let due_ms = self.now_ms.saturating_add(DUPLICATE_WINDOW_MS);
        let claimant = match upload.as_ref().map(|upload| &upload.state) {
            Some(UploadState::Claiming { claimant, .. }) => Some(claimant.clone()),
            _ => None,
        };
        let kept = upload.and_then(|upload| upload.advance(state, due_ms));
        let Some(kept) = kept else { return self.schedule_cleanup(&image.key).map(|()| None) };
        match &claimant {
            Some(_) => {
                let image_id = Some(image_id);
                let owner = claimant.as_ref();
                let details = ImageDetails { image_id, owner, ..ImageDetails::default() };
                self.push_image_event(EventType::ImageClaimed, image, details)?;
            }
            None => self.push_stored(image, Some(image_id), None, waits)?,
        }
        if image.is_held {
            let owner = claimant.as_ref();
            let details =
                ImageDetails { image_id: Some(image_id), owner, ..ImageDetails::default() };
            self.push_image_event(EventType::ImageHeld, image, details)?;
        }
        let kept = self.commit_reservation(kept)?;
        Ok(kept.receipt().map(|receipt| (receipt, true)))
    }

    /// Looks for the same bytes in the same form (no form counts as one form) that were committed within the
    /// window and still exist. Another form gets its own record and object: deleting one keeps the other.
    pub fn find_duplicate(&self, command: &CommitUpload) -> StorageResult<Duplicate> {
        let CommitUpload { image, disposition, .. } = command;
        let mut is_in_progress = false;
        let key = UploadKey::of(&image.key);
        for mut other in self.storage.find_duplicates(&image.sha256, &key)? {
            let Some(known) = other.state.image().filter(|it| it.form_id == image.form_id) else {
                continue;
            };
            let age_ms = self.now_ms.saturating_sub(known.stored_ms);
            if age_ms >= DUPLICATE_WINDOW_MS || self.now_ms >= other.due_ms {
                continue;
            }
            match (&other.state, disposition) {
                (state, _) if state.image_id().is_some() => {}
                // A repeated pending upload expires as late as a new one would.
                (UploadState::Pending(_), Disposition::Pending { for_s }) => {
                    let expires_ms = self.now_ms.saturating_add(u64::from(*for_s) * 1000);
                    other.due_ms = other.due_ms.max(expires_ms);
                    self.storage.write_upload(&other)?;
                }
                (UploadState::Registering(_) | UploadState::Claiming { .. }, _) => {
                    is_in_progress = true;
                    continue;
                }
                _ => continue,
            }
            if let Some(receipt) = other.receipt() {
                return Ok(Duplicate::Same(receipt));
            }
        }
        Ok(if is_in_progress { Duplicate::InProgress } else { Duplicate::None })
    }
}

/// Whether the same bytes exist.
pub enum Duplicate {
    None,
    InProgress,
    Same(Box<Receipt>),
}
