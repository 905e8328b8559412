//! Who may continue, in this order: the flood limit of the client IP, the token, bans, exact limits. Nothing of a
//! body is read before.
//!
//! Ban and exact limit of a client IP hold for callers without a verified token of the role USER, SERVICE or ADMIN.
//! The ban of a user holds for that user from every client IP.

mod refusal;
mod strikes;
mod upload;

pub use strikes::record_image_incident;
pub use upload::{AdmittedUpload, FileOrder, QuotaCharges, admit_upload};

use edge_auth::{Principal, Purpose, Rights, TokenError};
use edge_ledger::{
    CountNewIdentity, CountRequest, GetAbuseStatus, LedgerClient, LimitExceeded, NewIdentity,
};
use edge_registry::UserStore;
use edge_types::{Problem, Role, Subject, UserId};
use futures_util::future::try_join_all;
use image_rules::Code;

use crate::{
    app::App,
    challenge,
    context::RequestContext,
    erased,
    error::ApiError,
    ports::{Ports, RateLimiter},
    session_cache::CachedSession,
    telemetry::{Limit, Metric, Stage},
};
use refusal::refuse;
use strikes::strike_for_forged_token;

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

/// Checks the limit of pictures that are read from the store, or not found there.
///
/// # Errors
/// `RATE_LIMITED`.
pub async fn check_read_limit<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
) -> Result<(), ApiError> {
    if app.ports.rate_limiter().admits_read(&context.client_ip()).await? {
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

/// How many times as many guest tokens and accounts a client IP gets with solved challenges. It bounds what somebody with
/// much computing power gets, and newcomers of a client IP may upload only 600 pictures a day anyway.
const CHALLENGED_FACTOR: u32 = 10;

/// Counts a new guest token or account against the client IP. Loopback is a developer's own machine.
///
/// # Errors
/// `CHALLENGE_REQUIRED` or `RATE_LIMITED` when the client IP had its share of this hour, and those of
/// [`challenge::spend_solution`].
pub async fn count_new_identity<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    identity: NewIdentity,
) -> Result<(), ApiError> {
    let client_ip = context.client_ip();
    if client_ip.subject().is_loopback() {
        return Ok(());
    }
    let newcomers = &app.config.limits.newcomers;
    let (per_hour, purpose) = match identity {
        NewIdentity::GuestToken => (newcomers.guest_tokens_per_hour, Purpose::GuestToken),
        NewIdentity::Account => (newcomers.sign_ups_per_hour, Purpose::SignUp),
    };
    let is_solved = challenge::spend_solution(app, context, purpose).await?;
    let per_hour = if is_solved { per_hour.saturating_mul(CHALLENGED_FACTOR) } else { per_hour };
    for (subject, factor) in client_ip.subjects() {
        let command = CountNewIdentity { identity, per_hour: per_hour.saturating_mul(factor) };
        let counting = app.ports.ledger().send(subject, command);
        if let Some(exceeded) = context.timed(&app.ports, Stage::Admit, counting).await? {
            let refusal = refuse(app, subject, exceeded);
            return Err(challenge::required_instead(app, !is_solved, refusal).into());
        }
    }
    Ok(())
}

/// Verifies the access token. A caller without a good one counts against the client IP, and a token that only an
/// attacker makes is a strike. A genuine expired token is not counted, so its client learns behind a banned client
/// IP as well that it must fetch a new one; nor is a token that nobody can judge because the key server is down.
///
/// # Errors
/// Those of the verification, `USER_BANNED`, `RATE_LIMITED`, `GUEST_NOT_ALLOWED` where there are no guests.
pub async fn authenticate<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
) -> Result<Principal, ApiError> {
    let error = match app.authenticator().authenticate(context.head).await {
        Ok(principal) => {
            context.record_caller(principal.user(), principal.role());
            if principal.role() == Role::Guest && !app.config.guests {
                count_client_ip(app, context).await?;
                return Err(Code::GuestNotAllowed.into());
            }
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
            context.record_caller(principal.user(), principal.role());
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
/// Those of [`authenticate`], `USER_BANNED` for a user who was erased during a ban, and `ROLE_NOT_ALLOWED`.
pub async fn authorize_upload<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    rights: Rights,
) -> Result<Principal, ApiError> {
    let principal = authenticate(app, context).await?;
    if principal.role() == Role::Guest {
        count_client_ip(app, context).await?;
    }
    check_erased_ban(app, principal.user()).await?;
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
    check_erased_ban(app, service).await?;
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
    check_erased_ban(app, user).await?;
    let asking = app.ports.ledger().send_to_user(user, GetAbuseStatus);
    let status = context.timed(&app.ports, Stage::Admit, asking).await?;
    check_ban(app, user, status.banned_until_ms)
}

/// Checks the ban that a user had when they were erased.
async fn check_erased_ban<P: Ports>(app: &App<P>, user: &UserId) -> Result<(), ApiError> {
    check_ban(app, user, erased::banned_until_ms(app, user).await?)
}

fn check_ban<P: Ports>(app: &App<P>, user: &UserId, until_ms: Option<u64>) -> Result<(), ApiError> {
    let Some(until_ms) = until_ms else { return Ok(()) };
    let exceeded = LimitExceeded::ban(app.ports.now_ms(), until_ms);
    Err(refuse(app, &Subject::User(user.clone()), exceeded).into())
}
