//! Whom a resource of the isolate is held for, and how much of it one client IP and one user may hold.

use edge_types::{ClientIp, Subject, UserId};

/// The client IP and the user of a request, as far as they are known and have only a share. That of IPv6 is the
/// /48: a customer has at least a /64 of it and at most all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    ip: Option<Subject>,
    user: Option<UserId>,
}

impl Client {
    pub fn of_ip(ip: &ClientIp) -> Self {
        Self { ip: Some(ip.site().unwrap_or_else(|| ip.subject()).clone()), user: None }
    }

    #[must_use]
    pub fn with_user(self, user: &UserId) -> Self {
        Self { user: Some(user.clone()), ..self }
    }

    /// Whether the client may hold `more` of a resource beside what is held. A client IP may hold half of it, and more
    /// while a quarter stays free. A user may hold a quarter, and more while half stays free. A client that is alone
    /// is therefore hardly limited, and something is left for the next client. A client that holds nothing may take
    /// any amount.
    pub fn may_hold<'a>(
        &self,
        more: u64,
        capacity: u64,
        held: impl Iterator<Item = (&'a Self, u64)>,
    ) -> bool {
        let (mut all, mut of_ip, mut of_user) = (0_u64, 0_u64, 0_u64);
        for (holder, amount) in held {
            all = all.saturating_add(amount);
            if holder.ip == self.ip {
                of_ip = of_ip.saturating_add(amount);
            }
            if holder.user == self.user {
                of_user = of_user.saturating_add(amount);
            }
        }
        let after = |held: u64| held.saturating_add(more);
        let is_within =
            |held, share, kept| held == 0 || after(held) <= share || after(all) <= capacity - kept;
        let (half, quarter) = (capacity / 2, capacity / 4);
        (self.ip.is_none() || is_within(of_ip, half, quarter))
            && (self.user.is_none() || is_within(of_user, quarter, half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(ip: &str, user: Option<&str>) -> Client {
        let client = Client::of_ip(&ClientIp::parse(Some(ip)));
        match user {
            Some(user) => client.with_user(&UserId::parse(user).expect("valid")),
            None => client,
        }
    }

    /// How many of 32 a client gets one after the other beside what others hold.
    fn most(client: &Client, others: &[(Client, u64)]) -> u64 {
        let others = || others.iter().map(|(client, amount)| (client, *amount));
        let free = 32 - others().map(|(_, amount)| amount).sum::<u64>();
        let may_hold =
            |own: &u64| client.may_hold(1, 32, others().chain(std::iter::once((client, *own))));
        (0..free).take_while(may_hold).count() as u64
    }

    #[test]
    fn alone_a_client_ip_gets_three_quarters_and_a_user_half() {
        assert_eq!(most(&client("203.0.113.1", None), &[]), 24);
        assert_eq!(most(&client("203.0.113.1", Some("a")), &[]), 16);
        assert_eq!(most(&Client::default(), &[]), 32, "work of our own");
    }

    #[test]
    fn beside_others_a_client_ip_gets_half_and_a_user_a_quarter() {
        let others = |amount| [(client("203.0.113.9", None), amount)];
        assert_eq!(most(&client("203.0.113.1", None), &others(12)), 16);
        assert_eq!(most(&client("203.0.113.1", Some("a")), &others(12)), 8);
        assert_eq!(most(&client("203.0.113.1", Some("a")), &others(24)), 8);
    }

    #[test]
    fn a_client_with_its_whole_share_leaves_something_to_others() {
        let held = (client("203.0.113.1", None), 24);
        assert_eq!(most(&client("203.0.113.2", None), std::slice::from_ref(&held)), 8);
        let user = (client("203.0.113.1", Some("a")), 16);
        let neighbour = client("203.0.113.1", Some("b"));
        assert_eq!(most(&neighbour, std::slice::from_ref(&user)), 8, "of the same network");
    }

    #[test]
    fn an_ipv6_site_is_one_client() {
        let held = [(client("2001:db8:1:2::3", None), 24)];
        assert_eq!(most(&client("2001:db8:1:9::1", None), &held), 0);
        assert_eq!(most(&client("2001:db8:2:9::1", None), &held), 8);
    }

    #[test]
    fn the_first_may_be_of_any_size() {
        let one = client("203.0.113.1", Some("a"));
        assert!(one.may_hold(100, 32, std::iter::empty()));
        assert!(!one.may_hold(100, 32, std::iter::once((&one, 1))));
    }
}
