//! Who is asking: from the header to a [`Principal`], and the tokens issued here.

mod issue;
mod keys;
mod principal;
#[cfg(test)]
pub(crate) mod tests;
mod verify;

pub use issue::{issue_guest_token, public_keys};
pub use keys::{KeySet, SigningKey, UnusableKey};
pub use principal::{Permit, Principal, Role, UserId};
pub use verify::authenticate;
