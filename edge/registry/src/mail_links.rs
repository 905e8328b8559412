//! Single-use links in mails. The database has only the digests of their tokens.

use edge_types::{Email, Nickname, UserId};
use serde::{Deserialize, Serialize};

use crate::{EventRecord, PasswordHash, RegistryError, User};

/// Links in mails, and what is done by opening one. Of concurrent calls with one link one succeeds.
pub trait MailLinkStore {
    /// Adds the link of a sign-up, which replaces earlier ones of the address. Nothing is added when an account has the
    /// address. Whether it was added.
    fn add_sign_up_link(
        &self,
        link: &SignUpLink<'_>,
    ) -> impl Future<Output = Result<bool, RegistryError>>;

    /// Adds a link for the account with this address. Whether there is one. It takes as long without.
    fn add_link(&self, link: &AccountLink<'_>)
    -> impl Future<Output = Result<bool, RegistryError>>;

    /// The e-mail address of a link that can be used now.
    fn link_email(
        &self,
        kind: LinkKind,
        digest: &str,
        now_ms: u64,
    ) -> impl Future<Output = Result<Option<String>, RegistryError>>;

    /// Creates the account of a sign-up link, with a verified address. [`None`] when the link cannot be used, or an account
    /// has the address.
    fn sign_up_by_link(
        &self,
        link: &OpenedSignUp<'_>,
    ) -> impl Future<Output = Result<Option<User>, RegistryError>>;

    /// Marks the address of the account as verified. [`None`] when the link cannot be used.
    fn verify_by_link(
        &self,
        digest: &str,
        now_ms: u64,
    ) -> impl Future<Output = Result<Option<UserId>, RegistryError>>;

    /// Sets the password, marks the address as verified, and ends all sessions and links of the user. An address that
    /// was not verified before may have been a stranger's, whose accounts at providers are unlinked. [`None`] when the link
    /// cannot be used.
    fn reset_by_link(
        &self,
        digest: &str,
        password: &PasswordHash,
        now_ms: u64,
    ) -> impl Future<Output = Result<Option<UserId>, RegistryError>>;

    /// The links for the account of a user that have not expired.
    fn links_of(
        &self,
        user: &UserId,
        now_ms: u64,
    ) -> impl Future<Output = Result<Vec<OpenLink>, RegistryError>>;

    /// Forgets links that have expired.
    fn delete_expired_links(&self, now_ms: u64) -> impl Future<Output = Result<(), RegistryError>>;
}

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// Creates an account.
    SignUp,
    /// Verifies the address of an account.
    Verify,
    /// Sets another password.
    Reset,
}

impl LinkKind {
    /// The name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::Verify => "verify",
            Self::Reset => "reset",
        }
    }
}

/// A sign-up that waits for its link to be opened.
#[derive(Clone, Copy)]
pub struct SignUpLink<'a> {
    pub digest: &'a str,
    pub email: &'a Email,
    pub nickname: Option<&'a Nickname>,
    pub expires_ms: u64,
}

/// A link for an account.
#[derive(Clone, Copy)]
pub struct AccountLink<'a> {
    /// Not [`LinkKind::SignUp`].
    pub kind: LinkKind,
    pub digest: &'a str,
    pub email: &'a Email,
    pub expires_ms: u64,
}

/// A link that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct OpenLink {
    pub kind: LinkKind,
    pub expires_ms: u64,
}

/// The link of a sign-up that was opened.
#[derive(Clone, Copy)]
pub struct OpenedSignUp<'a> {
    pub digest: &'a str,
    /// Of the new account.
    pub password: &'a PasswordHash,
    pub id: &'a UserId,
    pub now_ms: u64,
    /// The event for the back end, which is written with the account.
    pub event: Option<&'a EventRecord>,
}
