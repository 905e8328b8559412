//! The erasure of a user. It is begun before the database is searched, so no upload and no claim is added behind the
//! search, and it removes what the database does not have: uploads that are not registered.

use edge_registry::Event;
use edge_types::{MAX_SAFE_INTEGER, UserId};

use super::LedgerAccount;
use crate::{
    AccountState, EraseUser, EventType, ImageDetails, LedgerStorage, OpenUpload,
    abuse::AbuseRecord,
    storage::StorageResult,
    upload::{Upload, UploadState},
};

/// Later than any time that is written, and a number of JavaScript.
const FOREVER_MS: u64 = MAX_SAFE_INTEGER;

impl<S: LedgerStorage> LedgerAccount<'_, S> {
    /// One step; how many uploads are still being removed.
    pub fn erase(&self, user: &UserId, step: &EraseUser) -> StorageResult<u32> {
        match step {
            EraseUser::Begin => self.begin_erasure(user)?,
            EraseUser::Forget { subject } => self.forget_user(subject)?,
            EraseUser::End => {
                if self.storage.account()?.is_erasing {
                    self.storage.write_account(&AccountState::default())?;
                }
            }
        }
        let open = self.storage.open_uploads()?;
        let left = open.iter().filter(|upload| self.is_stored(upload)).count();
        Ok(u32::try_from(left).unwrap_or(u32::MAX))
    }

    /// Whether an object of a removal is there still. One that is due later has been removed once, or was not written
    /// before the erasure began.
    fn is_stored(&self, upload: &Upload) -> bool {
        let is_removing = matches!(upload.state, UploadState::Removing { .. });
        is_removing && (upload.due_ms <= self.now_ms || upload.tries > 0)
    }

    fn begin_erasure(&self, user: &UserId) -> StorageResult<()> {
        let account = self.storage.account()?;
        if !account.is_erasing {
            self.storage.write_account(&AccountState { is_erasing: true, ..account })?;
        }
        for upload in self.storage.open_uploads()? {
            match upload.state {
                // What is registered is found by the owner of its row, who may be another user.
                UploadState::Removing { .. } | UploadState::Releasing { .. } => {}
                // Writes in flight may still arrive.
                UploadState::Intent => self.abort(upload)?,
                _ if is_of(&upload, user) => {
                    self.save_rate(&upload)?;
                    if let UploadState::Pending(image) | UploadState::Claiming { image, .. } =
                        &upload.state
                    {
                        let details = ImageDetails::default();
                        self.push_image_event(EventType::ImageDeleted, image, details)?;
                    }
                    self.storage.write_upload(&upload.removing(self.now_ms, self.now_ms))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn forget_user(&self, subject: &str) -> StorageResult<()> {
        let account = self.storage.account()?;
        let is_banned = account.abuse.banned_until_ms(self.now_ms).is_some();
        let abuse = if is_banned { account.abuse } else { AbuseRecord::default() };
        let AccountState { is_erasing, .. } = account;
        self.storage.write_account(&AccountState {
            abuse,
            is_erasing,
            ..AccountState::default()
        })?;
        self.storage.forget_kept(FOREVER_MS)?;
        self.storage.delete_tickets()?;
        self.storage.reduce_events(None)?;
        for outbox in self.storage.due_events(FOREVER_MS, u32::MAX)? {
            if outbox.event.subject != subject {
                let subject = subject.to_owned();
                self.storage.write_event(&Event { subject, ..outbox.event })?;
                self.storage.delete_event(outbox.id)?;
            }
        }
        Ok(())
    }

    /// The uploads that are not registered.
    pub fn list_open(&self) -> StorageResult<Vec<OpenUpload>> {
        let open = self.storage.open_uploads()?.into_iter();
        let open = open.filter(|upload| upload.state.image_id().is_none());
        let open = open.map(|upload| OpenUpload {
            phase: upload.state.phase(),
            due_ms: upload.due_ms,
            image: upload.state.image().cloned(),
            key: upload.key,
        });
        Ok(open.collect())
    }
}

/// Whether it is the user's. An image that another user is claiming is theirs.
fn is_of(upload: &Upload, user: &UserId) -> bool {
    !matches!(&upload.state, UploadState::Claiming { claimant, .. } if claimant != user)
}
