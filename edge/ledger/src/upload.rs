//! One upload as a state machine. States only lead forward.

use edge_storage::{ObjectKey, UploadKey};
use edge_types::{FormName, ImageId, UserId};
use serde::{Deserialize, Serialize};

use crate::{FormPlace, QuotaCharge, Receipt, StoredImage, UploadPhase, token_bucket::TokenBucket};

/// How long a registration may take, and how long its row may still appear after it was given up. The
/// database's deadline is 5 s.
pub const REGISTRATION_TIMEOUT_MS: u64 = 60_000;

/// One upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    pub key: UploadKey,
    pub state: UploadState,
    /// When the alarm handles it.
    pub due_ms: u64,
    /// The lease; how long to wait for writes that are still in flight is derived from it.
    pub lease_ms: u64,
    /// Until it is committed or fails.
    pub reservation: Option<Reservation>,
    /// Failed attempts of the alarm.
    pub tries: u32,
}

/// What an open upload has taken of the limits of its owner. The account has it once the upload is committed; an
/// upload that fails gives back its charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    pub charge: QuotaCharge,
    /// The rate after the upload took its token: it is written with the upload instead of with the account.
    pub rate: TokenBucket,
}

/// The state of an upload, with what is known by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// Admitted; an object may have been written, and a row when a restart interrupted its registration.
    Intent,
    /// Stored; the row is being written. In memory only: after a restart it is an intent again.
    Registering(Box<StoredImage>),
    /// Stored; waits to be claimed.
    Pending(Box<StoredImage>),
    /// Claimed; the row is being written.
    Claiming { image: Box<StoredImage>, claimant: UserId },
    /// Registered; waits for a review.
    Held { image: Box<StoredImage>, image_id: ImageId },
    /// Registered; its object is being copied to where it can be read.
    Releasing { image: Box<StoredImage>, image_id: ImageId },
    /// Registered.
    Kept { image: Box<StoredImage>, image_id: ImageId },
    /// Row, object and copies are being removed.
    Removing {
        /// The only possible key, when it is known.
        key: Option<String>,
        /// Whether the object may lie below `private/`, whatever its key.
        #[serde(default)]
        is_held: bool,
        /// The reviewer's reason; then the row stays.
        #[serde(default)]
        refusal: Option<String>,
        /// Until when a row may still appear. The removal does not end before.
        row_expected_until_ms: Option<u64>,
        /// The place that is freed when the picture is gone.
        #[serde(default)]
        place: Option<FormPlace>,
    },
}

impl UploadState {
    pub const fn phase(&self) -> UploadPhase {
        match self {
            Self::Intent => UploadPhase::Intent,
            Self::Registering(_) => UploadPhase::Registering,
            Self::Pending(_) => UploadPhase::Pending,
            Self::Claiming { .. } => UploadPhase::Claiming,
            Self::Held { .. } => UploadPhase::Held,
            Self::Releasing { .. } => UploadPhase::Releasing,
            Self::Kept { .. } => UploadPhase::Kept,
            Self::Removing { .. } => UploadPhase::Removing,
        }
    }

    /// The number of an image that is registered.
    pub const fn image_id(&self) -> Option<ImageId> {
        match self {
            Self::Held { image_id, .. }
            | Self::Releasing { image_id, .. }
            | Self::Kept { image_id, .. } => Some(*image_id),
            _ => None,
        }
    }

    pub fn image(&self) -> Option<&StoredImage> {
        match self {
            Self::Registering(image)
            | Self::Pending(image)
            | Self::Claiming { image, .. }
            | Self::Held { image, .. }
            | Self::Releasing { image, .. }
            | Self::Kept { image, .. } => Some(image),
            Self::Intent | Self::Removing { .. } => None,
        }
    }
}

