//! What happened: bans and their ends, and what sweeps found; newest first, page by page.

use http::StatusCode;
use serde::Serialize;

use super::{Desk, query::Query};
use crate::{
    app::Ports,
    error::Failure,
    registry::{Annals, EventsWanted, PastEvent},
    response::{Answer, timestamp},
    route::Body,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Events {
    events: Vec<Told>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Told {
    id: u64,
    at: String,
    kind: String,
    subject: String,
    reason: String,
    until: Option<String>,
    detail: Option<String>,
}

impl From<PastEvent> for Told {
    fn from(event: PastEvent) -> Self {
        Self {
            id: event.id,
            at: timestamp(event.at_ms),
            kind: event.kind,
            subject: event.subject,
            reason: event.reason,
            until: event.until_ms.map(timestamp),
            detail: event.detail,
        }
    }
}

impl<P: Ports> Desk<'_, P> {
    pub(super) async fn events(&self, query: Query) -> Result<Answer<Body<P>>, Failure> {
        let kind = query.kind.as_deref();
        // One more than asked for tells whether there is another page.
        let wanted = EventsWanted { before: query.cursor, kind, limit: query.limit + 1 };
        let mut events = self.app.ports.registry().events(wanted).await?;
        let has_more = events.len() > query.limit as usize;
        events.truncate(query.limit as usize);
        let next_cursor = events.last().filter(|_| has_more).map(|event| event.id.to_string());
        let data = Events { events: events.into_iter().map(Told::from).collect(), next_cursor };
        Ok(self.tell(StatusCode::OK, "list_events_success", &data))
    }
}
