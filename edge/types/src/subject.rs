//! Whom limits and bans apply to, and which subjects a client IP stands for.

use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};

use crate::{Email, FormName, UserId};

/// Whom a ledger limits: there is one Durable Object for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A user; for an object, the user that its key names.
    User(UserId),
    /// A client IP: an IPv4 address, an IPv6 /64, or an IPv6 /48 (written with `/48`).
    ClientIp(String),
    /// Logins with one e-mail address, by its digest.
    Email(String),
    /// Logins with one e-mail address from one client IP, by the digest of both.
    Login(String),
    /// Logins with one e-mail address and a solved challenge, by the digest of the address.
    ChallengedLogin(String),
    /// Mails to one e-mail address, by its digest.
    Mail(String),
    /// Logins of a browser that has logged in before, by its id.
    Device(String),
    /// The pictures of a form with a limit are counted there; nobody is banned by it.
    Form(FormName),
    /// The network that challenges are bound to: an IPv4 /24 or an IPv6 /64.
    Network(String),
}

/// The subject of requests whose client IP is not known.
const UNKNOWN: &str = "unknown";
/// Suffix of the subject of an IPv6 /48.
const SITE_SUFFIX: &str = "/48";
/// The address that all requests from other people's Workers carry.
const SHARED_EGRESS: Ipv6Addr = Ipv6Addr::new(0x2a06, 0x98c0, 0x3600, 0, 0, 0, 0, 0x103);

impl Subject {
    /// Logins with this e-mail address from this client IP.
    pub fn login(email: &Email, client_ip: &Self) -> Self {
        let pair = format!("{} {client_ip}", email.as_str());
        Self::Login(format!("{:x}", Sha256::digest(pair)))
    }

    /// Reads what [`fmt::Display`] writes. An IP address may have any of its spellings; subjects of logins and of
    /// forms cannot be named from outside.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("user", id) => UserId::parse(id).map(Self::User),
            ("ip", UNKNOWN) => Some(Self::ClientIp(UNKNOWN.to_owned())),
            ("ip", text) => match text.strip_suffix(SITE_SUFFIX) {
                Some(text) => ClientIp::parse(Some(text)).site,
                None => text.parse().ok().map(|ip| ClientIp::of(ip).subject),
            },
            _ => None,
        }
    }

    /// Whether it is a developer's own machine; a deployment has no such caller.
    pub fn is_loopback(&self) -> bool {
        let Self::ClientIp(text) = self else { return false };
        let text = text.strip_suffix(SITE_SUFFIX).unwrap_or(text);
        match text.parse() {
            Ok(IpAddr::V4(ip)) => ip.is_loopback(),
            // `::1` as a prefix.
            Ok(IpAddr::V6(ip)) => ip.is_unspecified(),
            Err(_) => false,
        }
    }

    /// Whether bans and strikes are ignored: loopback is a developer's own machine, and the egress address
    /// of Workers is shared by unrelated Workers.
    pub fn is_never_banned(&self) -> bool {
        let Self::ClientIp(text) = self else { return false };
        let text = text.strip_suffix(SITE_SUFFIX).unwrap_or(text);
        match text.parse() {
            Ok(IpAddr::V4(ip)) => ip.is_loopback(),
            Ok(IpAddr::V6(ip)) => [Ipv6Addr::LOCALHOST, SHARED_EGRESS]
                .iter()
                .any(|exempt| [64, 48].iter().any(|bits| prefix(*exempt, *bits) == ip)),
            Err(_) => false,
        }
    }
}

/// A client IP as the subjects that its requests count against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIp {
    subject: Subject,
    site: Option<Subject>,
    network: Subject,
}

impl ClientIp {
    /// The limits of a /48 are this multiple of those of a /64 or an IPv4 address.
    pub const SITE_FACTOR: u32 = 4;

    /// From the text of a header.
    pub fn parse(text: Option<&str>) -> Self {
        let unknown = || Self {
            subject: Subject::ClientIp(UNKNOWN.to_owned()),
            site: None,
            network: Subject::Network(UNKNOWN.to_owned()),
        };
        text.and_then(|text| text.parse().ok()).map_or_else(unknown, Self::of)
    }

    /// An IPv6 customer has between a /64 and a /48 (RFC 6177), so both are counted.
    fn of(ip: IpAddr) -> Self {
        let v4 = |ip: Ipv4Addr| Self {
            subject: Subject::ClientIp(ip.to_string()),
            site: None,
            network: Subject::Network(format!("{}/24", Ipv4Addr::from_bits(ip.to_bits() & !0xff))),
        };
        match ip {
            IpAddr::V4(ip) => v4(ip),
            IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or_else(
                || Self {
                    subject: Subject::ClientIp(prefix(ip, 64).to_string()),
                    site: Some(Subject::ClientIp(format!("{}{SITE_SUFFIX}", prefix(ip, 48)))),
                    network: Subject::Network(format!("{}/64", prefix(ip, 64))),
                },
                v4,
            ),
        }
    }

