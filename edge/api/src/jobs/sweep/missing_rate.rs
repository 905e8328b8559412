//! How much of what a pass of the sweep checked was missing. A pass spans many runs, because one run checks only a
//! part, and the last part may be small.

use core::fmt;

/// Below this many the rate means nothing.
const MIN_CHECKED: u64 = 20;
/// One in so many may be missing.
const MAX_RATE_INVERSE: u64 = 10;
/// Above this many both counts are halved, so that old runs count less and less.
const MAX_CHECKED: u64 = 200;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MissingRate {
    checked: u64,
    missing: u64,
}

impl MissingRate {
    /// The inverse of [`fmt::Display`]; any other text is an empty rate.
    pub fn parse(text: &str) -> Self {
        let numbers = text.split_once(' ').and_then(|(checked, missing)| {
            Some(Self { checked: checked.parse().ok()?, missing: missing.parse().ok()? })
        });
        numbers.unwrap_or_default()
    }

    /// Adds one run.
    pub fn with(self, checked: usize, missing: usize) -> Self {
        let sum = Self {
            checked: self.checked.saturating_add(checked as u64),
            missing: self.missing.saturating_add(missing as u64),
        };
        if sum.checked <= MAX_CHECKED {
            return sum;
        }
        // Rounded up, so that a missing entry is never halved to none.
        Self { checked: sum.checked / 2, missing: sum.missing.div_ceil(2) }
    }

    /// Whether so much is missing that it must have one cause, which repairs do not mend.
    pub const fn is_too_high(self) -> bool {
        self.checked >= MIN_CHECKED && self.missing.saturating_mul(MAX_RATE_INVERSE) > self.checked
    }
}

impl fmt::Display for MissingRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.checked, self.missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_tenth_of_at_least_twenty_rows_is_too_many() {
        for (checked, missing, expected) in
            [(19, 19, false), (20, 2, false), (20, 3, true), (200, 20, false), (200, 21, true)]
        {
            let rate = MissingRate::default().with(checked, missing);
            assert_eq!(rate.is_too_high(), expected, "{missing} of {checked}");
        }
    }

    #[test]
    fn a_small_last_batch_counts_together_with_earlier_runs() {
        let rate = MissingRate::default().with(20, 10).with(5, 2);
        assert!(rate.is_too_high());
        assert_eq!(MissingRate::parse(&rate.to_string()), rate);
        assert_eq!(MissingRate::parse("x"), MissingRate::default());
        let repaired = (0..20).fold(rate, |rate, _| rate.with(20, 0));
        assert!(!repaired.is_too_high(), "{repaired}");
    }
}
