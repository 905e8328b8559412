//! What the deployment has stored today, as the counters in the database say. Isolates write their counters some seconds
//! late, so the totals lag behind by less than a minute.

use edge_registry::HourCount;

use crate::telemetry::{Area, Outcome};

/// How long totals are used again before they are read anew.
const FRESH_MS: u64 = 20_000;
pub const DAY_HOURS: u64 = 24;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = DAY_HOURS * HOUR_MS;

/// The stored files of one day of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayTotals {
    pub day: u64,
    pub count: u64,
    /// As received, like the quota of a user.
    pub bytes: u64,
    /// When they were read.
    pub read_ms: u64,
}

impl DayTotals {
    pub fn new(counts: &[HourCount], now_ms: u64) -> Self {
        let day = day(now_ms);
        let is_stored = |it: &&HourCount| {
            it.hour / DAY_HOURS == day
                && it.area == Area::Files.into_str()
                && it.code == Outcome::Stored.name()
        };
        let stored = counts.iter().filter(is_stored);
        let (count, bytes) = stored.fold((0_u64, 0_u64), |(count, bytes), it| {
            (count.saturating_add(it.count), bytes.saturating_add(it.bytes_in))
        });
        Self { day, count, bytes, read_ms: now_ms }
    }

    pub const fn is_fresh(self, now_ms: u64) -> bool {
        self.day == day(now_ms) && self.read_ms.abs_diff(now_ms) < FRESH_MS
    }
}

/// Days since 1970.
pub const fn day(now_ms: u64) -> u64 {
    now_ms / DAY_MS
}

/// Seconds until the next day of UTC, rounded up.
pub fn until_midnight_s(now_ms: u64) -> u32 {
    u32::try_from((DAY_MS - now_ms % DAY_MS).div_ceil(1000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_were_stored_today_count() {
        let count = |hour: u64, area: &str, code: &str| HourCount {
            hour,
            area: area.to_owned(),
            code: code.to_owned(),
            count: 2,
            bytes_in: 30,
            bytes_stored: 20,
        };
        let now_ms = 20_000 * DAY_MS + HOUR_MS;
        let hour = now_ms / HOUR_MS;
        let counts = [
            count(hour - 2, "files", "STORED"),
            count(hour - 1, "files", "STORED"),
            count(hour, "files", "STORED"),
            count(hour, "files", "REPEATED"),
            count(hour, "uploads", "SERVED"),
        ];
        let totals = DayTotals::new(&counts, now_ms);
        assert_eq!(totals, DayTotals { day: 20_000, count: 4, bytes: 60, read_ms: now_ms });
        assert!(totals.is_fresh(now_ms + FRESH_MS - 1));
        assert!(!totals.is_fresh(now_ms + FRESH_MS));
        let midnight_ms = 20_001 * DAY_MS;
        assert!(!DayTotals { read_ms: midnight_ms - 1, ..totals }.is_fresh(midnight_ms));
        assert_eq!(until_midnight_s(midnight_ms - 1500), 2);
    }
}
