//! Events for the back end, and the state of its endpoint, on D1.

use edge_registry::{
    EndpointTrouble, EventRecord, FailedDelivery, FailedEvent, FailedEvents, RegistryError,
    WebhookStore,
};
use edge_types::UserId;
use worker::{D1PreparedStatement, D1Type};

use super::{D1Registry, FoundRow, json, number};

const ENDPOINT: &str = "SELECT * FROM webhook_endpoint";
const TAKE_PROBE: &str = "UPDATE webhook_endpoint SET next_probe_ms = ?2 \
     WHERE next_probe_ms <= ?1 AND stopped_ms IS NULL RETURNING only_row";
const END_TROUBLE: &str = "DELETE FROM webhook_endpoint";
// The pause doubles from 5 s to half an hour; after the first failure there is none.
const NOTE_TROUBLE: &str = "INSERT INTO webhook_endpoint (only_row, failures, failing_since_ms, \
     last_failure_ms, last_error, next_probe_ms, stopped_ms) VALUES (1, 1, ?1, ?1, ?2, ?1, ?3) \
     ON CONFLICT (only_row) DO UPDATE SET failures = failures + 1, \
     last_failure_ms = excluded.last_failure_ms, last_error = excluded.last_error, \
     next_probe_ms = ?1 + MIN(5000 << MIN(failures - 1, 9), 1800000), \
     stopped_ms = COALESCE(stopped_ms, excluded.stopped_ms)";
const NOTE_FAILURE: &str = "INSERT INTO webhook_events (id, state, event_type, subject, stream, \
     body, tries, last_error, created_ms, changed_ms, next_ms) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10) ON CONFLICT (id) DO UPDATE SET \
     state = excluded.state, body = excluded.body, tries = excluded.tries, \
     last_error = excluded.last_error, changed_ms = excluded.changed_ms, \
     next_ms = excluded.next_ms";
const FORGET: &str = "DELETE FROM webhook_events WHERE id = ?1 AND state = 'failed'";
const FORGET_NEW: &str = "DELETE FROM webhook_events WHERE id = ?1 AND state = 'new'";
const NEW: &str = "SELECT id, event_type, subject, stream, body, created_ms FROM webhook_events \
     WHERE state = 'new' ORDER BY changed_ms, id LIMIT ?1";
const FAILED: &str = "SELECT id, event_type, subject, body, tries, last_error, created_ms, \
     changed_ms, next_ms FROM webhook_events WHERE state <> 'new' \
     ORDER BY changed_ms DESC LIMIT ?1";
const UNDELIVERED: &str = "SELECT id, event_type, subject, stream, body, created_ms \
     FROM webhook_events WHERE json_extract(body, '$.data.userId') = ?1 \
     ORDER BY created_ms, id LIMIT ?2";
const COUNT: &str = "SELECT COALESCE(SUM(state = 'failed'), 0) AS failed, \
     COALESCE(SUM(state = 'dead'), 0) AS dead FROM webhook_events WHERE state <> 'new'";
const RENEW: &str = "UPDATE webhook_events SET state = 'new' \
     WHERE state <> 'new' AND id IN (SELECT value FROM json_each(?1)) RETURNING id";
const RENEW_ALL: &str = "UPDATE webhook_events SET state = 'new' WHERE id IN \
     (SELECT id FROM webhook_events WHERE state <> 'new' ORDER BY changed_ms LIMIT ?1) RETURNING id";
// A failed event that was not tried when it should have been was delivered, and the note of that got lost.
const DELETE_DEAD: &str = "DELETE FROM webhook_events WHERE state = 'dead' AND changed_ms < ?1 \
     OR state = 'failed' AND next_ms < ?1";

/// Adds an event where a statement finds a row. Its values are the first six.
pub(super) const ADD_EVENT_WHERE: &str = "INSERT INTO webhook_events (id, state, event_type, \
     subject, stream, body, tries, last_error, created_ms, changed_ms) \
     SELECT ?1, 'new', ?2, ?3, ?4, ?5, 0, '', ?6, ?6 WHERE ";

impl WebhookStore for D1Registry {
    async fn endpoint(&self) -> Result<Option<EndpointTrouble>, RegistryError> {
        self.first(ENDPOINT, &[]).await
    }

