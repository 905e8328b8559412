//! Which parts work, what is deployed, and how much each area has served in the last day.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Serialize;

use super::Desk;
use crate::{
    app::Ports,
    error::Failure,
    health::{self, Readiness},
    log,
    registry::{Annals, RegistryFault},
    response::Answer,
    route::Body,
    stats::{self, Area, HOUR_MS},
};

const DAY_HOURS: u64 = 24;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    parts: Readiness,
    /// Of the source.
    version: &'static str,
    deployment: Option<Deployed>,
    /// Nothing when the registry does not answer: `parts` says so.
    requests: Option<Requests>,
}

#[derive(Serialize)]
struct Deployed {
    id: String,
    tag: String,
    since: String,
}

/// Requests of the last hours.
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

impl<P: Ports> Desk<'_, P> {
    pub(super) async fn status(&self) -> Result<Answer<Body<P>>, Failure> {
        let parts = health::probe(self.app).await;
        let requests = self.requests().await;
        if let Err(fault) = &requests {
            log::error("counts_unread", &[("cause", &fault.0)]);
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
        Ok(self.tell(StatusCode::OK, "get_status_success", &data))
    }

    async fn requests(&self) -> Result<Requests, RegistryFault> {
        stats::flush(&self.app.ports, &self.app.isolate).await;
        let now_hour = self.app.ports.now_ms() / HOUR_MS;
        let counts = self.app.ports.registry().counts(now_hour + 1 - DAY_HOURS).await?;
        let mut areas: BTreeMap<_, Served> =
            Area::REQUESTS.map(|area| (area.name(), Served::default())).into();
        let mut total = 0;
        for count in counts {
            let Some(area) = areas.get_mut(count.area.as_str()) else { continue };
            let is_served = count.code == stats::Outcome::Served.name();
            *if is_served { &mut area.served } else { &mut area.refused } += count.count;
            total += count.count;
        }
        Ok(Requests { hours: DAY_HOURS, total, areas })
    }
}
