//! One upload in the ledger's hands: how far it is, and which steps there are. There is none back.

use serde::{Deserialize, Serialize};

use super::{
    message::{Phase, Receipt, Record},
    quota::Charge,
    text,
};
use crate::{
    auth::UserId,
    registry::ImageId,
    storage::{ObjectKey, Stem},
};

/// How long a registration that was begun may go without an end, and how long a row may still come
/// of it although nobody waits any more: far above the registry's deadline of seconds.
pub const REGISTERING_MS: u64 = 60_000;

/// One upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    #[serde(with = "text")]
    pub stem: Stem,
    /// How far it is.
    pub state: State,
    /// When the alarm looks at it.
    pub due_ms: u64,
    /// How long its caller was given; what may still be on its way is waited for in proportion.
    pub lease_ms: u64,
    /// What is given back if it comes to nothing.
    pub charge: Option<Charge>,
    /// How often the alarm has failed with it.
    pub tries: u32,
}

/// How far an upload is, with what is known by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Admitted; something may lie in the store.
    Intent,
    /// Stored; the registry is being told.
    Registering(Box<Record>),
    /// Stored; waiting to be claimed.
    Pending(Box<Record>),
    /// Claimed; the registry is being told.
    Claiming {
        /// The picture.
        record: Box<Record>,
        /// Whose it becomes.
        #[serde(with = "text")]
        by: UserId,
    },
    /// Registered.
    Kept {
        /// The picture.
        record: Box<Record>,
        /// Its number.
        image_id: ImageId,
    },
    /// On its way out.
    Removing {
        /// The one key that it has, when that is known.
        key: Option<String>,
        /// Until when the registry may get a row of it, when it was ever told: until then the removal
        /// is not over.
        row_until_ms: Option<u64>,
    },
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self {
            Self::Intent => Phase::Intent,
            Self::Registering(_) => Phase::Registering,
            Self::Pending(_) => Phase::Pending,
            Self::Claiming { .. } => Phase::Claiming,
            Self::Kept { .. } => Phase::Kept,
            Self::Removing { .. } => Phase::Removing,
        }
    }

    /// What is known of the picture.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Registering(record)
            | Self::Pending(record)
            | Self::Claiming { record, .. }
            | Self::Kept { record, .. } => Some(record),
            Self::Intent | Self::Removing { .. } => None,
        }
    }
}

impl Phase {
    /// Whether an upload may go from here to there.
    #[must_use]
    pub const fn leads_to(self, next: Self) -> bool {
        match self {
            Self::Intent => matches!(next, Self::Registering | Self::Pending | Self::Removing),
            Self::Registering => matches!(next, Self::Kept | Self::Removing),
            Self::Pending => matches!(next, Self::Claiming | Self::Removing),
            Self::Claiming => matches!(next, Self::Kept | Self::Removing),
            Self::Kept => matches!(next, Self::Removing),
            Self::Removing => false,
        }
    }
}

impl Entry {
    /// A new upload.
    #[must_use]
    pub const fn intent(stem: Stem, now_ms: u64, lease_ms: u64, charge: Charge) -> Self {
        let due_ms = now_ms.saturating_add(lease_ms);
        Self { stem, state: State::Intent, due_ms, lease_ms, charge: Some(charge), tries: 0 }
    }

    /// The same upload one step on; nothing when there is no such step.
    #[must_use]
    pub fn step(self, state: State, due_ms: u64) -> Option<Self> {
        let leads = self.state.phase().leads_to(state.phase());
        leads.then_some(Self { state, due_ms, tries: 0, ..self })
    }

    /// The same upload on its way out, looked at again at `due_ms`; one that is already is left as it is.
    #[must_use]
    pub fn removing(self, now_ms: u64, due_ms: u64) -> Self {
        let key = self.state.record().map(|record| record.key.to_string());
        let row_until_ms = match self.state {
            State::Removing { .. } => return self,
            State::Intent | State::Pending(_) => None,
            // Also of what is kept: it may have been asked for twice, and the second is on its way.
            State::Registering(_) | State::Claiming { .. } | State::Kept { .. } => {
                Some(now_ms.saturating_add(REGISTERING_MS))
            }
        };
        Self { state: State::Removing { key, row_until_ms }, due_ms, tries: 0, ..self }
    }

    /// A picture that the ledger does not know, on its way out: registered long ago, or given up
    /// while the registry was being told of it.
    #[must_use]
    pub fn stranger(key: &ObjectKey, row_until_ms: u64, due_ms: u64) -> Self {
        let state =
            State::Removing { key: Some(key.to_string()), row_until_ms: Some(row_until_ms) };
        Self { stem: Stem::of(key), state, due_ms, lease_ms: 0, charge: None, tries: 0 }
    }

    /// Until when the registry may get a row of an upload on its way out.
    #[must_use]
    pub const fn row_until_ms(&self) -> Option<u64> {
        match self.state {
            State::Removing { row_until_ms, .. } => row_until_ms,
            _ => None,
        }
    }

    /// The keys that an object of this upload may have.
    #[must_use]
    pub fn keys(&self) -> Vec<ObjectKey> {
        let known = match &self.state {
            State::Removing { key, .. } => key.as_deref().and_then(ObjectKey::parse),
            state => state.record().map(|record| record.key.clone()),
        };
        known.map_or_else(|| self.stem.keys().collect(), |key| vec![key])
    }

    /// What may be told of it to a caller, once it is sure to stay: kept, or until it is due.
    #[must_use]
    pub fn receipt(&self) -> Option<Box<Receipt>> {
        let record = self.state.record()?.clone();
        match self.state {
            State::Kept { image_id, .. } => {
                Some(Box::new(Receipt { record, image_id: Some(image_id), expires_ms: None }))
            }
            State::Pending(_) | State::Claiming { .. } => {
                Some(Box::new(Receipt { record, image_id: None, expires_ms: Some(self.due_ms) }))
            }
            _ => None,
        }
    }

    /// When to look again, so that whatever is still on its way to a store or registry has arrived:
    /// a fifth of the lease, a minute by default.
    #[must_use]
    pub const fn settled_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(self.lease_ms / 5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 6] = [
        Phase::Intent,
        Phase::Registering,
        Phase::Pending,
        Phase::Claiming,
        Phase::Kept,
        Phase::Removing,
    ];

    #[test]
    fn no_step_goes_back_and_removal_is_the_end() {
        for from in PHASES {
            for to in PHASES {
                assert!(!from.leads_to(to) || from < to, "{from:?} to {to:?}");
            }
            assert_eq!(from.leads_to(Phase::Removing), from != Phase::Removing, "{from:?}");
        }
    }

    #[test]
    fn what_nobody_claimed_or_registered_is_never_kept() {
        assert!(!Phase::Intent.leads_to(Phase::Kept));
        assert!(!Phase::Pending.leads_to(Phase::Kept));
        assert!(!Phase::Registering.leads_to(Phase::Pending));
    }
}
