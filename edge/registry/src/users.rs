//! The built-in accounts and the families of their refresh tokens.

use edge_storage::ObjectKey;
use edge_types::{Email, Nickname, Role, UserId};
use serde::{Deserialize, Deserializer};

use crate::{EventRecord, RegistryError, Review, object_of};

/// Users and their refresh tokens.
pub trait UserStore {
    /// Reserves an e-mail address for a user who is about to be created. Fails (`false`) when an account has
    /// the address or another user has reserved it. A repeated call extends the reservation.
    fn reserve(
        &self,
        reservation: &Reservation<'_>,
    ) -> impl Future<Output = Result<bool, RegistryError>>;

    /// Ends a reservation of this user; succeeds when there is none.
    fn release(
        &self,
        email: &Email,
        id: &UserId,
    ) -> impl Future<Output = Result<(), RegistryError>>;

    /// Adds a user unless the address is reserved for another one, and ends their reservation. Durable when
    /// this returns.
    fn create(&self, user: &NewUser<'_>) -> impl Future<Output = Result<Created, RegistryError>>;

    fn by_email(
        &self,
        email: &Email,
    ) -> impl Future<Output = Result<Option<(User, PasswordHash)>, RegistryError>>;

    fn by_id(&self, id: &UserId) -> impl Future<Output = Result<Option<User>, RegistryError>>;

    /// Applies a change. Returns the user as they are then, if there is one.
    fn change(
        &self,
        id: &UserId,
        change: &UserChange,
    ) -> impl Future<Output = Result<Option<User>, RegistryError>>;

    /// Replaces the password when it is still the old one, and ends sessions with it. How many there were; [`None`] when the
    /// password was changed before.
    fn change_password(
        &self,
        change: &NewPassword<'_>,
    ) -> impl Future<Output = Result<Option<u32>, RegistryError>>;

    /// Adds a family, and deletes the expired ones of the user.
    fn open(&self, family: &RefreshFamily) -> impl Future<Output = Result<(), RegistryError>>;

    /// Replaces the last token of a family by the next. Returns the user and when the next token expires, or
    /// [`None`] when the family is revoked or expired or `last` is not its last token. Of concurrent calls one
    /// succeeds.
    fn rotate(
        &self,
        rotation: &TokenRotation<'_>,
    ) -> impl Future<Output = Result<Option<(UserId, u64)>, RegistryError>>;

    fn family(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Option<RefreshFamily>, RegistryError>>;

    /// Ends a family. Whether this call ended it.
    fn revoke(&self, id: &str, now_ms: u64) -> impl Future<Output = Result<bool, RegistryError>>;

    /// The families of a user that can be refreshed, the last used first.
    fn sessions(
        &self,
        user: &UserId,
        now_ms: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<RefreshFamily>, RegistryError>>;

    /// Ends families of a user. How many there were.
    fn revoke_of(
        &self,
        user: &UserId,
        which: WhichSessions<'_>,
        now_ms: u64,
    ) -> impl Future<Output = Result<u32, RegistryError>>;

    /// The role that the user of a family has now; [`None`] when the family has ended or belongs to another user.
    fn session_role(
        &self,
        id: &str,
        user: &UserId,
        now_ms: u64,
    ) -> impl Future<Output = Result<Option<Role>, RegistryError>>;
}

/// A user, without the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// Normalised.
    pub email: String,
    pub role: Role,
    pub nickname: Option<String>,
    /// The profile image, as long as it is registered.
    pub image_key: Option<String>,
    /// The review of the profile image.
    pub image_review: Option<Review>,
    pub created_ms: u64,
    /// Whether a link in a mail was opened.
    pub has_verified_email: bool,
}

impl User {
    /// The key of the object of the profile image. [`None`] when there is none.
    pub fn image_object(&self) -> Option<ObjectKey> {
        object_of(self.image_key.as_deref()?, self.image_review)
    }
}

/// A password hash as a PHC string. There is no `Debug`, so that it is never printed.
#[derive(Clone)]
pub struct PasswordHash(pub String);

/// A user to be added.
pub struct NewUser<'a> {
    pub id: &'a UserId,
    pub email: &'a Email,
    pub password: &'a PasswordHash,
    pub nickname: Option<&'a Nickname>,
    pub image_key: Option<&'a ObjectKey>,
    pub created_ms: u64,
    /// The event for the back end, which is written with the account.
    pub event: Option<&'a EventRecord>,
}

/// An e-mail address that is held for a user.
#[derive(Clone, Copy)]
pub struct Reservation<'a> {
    pub email: &'a Email,
    pub id: &'a UserId,
    pub now_ms: u64,
    pub until_ms: u64,
}

/// The result of adding a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    Now,
    /// An account has this address, or it is reserved for another user.
    EmailTaken,
    /// An account has this id: its image was transferred before.
    IdTaken,
}

/// A change of a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    pub nickname: Edit<Nickname>,
    pub image_key: Edit<ObjectKey>,
}

/// The change of one member: in JSON absent, `null` or a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Edit<T> {
    #[default]
    Keep,
    Remove,
    Set(T),
}

impl<T> Edit<T> {
    pub const fn keeps(&self) -> bool {
        matches!(self, Self::Keep)
    }

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

/// A password that replaces another one.
pub struct NewPassword<'a> {
    pub user: &'a UserId,
    pub old: &'a PasswordHash,
    pub new: &'a PasswordHash,
    /// The sessions that end.
    pub ends: WhichSessions<'a>,
    pub now_ms: u64,
}

/// All refresh tokens of one login: a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshFamily {
    /// In hexadecimal; also the id of the session.
    pub id: String,
    pub user: UserId,
    /// The digest of its last token, in hexadecimal.
    pub token: String,
    /// The `User-Agent` of the login.
    pub user_agent: Option<String>,
    pub created_ms: u64,
    /// When its last token was issued.
    pub used_ms: u64,
    /// When its last token expires.
    pub expires_ms: u64,
    /// When it was ended before that.
    pub revoked_ms: Option<u64>,
}

impl RefreshFamily {
    /// Whether it can be refreshed.
    pub const fn is_open(&self, now_ms: u64) -> bool {
        self.revoked_ms.is_none() && self.expires_ms > now_ms
    }
}

/// Which sessions of a user to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichSessions<'a> {
    All,
    Only(&'a str),
    AllBut(&'a str),
}

impl WhichSessions<'_> {
    pub fn include(self, id: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => id == only,
            Self::AllBut(kept) => id != kept,
        }
    }
}

/// The replacement of a refresh token by the next one.
pub struct TokenRotation<'a> {
    pub family: &'a str,
    /// The digest of the presented token.
    pub last: &'a str,
    /// The digest of the next one.
    pub next: &'a str,
    pub now_ms: u64,
    /// The lifetime of the next one.
    pub lifetime_ms: u64,
    /// How long after its beginning the family ends, however often it is used.
    pub family_lifetime_ms: u64,
}
