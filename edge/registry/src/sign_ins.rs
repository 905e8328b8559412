//! Sign-in at providers: what has begun, and which account at a provider belongs to which user.

use edge_types::{Email, UserId};
use serde_json::Value;

use crate::{EventRecord, RegistryError, User};

/// Sign-ins, and the accounts at providers. Of concurrent calls that take or link the same thing one succeeds.
pub trait SignInStore {
    /// Keeps what one sign-in needs later. The digest is that of a secret.
    fn add_sign_in(
        &self,
        digest: &str,
        content: &str,
        expires_ms: u64,
    ) -> impl Future<Output = Result<(), RegistryError>>;

    /// What was kept, until it expires.
    fn sign_in(
        &self,
        digest: &str,
        now_ms: u64,
    ) -> impl Future<Output = Result<Option<String>, RegistryError>>;

    /// The same, which is forgotten at once.
    fn take_sign_in(
        &self,
        digest: &str,
        now_ms: u64,
    ) -> impl Future<Output = Result<Option<String>, RegistryError>>;

    fn user_of(
        &self,
        identity: Identity<'_>,
    ) -> impl Future<Output = Result<Option<User>, RegistryError>>;

    /// The user with this e-mail address, also one without a password.
    fn user_at(&self, email: &Email) -> impl Future<Output = Result<Option<User>, RegistryError>>;

    /// Adds a user without a password. Fails (`false`) when the identity, the address or the id is taken.
    fn add_user_of(
        &self,
        new: &IdentityUser<'_>,
    ) -> impl Future<Output = Result<bool, RegistryError>>;

    /// Links an identity to a user with the role USER. Fails (`false`) when it is linked already, or the condition does not
    /// hold any more.
    fn link(&self, link: &IdentityLink<'_>) -> impl Future<Output = Result<bool, RegistryError>>;

    /// As the export shows them: objects with `issuer`, `subject`, `createdAt`.
    fn identities_of(&self, user: &UserId) -> impl Future<Output = Result<Value, RegistryError>>;

    /// Forgets sign-ins that have expired.
    fn delete_expired_sign_ins(
        &self,
        now_ms: u64,
    ) -> impl Future<Output = Result<(), RegistryError>>;
}

/// An account at a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    pub issuer: &'a str,
    pub subject: &'a str,
}

/// A user who signs in at a provider for the first time.
pub struct IdentityUser<'a> {
    pub identity: Identity<'a>,
    pub id: &'a UserId,
    /// Verified by the provider.
    pub email: Option<&'a Email>,
    pub created_ms: u64,
    /// The event for the back end, which is written with the account.
    pub event: Option<&'a EventRecord>,
}

/// An identity that becomes another way into an account.
pub struct IdentityLink<'a> {
    pub identity: Identity<'a>,
    pub user: &'a UserId,
    pub reason: LinkReason,
    pub now_ms: u64,
}

/// Why an identity may be linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkReason {
    /// The account and the provider have verified the same address.
    BothVerified,
    /// Only the provider has. The account loses its password, its sessions, its links in mails and its other identities,
    /// because a stranger may have made it, and its address becomes verified.
    TakenOver,
    /// The person knows the password.
    Proved,
}
