//! The one table of rights: who may call what. Every endpoint is in it, since a new one does not
//! compile before it is.

use image_rules::Code;

use super::{Principal, Role, UserId};
use crate::{error::Refusal, route::Endpoint};

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody; no token is looked at.
    Anyone,
    /// Whoever has the cookie of a refresh token.
    Cookie,
    /// Whoever has an access token of the right role.
    Token(Rights),
}

/// What the roles may do at one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Those who may call it, for what is theirs.
    pub roles: &'static [Role],
    /// Those of them who may reach what is another user's.
    pub others: &'static [Role],
    /// Whether a ticket will do for a token.
    pub ticket: bool,
}

const ALL: &[Role] = &[Role::User, Role::Guest, Role::Service, Role::Admin];
const UPLOADERS: &[Role] = &[Role::User, Role::Guest, Role::Service];
const KEEPERS: &[Role] = &[Role::User, Role::Service];
const BACK_ENDS: &[Role] = &[Role::Service];
const BACK_ENDS_AND_ADMINS: &[Role] = &[Role::Service, Role::Admin];
const PEOPLE: &[Role] = &[Role::User, Role::Admin];
const ADMINS: &[Role] = &[Role::Admin];

const fn token(roles: &'static [Role], others: &'static [Role]) -> Access {
    Access::Token(Rights { roles, others, ticket: false })
}

/// The rights of an upload: the only ones that a ticket gives.
const UPLOAD: Rights = Rights { roles: UPLOADERS, others: &[], ticket: true };

/// The table.
#[must_use]
pub const fn access(endpoint: &Endpoint) -> Access {
    match endpoint {
        Endpoint::Upload => Access::Token(UPLOAD),
        Endpoint::RegisterImage | Endpoint::Ticket => token(KEEPERS, BACK_ENDS),
        Endpoint::ListImages | Endpoint::ReadImage(_) | Endpoint::DeleteImage(_) => {
            token(ALL, BACK_ENDS_AND_ADMINS)
        }
        Endpoint::ReadUser(_) | Endpoint::ChangeUser(_) => token(PEOPLE, ADMINS),
        // A scraper with METRICS_TOKEN, which is no token of anybody, is let in before.
        Endpoint::Admin(_) | Endpoint::Metrics => token(ADMINS, ADMINS),
        Endpoint::Refresh => Access::Cookie,
        // Without a cookie there is nothing to log out of, and that is no error.
        Endpoint::SignUp
        | Endpoint::Login
        | Endpoint::Logout
        | Endpoint::GuestToken
        | Endpoint::PublicKeys
        | Endpoint::Policy
        | Endpoint::Alive
        | Endpoint::Ready
        | Endpoint::Picture(_)
        | Endpoint::Preflight { .. }
        // Only where FAULT_INJECTION is on; elsewhere they are not there at all.
        | Endpoint::Panic
        | Endpoint::Memory => Access::Anyone,
    }
}

impl Principal {
    /// The caller, when they may call this endpoint.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a ticket where it is no token, `ROLE_NOT_ALLOWED`.
    pub fn may_call(self, endpoint: &Endpoint) -> Result<Self, Refusal> {
        match access(endpoint) {
            Access::Token(rights) => self.has(rights),
            Access::Anyone | Access::Cookie => Ok(self),
        }
    }

    /// Whether the caller may reach there what is this user's.
    ///
    /// # Errors
    /// `USER_MISMATCH` when it is another's and the role does not reach so far.
    pub fn must_reach(&self, endpoint: &Endpoint, owner: &UserId) -> Result<(), Refusal> {
        if self.user() == owner || self.reaches_others(endpoint) {
            Ok(())
        } else {
            Err(Refusal::new(Code::UserMismatch))
        }
    }

    /// Whether the caller may reach there what is another's.
    #[must_use]
    pub fn reaches_others(&self, endpoint: &Endpoint) -> bool {
        match access(endpoint) {
            Access::Token(rights) => rights.others.contains(&self.role()),
            Access::Anyone | Access::Cookie => false,
        }
    }

    /// The caller, when they may upload.
    pub(super) fn uploads(self) -> Result<Self, Refusal> {
        self.has(UPLOAD)
    }

    fn has(self, rights: Rights) -> Result<Self, Refusal> {
        let caller = if rights.ticket { self } else { self.acts_for_itself()? };
        if rights.roles.contains(&caller.role()) {
            Ok(caller)
        } else {
            Err(Refusal::new(Code::RoleNotAllowed))
        }
    }
}
