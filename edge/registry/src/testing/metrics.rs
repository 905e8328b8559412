//! Counters and alerts in memory.

use super::FakeRegistry;
use crate::{
    AlertState, CounterBatch, ImageStore, MetricsSnapshot, MetricsStore, Registry, RegistryError,
    Total, Unreported,
};

impl FakeRegistry {
    pub(super) fn add_sums(&self, sums: &CounterBatch) {
        let mut there = self.metrics.borrow_mut();
        for more in &sums.totals {
            let same = |it: &&mut Total| (&it.name, &it.labels) == (&more.name, &more.labels);
            match there.totals.iter_mut().find(same) {
                Some(total) => total.total += more.total,
                None => there.totals.push(more.clone()),
            }
        }
        for more in &sums.timings {
            if let Some(timing) = there.timings.iter_mut().find(|it| it.stage == more.stage) {
                timing.sum_ms += more.sum_ms;
                for (count, more) in timing.counts.iter_mut().zip(&more.counts) {
                    *count += more;
                }
            } else {
                there.timings.push(more.clone());
            }
        }
        there.isolates.retain(|isolate| isolate.id != sums.isolate.id);
        there.isolates.push(sums.isolate.clone());
    }
}

impl MetricsStore for FakeRegistry {
    async fn metrics_snapshot(
        &self,
        now_ms: u64,
        isolates_since_ms: u64,
    ) -> Result<MetricsSnapshot, RegistryError> {
        self.probe().await?;
        let mut metrics = self.metrics.borrow().clone();
        metrics
            .totals
            .sort_by(|one, other| (&one.name, &one.labels).cmp(&(&other.name, &other.labels)));
        metrics.isolates.retain(|isolate| isolate.at_ms >= isolates_since_ms);
        metrics.swept_ms = self.job_cursor("finished").await?.parse().unwrap_or(0);
        let events = self.events.borrow();
        let is_in_force = |at: usize| {
            let ban = &events[at];
            let later = |kind: &str| {
                events[at + 1..].iter().any(|it| it.kind == kind && it.subject == ban.subject)
            };
            ban.kind == "ban" && ban.until_ms > Some(now_ms) && !later("lift") && !later("ban")
        };
        metrics.bans = (0..events.len()).filter(|at| is_in_force(*at)).count() as u64;
        Ok(metrics)
    }

    async fn delete_isolates(&self, before_ms: u64) -> Result<(), RegistryError> {
        self.metrics.borrow_mut().isolates.retain(|isolate| isolate.at_ms >= before_ms);
        self.probe().await
    }

    async fn unreported(&self) -> Result<Unreported, RegistryError> {
        self.probe().await?;
        let totals = self.metrics.borrow().totals.clone();
        let alerts = self.alerts.borrow();
        let state = |(kind, (since_ms, next_ms)): (&String, &(u64, u64))| AlertState {
            kind: kind.clone(),
            since_ms: *since_ms,
            next_ms: *next_ms,
        };
        Ok(Unreported {
            totals: totals.into_iter().filter(|total| total.unreported() > 0).collect(),
            alert_states: alerts.iter().map(state).collect(),
        })
    }

    async fn lease_alert(
        &self,
        kind: &str,
        seen_next_ms: u64,
        next_ms: u64,
    ) -> Result<bool, RegistryError> {
        self.probe().await?;
        let mut alerts = self.alerts.borrow_mut();
        let alert = alerts.entry(kind.to_owned()).or_default();
        let is_claimed = alert.1 == seen_next_ms;
        if is_claimed {
            alert.1 = next_ms;
        }
        Ok(is_claimed)
    }

    async fn mark_reported(
        &self,
        state: &AlertState,
        reported: &[Total],
    ) -> Result<(), RegistryError> {
        self.probe().await?;
        let AlertState { kind, since_ms, next_ms } = state.clone();
        self.alerts.borrow_mut().insert(kind, (since_ms, next_ms));
        for total in &mut self.metrics.borrow_mut().totals {
            let same = |it: &&Total| (&it.name, &it.labels) == (&total.name, &total.labels);
            if let Some(reported) = reported.iter().find(same) {
                total.reported = reported.total;
            }
        }
        Ok(())
    }

    async fn mark_all_reported(&self) -> Result<(), RegistryError> {
        for total in &mut self.metrics.borrow_mut().totals {
            total.reported = total.total;
        }
        self.probe().await
    }
}
