//! The audit event of an administrator who looks at another user's data.

use edge_auth::Principal;
use edge_registry::{Event, Registry};
use edge_types::{Role, UserId};

use crate::{app::App, error::ApiError, ports::Ports};

/// Looking at several pages of one user is one event a minute.
const MINUTE_MS: u64 = 60_000;

/// Records that an administrator looks at the data of a user, before any of it is shown. Back ends are not
/// recorded: they act for their users all the time.
///
/// # Errors
/// A database that fails; then nothing is shown.
pub async fn record_look_up<P: Ports>(
    app: &App<P>,
    caller: &Principal,
    user: &UserId,
) -> Result<(), ApiError> {
    if caller.role() != Role::Admin || caller.user() == user {
        return Ok(());
    }
    let (at_ms, by) = (app.ports.now_ms(), caller.user());
    let event = Event {
        idempotency_key: format!("lookup:{by}:{user}:{}", at_ms / MINUTE_MS),
        at_ms,
        kind: "lookup".to_owned(),
        subject: format!("user:{user}"),
        reason: "administrator".to_owned(),
        until_ms: None,
        detail: Some(format!("by {by}")),
    };
    Ok(app.ports.registry().event(&event).await?)
}
