//! The kinds of alerts: which counters each watches, its threshold, and its text.

use edge_ledger::EventOutcome;
use edge_registry::Total;
use edge_types::timestamp;

use crate::{
    error::Component,
    telemetry::{Metric, SweepOutcome, SweepStop},
};

/// A kind of alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bans,
    Reuse,
    Storage,
    Errors,
    Sweeps,
    Bucket,
    Ceilings,
    Events,
}

/// A burst of server errors: a single one is in the log.
const BURST: u64 = 10;
/// One failed call to the store may be chance, although each is retried.
const STORE_CALLS: u64 = 3;

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::Bans,
        Self::Reuse,
        Self::Storage,
        Self::Errors,
        Self::Sweeps,
        Self::Bucket,
        Self::Ceilings,
        Self::Events,
    ];

    /// The name in the database and in the log.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bans => "bans",
            Self::Reuse => "token_reuse",
            Self::Storage => "storage_down",
            Self::Errors => "error_burst",
            Self::Sweeps => "sweep",
            Self::Bucket => "bucket",
            Self::Ceilings => "ceiling",
            Self::Events => "events",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Bans => "Subjects banned",
            Self::Reuse => "Refresh tokens used twice (stolen, or a client that retried)",
            Self::Storage => "The object store fails",
            Self::Errors => "Requests fail with server errors",
            Self::Sweeps => "Sweeps that failed or found inconsistencies",
            Self::Ceilings => "Daily ceilings of the deployment, near (80 %) or reached",
            Self::Events => "Events that the back end did not take (dead: given up)",
            Self::Bucket => {
                "The bucket is not this deployment's, or more than a tenth is missing; nothing is repaired"
            }
        }
    }

    /// The weight that is worth a message.
    const fn threshold(self) -> u64 {
        match self {
            Self::Bans | Self::Reuse | Self::Sweeps | Self::Bucket | Self::Ceilings => 1,
            Self::Storage => STORE_CALLS,
            Self::Errors | Self::Events => BURST,
        }
    }

    /// The weight of one increment of a counter; zero when the kind does not watch it. A failed health check is worth a
    /// message by itself.
    pub(super) fn weight(self, total: &Total) -> u64 {
        let is =
            |metric: Metric| total.name == metric.family().name && total.labels == metric.labels();
        let is_of = |metric: Metric| total.name == metric.family().name;
        let is_down = |component: Component| is(Metric::Probe(component, false));
        let threshold = |found: bool| if found { self.threshold() } else { 0 };
        match self {
            Self::Bans => threshold(total.name == "bans"),
            Self::Reuse => threshold(is_of(Metric::Reuse)),
            Self::Ceilings => threshold(total.name == "daily_ceilings"),
            // An object that exists already is no failure of the store.
            Self::Storage if is_of(Metric::StoreError("")) => {
                u64::from(!is(Metric::StoreError("exists")))
            }
            Self::Storage => threshold(is_down(Component::Storage)),
            Self::Errors if is_of(Metric::InternalError(Component::Storage)) => {
                // The store has its own kind.
                u64::from(!is(Metric::InternalError(Component::Storage)))
            }
            Self::Errors => threshold(is_down(Component::Registry) || is_down(Component::Ledger)),
            Self::Events if is(Metric::Event(EventOutcome::Failed)) => 1,
            Self::Events => threshold(is(Metric::Event(EventOutcome::Dead))),
            Self::Bucket => threshold(is_of(Metric::SweepStop(SweepStop::TooMuch))),
            Self::Sweeps => threshold(
                is(Metric::Sweep(SweepOutcome::Failed)) || is(Metric::Sweep(SweepOutcome::Found)),
            ),
        }
    }

    /// Whether the counters together reach the threshold.
    pub(super) fn is_due(self, totals: &[Total]) -> bool {
        let weights = totals.iter().map(|it| it.unreported().saturating_mul(self.weight(it)));
        weights.fold(0, u64::saturating_add) >= self.threshold()
    }

    /// One line of a message: the sum, and each counter.
    pub(super) fn line(self, totals: &[Total], since_ms: u64) -> String {
        let sum: u64 = totals.iter().map(Total::unreported).sum();
        let each = totals.iter().map(|it| format!("{} {}", values(&it.labels), it.unreported()));
        let each: Vec<_> = each.map(|it| it.trim().to_owned()).collect();
        let since = if since_ms == 0 {
            "so far".to_owned()
        } else {
            format!("since {}", timestamp(since_ms))
        };
        format!("• {}: {sum} {since} ({})", self.title(), each.join(", "))
    }
}

/// The values of labels.
fn values(labels: &str) -> String {
    let values: Vec<_> = labels.split('"').skip(1).step_by(2).collect();
    values.join(" ")
}

#[cfg(test)]
mod tests {
    use edge_ledger::AbuseKind;

    use super::*;
    use crate::telemetry::{BanReason, MetricFamily};

    fn total(metric: Metric, total: u64) -> Total {
        Total::new(metric.family().name, &metric.labels(), total)
    }

    #[test]
    fn the_watched_names_exist() {
        for name in [
            "bans",
            "token_reuses",
            "storage_errors",
            "internal_errors",
            "probes",
            "sweeps",
            "sweep_stops",
            "daily_ceilings",
            "webhook_events",
        ] {
            assert!(MetricFamily::ALL.iter().any(|family| family.name == name), "{name}");
        }
        let watched =
            |metric| Kind::ALL.iter().filter(|it| it.weight(&total(metric, 1)) > 0).count();
        for metric in Metric::expected() {
            assert!(watched(metric) <= 1, "{metric:?} is of one kind");
        }
        assert_eq!(watched(Metric::Ban(BanReason::Administrator)), 1);
        assert_eq!(watched(Metric::StoreError("exists")), 0);
        assert_eq!(watched(Metric::Probe(Component::Storage, true)), 0);
        assert_eq!(watched(Metric::Sweep(SweepOutcome::Clean)), 0);
    }

    #[test]
    fn a_burst_is_ten_and_one_component_that_is_down_is_enough() {
        let errors =
            |times| Kind::Errors.is_due(&[total(Metric::InternalError(Component::Ledger), times)]);
        assert!(!errors(9));
        assert!(errors(10));
        assert!(Kind::Errors.is_due(&[total(Metric::Probe(Component::Ledger, false), 1)]));
        let calls = |times| Kind::Storage.is_due(&[total(Metric::StoreError("timeout"), times)]);
        assert!(!calls(2));
        assert!(calls(3));
        assert!(Kind::Storage.is_due(&[total(Metric::Probe(Component::Storage, false), 1)]));
        let reported = Total { reported: 5, ..total(Metric::Reuse, 5) };
        assert!(!Kind::Reuse.is_due(&[reported]));
    }

    #[test]
    fn a_line_counts_what_was_not_reported_yet() {
        let disguises = Metric::Ban(BanReason::Strikes(AbuseKind::Disguise));
        let totals = [
            Total { reported: 2, ..total(disguises, 5) },
            total(Metric::Ban(BanReason::Administrator), 1),
        ];
        let line = Kind::Bans.line(&totals, 1_763_114_400_000);
        let expected =
            "• Subjects banned: 4 since 2025-11-14T10:00:00.000Z (disguise 3, administrator 1)";
        assert_eq!(line, expected);
        let line = Kind::Reuse.line(&[total(Metric::Reuse, 1)], 0);
        assert!(line.ends_with(": 1 so far (1)"), "{line}");
    }
}
