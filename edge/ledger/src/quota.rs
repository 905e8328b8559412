//! Daily quotas. Days are those of UTC.

use serde::{Deserialize, Serialize};

use edge_types::{LimitStatus, UploadLimits};

use crate::{LimitExceeded, LimitKind, QuotaCharge};

const DAY_MS: u64 = 86_400_000;
const DAY_S: u32 = 86_400;

/// What was used on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailyUsage {
    day: u64,
    count: u32,
    bytes: u64,
}

impl QuotaCharge {
    /// With the bytes that were really sent instead of those that were declared.
    #[must_use]
    pub const fn with_bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }
}

impl DailyUsage {
    /// Charges one upload of so many bytes.
    ///
    /// # Errors
    /// The limit that today's count or bytes would exceed; nothing is charged then.
    pub fn charge(
        &mut self,
        now_ms: u64,
        limits: &UploadLimits,
        bytes: u64,
    ) -> Result<QuotaCharge, LimitExceeded> {
        self.begin_day(now_ms);
        let exceeded = |kind| Err(LimitExceeded { kind, retry_after_s: until_midnight_s(now_ms) });
        let Some(count) = self.count.checked_add(1).filter(|count| *count <= limits.daily_count)
        else {
            return exceeded(LimitKind::DailyCount);
        };
        let within = |sum: &u64| *sum <= limits.daily_bytes;
        let Some(sum) = self.bytes.checked_add(bytes).filter(within) else {
            return exceeded(LimitKind::DailyBytes);
        };
        (self.count, self.bytes) = (count, sum);
        Ok(QuotaCharge { day: self.day, bytes })
    }

    /// Adds what an upload was charged, unless its day is over.
    pub fn add(&mut self, charge: QuotaCharge) {
        if charge.day > self.day {
            *self = Self { day: charge.day, count: 0, bytes: 0 };
        }
        if charge.day == self.day {
            self.count = self.count.saturating_add(1);
            self.bytes = self.bytes.saturating_add(charge.bytes);
        }
    }

    /// Replaces a charge by what was really stored; a picture that was not stored is not counted.
    pub fn settle(&mut self, now_ms: u64, charge: QuotaCharge, stored_bytes: Option<u64>) {
        self.begin_day(now_ms);
        if charge.day != self.day {
            return;
        }
        self.bytes = self.bytes.saturating_sub(charge.bytes);
        match stored_bytes {
            // Never upwards: a body is cut at what was declared.
            Some(bytes) => self.bytes = self.bytes.saturating_add(bytes.min(charge.bytes)),
            None => self.count = self.count.saturating_sub(1),
        }
    }

    /// When its day ends; nothing of it counts from then on.
    pub const fn end_ms(&self) -> u64 {
        self.day.saturating_add(1).saturating_mul(DAY_MS)
    }

    pub fn count_status(mut self, now_ms: u64, limits: &UploadLimits) -> LimitStatus {
        self.begin_day(now_ms);
        status(now_ms, limits.daily_count.into(), self.count.into())
    }

    pub fn bytes_status(mut self, now_ms: u64, limits: &UploadLimits) -> LimitStatus {
        self.begin_day(now_ms);
        status(now_ms, limits.daily_bytes, self.bytes)
    }

    /// Begins a new day; a clock that was set back begins none.
    fn begin_day(&mut self, now_ms: u64) {
        let today = now_ms / DAY_MS;
        if today > self.day {
            *self = Self { day: today, count: 0, bytes: 0 };
        }
    }
}

