//! Admits one file of an upload: the ceilings of the deployment, the budget of a newcomer's client IP, the limits of the
//! user.

use edge_auth::Permit;
use edge_ledger::{
    AbuseKind, AdmitUpload, ChargeQuota, LedgerClient, LimitKind, QuotaCharge, SettleQuota,
    SpentTicket, UploadGrant,
};
use edge_registry::AuditStore;
use edge_types::{Problem, Role, Subject, UploadLimits, log};
use image_rules::Code;

use super::{refusal::refuse, strikes::strike_uploader};
use crate::{
    app::App,
    config::Ceilings,
    context::RequestContext,
    day_totals::{DAY_HOURS, DayTotals, day, until_midnight_s},
    error::ApiError,
    ports::Ports,
    telemetry::{Ceiling, Limit, Metric, Stage},
};

/// Which file of a request is admitted. A ticket admits the first one only.
#[derive(Clone, Copy, Debug)]
pub enum FileOrder {
    /// Before the body is read: the announced size, or the largest possible.
    First { bytes: u64 },
    /// Another file of the same form, with its real size.
    Additional { bytes: u64 },
}

/// A picture that is charged to a subject beside its uploader.
#[derive(Debug)]
pub struct QuotaCharges {
    charged: Vec<(Subject, QuotaCharge)>,
    bytes: u64,
}

impl QuotaCharges {
    /// Charges a picture of at most so many bytes to each subject within its limits, or to none.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED`.
    pub async fn charge<P: Ports>(
        app: &App<P>,
        context: &RequestContext<'_>,
        subjects: impl Iterator<Item = (Subject, UploadLimits)>,
        bytes: u64,
    ) -> Result<Self, ApiError> {
        let mut charges = Self { charged: Vec::new(), bytes };
        for (subject, limits) in subjects {
            let charging = app.ports.ledger().send(&subject, ChargeQuota { limits, bytes });
            match context.timed(&app.ports, Stage::Admit, charging).await? {
                Ok(charge) => charges.charged.push((subject, charge)),
                Err(exceeded) => {
                    let problem = refuse(app, &subject, exceeded);
                    charges.settle(app, None).await;
                    return Err(problem.into());
                }
            }
        }
        Ok(charges)
    }

    /// Replaces the charges by what was stored. When a ledger does not answer, it keeps the larger charge.
    pub async fn settle<P: Ports>(self, app: &App<P>, stored_bytes: Option<u64>) {
        if stored_bytes == Some(self.bytes) {
            return;
        }
        for (subject, charge) in self.charged {
            let command = SettleQuota { charge, stored_bytes };
            if let Err(error) = app.ports.ledger().send(&subject, command).await {
                log::error("charge_unsettled", &[("cause", &error.to_string())]);
            }
        }
    }
}

/// The permission to store one object, and what was charged for it.
#[derive(Debug)]
pub struct AdmittedUpload {
    pub grant: UploadGrant,
    /// To the client IP of a newcomer.
    pub charges: QuotaCharges,
}

/// Admits one file: charges it to the client IP of a newcomer, then asks the user's ledger for a grant to store one
/// object.
///
/// # Errors
/// `USER_BANNED`, `RATE_LIMITED`, `QUOTA_EXCEEDED`, `TICKET_SPENT`.
pub async fn admit_upload<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    permit: &Permit,
    order: FileOrder,
) -> Result<AdmittedUpload, ApiError> {
    check_ceilings(app).await?;
    let (FileOrder::First { bytes } | FileOrder::Additional { bytes }) = order;
    let is_newcomer = permit.is_newcomer(app.ports.now_ms());
    let client_ip = context.client_ip();
    let newcomers = &app.config.limits.newcomers;
    let subjects = client_ip
        .subjects()
        .filter(|(subject, _)| is_newcomer && !subject.is_loopback())
        .map(|(subject, factor)| (subject.clone(), newcomers.of_day(factor)));
    let charges = QuotaCharges::charge(app, context, subjects, bytes).await?;
    match grant_upload(app, context, permit, order).await {
        Ok(grant) => Ok(AdmittedUpload { grant, charges }),
        Err(error) => {
            charges.settle(app, None).await;
            Err(error)
        }
    }
}

/// Checks the daily ceilings of the deployment. Isolates write their counters some seconds late, so a ceiling may be
/// exceeded by what is stored within a minute.
async fn check_ceilings<P: Ports>(app: &App<P>) -> Result<(), ApiError> {
    let ceilings = app.config.limits.ceilings;
    if ceilings == Ceilings::default() {
        return Ok(());
    }
    let now_ms = app.ports.now_ms();
    let known = app.isolate.day_totals.get().filter(|totals| totals.is_fresh(now_ms));
    let totals = if let Some(totals) = known {
        totals
    } else {
        let counts = app.ports.registry().counts(day(now_ms) * DAY_HOURS).await?;
        let totals = DayTotals::new(&counts, now_ms);
        app.isolate.day_totals.set(Some(totals));
        totals
    };
    let reached = [
        (Ceiling::Count, totals.count, ceilings.count),
        (Ceiling::Bytes, totals.bytes, ceilings.bytes),
    ];
    for (ceiling, used, limit) in reached {
        if limit.is_some_and(|limit| used >= limit) {
            app.isolate.counters.count(Metric::Limit(Limit::Deployment(ceiling)), 1);
            return Err(Problem::retry(Code::QuotaExceeded, until_midnight_s(now_ms)).into());
        }
    }
    Ok(())
}

async fn grant_upload<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    permit: &Permit,
    order: FileOrder,
) -> Result<UploadGrant, ApiError> {
    let (bytes, spent) = match order {
        FileOrder::First { bytes } => (bytes, permit.single_use()),
        FileOrder::Additional { .. } if permit.ticket().is_some() => {
            return Err(Code::TicketRequired.into());
        }
        FileOrder::Additional { .. } if permit.single_use().is_some() => {
            return Err(Code::TicketSpent.into());
        }
        FileOrder::Additional { bytes } => (bytes, None),
    };
    let ticket =
        spent.map(|spent| SpentTicket { id: spent.id.clone(), expires_ms: spent.expires_ms });
    let command = AdmitUpload {
        limits: app.config.limits.of_role(permit.limits_of()),
        bytes,
        lease_s: app.config.uploads.lease_s,
        ticket,
    };
    let admitting = app.ports.ledger().send_to_user(permit.owner(), command);
    let admission = context.timed(&app.ports, Stage::Admit, admitting).await?;
    context.record_upload_limits(&admission.limit_statuses);
    let exceeded = match admission.outcome {
        Ok(grant) => return Ok(grant),
        Err(exceeded) => exceeded,
    };
    if exceeded.kind == LimitKind::Flood && permit.role() != Role::Service {
        // One strike a minute.
        let minute = (app.ports.now_ms() / 60_000).to_string();
        strike_uploader(app, context, permit, AbuseKind::Flood, minute.as_bytes()).await;
    }
    Err(refuse(app, &Subject::User(permit.owner().clone()), exceeded).into())
}
