//! The counts of one isolate until they are written. Labels and hours are few, so they stay small
//! however long the registry is away.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use super::{Area, GATHER_MS, Histogram, Outcome, Series, Stage};

/// Where a count of an hour belongs: hour since 1970, area, outcome.
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

/// What was counted: by the hour, since the beginning, and by duration.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) hours: BTreeMap<Place, Counts>,
    pub(super) totals: BTreeMap<(&'static str, String), u64>,
    pub(super) timings: BTreeMap<Stage, Histogram>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.hours.is_empty() && self.totals.is_empty() && self.timings.is_empty()
    }
}

/// What was counted and not yet written.
#[derive(Debug, Default)]
pub struct Tallies {
    batch: RefCell<Batch>,
    planned_until_ms: Cell<u64>,
    has_news: Cell<bool>,
}

impl Tallies {
    /// Counts in an hour.
    pub fn add(&self, hour: u64, area: Area, outcome: Outcome, counts: Counts) {
        self.batch.borrow_mut().hours.entry((hour, area, outcome)).or_default().add(counts);
    }

    /// Counts since the beginning.
    pub fn count(&self, series: Series, times: u64) {
        if times > 0 {
            self.add_total((series.family().name, series.labels()), times);
        }
    }

    fn add_total(&self, key: (&'static str, String), times: u64) {
        let mut batch = self.batch.borrow_mut();
        let total = batch.totals.entry(key).or_default();
        *total = total.saturating_add(times);
    }

    /// Something took so long.
    pub fn time(&self, stage: Stage, took_ms: u64) {
        self.batch.borrow_mut().timings.entry(stage).or_default().observe(took_ms);
    }

    /// Whether the caller is to write later: when something was counted and nobody else has it in
    /// hand. A plan that was not carried out in time is forgotten: the request it lived in is gone.
    pub fn plan(&self, now_ms: u64) -> bool {
        let is_due = !self.batch.borrow().is_empty() && self.planned_until_ms.get() <= now_ms;
        if is_due {
            self.planned_until_ms.set(now_ms.saturating_add(3 * GATHER_MS));
        }
        is_due
    }

    pub(super) fn end_plan(&self) {
        self.planned_until_ms.set(0);
    }

    /// Something was written that there may be something to tell of, whoever wrote it.
    pub(super) fn note_news(&self) {
        self.has_news.set(true);
    }

    /// Whether it was, since this was last asked.
    pub(super) fn take_news(&self) -> bool {
        self.has_news.replace(false)
    }

    pub(super) fn take(&self) -> Batch {
        self.batch.take()
    }

    pub(super) fn put_back(&self, batch: Batch) {
        for ((hour, area, outcome), counts) in batch.hours {
            self.add(hour, area, outcome, counts);
        }
        for (key, times) in batch.totals {
            self.add_total(key, times);
        }
        for (stage, histogram) in batch.timings {
            self.batch.borrow_mut().timings.entry(stage).or_default().add(&histogram);
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
        let count = |bytes_in, bytes_stored, took_ms| {
            tallies.add(7, Area::Files, Outcome::Stored, Counts::one(bytes_in, bytes_stored));
            tallies.count(Series::BytesIn, bytes_in);
            tallies.count(Series::Reuse, 0);
            tallies.time(Stage::Whole, took_ms);
        };
        count(5, 3, 1);
        let taken = tallies.take();
        count(1, 1, 7);
        tallies.put_back(taken);
        let batch = tallies.take();
        let expected = Counts { count: 2, bytes_in: 6, bytes_stored: 4 };
        assert_eq!(batch.hours.into_values().collect::<Vec<_>>(), [expected]);
        assert_eq!(batch.totals.into_values().collect::<Vec<_>>(), [6], "nothing is no count");
        assert_eq!(batch.timings[&Stage::Whole].sum_ms, 8);
        assert!(tallies.take().is_empty());
    }
}
