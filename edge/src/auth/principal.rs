//! The caller as the token says: an id that is safe in a key, and a role.

use core::fmt;

use image_rules::{Code, Format, Limits};

use super::ticket::Ticket;
use crate::{error::Refusal, intake::FormId};

/// What the ids begin with that are given to those who have not signed up.
pub(super) const GUEST_PREFIX: &str = "guest-";

/// The id of a user: 1 to 64 of `A-Z a-z 0-9 _ -`, so that it can stand in a key and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserId(String);

impl UserId {
    const MAX_BYTES: usize = 64;

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it was given to somebody who has not signed up.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.0.starts_with(GUEST_PREFIX)
    }

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
    pub(super) ticket: Option<Ticket>,
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

    /// The caller with a token of their own: a ticket is for an upload and nothing else.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a ticket.
    pub fn acts_for_itself(self) -> Result<Self, Refusal> {
        if self.ticket.is_some() { Err(Refusal::new(Code::TokenInvalid)) } else { Ok(self) }
    }

    /// The leave to upload, by role.
    ///
    /// # Errors
    /// `ROLE_NOT_ALLOWED` for a role that uploads nothing, `TICKET_REQUIRED` for a token that is no
    /// ticket where one is insisted on.
    pub fn may_upload(self, require_ticket: bool) -> Result<Permit, Refusal> {
        let Self { user: owner, role, ticket } = self.uploads()?;
        if require_ticket && ticket.is_none() {
            return Err(Refusal::new(Code::TicketRequired));
        }
        Ok(Permit { owner, role, ticket })
    }
}

/// The leave to upload one picture, without which no body is read.
#[derive(Debug)]
pub struct Permit {
    owner: UserId,
    role: Role,
    ticket: Option<Ticket>,
}

impl Permit {
    /// The ticket that the upload is made with, if it is.
    #[must_use]
    pub const fn ticket(&self) -> Option<&Ticket> {
        self.ticket.as_ref()
    }

    /// The limits of this upload: the policy's, or less when the ticket says so.
    #[must_use]
    pub fn limits(&self, limits: Limits) -> Limits {
        self.ticket.as_ref().map_or(limits, |ticket| ticket.narrow(limits))
    }

    /// The form of this upload.
    ///
    /// # Errors
    /// `TICKET_REQUIRED` when the ticket is for another.
    pub fn form_id(&self, said: Option<FormId>) -> Result<Option<FormId>, Refusal> {
        match &self.ticket {
            Some(ticket) => ticket.form_id(said),
            None => Ok(said),
        }
    }

    /// Whether a picture of this type may be uploaded.
    ///
    /// # Errors
    /// `TICKET_REQUIRED` when the ticket is for another.
    pub fn allows(&self, declared: Format) -> Result<(), Refusal> {
        self.ticket.as_ref().map_or(Ok(()), |ticket| ticket.allows(declared))
    }

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
