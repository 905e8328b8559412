//! Sums and alerts in memory.

use super::MemoryRegistry;
use crate::registry::{
    AlertStanding, Catalogue, Meters, Readings, Registry, RegistryFault, Sums, Total, Untold,
};

impl MemoryRegistry {
    pub(super) fn add_sums(&self, sums: &Sums) {
        let mut there = self.readings.borrow_mut();
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

impl Meters for MemoryRegistry {
    async fn meters(&self, now_ms: u64, isolates_since_ms: u64) -> Result<Readings, RegistryFault> {
        self.probe().await?;
        let mut readings = self.readings.borrow().clone();
        readings
            .totals
            .sort_by(|one, other| (&one.name, &one.labels).cmp(&(&other.name, &other.labels)));
        readings.isolates.retain(|isolate| isolate.at_ms >= isolates_since_ms);
        readings.swept_ms = self.mark("finished").await?.parse().unwrap_or(0);
        let events = self.events.borrow();
        let is_in_force = |at: usize| {
            let ban = &events[at];
            let later = |kind: &str| {
                events[at + 1..].iter().any(|it| it.kind == kind && it.subject == ban.subject)
            };
            ban.kind == "ban" && ban.until_ms > Some(now_ms) && !later("lift") && !later("ban")
        };
        readings.bans = (0..events.len()).filter(|at| is_in_force(*at)).count() as u64;
        Ok(readings)
    }

    async fn forget_isolates(&self, before_ms: u64) -> Result<(), RegistryFault> {
        self.readings.borrow_mut().isolates.retain(|isolate| isolate.at_ms >= before_ms);
        self.probe().await
    }

    async fn untold(&self) -> Result<Untold, RegistryFault> {
        self.probe().await?;
        let totals = self.readings.borrow().totals.clone();
        let alerts = self.alerts.borrow();
        let standing = |(kind, (since_ms, free_ms)): (&String, &(u64, u64))| AlertStanding {
            kind: kind.clone(),
            since_ms: *since_ms,
            free_ms: *free_ms,
        };
        Ok(Untold {
            totals: totals.into_iter().filter(|total| total.untold() > 0).collect(),
            standings: alerts.iter().map(standing).collect(),
        })
    }

    async fn claim(
        &self,
        kind: &str,
        seen_free_ms: u64,
        free_ms: u64,
    ) -> Result<bool, RegistryFault> {
        self.probe().await?;
        let mut alerts = self.alerts.borrow_mut();
        let alert = alerts.entry(kind.to_owned()).or_default();
        let is_claimed = alert.1 == seen_free_ms;
        if is_claimed {
            alert.1 = free_ms;
        }
        Ok(is_claimed)
    }

    async fn settle(&self, standing: &AlertStanding, told: &[Total]) -> Result<(), RegistryFault> {
        self.probe().await?;
        let AlertStanding { kind, since_ms, free_ms } = standing.clone();
        self.alerts.borrow_mut().insert(kind, (since_ms, free_ms));
        for total in &mut self.readings.borrow_mut().totals {
            let same = |it: &&Total| (&it.name, &it.labels) == (&total.name, &total.labels);
            if let Some(told) = told.iter().find(same) {
                total.told = told.total;
            }
        }
        Ok(())
    }

    async fn settle_all(&self) -> Result<(), RegistryFault> {
        for total in &mut self.readings.borrow_mut().totals {
            total.told = total.total;
        }
        self.probe().await
    }
}
