//! Throttles logins: a token bucket that is refilled slowly. Some attempts are admitted at once, and each further
//! one after an interval.
//!
//! An attempt counts as failed until the login has succeeded, so concurrent attempts do not bypass the throttle.
//! A success refunds only its own attempt, so in any period of `t` seconds at most `burst + t / interval_s`
//! attempts fail, however many logins succeed.

use serde::{Deserialize, Serialize};

/// How many failed attempts are admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginLimit {
    /// At once.
    pub burst: u32,
    /// The time until one more is admitted.
    pub interval_s: u32,
}

impl LoginLimit {
    /// A limit that admits `factor` times as many attempts.
    #[must_use]
    pub const fn times(self, factor: u32) -> Self {
        let factor = if factor == 0 { 1 } else { factor };
        Self { burst: self.burst.saturating_mul(factor), interval_s: self.interval_s / factor }
    }

    const fn interval_ms(self) -> u64 {
        let ms = self.interval_s as u64 * 1000;
        if ms == 0 { 1 } else { ms }
    }
}

/// The failed attempts of one subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginThrottle {
    /// The time until no attempt counts any more; one attempt is one interval.
    missing_ms: u64,
    at_ms: u64,
}

impl LoginThrottle {
    /// Counts an attempt as failed.
    ///
    /// # Errors
    /// The seconds to wait, rounded up; nothing is counted then.
    pub fn count_attempt(&mut self, now_ms: u64, limit: LoginLimit) -> Result<(), u32> {
        self.refill(now_ms, limit);
        let after_ms = self.missing_ms.saturating_add(limit.interval_ms());
        let full_ms = limit.interval_ms().saturating_mul(limit.burst.into());
        let over_ms = after_ms.saturating_sub(full_ms);
        if over_ms == 0 {
            self.missing_ms = after_ms;
            return Ok(());
        }
        let wait_ms = over_ms.saturating_add(self.at_ms.saturating_sub(now_ms));
        Err(u32::try_from(wait_ms.div_ceil(1000)).unwrap_or(u32::MAX))
    }

    /// Takes back one attempt: it succeeded, or another throttle did not admit it.
    pub fn refund(&mut self, now_ms: u64, limit: LoginLimit) {
        self.refill(now_ms, limit);
        self.missing_ms = self.missing_ms.saturating_sub(limit.interval_ms());
    }

    /// When it was last changed.
    pub const fn changed_ms(&self) -> u64 {
        self.at_ms
    }

    /// When no attempt counts any more.
    pub const fn end_ms(&self) -> u64 {
        self.at_ms.saturating_add(self.missing_ms)
    }

    /// A clock that was set back refills nothing until it has caught up; set back by more than an interval, it is
    /// taken as it is, because an owner would wait too long otherwise.
    fn refill(&mut self, now_ms: u64, limit: LoginLimit) {
        self.missing_ms = self.missing_ms.saturating_sub(now_ms.saturating_sub(self.at_ms));
        if now_ms > self.at_ms || self.at_ms.saturating_sub(now_ms) > limit.interval_ms() {
            self.at_ms = now_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: u64 = 1_763_114_400_000;
    const LIMIT: LoginLimit = LoginLimit { burst: 3, interval_s: 60 };

    #[test]
    fn some_are_admitted_at_once_and_one_more_after_each_interval() {
        let mut throttle = LoginThrottle::default();
        for _ in 0..3 {
            assert_eq!(throttle.count_attempt(NOW_MS, LIMIT), Ok(()));
        }
        assert_eq!(throttle.count_attempt(NOW_MS, LIMIT), Err(60));
        assert_eq!(throttle.count_attempt(NOW_MS + 59_999, LIMIT), Err(1));
        assert_eq!(throttle.count_attempt(NOW_MS + 60_000, LIMIT), Ok(()));
        assert_eq!(throttle.count_attempt(NOW_MS + 60_000, LIMIT), Err(60));
        let later_ms = NOW_MS + 86_400_000;
        for _ in 0..3 {
            assert_eq!(throttle.count_attempt(later_ms, LIMIT), Ok(()));
        }
        assert_eq!(throttle.count_attempt(later_ms, LIMIT), Err(60), "no more than the burst");
    }

    #[test]
    fn a_refund_takes_back_one_attempt_and_no_more() {
        let mut throttle = LoginThrottle::default();
        for _ in 0..3 {
            assert_eq!(throttle.count_attempt(NOW_MS, LIMIT), Ok(()));
        }
        throttle.refund(NOW_MS, LIMIT);
        assert_eq!(throttle.count_attempt(NOW_MS, LIMIT), Ok(()));
        assert_eq!(throttle.count_attempt(NOW_MS, LIMIT), Err(60));
        let mut unused = LoginThrottle::default();
        unused.refund(NOW_MS, LIMIT);
        for _ in 0..3 {
            assert_eq!(unused.count_attempt(NOW_MS, LIMIT), Ok(()));
        }
        assert!(unused.count_attempt(NOW_MS, LIMIT).is_err(), "nothing is saved up");
    }

    #[test]
    fn a_multiple_admits_so_many_times_as_many() {
        assert_eq!(LIMIT.times(4), LoginLimit { burst: 12, interval_s: 15 });
    }

    #[test]
    fn a_clock_that_was_far_ahead_locks_nobody_out() {
        let mut throttle = LoginThrottle::default();
        for _ in 0..3 {
            assert_eq!(throttle.count_attempt(NOW_MS + 86_400_000, LIMIT), Ok(()));
        }
        assert_eq!(throttle.count_attempt(NOW_MS, LIMIT), Err(60));
        assert_eq!(throttle.count_attempt(NOW_MS + 60_000, LIMIT), Ok(()));
    }

    proptest! {
        /// Any period sees at most the burst and what its length adds, and the announced wait is right.
        #[test]
        fn never_more_than_the_bound(
            steps in prop::collection::vec((0_u64..90_000, 1_u8..6), 1..80),
        ) {
            let (mut throttle, mut now_ms, mut failed) = (LoginThrottle::default(), NOW_MS, Vec::new());
            for (on_ms, attempts) in steps {
                now_ms += on_ms;
                for _ in 0..attempts {
                    match throttle.count_attempt(now_ms, LIMIT) {
                        Ok(()) => failed.push(now_ms),
                        Err(wait_s) => {
                            let then_ms = now_ms + u64::from(wait_s) * 1000;
                            prop_assert!(throttle.clone().count_attempt(then_ms, LIMIT).is_ok());
                            prop_assert!(throttle.clone().count_attempt(then_ms - 1000, LIMIT).is_err());
                        }
                    }
                }
            }
            for (first, from_ms) in failed.iter().enumerate() {
                for (last, to_ms) in failed.iter().enumerate().skip(first) {
                    let count = (last - first) as u64 + 1;
                    prop_assert!(count <= 3 + (to_ms - from_ms) / 60_000, "{count} from {from_ms} to {to_ms}");
                }
            }
        }
    }
}
