//! The variables that say how much an account may do, and what becomes of uploads.

use super::{Reader, Variables};
use crate::{auth::Role, ledger::message::Terms};

/// How much an account may do, and what happens to those who do what honest callers do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountLimits {
    /// Of a signed-in user.
    pub user: Terms,
    /// Requests a minute from a client IP, by callers without a verified token of a user, a back end or
    /// an administrator.
    pub address_per_minute: u32,
    /// Requests a minute of a back end, its uploads included.
    pub service_per_minute: u32,
    /// How many strikes ban.
    pub strikes_to_ban: u32,
    /// How long the first ban is; each further one is twice as long.
    pub ban_s: u32,
}

impl AccountLimits {
    /// The terms of a role: guests have a tenth of everything, at least one; back ends have a rate of
    /// their own.
    #[must_use]
    pub fn terms(&self, role: Role) -> Terms {
        let Terms { rate_per_minute, daily_count, daily_bytes } = self.user;
        match role {
            Role::User | Role::Admin => self.user,
            Role::Service => Terms { rate_per_minute: self.service_per_minute, ..self.user },
            Role::Guest => Terms {
                rate_per_minute: (rate_per_minute / 10).max(1),
                daily_count: (daily_count / 10).max(1),
                daily_bytes: (daily_bytes / 10).max(1),
            },
        }
    }
}

/// What becomes of uploads, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploads {
    /// How long an admitted upload may take before what it stored is removed.
    pub intent_s: u32,
    /// Whose uploads go away unless they are claimed.
    pub pending_roles: Vec<Role>,
    /// How long those are kept.
    pub pending_s: u32,
    /// How long a ticket is good.
    pub ticket_s: u32,
    /// Whether uploads insist on a ticket.
    pub require_ticket: bool,
}

impl<V: Variables> Reader<'_, V> {
    pub(super) fn account_limits(&mut self) -> AccountLimits {
        AccountLimits {
            user: Terms {
                rate_per_minute: self.number("RATE_PER_MINUTE", 60, 1..=100_000),
                daily_count: self.number("DAILY_COUNT", 1000, 1..=10_000_000),
                // 500 MiB; the ceiling of 1 PiB is far below 2^53, the last whole number of JavaScript.
                daily_bytes: self.number("DAILY_BYTES", 524_288_000, 1..=1 << 50),
            },
            address_per_minute: self.number("IP_PER_MINUTE", 120, 1..=100_000),
            service_per_minute: self.number("SERVICE_PER_MINUTE", 6_000, 1..=100_000),
            strikes_to_ban: self.number("STRIKES_TO_BAN", 10, 1..=1000),
            ban_s: self.number("BAN_S", 3600, 1..=2_592_000),
        }
    }

    /// What was given up may arrive at the store for a fifth of the lease after its end, and is looked
    /// for then; all attempts at a write take two and a half times as long as one.
    fn intent_s(&mut self, storage_timeout_ms: u64) -> u32 {
        const EXPECTED: &str = "more than 12.5 times STORAGE_TIMEOUT_MS, in seconds";
        let intent_s = self.number("INTENT_S", 300, 1..=3600);
        if u64::from(intent_s) * 1000 / 5 <= storage_timeout_ms * 5 / 2 {
            self.problem("INTENT_S", EXPECTED);
        }
        intent_s
    }

    pub(super) fn uploads(&mut self, storage_timeout_ms: u64) -> Uploads {
        Uploads {
            intent_s: self.intent_s(storage_timeout_ms),
            pending_roles: self.roles("PENDING_ROLES"),
            pending_s: self.number("PENDING_S", 3600, 1..=604_800),
            ticket_s: self.number("TICKET_S", 60, 1..=3600),
            require_ticket: self.flag("REQUIRE_TICKET"),
        }
    }

    /// Names of roles separated by commas; guests when not set, nobody when it says `NONE`.
    fn roles(&mut self, variable: &'static str) -> Vec<Role> {
        let Some(text) = self.variables.read(variable) else { return vec![Role::Guest] };
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let roles: Option<Vec<_>> =
            if text.trim() == "NONE" { Some(Vec::new()) } else { names.map(role).collect() };
        roles.unwrap_or_else(|| {
            self.problem(variable, "USER, GUEST or SERVICE, separated by commas, or NONE");
            Vec::new()
        })
    }
}

