//! Whether the bucket belongs to the database: both hold the id of the deployment. With another bucket, or
//! an empty one, all objects seem to be missing, and nothing may be removed because of that.
//!
//! The id is written only while there is nothing to lose (no row, no picture), or when an administrator
//! says that the two belong together.

use serde::Serialize;

use crate::{
    app::{App, Ports},
    registry::{Catalogue, RegistryFault},
    storage::{ObjectKey, ObjectStore, StoreFault},
};

/// How many keys are looked at to see that a bucket holds no picture.
const KEYS: u32 = 100;

/// How database and bucket stand to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreBinding {
    /// Both hold the same id.
    Bound,
    /// Neither holds one: a deployment from before there were ids.
    #[default]
    Unbound,
    /// Only one of them holds one.
    Missing,
    /// They hold different ones.
    Different,
    /// The id in the bucket may not be read.
    Unreadable,
}

impl StoreBinding {
    /// All of them but the good one.
    pub const PROBLEMS: [Self; 4] =
        [Self::Unbound, Self::Missing, Self::Different, Self::Unreadable];

    /// As it stands in answers, events and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Unbound => "unbound",
            Self::Missing => "missing",
            Self::Different => "different",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether the bucket is known to be another one than that of the database.
    #[must_use]
    pub const fn is_wrong(self) -> bool {
        matches!(self, Self::Missing | Self::Different)
    }

    fn of(own: Option<&str>, stored: Option<&str>) -> Self {
        match (own, stored) {
            (None, None) => Self::Unbound,
            (Some(own), Some(stored)) if own == stored => Self::Bound,
            (Some(_), Some(_)) => Self::Different,
            _ => Self::Missing,
        }
    }
}

/// What did not answer.
#[derive(Debug)]
pub enum BindingFault {
    /// The registry.
    Registry(RegistryFault),
    /// The store.
    Store(StoreFault),
}

/// Compares the ids; a deployment that is new gets one.
///
/// # Errors
/// Whatever does not answer.
pub async fn check<P: Ports>(app: &App<P>) -> Result<StoreBinding, BindingFault> {
    let own = app.ports.registry().deployment_id().await?;
    let stored = match app.ports.store().deployment_id().await {
        Err(StoreFault::Denied(_)) => return Ok(StoreBinding::Unreadable),
        stored => stored?,
    };
    if stored.is_none() && is_new(app).await? {
        write(app).await?;
        return Ok(StoreBinding::Bound);
    }
    Ok(StoreBinding::of(own.as_deref(), stored.as_deref()))
}

/// Before the first picture is stored: from then on the deployment is not new any more. A part that fails
/// here fails the upload as well, or the sweep reports what is missing.
pub async fn ensure<P: Ports>(app: &App<P>) {
    if app.isolate.is_binding_decided.get() {
        return;
    }
    let is_decided = match app.ports.registry().deployment_id().await {
        Ok(Some(_)) => true,
        Ok(None) => check(app).await.is_ok(),
        Err(_) => false,
    };
    app.isolate.is_binding_decided.set(is_decided);
}

/// Writes the same id to both: that of the database, or a new one. A bucket that had another one belongs
/// to this deployment from then on, which the other deployment notices.
///
/// # Errors
/// Whatever does not answer; asking again goes on where it ended.
pub async fn write<P: Ports>(app: &App<P>) -> Result<(), BindingFault> {
    let new = uuid::Builder::from_random_bytes(app.ports.random()).into_uuid().to_string();
    // The database first: of several who do this at once, all write the one id that is there then.
    let id = app.ports.registry().bind_deployment(&new, app.ports.now_ms()).await?;
    Ok(app.ports.store().set_deployment_id(&id).await?)
}

async fn is_new<P: Ports>(app: &App<P>) -> Result<bool, BindingFault> {
    if !app.ports.registry().rows_after(0, 1).await?.is_empty() {
        return Ok(false);
    }
    let page = app.ports.store().list(None, KEYS).await?;
    Ok(page.keys.iter().all(|key| ObjectKey::parse(key).is_none()))
}

impl From<RegistryFault> for BindingFault {
    fn from(fault: RegistryFault) -> Self {
        Self::Registry(fault)
    }
}

impl From<StoreFault> for BindingFault {
    fn from(fault: StoreFault) -> Self {
        Self::Store(fault)
    }
}
