//! Who is asking: from the `Authorization` header to a [`Principal`], and the tokens that are issued here.

mod claims;
mod config;
mod duplicate_members;
mod id_token;
mod issue;
mod issuer;
mod jwk;
mod key_server;
mod key_set;
mod keys;
mod principal;
mod proof_of_work;
mod remote;
mod signing;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod ticket;
mod token;
mod url_signature;
mod verify;

pub use config::AuthConfig;
pub use id_token::IdTokenRules;
pub use issue::{AccountClaims, SigningError, TicketHolder};
pub use issuer::Issuer;
pub use key_server::{
    KeyServer, KeyServerError, KeyServerRequest, KeyServerUrl, MAX_KEY_SET_BYTES,
};
pub use key_set::{KeySet, OwnKeys};
pub use keys::UnusableKey;
pub use principal::{Permit, Principal, Rights, UPLOAD};
#[cfg(any(test, feature = "testing"))]
pub use proof_of_work::solve;
pub use proof_of_work::{CHALLENGE_LIFETIME_S, PUZZLES, Purpose, puzzle_bits};
pub use remote::RemoteKeys;
pub use signing::{MacKey, PublicJwk, SigningKey, erased_name};
pub use ticket::{SingleUse, Ticket, TicketScope};
pub use url_signature::{UrlKeys, UrlPurpose};
pub use verify::{Authenticator, TokenError, bearer};
