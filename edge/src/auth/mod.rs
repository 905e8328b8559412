//! Who is asking: from the header to a [`Principal`], and the tokens issued here.

mod claims;
mod issue;
mod jwk;
mod key_server;
mod keys;
#[cfg(test)]
pub(crate) mod memory;
mod principal;
mod remote;
mod rights;
mod signing;
#[cfg(test)]
pub(crate) mod tests;
mod ticket;
mod token;
mod unique;
mod verify;

pub use claims::TokenRules;
pub use issue::{issue_access_token, issue_guest_token, issue_ticket, public_keys};
pub use key_server::{KeyServer, KeyServerFault, KeyServerUrl, MAX_KEY_SET_BYTES};
pub use keys::{KeySet, UnusableKey};
pub use principal::{Permit, Principal, Role, UserId};
pub use remote::RemoteKeys;
pub use rights::{Access, Rights, access};
pub use signing::SigningKey;
pub use ticket::{Ticket, TicketScope};
pub use verify::{TokenError, authenticate, authenticate_guest, bearer};
