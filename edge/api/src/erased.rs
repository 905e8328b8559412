//! What is left of erased users: a pseudonym, and under it a ban that has not ended.

use edge_auth::erased_name;
use edge_registry::{ImageStore, RegistryError, RemovalStore};
use edge_types::{UserId, log};

use crate::{app::App, bucket_binding, erased_bans::BanList, error::InternalError, ports::Ports};

/// Those that end last. An entry takes about 100 bytes.
const MAX_BANS: u32 = 5_000;

/// What events name instead of an erased user.
///
/// # Errors
/// A database that fails, or a deployment without an id.
pub async fn pseudonym<P: Ports>(app: &App<P>, user: &UserId) -> Result<String, InternalError> {
    Ok(erased_name(&deployment_id(app).await?, user.as_str()))
}

async fn deployment_id<P: Ports>(app: &App<P>) -> Result<String, InternalError> {
    bucket_binding::ensure(app).await;
    let id = app.ports.registry().deployment_id().await?;
    Ok(id.ok_or_else(|| RegistryError("the deployment has no id".to_owned()))?)
}

/// The end of the ban of a user who was erased during it.
///
/// # Errors
/// A database that fails for minutes, or at the first request of the isolate.
pub async fn banned_until_ms<P: Ports>(
    app: &App<P>,
    user: &UserId,
) -> Result<Option<u64>, InternalError> {
    let (known, now_ms) = (&app.isolate.erased_bans, app.ports.now_ms());
    if !known.is_fresh(now_ms) {
        match read_bans(app, now_ms).await {
            Ok(list) => known.put(list),
            // A database that fails takes no new bans either.
            Err(error) if known.may_be_used(now_ms) => {
                log::error("erased_bans_unread", &[("cause", &error.to_string())]);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(known.until_ms(user, now_ms))
}

async fn read_bans<P: Ports>(app: &App<P>, now_ms: u64) -> Result<BanList, InternalError> {
    let traces = app.ports.users().erased_bans(now_ms, MAX_BANS).await?;
    // Without a ban no pseudonym is needed.
    let deployment_id = if traces.is_empty() { String::new() } else { deployment_id(app).await? };
    let mut bans = BanList::new(now_ms, deployment_id);
    bans.extend(traces);
    Ok(bans)
}