impl UploadPhase {
    pub const fn leads_to(self, next: Self) -> bool {
        match self {
            Self::Intent => matches!(next, Self::Registering | Self::Pending | Self::Removing),
            Self::Pending => matches!(next, Self::Claiming | Self::Removing),
            Self::Registering | Self::Claiming => {
                matches!(next, Self::Held | Self::Kept | Self::Removing)
            }
            Self::Held => matches!(next, Self::Releasing | Self::Removing),
            Self::Releasing => matches!(next, Self::Kept | Self::Removing),
            Self::Kept => matches!(next, Self::Removing),
            Self::Removing => false,
        }
    }
}

impl Upload {
    pub const fn new(key: UploadKey, now_ms: u64, lease_ms: u64, reservation: Reservation) -> Self {
        let due_ms = now_ms.saturating_add(lease_ms);
        let (state, reservation) = (UploadState::Intent, Some(reservation));
        Self { key, state, due_ms, lease_ms, reservation, tries: 0 }
    }

    /// The upload in its next state; [`None`] when the state machine has no such transition.
    pub fn advance(self, state: UploadState, due_ms: u64) -> Option<Self> {
        let leads = self.state.phase().leads_to(state.phase());
        leads.then_some(Self { state, due_ms, tries: 0, ..self })
    }

    /// The upload in the state of removal, without its reservation; the alarm handles it at `due_ms`. One that
    /// is being removed already stays as it is.
    #[must_use]
    pub fn removing(self, now_ms: u64, due_ms: u64) -> Self {
        let key = self.state.image().map(|image| image.key.to_string());
        let is_held = self.state.image().is_some_and(|image| image.is_held);
        let place = self.place_of_state();
        let row_expected_until_ms = match self.state {
            UploadState::Removing { .. } => return self,
            UploadState::Pending(_) => None,
            // Of an intent, its registration may have begun before a restart. Of a kept one, a second
            // registration may be in flight, and of one that is being released, the copy.
            UploadState::Intent
            | UploadState::Registering(_)
            | UploadState::Claiming { .. }
            | UploadState::Held { .. }
            | UploadState::Releasing { .. }
            | UploadState::Kept { .. } => Some(now_ms.saturating_add(REGISTRATION_TIMEOUT_MS)),
        };
        let state =
            UploadState::Removing { key, is_held, refusal: None, row_expected_until_ms, place };
        Self { state, due_ms, reservation: None, tries: 0, ..self }
    }

    /// The place of the picture in its form. That of a claimed one is its claimant's, who is known while it is being
    /// claimed; afterwards the database knows the owner.
    fn place_of_state(&self) -> Option<FormPlace> {
        let image = self.state.image().filter(|image| image.is_counted)?;
        let form = FormName::parse(image.form_id.as_deref()?)?;
        let owner = match &self.state {
            UploadState::Claiming { claimant, .. } => claimant.clone(),
            _ => image.key.owner()?,
        };
        Some(FormPlace { form, owner })
    }

    /// The upload with the place that its removal frees, if it is known.
    #[must_use]
    pub fn with_place(mut self, known: Option<FormPlace>) -> Self {
        if let (UploadState::Removing { place, .. }, Some(known)) = (&mut self.state, known) {
            *place = Some(known);
        }
        self
    }

    /// The removal keeps the row with this reason, or removes the row, too.
    #[must_use]
    pub fn with_refusal(mut self, reason: Option<String>) -> Self {
        if let UploadState::Removing { refusal, .. } = &mut self.state {
            *refusal = reason;
        }
        self
    }

    pub fn refusal(&self) -> Option<&str> {
        match &self.state {
            UploadState::Removing { refusal, .. } => refusal.as_deref(),
            _ => None,
        }
    }

    /// The place that its removal frees.
    pub const fn place(&self) -> Option<&FormPlace> {
        match &self.state {
            UploadState::Removing { place, .. } => place.as_ref(),
            _ => None,
        }
    }

