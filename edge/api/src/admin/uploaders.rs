//! Lists owners of registered images, most bytes first.

use edge_registry::AuditStore;
use edge_types::timestamp;
use http::StatusCode;
use serde::Serialize;

use super::{AdminRequest, query::Query};
use crate::{jobs::HOUR_MS, ports::Ports, response::HandlerResult};

#[derive(Serialize)]
struct Uploaders {
    hours: u64,
    uploaders: Vec<Uploader>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Uploader {
    user_id: String,
    count: u64,
    bytes: u64,
    last_at: String,
}

impl<P: Ports> AdminRequest<'_, P> {
    pub async fn uploaders(&self, query: &Query) -> HandlerResult<P> {
        let since_ms = self.app.ports.now_ms().saturating_sub(query.hours * HOUR_MS);
        let found = self.app.ports.registry().uploaders(since_ms, query.limit).await?;
        let uploaders = found.into_iter().map(|one| Uploader {
            user_id: one.owner,
            count: one.count,
            bytes: one.bytes,
            last_at: timestamp(one.last_ms),
        });
        let data = Uploaders { hours: query.hours, uploaders: uploaders.collect() };
        Ok(self.success(StatusCode::OK, "list_uploaders_success", &data))
    }
}
