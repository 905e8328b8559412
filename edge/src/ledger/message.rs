//! What is asked of a ledger and what it answers: plain values that travel to it as JSON. What is
//! right to answer is decided elsewhere.

mod limits;
mod picture;
mod standing;

use serde::{Deserialize, Serialize};

use super::text;
use crate::storage::ObjectKey;
pub use limits::{
    Admission, Admit, Barrier, Enter, Entrance, Gauge, Gauges, Leave, Refused, Terms, Ticket,
};
pub use picture::{
    Claim, Claimed, Commit, Commitment, Disposition, Known, Phase, Receipt, Record, Release,
    Removal,
};
pub use standing::{Ban, Offence, Sight, Standing, StateCount, Strike};

/// A question with the name of the account that it is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// `user:{id}`, `ip:{address}` or `email:{digest}`.
    pub account: String,
    /// What is asked.
    pub question: Question,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Whether the ledger's own storage works.
    Probe,
    /// One request more from a client IP or a back end.
    Enter(Enter),
    /// How the account stands: its strikes and its ban.
    Standing,
    /// One upload more from a user.
    Admit(Admit),
    /// An object was stored.
    Commit(Commit),
    /// An upload came to nothing.
    Release(Release),
    /// Somebody did what honest callers do not.
    Strike(Strike),
    /// One attempt more at a password; wrong until it is known to be right.
    Attempt,
    /// The password was right: earlier attempts are forgotten.
    Trust,
    /// A pending picture is to be kept.
    Claim(Claim),
    /// A picture is to go, with its row and its bytes.
    Remove {
        /// Which.
        #[serde(with = "text")]
        key: ObjectKey,
    },
    /// An administrator shuts the account out.
    Ban(Ban),
    /// An administrator lets the account in again and forgets its strikes.
    Lift {
        /// Who lifts, for the record.
        by: String,
    },
    /// What an administrator sees of the account.
    Look {
        /// The limits of its role.
        terms: Terms,
    },
    /// Which of these are in the ledger's hands.
    Knows {
        /// Stems or keys, as the store lists them.
        keys: Vec<String>,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Question::Probe`], [`Question::Release`], [`Question::Trust`] and [`Question::Lift`].
    Done,
    /// To [`Question::Enter`].
    Entry(Entrance),
    /// To [`Question::Admit`].
    Admission(Admission),
    /// To [`Question::Commit`].
    Commitment(Commitment),
    /// To [`Question::Standing`], [`Question::Strike`] and [`Question::Ban`].
    Standing(Standing),
    /// To [`Question::Attempt`].
    Attempt {
        /// Seconds until there may be one, when there may be none now.
        wait_s: Option<u32>,
    },
    /// To [`Question::Claim`].
    Claimed(Claimed),
    /// To [`Question::Remove`].
    Removal(Removal),
    /// To [`Question::Look`].
    Sight(Sight),
    /// To [`Question::Knows`].
    Known(Vec<Known>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_metrics_and_events_is_the_name_in_messages() {
        for barrier in [
            Barrier::Ban,
            Barrier::Rate,
            Barrier::Flood,
            Barrier::DailyCount,
            Barrier::DailyBytes,
            Barrier::TicketSpent,
            Barrier::TicketExpired,
        ] {
            assert_eq!(serde_json::to_value(barrier).expect("text"), barrier.name());
        }
        for offence in Offence::ALL {
            assert_eq!(serde_json::to_value(offence).expect("text"), offence.name());
        }
    }
}
