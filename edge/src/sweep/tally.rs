//! How many of the things that a round of sweeps looked at were missing. It reaches over the runs of the
//! round, since one run looks at a part only, and the last part may be small.

use core::fmt;

/// Below this many nothing can be said.
const ENOUGH: u64 = 20;
/// One in so many may be missing.
const SHARE: u64 = 10;
/// Above this many both counts are halved, so that what is long past counts less and less.
const MOST: u64 = 200;

/// What was looked at, and how much of it was missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    checked: u64,
    missing: u64,
}

impl Tally {
    /// From its text; anything else is an empty one.
    pub(super) fn parse(text: &str) -> Self {
        let numbers = text.split_once(' ').and_then(|(checked, missing)| {
            Some(Self { checked: checked.parse().ok()?, missing: missing.parse().ok()? })
        });
        numbers.unwrap_or_default()
    }

    /// With what one run more saw.
    pub(super) fn with(self, checked: usize, missing: usize) -> Self {
        let sum = Self {
            checked: self.checked.saturating_add(checked as u64),
            missing: self.missing.saturating_add(missing as u64),
        };
        if sum.checked <= MOST {
            return sum;
        }
        // Rounded up, so that halving forgets nothing that is still missing.
        Self { checked: sum.checked / 2, missing: sum.missing.div_ceil(2) }
    }

    /// Whether so much is missing that it must have one cause, which is not what repairs are for.
    pub(super) const fn is_too_much(self) -> bool {
        self.checked >= ENOUGH && self.missing.saturating_mul(SHARE) > self.checked
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.checked, self.missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_tenth_of_at_least_twenty_is_too_much() {
        for (checked, missing, expected) in
            [(19, 19, false), (20, 2, false), (20, 3, true), (200, 20, false), (200, 21, true)]
        {
            let tally = Tally::default().with(checked, missing);
            assert_eq!(tally.is_too_much(), expected, "{missing} of {checked}");
        }
    }

    #[test]
    fn what_a_small_last_part_sees_counts_with_what_came_before() {
        let tally = Tally::default().with(20, 10).with(5, 2);
        assert!(tally.is_too_much());
        assert_eq!(Tally::parse(&tally.to_string()), tally);
        assert_eq!(Tally::parse("x"), Tally::default());
        let mended = (0..20).fold(tally, |tally, _| tally.with(20, 0));
        assert!(!mended.is_too_much(), "{mended}");
    }
}
