//! What is said of a picture: stored, accepted, claimed, removed, and how far it is.

use image_rules::Format;
use serde::{Deserialize, Serialize};

use crate::{
    auth::UserId,
    ledger::text,
    registry::ImageId,
    storage::{ObjectKey, Stem},
};

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

/// See [`super::Question::Commit`].
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
    /// The form has the same bytes already, as told. Nothing is charged; the new object is to be deleted.
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

/// See [`super::Question::Release`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The upload that came to nothing.
    #[serde(with = "text")]
    pub stem: Stem,
    /// Whether something may lie in the store under it.
    pub stored_maybe: bool,
}

/// See [`super::Question::Claim`].
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
    /// What it is called, when it had no name before.
    pub original_name: Option<String>,
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
