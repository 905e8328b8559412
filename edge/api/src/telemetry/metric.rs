//! Counters since the beginning: families, and the labels in each. Every label value is one of a closed set, so
//! nothing has to be escaped.

use edge_ledger::{AbuseKind, EventOutcome, LimitKind};
use edge_storage::{BucketBinding, StoreError};
use image_rules::Format;
use strum::{VariantArray, VariantNames};

use super::{Outcome, Route};
use crate::error::Component;

/// One counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    Request {
        route: Route,
        status: u16,
        outcome: Outcome,
    },
    /// A file of an upload, with its declared format.
    File {
        outcome: Outcome,
        format: Option<Format>,
    },
    BytesIn,
    BytesStored,
    /// A request that a limit refused.
    Limit(Limit),
    /// A daily ceiling of the deployment that was near or reached; once a day.
    Ceiling(Ceiling, CeilingLevel),
    Ban(BanReason),
    /// A family of refresh tokens that ended because a token was used twice.
    Reuse,
    /// A failed call to the store, by [`StoreError::kind`].
    StoreError(&'static str),
    /// A request that failed because a component did.
    InternalError(Component),
    /// A health check of a component; whether it succeeded.
    Probe(Component, bool),
    Sweep(SweepOutcome),
    /// A sweep that may not repair.
    SweepStop(SweepStop),
    RowWithoutObject,
    ObjectWithoutRow,
    /// An alert message; whether the webhook took it.
    Message(bool),
    /// What became of an event for the back end.
    Event(EventOutcome),
}

/// Which limit refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The rate-limit binding.
    Binding,
    ClientIp(LimitKind),
    User(LimitKind),
    Deployment(Ceiling),
}

/// A daily ceiling of the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Ceiling {
    Count,
    Bytes,
}

/// How far a ceiling is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum CeilingLevel {
    Near,
    Reached,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanReason {
    /// By the last strike.
    Strikes(AbuseKind),
    Administrator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum SweepOutcome {
    Clean,
    Found,
    Failed,
}

/// Why a sweep may not repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepStop {
    /// The bucket is not bound to this deployment.
    Bucket(BucketBinding),
    /// More than a tenth of what it checked is missing.
    TooMuch,
}

impl SweepStop {
    /// The label in events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bucket(binding) => binding.into_str(),
            Self::TooMuch => "too_much_missing",
        }
    }
}

/// Counters with one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricFamily {
    /// Metrics add a prefix and `_total`.
    pub name: &'static str,
    pub help: &'static str,
}

const fn family(name: &'static str, help: &'static str) -> MetricFamily {
    MetricFamily { name, help }
}

const REQUESTS: MetricFamily = family("requests", "Requests, by route, status and outcome.");
const UPLOADS: MetricFamily = family("uploads", "Uploaded files, by outcome and declared format.");
const BYTES: MetricFamily = family("upload_bytes", "Bytes of files, received and stored.");
const LIMITS: MetricFamily = family("limit_refusals", "Requests that a limit refused.");
const CEILINGS: MetricFamily =
    family("daily_ceilings", "Days on which a ceiling of the deployment was near or reached.");
const BANS: MetricFamily = family("bans", "Bans, by reason.");
const REUSES: MetricFamily = family("token_reuses", "Refresh tokens that were used twice.");
const STORE_ERRORS: MetricFamily =
    family("storage_errors", "Failed calls to the object store, by kind.");
const INTERNAL_ERRORS: MetricFamily =
    family("internal_errors", "Requests that failed because a component did.");
const PROBES: MetricFamily = family("probes", "Health checks of components, by outcome.");
const SWEEPS: MetricFamily = family("sweeps", "Sweeps that compared database, ledger and store.");
const SWEEP_STOPS: MetricFamily = family("sweep_stops", "Sweeps that may not repair, by reason.");
const FINDINGS: MetricFamily =
    family("sweep_findings", "Rows without object and objects without row.");
const MESSAGES: MetricFamily = family("alert_messages", "Alerts sent to the webhook, by outcome.");

const EVENTS: MetricFamily = family("webhook_events", "Events for the back end, by outcome.");

impl MetricFamily {
    /// In the order of `/metrics`.
    pub const ALL: [Self; 15] = [
        REQUESTS,
        UPLOADS,
        BYTES,
        LIMITS,
        CEILINGS,
        BANS,
        REUSES,
        STORE_ERRORS,
        INTERNAL_ERRORS,
        PROBES,
        SWEEPS,
        SWEEP_STOPS,
        FINDINGS,
        MESSAGES,
        EVENTS,
    ];
}

