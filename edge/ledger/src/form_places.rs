//! The places of a form with a limit: one for each of its pictures. They are rows instead of a counter, so that whatever
//! is repeated, lost or interrupted is right again as soon as the row is.
//!
//! A place is reserved before a picture is stored. It has a lease until it is confirmed; when the lease ends, the ledger
//! of the uploader and the database are asked what became of the picture.

use edge_registry::{FormImage, Registry, Review};
use edge_storage::ObjectKey;
use edge_types::{FormLimit, FormName, UserId, log};

use crate::{
    CachedStorage, CommandError, ConfirmPlace, FormCount, LedgerClient, LedgerDeps, LedgerService,
    LedgerStorage, LookUpUploads, Place, ReservePlace, UploadPhase, storage::StorageResult,
};

/// The longest lease: that of an upload, and a minute for its registration.
const MAX_LEASE_S: u32 = 3660;
/// How long isolates may use a policy that was changed; `edge-api` has the same time.
const POLICY_CACHE_MS: u64 = 30_000;
/// When a picture is looked for again whose upload is under way: as soon as its ledger has handled it, within these bounds.
/// When nobody could tell, later.
const SOON_MS: u64 = 5_000;
const RETRY_MS: u64 = 60_000;
/// How many places a run of the alarm looks at: two requests each, beside those for uploads and events.
const BATCH: u32 = 50;
/// How many pictures are counted between two requests to the database.
const PAGE: u32 = 500;
/// How often, and how long each time, a command waits for pictures that are being counted: 10 s in all.
const COUNT_POLLS: u32 = 200;
const COUNT_POLL_MS: u64 = 50;