/// A role that uploads.
fn role(name: &str) -> Option<Role> {
    match name {
        "USER" => Some(Role::User),
        "GUEST" => Some(Role::Guest),
        "SERVICE" => Some(Role::Service),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, tests::variables};

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let config = Config::read(&variables()).expect("complete");
        let user = Terms { rate_per_minute: 60, daily_count: 1000, daily_bytes: 524_288_000 };
        let guest = Terms { rate_per_minute: 6, daily_count: 100, daily_bytes: 52_428_800 };
        assert_eq!(config.limits.terms(Role::User), user);
        assert_eq!(config.limits.terms(Role::Guest), guest);
        let service = Terms { rate_per_minute: 6_000, ..user };
        assert_eq!(config.limits.terms(Role::Service), service);
        assert_eq!(config.limits.address_per_minute, 120);
        assert_eq!((config.limits.strikes_to_ban, config.limits.ban_s), (10, 3600));
        let uploads = Uploads {
            intent_s: 300,
            pending_roles: vec![Role::Guest],
            pending_s: 3600,
            ticket_s: 60,
            require_ticket: false,
        };
        assert_eq!(config.uploads, uploads);
    }

    #[test]
    fn a_lease_outlives_the_last_write_that_was_given_up() {
        let problems = |intent_s, timeout_ms| {
            let mut variables = variables();
            variables.extend([("INTENT_S", intent_s), ("STORAGE_TIMEOUT_MS", timeout_ms)]);
            let problems = Config::read(&variables).err().unwrap_or_default();
            problems.into_iter().map(|problem| problem.variable).collect::<Vec<_>>()
        };
        assert_eq!(problems("300", "23999"), [""; 0]);
        assert_eq!(problems("300", "24000"), ["INTENT_S"]);
        assert_eq!(problems("15", "1199"), [""; 0]);
        assert_eq!(problems("1", "100"), ["INTENT_S"]);
    }

    #[test]
    fn a_petabyte_a_day_is_the_most_that_can_be_set() {
        let config = |bytes| {
            let mut variables = variables();
            variables.insert("DAILY_BYTES", bytes);
            Config::read(&variables)
        };
        let most = config("1125899906842624").expect("a petabyte");
        assert_eq!(most.limits.user.daily_bytes, 1_125_899_906_842_624);
        assert_eq!(config("1125899906842625").expect_err("more")[0].variable, "DAILY_BYTES");
    }

    #[test]
    fn each_role_that_uploads_can_be_pending_and_no_other_name_can() {
        let pending = |names| {
            let mut variables = variables();
            variables.insert("PENDING_ROLES", names);
            Config::read(&variables).map(|config| config.uploads.pending_roles)
        };
        assert_eq!(pending("SERVICE").expect("a role"), [Role::Service]);
        assert_eq!(pending("GUEST,,USER,").expect("roles"), [Role::Guest, Role::User]);
        for wrong in ["ADMIN", "guest", "GUEST USER", "NONE,USER"] {
            assert_eq!(pending(wrong).expect_err(wrong)[0].variable, "PENDING_ROLES");
        }
    }

    #[test]
    fn the_least_limit_of_guests_is_one_and_pending_roles_are_named() {
        let mut variables = variables();
        variables.extend([("RATE_PER_MINUTE", "3"), ("PENDING_ROLES", "GUEST, USER")]);
        let config = Config::read(&variables).expect("complete");
        assert_eq!(config.limits.terms(Role::Guest).rate_per_minute, 1);
        assert_eq!(config.uploads.pending_roles, [Role::Guest, Role::User]);
        variables.insert("PENDING_ROLES", "NONE");
        let config = Config::read(&variables).expect("complete");
        assert!(config.uploads.pending_roles.is_empty());
    }
}
