//! Strikes and bans: enough of what honest callers do not do shuts an account out for a while, each
//! time for twice as long. Strikes are forgotten after a day, bans after a month without one.

use serde::{Deserialize, Serialize};

use super::message::{Offence, Standing, Strike};

/// A retry of the same deed within the hour is the same deed: clients retry by themselves.
const SAME_DEED_MS: u64 = 3_600_000;
/// After a day an account is given the benefit of the doubt again.
const STRIKE_MS: u64 = 86_400_000;
/// The longest ban, and how long it takes until the next one is short again.
const LONGEST_BAN_MS: u64 = 30 * 86_400_000;
/// A fingerprint is a digest or an address: 64 characters hold SHA-256 in hexadecimal.
const FINGERPRINT_CHARS: usize = 64;

/// What is held against an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conduct {
    deeds: Vec<Deed>,
    bans: u32,
    banned_until_ms: u64,
    ban_reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Deed {
    reason: Offence,
    fingerprint: String,
    at_ms: u64,
}

impl Conduct {
    /// When the ban ends, if there is one.
    #[must_use]
    pub fn banned_until_ms(&self, now_ms: u64) -> Option<u64> {
        (now_ms < self.banned_until_ms).then_some(self.banned_until_ms)
    }

    /// Counts a strike; whether it bans. During a ban nothing is counted.
    pub fn strike(&mut self, now_ms: u64, strike: &Strike) -> bool {
        self.forget(now_ms);
        let fingerprint: String = strike.fingerprint.chars().take(FINGERPRINT_CHARS).collect();
        if self.banned_until_ms(now_ms).is_some()
            || self.deeds.iter().any(|deed| deed.is(strike.reason, &fingerprint, now_ms))
        {
            return false;
        }
        self.deeds.push(Deed { reason: strike.reason, fingerprint, at_ms: now_ms });
        if self.strikes(now_ms) < strike.strikes_to_ban.max(1) {
            return false;
        }
        let doubled = u64::from(strike.ban_s).saturating_mul(1000);
        let doubled = doubled.saturating_mul(1_u64.checked_shl(self.bans).unwrap_or(u64::MAX));
        self.ban(now_ms.saturating_add(doubled.min(LONGEST_BAN_MS)), strike.reason.name());
        true
    }

    /// Shuts the account out.
    pub fn ban(&mut self, until_ms: u64, reason: &str) {
        self.deeds.clear();
        self.bans = self.bans.saturating_add(1);
        self.banned_until_ms = until_ms;
        reason.clone_into(&mut self.ban_reason);
    }

    /// Lets the account in and forgets all that was held against it.
    pub fn lift(&mut self) {
        *self = Self::default();
    }

    /// As it is told.
    #[must_use]
    pub fn told(&self, now_ms: u64, newly_banned: bool) -> Standing {
        let banned_until_ms = self.banned_until_ms(now_ms);
        Standing {
            strikes: self.strikes(now_ms),
            banned_until_ms,
            ban_reason: banned_until_ms.map(|_| self.ban_reason.clone()),
            newly_banned,
        }
    }

    /// Whole strikes: deeds of which it takes several count together with their like.
    fn strikes(&self, now_ms: u64) -> u32 {
        let mut strikes = 0_u32;
        let mut parts: Vec<(Offence, u32)> = Vec::new();
        for deed in self.deeds.iter().filter(|deed| deed.counts(now_ms)) {
            match parts.iter_mut().find(|(reason, _)| *reason == deed.reason) {
                Some((_, count)) => *count += 1,
                None => parts.push((deed.reason, 1)),
            }
        }
        for (reason, count) in parts {
            strikes = strikes.saturating_add(count / reason.deeds_a_strike());
        }
        strikes
    }

    fn forget(&mut self, now_ms: u64) {
        self.deeds.retain(|deed| deed.counts(now_ms));
        if now_ms.saturating_sub(self.banned_until_ms) > LONGEST_BAN_MS {
            self.bans = 0;
        }
    }
}

