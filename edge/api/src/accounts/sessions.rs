//! `GET` and `DELETE /auth/sessions`, `DELETE /auth/sessions/{id}`: the sessions of the caller. Administrators use the
//! same functions for any user.

use edge_auth::Principal;
use edge_registry::{Event, RefreshFamily, UserStore, WhichSessions};
use edge_types::{SessionId, UserId, timestamp};
use http::StatusCode;
use image_rules::Code;
use serde::Serialize;

use crate::{
    app::App,
    context::RequestContext,
    error::ApiError,
    ports::Ports,
    response::{self, HandlerResult},
};

/// The last used ones are listed. All of them are ended together, listed or not.
const MAX_LISTED: u32 = 100;

#[derive(Serialize)]
pub struct SessionList {
    sessions: Vec<ListedSession>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedSession {
    id: String,
    user_agent: Option<String>,
    created_at: String,
    used_at: String,
    expires_at: String,
    /// Whether the request belongs to it.
    current: bool,
}

impl ListedSession {
    fn new(family: RefreshFamily, caller: &Principal) -> Self {
        Self {
            current: caller.session().is_some_and(|id| id.as_str() == family.id),
            id: family.id,
            user_agent: family.user_agent,
            created_at: timestamp(family.created_ms),
            used_at: timestamp(family.used_ms),
            expires_at: timestamp(family.expires_ms),
        }
    }
}

#[derive(Serialize)]
pub struct Ended {
    ended: u32,
}

/// Lists the sessions of the caller.
///
/// # Errors
/// When the database fails.
pub async fn list_sessions<P: Ports>(app: &App<P>, caller: &Principal) -> HandlerResult<P> {
    let list = list_of(app, caller, caller.user()).await?;
    Ok(response::success(StatusCode::OK, "list_sessions_success", &list, app.ports.now_ms()))
}

/// Ends one session of the caller.
///
/// # Errors
/// `NOT_FOUND`, also for another's session.
pub async fn end_session<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    id: &SessionId,
) -> HandlerResult<P> {
    let which = WhichSessions::Only(id.as_str());
    let ended = end(app, context, caller, caller.user(), which).await?;
    Ok(response::success(StatusCode::OK, "end_session_success", &ended, app.ports.now_ms()))
}

/// Ends the sessions of the caller, but for the one that the request belongs to.
///
/// # Errors
/// When the database fails.
pub async fn end_other_sessions<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
) -> HandlerResult<P> {
    let current = caller.session().map(SessionId::as_str);
    let which = current.map_or(WhichSessions::All, WhichSessions::AllBut);
    let ended = end(app, context, caller, caller.user(), which).await?;
    Ok(response::success(StatusCode::OK, "end_sessions_success", &ended, app.ports.now_ms()))
}

/// The open sessions of a user.
pub async fn list_of<P: Ports>(
    app: &App<P>,
    caller: &Principal,
    user: &UserId,
) -> Result<SessionList, ApiError> {
    let found = app.ports.users().sessions(user, app.ports.now_ms(), MAX_LISTED).await?;
    let listed = found.into_iter().map(|family| ListedSession::new(family, caller));
    Ok(SessionList { sessions: listed.collect() })
}

/// Ends sessions of a user, and writes an audit event.
///
/// # Errors
/// `NOT_FOUND` when a single one is not open.
pub async fn end<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    user: &UserId,
    which: WhichSessions<'_>,
) -> Result<Ended, ApiError> {
    let now_ms = app.ports.now_ms();
    let ended = app.ports.users().revoke_of(user, which, now_ms).await?;
    if ended == 0 && matches!(which, WhichSessions::Only(_)) {
        return Err(Code::NotFound.into());
    }
    app.isolate.sessions.clear();
    if ended > 0 {
        let is_own = caller.user() == user;
        app.record(Event {
            idempotency_key: format!("sessions:{}", context.id.as_str()),
            at_ms: now_ms,
            kind: "revoke".to_owned(),
            subject: format!("user:{user}"),
            reason: if is_own { "by_the_user" } else { "administrator" }.to_owned(),
            until_ms: None,
            detail: (!is_own).then(|| format!("by {}", caller.user())),
        })
        .await;
    }
    Ok(Ended { ended })
}
