//! Strikes and bans. Enough strikes within a day ban a subject, each time for twice as long, until it has had
//! no ban for a month.

use serde::{Deserialize, Serialize};

use crate::{AbuseKind, AbuseStatus, Strike};

/// A repetition within this time is the same incident: clients retry by themselves.
const REPETITION_MS: u64 = 3_600_000;
/// How long an incident counts.
const STRIKE_MS: u64 = 86_400_000;
/// The longest ban, and the time without a ban after which the next one is short again.
const LONGEST_BAN_MS: u64 = 30 * 86_400_000;
/// SHA-256 in hexadecimal.
const FINGERPRINT_CHARS: usize = 64;

/// The incidents and bans of a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbuseRecord {
    incidents: Vec<Incident>,
    bans: u32,
    banned_until_ms: u64,
    ban_reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Incident {
    kind: AbuseKind,
    fingerprint: String,
    at_ms: u64,
}

impl AbuseRecord {
    /// When the ban ends, if there is one.
    pub fn banned_until_ms(&self, now_ms: u64) -> Option<u64> {
        (now_ms < self.banned_until_ms).then_some(self.banned_until_ms)
    }

    /// Records an incident; whether it bans. During a ban nothing is recorded.
    pub fn strike(&mut self, now_ms: u64, strike: &Strike) -> bool {
        self.forget(now_ms);
        let fingerprint: String = strike.fingerprint.chars().take(FINGERPRINT_CHARS).collect();
        if self.banned_until_ms(now_ms).is_some()
            || self.incidents.iter().any(|incident| incident.is(strike.kind, &fingerprint, now_ms))
        {
            return false;
        }
        self.incidents.push(Incident { kind: strike.kind, fingerprint, at_ms: now_ms });
        if self.strikes(now_ms) < strike.strikes_to_ban.max(1) {
            return false;
        }
        let doubled = u64::from(strike.ban_s).saturating_mul(1000);
        let doubled = doubled.saturating_mul(1_u64.checked_shl(self.bans).unwrap_or(u64::MAX));
        self.ban(now_ms.saturating_add(doubled.min(LONGEST_BAN_MS)), strike.kind.into_str());
        true
    }

    pub fn ban(&mut self, until_ms: u64, reason: &str) {
        self.incidents.clear();
        self.bans = self.bans.saturating_add(1);
        self.banned_until_ms = until_ms;
        reason.clone_into(&mut self.ban_reason);
    }

    /// When nothing of it counts any more: no incident is a strike, no ban is in force, and the next ban would be a
    /// first one.
    pub fn end_ms(&self) -> u64 {
        let bans_ms = match self.banned_until_ms {
            0 => 0,
            until_ms => until_ms.saturating_add(LONGEST_BAN_MS).saturating_add(1),
        };
        let strikes_ms = self.incidents.iter().map(|it| it.at_ms.saturating_add(STRIKE_MS));
        strikes_ms.fold(bans_ms, u64::max)
    }

    /// Ends the ban and deletes all incidents.
    pub fn unban(&mut self) {
        *self = Self::default();
    }

    pub fn status(&self, now_ms: u64, newly_banned: bool) -> AbuseStatus {
        let banned_until_ms = self.banned_until_ms(now_ms);
        AbuseStatus {
            strikes: self.strikes(now_ms),
            banned_until_ms,
            ban_reason: banned_until_ms.map(|_| self.ban_reason.clone()),
            newly_banned,
        }
    }

