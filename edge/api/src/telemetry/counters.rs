//! The counters of one isolate until they are flushed. Labels and hours are few, so they stay small however long
//! the database is down.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use super::{Area, Histogram, Metric, Outcome, Stage};

/// How long counters gather before a flush, because each row that is written costs: a busy isolate writes eight, ten with
/// reads, and an idle one none. With the 5 s that the database may take, it ends within the 30 s that the platform allows
/// after a response.
pub const FLUSH_INTERVAL_MS: u64 = 22_000;
/// The same for counters that an alert watches.
pub const ALERT_FLUSH_MS: u64 = 5_000;

/// Hours since 1970, area, outcome.
pub type CounterKey = (u64, Area, Outcome);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub count: u64,
    pub bytes_in: u64,
    pub bytes_stored: u64,
}

impl Counts {
    pub const fn one(bytes_in: u64, bytes_stored: u64) -> Self {
        Self { count: 1, bytes_in, bytes_stored }
    }

    const fn add(&mut self, more: Self) {
        self.count = self.count.saturating_add(more.count);
        self.bytes_in = self.bytes_in.saturating_add(more.bytes_in);
        self.bytes_stored = self.bytes_stored.saturating_add(more.bytes_stored);
    }
}

/// What is flushed in one transaction.
#[derive(Debug, Default)]
pub struct Batch {
    pub hours: BTreeMap<CounterKey, Counts>,
    pub totals: BTreeMap<(&'static str, String), u64>,
    pub timings: BTreeMap<Stage, Histogram>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.hours.is_empty() && self.totals.is_empty() && self.timings.is_empty()
    }
}

/// What was counted and not yet flushed.
#[derive(Debug, Default)]
pub struct Counters {
    batch: RefCell<Batch>,
    flush_planned_until_ms: Cell<u64>,
    has_alerts: Cell<bool>,
}

impl Counters {
    pub fn add(&self, hour: u64, area: Area, outcome: Outcome, counts: Counts) {
        self.batch.borrow_mut().hours.entry((hour, area, outcome)).or_default().add(counts);
    }

    pub fn count(&self, metric: Metric, times: u64) {
        if times > 0 {
            self.add_total((metric.family().name, metric.labels()), times);
        }
    }

    fn add_total(&self, key: (&'static str, String), times: u64) {
        let mut batch = self.batch.borrow_mut();
        let total = batch.totals.entry(key).or_default();
        *total = total.saturating_add(times);
    }

    pub fn time(&self, stage: Stage, took_ms: u64) {
        self.batch.borrow_mut().timings.entry(stage).or_default().observe(took_ms);
    }

    /// Whether the caller is to flush later: when something was counted and no other request has planned to.
    /// A plan that is not carried out in time is void: its request was cancelled.
    pub fn plan_flush(&self, now_ms: u64) -> bool {
        let is_due = !self.batch.borrow().is_empty() && self.flush_planned_until_ms.get() <= now_ms;
        if is_due {
            self.flush_planned_until_ms.set(now_ms.saturating_add(3 * FLUSH_INTERVAL_MS));
        }
        is_due
    }

    pub fn end_plan(&self) {
        self.flush_planned_until_ms.set(0);
    }

    /// Whether a counter is waiting for which this holds, by its name and labels.
    pub fn any_total(&self, holds: impl Fn(&str, &str) -> bool) -> bool {
        self.batch.borrow().totals.keys().any(|(name, labels)| holds(name, labels))
    }

    /// A flush has written a counter that an alert watches.
    pub fn note_alerts(&self) {
        self.has_alerts.set(true);
    }

    /// Whether one has, since the last call.
    pub fn take_alerts(&self) -> bool {
        self.has_alerts.replace(false)
    }

    pub fn take(&self) -> Batch {
        self.batch.take()
    }

    pub fn put_back(&self, batch: Batch) {
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
    fn one_task_at_a_time_writes_counts() {
        let counters = Counters::default();
        assert!(!counters.plan_flush(0), "there is nothing to write");
        counters.add(7, Area::Other, Outcome::Served, Counts::one(0, 0));
        assert!(counters.plan_flush(0));
        assert!(!counters.plan_flush(FLUSH_INTERVAL_MS));
        assert!(counters.plan_flush(3 * FLUSH_INTERVAL_MS), "the first has not come back");
        counters.end_plan();
        assert!(counters.plan_flush(3 * FLUSH_INTERVAL_MS));
    }

    #[test]
    fn unwritten_counts_are_added_to_later_ones() {
        let counters = Counters::default();
        let count = |bytes_in, bytes_stored, took_ms| {
            counters.add(7, Area::Files, Outcome::Stored, Counts::one(bytes_in, bytes_stored));
            counters.count(Metric::BytesIn, bytes_in);
            counters.count(Metric::Reuse, 0);
            counters.time(Stage::Whole, took_ms);
        };
        count(5, 3, 1);
        let taken = counters.take();
        count(1, 1, 7);
        counters.put_back(taken);
        let batch = counters.take();
        let expected = Counts { count: 2, bytes_in: 6, bytes_stored: 4 };
        assert_eq!(batch.hours.into_values().collect::<Vec<_>>(), [expected]);
        assert_eq!(batch.totals.into_values().collect::<Vec<_>>(), [6], "nothing is no count");
        assert_eq!(batch.timings[&Stage::Whole].sum_ms, 8);
        assert!(counters.take().is_empty());
    }
}
