//! Who may continue, in this order: the flood limit of the client IP, the token, bans, exact limits. Nothing of a
//! body is read before.
//!
//! Ban and exact limit of a client IP hold for callers without a verified token of the role USER, SERVICE or ADMIN.
//! The ban of a user holds for that user from every client IP.

use edge_auth::{Permit, Principal, Rights, TokenError};
use edge_ledger::{
    AbuseKind, AdmitUpload, ChargeQuota, CountNewIdentity, CountRequest, GetAbuseStatus,
    LedgerClient, LimitExceeded, LimitKind, NewIdentity, QuotaCharge, SettleQuota, SpentTicket,
    Strike, UploadGrant,
};
use edge_registry::{AuditStore, UserStore};
use edge_types::{ClientIp, PERMANENT_MS, Problem, Role, Subject, UploadLimits, UserId, hex, log};
use futures_util::future::try_join_all;
use http::header;
use image_rules::{Code, ImageError};
use sha2::{Digest, Sha256};

use crate::{
    app::App,
    config::Ceilings,
    context::RequestContext,
    day_totals::{DAY_HOURS, DayTotals, day, until_midnight_s},
    error::ApiError,
    ports::{Ports, RateLimiter},
    request::text_header,
    session_cache::CachedSession,
    telemetry::{BanReason, Ceiling, Limit, Metric, Stage},
};

/// The period of the rate-limit bindings in wrangler.toml.
const FLOOD_PERIOD_S: u32 = 60;

/// Checks the flood limit of the client IP. It is near and cheap, and applies to all callers.
///
/// # Errors
/// `RATE_LIMITED`.
pub async fn check_flood_limit<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
) -> Result<(), ApiError> {
    if app.ports.rate_limiter().admits(&context.client_ip()).await? {
        return Ok(());
    }
    app.isolate.counters.count(Metric::Limit(Limit::Binding), 1);
    Err(Problem::retry(Code::RateLimited, FLOOD_PERIOD_S).into())
}

/// Checks ban and exact limit of the client IP. An IPv6 client counts twice: by its /64, and by its /48 with four
/// times the limit.
///
/// # Errors
/// `USER_BANNED`, `RATE_LIMITED`.
pub async fn count_client_ip<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
) -> Result<(), ApiError> {
    let per_minute = app.config.limits.client_ip_per_minute;
    let client_ip = context.client_ip();
    let counting = client_ip.subjects().map(|(subject, factor)| async move {
        let command = CountRequest { rate_per_minute: per_minute.saturating_mul(factor) };
        app.ports.ledger().send(subject, command).await.map(|admission| (subject, admission))
    });
    let admissions = context.timed(&app.ports, Stage::Admit, try_join_all(counting)).await?;
    if let Some((_, least)) = admissions.iter().min_by_key(|(_, it)| it.rate.remaining) {
        context.record_limit("address", least.rate);
    }
    for (subject, admission) in admissions {
        if let Some(exceeded) = admission.exceeded {
            return Err(refuse(app, subject, exceeded).into());
        }
    }
    Ok(())
}

/// Counts a new guest token or account against the client IP. Loopback is a developer's own machine.
///
/// # Errors
/// `RATE_LIMITED` when the client IP had its share of this hour.
pub async fn count_new_identity<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    identity: NewIdentity,
) -> Result<(), ApiError> {
    let newcomers = &app.config.limits.newcomers;
    let per_hour = match identity {
        NewIdentity::GuestToken => newcomers.guest_tokens_per_hour,
        NewIdentity::Account => newcomers.sign_ups_per_hour,
    };
    for (subject, factor) in context.client_ip().subjects().filter(|(it, _)| !it.is_loopback()) {
        let command = CountNewIdentity { identity, per_hour: per_hour.saturating_mul(factor) };
        let counting = app.ports.ledger().send(subject, command);
        if let Some(exceeded) = context.timed(&app.ports, Stage::Admit, counting).await? {
            return Err(refuse(app, subject, exceeded).into());
        }
    }
    Ok(())
}

/// Verifies the access token. A caller without a good one counts against the client IP, and a token that only an
/// attacker makes is a strike. A genuine expired token is not counted, so its client learns behind a banned client
/// IP as well that it must fetch a new one; nor is a token that nobody can judge because the key server is down.
///
/// # Errors
/// Those of the verification, `USER_BANNED`, `RATE_LIMITED`.
pub async fn authenticate<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
) -> Result<Principal, ApiError> {
    let error = match app.authenticator().authenticate(context.head).await {
        Ok(principal) => {
            context.record_caller(principal.user());
            return Ok(principal);
        }
        Err(error) => error,
    };
    let is_hostile = error == TokenError::Hostile;
    let problem = Problem::from(error);
    if !matches!(problem.code, Code::TokenExpired | Code::Busy) {
        count_client_ip(app, context).await?;
    }
    if is_hostile {
        strike_for_forged_token(app, context).await;
    }
    Err(problem.into())
}