    async fn take_probe(&self, now_ms: u64, until_ms: u64) -> Result<bool, RegistryError> {
        let taken: Option<FoundRow> =
            self.first(TAKE_PROBE, &[number(now_ms), number(until_ms)]).await?;
        Ok(taken.is_some())
    }

    async fn note_delivery(&self, id: &str, works: bool) -> Result<(), RegistryError> {
        let mut statements = vec![self.bind(FORGET, &[D1Type::Text(id)])?];
        if works {
            statements.push(self.bind(END_TROUBLE, &[])?);
        }
        self.batch(statements).await.map(|_| ())
    }

    async fn note_failure(&self, failure: &FailedDelivery<'_>) -> Result<(), RegistryError> {
        let FailedDelivery { event, tries, error, now_ms, next_ms, is_gone } = *failure;
        let state = if next_ms.is_some() { "failed" } else { "dead" };
        let values = [
            D1Type::Text(&event.id),
            D1Type::Text(state),
            D1Type::Text(&event.event_type),
            D1Type::Text(&event.subject),
            D1Type::Text(&event.stream),
            D1Type::Text(&event.body),
            number(tries.into()),
            D1Type::Text(error),
            number(now_ms),
            next_ms.map_or(D1Type::Null, number),
        ];
        let stopped = if is_gone { number(now_ms) } else { D1Type::Null };
        let statements = vec![
            self.bind(NOTE_FAILURE, &values)?,
            self.bind(NOTE_TROUBLE, &[number(now_ms), D1Type::Text(error), stopped])?,
        ];
        self.batch(statements).await.map(|_| ())
    }

    async fn end_trouble(&self) -> Result<(), RegistryError> {
        self.run(END_TROUBLE, &[]).await
    }

    async fn new_events(&self, limit: u32) -> Result<Vec<EventRecord>, RegistryError> {
        self.rows(NEW, &[number(limit.into())]).await
    }

    async fn forget_new_event(&self, id: &str) -> Result<(), RegistryError> {
        self.run(FORGET_NEW, &[D1Type::Text(id)]).await
    }

    async fn failed_events(&self, limit: u32) -> Result<Vec<FailedEvent>, RegistryError> {
        self.rows(FAILED, &[number(limit.into())]).await
    }

    async fn undelivered_events_of(
        &self,
        user: &UserId,
        limit: u32,
    ) -> Result<Vec<EventRecord>, RegistryError> {
        self.rows(UNDELIVERED, &[D1Type::Text(user.as_str()), number(limit.into())]).await
    }

    async fn count_failed_events(&self) -> Result<FailedEvents, RegistryError> {
        Ok(self.first(COUNT, &[]).await?.unwrap_or_default())
    }

    async fn renew_events(&self, ids: Option<&[String]>, limit: u32) -> Result<u64, RegistryError> {
        let renewed: Vec<FoundRow> = match ids {
            Some(ids) => self.rows(RENEW, &[D1Type::Text(&json(&ids)?)]).await?,
            None => self.rows(RENEW_ALL, &[number(limit.into())]).await?,
        };
        Ok(renewed.len() as u64)
    }

    async fn delete_dead_events(&self, before_ms: u64) -> Result<(), RegistryError> {
        self.run(DELETE_DEAD, &[number(before_ms)]).await
    }
}

impl D1Registry {
    /// Adds an event when the condition finds a row, whose values follow those of the event.
    pub(super) fn add_event(
        &self,
        event: &EventRecord,
        condition: &str,
        values: &[&str],
    ) -> Result<D1PreparedStatement, RegistryError> {
        let mut all = vec![
            D1Type::Text(&event.id),
            D1Type::Text(&event.event_type),
            D1Type::Text(&event.subject),
            D1Type::Text(&event.stream),
            D1Type::Text(&event.body),
            number(event.created_ms),
        ];
        all.extend(values.iter().map(|value| D1Type::Text(value)));
        let sql = format!("{ADD_EVENT_WHERE}{condition} ON CONFLICT (id) DO NOTHING");
        self.bind(&sql, &all)
    }
}
