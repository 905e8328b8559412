//! What is asked of a ledger and what it answers: plain values that travel to it as JSON. What is
//! right to answer is decided elsewhere.

use image_rules::Format;
use serde::{Deserialize, Serialize};

use super::text;
use crate::{
    auth::UserId,
    registry::ImageId,
    storage::{ObjectKey, Stem},
};

/// A question with the name of the account that it is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// `user:{id}` or `ip:{address}`.
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
    /// One request more from an address.
    Enter(Enter),
    /// One upload more from a user.
    Admit(Admit),
    /// An object was stored.
    Commit(Commit),
    /// An upload came to nothing.
    Release(Release),
    /// Somebody did what honest callers do not.
    Strike(Strike),
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
    /// To [`Question::Probe`], [`Question::Release`] and [`Question::Lift`].
    Done,
    /// To [`Question::Enter`].
    Entry(Entrance),
    /// To [`Question::Admit`].
    Admission(Admission),
    /// To [`Question::Commit`].
    Commitment(Commitment),
    /// To [`Question::Strike`] and [`Question::Ban`].
    Standing(Standing),
    /// To [`Question::Claim`].
    Claimed(Claimed),
    /// To [`Question::Remove`].
    Removal(Removal),
    /// To [`Question::Look`].
    Sight(Sight),
    /// To [`Question::Knows`].
    Known(Vec<Known>),
}

/// The limits of one role; the ledger has none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Uploads a minute.
    pub rate_per_minute: u32,
    /// Uploads a day (UTC).
    pub daily_count: u32,
    /// Bytes sent a day (UTC).
    pub daily_bytes: u64,
}

/// One limit as the `RateLimit` fields tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauge {
    /// How much there is in a window: `q`.
    pub quota: u64,
    /// The window in seconds: `w`.
    pub window_s: u32,
    /// How much is left now: `r`.
    pub remaining: u64,
    /// Seconds until all of it is there again: `t`.
    pub reset_s: u32,
}

/// The limits of an account and how much of each is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauges {
    /// Uploads a minute.
    pub rate: Gauge,
    /// Uploads a day.
    pub daily_count: Gauge,
    /// Bytes a day.
    pub daily_bytes: Gauge,
}

/// See [`Question::Enter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enter {
    /// Requests a minute.
    pub rate_per_minute: u32,
}

/// Whether an address may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entrance {
    /// Its limit, after this request.
    pub rate: Gauge,
    /// Why not, if not.
    pub refused: Option<Refused>,
}

/// Why an account may not go on, and when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What is in the way.
    pub by: Barrier,
    /// Seconds until it is not, rounded up; at least one. A spent ticket stays spent: zero.
    pub retry_after_s: u32,
}

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Barrier {
    /// A ban.
    Ban,
    /// Too many in this minute.
    Rate,
    /// Too many today.
    DailyCount,
    /// Too much today, this one included.
    DailyBytes,
    /// The ticket was spent before.
    TicketSpent,
    /// The ticket is past its time.
    TicketExpired,
}

/// See [`Question::Admit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admit {
    /// The limits of the caller's role.
    pub terms: Terms,
    /// The bytes that the caller declares, or the most that is taken when he does not.
    pub bytes: u64,
    /// How long the upload may take before what it stored is removed.
    pub lease_s: u32,
    /// The ticket to be spent; for the first file of a request only.
    pub ticket: Option<Ticket>,
}

/// A ticket that is good for one upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its name.
    pub id: String,
    /// Until when it is good, and so how long its being spent is remembered.
    pub expires_ms: u64,
}

/// Whether an upload may go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The limits, after this upload.
    pub gauges: Gauges,
    /// The name to store under, or why not.
    pub outcome: Result<Leave, Refused>,
}

/// The leave to store one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// What its key begins with; the extension follows from the format.
    #[serde(with = "text")]
    pub stem: Stem,
    /// When the leave ends: nothing may be written to the store from then on.
    pub until_ms: u64,
}

/// What is known of a stored picture: all that an answer or a row tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where its bytes lie.
    #[serde(with = "text")]
    pub key: ObjectKey,
    /// The digest of what was stored, in hexadecimal.
    pub sha256: String,
    /// What it is.
    pub format: Format,
    /// Width as seen.
    pub width: u32,
    /// Height as seen.
    pub height: u32,
    /// Bytes that were stored.
    pub size_bytes: u64,
    /// Bytes that were sent; these are charged.
    pub original_size_bytes: u64,
    /// What the caller called it: data only.
    pub original_name: Option<String>,
    /// The form that it belongs to.
    pub form_id: Option<String>,
    /// A few bytes that show it blurred, in base64.
    pub placeholder: String,
    /// Kinds of private data that were removed.
    pub removed: Vec<String>,
    /// When it was stored.
    pub stored_ms: u64,
}

