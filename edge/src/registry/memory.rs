//! A registry in memory, for tests.

mod annals;
mod meters;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    task::Poll,
};

use super::{
    Catalogue, Event, HourCount, ImageId, Listing, NewRow, Readings, Registry, RegistryFault, Row,
};
use crate::{auth::UserId, storage::ObjectKey};

/// Keeps rows in order of registration; fails when told to.
#[derive(Default)]
pub struct MemoryRegistry {
    /// The rows; the first has the number 1.
    pub rows: RefCell<Vec<Row>>,
    /// What happened.
    pub events: RefCell<Vec<Event>>,
    /// What was counted.
    pub counts: RefCell<Vec<HourCount>>,
    /// What was counted since the beginning.
    pub readings: RefCell<Readings>,
    /// Whether it fails.
    pub broken: Cell<bool>,
    /// Whether it adds a row and then fails to say so.
    pub silent: Cell<bool>,
    /// How often it lets others take their turn before it adds a row.
    pub slow: Cell<u32>,
    /// The id of the deployment.
    pub deployment_id: RefCell<Option<String>>,
    last_id: Cell<u64>,
    marks: RefCell<BTreeMap<String, String>>,
    /// Kinds of alerts: since when, and from when on.
    alerts: RefCell<BTreeMap<String, (u64, u64)>>,
}

impl MemoryRegistry {
    /// One that fails.
    #[must_use]
    pub fn failing() -> Self {
        let registry = Self::default();
        registry.broken.set(true);
        registry
    }

    /// The keys of the rows, oldest first.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.rows.borrow().iter().map(|row| row.key.clone()).collect()
    }

    fn insert(&self, row: NewRow<'_>) -> ImageId {
        let mut rows = self.rows.borrow_mut();
        if let Some(there) = rows.iter().find(|there| there.key == row.key.as_str()) {
            return there.id;
        }
        self.last_id.set(self.last_id.get() + 1);
        let id = ImageId(self.last_id.get());
        rows.push(Row {
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

impl Registry for MemoryRegistry {
    async fn add(&self, row: NewRow<'_>) -> Result<ImageId, RegistryFault> {
        for _ in 0..self.slow.get() {
            turn().await;
        }
        self.probe().await?;
        let id = self.insert(row);
        if self.silent.get() {
            Err(RegistryFault("told to say nothing".to_owned()))
        } else {
            Ok(id)
        }
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<Row>, RegistryFault> {
        self.probe().await?;
        Ok(self.rows.borrow().iter().find(|row| row.key == key.as_str()).cloned())
    }

    async fn remove(&self, key: &ObjectKey) -> Result<(), RegistryFault> {
        self.probe().await?;
        self.rows.borrow_mut().retain(|row| row.key != key.as_str());
        Ok(())
    }

    async fn event(&self, event: &Event) -> Result<(), RegistryFault> {
        self.probe().await?;
        let mut events = self.events.borrow_mut();
        if events.iter().all(|there| there.mark != event.mark) {
            events.push(event.clone());
        }
        Ok(())
    }

    async fn probe(&self) -> Result<(), RegistryFault> {
        if self.broken.get() { Err(RegistryFault("told to fail".to_owned())) } else { Ok(()) }
    }
}

impl Catalogue for MemoryRegistry {
    async fn hand_over(
        &self,
        key: &ObjectKey,
        from: &UserId,
        to: &UserId,
    ) -> Result<bool, RegistryFault> {
        self.probe().await?;
        let mut rows = self.rows.borrow_mut();
        let owners = [from.as_str(), to.as_str()];
        let row = rows
            .iter_mut()
            .find(|row| row.key == key.as_str() && owners.contains(&row.owner.as_str()));
        Ok(row.map(|row| row.owner = to.to_string()).is_some())
    }

    async fn get(&self, id: ImageId) -> Result<Option<Row>, RegistryFault> {
        self.probe().await?;
        Ok(self.rows.borrow().iter().find(|row| row.id == id).cloned())
    }

    async fn list(&self, listing: Listing<'_>) -> Result<Vec<Row>, RegistryFault> {
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

    async fn registered(&self, keys: &[String]) -> Result<Vec<String>, RegistryFault> {
        self.probe().await?;
        let rows = self.rows.borrow();
        Ok(keys.iter().filter(|key| rows.iter().any(|row| row.key == **key)).cloned().collect())
    }

    async fn rows_after(&self, id: u64, limit: u32) -> Result<Vec<Row>, RegistryFault> {
        self.probe().await?;
        let rows = self.rows.borrow();
        Ok(rows.iter().filter(|row| row.id.0 > id).take(limit as usize).cloned().collect())
    }

    async fn deployment_id(&self) -> Result<Option<String>, RegistryFault> {
        self.probe().await?;
        Ok(self.deployment_id.borrow().clone())
    }

    async fn bind_deployment(&self, id: &str, _now_ms: u64) -> Result<String, RegistryFault> {
        self.probe().await?;
        Ok(self.deployment_id.borrow_mut().get_or_insert_with(|| id.to_owned()).clone())
    }

    async fn mark(&self, sweep: &str) -> Result<String, RegistryFault> {
        Ok(self.marks.borrow().get(sweep).cloned().unwrap_or_default())
    }

    async fn set_mark(&self, sweep: &str, mark: &str) -> Result<(), RegistryFault> {
        self.marks.borrow_mut().insert(sweep.to_owned(), mark.to_owned());
        Ok(())
    }
}

/// Lets others take their turn.
pub async fn turn() {
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
