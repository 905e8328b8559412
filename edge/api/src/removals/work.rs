//! Works on removals, a page of images at a time. Each image is removed by the ledger of the user whom its key names, which
//! finishes what it has begun. A step that is repeated, after a crash or by another isolate, finds what is left.

use edge_registry::{RegistryError, Removal, RemovalScope, RemovalStore, Until};
use edge_storage::ObjectKey;
use edge_types::log;

use super::{
    erasure, replay,
    step::{PAGE, Step, remove},
};
use crate::{app::App, error::InternalError, ports::Ports};

/// Steps of one run. Each costs up to 26 requests to ledgers and the database, and the platform allows an invocation a
/// thousand.
const STEPS: u32 = 30;
/// How long a run may take: the platform ends what runs 30 s after a response.
const RUN_MS: u64 = 20_000;
/// How long an isolate keeps a removal to itself. A step takes some seconds.
const TAKEN_MS: u64 = 60_000;
/// How long a removal waits after a component has failed.
const WAIT_MS: u64 = 30_000;

/// Works on removals until there are none, or for as long as a run may take.
pub async fn run<P: Ports>(app: &App<P>) {
    let until_ms = app.ports.now_ms().saturating_add(RUN_MS);
    for _ in 0..STEPS {
        if app.ports.now_ms() >= until_ms {
            return;
        }
        match step(app).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return log::error("removal_failed", &[("cause", &error.to_string())]),
        }
    }
}

/// One step of the removal that waits longest; whether there was one.
async fn step<P: Ports>(app: &App<P>) -> Result<bool, RegistryError> {
    let (users, now_ms) = (app.ports.users(), app.ports.now_ms());
    let Some(removal) = users.take_removal(now_ms, now_ms + TAKEN_MS).await? else {
        return Ok(false);
    };
    let outcome = work_on(app, &removal).await.unwrap_or_else(|error| {
        log::error("removal_failed", &[("cause", &error.to_string())]);
        Step::Wait
    });
    let now_ms = app.ports.now_ms();
    match outcome {
        Step::Done => {}
        Step::More => users.keep_removal(&removal.id, now_ms, &removal.cursor).await?,
        Step::Continue(cursor) => users.keep_removal(&removal.id, now_ms, &cursor).await?,
        Step::Wait => {
            users.keep_removal(&removal.id, now_ms + WAIT_MS, &removal.cursor).await?;
        }
    }
    Ok(true)
}

async fn work_on<P: Ports>(app: &App<P>, removal: &Removal) -> Result<Step, InternalError> {
    let until = Until { image_id: removal.last_image_id, ..Until::ALL };
    match &removal.scope {
        RemovalScope::User(user) => return erasure::erase(app, removal, user).await,
        RemovalScope::Replay => return replay::replay(app, removal).await,
        scope => {
            let keys = app.ports.users().keys_to_remove(scope, until, PAGE).await?;
            let keys: Vec<_> = keys.iter().filter_map(|key| ObjectKey::parse(key)).collect();
            if !keys.is_empty() {
                return remove(app, &keys, None).await;
            }
        }
    }
    app.ports.users().finish_removal(&removal.id, app.ports.now_ms()).await?;
    Ok(Step::Done)
}
