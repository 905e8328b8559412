//! The error of a limit that is exceeded.

use edge_ledger::{LimitExceeded, LimitKind};
use edge_types::{PERMANENT_MS, Problem, Subject};
use image_rules::Code;

use crate::{
    app::App,
    ports::Ports,
    telemetry::{Limit, Metric},
};

/// Counts the refusal, and makes the error of it.
pub(super) fn refuse<P: Ports>(
    app: &App<P>,
    subject: &Subject,
    exceeded: LimitExceeded,
) -> Problem {
    let LimitExceeded { kind, retry_after_s } = exceeded;
    let limit = match subject {
        Subject::User(_) => Limit::User(kind),
        Subject::ClientIp(_)
        | Subject::Email(_)
        | Subject::Login(_)
        | Subject::ChallengedLogin(_)
        | Subject::Mail(_)
        | Subject::Device(_)
        | Subject::Network(_)
        | Subject::Form(_) => Limit::ClientIp(kind),
    };
    app.isolate.counters.count(Metric::Limit(limit), 1);
    match kind {
        LimitKind::Ban if retry_after_s == LimitExceeded::PERMANENT_S => {
            Problem { banned_until_ms: Some(PERMANENT_MS), ..Problem::new(Code::UserBanned) }
        }
        LimitKind::Ban => {
            let until_ms = app.ports.now_ms().saturating_add(u64::from(retry_after_s) * 1000);
            let problem = Problem::retry(Code::UserBanned, retry_after_s);
            Problem { banned_until_ms: Some(until_ms), ..problem }
        }
        LimitKind::Rate | LimitKind::Flood => Problem::retry(Code::RateLimited, retry_after_s),
        LimitKind::DailyCount | LimitKind::DailyBytes => {
            Problem::retry(Code::QuotaExceeded, retry_after_s)
        }
        LimitKind::TicketSpent => Problem::new(Code::TicketSpent),
        LimitKind::TicketExpired => Problem::new(Code::TokenExpired),
        LimitKind::Erasing => Problem::new(Code::UserErasing),
    }
}
