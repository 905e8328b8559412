//! People who sign up here: the port to where they are kept, and what they can do. Whether a token is
//! genuine is the affair of `auth`, how much an address may ask that of the ledger.

mod adopt;
mod cookie;
mod email;
mod guard;
mod login;
#[cfg(test)]
pub(crate) mod memory;
mod nickname;
mod password;
mod profile;
mod refresh;
mod session;
mod signup;

pub use cookie::RefreshToken;
pub use email::Email;
pub use login::login;
pub use nickname::Nickname;
pub use profile::{change, read};
pub use refresh::{logout, refresh};
pub use signup::sign_up;

use serde::{Deserialize, Deserializer};

use crate::{
    auth::{Role, UserId},
    registry::RegistryFault,
    storage::ObjectKey,
};

/// Keeps users, and the families of their refresh tokens.
pub trait Accounts {
    /// Reserves an e-mail address for a user who is about to be added; whether it is theirs now. One that
    /// belongs to an account, or is reserved for another user, is not. Asking again for the same user
    /// extends the reservation.
    fn reserve(
        &self,
        reservation: &Reservation<'_>,
    ) -> impl Future<Output = Result<bool, RegistryFault>>;

    /// Ends a reservation of this user; that there is none is no fault.
    fn release(
        &self,
        email: &Email,
        id: &UserId,
    ) -> impl Future<Output = Result<(), RegistryFault>>;

    /// Adds a user, unless the address is reserved for another one, and ends their reservation; durable
    /// when this returns.
    fn create(&self, user: &NewUser<'_>) -> impl Future<Output = Result<Created, RegistryFault>>;

    /// Who has this address, and what their password is checked against.
    fn by_email(
        &self,
        email: &Email,
    ) -> impl Future<Output = Result<Option<(User, PasswordHash)>, RegistryFault>>;

    /// Who has this id.
    fn by_id(&self, id: &UserId) -> impl Future<Output = Result<Option<User>, RegistryFault>>;

    /// Changes what is said; the user as they are then, if there is one.
    fn change(
        &self,
        id: &UserId,
        change: &Change,
    ) -> impl Future<Output = Result<Option<User>, RegistryFault>>;

    /// Begins a family, and forgets those of the user that are past their time.
    fn open(&self, family: &Family) -> impl Future<Output = Result<(), RegistryFault>>;

    /// Puts the next token in the place of the last; whose it is. Nothing when the family is revoked
    /// or past its time, or `last` is not its last token. Of several who ask at once one succeeds.
    fn rotate(
        &self,
        turn: &Turn<'_>,
    ) -> impl Future<Output = Result<Option<UserId>, RegistryFault>>;

    /// A family as it stands.
    fn family(&self, id: &str) -> impl Future<Output = Result<Option<Family>, RegistryFault>>;

    /// Ends a family; whether this ended it.
    fn revoke(&self, id: &str, now_ms: u64) -> impl Future<Output = Result<bool, RegistryFault>>;
}

/// A user as others may see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// Normalised.
    pub email: String,
    /// What they may be.
    pub role: Role,
    /// What they want to be called.
    pub nickname: Option<String>,
    /// Their picture, as long as it is registered.
    pub picture_key: Option<String>,
    /// Since when.
    pub created_ms: u64,
}

/// A password's hash as a PHC string. It is shown nowhere, and so has no `Debug`.
#[derive(Clone)]
pub struct PasswordHash(pub String);

/// Somebody to be added.
pub struct NewUser<'a> {
    /// Who.
    pub id: &'a UserId,
    /// Where they are reached.
    pub email: &'a Email,
    /// What their password is checked against.
    pub password: &'a PasswordHash,
    /// What they want to be called.
    pub nickname: Option<&'a Nickname>,
    /// Their picture.
    pub picture_key: Option<&'a ObjectKey>,
    /// When.
    pub created_ms: u64,
}

/// An e-mail address that is held for a user.
#[derive(Clone, Copy)]
pub struct Reservation<'a> {
    /// The address.
    pub email: &'a Email,
    /// For whom.
    pub id: &'a UserId,
    /// Now.
    pub now_ms: u64,
    /// Until when.
    pub until_ms: u64,
}

/// What became of adding somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// They are there.
    Now,
    /// Somebody has this address, or it is reserved for somebody else.
    EmailTaken,
    /// Somebody has this id: their picture was adopted before.
    IdTaken,
}

/// What is to be changed of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What they want to be called.
    pub nickname: Edit<Nickname>,
    /// Their picture.
    pub picture_key: Edit<ObjectKey>,
}

/// What becomes of one thing: in JSON nothing, `null` or a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is removed.
    Remove,
    /// It is set.
    Set(T),
}

impl<T> Edit<T> {
    /// Whether it stays as it is.
    #[must_use]
    pub const fn keeps(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// What it is set to.
    #[must_use]
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Remove => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Edit<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Remove, Self::Set))
    }
}

/// All refresh tokens of one login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name, in hexadecimal.
    pub id: String,
    /// Whose.
    pub user: UserId,
    /// The digest of its last token, in hexadecimal.
    pub token: String,
    /// Since when.
    pub created_ms: u64,
    /// Until when its last token is good.
    pub expires_ms: u64,
    /// When it was ended before its time.
    pub revoked_ms: Option<u64>,
}

/// One token in the place of another.
pub struct Turn<'a> {
    /// Of which family.
    pub family: &'a str,
    /// The digest of the token that was shown.
    pub last: &'a str,
    /// The digest of the one that comes.
    pub next: &'a str,
    /// Now.
    pub now_ms: u64,
    /// Until when the next is good.
    pub expires_ms: u64,
}
