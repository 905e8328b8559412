//! The caller as the token says: an id that is safe in a key, and a role.

use core::fmt;

use image_rules::Code;

use crate::error::Refusal;

/// The id of a user: 1 to 64 of `A-Z a-z 0-9 _ -`, so that it can stand in a key and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserId(String);

impl UserId {
    const MAX_BYTES: usize = 64;

    /// From text, when every character is allowed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let is_id = (1..=Self::MAX_BYTES).contains(&text.len()) && text.bytes().all(allowed);
        is_id.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a caller may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE", try_from = "String")]
pub enum Role {
    /// A signed-in user; also a token that names no role.
    #[default]
    User,
    /// Somebody who has not signed up yet.
    Guest,
    /// Another back end.
    Service,
    /// Somebody of the team.
    Admin,
}

/// A role that there is not.
#[derive(Debug)]
pub struct UnknownRole;

impl fmt::Display for UnknownRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such role")
    }
}

/// Written out, because the derived reading of an enum takes `{"ADMIN":null}` as well.
impl TryFrom<String> for Role {
    type Error = UnknownRole;

    fn try_from(name: String) -> Result<Self, UnknownRole> {
        match name.as_str() {
            "USER" => Ok(Self::User),
            "GUEST" => Ok(Self::Guest),
            "SERVICE" => Ok(Self::Service),
            "ADMIN" => Ok(Self::Admin),
            _ => Err(UnknownRole),
        }
    }
}

/// A caller whose token was verified; only verification makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub(super) user: UserId,
    pub(super) role: Role,
}

impl Principal {
    /// Who it is.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// What they may be.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The leave to upload, by role.
    ///
    /// # Errors
    /// `ROLE_NOT_ALLOWED` for a role that uploads nothing.
    pub fn may_upload(self) -> Result<Permit, Refusal> {
        match self.role {
            Role::User | Role::Guest | Role::Service => {
                Ok(Permit { owner: self.user, role: self.role })
            }
            Role::Admin => Err(Refusal::new(Code::RoleNotAllowed)),
        }
    }
}

/// The leave to upload one picture, without which no body is read.
#[derive(Debug)]
pub struct Permit {
    owner: UserId,
    role: Role,
}

impl Permit {
    /// As what the caller uploads.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whether this caller may say to be that user.
    ///
    /// # Errors
    /// `USER_MISMATCH` when the token is another's.
    pub fn is_for(&self, claimed: Option<&UserId>) -> Result<(), Refusal> {
        match claimed {
            Some(claimed) if *claimed != self.owner => Err(Refusal::new(Code::UserMismatch)),
            _ => Ok(()),
        }
    }

    /// Whose picture it will be.
    #[must_use]
    pub const fn owner(&self) -> &UserId {
        &self.owner
    }
}