    /// Each incident of the last day is a strike.
    fn strikes(&self, now_ms: u64) -> u32 {
        let count = self.incidents.iter().filter(|incident| incident.counts(now_ms)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn forget(&mut self, now_ms: u64) {
        self.incidents.retain(|incident| incident.counts(now_ms));
        if now_ms.saturating_sub(self.banned_until_ms) > LONGEST_BAN_MS {
            self.bans = 0;
        }
    }
}

impl Incident {
    fn counts(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.at_ms) < STRIKE_MS
    }

    fn is(&self, kind: AbuseKind, fingerprint: &str, now_ms: u64) -> bool {
        self.kind == kind
            && self.fingerprint == fingerprint
            && now_ms.saturating_sub(self.at_ms) < REPETITION_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_763_114_400_000;
    const HOUR_MS: u64 = 3_600_000;

    fn strike(fingerprint: &str) -> Strike {
        Strike {
            kind: AbuseKind::Disguise,
            fingerprint: fingerprint.to_owned(),
            strikes_to_ban: 3,
            ban_s: 3600,
        }
    }

    /// Strikes until it bans; until when.
    fn provoke(abuse: &mut AbuseRecord, now_ms: u64) -> u64 {
        for incident in 0..100 {
            if abuse.strike(now_ms, &strike(&incident.to_string())) {
                break;
            }
        }
        abuse.banned_until_ms(now_ms).expect("banned")
    }

    #[test]
    fn the_last_strike_bans_and_the_ban_ends() {
        let mut abuse = AbuseRecord::default();
        assert!(!abuse.strike(NOW_MS, &strike("a")));
        assert!(!abuse.strike(NOW_MS, &strike("b")));
        assert_eq!(abuse.status(NOW_MS, false).strikes, 2);
        assert!(abuse.strike(NOW_MS, &strike("c")));
        let to_problem = abuse.status(NOW_MS, true);
        assert_eq!(to_problem.banned_until_ms, Some(NOW_MS + HOUR_MS));
        assert_eq!(to_problem.ban_reason.as_deref(), Some("disguise"));
        assert_eq!(abuse.banned_until_ms(NOW_MS + HOUR_MS - 1), Some(NOW_MS + HOUR_MS));
        assert_eq!(abuse.banned_until_ms(NOW_MS + HOUR_MS), None);
        assert_eq!(abuse.status(NOW_MS + HOUR_MS, false), AbuseStatus::default());
    }

    #[test]
    fn a_repetition_within_the_hour_counts_once() {
        let mut abuse = AbuseRecord::default();
        for _ in 0..10 {
            assert!(!abuse.strike(NOW_MS, &strike("a")));
        }
        let bomb = Strike { kind: AbuseKind::Bomb, ..strike("a") };
        assert!(!abuse.strike(NOW_MS, &bomb), "another kind of incident with the same file");
        assert!(abuse.strike(NOW_MS + HOUR_MS, &strike("a")), "an hour later it counts again");
    }

    #[test]
    fn strikes_are_forgotten_after_a_day() {
        let mut abuse = AbuseRecord::default();
        abuse.strike(NOW_MS, &strike("a"));
        abuse.strike(NOW_MS, &strike("b"));
        let next_day_ms = NOW_MS + 24 * HOUR_MS;
        assert_eq!(abuse.status(next_day_ms, false).strikes, 0);
        assert!(!abuse.strike(next_day_ms, &strike("c")));
    }

    #[test]
    fn each_ban_is_twice_as_long_up_to_a_month_and_a_quiet_month_starts_over() {
        let (mut abuse, mut now_ms) = (AbuseRecord::default(), NOW_MS);
        let mut hours = Vec::new();
        for _ in 0..70 {
            let until_ms = provoke(&mut abuse, now_ms);
            assert_eq!((until_ms - now_ms) % HOUR_MS, 0);
            hours.push((until_ms - now_ms) / HOUR_MS);
            now_ms = until_ms;
        }
        assert_eq!(hours[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
        assert_eq!(hours[10..], [720; 60]);
        now_ms += 30 * 24 * HOUR_MS;
        assert_eq!(provoke(&mut abuse.clone(), now_ms) - now_ms, 720 * HOUR_MS, "not quite");
        now_ms += 1;
        assert_eq!(provoke(&mut abuse, now_ms) - now_ms, HOUR_MS);
    }

    #[test]
    fn nothing_counts_during_a_ban_and_lifting_forgets_all() {
        let mut abuse = AbuseRecord::default();
        provoke(&mut abuse, NOW_MS);
        assert!(!abuse.strike(NOW_MS + 1, &strike("more")));
        assert_eq!(abuse.status(NOW_MS + 1, false).strikes, 0);
        abuse.unban();
        assert_eq!(abuse, AbuseRecord::default());
    }

    #[test]
    fn a_fingerprint_takes_no_more_room_than_a_digest() {
        let mut abuse = AbuseRecord::default();
        abuse.strike(NOW_MS, &strike(&"가".repeat(10_000)));
        assert_eq!(abuse.incidents[0].fingerprint.chars().count(), FINGERPRINT_CHARS);
    }
}
