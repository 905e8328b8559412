//! New guest tokens and accounts of one client IP, by the hour. Hours are those of UTC.
//!
//! A new identity costs nothing, so limits of each of them do not limit the person behind.

use serde::{Deserialize, Serialize};

use crate::{LimitExceeded, LimitKind, NewIdentity};

const HOUR_MS: u64 = 3_600_000;

/// How many there were in the hour of the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewIdentities {
    hour: u64,
    guest_tokens: u32,
    accounts: u32,
}

impl NewIdentities {
    /// Counts one.
    ///
    /// # Errors
    /// The seconds until the next hour, when this one has had `per_hour`; nothing is counted then.
    pub fn count(
        &mut self,
        now_ms: u64,
        identity: NewIdentity,
        per_hour: u32,
    ) -> Result<(), LimitExceeded> {
        let hour = now_ms / HOUR_MS;
        // A clock that was set back begins no new hour.
        if hour > self.hour {
            *self = Self { hour, ..Self::default() };
        }
        let count = match identity {
            NewIdentity::GuestToken => &mut self.guest_tokens,
            NewIdentity::Account => &mut self.accounts,
        };
        if *count >= per_hour {
            let left_ms = HOUR_MS - now_ms % HOUR_MS;
            let retry_after_s = u32::try_from(left_ms.div_ceil(1000)).unwrap_or(u32::MAX);
            return Err(LimitExceeded { kind: LimitKind::Rate, retry_after_s });
        }
        *count = count.saturating_add(1);
        Ok(())
    }

    /// When its hour begins; nothing of it counts an hour later.
    pub const fn begin_ms(&self) -> u64 {
        self.hour.saturating_mul(HOUR_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-11-14, 00:00 UTC.
    const MIDNIGHT_MS: u64 = 1_763_078_400_000;

    #[test]
    fn each_kind_ends_at_the_limit_of_the_hour() {
        let mut identities = NewIdentities::default();
        let late_ms = MIDNIGHT_MS - 1500;
        for _ in 0..2 {
            assert_eq!(identities.count(late_ms, NewIdentity::GuestToken, 2), Ok(()));
        }
        let refused = identities.count(late_ms, NewIdentity::GuestToken, 2);
        assert_eq!(refused, Err(LimitExceeded { kind: LimitKind::Rate, retry_after_s: 2 }));
        assert_eq!(identities.count(late_ms, NewIdentity::Account, 2), Ok(()));
        assert_eq!(identities.count(MIDNIGHT_MS, NewIdentity::GuestToken, 2), Ok(()));
        assert_eq!(identities.count(MIDNIGHT_MS - 1, NewIdentity::GuestToken, 2), Ok(()));
        let refused = identities.count(MIDNIGHT_MS - 1, NewIdentity::GuestToken, 2);
        assert!(refused.is_err(), "a clock that was set back begins no new hour");
    }
}