/// The user who is logged in already, at an endpoint that has counted the client IP. A bad token is the same as
/// none there, and a hostile one is a strike.
pub async fn logged_in_user<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
) -> Option<UserId> {
    match app.authenticator().authenticate(context.head).await {
        Ok(principal) => {
            context.record_caller(principal.user());
            let principal = principal.reject_ticket().ok()?;
            // After "end all other sessions" the other browsers can log in at once.
            check_session(app, &principal).await.ok()?;
            (principal.role() != Role::Guest).then(|| principal.user().clone())
        }
        Err(error) => {
            if error == TokenError::Hostile {
                strike_for_forged_token(app, context).await;
            }
            None
        }
    }
}

/// Authenticates the caller of an upload. The ledger checks ban and limits of the user with the upload itself.
///
/// # Errors
/// Those of [`authenticate`], and `ROLE_NOT_ALLOWED`.
pub async fn authorize_upload<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    rights: Rights,
) -> Result<Principal, ApiError> {
    let principal = authenticate(app, context).await?;
    if principal.role() == Role::Guest {
        count_client_ip(app, context).await?;
    }
    Ok(principal.authorize(rights)?)
}

/// Authenticates and authorizes the caller of an endpoint: verified, not banned, within the limits, with the rights. The
/// role of an administrator or a back end holds only while their session is open.
///
/// # Errors
/// Those of [`authenticate`], `USER_BANNED`, `RATE_LIMITED`, `ROLE_NOT_ALLOWED`, and those of [`check_session`].
pub async fn authorize<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    rights: Rights,
) -> Result<Principal, ApiError> {
    let principal = authenticate(app, context).await?;
    match principal.role() {
        Role::User | Role::Admin => check_user_ban(app, context, principal.user()).await?,
        Role::Guest => {
            count_client_ip(app, context).await?;
            check_user_ban(app, context, principal.user()).await?;
        }
        Role::Service => count_service_request(app, context, principal.user()).await?,
    }
    let caller = principal.authorize(rights)?;
    if rights.open_session || matches!(caller.role(), Role::Service | Role::Admin) {
        check_session(app, &caller).await?;
    }
    Ok(caller)
}

/// Checks that the session of the caller is open, and that the user still has the role of the token. Tokens of a platform
/// have no session here: their issuer ends them.
///
/// # Errors
/// `TOKEN_INVALID` when the session has ended, `TOKEN_EXPIRED` when the user has another role now: a new token names it.
async fn check_session<P: Ports>(app: &App<P>, caller: &Principal) -> Result<(), ApiError> {
    let Some(id) = caller.session() else { return Ok(()) };
    let (sessions, now_ms) = (&app.isolate.sessions, app.ports.now_ms());
    let session = if let Some(session) = sessions.get(id, now_ms) {
        session
    } else {
        let role = app.ports.users().session_role(id.as_str(), caller.user(), now_ms).await?;
        let session = CachedSession { role, at_ms: now_ms };
        sessions.put(id, session);
        session
    };
    match session.role {
        None => Err(Code::TokenInvalid.into()),
        Some(role) if role == caller.role() => Ok(()),
        Some(_) => Err(Code::TokenExpired.into()),
    }
}

async fn count_service_request<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    service: &UserId,
) -> Result<(), ApiError> {
    let subject = Subject::User(service.clone());
    let command = CountRequest { rate_per_minute: app.config.limits.service_per_minute };
    let counting = app.ports.ledger().send(&subject, command);
    let admission = context.timed(&app.ports, Stage::Admit, counting).await?;
    context.record_limit("service", admission.rate);
    match admission.exceeded {
        Some(exceeded) => Err(refuse(app, &subject, exceeded).into()),
        None => Ok(()),
    }
}

/// Checks the ban of a user who is known by a token, a password or a refresh token.
///
/// # Errors
/// `USER_BANNED`.
pub async fn check_user_ban<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    user: &UserId,
) -> Result<(), ApiError> {
    let subject = Subject::User(user.clone());
    let asking = app.ports.ledger().send(&subject, GetAbuseStatus);
    let status = context.timed(&app.ports, Stage::Admit, asking).await?;
    let Some(until_ms) = status.banned_until_ms else { return Ok(()) };
    let exceeded = LimitExceeded::ban(app.ports.now_ms(), until_ms);
    Err(refuse(app, &subject, exceeded).into())
}

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
        limits: app.config.limits.of_role(permit.role()),
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

/// Records a file that no honest caller sends.
pub async fn record_image_incident<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    permit: &Permit,
    error: &ImageError,
    file: &[u8],
) {
    if let Some(kind) = abuse_kind(error, file.len() as u64) {
        strike_uploader(app, context, permit, kind, file).await;
    }
}

