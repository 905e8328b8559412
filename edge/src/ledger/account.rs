//! Whose account, how it is written, and which accounts count a client IP.

use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::auth::UserId;

/// Whose account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// Of a user. For an object: of the user that its key names.
    User(UserId),
    /// Of an IPv4 address, an IPv6 /64, or an IPv6 /48 (written with `/48`).
    Address(String),
    /// Of whoever signs in with an e-mail address, by its digest.
    Email(String),
}

/// The account of requests whose address is not known.
const UNKNOWN: &str = "unknown";
/// How the account of an IPv6 /48 ends.
const SITE: &str = "/48";
/// Requests from other people's Workers all come from this address.
const SHARED_EGRESS: Ipv6Addr = Ipv6Addr::new(0x2a06, 0x98c0, 0x3600, 0, 0, 0, 0, 0x103);

impl Account {
    /// As [`fmt::Display`] writes it; an address may be written in any of its ways.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("user", id) => UserId::parse(id).map(Self::User),
            ("ip", UNKNOWN) => Some(Self::Address(UNKNOWN.to_owned())),
            ("ip", text) => match text.strip_suffix(SITE) {
                Some(text) => ClientIp::parse(Some(text)).site,
                None => text.parse().ok().map(|ip| ClientIp::of(ip).account),
            },
            _ => None,
        }
    }

    /// Whether no strike and no ban holds for it: loopback, which is a developer's own machine, and
    /// the address that all Workers of other people share.
    #[must_use]
    pub fn is_never_banned(&self) -> bool {
        let Self::Address(text) = self else { return false };
        let text = text.strip_suffix(SITE).unwrap_or(text);
        match text.parse() {
            Ok(IpAddr::V4(ip)) => ip.is_loopback(),
            Ok(IpAddr::V6(ip)) => [Ipv6Addr::LOCALHOST, SHARED_EGRESS]
                .iter()
                .any(|exempt| [64, 48].iter().any(|bits| prefix(*exempt, *bits) == ip)),
            Err(_) => false,
        }
    }
}

/// Where a request comes from, as the accounts that count it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIp {
    account: Account,
    site: Option<Account>,
}

impl ClientIp {
    /// How much more a /48 may do than a /64 or an IPv4 address.
    pub const SITE_FACTOR: u32 = 4;

    /// From the text of a header.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Self {
        let unknown = || Self { account: Account::Address(UNKNOWN.to_owned()), site: None };
        text.and_then(|text| text.parse().ok()).map_or_else(unknown, Self::of)
    }

    /// An IPv6 customer has at least a /64 and at most a /48 (RFC 6177), so both are counted.
    fn of(ip: IpAddr) -> Self {
        let v4 = |ip: Ipv4Addr| Self { account: Account::Address(ip.to_string()), site: None };
        match ip {
            IpAddr::V4(ip) => v4(ip),
            IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or_else(
                || Self {
                    account: Account::Address(prefix(ip, 64).to_string()),
                    site: Some(Account::Address(format!("{}{SITE}", prefix(ip, 48)))),
                },
                v4,
            ),
        }
    }

    /// The account of the IPv4 address or the IPv6 /64.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// The account of the IPv6 /48.
    #[must_use]
    pub const fn site(&self) -> Option<&Account> {
        self.site.as_ref()
    }

    /// Each account with the factor of its limits.
    pub fn accounts(&self) -> impl Iterator<Item = (&Account, u32)> {
        let site = self.site.iter().map(|site| (site, Self::SITE_FACTOR));
        std::iter::once((&self.account, 1)).chain(site)
    }
}

fn prefix(ip: Ipv6Addr, bits: u32) -> Ipv6Addr {
    let rest = 128 - bits;
    Ipv6Addr::from_bits(ip.to_bits() >> rest << rest)
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
    fn an_address_is_one_account_however_it_is_written_and_an_ipv6_site_another() {
        for (text, expected, site) in [
            (Some("203.0.113.7"), "ip:203.0.113.7", None),
            (Some("::ffff:203.0.113.7"), "ip:203.0.113.7", None),
            (Some("2001:db8:1:2:3:4:5:6"), "ip:2001:db8:1:2::", Some("ip:2001:db8:1::/48")),
            (Some("2001:DB8:1:2::9"), "ip:2001:db8:1:2::", Some("ip:2001:db8:1::/48")),
            (Some("somewhere"), "ip:unknown", None),
            (None, "ip:unknown", None),
        ] {
            let ip = ClientIp::parse(text);
            assert_eq!(ip.account().to_string(), expected, "{text:?}");
            assert_eq!(ip.site().map(ToString::to_string).as_deref(), site, "{text:?}");
            for (account, factor) in ip.accounts() {
                assert_eq!(Account::parse(&account.to_string()).as_ref(), Some(account));
                assert_eq!(factor, if Some(account) == ip.site() { 4 } else { 1 });
            }
        }
    }

    #[test]
    fn only_users_and_addresses_have_accounts() {
        let user = Account::parse("user:guest-1").expect("a user");
        assert_eq!(user.to_string(), "user:guest-1");
        for wrong in [
            "",
            "user",
            "user:",
            "user:a/b",
            "ip:",
            "ip:1.2.3",
            "ip:1.2.3.4/48",
            "ip:2001:db8::/64",
            "readiness",
            "USER:1",
        ] {
            assert_eq!(Account::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn loopback_and_the_shared_address_of_other_workers_are_never_banned() {
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "2a06:98c0:3600::103"] {
            let ip = ClientIp::parse(Some(text));
            assert!(ip.accounts().all(|(account, _)| account.is_never_banned()), "{text}");
        }
        for text in ["203.0.113.7", "128.0.0.1", "2a06:98c0:3601::103", "2001:db8::1", "unknown"] {
            let ip = ClientIp::parse(Some(text));
            assert!(!ip.accounts().any(|(account, _)| account.is_never_banned()), "{text}");
        }
        assert!(!Account::parse("user:127").expect("a user").is_never_banned());
    }
}
