//! Lists audit events: bans, their ends, what sweeps found. Newest first, page by page.

use edge_registry::{AuditStore, EventQuery, StoredEvent};
use edge_types::timestamp;
use http::StatusCode;
use serde::Serialize;

use super::{AdminRequest, query::Query};
use crate::{ports::Ports, response::HandlerResult};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventList {
    events: Vec<ListedEvent>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct ListedEvent {
    id: u64,
    at: String,
    kind: String,
    subject: String,
    reason: String,
    until: Option<String>,
    detail: Option<String>,
}

impl From<StoredEvent> for ListedEvent {
    fn from(event: StoredEvent) -> Self {
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

impl<P: Ports> AdminRequest<'_, P> {
    pub async fn events(&self, query: &Query) -> HandlerResult<P> {
        let kind = query.kind.as_deref();
        // One more than requested shows whether there is another page.
        let event_query = EventQuery { before: query.cursor, kind, limit: query.limit + 1 };
        let mut events = self.app.ports.registry().events(event_query).await?;
        let has_more = events.len() > query.limit as usize;
        events.truncate(query.limit as usize);
        let next_cursor = events.last().filter(|_| has_more).map(|event| event.id.to_string());
        let events = events.into_iter().map(ListedEvent::from).collect();
        let data = EventList { events, next_cursor };
        Ok(self.success(StatusCode::OK, "list_events_success", &data))
    }
}
