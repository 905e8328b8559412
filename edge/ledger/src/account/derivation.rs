//! Pictures that are derived from an uploaded one: smaller sizes and other formats. One isolate makes each of them, with
//! a lease, and the rows name what the removal of the picture must remove, so that no store is listed for it.

use edge_storage::{DerivedKey, ObjectKey, UploadKey};
use image_rules::Format;

use super::LedgerAccount;
use crate::{
    Derivation, DerivationState, DerivedOutcome, DerivedStatus, KnownUpload, LedgerStorage,
    UploadPhase, UploadState, storage::StorageResult,
};

/// Sizes and formats of one picture: each costs an object, a row, and at the removal a request.
const MAX_DERIVED: usize = 24;
/// How long a failure is remembered: another attempt costs as much as the first.
const FAILURE_MS: u64 = 300_000;
/// After the end of a lease a write that was given up may still reach the store.
const SETTLE_MS: u64 = 60_000;

impl<S: LedgerStorage> LedgerAccount<'_, S> {
    /// What is known of a derived picture. With `lease_ms` a lease to make it is written, if nobody has one.
    pub fn begin_derivation(
        &self,
        key: &ObjectKey,
        name: &str,
        lease_ms: Option<u64>,
    ) -> StorageResult<DerivedStatus> {
        let upload = UploadKey::of(key);
        if let Some(obstacle) = self.obstacle(key)? {
            return Ok(obstacle);
        }
        let known = self.storage.derivations(&upload)?;
        let name = row_name(key, name);
        let same = known.iter().find(|derivation| derivation.name == name);
        match same.map(|derivation| &derivation.state) {
            Some(DerivationState::Stored { format }) => return Ok(DerivedStatus::Stored(*format)),
            Some(DerivationState::Making { until_ms }) if self.now_ms < *until_ms => {
                return Ok(DerivedStatus::Underway);
            }
            Some(DerivationState::Original { until_ms })
                if until_ms.is_none_or(|until_ms| self.now_ms < until_ms) =>
            {
                return Ok(DerivedStatus::Original);
            }
            None if known.len() >= MAX_DERIVED => return Ok(DerivedStatus::Original),
            _ => {}
        }
        let Some(lease_ms) = lease_ms else { return Ok(DerivedStatus::Unknown) };
        let until_ms = self.now_ms.saturating_add(lease_ms);
        let state = DerivationState::Making { until_ms };
        self.storage.write_derivation(&Derivation { upload, name, state })?;
        Ok(DerivedStatus::Make { until_ms })
    }

    /// Ends a lease. Returns whether the picture is still there: if not, what was derived is deleted by its maker now,
    /// and by the removal once more after the lease.
    pub fn end_derivation(
        &self,
        key: &ObjectKey,
        name: &str,
        outcome: DerivedOutcome,
    ) -> StorageResult<bool> {
        let (upload, name) = (UploadKey::of(key), row_name(key, name));
        let known = self.storage.derivations(&upload)?;
        let is_known = known.iter().any(|derivation| derivation.name == name);
        if !is_known || self.obstacle(key)?.is_some() {
            return Ok(false);
        }
        let state = match outcome {
            DerivedOutcome::Stored(format) => DerivationState::Stored { format },
            DerivedOutcome::Original => DerivationState::Original { until_ms: None },
            DerivedOutcome::Failed => {
                let until_ms = Some(self.now_ms.saturating_add(FAILURE_MS));
                DerivationState::Original { until_ms }
            }
            // The row stays: a write may be in flight.
            DerivedOutcome::Abandoned => DerivationState::Making { until_ms: self.now_ms },
        };
        self.storage.write_derivation(&Derivation { upload, name, state })?;
        Ok(true)
    }

    /// What is said instead of deriving from this object: it is being removed or moved, and nothing that was derived from it
    /// stays.
    fn obstacle(&self, key: &ObjectKey) -> StorageResult<Option<DerivedStatus>> {
        let Some(upload) = self.storage.upload(&UploadKey::of(key))? else { return Ok(None) };
        let is_here = upload.state.image().is_none_or(|image| image.object() == *key);
        Ok(match upload.state {
            UploadState::Removing { .. } => Some(DerivedStatus::Gone),
            UploadState::Releasing { image, .. } if image.object() != image.key => {
                Some(DerivedStatus::Original)
            }
            _ if !is_here => Some(DerivedStatus::Original),
            _ => None,
        })
    }

    /// A derived picture that the ledger has, or that is being made. Its picture is kept.
    pub(super) fn look_up_derived(&self, key: &DerivedKey) -> StorageResult<Option<KnownUpload>> {
        let Some(upload) = key.upload_key() else { return Ok(None) };
        let known = self.storage.derivations(&upload)?;
        let is_known = known.iter().any(|derivation| derivation.keys().contains(key));
        let (key, phase) = (key.to_string(), UploadPhase::Kept);
        Ok(is_known.then_some(KnownUpload { key, phase, due_ms: self.now_ms }))
    }

    /// When all writes of pictures derived from this one have arrived.
    pub(super) fn derivations_settle_ms(&self, upload: &UploadKey) -> StorageResult<Option<u64>> {
        let leases = self.storage.derivations(upload)?.into_iter();
        let ends_ms = leases.filter_map(|derivation| match derivation.state {
            DerivationState::Making { until_ms } => Some(until_ms.saturating_add(SETTLE_MS)),
            _ => None,
        });
        Ok(ends_ms.max())
    }
}

/// A private picture and its public twin have one upload, but derived pictures of their own.
fn row_name(key: &ObjectKey, name: &str) -> String {
    let prefix = if key.as_str().starts_with(PRIVATE) { PRIVATE } else { "" };
    format!("{prefix}{name}")
}

const PRIVATE: &str = "private/";

impl Derivation {
    /// The keys that its object may have. Only that of a stored one is known.
    pub fn keys(&self) -> Vec<DerivedKey> {
        let known = match self.state {
            DerivationState::Stored { format } => Some(format),
            DerivationState::Original { .. } => return Vec::new(),
            DerivationState::Making { .. } => None,
        };
        let (prefix, name) = match self.name.strip_prefix(PRIVATE) {
            Some(name) => (PRIVATE, name),
            None => ("", self.name.as_str()),
        };
        let formats = Format::ALL.into_iter().filter(|it| known.is_none_or(|known| known == *it));
        let key = |format: Format| {
            let name = format!("{name}.{}", format.extension());
            DerivedKey::parse(&format!("{prefix}derived/{}/{name}", self.upload))
        };
        formats.filter_map(key).collect()
    }
}
