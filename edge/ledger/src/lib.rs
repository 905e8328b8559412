//! One ledger for each subject (a user, a client IP, an e-mail address): limits, strikes and bans, and the
//! state machine of every upload from its admission until it is registered, claimed or removed. The ledger of a form
//! with a limit has a place for each of its pictures.
//!
//! This file is the client's side. Requests fail closed: without an answer of the ledger nothing is admitted.

mod abuse;
mod account;
mod cached_storage;
mod command;
mod delivery;
mod event_settings;
mod form_places;
mod login_throttle;
mod new_identities;
mod quota;
mod service;
mod storage;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod token_bucket;
mod upload;
mod webhook;

use edge_types::{Subject, UserId};

pub use cached_storage::CachedStorage;
pub use command::*;
pub use event_settings::{EventSettings, ImageDetails};
pub use login_throttle::LoginLimit;
pub use service::{ALARM_RETRY_MS, CommandError, LedgerDeps, LedgerService};
pub use storage::{
    AccountState, Derivation, DerivationState, FormCount, KeptUpload, LedgerStorage,
    LedgerStorageError, OutboxEvent, Place,
};
pub use upload::{Upload, UploadState};
pub use webhook::{
    Answer, DeliveryError, EventOutcome, EventQueue, EventType, Verdict, WebhookEvent,
};

/// The ledger did not answer, so nothing is admitted.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// With the platform's message.
    #[error("unreachable: {0}")]
    Unreachable(String),
    #[error("status {status}: {cause}")]
    Failed { status: u16, cause: String },
    #[error("unexpected reply")]
    UnexpectedReply(#[from] serde_json::Error),
}

/// Sends commands to ledgers.
pub trait LedgerClient {
    /// Sends a command; the reply is JSON.
    fn send_json(
        &self,
        subject: String,
        command: Command,
    ) -> impl Future<Output = Result<String, LedgerError>>;

    /// Sends a command.
    fn send<C: LedgerCommand>(
        &self,
        subject: &Subject,
        command: C,
    ) -> impl Future<Output = Result<C::Reply, LedgerError>> {
        async move {
            let reply = self.send_json(subject.to_string(), command.into()).await?;
            Ok(serde_json::from_str(&reply)?)
        }
    }

    /// Sends a command to the ledger of a user; for an object, the user that its key names.
    fn send_to_user<C: LedgerCommand>(
        &self,
        user: &UserId,
        command: C,
    ) -> impl Future<Output = Result<C::Reply, LedgerError>> {
        async move { self.send(&Subject::User(user.clone()), command).await }
    }

    /// Checks that ledgers answer from their own storage.
    fn probe(&self) -> impl Future<Output = Result<(), LedgerError>> {
        async move {
            self.send_json("readiness".to_owned(), Probe.into()).await?;
            Ok(())
        }
    }
}
