//! What is counted since the beginning: families of sums, and the labels in each. Every label is one of
//! a closed set of ours, so nothing has to be escaped and no caller can make more of them.

use image_rules::Format;

use super::{Outcome, Route};
use crate::{
    binding::StoreBinding,
    error::Part,
    ledger::message::{Barrier, Offence},
    storage::StoreFault,
};

/// One sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// A request that was answered.
    Request {
        /// What it asked for.
        route: Route,
        /// What it was answered.
        status: u16,
        /// How it ended.
        outcome: Outcome,
    },
    /// A file that an upload brought.
    File {
        /// How it ended.
        outcome: Outcome,
        /// What it was sent as, when that is known.
        format: Option<Format>,
    },
    /// Bytes of files that came.
    BytesIn,
    /// Bytes that were stored for them.
    BytesStored,
    /// A request that a limit turned away.
    Limit(Limit),
    /// An account that was shut out.
    Ban(BanReason),
    /// A family of refresh tokens that ended because one was used twice.
    Reuse,
    /// A call that the store did not do.
    StoreFault(StoreFaultKind),
    /// A request that failed because a part of ours did.
    Fault(Part),
    /// A part that was asked whether it works, and whether it did.
    Probe(Part, bool),
    /// A sweep that is over.
    Sweep(SweepEnd),
    /// A sweep that may not repair anything.
    SweepStop(SweepStop),
    /// Rows whose object is not there.
    RowWithoutObject,
    /// Objects that nobody knows.
    ObjectWithoutRow,
    /// A message about what happened; whether it was taken.
    Message(bool),
}

/// Which limit turned a request away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The rough one near the caller.
    Gate,
    /// The exact one of an address.
    Address(Barrier),
    /// One of a user.
    User(Barrier),
}

/// Why an account was shut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanReason {
    /// Enough strikes; the last of them.
    Strikes(Offence),
    /// An administrator wanted it.
    Administrator,
}

/// Why the store did not do something, without its words.
pub type StoreFaultKind = &'static str;

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepEnd {
    /// Nothing was found.
    Clean,
    /// Something was.
    Found,
    /// A part did not answer.
    Failed,
}

/// Why a sweep may not repair anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepStop {
    /// The bucket is not known to be this deployment's.
    Bucket(StoreBinding),
    /// More than a tenth of what it looked at is missing.
    TooMuch,
}

impl SweepStop {
    /// As it stands in events and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bucket(binding) => binding.name(),
            Self::TooMuch => "too_much_missing",
        }
    }
}

/// Sums that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// As in the database and in metrics, where a prefix and `_total` are added.
    pub name: &'static str,
    /// For whoever reads the metrics.
    pub help: &'static str,
}

const fn family(name: &'static str, help: &'static str) -> Family {
    Family { name, help }
}

const REQUESTS: Family =
    family("requests", "Requests that were answered, by route, status and outcome.");
const UPLOADS: Family =
    family("uploads", "Files that uploads brought, by outcome and the format they were sent as.");
const BYTES: Family = family("upload_bytes", "Bytes of files that came, and that were stored.");
const LIMITS: Family = family("limit_refusals", "Requests that a limit turned away.");
const BANS: Family = family("bans", "Accounts that were shut out, by reason.");
const REUSES: Family = family("token_reuses", "Refresh tokens that were used twice.");
const STORE_FAULTS: Family =
    family("storage_errors", "Calls that the object store did not do, by kind.");
const FAULTS: Family = family("faults", "Requests that failed because of a part of ours.");
const PROBES: Family = family("probes", "Questions whether a part works, and their outcome.");
const SWEEPS: Family = family("sweeps", "Sweeps that compared database, ledger and store.");
const SWEEP_STOPS: Family =
    family("sweep_stops", "Sweeps that may not repair anything, by reason.");
const FINDINGS: Family = family("sweep_findings", "What sweeps found that does not belong.");
const MESSAGES: Family = family("alert_messages", "Messages to the webhook, by outcome.");

impl Family {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 13] = [
        REQUESTS,
        UPLOADS,
        BYTES,
        LIMITS,
        BANS,
        REUSES,
        STORE_FAULTS,
        FAULTS,
        PROBES,
        SWEEPS,
        SWEEP_STOPS,
        FINDINGS,
        MESSAGES,
    ];
}

