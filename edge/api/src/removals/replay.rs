//! Erases again what a restored database has of users who were erased after the backup was made. It looks at every user
//! whom accounts, images and audit events name, and at images whose keys name another user. What was created after the
//! erasure stays: the same id may belong to a new user.

use edge_registry::{Erasure, Removal, RemovalScope, RemovalStore, Trace, TraceSource, Until};
use edge_storage::ObjectKey;
use edge_types::UserId;

use super::{
    erasure::end_event,
    step::{PAGE, Step, remove},
};
use crate::{app::App, erased::pseudonym, error::InternalError, ports::Ports};

/// Names of one step.
const NAMES: u32 = 100;

const STAGES: [(TraceSource, &str); 4] = [
    (TraceSource::Users, "users"),
    (TraceSource::Images, "images"),
    (TraceSource::Events, "events"),
    (TraceSource::ErasedKeys, "keys"),
];

/// One step. The cursor is the stage and the last name of it, such as `images:u-7`.
pub(super) async fn replay<P: Ports>(
    app: &App<P>,
    removal: &Removal,
) -> Result<Step, InternalError> {
    let (stage, after) = removal.cursor.split_once(':').unwrap_or(("users", ""));
    let at = STAGES.iter().position(|(_, name)| *name == stage).unwrap_or_default();
    let Some((source, stage)) = STAGES.get(at) else { return Ok(Step::Done) };
    let traces = app.ports.users().traces(*source, after, NAMES).await?;
    let Some(last) = traces.last() else {
        let Some((_, next)) = STAGES.get(at + 1) else {
            app.ports.users().finish_removal(&removal.id, app.ports.now_ms()).await?;
            return Ok(Step::Done);
        };
        return Ok(Step::Continue(format!("{next}:")));
    };
    let again = match source {
        TraceSource::ErasedKeys => remove_keys(app, &traces).await?,
        _ => erase_again(app, removal, &traces).await?,
    };
    Ok(again.unwrap_or_else(|| Step::Continue(format!("{stage}:{}", last.name))))
}

/// Removes images whose keys were erased.
async fn remove_keys<P: Ports>(
    app: &App<P>,
    traces: &[Trace],
) -> Result<Option<Step>, InternalError> {
    let keys: Vec<_> = traces.iter().filter_map(|trace| ObjectKey::parse(&trace.name)).collect();
    for page in keys.chunks(PAGE as usize) {
        if let Step::Wait = remove(app, page, None).await? {
            return Ok(Some(Step::Wait));
        }
    }
    Ok(None)
}

/// Erases those of the users who were erased. The step is repeated until no image of theirs is left.
async fn erase_again<P: Ports>(
    app: &App<P>,
    removal: &Removal,
    traces: &[Trace],
) -> Result<Option<Step>, InternalError> {
    let users = app.ports.users();
    let mut named = Vec::with_capacity(traces.len());
    for trace in traces {
        let Some(user) = UserId::parse(&trace.name) else { continue };
        named.push((pseudonym(app, &user).await?, user, trace.at_ms));
    }
    let pseudonyms: Vec<_> = named.iter().map(|(name, ..)| name.clone()).collect();
    let erased = users.erased(&pseudonyms).await?;
    for (pseudonym, user, first_ms) in named {
        let found = erased.iter().find(|erased| erased.name == pseudonym);
        let Some(erased_ms) = found.map(|it| it.at_ms).filter(|ms| first_ms < *ms) else {
            continue;
        };
        let until = Until { ms: erased_ms, ..Until::ALL };
        let scope = RemovalScope::Owner(user.clone());
        let keys = users.keys_to_remove(&scope, until, PAGE).await?;
        let keys: Vec<_> = keys.iter().filter_map(|key| ObjectKey::parse(key)).collect();
        if !keys.is_empty() {
            return remove(app, &keys, Some(&user)).await.map(Some);
        }
        let now_ms = app.ports.now_ms();
        let erasure = Erasure {
            user: &user,
            pseudonym: &pseudonym,
            before_ms: Some(erased_ms),
            now_ms,
            event: &end_event(&removal.id, &pseudonym, "replayed", now_ms),
            // The back end heard of it before the restore.
            webhook: None,
            removal: None,
        };
        users.erase(&erasure).await?;
    }
    Ok(None)
}
