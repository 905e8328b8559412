//! Attempts at the password of one address, wherever they come from: the first few are free, then
//! each has to wait twice as long as the one before it.
//!
//! An attempt counts as wrong until it is known to be right, so that many at once are no way around.
//! Whoever goes on guessing gets 96 attempts a day; whoever pauses gets five every quarter of an hour,
//! 480 a day: of the thousand passwords that people choose most, half a thousand a day, and of any
//! other nothing that counts.

use serde::{Deserialize, Serialize};

/// People mistype, forget which of their passwords it was, and try them all.
const FREE: u32 = 5;
const FIRST_WAIT_MS: u64 = 1_000;
/// So long can somebody else keep an owner waiting who has forgotten nothing.
const LONGEST_WAIT_MS: u64 = 900_000;
/// After so long without an attempt that was possible, all is forgotten.
const QUIET_MS: u64 = 900_000;

/// What is known of the attempts at one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guesses {
    wrong: u32,
    last_ms: u64,
}

impl Guesses {
    /// One attempt more, or how many seconds until there may be one.
    ///
    /// # Errors
    /// Those seconds, rounded up.
    pub fn attempt(&mut self, now_ms: u64) -> Result<(), u32> {
        let wait_ms = self.wait_ms();
        if now_ms >= self.last_ms.saturating_add(wait_ms + QUIET_MS) {
            self.wrong = 0;
        }
        // A clock that was set back makes nobody wait longer than was said.
        let left_ms = self.last_ms.saturating_add(wait_ms).saturating_sub(now_ms).min(wait_ms);
        if left_ms > 0 {
            return Err(u32::try_from(left_ms.div_ceil(1000)).unwrap_or(u32::MAX));
        }
        self.wrong = self.wrong.saturating_add(1);
        self.last_ms = now_ms;
        Ok(())
    }

    /// The password was right.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// How long after the last attempt there may be another.
    fn wait_ms(self) -> u64 {
        let Some(doublings) = self.wrong.checked_sub(FREE) else { return 0 };
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        FIRST_WAIT_MS.saturating_mul(factor).min(LONGEST_WAIT_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_763_114_400_000;

    #[test]
    fn five_are_free_and_each_further_one_waits_twice_as_long() {
        let (mut guesses, mut now_ms, mut waits) = (Guesses::default(), NOW_MS, Vec::new());
        for _ in 0..20 {
            if let Err(wait_s) = guesses.attempt(now_ms) {
                waits.push(wait_s);
                assert_eq!(guesses.attempt(now_ms + u64::from(wait_s) * 1000 - 1), Err(1));
                now_ms += u64::from(wait_s) * 1000;
                assert_eq!(guesses.attempt(now_ms), Ok(()), "what was promised holds");
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900, 900]);
    }

    #[test]
    fn a_quiet_quarter_of_an_hour_or_the_right_password_forgets() {
        let mut guesses = Guesses::default();
        for _ in 0..FREE {
            assert_eq!(guesses.attempt(NOW_MS), Ok(()));
        }
        assert_eq!(guesses.clone().attempt(NOW_MS), Err(1));
        let quiet_ms = NOW_MS + FIRST_WAIT_MS + QUIET_MS;
        for _ in 0..FREE {
            assert_eq!(guesses.attempt(quiet_ms), Ok(()));
        }
        guesses.forget();
        assert_eq!(guesses.attempt(quiet_ms), Ok(()));
    }

    #[test]
    fn a_clock_that_was_far_ahead_locks_nobody_out() {
        let mut guesses = Guesses::default();
        for _ in 0..FREE {
            assert_eq!(guesses.attempt(NOW_MS + 86_400_000), Ok(()));
        }
        assert_eq!(guesses.attempt(NOW_MS), Err(1));
    }
}
