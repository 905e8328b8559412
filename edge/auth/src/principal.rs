//! The caller that a verified token names, and what the caller may do. The table of all endpoints is in the API.

use edge_types::{FormId, Problem, Role, SessionId, UserId};
use image_rules::{Code, Format, Limits};

use crate::ticket::{SingleUse, Ticket};

/// What the roles may do at one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// The roles that may call it, for what is their own.
    pub roles: &'static [Role],
    /// Those of them that may access what is another user's.
    pub others: &'static [Role],
    /// Whether a ticket is accepted as a token.
    pub ticket: bool,
    /// Whether the session of a user must be open now. That of SERVICE and ADMIN must be wherever their rights are
    /// checked.
    pub open_session: bool,
}

/// The rights of an upload: the only ones that a ticket has.
pub const UPLOAD: Rights = Rights {
    roles: &[Role::User, Role::Guest, Role::Service],
    others: &[],
    ticket: true,
    open_session: false,
};

/// A caller whose token was verified; only verification makes one. Dispatch authorizes it for the endpoint
/// before a handler gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub(crate) user: UserId,
    pub(crate) role: Role,
    /// With an access token of the built-in accounts.
    pub(crate) session: Option<SessionId>,
    /// When the built-in account was created.
    pub(crate) account_since_s: Option<u64>,
    /// With a built-in account whose e-mail address should be verified and is not.
    pub(crate) is_unverified: bool,
    pub(crate) ticket: Option<Ticket>,
    /// For a ticket, and for a guest's token that allows one upload.
    pub(crate) single_use: Option<SingleUse>,
    pub(crate) may_access_others: bool,
}

impl Principal {
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    pub const fn role(&self) -> Role {
        self.role
    }

    /// When the built-in account was created, in seconds since 1970; also with a ticket that the user was issued.
    pub const fn account_since_s(&self) -> Option<u64> {
        self.account_since_s
    }

    /// Whether the e-mail address of the built-in account should be verified and is not; also with a ticket that the user
    /// was issued.
    pub const fn is_unverified(&self) -> bool {
        self.is_unverified
    }

    /// The session of the built-in accounts that the token belongs to. A token with the role SERVICE or ADMIN has one,
    /// unless a platform issued it.
    pub const fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// The caller with a token of their own: a ticket admits an upload only.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a ticket.
    pub fn reject_ticket(self) -> Result<Self, Problem> {
        if self.ticket.is_some() { Err(Problem::new(Code::TokenInvalid)) } else { Ok(self) }
    }

    /// The caller of an endpoint with these rights.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a ticket where none is accepted, `ROLE_NOT_ALLOWED`.
    pub fn authorize(self, rights: Rights) -> Result<Self, Problem> {
        let caller = if rights.ticket { self } else { self.reject_ticket()? };
        if !rights.roles.contains(&caller.role) {
            return Err(Problem::new(Code::RoleNotAllowed));
        }
        Ok(Self { may_access_others: rights.others.contains(&caller.role), ..caller })
    }

    /// Whether the caller may access what is another user's, at the endpoint that they were authorized for.
    pub const fn may_access_others(&self) -> bool {
        self.may_access_others
    }

    /// Checks that the caller may access what is this user's.
    ///
    /// # Errors
    /// `USER_MISMATCH`.
    pub fn check_access(&self, owner: &UserId) -> Result<(), Problem> {
        if self.may_access_others || self.user == *owner {
            Ok(())
        } else {
            Err(Problem::new(Code::UserMismatch))
        }
    }

    /// The permission to upload.
    ///
    /// # Errors
    /// `ROLE_NOT_ALLOWED`, and `TICKET_REQUIRED` for a token that is no ticket where one is required.
    pub fn may_upload(self, require_ticket: bool) -> Result<Permit, Problem> {
        let Self { user: owner, role, account_since_s, is_unverified, ticket, single_use, .. } =
            self.authorize(UPLOAD)?;
        if require_ticket && ticket.is_none() {
            return Err(Problem::new(Code::TicketRequired));
        }
        Ok(Permit { owner, role, account_since_s, is_unverified, ticket, single_use })
    }
}

/// The permission to upload. No body is read without one.
#[derive(Debug)]
pub struct Permit {
    owner: UserId,
    role: Role,
    account_since_s: Option<u64>,
    is_unverified: bool,
    ticket: Option<Ticket>,
    single_use: Option<SingleUse>,
}

impl Permit {
    /// Whose limits the uploader has: an account with an unverified e-mail address has those of a guest.
    pub const fn limits_of(&self) -> Role {
        if self.is_unverified { Role::Guest } else { self.role }
    }

    /// Whether the e-mail address of the uploader should be verified and is not.
    pub const fn is_unverified(&self) -> bool {
        self.is_unverified
    }

    /// Whether the uploader is a guest, or has a built-in account that is younger than a day or unverified.
    pub fn is_newcomer(&self, now_ms: u64) -> bool {
        const DAY_S: u64 = 86_400;
        let is_young = |since_s: u64| now_ms / 1000 < since_s.saturating_add(DAY_S);
        self.limits_of() == Role::Guest || self.account_since_s.is_some_and(is_young)
    }

    pub const fn ticket(&self) -> Option<&Ticket> {
        self.ticket.as_ref()
    }

    /// Whether it allows one upload, and by what it is known.
    pub const fn single_use(&self) -> Option<&SingleUse> {
        self.single_use.as_ref()
    }

    /// The limits of this upload: those of the policy, narrowed by the ticket.
    pub fn limits(&self, limits: Limits) -> Limits {
        self.ticket.as_ref().map_or(limits, |ticket| ticket.narrow(limits))
    }

    /// The form of this upload.
    ///
    /// # Errors
    /// `TICKET_REQUIRED` when the ticket is for another form.
    pub fn form_id(&self, said: Option<FormId>) -> Result<Option<FormId>, Problem> {
        match &self.ticket {
            Some(ticket) => ticket.form_id(said),
            None => Ok(said),
        }
    }

    /// Checks that an image of this type may be uploaded.
    ///
    /// # Errors
    /// `TICKET_REQUIRED` when the ticket is for another type.
    pub fn allows(&self, declared: Format) -> Result<(), Problem> {
        self.ticket.as_ref().map_or(Ok(()), |ticket| ticket.allows(declared))
    }

    pub const fn role(&self) -> Role {
        self.role
    }

    /// Checks the user that the request names, if it names one.
    ///
    /// # Errors
    /// `USER_MISMATCH`.
    pub fn is_for(&self, claimed: Option<&UserId>) -> Result<(), Problem> {
        match claimed {
            Some(claimed) if *claimed != self.owner => Err(Problem::new(Code::UserMismatch)),
            _ => Ok(()),
        }
    }

    pub const fn owner(&self) -> &UserId {
        &self.owner
    }
}
