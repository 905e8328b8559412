//! One step of a removal: a page of images.

use edge_ledger::{LedgerClient, RemovalOutcome, RemoveImage};
use edge_registry::ImageStore;
use edge_storage::ObjectKey;
use edge_types::UserId;
use futures_util::future::try_join_all;

use crate::{app::App, error::InternalError, forms, ports::Ports, webhooks};

/// Images of one step, which are removed at the same time.
pub(super) const PAGE: u32 = 20;

/// What to do next with a removal.
pub(super) enum Step {
    Done,
    /// There is more.
    More,
    /// There is more, from here on.
    Continue(String),
    /// A component failed, or is not ready.
    Wait,
}

/// Removes images at the same time, perhaps because a user is being erased. What a ledger could not finish is retried by it, and looked at again here.
pub(super) async fn remove<P: Ports>(
    app: &App<P>,
    keys: &[ObjectKey],
    erased: Option<&UserId>,
) -> Result<Step, InternalError> {
    let rows = &app.ports.registry().find_all(keys).await?;
    let removing = keys.iter().map(|key| async move {
        let Some(owner) = key.owner() else { return Ok(RemovalOutcome::Finished) };
        let row = rows.iter().find(|row| row.key == key.as_str());
        let place = match row {
            Some(row) => forms::place_of(app, row).await?,
            None => None,
        };
        let command = RemoveImage {
            key: key.clone(),
            place,
            row: webhooks::row_of(app, row),
            // The ledger of the erased user forgets what it knows by itself.
            is_erasure: erased.is_some_and(|user| *user != owner),
            is_repair: false,
        };
        let removal = app.ports.ledger().send_to_user(&owner, command).await?;
        // The copies of derived pictures end by themselves: each would be a request.
        app.ports.purge_copies(key, &[]).await;
        Ok::<_, InternalError>(removal.outcome)
    });
    let outcomes = try_join_all(removing).await?;
    let is_finished = outcomes.iter().all(|outcome| *outcome == RemovalOutcome::Finished);
    Ok(if is_finished { Step::More } else { Step::Wait })
}