/// See [`Question::Commit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// What was stored, under a key of an admitted upload.
    pub record: Record,
    /// What becomes of it.
    pub disposition: Disposition,
}

/// What becomes of a stored picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It is registered at once.
    Register,
    /// It goes away unless it is claimed.
    Pending {
        /// How long it is waited for.
        for_s: u32,
    },
}

/// What became of a stored picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Commitment {
    /// It is kept: it may be acknowledged.
    Accepted(Box<Receipt>),
    /// The same bytes are there already, as told. Nothing is charged; the new object is to be deleted
    /// and then released.
    Same(Box<Receipt>),
    /// The upload is unknown or took too long: the object is to be deleted.
    Lapsed,
    /// The registry did not answer: nothing is kept or charged; the object is to be deleted.
    Unregistered,
}

/// A picture that may be acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The picture.
    pub record: Record,
    /// Its number, once registered.
    pub image_id: Option<ImageId>,
    /// When it goes away unless it is claimed before.
    pub expires_ms: Option<u64>,
}

/// See [`Question::Release`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The upload that came to nothing.
    #[serde(with = "text")]
    pub stem: Stem,
    /// Whether something may lie in the store under it.
    pub stored_maybe: bool,
}

/// See [`Question::Strike`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strike {
    /// What was done.
    pub reason: Offence,
    /// What tells one deed from another; a repetition within the hour counts once.
    pub fingerprint: String,
    /// How many strikes ban.
    pub strikes_to_ban: u32,
    /// How long the first ban is.
    pub ban_s: u32,
}

/// What honest callers do not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offence {
    /// A token whose signature is wrong; counted against the address.
    ForgedToken,
    /// A file that claims to be what it is not.
    Disguise,
    /// A small file that would become a huge picture.
    Bomb,
    /// Going on and on after being told to wait.
    Flood,
}

impl Offence {
    /// As it stands in events and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForgedToken => "forged_token",
            Self::Disguise => "disguise",
            Self::Bomb => "bomb",
            Self::Flood => "flood",
        }
    }
}

/// How an account stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Strikes that still count.
    pub strikes: u32,
    /// Until when it is banned, if it is.
    pub banned_until_ms: Option<u64>,
    /// Why it is banned.
    pub ban_reason: Option<String>,
    /// Whether this very question banned it.
    pub newly_banned: bool,
}

/// See [`Question::Claim`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Which picture.
    #[serde(with = "text")]
    pub key: ObjectKey,
    /// Whose it becomes.
    #[serde(with = "text")]
    pub by: UserId,
    /// The form that it belongs to from now on, when it is said.
    pub form_id: Option<String>,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claimed {
    /// It is kept and theirs.
    Now(Box<Receipt>),
    /// It was claimed or registered before.
    AlreadyRegistered,
    /// It is not there, or no longer.
    NotFound,
    /// The registry did not answer; the claim may be repeated.
    Unregistered,
}

/// What became of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// Row, object and copies are gone.
    Finished,
    /// Something did not answer; the ledger goes on until it is gone.
    Underway,
}

/// See [`Question::Ban`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Until when.
    pub until_ms: u64,
    /// Why.
    pub reason: String,
    /// Who bans, for the record.
    pub by: String,
}

/// What an administrator sees of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    /// Strikes and ban.
    pub standing: Standing,
    /// The limits and what is left.
    pub gauges: Gauges,
    /// How many uploads are in each state.
    pub states: Vec<StateCount>,
    /// The uploads of last, newest first.
    pub latest: Vec<Known>,
}

/// How many uploads are in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCount {
    /// The state.
    pub state: Phase,
    /// How many.
    pub count: u32,
}

/// An upload that is in the ledger's hands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// As it was asked for, or the stem.
    pub key: String,
    /// How far it is.
    pub state: Phase,
    /// When the ledger looks at it again.
    pub due_ms: u64,
}

/// How far an upload is; it only ever moves on, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Admitted; something may lie in the store.
    Intent,
    /// Stored; the registry is being told.
    Registering,
    /// Stored; waiting to be claimed.
    Pending,
    /// Claimed; the registry is being told.
    Claiming,
    /// Registered. Remembered for a day, so that the same bytes are known again.
    Kept,
    /// On its way out: row, object, copies.
    Removing,
}
