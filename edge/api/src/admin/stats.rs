//! Files by hour: how many were stored, repeated and refused with which code, their bytes, and how many users uploaded.

use std::collections::BTreeMap;

use edge_registry::{AuditStore, HourCount};
use edge_types::timestamp;
use http::StatusCode;
use serde::Serialize;

use super::{AdminRequest, query::Query};
use crate::{
    jobs::{self, HOUR_MS},
    ports::Ports,
    response::HandlerResult,
    telemetry::Area,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    hours: u64,
    /// One for each hour, the oldest first; the last one is not over yet.
    series: Vec<Hour>,
    totals: Sums,
}

#[derive(Serialize)]
struct Hour {
    hour: String,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sums {
    /// Files by outcome: a public code, `STORED` or `REPEATED`.
    codes: BTreeMap<String, u64>,
    bytes_in: u64,
    bytes_stored: u64,
    /// Users who registered an image. An image of a guest counts when it is claimed.
    uploaders: u64,
}

impl Sums {
    fn add(&mut self, count: &HourCount) {
        *self.codes.entry(count.code.clone()).or_default() += count.count;
        self.bytes_in += count.bytes_in;
        self.bytes_stored += count.bytes_stored;
    }
}

impl<P: Ports> AdminRequest<'_, P> {
    pub async fn stats(&self, query: &Query) -> HandlerResult<P> {
        jobs::flush(&self.app.ports, &self.app.isolate).await;
        let registry = self.app.ports.registry();
        let last = self.app.ports.now_ms() / HOUR_MS;
        let first = last + 1 - query.hours;
        let mut hours: BTreeMap<u64, Sums> =
            (first..=last).map(|hour| (hour, Sums::default())).collect();
        let mut totals = Sums::default();
        for count in registry.counts(first).await? {
            if count.area == Area::Files.into_str()
                && let Some(sums) = hours.get_mut(&count.hour)
            {
                sums.add(&count);
                totals.add(&count);
            }
        }
        for found in registry.uploaders_by_hour(first * HOUR_MS).await? {
            if let Some(sums) = hours.get_mut(&found.hour) {
                sums.uploaders = found.uploaders;
            }
        }
        totals.uploaders = registry.count_uploaders(first * HOUR_MS).await?;
        let hour = |(hour, sums)| Hour { hour: timestamp(hour * HOUR_MS), sums };
        let series = hours.into_iter().map(hour).collect();
        let data = Stats { hours: query.hours, series, totals };
        Ok(self.success(StatusCode::OK, "get_stats_success", &data))
    }
}
