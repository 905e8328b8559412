//! Counts by the hour and audit events on D1.

use edge_registry::{
    AuditStore, CounterBatch, EventQuery, HourCount, HourUploaders, RegistryError, StoredEvent,
    Uploader,
};
use worker::D1Type;

use super::{D1Registry, before, json, number};

// One statement for all rows, which are one JSON value.
const ADD_COUNTS: &str = "INSERT INTO hour_counts (hour, area, code, count, bytes_in, bytes_stored) \
     SELECT value ->> 'hour', value ->> 'area', value ->> 'code', value ->> 'count', \
     value ->> 'bytes_in', value ->> 'bytes_stored' FROM json_each(?1) WHERE true \
     ON CONFLICT (hour, area, code) DO UPDATE SET count = count + excluded.count, \
     bytes_in = bytes_in + excluded.bytes_in, bytes_stored = bytes_stored + excluded.bytes_stored";
const DELETE_COUNTS: &str = "DELETE FROM hour_counts WHERE hour < ?1";
// The oldest events have the lowest numbers, so those after the first batch need not be read.
const DELETE_EVENTS: &str = "DELETE FROM events WHERE at_ms < ?1 AND id IN (SELECT id FROM events \
     WHERE kind <> 'ban' OR until_ms <= ?2 ORDER BY id LIMIT ?3)";
const COUNTS: &str = "SELECT * FROM hour_counts WHERE hour >= ?1 ORDER BY hour, area, code";
const DELETE_HOURS: &str = "DELETE FROM image_hours WHERE hour < ?1";
const MARK_HOUR: &str = "INSERT INTO image_hours (hour, last_image_id) \
     SELECT ?1, COALESCE(MAX(id), 0) FROM images WHERE true ON CONFLICT (hour) DO NOTHING";
// An image is added after it was created, so those of an hour and later have higher numbers than any that was there before
// the hour began. With an index, SQLite would scan all images.
const UPLOADERS_BY_HOUR: &str = "SELECT created_ms / 3600000 AS hour, \
     COUNT(DISTINCT owner) AS uploaders FROM images NOT INDEXED \
     WHERE id > COALESCE((SELECT last_image_id \
     FROM image_hours WHERE hour <= ?1 / 3600000 ORDER BY hour DESC LIMIT 1), 0) \
     AND created_ms >= ?1 GROUP BY 1 ORDER BY 1";
const UPLOADERS: &str = "SELECT owner, COUNT(*) AS count, SUM(size_bytes) AS bytes, \
     MAX(created_ms) AS last_ms FROM images NOT INDEXED \
     WHERE id > COALESCE((SELECT last_image_id \
     FROM image_hours WHERE hour <= ?1 / 3600000 ORDER BY hour DESC LIMIT 1), 0) \
     AND created_ms >= ?1 GROUP BY owner ORDER BY bytes DESC, last_ms DESC LIMIT ?2";
const COUNT_UPLOADERS: &str = "SELECT COUNT(DISTINCT owner) AS count FROM images NOT INDEXED \
     WHERE id > COALESCE((SELECT last_image_id \
     FROM image_hours WHERE hour <= ?1 / 3600000 ORDER BY hour DESC LIMIT 1), 0) \
     AND created_ms >= ?1";
const EVENTS: &str = "SELECT * FROM events WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
const EVENTS_OF_KIND: &str =
    "SELECT * FROM events WHERE id < ?1 AND kind = ?3 ORDER BY id DESC LIMIT ?2";
// With MAX, SQLite takes the other columns from the row that has the maximum.
const BANS: &str = "SELECT MAX(id) AS id, at_ms, kind, subject, reason, until_ms, detail \
     FROM events WHERE kind = 'ban' AND until_ms > ?1 GROUP BY subject ORDER BY 1 DESC LIMIT ?2";

impl AuditStore for D1Registry {
    async fn add_counts(&self, batch: &CounterBatch) -> Result<(), RegistryError> {
        let mut statements = self.metric_statements(batch)?;
        statements.push(self.bind(ADD_COUNTS, &[D1Type::Text(&json(&batch.hours)?)])?);
        self.batch(statements).await.map(|_| ())
    }

    async fn delete_counts(&self, before_hour: u64) -> Result<(), RegistryError> {
        let statements = vec![
            self.bind(DELETE_COUNTS, &[number(before_hour)])?,
            self.bind(DELETE_HOURS, &[number(before_hour)])?,
        ];
        self.batch(statements).await.map(|_| ())
    }

    async fn mark_hour(&self, hour: u64) -> Result<(), RegistryError> {
        self.run(MARK_HOUR, &[number(hour)]).await
    }

    async fn delete_events(
        &self,
        before_ms: u64,
        now_ms: u64,
        limit: u32,
    ) -> Result<(), RegistryError> {
        let values = [number(before_ms), number(now_ms), number(limit.into())];
        self.run(DELETE_EVENTS, &values).await
    }

    async fn counts(&self, since_hour: u64) -> Result<Vec<HourCount>, RegistryError> {
        self.rows(COUNTS, &[number(since_hour)]).await
    }

    async fn uploaders_by_hour(&self, since_ms: u64) -> Result<Vec<HourUploaders>, RegistryError> {
        self.rows(UPLOADERS_BY_HOUR, &[number(since_ms)]).await
    }

    async fn uploaders(&self, since_ms: u64, limit: u32) -> Result<Vec<Uploader>, RegistryError> {
        self.rows(UPLOADERS, &[number(since_ms), number(limit.into())]).await
    }

    async fn count_uploaders(&self, since_ms: u64) -> Result<u64, RegistryError> {
        self.count(COUNT_UPLOADERS, &[number(since_ms)]).await
    }

    async fn events(&self, query: EventQuery<'_>) -> Result<Vec<StoredEvent>, RegistryError> {
        let (before, limit) = (before(query.before), number(query.limit.into()));
        match query.kind {
            None => self.rows(EVENTS, &[before, limit]).await,
            Some(kind) => self.rows(EVENTS_OF_KIND, &[before, limit, D1Type::Text(kind)]).await,
        }
    }

    async fn bans(&self, now_ms: u64, limit: u32) -> Result<Vec<StoredEvent>, RegistryError> {
        self.rows(BANS, &[number(now_ms), number(limit.into())]).await
    }
}
