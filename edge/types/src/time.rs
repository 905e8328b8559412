//! Time and randomness, which every layer gets as an argument, so that tests fix both.

use std::pin::pin;

use chrono::{DateTime, SecondsFormat};
use futures_util::future::{Either, select};

pub trait Clock {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Waits; other requests of the isolate run meanwhile.
    fn sleep(&self, ms: u64) -> impl Future<Output = ()>;
}

/// The end of a permanent ban: 9999-12-31T23:59:59.999Z, the last moment that RFC 3339 can write.
pub const PERMANENT_MS: u64 = 253_402_300_799_999;

pub trait Random {
    /// Sixteen bytes that nobody can guess.
    fn random(&self) -> [u8; 16];

    /// A number that is uniform over all values.
    fn random_u64(&self) -> u64 {
        // The low half of sixteen random bytes.
        let [low @ .., _, _, _, _, _, _, _, _] = self.random();
        u64::from_le_bytes(low)
    }
}

/// The output of a future that completes in time. A future that does not is dropped, which aborts the
/// request that it waits for.
pub async fn with_timeout<T>(
    clock: &impl Clock,
    timeout_ms: u64,
    future: impl Future<Output = T>,
) -> Option<T> {
    match select(pin!(future), pin!(clock.sleep(timeout_ms))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// RFC 3339 in UTC with milliseconds, such as `2025-11-14T10:00:00.000Z`.
pub fn timestamp(ms: u64) -> String {
    let moment = i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis);
    moment.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The milliseconds since 1970 of a moment in RFC 3339; nothing before 1970 and after 9999.
pub fn parse_timestamp(text: &str) -> Option<u64> {
    let moment = DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(moment.timestamp_millis()).ok().filter(|ms| *ms <= PERMANENT_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc_3339_with_milliseconds() {
        assert_eq!(timestamp(1_763_114_400_000), "2025-11-14T10:00:00.000Z");
        assert_eq!(timestamp(PERMANENT_MS), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn moments_are_read_with_any_offset() {
        for (text, expected) in [
            ("2025-11-14T10:00:00.000Z", Some(1_763_114_400_000)),
            ("2025-11-14T10:00:00Z", Some(1_763_114_400_000)),
            ("2025-11-14T19:00:00+09:00", Some(1_763_114_400_000)),
            ("9999-12-31T23:59:59.999Z", Some(PERMANENT_MS)),
            ("1969-12-31T23:59:59Z", None),
            ("2025-11-14", None),
            ("2025-11-14T10:00:00", None),
            ("2025-02-30T10:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(parse_timestamp(text), expected, "{text}");
        }
    }
}
