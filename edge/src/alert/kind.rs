//! The kinds of alerts: which sums each watches, how much of them is worth a message, and its words.

use crate::{
    error::Part,
    registry::Total,
    response::timestamp,
    stats::{Series, SweepEnd, SweepStop},
};

/// What the team is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bans,
    Reuse,
    Storage,
    Failures,
    Sweeps,
    Bucket,
}

/// A burst of failures: one request that fails now and then is in the log.
const BURST: u64 = 10;
/// One call that the store did not do may be chance, though each was tried three times.
const STORE_CALLS: u64 = 3;

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Bans, Self::Reuse, Self::Storage, Self::Failures, Self::Sweeps, Self::Bucket];

    /// As it stands in the registry and in the log.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bans => "bans",
            Self::Reuse => "token_reuse",
            Self::Storage => "storage_down",
            Self::Failures => "error_burst",
            Self::Sweeps => "sweep",
            Self::Bucket => "bucket",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Bans => "Accounts shut out",
            Self::Reuse => "Refresh tokens used twice (stolen, or a client that asked again)",
            Self::Storage => "The object store fails",
            Self::Failures => "Requests fail because of a part of ours",
            Self::Sweeps => "Sweeps that failed or found what does not belong",
            Self::Bucket => {
                "The bucket is not this deployment's, or more than a tenth is missing; nothing is repaired"
            }
        }
    }

    /// How much weighs what is worth a message.
    const fn threshold(self) -> u64 {
        match self {
            Self::Bans | Self::Reuse | Self::Sweeps | Self::Bucket => 1,
            Self::Storage => STORE_CALLS,
            Self::Failures => BURST,
        }
    }

    /// How much one of these weighs here; nothing when they are not of this kind. A part that was asked
    /// whether it works and did not answer is worth a message by itself.
    pub(super) fn weight(self, total: &Total) -> u64 {
        let is =
            |series: Series| total.name == series.family().name && total.labels == series.labels();
        let is_of = |series: Series| total.name == series.family().name;
        let is_down = |part: Part| is(Series::Probe(part, false));
        let threshold = |found: bool| if found { self.threshold() } else { 0 };
        match self {
            Self::Bans => threshold(total.name == "bans"),
            Self::Reuse => threshold(is_of(Series::Reuse)),
            // An object that is there already is the store's good right.
            Self::Storage if is_of(Series::StoreFault("")) => {
                u64::from(!is(Series::StoreFault("exists")))
            }
            Self::Storage => threshold(is_down(Part::Storage)),
            Self::Failures if is_of(Series::Fault(Part::Storage)) => {
                // The store has a kind of its own.
                u64::from(!is(Series::Fault(Part::Storage)))
            }
            Self::Failures => threshold(is_down(Part::Registry) || is_down(Part::Ledger)),
            Self::Bucket => threshold(is_of(Series::SweepStop(SweepStop::TooMuch))),
            Self::Sweeps => {
                threshold(is(Series::Sweep(SweepEnd::Failed)) || is(Series::Sweep(SweepEnd::Found)))
            }
        }
    }

    /// Whether so much has come together that the team is to hear of it.
    pub(super) fn is_worth_telling(self, totals: &[Total]) -> bool {
        let weights = totals.iter().map(|it| it.untold().saturating_mul(self.weight(it)));
        weights.fold(0, u64::saturating_add) >= self.threshold()
    }

    /// One line of a message: how often in all, and how often each.
    pub(super) fn line(self, totals: &[Total], since_ms: u64) -> String {
        let sum: u64 = totals.iter().map(Total::untold).sum();
        let each = totals.iter().map(|it| format!("{} {}", words(&it.labels), it.untold()));
        let each: Vec<_> = each.map(|it| it.trim().to_owned()).collect();
        let since = if since_ms == 0 {
            "so far".to_owned()
        } else {
            format!("since {}", timestamp(since_ms))
        };
        format!("• {}: {sum} {since} ({})", self.title(), each.join(", "))
    }
}

/// The values of labels, which are words of ours.
fn words(labels: &str) -> String {
    let values: Vec<_> = labels.split('"').skip(1).step_by(2).collect();
    values.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ledger::message::Offence,
        stats::{BanReason, Family},
    };

    fn total(series: Series, total: u64) -> Total {
        Total::new(series.family().name, &series.labels(), total)
    }

    #[test]
    fn the_names_that_are_watched_are_there() {
        for name in
            ["bans", "token_reuses", "storage_errors", "faults", "probes", "sweeps", "sweep_stops"]
        {
            assert!(Family::ALL.iter().any(|family| family.name == name), "{name}");
        }
        let watched =
            |series| Kind::ALL.iter().filter(|it| it.weight(&total(series, 1)) > 0).count();
        for series in Series::expected() {
            assert!(watched(series) <= 1, "{series:?} is of one kind");
        }
        assert_eq!(watched(Series::Ban(BanReason::Administrator)), 1);
        assert_eq!(watched(Series::StoreFault("exists")), 0);
        assert_eq!(watched(Series::Probe(Part::Storage, true)), 0);
        assert_eq!(watched(Series::Sweep(SweepEnd::Clean)), 0);
    }

    #[test]
    fn a_burst_is_ten_and_a_part_that_is_down_is_enough() {
        let failures =
            |times| Kind::Failures.is_worth_telling(&[total(Series::Fault(Part::Ledger), times)]);
        assert!(!failures(9));
        assert!(failures(10));
        assert!(Kind::Failures.is_worth_telling(&[total(Series::Probe(Part::Ledger, false), 1)]));
        let calls =
            |times| Kind::Storage.is_worth_telling(&[total(Series::StoreFault("timeout"), times)]);
        assert!(!calls(2));
        assert!(calls(3));
        assert!(Kind::Storage.is_worth_telling(&[total(Series::Probe(Part::Storage, false), 1)]));
        let told = Total { told: 5, ..total(Series::Reuse, 5) };
        assert!(!Kind::Reuse.is_worth_telling(&[told]));
    }

    #[test]
    fn a_line_counts_what_was_not_told() {
        let disguises = Series::Ban(BanReason::Strikes(Offence::Disguise));
        let totals = [
            Total { told: 2, ..total(disguises, 5) },
            total(Series::Ban(BanReason::Administrator), 1),
        ];
        let line = Kind::Bans.line(&totals, 1_763_114_400_000);
        let expected =
            "• Accounts shut out: 4 since 2025-11-14T10:00:00.000Z (disguise 3, administrator 1)";
        assert_eq!(line, expected);
        let line = Kind::Reuse.line(&[total(Series::Reuse, 1)], 0);
        assert!(line.ends_with(": 1 so far (1)"), "{line}");
    }
}
