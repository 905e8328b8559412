//! For tests: the database in memory.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "only tests use this module, and a panic is a failed test"
)]

mod audit;
mod metrics;
mod users;

pub use users::FakeUserStore;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    task::Poll,
};

use crate::{
    Event, HourCount, ImageListing, ImageRow, ImageStore, MetricsSnapshot, NewImage, Registry,
    RegistryError,
};
use edge_storage::ObjectKey;
use edge_types::{ImageId, UserId};

/// The database in memory. A test may make it fail.
#[derive(Default)]
pub struct FakeRegistry {
    pub rows: RefCell<Vec<ImageRow>>,
    pub events: RefCell<Vec<Event>>,
    pub counts: RefCell<Vec<HourCount>>,
    pub metrics: RefCell<MetricsSnapshot>,
    pub broken: Cell<bool>,
    /// Whether it adds a row and then fails.
    pub silent: Cell<bool>,
    /// How often it yields before it adds a row.
    pub slow: Cell<u32>,
    pub deployment_id: RefCell<Option<String>>,
    last_id: Cell<u64>,
    job_cursors: RefCell<BTreeMap<String, String>>,
    /// By kind: since when, and when the next may be sent.
    alerts: RefCell<BTreeMap<String, (u64, u64)>>,
}

impl FakeRegistry {
    pub fn failing() -> Self {
        let registry = Self::default();
        registry.broken.set(true);
        registry
    }

    /// The keys of the rows, oldest first.
    pub fn keys(&self) -> Vec<String> {
        self.rows.borrow().iter().map(|row| row.key.clone()).collect()
    }

    fn insert(&self, row: NewImage<'_>) -> ImageId {
        let mut rows = self.rows.borrow_mut();
        if let Some(there) = rows.iter().find(|there| there.key == row.key.as_str()) {
            return there.id;
        }
        self.last_id.set(self.last_id.get() + 1);
        let id = ImageId(self.last_id.get());
        rows.push(ImageRow {
            id,
            key: row.key.to_string(),
            owner: row.owner.to_string(),
            form_id: row.form_id.map(str::to_owned),
            media_type: row.format.media_type().to_owned(),
            width: row.width,
            height: row.height,
            size_bytes: row.size_bytes,
            sha256: row.sha256.to_owned(),
            original_name: row.original_name.map(str::to_owned),
            created_ms: row.created_ms,
        });
        id
    }
}

impl Registry for FakeRegistry {
    async fn add(&self, row: NewImage<'_>) -> Result<ImageId, RegistryError> {
        for _ in 0..self.slow.get() {
            yield_once().await;
        }
        self.probe().await?;
        let id = self.insert(row);
        if self.silent.get() {
            Err(RegistryError("set to lose the reply".to_owned()))
        } else {
            Ok(id)
        }
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<ImageRow>, RegistryError> {
        self.probe().await?;
        Ok(self.rows.borrow().iter().find(|row| row.key == key.as_str()).cloned())
    }

    async fn remove(&self, keys: &[ObjectKey]) -> Result<(), RegistryError> {
        self.probe().await?;
        let is_one = |row: &ImageRow| keys.iter().any(|key| row.key == key.as_str());
        self.rows.borrow_mut().retain(|row| !is_one(row));
        Ok(())
    }

    async fn event(&self, event: &Event) -> Result<(), RegistryError> {
        self.probe().await?;
        let mut events = self.events.borrow_mut();
        if events.iter().all(|there| there.idempotency_key != event.idempotency_key) {
            events.push(event.clone());
        }
        Ok(())
    }

    async fn probe(&self) -> Result<(), RegistryError> {
        if self.broken.get() { Err(RegistryError("set to fail".to_owned())) } else { Ok(()) }
    }
}

impl ImageStore for FakeRegistry {
    async fn transfer_ownership(
        &self,
        key: &ObjectKey,
        from: &UserId,
        to: &UserId,
    ) -> Result<bool, RegistryError> {
        self.probe().await?;
        let mut rows = self.rows.borrow_mut();
        let owners = [from.as_str(), to.as_str()];
        let row = rows
            .iter_mut()
            .find(|row| row.key == key.as_str() && owners.contains(&row.owner.as_str()));
        Ok(row.map(|row| row.owner = to.to_string()).is_some())
    }

    async fn get(&self, id: ImageId) -> Result<Option<ImageRow>, RegistryError> {
        self.probe().await?;
        Ok(self.rows.borrow().iter().find(|row| row.id == id).cloned())
    }

    async fn list(&self, listing: ImageListing<'_>) -> Result<Vec<ImageRow>, RegistryError> {
        self.probe().await?;
        let owner = listing.owner.to_string();
        let rows = self.rows.borrow();
        let wanted = rows.iter().rev().filter(|row| {
            row.owner == owner
                && listing.form_id.is_none_or(|form| row.form_id.as_deref() == Some(form))
                && listing.before.is_none_or(|before| row.id.0 < before.0)
        });
        Ok(wanted.take(listing.limit as usize).cloned().collect())
    }

    async fn find_registered(&self, keys: &[String]) -> Result<Vec<String>, RegistryError> {
        self.probe().await?;
        let rows = self.rows.borrow();
        Ok(keys.iter().filter(|key| rows.iter().any(|row| row.key == **key)).cloned().collect())
    }

    async fn images_after(&self, id: u64, limit: u32) -> Result<Vec<ImageRow>, RegistryError> {
        self.probe().await?;
        let rows = self.rows.borrow();
        Ok(rows.iter().filter(|row| row.id.0 > id).take(limit as usize).cloned().collect())
    }

    async fn deployment_id(&self) -> Result<Option<String>, RegistryError> {
        self.probe().await?;
        Ok(self.deployment_id.borrow().clone())
    }

    async fn bind_deployment(&self, id: &str, _now_ms: u64) -> Result<String, RegistryError> {
        self.probe().await?;
        Ok(self.deployment_id.borrow_mut().get_or_insert_with(|| id.to_owned()).clone())
    }

    async fn job_cursor(&self, sweep: &str) -> Result<String, RegistryError> {
        Ok(self.job_cursors.borrow().get(sweep).cloned().unwrap_or_default())
    }

    async fn set_job_cursor(&self, sweep: &str, job_cursor: &str) -> Result<(), RegistryError> {
        self.job_cursors.borrow_mut().insert(sweep.to_owned(), job_cursor.to_owned());
        Ok(())
    }
}

pub async fn yield_once() {
    let mut first = true;
    poll_fn(|context| {
        if core::mem::take(&mut first) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}
