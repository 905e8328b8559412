//! The erasure of a user: `DELETE /users/{id}`, and what withdrawal shares with it.
//!
//! From the first moment on the database registers no image for the user, and the ledger admits no upload and no claim.
//! Then everything is found by the owner in the records and by the ledger, never by the keys. What is left
//! is a pseudonym, and under it a ban that has not ended.

use edge_auth::Principal;
use edge_ledger::{EraseUser, EventType, GetAbuseStatus, LedgerClient};
use edge_registry::{Erasure, Event, Removal, RemovalScope, RemovalStore, Until, UserStore};
use edge_storage::ObjectKey;
use edge_types::{RemovalId, Role, UserId, log};

use super::{
    accepted, add, event,
    step::{PAGE, Step, remove},
};
use crate::{
    app::App, context::RequestContext, erased::pseudonym, error::InternalError, ports::Ports,
    response::HandlerResult, webhooks,
};

/// How long an erased user is refused after the end: a request that was admitted before has ended by then.
const PROTECTS_MS: u64 = 120_000;
/// How long the access token of a deleted account may still arrive after it has expired.
const TOKEN_LEEWAY_MS: u64 = 60_000;
/// How often, and how long each time, an erasure waits for the ledger to remove what is not registered.
const POLLS: u32 = 10;
const POLL_MS: u64 = 500;
/// Users whose erasure is settled in one run.
const SETTLED: u32 = 20;

/// `DELETE /users/{id}`: begins the erasure, whether or not there is an account.
///
/// # Errors
/// A database that fails.
pub async fn erase_user<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    user: &UserId,
) -> HandlerResult<P> {
    let reason = if caller.role() == Role::Admin { "administrator" } else { "back_end" };
    begin_erasure(app, context, caller, user, reason).await
}

/// Adds the erasure of a user, unless there is one.
///
/// # Errors
/// A database that fails.
pub async fn begin_erasure<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    user: &UserId,
    reason: &str,
) -> HandlerResult<P> {
    let accounts = &app.config.accounts;
    let has_account = accounts.built_in && app.ports.users().by_id(user).await?.is_some();
    let token_ms = u64::from(accounts.access_token_s) * 1000 + TOKEN_LEEWAY_MS;
    let protects_ms = if has_account { token_ms.max(PROTECTS_MS) } else { PROTECTS_MS };
    let removal = add(app, caller, &RemovalScope::User(user.clone()), protects_ms).await?;
    if removal.finished_ms.is_none() {
        let recorded = event(&removal, "erase", format!("user:{user}"), reason, caller);
        app.record(recorded).await;
    }
    Ok(accepted(app, context, "erase_user_success", &removal))
}

/// One step of an erasure.
pub(super) async fn erase<P: Ports>(
    app: &App<P>,
    removal: &Removal,
    user: &UserId,
) -> Result<Step, InternalError> {
    let ledger = app.ports.ledger();
    let mut open = ledger.send_to_user(user, EraseUser::Begin).await?;
    let keys = app.ports.users().keys_to_remove(&removal.scope, Until::ALL, PAGE).await?;
    if !keys.is_empty() {
        let keys: Vec<_> = keys.iter().filter_map(|key| ObjectKey::parse(key)).collect();
        let others: Vec<_> =
            keys.iter().filter(|key| key.owner().as_ref() != Some(user)).cloned().collect();
        if !others.is_empty() {
            app.ports.users().note_erased(&others, app.ports.now_ms()).await?;
        }
        return remove(app, &keys, Some(user)).await;
    }
    for _ in 0..POLLS {
        if open == 0 {
            break;
        }
        app.ports.sleep(POLL_MS).await;
        open = ledger.send_to_user(user, EraseUser::Begin).await?;
    }
    if open > 0 {
        return Ok(Step::Wait);
    }
    let pseudonym = pseudonym(app, user).await?;
    let forget = EraseUser::Forget { subject: pseudonym.clone() };
    ledger.send_to_user(user, forget).await?;
    let now_ms = app.ports.now_ms();
    let webhook = webhooks::user_event(app, EventType::UserErased, user, removal.id.as_str());
    let erasure = Erasure {
        user,
        pseudonym: &pseudonym,
        before_ms: None,
        now_ms,
        event: &end_event(&removal.id, &pseudonym, "finished", now_ms),
        webhook: webhook.as_ref(),
        removal: Some(&removal.id),
    };
    app.ports.users().erase(&erasure).await?;
    app.isolate.sessions.clear();
    webhooks::enqueue_new(app).await;
    Ok(Step::Done)
}

/// The event that stays; it does not name the user.
pub(super) fn end_event(id: &RemovalId, pseudonym: &str, reason: &str, at_ms: u64) -> Event {
    Event {
        idempotency_key: format!("erased:{id}:{pseudonym}"),
        at_ms,
        kind: "erase".to_owned(),
        subject: pseudonym.to_owned(),
        reason: reason.to_owned(),
        until_ms: None,
        detail: None,
    }
}

/// Forgets whom erasures were about that ended some time ago, and admits uploads of these users again. A ban is kept under
/// the pseudonym first, and the ledger forgets it in the next run, when every isolate knows that.
///
/// # Errors
/// A component that fails; the next run repeats it.
pub async fn settle<P: Ports>(app: &App<P>) -> Result<(), InternalError> {
    let users = app.ports.users();
    for removal in users.settled_erasures(app.ports.now_ms(), SETTLED).await? {
        if let RemovalScope::User(user) = &removal.scope {
            if keep_ban(app, user).await? {
                continue;
            }
            app.ports.ledger().send_to_user(user, EraseUser::End).await?;
        }
        users.settle(&removal.id).await?;
        log::info("erasure_settled", &[("removal", removal.id.as_str())]);
    }
    Ok(())
}

/// Keeps the ban of a user under the pseudonym; whether it was not kept before.
async fn keep_ban<P: Ports>(app: &App<P>, user: &UserId) -> Result<bool, InternalError> {
    let status = app.ports.ledger().send_to_user(user, GetAbuseStatus).await?;
    let Some(until_ms) = status.banned_until_ms else { return Ok(false) };
    let pseudonym = pseudonym(app, user).await?;
    Ok(app.ports.users().keep_erased_ban(&pseudonym, Some(until_ms)).await?)
}
