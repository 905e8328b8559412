//! The counts of one isolate until they are written. Labels and hours are few, so they stay small
//! however long the registry is away.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use super::{Area, GATHER_MS, Outcome};

/// Where a count belongs: hour since 1970, area, outcome.
pub(super) type Place = (u64, Area, Outcome);

/// How often, and how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often.
    pub count: u64,
    /// Bytes that came.
    pub bytes_in: u64,
    /// Bytes that were stored.
    pub bytes_stored: u64,
}

impl Counts {
    /// One time, with so many bytes.
    #[must_use]
    pub const fn one(bytes_in: u64, bytes_stored: u64) -> Self {
        Self { count: 1, bytes_in, bytes_stored }
    }

    const fn add(&mut self, more: Self) {
        self.count = self.count.saturating_add(more.count);
        self.bytes_in = self.bytes_in.saturating_add(more.bytes_in);
        self.bytes_stored = self.bytes_stored.saturating_add(more.bytes_stored);
    }
}

/// What was counted and not yet written.
#[derive(Debug, Default)]
pub struct Tallies {
    counts: RefCell<BTreeMap<Place, Counts>>,
    planned_until_ms: Cell<u64>,
}

impl Tallies {
    /// Counts.
    pub fn add(&self, hour: u64, area: Area, outcome: Outcome, counts: Counts) {
        self.counts.borrow_mut().entry((hour, area, outcome)).or_default().add(counts);
    }

    /// Whether the caller is to write later: when something was counted and nobody else has it in
    /// hand. A plan that was not carried out in time is forgotten: the request it lived in is gone.
    pub fn plan(&self, now_ms: u64) -> bool {
        let is_due = !self.counts.borrow().is_empty() && self.planned_until_ms.get() <= now_ms;
        if is_due {
            self.planned_until_ms.set(now_ms.saturating_add(3 * GATHER_MS));
        }
        is_due
    }

    pub(super) fn end_plan(&self) {
        self.planned_until_ms.set(0);
    }

    pub(super) fn take(&self) -> BTreeMap<Place, Counts> {
        self.counts.take()
    }

    pub(super) fn put_back(&self, counts: BTreeMap<Place, Counts>) {
        for ((hour, area, outcome), counts) in counts {
            self.add(hour, area, outcome, counts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_has_the_writing_in_hand() {
        let tallies = Tallies::default();
        assert!(!tallies.plan(0), "there is nothing to write");
        tallies.add(7, Area::Other, Outcome::Served, Counts::one(0, 0));
        assert!(tallies.plan(0));
        assert!(!tallies.plan(GATHER_MS));
        assert!(tallies.plan(3 * GATHER_MS), "the first has not come back");
        tallies.end_plan();
        assert!(tallies.plan(3 * GATHER_MS));
    }

    #[test]
    fn what_was_not_written_is_added_to_what_came_since() {
        let tallies = Tallies::default();
        tallies.add(7, Area::Files, Outcome::Stored, Counts::one(5, 3));
        let taken = tallies.take();
        tallies.add(7, Area::Files, Outcome::Stored, Counts::one(1, 1));
        tallies.put_back(taken);
        let expected = Counts { count: 2, bytes_in: 6, bytes_stored: 4 };
        assert_eq!(tallies.take().into_values().collect::<Vec<_>>(), [expected]);
    }
}
