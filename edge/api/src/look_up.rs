//! The audit event of an administrator who looks at other people's data.

use edge_auth::Principal;
use edge_registry::{Event, Registry};
use edge_types::{Role, Subject, UserId};

use crate::{app::App, error::ApiError, ports::Ports};

/// Looking at several pages of one subject is one event a minute.
const MINUTE_MS: u64 = 60_000;

/// Checks that the caller may see what is kept about a user, and records it if an administrator looks.
///
/// # Errors
/// `USER_MISMATCH`, and those of [`record_look_up`].
pub async fn begin_look_up<P: Ports>(
    app: &App<P>,
    caller: &Principal,
    user: &UserId,
) -> Result<(), ApiError> {
    caller.check_access(user)?;
    record_look_up(app, caller, &Subject::User(user.clone()).to_string()).await
}

/// Records that an administrator looks at the data of a user or a form, before any of it is shown. Back ends are not
/// recorded: they act for their users all the time.
///
/// # Errors
/// A database that fails; then nothing is shown.
pub async fn record_look_up<P: Ports>(
    app: &App<P>,
    caller: &Principal,
    subject: &str,
) -> Result<(), ApiError> {
    let is_own = subject.strip_prefix("user:") == Some(caller.user().as_str());
    if caller.role() != Role::Admin || is_own {
        return Ok(());
    }
    let (at_ms, by) = (app.ports.now_ms(), caller.user());
    let event = Event {
        idempotency_key: format!("lookup:{by}:{subject}:{}", at_ms / MINUTE_MS),
        at_ms,
        kind: "lookup".to_owned(),
        subject: subject.to_owned(),
        reason: "administrator".to_owned(),
        until_ms: None,
        detail: Some(format!("by {by}")),
    };
    Ok(app.ports.registry().event(&event).await?)
}
