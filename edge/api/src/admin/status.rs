//! Which components work, what is deployed, and how much each area has served in the last day.

use std::collections::BTreeMap;

use edge_registry::{AuditStore, RegistryError};
use edge_types::log;
use http::StatusCode;
use serde::Serialize;

use super::AdminRequest;
use crate::{
    health,
    jobs::{self, HOUR_MS},
    ports::Ports,
    readiness::Readiness,
    response::HandlerResult,
    telemetry::{Area, Outcome},
};

const DAY_HOURS: u64 = 24;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    parts: Readiness,
    version: &'static str,
    deployment: Option<Deployed>,
    /// [`None`] when the database fails, which `parts` shows.
    requests: Option<Requests>,
}

#[derive(Serialize)]
struct Deployed {
    id: String,
    tag: String,
    since: String,
}

#[derive(Serialize)]
struct Requests {
    hours: u64,
    total: u64,
    areas: BTreeMap<&'static str, Served>,
}

#[derive(Default, Serialize)]
struct Served {
    served: u64,
    refused: u64,
}

impl<P: Ports> AdminRequest<'_, P> {
    pub async fn status(&self) -> HandlerResult<P> {
        let parts = health::probe(self.app).await;
        let requests = self.requests().await;
        if let Err(error) = &requests {
            log::error("counts_unread", &[("cause", &error.to_string())]);
        }
        let deployment = self.app.ports.deployment().map(|it| Deployed {
            id: it.id,
            tag: it.tag,
            since: it.since,
        });
        let data = Status {
            parts,
            version: env!("CARGO_PKG_VERSION"),
            deployment,
            requests: requests.ok(),
        };
        Ok(self.success(StatusCode::OK, "get_status_success", &data))
    }

    async fn requests(&self) -> Result<Requests, RegistryError> {
        jobs::flush(&self.app.ports, &self.app.isolate).await;
        let now_hour = self.app.ports.now_ms() / HOUR_MS;
        let counts = self.app.ports.registry().counts(now_hour + 1 - DAY_HOURS).await?;
        let mut areas: BTreeMap<_, Served> =
            Area::requests().map(|area| (area.into_str(), Served::default())).collect();
        let mut total = 0;
        for count in counts {
            let Some(area) = areas.get_mut(count.area.as_str()) else { continue };
            let is_served = count.code == Outcome::Served.name();
            *if is_served { &mut area.served } else { &mut area.refused } += count.count;
            total += count.count;
        }
        Ok(Requests { hours: DAY_HOURS, total, areas })
    }
}