    /// A held image that the ledger has forgotten and the database has not.
    pub fn held(image: StoredImage, image_id: ImageId, due_ms: u64) -> Self {
        let key = UploadKey::of(&image.key);
        let state = UploadState::Held { image: Box::new(image), image_id };
        Self { key, state, due_ms, lease_ms: 0, reservation: None, tries: 0 }
    }

    /// The removal of an image that the ledger does not have: registered long ago, or given up while its
    /// row was being written. It may be held.
    pub fn unknown_key(
        key: &ObjectKey,
        place: Option<FormPlace>,
        row_expected_until_ms: u64,
        due_ms: u64,
    ) -> Self {
        let state = UploadState::Removing {
            key: Some(key.to_string()),
            is_held: true,
            refusal: None,
            row_expected_until_ms: Some(row_expected_until_ms),
            place,
        };
        Self { key: UploadKey::of(key), state, due_ms, lease_ms: 0, reservation: None, tries: 0 }
    }

    /// The removal that runs again, because a row may appear until then. [`None`] if this is no removal.
    pub fn expecting_row(mut self, until_ms: u64, due_ms: u64) -> Option<Self> {
        let UploadState::Removing { row_expected_until_ms, .. } = &mut self.state else {
            return None;
        };
        *row_expected_until_ms = Some(until_ms);
        Some(Self { due_ms, tries: 0, ..self })
    }

    pub const fn row_expected_until_ms(&self) -> Option<u64> {
        match self.state {
            UploadState::Removing { row_expected_until_ms, .. } => row_expected_until_ms,
            _ => None,
        }
    }

    /// The keys that its object may have.
    pub fn object_keys(&self) -> Vec<ObjectKey> {
        let known = match &self.state {
            UploadState::Removing { key, is_held, .. } => {
                key.as_deref().and_then(ObjectKey::parse).map(|key| (key, *is_held))
            }
            state => state.image().map(|image| (image.key.clone(), image.is_held)),
        };
        match known {
            None => self.key.object_keys().collect(),
            Some((key, true)) if !key.is_private() => vec![key.private(), key],
            Some((key, _)) => vec![key],
        }
    }

    /// What may be acknowledged to a caller, once the image is kept or pending.
    pub fn receipt(&self) -> Option<Box<Receipt>> {
        let image = self.state.image()?.clone();
        if let Some(image_id) = self.state.image_id() {
            return Some(Box::new(Receipt { image, image_id: Some(image_id), expires_ms: None }));
        }
        match self.state {
            UploadState::Pending(_) | UploadState::Claiming { .. } => {
                Some(Box::new(Receipt { image, image_id: None, expires_ms: Some(self.due_ms) }))
            }
            _ => None,
        }
    }

    /// When writes that are in flight now have arrived: after a fifth of the lease, a minute by default.
    pub const fn settled_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(self.lease_ms / 5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [UploadPhase; 8] = [
        UploadPhase::Intent,
        UploadPhase::Registering,
        UploadPhase::Pending,
        UploadPhase::Claiming,
        UploadPhase::Held,
        UploadPhase::Releasing,
        UploadPhase::Kept,
        UploadPhase::Removing,
    ];

    #[test]
    fn no_step_goes_back_and_removal_is_the_end() {
        for from in PHASES {
            for to in PHASES {
                assert!(!from.leads_to(to) || from < to, "{from:?} to {to:?}");
            }
            assert_eq!(
                from.leads_to(UploadPhase::Removing),
                from != UploadPhase::Removing,
                "{from:?}"
            );
        }
    }

    #[test]
    fn what_nobody_claimed_or_registered_is_never_kept() {
        assert!(!UploadPhase::Intent.leads_to(UploadPhase::Kept));
        assert!(!UploadPhase::Pending.leads_to(UploadPhase::Kept));
        assert!(!UploadPhase::Registering.leads_to(UploadPhase::Pending));
        assert!(!UploadPhase::Held.leads_to(UploadPhase::Kept));
    }
}