impl Series {
    /// Those that are told of also before anything happened: whoever watches for the first time that
    /// something happens has to see that it had not.
    #[must_use]
    pub fn expected() -> Vec<Self> {
        use Barrier as B;
        let addresses = [B::Ban, B::Rate, B::Flood].map(Limit::Address);
        let users = [B::Ban, B::Rate, B::Flood, B::DailyCount, B::DailyBytes, B::TicketSpent]
            .map(Limit::User);
        let limits = [Limit::Gate].into_iter().chain(addresses).chain(users).map(Self::Limit);
        let bans = Offence::ALL.map(BanReason::Strikes).into_iter();
        let bans = bans.chain([BanReason::Administrator]).map(Self::Ban);
        let probes =
            Part::PROBED.into_iter().flat_map(|it| [true, false].map(|ok| Self::Probe(it, ok)));
        let files = Format::ALL.into_iter().flat_map(|format| {
            [Outcome::Stored, Outcome::Repeated]
                .map(|outcome| Self::File { outcome, format: Some(format) })
        });
        let ends = [SweepEnd::Clean, SweepEnd::Found, SweepEnd::Failed].map(Self::Sweep);
        let others = [
            Self::BytesIn,
            Self::BytesStored,
            Self::Reuse,
            Self::RowWithoutObject,
            Self::ObjectWithoutRow,
            Self::Message(true),
            Self::Message(false),
        ];
        let stops = StoreBinding::PROBLEMS.map(SweepStop::Bucket).into_iter();
        let stops = stops.chain([SweepStop::TooMuch]).map(Self::SweepStop);
        let store = StoreFault::KINDS.map(Self::StoreFault);
        let parts = Part::ALL.map(Self::Fault);
        files
            .chain(others)
            .chain(limits)
            .chain(bans)
            .chain(store)
            .chain(parts)
            .chain(probes)
            .chain(ends)
            .chain(stops)
            .collect()
    }

    /// Where it belongs.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Request { .. } => REQUESTS,
            Self::File { .. } => UPLOADS,
            Self::BytesIn | Self::BytesStored => BYTES,
            Self::Limit(_) => LIMITS,
            Self::Ban(_) => BANS,
            Self::Reuse => REUSES,
            Self::StoreFault(_) => STORE_FAULTS,
            Self::Fault(_) => FAULTS,
            Self::Probe(..) => PROBES,
            Self::Sweep(_) => SWEEPS,
            Self::SweepStop(_) => SWEEP_STOPS,
            Self::RowWithoutObject | Self::ObjectWithoutRow => FINDINGS,
            Self::Message(_) => MESSAGES,
        }
    }

    /// Its labels, as metrics write them.
    #[must_use]
    pub fn labels(self) -> String {
        let one = |name: &str, value: &str| format!("{name}=\"{value}\"");
        let two = |name: &str, value: &str, more: &str| format!("{name}=\"{value}\",{more}");
        match self {
            Self::Request { route, status, outcome } => {
                let ended = two("status", &status.to_string(), &one("outcome", outcome.name()));
                two("route", route.name, &ended)
            }
            Self::File { outcome, format } => {
                let format = format.map_or("unknown", Format::extension);
                two("outcome", outcome.name(), &one("format", format))
            }
            Self::BytesIn => one("direction", "in"),
            Self::BytesStored => one("direction", "stored"),
            Self::Limit(limit) => match limit {
                Limit::Gate => two("account", "address", &one("barrier", "gate")),
                Limit::Address(by) => two("account", "address", &one("barrier", by.name())),
                Limit::User(by) => two("account", "user", &one("barrier", by.name())),
            },
            Self::Ban(BanReason::Strikes(offence)) => one("reason", offence.name()),
            Self::Ban(BanReason::Administrator) => one("reason", "administrator"),
            Self::Reuse => String::new(),
            Self::StoreFault(kind) => one("kind", kind),
            Self::Fault(part) => one("part", part.name()),
            Self::Probe(part, works) => {
                let outcome = if works { "ok" } else { "unreachable" };
                two("part", part.name(), &one("outcome", outcome))
            }
            Self::Sweep(end) => one(
                "outcome",
                match end {
                    SweepEnd::Clean => "clean",
                    SweepEnd::Found => "found",
                    SweepEnd::Failed => "failed",
                },
            ),
            Self::SweepStop(stop) => one("reason", stop.name()),
            Self::RowWithoutObject => one("kind", "row_without_object"),
            Self::ObjectWithoutRow => one("kind", "object_without_row"),
            Self::Message(taken) => one("outcome", if taken { "sent" } else { "failed" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use image_rules::Code;

    use super::*;

    #[test]
    fn names_and_labels_tell_series_apart() {
        let all = Series::expected();
        let keys: BTreeSet<_> = all.iter().map(|it| (it.family().name, it.labels())).collect();
        assert_eq!(keys.len(), all.len());
        let names: BTreeSet<_> = Family::ALL.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), Family::ALL.len());
        assert!(all.iter().all(|it| Family::ALL.contains(&it.family())));
    }

    #[test]
    fn labels_are_as_metrics_write_them() {
        let outcome = Outcome::Refused(Code::RateLimited);
        let request = Series::Request { route: Route::UPLOAD, status: 429, outcome };
        let expected = r#"route="upload",status="429",outcome="RATE_LIMITED""#;
        assert_eq!(request.labels(), expected);
        let file = Series::File { outcome: Outcome::Stored, format: Some(Format::WebP) };
        assert_eq!(file.labels(), r#"outcome="STORED",format="webp""#);
        let limit = Series::Limit(Limit::User(Barrier::DailyBytes));
        assert_eq!(limit.labels(), r#"account="user",barrier="daily_bytes""#);
    }
}
