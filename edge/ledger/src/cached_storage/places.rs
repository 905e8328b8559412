//! The places of a form, and what is kept of them in memory.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use edge_storage::ObjectKey;
use edge_types::UserId;

use super::CachedStorage;
use crate::{FormCount, LedgerStorage, Place, storage::StorageResult};

/// What is in memory.
pub(super) struct CachedPlaces {
    index: RefCell<Option<PlaceIndex>>,
    /// While the pictures of a form are counted: those whose places were released meanwhile.
    released: RefCell<Option<BTreeSet<ObjectKey>>>,
}

impl CachedPlaces {
    pub(super) const fn new() -> Self {
        Self { index: RefCell::new(None), released: RefCell::new(None) }
    }

    /// The places are read from the rows again.
    pub(super) fn forget(&self) {
        self.index.replace(None);
    }
}

impl<S> CachedStorage<S> {
    /// Begins to count the pictures of a form, unless they are being counted.
    pub fn begin_count(&self) -> bool {
        let mut released = self.places.released.borrow_mut();
        let is_free = released.is_none();
        released.get_or_insert_default();
        is_free
    }

    pub fn end_count(&self) {
        self.places.released.replace(None);
    }

    /// Notes for a count under way that a picture is gone.
    pub fn note_release(&self, key: &ObjectKey) {
        if let Some(released) = &mut *self.places.released.borrow_mut() {
            released.insert(key.clone());
        }
    }

    /// Whether the picture has gone since the count began.
    pub fn was_released(&self, key: &ObjectKey) -> bool {
        self.places.released.borrow().as_ref().is_some_and(|released| released.contains(key))
    }
}

impl<S: LedgerStorage> CachedStorage<S> {
    /// Runs on the index of the places, which is read from the rows first if it is not there.
    pub(super) fn place_index<T>(
        &self,
        run: impl FnOnce(&mut PlaceIndex) -> T,
    ) -> StorageResult<T> {
        let mut index = self.places.index.borrow_mut();
        if let Some(index) = &mut *index {
            return Ok(run(index));
        }
        let mut read = PlaceIndex {
            form_count: self.rows.form_count()?,
            places: self.rows.count_places()?,
            leases_ms: BTreeMap::new(),
        };
        // Collecting them would add a sort of 15 KB to the Worker.
        for Place { owner, key, lease_ms, .. } in self.rows.leased_places()? {
            read.leases_ms.extend(lease_ms.map(|lease_ms| ((owner, key), lease_ms)));
        }
        Ok(run(index.insert(read)))
    }

    pub fn form_count(&self) -> StorageResult<Option<FormCount>> {
        self.place_index(|index| index.form_count.clone())
    }

    pub fn write_form_count(&self, count: FormCount) -> StorageResult<()> {
        self.rows.write_form_count(&count)?;
        self.place_index(|index| index.form_count = Some(count))
    }

    pub fn place(&self, owner: &UserId, key: &ObjectKey) -> StorageResult<Option<Place>> {
        self.rows.place(owner, key)
    }

    /// Writes a place, unless its row says the same.
    pub fn write_place(&self, place: &Place) -> StorageResult<()> {
        let before = self.rows.place(&place.owner, &place.key)?;
        if before.as_ref() == Some(place) {
            return Ok(());
        }
        // Read before the row is written, which it would count a second time.
        self.place_index(|_| ())?;
        self.rows.write_place(place)?;
        self.place_index(|index| index.replace(before.as_ref(), Some(place)))
    }

    pub fn delete_place(&self, owner: &UserId, key: &ObjectKey) -> StorageResult<()> {
        let Some(before) = self.rows.place(owner, key)? else { return Ok(()) };
        self.place_index(|_| ())?;
        self.rows.delete_place(owner, key)?;
        self.place_index(|index| index.replace(Some(&before), None))
    }

    pub fn delete_places(&self) -> StorageResult<()> {
        self.places.index.replace(None);
        self.rows.delete_places()
    }

    /// How many pictures of the form have a place.
    pub fn count_places(&self) -> StorageResult<u32> {
        self.place_index(|index| index.places)
    }

    pub fn count_places_of(&self, owner: &UserId) -> StorageResult<u32> {
        self.rows.count_places_of(owner)
    }

    /// Places whose lease has ended.
    pub fn due_places(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<(UserId, ObjectKey)>> {
        self.place_index(|index| {
            let due = index.leases_ms.iter().filter(|(_, lease_ms)| **lease_ms <= now_ms);
            due.take(limit as usize).map(|(place, _)| place.clone()).collect()
        })
    }
}

/// What is found of the places of a form in memory.
pub(super) struct PlaceIndex {
    form_count: Option<FormCount>,
    /// How many of them count.
    places: u32,
    leases_ms: BTreeMap<(UserId, ObjectKey), u64>,
}

impl PlaceIndex {
    fn replace(&mut self, before: Option<&Place>, after: Option<&Place>) {
        let counted = |place: Option<&Place>| place.is_some_and(|place| place.is_counted);
        self.places = match (counted(before), counted(after)) {
            (false, true) => self.places.saturating_add(1),
            (true, false) => self.places.saturating_sub(1),
            _ => self.places,
        };
        if let Some(place) = before {
            self.leases_ms.remove(&(place.owner.clone(), place.key.clone()));
        }
        if let Some((place, lease_ms)) = after.and_then(|place| Some((place, place.lease_ms?))) {
            self.leases_ms.insert((place.owner.clone(), place.key.clone()), lease_ms);
        }
    }

    /// Whether it is the ledger of a form that has, or had, a limit.
    pub(super) fn is_in_use(&self) -> bool {
        self.form_count.is_some() || self.places > 0 || !self.leases_ms.is_empty()
    }

    pub(super) fn next_due_ms(&self) -> Option<u64> {
        let recount_ms = self.form_count.as_ref().and_then(|count| count.recount_ms);
        self.leases_ms.values().copied().chain(recount_ms).min()
    }
}