impl Metric {
    /// The counters that are shown as zero before anything happened, so that the first increment is visible
    /// to Prometheus' `increase`.
    pub fn expected() -> Vec<Self> {
        use LimitKind as K;
        let client_ips =
            [K::Ban, K::Rate, K::Flood, K::DailyCount, K::DailyBytes].map(Limit::ClientIp);
        let users = [K::Ban, K::Rate, K::Flood, K::DailyCount, K::DailyBytes, K::TicketSpent]
            .map(Limit::User);
        let deployment = Ceiling::VARIANTS.iter().copied().map(Limit::Deployment);
        let limits = [Limit::Binding].into_iter().chain(client_ips).chain(users).chain(deployment);
        let limits = limits.map(Self::Limit);
        let ceilings = Ceiling::VARIANTS.iter().flat_map(|ceiling| {
            CeilingLevel::VARIANTS.iter().map(|level| Self::Ceiling(*ceiling, *level))
        });
        let bans = AbuseKind::VARIANTS.iter().copied().map(BanReason::Strikes);
        let bans = bans.chain([BanReason::Administrator]).map(Self::Ban);
        let probes = Component::PROBED
            .into_iter()
            .flat_map(|it| [true, false].map(|is_ok| Self::Probe(it, is_ok)));
        let files = Format::ALL.into_iter().flat_map(|format| {
            [Outcome::Stored, Outcome::Repeated]
                .map(|outcome| Self::File { outcome, format: Some(format) })
        });
        let sweeps = SweepOutcome::VARIANTS.iter().copied().map(Self::Sweep);
        let others = [
            Self::BytesIn,
            Self::BytesStored,
            Self::Reuse,
            Self::RowWithoutObject,
            Self::ObjectWithoutRow,
            Self::Message(true),
            Self::Message(false),
        ];
        let problems = BucketBinding::VARIANTS.iter().filter(|it| **it != BucketBinding::Bound);
        let stops = problems.copied().map(SweepStop::Bucket).chain([SweepStop::TooMuch]);
        let store_errors = StoreError::VARIANTS.iter().copied().map(Self::StoreError);
        let components = Component::VARIANTS.iter().copied().map(Self::InternalError);
        files
            .chain(others)
            .chain(limits)
            .chain(ceilings)
            .chain(bans)
            .chain(store_errors)
            .chain(components)
            .chain(probes)
            .chain(sweeps)
            .chain(stops.map(Self::SweepStop))
            .chain(EventOutcome::VARIANTS.iter().copied().map(Self::Event))
            .collect()
    }

    pub const fn family(self) -> MetricFamily {
        match self {
            Self::Request { .. } => REQUESTS,
            Self::File { .. } => UPLOADS,
            Self::BytesIn | Self::BytesStored => BYTES,
            Self::Limit(_) => LIMITS,
            Self::Ceiling(..) => CEILINGS,
            Self::Ban(_) => BANS,
            Self::Reuse => REUSES,
            Self::StoreError(_) => STORE_ERRORS,
            Self::InternalError(_) => INTERNAL_ERRORS,
            Self::Probe(..) => PROBES,
            Self::Sweep(_) => SWEEPS,
            Self::SweepStop(_) => SWEEP_STOPS,
            Self::RowWithoutObject | Self::ObjectWithoutRow => FINDINGS,
            Self::Message(_) => MESSAGES,
            Self::Event(_) => EVENTS,
        }
    }

    /// In the text format of metrics.
    pub fn labels(self) -> String {
        let one = |name: &str, value: &str| format!("{name}=\"{value}\"");
        let two = |name: &str, value: &str, more: &str| format!("{name}=\"{value}\",{more}");
        match self {
            Self::Request { route, status, outcome } => {
                let rest = two("status", &status.to_string(), &one("outcome", outcome.name()));
                two("route", route.name, &rest)
            }
            Self::File { outcome, format } => {
                let format = format.map_or("unknown", Format::extension);
                two("outcome", outcome.name(), &one("format", format))
            }
            Self::BytesIn => one("direction", "in"),
            Self::BytesStored => one("direction", "stored"),
            Self::Limit(limit) => {
                let (subject, limit) = match limit {
                    Limit::Binding => ("client_ip", "binding"),
                    Limit::ClientIp(kind) => ("client_ip", kind.into_str()),
                    Limit::User(kind) => ("user", kind.into_str()),
                    Limit::Deployment(ceiling) => ("deployment", ceiling.into_str()),
                };
                two("subject", subject, &one("limit", limit))
            }
            Self::Ceiling(ceiling, level) => {
                two("limit", ceiling.into_str(), &one("level", level.into_str()))
            }
            Self::Ban(BanReason::Strikes(kind)) => one("reason", kind.into_str()),
            Self::Ban(BanReason::Administrator) => one("reason", "administrator"),
            Self::Reuse => String::new(),
            Self::StoreError(kind) => one("kind", kind),
            Self::InternalError(component) => one("component", component.into_str()),
            Self::Probe(component, is_ok) => {
                let outcome = if is_ok { "ok" } else { "unreachable" };
                two("component", component.into_str(), &one("outcome", outcome))
            }
            Self::Sweep(outcome) => one("outcome", outcome.into_str()),
            Self::SweepStop(stop) => one("reason", stop.name()),
            Self::RowWithoutObject => one("kind", "row_without_object"),
            Self::ObjectWithoutRow => one("kind", "object_without_row"),
            Self::Event(outcome) => one("outcome", outcome.into_str()),
            Self::Message(is_sent) => one("outcome", if is_sent { "sent" } else { "failed" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use image_rules::Code;

    use super::*;

    #[test]
    fn no_two_counters_have_the_same_name_and_labels() {
        let all = Metric::expected();
        let keys: BTreeSet<_> = all.iter().map(|it| (it.family().name, it.labels())).collect();
        assert_eq!(keys.len(), all.len());
        let names: BTreeSet<_> = MetricFamily::ALL.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), MetricFamily::ALL.len());
        assert!(all.iter().all(|it| MetricFamily::ALL.contains(&it.family())));
    }

    #[test]
    fn labels_are_written_in_the_text_format() {
        let outcome = Outcome::Refused(Code::RateLimited);
        let request = Metric::Request { route: Route::UPLOAD, status: 429, outcome };
        let expected = r#"route="upload",status="429",outcome="RATE_LIMITED""#;
        assert_eq!(request.labels(), expected);
        let file = Metric::File { outcome: Outcome::Stored, format: Some(Format::WebP) };
        assert_eq!(file.labels(), r#"outcome="STORED",format="webp""#);
        let limit = Metric::Limit(Limit::User(LimitKind::DailyBytes));
        assert_eq!(limit.labels(), r#"subject="user",limit="daily_bytes""#);
    }
}
