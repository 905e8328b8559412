//! Sums and past events on a D1 database.

use serde::Deserialize;
use worker::D1Type;

use super::{D1Registry, in_time, meters::json, number, rows, text};
use crate::registry::{
    Annals, EventsWanted, HourCount, HourUploaders, MOST_WHOLE, PastEvent, RegistryFault, Sums,
    Uploader,
};

// One statement, however many rows: they come as one JSON value.
const ADD_COUNTS: &str = "INSERT INTO counts (hour, area, code, count, bytes_in, bytes_stored) \
     SELECT value ->> 'hour', value ->> 'area', value ->> 'code', value ->> 'count', \
     value ->> 'bytes_in', value ->> 'bytes_stored' FROM json_each(?1) WHERE true \
     ON CONFLICT (hour, area, code) DO UPDATE SET count = count + excluded.count, \
     bytes_in = bytes_in + excluded.bytes_in, bytes_stored = bytes_stored + excluded.bytes_stored";
const COUNTS: &str = "SELECT * FROM counts WHERE hour >= ?1 ORDER BY hour, area, code";
const UPLOADERS_BY_HOUR: &str = "SELECT created_ms / 3600000 AS hour, \
     COUNT(DISTINCT owner) AS uploaders FROM images WHERE created_ms >= ?1 GROUP BY 1 ORDER BY 1";
const UPLOADERS: &str = "SELECT owner, COUNT(*) AS count, SUM(size_bytes) AS bytes, \
     MAX(created_ms) AS last_ms FROM images WHERE created_ms >= ?1 \
     GROUP BY owner ORDER BY bytes DESC, last_ms DESC LIMIT ?2";
const COUNT_UPLOADERS: &str =
    "SELECT COUNT(DISTINCT owner) AS uploaders FROM images WHERE created_ms >= ?1";
const EVENTS: &str = "SELECT * FROM events WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
const EVENTS_OF: &str =
    "SELECT * FROM events WHERE id < ?1 AND kind = ?3 ORDER BY id DESC LIMIT ?2";
// Beside MAX, SQLite takes the other columns from the row that has it.
const BANS: &str = "SELECT MAX(id) AS id, at_ms, kind, subject, reason, until_ms, detail \
     FROM events WHERE kind = 'ban' AND until_ms > ?1 GROUP BY subject ORDER BY 1 DESC LIMIT ?2";

#[derive(Deserialize)]
struct UploadersRow {
    uploaders: u64,
}

impl Annals for D1Registry {
    async fn add_counts(&self, sums: &Sums) -> Result<(), RegistryFault> {
        let mut statements = self.adding(sums)?;
        statements.push(self.bind(ADD_COUNTS, &[D1Type::Text(&json(&sums.hours)?)])?);
        self.batch(statements).await.map(|_| ())
    }

    async fn forget_counts(&self, before_hour: u64) -> Result<(), RegistryFault> {
        let statement = self.bind("DELETE FROM counts WHERE hour < ?1", &[number(before_hour)])?;
        in_time(statement.run()).await.map(|_| ())
    }

    async fn counts(&self, since_hour: u64) -> Result<Vec<HourCount>, RegistryFault> {
        rows(self.bind(COUNTS, &[number(since_hour)])?).await
    }

    async fn uploaders_by_hour(&self, since_ms: u64) -> Result<Vec<HourUploaders>, RegistryFault> {
        rows(self.bind(UPLOADERS_BY_HOUR, &[number(since_ms)])?).await
    }

    async fn uploaders(&self, since_ms: u64, limit: u32) -> Result<Vec<Uploader>, RegistryFault> {
        rows(self.bind(UPLOADERS, &[number(since_ms), number(limit.into())])?).await
    }

    async fn count_uploaders(&self, since_ms: u64) -> Result<u64, RegistryFault> {
        let statement = self.bind(COUNT_UPLOADERS, &[number(since_ms)])?;
        let found: Option<UploadersRow> = in_time(statement.first(None)).await?;
        Ok(found.map_or(0, |row| row.uploaders))
    }

    async fn events(&self, wanted: EventsWanted<'_>) -> Result<Vec<PastEvent>, RegistryFault> {
        let before = number(wanted.before.map_or(MOST_WHOLE, |before| before.min(MOST_WHOLE)));
        let limit = number(wanted.limit.into());
        let statement = match wanted.kind {
            None => self.bind(EVENTS, &[before, limit])?,
            Some(_) => self.bind(EVENTS_OF, &[before, limit, text(wanted.kind)])?,
        };
        rows(statement).await
    }

    async fn bans(&self, now_ms: u64, limit: u32) -> Result<Vec<PastEvent>, RegistryFault> {
        rows(self.bind(BANS, &[number(now_ms), number(limit.into())])?).await
    }
}