    /// The IPv4 address or the IPv6 /64.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The IPv6 /48.
    pub const fn site(&self) -> Option<&Subject> {
        self.site.as_ref()
    }

    /// The IPv4 /24 or the IPv6 /64: the client IPs that a phone or an office has within minutes.
    pub const fn network(&self) -> &Subject {
        &self.network
    }

    /// Each subject with the factor of its limits.
    pub fn subjects(&self) -> impl Iterator<Item = (&Subject, u32)> {
        let site = self.site.iter().map(|site| (site, Self::SITE_FACTOR));
        std::iter::once((&self.subject, 1)).chain(site)
    }
}

fn prefix(ip: Ipv6Addr, bits: u32) -> Ipv6Addr {
    let rest = 128 - bits;
    Ipv6Addr::from_bits(ip.to_bits() >> rest << rest)
}

/// The pseudonym of an erased user: a ban may be left of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedName(String);

impl ErasedName {
    /// `erased:` and 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("erased:")?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (digits.len() == 32 && digits.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Subject {
    /// The form of a subject's name.
    pub fn parse_form(text: &str) -> Option<FormName> {
        FormName::parse(text.strip_prefix("form:")?)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::ClientIp(ip) => write!(f, "ip:{ip}"),
            Self::Email(digest) => write!(f, "email:{digest}"),
            Self::Login(digest) => write!(f, "login:{digest}"),
            Self::ChallengedLogin(digest) => write!(f, "challenged:{digest}"),
            Self::Mail(digest) => write!(f, "mail:{digest}"),
            Self::Device(id) => write!(f, "device:{id}"),
            Self::Form(name) => write!(f, "form:{name}"),
            Self::Network(network) => write!(f, "net:{network}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ip_is_one_subject_in_every_spelling_and_an_ipv6_site_another() {
        for (text, expected, site) in [
            (Some("203.0.113.7"), "ip:203.0.113.7", None),
            (Some("::ffff:203.0.113.7"), "ip:203.0.113.7", None),
            (Some("2001:db8:1:2:3:4:5:6"), "ip:2001:db8:1:2::", Some("ip:2001:db8:1::/48")),
            (Some("2001:DB8:1:2::9"), "ip:2001:db8:1:2::", Some("ip:2001:db8:1::/48")),
            (Some("somewhere"), "ip:unknown", None),
            (None, "ip:unknown", None),
        ] {
            let ip = ClientIp::parse(text);
            assert_eq!(ip.subject().to_string(), expected, "{text:?}");
            assert_eq!(ip.site().map(ToString::to_string).as_deref(), site, "{text:?}");
            for (subject, factor) in ip.subjects() {
                assert_eq!(Subject::parse(&subject.to_string()).as_ref(), Some(subject));
                assert_eq!(factor, if Some(subject) == ip.site() { 4 } else { 1 });
            }
        }
    }

    #[test]
    fn a_network_is_a_24_of_ipv4_and_a_64_of_ipv6() {
        for (text, expected) in [
            ("203.0.113.7", "net:203.0.113.0/24"),
            ("::ffff:203.0.113.250", "net:203.0.113.0/24"),
            ("2001:db8:1:2:3::9", "net:2001:db8:1:2::/64"),
            ("somewhere", "net:unknown"),
        ] {
            assert_eq!(ClientIp::parse(Some(text)).network().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn only_users_and_client_ips_can_be_named() {
        let user = Subject::parse("user:guest-1").expect("a user");
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
            "email:0123abcd",
            "login:0123abcd",
            "device:0123abcd",
            "form:f-1",
            "challenged:0123abcd",
            "net:203.0.113.0/24",
        ] {
            assert_eq!(Subject::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn loopback_and_the_shared_address_of_other_workers_are_never_banned() {
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "2a06:98c0:3600::103"] {
            let ip = ClientIp::parse(Some(text));
            assert!(ip.subjects().all(|(subject, _)| subject.is_never_banned()), "{text}");
            let is_loopback = text != "2a06:98c0:3600::103";
            assert!(ip.subjects().all(|(it, _)| it.is_loopback() == is_loopback), "{text}");
        }
        for text in ["203.0.113.7", "128.0.0.1", "2a06:98c0:3601::103", "2001:db8::1", "unknown"] {
            let ip = ClientIp::parse(Some(text));
            assert!(!ip.subjects().any(|(subject, _)| subject.is_never_banned()), "{text}");
        }
        assert!(!Subject::parse("user:127").expect("a user").is_never_banned());
    }
}