impl Deed {
    fn counts(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.at_ms) < STRIKE_MS
    }

    fn is(&self, reason: Offence, fingerprint: &str, now_ms: u64) -> bool {
        self.reason == reason
            && self.fingerprint == fingerprint
            && now_ms.saturating_sub(self.at_ms) < SAME_DEED_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_763_114_400_000;
    const HOUR_MS: u64 = 3_600_000;

    fn strike(fingerprint: &str) -> Strike {
        Strike {
            reason: Offence::Disguise,
            fingerprint: fingerprint.to_owned(),
            strikes_to_ban: 3,
            ban_s: 3600,
        }
    }

    /// Strikes until it bans; until when.
    fn provoke(conduct: &mut Conduct, now_ms: u64) -> u64 {
        for deed in 0..100 {
            if conduct.strike(now_ms, &strike(&deed.to_string())) {
                break;
            }
        }
        conduct.banned_until_ms(now_ms).expect("banned")
    }

    #[test]
    fn the_last_strike_bans_and_the_ban_ends() {
        let mut conduct = Conduct::default();
        assert!(!conduct.strike(NOW_MS, &strike("a")));
        assert!(!conduct.strike(NOW_MS, &strike("b")));
        assert_eq!(conduct.told(NOW_MS, false).strikes, 2);
        assert!(conduct.strike(NOW_MS, &strike("c")));
        let told = conduct.told(NOW_MS, true);
        assert_eq!(told.banned_until_ms, Some(NOW_MS + HOUR_MS));
        assert_eq!(told.ban_reason.as_deref(), Some("disguise"));
        assert_eq!(conduct.banned_until_ms(NOW_MS + HOUR_MS - 1), Some(NOW_MS + HOUR_MS));
        assert_eq!(conduct.banned_until_ms(NOW_MS + HOUR_MS), None);
        assert_eq!(conduct.told(NOW_MS + HOUR_MS, false), Standing::default());
    }

    #[test]
    fn a_repetition_within_the_hour_counts_once() {
        let mut conduct = Conduct::default();
        for _ in 0..10 {
            assert!(!conduct.strike(NOW_MS, &strike("a")));
        }
        let bomb = Strike { reason: Offence::Bomb, ..strike("a") };
        assert!(!conduct.strike(NOW_MS, &bomb), "another deed on the same file");
        assert!(conduct.strike(NOW_MS + HOUR_MS, &strike("a")), "an hour later it counts again");
    }

    #[test]
    fn five_wrong_passwords_are_one_strike() {
        let mut conduct = Conduct::default();
        let guess = |at: u32| Strike { reason: Offence::Guessing, ..strike(&at.to_string()) };
        for at in 0..14 {
            assert!(!conduct.strike(NOW_MS, &guess(at)));
            assert_eq!(conduct.told(NOW_MS, false).strikes, (at + 1) / 5);
        }
        assert!(conduct.strike(NOW_MS, &guess(14)));
    }

    #[test]
    fn strikes_are_forgotten_after_a_day() {
        let mut conduct = Conduct::default();
        conduct.strike(NOW_MS, &strike("a"));
        conduct.strike(NOW_MS, &strike("b"));
        let next_day_ms = NOW_MS + 24 * HOUR_MS;
        assert_eq!(conduct.told(next_day_ms, false).strikes, 0);
        assert!(!conduct.strike(next_day_ms, &strike("c")));
    }

    #[test]
    fn each_ban_is_twice_as_long_up_to_a_month_and_a_quiet_month_starts_over() {
        let (mut conduct, mut now_ms) = (Conduct::default(), NOW_MS);
        let mut hours = Vec::new();
        for _ in 0..70 {
            let until_ms = provoke(&mut conduct, now_ms);
            assert_eq!((until_ms - now_ms) % HOUR_MS, 0);
            hours.push((until_ms - now_ms) / HOUR_MS);
            now_ms = until_ms;
        }
        assert_eq!(hours[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
        assert_eq!(hours[10..], [720; 60]);
        now_ms += 30 * 24 * HOUR_MS;
        assert_eq!(provoke(&mut conduct.clone(), now_ms) - now_ms, 720 * HOUR_MS, "not quite");
        now_ms += 1;
        assert_eq!(provoke(&mut conduct, now_ms) - now_ms, HOUR_MS);
    }

    #[test]
    fn nothing_counts_during_a_ban_and_lifting_forgets_all() {
        let mut conduct = Conduct::default();
        provoke(&mut conduct, NOW_MS);
        assert!(!conduct.strike(NOW_MS + 1, &strike("more")));
        assert_eq!(conduct.told(NOW_MS + 1, false).strikes, 0);
        conduct.lift();
        assert_eq!(conduct, Conduct::default());
    }

    #[test]
    fn a_fingerprint_takes_no_more_room_than_a_digest() {
        let mut conduct = Conduct::default();
        conduct.strike(NOW_MS, &strike(&"가".repeat(10_000)));
        assert_eq!(conduct.deeds[0].fingerprint.chars().count(), FINGERPRINT_CHARS);
    }
}