fn status(now_ms: u64, quota: u64, used: u64) -> LimitStatus {
    let remaining = quota.saturating_sub(used);
    LimitStatus { quota, window_s: DAY_S, remaining, reset_s: until_midnight_s(now_ms) }
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
    const LIMITS: UploadLimits =
        UploadLimits { rate_per_minute: 60, daily_count: 3, daily_bytes: 1000 };

    #[test]
    fn count_and_bytes_end_at_the_limit_and_begin_anew_at_midnight() {
        let evening_ms = MIDNIGHT_MS - 1500;
        let mut usage = DailyUsage::default();
        assert!(usage.charge(evening_ms, &LIMITS, 400).is_ok());
        let exceeded = usage.charge(evening_ms, &LIMITS, 601).expect_err("too many bytes");
        assert_eq!(exceeded, LimitExceeded { kind: LimitKind::DailyBytes, retry_after_s: 2 });
        assert!(usage.charge(evening_ms, &LIMITS, 600).is_ok());
        assert!(usage.charge(evening_ms, &LIMITS, 0).is_ok());
        let exceeded = usage.charge(evening_ms, &LIMITS, 0).expect_err("too many");
        assert_eq!(exceeded, LimitExceeded { kind: LimitKind::DailyCount, retry_after_s: 2 });
        let status = LimitStatus { quota: 3, window_s: DAY_S, remaining: 0, reset_s: 2 };
        assert_eq!(usage.count_status(evening_ms, &LIMITS), status);
        assert_eq!(usage.bytes_status(MIDNIGHT_MS, &LIMITS).remaining, 1000);
        assert!(usage.charge(MIDNIGHT_MS, &LIMITS, 1000).is_ok());
    }

    #[test]
    fn what_was_charged_yesterday_is_not_added_today() {
        let mut usage = DailyUsage::default();
        let yesterday = usage.charge(MIDNIGHT_MS - 1, &LIMITS, 10).expect("admitted");
        let today = usage.charge(MIDNIGHT_MS, &LIMITS, 20).expect("admitted");
        let mut sum = DailyUsage::default();
        sum.add(yesterday);
        assert_eq!(sum.bytes_status(MIDNIGHT_MS - 1, &LIMITS).remaining, 990);
        sum.add(today);
        sum.add(yesterday.with_bytes(900));
        assert_eq!(sum.bytes_status(MIDNIGHT_MS, &LIMITS).remaining, 980);
        assert_eq!(sum.count_status(MIDNIGHT_MS, &LIMITS).remaining, 2);
    }

    #[test]
    fn a_charge_is_settled_on_its_own_day_and_never_upwards() {
        let mut usage = DailyUsage::default();
        let yesterday = usage.charge(MIDNIGHT_MS - 1, &LIMITS, 900).expect("admitted");
        let failed = usage.charge(MIDNIGHT_MS, &LIMITS, 500).expect("admitted");
        let stored = usage.charge(MIDNIGHT_MS, &LIMITS, 400).expect("admitted");
        usage.settle(MIDNIGHT_MS, yesterday, None);
        assert_eq!((usage.count, usage.bytes), (2, 900));
        usage.settle(MIDNIGHT_MS, failed, None);
        usage.settle(MIDNIGHT_MS, stored, Some(20));
        assert_eq!((usage.count, usage.bytes), (1, 20));
        let charge = usage.charge(MIDNIGHT_MS, &LIMITS, 10).expect("admitted");
        usage.settle(MIDNIGHT_MS, charge, Some(5000));
        assert_eq!((usage.count, usage.bytes), (2, 30));
    }

    #[test]
    fn a_clock_set_back_over_midnight_begins_no_new_day() {
        let mut usage = DailyUsage::default();
        for _ in 0..3 {
            usage.charge(MIDNIGHT_MS, &LIMITS, 0).expect("admitted");
        }
        assert!(usage.charge(MIDNIGHT_MS - 1, &LIMITS, 0).is_err());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Charge(u64),
        /// An upload that failed is not added.
        Fail(prop::sample::Index),
        Commit(prop::sample::Index, u64),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u64..400).prop_map(Step::Charge),
            any::<prop::sample::Index>().prop_map(Step::Fail),
            (any::<prop::sample::Index>(), 0_u64..400)
                .prop_map(|(which, bytes)| Step::Commit(which, bytes)),
            (0_u64..DAY_MS / 4).prop_map(Step::Wait),
        ]
    }

    proptest! {
        /// Against a list of what was charged today: never more than the limits, never less than zero,
        /// and an upload that failed is as if nothing had been charged.
        #[test]
        fn usage_is_the_sum_of_the_charges_of_the_day(steps in prop::collection::vec(step(), 1..80)) {
            let (mut committed, mut now_ms) = (DailyUsage::default(), MIDNIGHT_MS);
            let mut open: Vec<QuotaCharge> = Vec::new();
            let mut all: Vec<QuotaCharge> = Vec::new();
            let sum = |committed: DailyUsage, open: &[QuotaCharge]| {
                open.iter().fold(committed, |mut sum, charge| {
                    sum.add(*charge);
                    sum
                })
            };
            for step in steps {
                match step {
                    Step::Charge(bytes) => {
                        open.extend(sum(committed, &open).charge(now_ms, &LIMITS, bytes).ok());
                    }
                    Step::Fail(which) if !open.is_empty() => {
                        open.remove(which.index(open.len()));
                    }
                    Step::Commit(which, bytes) if !open.is_empty() => {
                        // Never upwards: what is sent is cut at what was declared.
                        let charge = open.remove(which.index(open.len()));
                        let charge = charge.with_bytes(bytes.min(charge.bytes));
                        committed.add(charge);
                        all.push(charge);
                    }
                    Step::Fail(_) | Step::Commit(..) => {}
                    Step::Wait(ms) => now_ms += ms,
                }
                let today: Vec<_> =
                    all.iter().chain(&open).filter(|charge| charge.day == now_ms / DAY_MS).collect();
                let bytes: u64 = today.iter().map(|charge| charge.bytes).sum();
                let usage = sum(committed, &open);
                prop_assert_eq!(usage.count_status(now_ms, &LIMITS).remaining, 3 - today.len() as u64);
                prop_assert_eq!(usage.bytes_status(now_ms, &LIMITS).remaining, 1000 - bytes);
            }
        }
    }
}
