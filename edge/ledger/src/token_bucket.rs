//! A token bucket in integer arithmetic: it never rounds, and a clock that is set back loses nothing.

use serde::{Deserialize, Serialize};

use edge_types::LimitStatus;

/// The window of every rate, and the number of units of one token: a quota of `q` per window refills `q` units
/// per millisecond, an integer for every `q`.
const WINDOW_MS: u64 = 60_000;
const WINDOW_S: u32 = 60;

/// The units that are missing from a full bucket. It holds the quota of one window, so a burst may take all of
/// it at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenBucket {
    missing_units: u64,
    at_ms: u64,
}

impl TokenBucket {
    /// Takes a token.
    ///
    /// # Errors
    /// The seconds until there is one, rounded up.
    pub fn take(&mut self, now_ms: u64, quota: u32) -> Result<(), u32> {
        self.refill(now_ms, quota);
        let quota = u64::from(quota.max(1));
        let after = self.missing_units.saturating_add(WINDOW_MS);
        let over = after.saturating_sub(quota * WINDOW_MS);
        if over == 0 {
            self.missing_units = after;
            return Ok(());
        }
        Err(seconds(self.ahead(now_ms) + over.div_ceil(quota)).max(1))
    }

    /// The later one of two states of the same bucket.
    #[must_use]
    pub fn later(self, other: Self) -> Self {
        let order = |bucket: &Self| (bucket.at_ms, bucket.missing_units);
        if order(&self) > order(&other) { self } else { other }
    }

    pub fn status(mut self, now_ms: u64, quota: u32) -> LimitStatus {
        self.refill(now_ms, quota);
        let whole = u64::from(quota.max(1));
        let full_in_ms = match self.missing_units {
            0 => 0,
            missing => self.ahead(now_ms) + missing.div_ceil(whole),
        };
        LimitStatus {
            quota: whole,
            window_s: WINDOW_S,
            remaining: (whole * WINDOW_MS).saturating_sub(self.missing_units) / WINDOW_MS,
            reset_s: seconds(full_in_ms),
        }
    }

    /// When it was last changed.
    pub const fn changed_ms(self) -> u64 {
        self.at_ms
    }

    /// Adds the units of the elapsed time. A clock that was set back adds nothing until it has caught up; set
    /// back by more than a window, it is taken as it is, because nobody would pass for long otherwise.
    fn refill(&mut self, now_ms: u64, quota: u32) {
        let elapsed_ms = now_ms.saturating_sub(self.at_ms);
        let refilled = elapsed_ms.saturating_mul(quota.max(1).into());
        self.missing_units = self.missing_units.saturating_sub(refilled);
        if now_ms > self.at_ms || self.ahead(now_ms) > WINDOW_MS {
            self.at_ms = now_ms;
        }
    }

    /// How far a clock that was set back has to catch up.
    const fn ahead(self, now_ms: u64) -> u64 {
        self.at_ms.saturating_sub(now_ms)
    }
}

