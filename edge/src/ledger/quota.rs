//! What an account has used today. Days are those of UTC; what is charged can be given back until its
//! day is over.

use serde::{Deserialize, Serialize};

use super::message::{Barrier, Gauge, Refused, Terms};

const DAY_MS: u64 = 86_400_000;
const DAY_S: u32 = 86_400;

/// What was used on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    day: u64,
    count: u32,
    bytes: u64,
}

/// What one upload was charged, and when: needed to give it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    day: u64,
    bytes: u64,
}

impl Usage {
    /// Charges one upload of so many bytes.
    ///
    /// # Errors
    /// When today's count or bytes would be more than the terms allow; nothing is charged then.
    pub fn charge(&mut self, now_ms: u64, terms: &Terms, bytes: u64) -> Result<Charge, Refused> {
        self.turn(now_ms);
        let refused = |by| Err(Refused { by, retry_after_s: until_midnight_s(now_ms) });
        let Some(count) = self.count.checked_add(1).filter(|count| *count <= terms.daily_count)
        else {
            return refused(Barrier::DailyCount);
        };
        let within = |sum: &u64| *sum <= terms.daily_bytes;
        let Some(sum) = self.bytes.checked_add(bytes).filter(within) else {
            return refused(Barrier::DailyBytes);
        };
        (self.count, self.bytes) = (count, sum);
        Ok(Charge { day: self.day, bytes })
    }

    /// Gives back what an upload that came to nothing was charged.
    pub fn give_back(&mut self, now_ms: u64, charge: Charge) {
        self.turn(now_ms);
        if charge.day == self.day {
            self.count = self.count.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(charge.bytes);
        }
    }

    /// Puts the bytes that were really sent in the place of those that were reserved.
    pub fn correct(&mut self, now_ms: u64, charge: Charge, bytes: u64) -> Charge {
        self.turn(now_ms);
        if charge.day == self.day {
            self.bytes = self.bytes.saturating_sub(charge.bytes).saturating_add(bytes);
        }
        Charge { bytes, ..charge }
    }

    /// Today's count.
    #[must_use]
    pub fn count_gauge(mut self, now_ms: u64, terms: &Terms) -> Gauge {
        self.turn(now_ms);
        gauge(now_ms, terms.daily_count.into(), self.count.into())
    }

    /// Today's bytes.
    #[must_use]
    pub fn bytes_gauge(mut self, now_ms: u64, terms: &Terms) -> Gauge {
        self.turn(now_ms);
        gauge(now_ms, terms.daily_bytes, self.bytes)
    }

    /// A new day begins with nothing used; a clock that was set back begins none.
    fn turn(&mut self, now_ms: u64) {
        let today = now_ms / DAY_MS;
        if today > self.day {
            *self = Self { day: today, count: 0, bytes: 0 };
        }
    }
}

fn gauge(now_ms: u64, quota: u64, used: u64) -> Gauge {
    let remaining = quota.saturating_sub(used);
    Gauge { quota, window_s: DAY_S, remaining, reset_s: until_midnight_s(now_ms) }
}