/// A guest's strike also counts against the client IP, because a new guest token costs nothing.
async fn strike_uploader<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    permit: &Permit,
    kind: AbuseKind,
    incident: &[u8],
) {
    strike(app, &Subject::User(permit.owner().clone()), 1, kind, incident).await;
    if permit.role() == Role::Guest {
        strike_client_ip(app, &context.client_ip(), kind, incident).await;
    }
}

async fn strike_for_forged_token<P: Ports>(app: &App<P>, context: &RequestContext<'_>) {
    let token = text_header(context.head, header::AUTHORIZATION).unwrap_or_default();
    let kind = AbuseKind::ForgedToken;
    strike_client_ip(app, &context.client_ip(), kind, token.as_bytes()).await;
}

async fn strike_client_ip<P: Ports>(
    app: &App<P>,
    client_ip: &ClientIp,
    kind: AbuseKind,
    incident: &[u8],
) {
    for (subject, factor) in client_ip.subjects() {
        if !subject.is_never_banned() {
            strike(app, subject, factor, kind, incident).await;
        }
    }
}

/// What an error of the image rules says about the caller. An unaccepted type, an image with the type of another
/// one, a corrupt and a large image are honest mistakes.
const fn abuse_kind(error: &ImageError, size_bytes: u64) -> Option<AbuseKind> {
    /// Photos have some 4 pixels a byte and screenshots 100; deflate reaches 1,000 only with an empty image.
    const BOMB_PIXELS_PER_BYTE: u64 = 1000;
    match error {
        ImageError::Disguised { .. } | ImageError::Unrecognised => Some(AbuseKind::Disguise),
        ImageError::TooManyPixels { pixels, .. } if *pixels / BOMB_PIXELS_PER_BYTE > size_bytes => {
            Some(AbuseKind::Bomb)
        }
        _ => None,
    }
}

async fn strike<P: Ports>(
    app: &App<P>,
    subject: &Subject,
    factor: u32,
    kind: AbuseKind,
    incident: &[u8],
) {
    let limits = &app.config.limits;
    let command = Strike {
        kind,
        fingerprint: fingerprint(incident),
        strikes_to_ban: limits.strikes_to_ban.saturating_mul(factor),
        ban_s: limits.ban_s,
    };
    match app.ports.ledger().send(subject, command).await {
        Ok(status) if status.newly_banned => {
            app.isolate.counters.count(Metric::Ban(BanReason::Strikes(kind)), 1);
        }
        Ok(_) => {}
        // The request is refused in any case, so a lost strike does little harm.
        Err(error) => log::error("strike_uncounted", &[("cause", &error.to_string())]),
    }
}

/// Identifies an incident without storing it: 64 bits of its digest.
fn fingerprint(incident: &[u8]) -> String {
    format!("{:.16}", hex::encode(&Sha256::digest(incident)))
}

fn refuse<P: Ports>(app: &App<P>, subject: &Subject, exceeded: LimitExceeded) -> Problem {
    let LimitExceeded { kind, retry_after_s } = exceeded;
    let limit = match subject {
        Subject::User(_) => Limit::User(kind),
        Subject::ClientIp(_) | Subject::Email(_) | Subject::Login(_) | Subject::Device(_) => {
            Limit::ClientIp(kind)
        }
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
    }
}

#[cfg(test)]
mod tests {
    use image_rules::Format;

    use super::*;

    fn huge(pixels: u64) -> ImageError {
        ImageError::TooManyPixels { pixels, limit: 50_000_000 }
    }

    #[test]
    fn a_bomb_has_more_than_a_thousand_pixels_for_each_of_its_bytes() {
        assert_eq!(abuse_kind(&huge(100_000_000), 3_000_000), None, "a large photo");
        assert_eq!(abuse_kind(&huge(100_000_000), 100_000), None, "a thousand exactly");
        assert_eq!(abuse_kind(&huge(100_001_000), 100_000), Some(AbuseKind::Bomb));
        assert_eq!(abuse_kind(&huge(4_000_000_000_000), 67), Some(AbuseKind::Bomb));
    }

    #[test]
    fn a_file_that_is_no_image_is_a_disguise_and_a_wrong_type_is_not() {
        assert_eq!(abuse_kind(&ImageError::Unrecognised, 10), Some(AbuseKind::Disguise));
        let misnamed = ImageError::DeclaredMismatch { declared: Format::Png, actual: Format::Jpeg };
        assert_eq!(abuse_kind(&misnamed, 10), None);
        assert_eq!(abuse_kind(&ImageError::Empty, 0), None);
    }

    #[test]
    fn a_fingerprint_is_sixteen_digits_of_the_digest() {
        // SHA-256 of "abc" (FIPS 180-2, appendix B.1) begins so.
        assert_eq!(fingerprint(b"abc"), "ba7816bf8f01cfea");
    }
}
