//! Throttles logins with one e-mail address, from wherever they come: the first few attempts are free, then
//! each waits twice as long as the one before it.
//!
//! An attempt counts as failed until the login has succeeded, so concurrent attempts do not bypass the throttle.
//! Continuous guessing gets 96 attempts a day; five at a time, a quarter of an hour apart, get 480 a day, which is
//! about half of the thousand most common passwords and nothing against any other.

use serde::{Deserialize, Serialize};

/// People mistype, and try several of their passwords.
const FREE_ATTEMPTS: u32 = 5;
const FIRST_WAIT_MS: u64 = 1_000;
/// The longest that a stranger can make an owner wait.
const MAX_WAIT_MS: u64 = 900_000;
/// The count is reset after this time without an attempt that was possible.
const RESET_MS: u64 = 900_000;

/// The failed attempts with one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginThrottle {
    failed: u32,
    last_ms: u64,
}

impl LoginThrottle {
    /// Counts an attempt as failed.
    ///
    /// # Errors
    /// The seconds to wait, rounded up.
    pub fn count_attempt(&mut self, now_ms: u64) -> Result<(), u32> {
        let wait_ms = self.wait_ms();
        if now_ms >= self.last_ms.saturating_add(wait_ms + RESET_MS) {
            self.failed = 0;
        }
        // After a clock was set back, nobody waits longer than announced.
        let left_ms = self.last_ms.saturating_add(wait_ms).saturating_sub(now_ms).min(wait_ms);
        if left_ms > 0 {
            return Err(u32::try_from(left_ms.div_ceil(1000)).unwrap_or(u32::MAX));
        }
        self.failed = self.failed.saturating_add(1);
        self.last_ms = now_ms;
        Ok(())
    }

    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The wait after the last attempt.
    fn wait_ms(self) -> u64 {
        let Some(doublings) = self.failed.checked_sub(FREE_ATTEMPTS) else { return 0 };
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        FIRST_WAIT_MS.saturating_mul(factor).min(MAX_WAIT_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_763_114_400_000;

    #[test]
    fn five_are_free_and_each_further_one_waits_twice_as_long() {
        let (mut login_throttle, mut now_ms, mut waits) =
            (LoginThrottle::default(), NOW_MS, Vec::new());
        for _ in 0..20 {
            if let Err(wait_s) = login_throttle.count_attempt(now_ms) {
                waits.push(wait_s);
                assert_eq!(
                    login_throttle.count_attempt(now_ms + u64::from(wait_s) * 1000 - 1),
                    Err(1)
                );
                now_ms += u64::from(wait_s) * 1000;
                assert_eq!(login_throttle.count_attempt(now_ms), Ok(()), "what was promised holds");
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900, 900]);
    }

    #[test]
    fn a_quiet_quarter_of_an_hour_or_the_right_password_forgets() {
        let mut login_throttle = LoginThrottle::default();
        for _ in 0..FREE_ATTEMPTS {
            assert_eq!(login_throttle.count_attempt(NOW_MS), Ok(()));
        }
        assert_eq!(login_throttle.clone().count_attempt(NOW_MS), Err(1));
        let quiet_ms = NOW_MS + FIRST_WAIT_MS + RESET_MS;
        for _ in 0..FREE_ATTEMPTS {
            assert_eq!(login_throttle.count_attempt(quiet_ms), Ok(()));
        }
        login_throttle.reset();
        assert_eq!(login_throttle.count_attempt(quiet_ms), Ok(()));
    }

    #[test]
    fn a_clock_that_was_far_ahead_locks_nobody_out() {
        let mut login_throttle = LoginThrottle::default();
        for _ in 0..FREE_ATTEMPTS {
            assert_eq!(login_throttle.count_attempt(NOW_MS + 86_400_000), Ok(()));
        }
        assert_eq!(login_throttle.count_attempt(NOW_MS), Err(1));
    }
}