impl<S: LedgerStorage, D: LedgerDeps> LedgerService<'_, S, D> {
    /// Reserves a place, when the form and the owner have one left.
    pub(crate) async fn reserve_place(
        &self,
        form: &FormName,
        command: &ReservePlace,
    ) -> Result<Result<(), FormLimit>, CommandError> {
        self.count_existing(form, command).await?;
        Ok(self.reserve(command)?)
    }

    fn reserve(&self, command: &ReservePlace) -> StorageResult<Result<(), FormLimit>> {
        let ReservePlace { key, owner, max_files, max_files_per_user, lease_s, .. } = command;
        let lease_ms = u64::from((*lease_s).clamp(1, MAX_LEASE_S)) * 1000;
        let lease_ms = Some(self.deps.now_ms().saturating_add(lease_ms));
        if let Some(place) = self.storage.place(owner, key)? {
            // The reply was lost, or the picture is the owner's already.
            let lease_ms = place.lease_ms.and(lease_ms);
            return self.storage.write_place(&Place { lease_ms, ..place }).map(Ok);
        }
        // A claimed picture has the place of its uploader.
        let first = match key.owner() {
            Some(uploader) if uploader != *owner => self.storage.place(&uploader, key)?,
            _ => None,
        };
        if first.is_none() && max_files.is_some_and(|max| self.is_full(max)) {
            return Ok(Err(FormLimit::Form));
        }
        if let Some(max) = max_files_per_user
            && self.storage.count_places_of(owner)? >= *max
        {
            return Ok(Err(FormLimit::User));
        }
        let (owner, key, is_counted) = (owner.clone(), key.clone(), first.is_none());
        self.storage.write_place(&Place { owner, key, lease_ms, is_counted })?;
        if let Some(first) = first {
            // Whose picture it is shows when the leases end, unless the claim is confirmed.
            self.storage.write_place(&Place { lease_ms, ..first })?;
        }
        Ok(Ok(()))
    }

    /// A count that cannot be read is full.
    fn is_full(&self, max: u32) -> bool {
        self.storage.count_places().map_or(true, |count| count >= max)
    }

    /// Confirms a place. Without one the picture gets it all the same: it is there.
    pub(crate) fn confirm_place(&self, command: &ConfirmPlace) -> StorageResult<()> {
        let ConfirmPlace { key, owner } = command;
        let (owner, key) = (owner.clone(), key.clone());
        if let Some(uploader) = key.owner().filter(|uploader| *uploader != owner) {
            self.storage.delete_place(&uploader, &key)?;
        }
        self.storage.write_place(&Place { owner, key, lease_ms: None, is_counted: true })
    }

    pub(crate) fn release_place(&self, owner: &UserId, key: &ObjectKey) -> StorageResult<()> {
        self.storage.note_release(key);
        self.storage.delete_place(owner, key)
    }

    /// Counts the pictures that the form had before it got its limit. Other commands run meanwhile, and those that
    /// reserve a place wait.
    async fn count_existing(
        &self,
        form: &FormName,
        command: &ReservePlace,
    ) -> Result<(), CommandError> {
        let since_ms = command.counted_since_ms;
        let mut polls = 0;
        loop {
            if self.storage.form_count()?.is_some_and(|count| count.since_ms >= since_ms) {
                return Ok(());
            }
            if self.storage.begin_count() {
                break;
            }
            polls += 1;
            if polls > COUNT_POLLS {
                return Err(CommandError::Counting);
            }
            self.deps.sleep(COUNT_POLL_MS).await;
        }
        let _end = EndOfCount(self.storage);
        // Those of an earlier limit.
        self.storage.delete_places()?;
        self.add_existing(form).await?;
        // Uploads that began before every isolate knew of the limit are registered until then.
        let lease_ms = u64::from(command.lease_s.min(MAX_LEASE_S)) * 1000;
        let known_ms = self.deps.now_ms().max(since_ms.saturating_add(POLICY_CACHE_MS));
        let recount_ms = Some(known_ms.saturating_add(lease_ms));
        let form = form.clone();
        Ok(self.storage.write_form_count(FormCount { form, since_ms, recount_ms })?)
    }

    /// Gives a place to every registered picture that has none.
    async fn add_existing(&self, form: &FormName) -> Result<(), CommandError> {
        let mut after = 0;
        loop {
            let images = self.deps.registry().form_images(form, after, PAGE).await?;
            for FormImage { key, owner, .. } in &images {
                let (Some(key), Some(owner)) = (ObjectKey::parse(key), UserId::parse(owner)) else {
                    continue;
                };
                if !self.storage.was_released(&key) {
                    self.confirm_place(&ConfirmPlace { key, owner })?;
                }
            }
            match images.last() {
                Some(last) if images.len() == PAGE as usize => after = last.id.0,
                _ => return Ok(()),
            }
        }
    }

    /// Counts again what was on its way, and decides about places whose lease has ended.
    pub(crate) async fn check_places(&self) -> StorageResult<()> {
        let Some(count) = self.storage.form_count()? else { return Ok(()) };
        let now_ms = self.deps.now_ms();
        let is_recount_due = count.recount_ms.is_some_and(|recount_ms| recount_ms <= now_ms);
        let due = self.storage.due_places(now_ms, BATCH)?;
        if !is_recount_due && due.is_empty() {
            return Ok(());
        }
        // So that there is another run if this one dies.
        self.put_retry_alarm().await?;
        let form = count.form.clone();
        if is_recount_due && self.storage.begin_count() {
            let _end = EndOfCount(self.storage);
            let recount_ms = match self.add_existing(&form).await {
                Ok(()) => None,
                Err(error) => {
                    log::error("form_count_failed", &[("cause", &error.to_string())]);
                    Some(self.deps.now_ms().saturating_add(RETRY_MS))
                }
            };
            self.storage.write_form_count(FormCount { recount_ms, ..count })?;
        }
        for (owner, key) in due {
            let fate = self.fate(&form, &owner, &key).await.unwrap_or_else(|error| {
                log::error("place_unknown", &[("cause", &error.to_string())]);
                Fate::Unknown { due_ms: u64::MAX }
            });
            // Another command may have decided meanwhile.
            let Some(place) = self.storage.place(&owner, &key)? else { continue };
            if place.lease_ms.is_none_or(|lease_ms| lease_ms > self.deps.now_ms()) {
                continue;
            }
            match fate {
                Fate::Stored => self.confirm_place(&ConfirmPlace { key, owner })?,
                Fate::Gone => self.release_place(&owner, &key)?,
                Fate::Unknown { due_ms } => {
                    let now_ms = self.deps.now_ms();
                    let again_ms = due_ms.clamp(now_ms + SOON_MS, now_ms + RETRY_MS);
                    self.storage.write_place(&Place { lease_ms: Some(again_ms), ..place })?;
                }
            }
        }
        Ok(())
    }

    /// Whether a picture is one of this owner.
    async fn fate(
        &self,
        form: &FormName,
        owner: &UserId,
        key: &ObjectKey,
    ) -> Result<Fate, CommandError> {
        let Some(uploader) = key.owner() else { return Ok(Fate::Gone) };
        let command = LookUpUploads { keys: vec![key.to_string()] };
        let known = self.deps.ledger().send_to_user(&uploader, command).await?;
        if let Some(upload) = known.first() {
            match upload.phase {
                // While it is being removed its row may still be there.
                UploadPhase::Intent
                | UploadPhase::Registering
                | UploadPhase::Claiming
                | UploadPhase::Removing => return Ok(Fate::Unknown { due_ms: upload.due_ms }),
                UploadPhase::Pending if *owner == uploader => return Ok(Fate::Stored),
                UploadPhase::Pending => return Ok(Fate::Gone),
                UploadPhase::Held | UploadPhase::Releasing | UploadPhase::Kept => {}
            }
        }
        let row = self.deps.registry().find(key).await?;
        let is_there = row.is_some_and(|row| {
            row.owner == owner.as_str()
                && row.form_id.as_deref() == Some(form.as_str())
                && row.review != Some(Review::Refused)
        });
        Ok(if is_there { Fate::Stored } else { Fate::Gone })
    }
}

/// What became of a picture whose place has a lease.
#[derive(Clone, Copy)]
enum Fate {
    Stored,
    Gone,
    /// Its upload is under way until its ledger handles it, or nobody could tell.
    Unknown {
        due_ms: u64,
    },
}

/// Ends a count however it ends.
struct EndOfCount<'a, S>(&'a CachedStorage<S>);

impl<S> Drop for EndOfCount<'_, S> {
    fn drop(&mut self) {
        self.0.end_count();
    }
}