/// Seconds until the next day of UTC, rounded up.
fn until_midnight_s(now_ms: u64) -> u32 {
    let left_ms = DAY_MS - now_ms % DAY_MS;
    u32::try_from(left_ms.div_ceil(1000)).unwrap_or(DAY_S)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2025-11-14, 00:00 UTC.
    const MIDNIGHT_MS: u64 = 1_763_078_400_000;
    const TERMS: Terms = Terms { rate_per_minute: 60, daily_count: 3, daily_bytes: 1000 };

    #[test]
    fn count_and_bytes_end_at_the_limit_and_begin_anew_at_midnight() {
        let evening_ms = MIDNIGHT_MS - 1500;
        let mut usage = Usage::default();
        assert!(usage.charge(evening_ms, &TERMS, 400).is_ok());
        let refused = usage.charge(evening_ms, &TERMS, 601).expect_err("too many bytes");
        assert_eq!(refused, Refused { by: Barrier::DailyBytes, retry_after_s: 2 });
        assert!(usage.charge(evening_ms, &TERMS, 600).is_ok());
        assert!(usage.charge(evening_ms, &TERMS, 0).is_ok());
        let refused = usage.charge(evening_ms, &TERMS, 0).expect_err("too many");
        assert_eq!(refused, Refused { by: Barrier::DailyCount, retry_after_s: 2 });
        let gauge = Gauge { quota: 3, window_s: DAY_S, remaining: 0, reset_s: 2 };
        assert_eq!(usage.count_gauge(evening_ms, &TERMS), gauge);
        assert_eq!(usage.bytes_gauge(MIDNIGHT_MS, &TERMS).remaining, 1000);
        assert!(usage.charge(MIDNIGHT_MS, &TERMS, 1000).is_ok());
    }

    #[test]
    fn what_belongs_to_yesterday_is_not_given_back_today() {
        let mut usage = Usage::default();
        let yesterday = usage.charge(MIDNIGHT_MS - 1, &TERMS, 10).expect("admitted");
        usage.charge(MIDNIGHT_MS, &TERMS, 20).expect("admitted");
        usage.give_back(MIDNIGHT_MS, yesterday);
        usage.correct(MIDNIGHT_MS, yesterday, 900);
        assert_eq!(usage.bytes_gauge(MIDNIGHT_MS, &TERMS).remaining, 980);
        assert_eq!(usage.count_gauge(MIDNIGHT_MS, &TERMS).remaining, 2);
    }

    #[test]
    fn a_clock_set_back_over_midnight_begins_no_new_day() {
        let mut usage = Usage::default();
        for _ in 0..3 {
            usage.charge(MIDNIGHT_MS, &TERMS, 0).expect("admitted");
        }
        assert!(usage.charge(MIDNIGHT_MS - 1, &TERMS, 0).is_err());
    }

    #[derive(Clone, Debug)]
    enum Deed {
        Charge(u64),
        GiveBack(prop::sample::Index),
        Correct(prop::sample::Index, u64),
        Wait(u64),
    }

    fn deed() -> impl Strategy<Value = Deed> {
        prop_oneof![
            (0_u64..400).prop_map(Deed::Charge),
            any::<prop::sample::Index>().prop_map(Deed::GiveBack),
            (any::<prop::sample::Index>(), 0_u64..400)
                .prop_map(|(which, bytes)| Deed::Correct(which, bytes)),
            (0_u64..DAY_MS / 4).prop_map(Deed::Wait),
        ]
    }

    proptest! {
        /// Against a list of what was charged today: never more than the terms, never below nothing,
        /// and giving back is as if it had never been charged.
        #[test]
        fn usage_is_the_sum_of_what_stands(deeds in prop::collection::vec(deed(), 1..80)) {
            let (mut usage, mut now_ms) = (Usage::default(), MIDNIGHT_MS);
            let mut standing: Vec<(u64, Charge)> = Vec::new();
            for deed in deeds {
                match deed {
                    Deed::Charge(bytes) => {
                        if let Ok(charge) = usage.charge(now_ms, &TERMS, bytes) {
                            standing.push((bytes, charge));
                        }
                    }
                    Deed::GiveBack(which) if !standing.is_empty() => {
                        let (_, charge) = standing.remove(which.index(standing.len()));
                        usage.give_back(now_ms, charge);
                    }
                    Deed::Correct(which, bytes) if !standing.is_empty() => {
                        // Corrected once, and never upwards: what is sent is cut at what was declared.
                        let (reserved, charge) = standing.remove(which.index(standing.len()));
                        let sent = bytes.min(reserved);
                        standing.push((sent, usage.correct(now_ms, charge, sent)));
                    }
                    Deed::GiveBack(_) | Deed::Correct(..) => {}
                    Deed::Wait(ms) => now_ms += ms,
                }
                let today: Vec<_> =
                    standing.iter().filter(|(_, charge)| charge.day == now_ms / DAY_MS).collect();
                let bytes: u64 = today.iter().map(|(bytes, _)| bytes).sum();
                prop_assert_eq!(usage.count_gauge(now_ms, &TERMS).remaining, 3 - today.len() as u64);
                prop_assert_eq!(usage.bytes_gauge(now_ms, &TERMS).remaining, 1000 - bytes);
            }
        }
    }
}
