//! Who uploads: owners of registered pictures, whoever has the most bytes first.

use http::StatusCode;
use serde::Serialize;

use super::{Desk, query::Query};
use crate::{
    app::Ports,
    error::Failure,
    registry::Annals,
    response::{Answer, timestamp},
    route::Body,
    stats::HOUR_MS,
};

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

impl<P: Ports> Desk<'_, P> {
    pub(super) async fn uploaders(&self, query: Query) -> Result<Answer<Body<P>>, Failure> {
        let since_ms = self.app.ports.now_ms().saturating_sub(query.hours * HOUR_MS);
        let found = self.app.ports.registry().uploaders(since_ms, query.limit).await?;
        let uploaders = found.into_iter().map(|one| Uploader {
            user_id: one.owner,
            count: one.count,
            bytes: one.bytes,
            last_at: timestamp(one.last_ms),
        });
        let data = Uploaders { hours: query.hours, uploaders: uploaders.collect() };
        Ok(self.tell(StatusCode::OK, "list_uploaders_success", &data))
    }
}