/// Rounded up, so that a client that waits so long is not too early.
fn seconds(ms: u64) -> u32 {
    u32::try_from(ms.div_ceil(1000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START_MS: u64 = 1_763_114_400_000;

    #[test]
    fn a_burst_spends_the_quota_and_the_next_token_comes_when_it_was_said() {
        let mut bucket = TokenBucket::default();
        for left in (0..60).rev() {
            assert_eq!(bucket.take(START_MS, 60), Ok(()));
            assert_eq!(bucket.status(START_MS, 60).remaining, left);
        }
        assert_eq!(bucket.take(START_MS, 60), Err(1));
        assert_eq!(bucket.take(START_MS + 999, 60), Err(1));
        assert_eq!(bucket.take(START_MS + 1000, 60), Ok(()));
        let status = LimitStatus { quota: 60, window_s: 60, remaining: 0, reset_s: 60 };
        assert_eq!(bucket.status(START_MS + 1000, 60), status);
        assert_eq!(bucket.status(START_MS + 61_000, 60).remaining, 60);
    }

    #[test]
    fn a_slow_rate_does_not_drift() {
        let mut bucket = TokenBucket::default();
        // Seven a window: 8571.43 ms each, looked at every millisecond of an hour.
        let passed = (0..3_600_000).filter(|ms| bucket.take(START_MS + ms, 7).is_ok()).count();
        assert_eq!(passed, 7 + 7 * 60 - 1, "the last token of the hour comes with its end");
    }

    #[test]
    fn a_clock_that_was_far_ahead_locks_nobody_out() {
        let mut bucket = TokenBucket::default();
        assert!((0..6).all(|_| bucket.take(START_MS + 86_400_000, 6).is_ok()));
        assert_eq!(bucket.take(START_MS, 6), Err(10));
        assert_eq!(bucket.take(START_MS + 10_000, 6), Ok(()));
    }

    #[test]
    fn a_clock_set_back_by_a_window_is_waited_for_and_by_more_is_believed() {
        let mut bucket = TokenBucket::default();
        assert!((0..6).all(|_| bucket.take(START_MS + WINDOW_MS, 6).is_ok()));
        assert_eq!(bucket.clone().take(START_MS, 6), Err(60 + 10));
        assert_eq!(bucket.status(START_MS, 6).reset_s, 60 + 60);
        assert_eq!(bucket.clone().take(START_MS - 1, 6), Err(10));
    }

    proptest! {
        /// Any window sees at most the quota and what comes while it lasts, also when the clock jitters.
        #[test]
        fn never_more_than_the_quota_and_what_comes(
            quota in 1_u32..50,
            steps in prop::collection::vec((0_u64..4000, 0_u64..3000, 1_u8..8), 1..120),
        ) {
            let mut bucket = TokenBucket::default();
            let (mut clock_ms, mut passed) = (START_MS, Vec::new());
            for (on_ms, back_ms, asks) in steps {
                clock_ms += on_ms;
                for _ in 0..asks {
                    if bucket.take(clock_ms - back_ms, quota).is_ok() {
                        passed.push(clock_ms);
                    }
                }
            }
            for (first, from_ms) in passed.iter().enumerate() {
                for (last, to_ms) in passed.iter().enumerate().skip(first) {
                    let within = (last - first) as u64 + 1;
                    let back_ms = 3000;
                    let most = u64::from(quota) * (WINDOW_MS + (to_ms - from_ms) + back_ms);
                    prop_assert!(within * WINDOW_MS <= most, "{within} from {from_ms} to {to_ms}");
                }
            }
        }

        /// While the clock never goes back, the bound is exact, and the announced wait is neither too short nor
        /// a second too long.
        #[test]
        fn the_bound_is_exact_and_the_wait_is_true(
            quota in 1_u32..50,
            steps in prop::collection::vec((0_u64..4000, 1_u8..8), 1..120),
        ) {
            let mut bucket = TokenBucket::default();
            let (mut now_ms, mut passed) = (START_MS, Vec::new());
            for (on_ms, asks) in steps {
                now_ms += on_ms;
                for _ in 0..asks {
                    match bucket.take(now_ms, quota) {
                        Ok(()) => passed.push(now_ms),
                        Err(wait_s) => {
                            let then_ms = now_ms + u64::from(wait_s) * 1000;
                            prop_assert!(bucket.clone().take(then_ms, quota).is_ok());
                            prop_assert!(bucket.clone().take(then_ms - 1000, quota).is_err());
                        }
                    }
                }
            }
            for (first, from_ms) in passed.iter().enumerate() {
                for (last, to_ms) in passed.iter().enumerate().skip(first) {
                    let within = (last - first) as u64 + 1;
                    let most = u64::from(quota) * (WINDOW_MS + to_ms - from_ms);
                    prop_assert!(within * WINDOW_MS <= most, "{within} from {from_ms} to {to_ms}");
                }
            }
        }
    }
}
