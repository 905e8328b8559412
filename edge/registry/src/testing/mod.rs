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
mod mail_links;
mod metrics;
mod removals;
mod sign_ins;
mod users;
mod webhooks;

pub use mail_links::FakeLink;
pub use removals::FakeRemoval;
pub use sign_ins::FakeIdentity;
pub use users::FakeUserStore;
pub use webhooks::FakeWebhookEvent;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    task::Poll,
};

use crate::{
    EndpointTrouble, Event, EventRecord, FormImage, FormPictures, FormRow, FormStore, HeldListing,
    HourCount, ImageListing, ImageRow, ImageStore, MetricsSnapshot, NewForm, NewImage, Registry,
    RegistryError, RemovalScope, Review,
};
use edge_storage::ObjectKey;
use edge_types::{FormName, ImageId, UserId};

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
    pub forms: RefCell<BTreeMap<String, FormRow>>,
    /// How often a form was looked up.
    pub form_look_ups: Cell<u32>,
    pub removals: RefCell<Vec<FakeRemoval>>,
    /// By name: when it was erased.
    pub erased: RefCell<BTreeMap<String, u64>>,
    /// By name: when the ban ends.
    pub erased_bans: RefCell<BTreeMap<String, u64>>,
    pub webhook_events: RefCell<Vec<FakeWebhookEvent>>,
    pub endpoint: RefCell<Option<EndpointTrouble>>,
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
            placeholder: row.placeholder.map(str::to_owned),
            created_ms: row.created_ms,
            review: row.is_held.then_some(Review::Held),
            review_reason: None,
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
        let erasure = RemovalScope::User(row.owner.clone());
        if self.removals.borrow().iter().any(|it| it.removal.scope == erasure) {
            return Err(RegistryError("the owner is being erased".to_owned()));
        }
        let form = row.form_id.and_then(|form| self.forms.borrow().get(form).cloned());
        if form.is_some_and(|form| form.deleted_ms.is_some()) {
            return Err(RegistryError("the pictures of the form were deleted".to_owned()));
        }
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

    async fn form_images(
        &self,
        form: &FormName,
        after: u64,
        limit: u32,
    ) -> Result<Vec<FormImage>, RegistryError> {
        for _ in 0..self.slow.get() {
            yield_once().await;
        }
        self.probe().await?;
        let rows = self.rows.borrow();
        let wanted = rows
            .iter()
            .filter(|row| row.id.0 > after && row.form_id.as_deref() == Some(form.as_str()))
            .filter(|row| row.review != Some(Review::Refused));
        let image = |row: &ImageRow| FormImage {
            id: row.id,
            key: row.key.clone(),
            owner: row.owner.clone(),
        };
        Ok(wanted.take(limit as usize).map(image).collect())
    }

    async fn remove(&self, keys: &[ObjectKey]) -> Result<(), RegistryError> {
        self.probe().await?;
        let is_one = |row: &ImageRow| keys.iter().any(|key| row.key == key.as_str());
        self.rows.borrow_mut().retain(|row| !is_one(row));
        Ok(())
    }

    async fn decide(
        &self,
        key: &ObjectKey,
        review: Review,
        reason: Option<&str>,
    ) -> Result<(), RegistryError> {
        self.probe().await?;
        let mut rows = self.rows.borrow_mut();
        let mut held = rows.iter_mut().filter(|row| row.review == Some(Review::Held));
        if let Some(row) = held.find(|row| row.key == key.as_str()) {
            row.review = Some(review);
            row.review_reason = reason.map(str::to_owned);
        }
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
        event: Option<&EventRecord>,
    ) -> Result<bool, RegistryError> {
        self.probe().await?;
        let mut rows = self.rows.borrow_mut();
        let owners = [from.as_str(), to.as_str()];
        let row = rows
            .iter_mut()
            .find(|row| row.key == key.as_str() && owners.contains(&row.owner.as_str()));
        let Some(row) = row else { return Ok(false) };
        if row.owner == from.as_str() {
            self.add_new_event(event);
        }
        row.owner = to.to_string();
        Ok(true)
    }

    async fn get(&self, id: ImageId) -> Result<Option<ImageRow>, RegistryError> {
        self.probe().await?;
        Ok(self.rows.borrow().iter().find(|row| row.id == id).cloned())
    }

    async fn get_all(&self, ids: &[ImageId]) -> Result<Vec<ImageRow>, RegistryError> {
        self.probe().await?;
        let rows = self.rows.borrow();
        Ok(rows.iter().filter(|row| ids.contains(&row.id)).cloned().collect())
    }

    async fn list(&self, listing: ImageListing<'_>) -> Result<Vec<ImageRow>, RegistryError> {
        self.probe().await?;
        let owner = listing.owner.map(UserId::as_str);
        let rows = self.rows.borrow();
        let wanted = rows.iter().rev().filter(|row| {
            owner.is_none_or(|owner| row.owner == owner)
                && listing.form_id.is_none_or(|form| row.form_id.as_deref() == Some(form))
                && listing.before.is_none_or(|before| row.id.0 < before.0)
        });
        Ok(wanted.take(listing.limit as usize).cloned().collect())
    }

    async fn find_all(&self, keys: &[ObjectKey]) -> Result<Vec<ImageRow>, RegistryError> {
        self.probe().await?;
        let rows = self.rows.borrow();
        let is_one = |row: &&ImageRow| keys.iter().any(|key| row.key == key.as_str());
        Ok(rows.iter().rev().filter(is_one).cloned().collect())
    }

    async fn list_held(&self, listing: HeldListing<'_>) -> Result<Vec<ImageRow>, RegistryError> {
        self.probe().await?;
        let rows = self.rows.borrow();
        let wanted = rows.iter().filter(|row| {
            row.review == Some(Review::Held)
                && listing.form_id.is_none_or(|form| row.form_id.as_deref() == Some(form))
                && listing.after.is_none_or(|after| row.id.0 > after.0)
        });
        Ok(wanted.take(listing.limit as usize).cloned().collect())
    }

    async fn find_registered(&self, keys: &[String]) -> Result<Vec<String>, RegistryError> {
        self.probe().await?;
        let rows = self.rows.borrow();
        let is_of = |row: &ImageRow, key: &str| {
            (row.key == key && row.review != Some(Review::Refused))
                || row.object().is_some_and(|object| object.as_str() == key)
        };
        Ok(keys.iter().filter(|key| rows.iter().any(|row| is_of(row, key))).cloned().collect())
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

impl FormStore for FakeRegistry {
    async fn form(&self, name: &FormName) -> Result<Option<FormRow>, RegistryError> {
        self.form_look_ups.set(self.form_look_ups.get() + 1);
        self.probe().await?;
        Ok(self.forms.borrow().get(name.as_str()).cloned())
    }

    async fn put_form(&self, form: NewForm<'_>) -> Result<FormRow, RegistryError> {
        self.probe().await?;
        let mut forms = self.forms.borrow_mut();
        let known = forms.get(form.name.as_str());
        let counted_since_ms = known.and_then(|known| known.counted_since_ms);
        let row = FormRow {
            name: form.name.to_string(),
            policy: form.policy.to_owned(),
            counted_since_ms: form.has_limit.then(|| counted_since_ms.unwrap_or(form.now_ms)),
            deleted_ms: form.deleted_ms,
            created_ms: known.map_or(form.now_ms, |known| known.created_ms),
            updated_ms: form.now_ms,
        };
        forms.insert(row.name.clone(), row.clone());
        Ok(row)
    }

    async fn forms(&self, after: &str, limit: u32) -> Result<Vec<FormRow>, RegistryError> {
        self.probe().await?;
        let forms = self.forms.borrow();
        let wanted = forms.values().filter(|form| form.name.as_str() > after);
        Ok(wanted.take(limit as usize).cloned().collect())
    }

    async fn count_pictures(
        &self,
        forms: &[&str],
        most: u32,
    ) -> Result<Vec<FormPictures>, RegistryError> {
        self.probe().await?;
        let rows = self.rows.borrow();
        let counts = forms.iter().map(|form| {
            let of_form = rows.iter().filter(|row| row.form_id.as_deref() == Some(*form));
            let count = of_form.take(most as usize).count() as u64;
            FormPictures { form_id: (*form).to_owned(), count }
        });
        Ok(counts.collect())
    }

    async fn form_pictures(
        &self,
        since_ms: u64,
        limit: u32,
    ) -> Result<Vec<FormPictures>, RegistryError> {
        self.probe().await?;
        let rows = self.rows.borrow();
        let mut counts = BTreeMap::<String, u64>::new();
        for row in rows.iter().filter(|row| row.created_ms >= since_ms) {
            if let Some(form_id) = &row.form_id {
                *counts.entry(form_id.clone()).or_default() += 1;
            }
        }
        let counts = counts.into_iter().map(|(form_id, count)| FormPictures { form_id, count });
        let mut counts: Vec<_> = counts.collect();
        counts.sort_by_key(|form| core::cmp::Reverse(form.count));
        counts.truncate(limit as usize);
        Ok(counts)
    }

    async fn count_form_pictures(&self, since_ms: u64) -> Result<u64, RegistryError> {
        self.probe().await?;
        let rows = self.rows.borrow();
        let of_forms =
            rows.iter().filter(|row| row.created_ms >= since_ms && row.form_id.is_some());
        Ok(of_forms.count() as u64)
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
