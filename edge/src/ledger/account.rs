//! Whose account, and how it is written.

use core::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::auth::UserId;

/// Whose account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// Of a user. For an object: of the user that its key names.
    User(UserId),
    /// Of an address.
    Address(String),
    /// Of whoever signs in with an e-mail address, by its digest.
    Email(String),
}

/// The account of requests whose address is not known.
const UNKNOWN: &str = "unknown";

impl Account {
    /// Of the address that a request comes from: of IPv6 the first 64 bits, as whoever has one
    /// address of a network has all of it (RFC 6177).
    #[must_use]
    pub fn of_address(text: Option<&str>) -> Self {
        Self::Address(text.and_then(normal).unwrap_or_else(|| UNKNOWN.to_owned()))
    }

    /// As [`fmt::Display`] writes it; an address may be written in any of its ways.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("user", id) => UserId::parse(id).map(Self::User),
            ("ip", UNKNOWN) => Some(Self::Address(UNKNOWN.to_owned())),
            ("ip", address) => normal(address).map(Self::Address),
            _ => None,
        }
    }
}

fn normal(text: &str) -> Option<String> {
    Some(match text.parse().ok()? {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
        },
    })
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Address(address) => write!(f, "ip:{address}"),
            Self::Email(digest) => write!(f, "email:{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_account_however_it_is_written() {
        for (text, expected) in [
            (Some("203.0.113.7"), "ip:203.0.113.7"),
            (Some("::ffff:203.0.113.7"), "ip:203.0.113.7"),
            (Some("2001:db8:1:2:3:4:5:6"), "ip:2001:db8:1:2::"),
            (Some("2001:DB8:1:2::9"), "ip:2001:db8:1:2::"),
            (Some("somewhere"), "ip:unknown"),
            (None, "ip:unknown"),
        ] {
            let account = Account::of_address(text);
            assert_eq!(account.to_string(), expected, "{text:?}");
            assert_eq!(Account::parse(expected), Some(account), "read back");
        }
    }

    #[test]
    fn only_users_and_addresses_have_accounts() {
        let user = Account::parse("user:guest-1").expect("a user");
        assert_eq!(user.to_string(), "user:guest-1");
        for wrong in ["", "user", "user:", "user:a/b", "ip:", "ip:1.2.3", "readiness", "USER:1"] {
            assert_eq!(Account::parse(wrong), None, "{wrong}");
        }
    }
}
