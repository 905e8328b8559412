//! Counters, durations and the state of alerts on D1.

use edge_registry::{
    AlertState, CounterBatch, IsolateMemory, MetricsSnapshot, MetricsStore, RegistryError, Timing,
    Total, Unreported,
};
use serde::Deserialize;
use worker::{D1PreparedStatement, D1Type};

use super::{D1Registry, json, number};

// One statement for each table: its rows are one JSON value.
const ADD_TOTALS: &str = "INSERT INTO totals (name, labels, total) \
     SELECT value ->> 'name', value ->> 'labels', value ->> 'total' FROM json_each(?1) WHERE true \
     ON CONFLICT (name, labels) DO UPDATE SET total = total + excluded.total";
const ADD_TIMINGS: &str = "INSERT INTO timings \
     SELECT value ->> '$.stage', value ->> '$.sum_ms', \
     value ->> '$.counts[0]', value ->> '$.counts[1]', value ->> '$.counts[2]', \
     value ->> '$.counts[3]', value ->> '$.counts[4]', value ->> '$.counts[5]', \
     value ->> '$.counts[6]', value ->> '$.counts[7]', value ->> '$.counts[8]', \
     value ->> '$.counts[9]', value ->> '$.counts[10]', value ->> '$.counts[11]' \
     FROM json_each(?1) WHERE true \
     ON CONFLICT (stage) DO UPDATE SET sum_ms = sum_ms + excluded.sum_ms, \
     up_to_5 = up_to_5 + excluded.up_to_5, up_to_10 = up_to_10 + excluded.up_to_10, \
     up_to_25 = up_to_25 + excluded.up_to_25, up_to_50 = up_to_50 + excluded.up_to_50, \
     up_to_100 = up_to_100 + excluded.up_to_100, up_to_250 = up_to_250 + excluded.up_to_250, \
     up_to_500 = up_to_500 + excluded.up_to_500, up_to_1000 = up_to_1000 + excluded.up_to_1000, \
     up_to_2500 = up_to_2500 + excluded.up_to_2500, up_to_5000 = up_to_5000 + excluded.up_to_5000, \
     up_to_10000 = up_to_10000 + excluded.up_to_10000, \
     above_10000 = above_10000 + excluded.above_10000";
const SET_ISOLATE: &str = "INSERT INTO isolates (id, at_ms, used_bytes, peak_bytes, wasm_bytes) \
     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms, \
     used_bytes = excluded.used_bytes, peak_bytes = excluded.peak_bytes, \
     wasm_bytes = excluded.wasm_bytes";
const DELETE_ISOLATES: &str = "DELETE FROM isolates WHERE at_ms < ?1";

const TOTALS: &str = "SELECT name, labels, total, reported FROM totals ORDER BY name, labels";
const TIMINGS: &str = "SELECT stage, sum_ms, json_array(up_to_5, up_to_10, up_to_25, up_to_50, \
     up_to_100, up_to_250, up_to_500, up_to_1000, up_to_2500, up_to_5000, up_to_10000, above_10000) \
     AS counts FROM timings ORDER BY stage";
const ISOLATES: &str = "SELECT * FROM isolates WHERE at_ms >= ?1";
const COUNT_BANS: &str = "SELECT COUNT(*) AS bans FROM (SELECT subject, MAX(id) AS id FROM events \
     WHERE kind = 'ban' AND until_ms > ?1 GROUP BY subject) AS ban WHERE NOT EXISTS \
     (SELECT 1 FROM events WHERE subject = ban.subject AND kind = 'lift' AND id > ban.id)";
const SWEPT: &str =
    "SELECT CAST(cursor AS INTEGER) AS swept_ms FROM job_cursors WHERE job = 'finished'";

const UNREPORTED: &str = "SELECT name, labels, total, reported FROM totals WHERE total > reported";
const ALERT_STATES: &str = "SELECT * FROM alert_states";
const LEASE_ALERT: &str = "INSERT INTO alert_states (kind, since_ms, next_ms) VALUES (?1, 0, ?3) \
     ON CONFLICT (kind) DO UPDATE SET next_ms = ?3 WHERE next_ms = ?2 RETURNING kind";
const SET_ALERT_STATE: &str = "INSERT INTO alert_states (kind, since_ms, next_ms) \
     VALUES (?1, ?2, ?3) ON CONFLICT (kind) DO UPDATE SET since_ms = ?2, next_ms = ?3";
const MARK_REPORTED: &str = "UPDATE totals SET reported = \
     (SELECT value ->> 'total' FROM json_each(?1) \
     WHERE value ->> 'name' = totals.name AND value ->> 'labels' = totals.labels) \
     WHERE (name, labels) IN (SELECT value ->> 'name', value ->> 'labels' FROM json_each(?1))";
const MARK_ALL_REPORTED: &str = "UPDATE totals SET reported = total WHERE reported < total";

#[derive(Deserialize)]
struct TimingRow {
    stage: String,
    sum_ms: u64,
    /// A JSON array.
    counts: String,
}

impl TimingRow {
    fn timing(self) -> Result<Timing, RegistryError> {
        let counts = serde_json::from_str(&self.counts);
        let counts = counts.map_err(|error| RegistryError(error.to_string()))?;
        Ok(Timing { stage: self.stage, sum_ms: self.sum_ms, counts })
    }
}

#[derive(Deserialize)]
struct BansRow {
    bans: u64,
}

#[derive(Deserialize)]
struct SweptRow {
    swept_ms: u64,
}

#[derive(Deserialize)]
struct KindRow {
    #[serde(rename = "kind")]
    _kind: String,
}

impl D1Registry {
    /// The statements that add a batch, apart from the counts of hours.
    pub(super) fn metric_statements(
        &self,
        batch: &CounterBatch,
    ) -> Result<Vec<D1PreparedStatement>, RegistryError> {
        let IsolateMemory { id, at_ms, used_bytes, peak_bytes, wasm_bytes } = &batch.isolate;
        let isolate = [
            D1Type::Text(id),
            number(*at_ms),
            number(*used_bytes),
            number(*peak_bytes),
            number(*wasm_bytes),
        ];
        Ok(vec![
            self.bind(ADD_TOTALS, &[D1Type::Text(&json(&batch.totals)?)])?,
            self.bind(ADD_TIMINGS, &[D1Type::Text(&json(&batch.timings)?)])?,
            self.bind(SET_ISOLATE, &isolate)?,
        ])
    }
}

impl MetricsStore for D1Registry {
    async fn metrics_snapshot(
        &self,
        now_ms: u64,
        isolates_since_ms: u64,
    ) -> Result<MetricsSnapshot, RegistryError> {
        let statements = vec![
            self.0.prepare(TOTALS),
            self.0.prepare(TIMINGS),
            self.bind(ISOLATES, &[number(isolates_since_ms)])?,
            self.bind(COUNT_BANS, &[number(now_ms)])?,
            self.0.prepare(SWEPT),
        ];
        let results = self.batch(statements).await?;
        let timings = results.rows(1)?.into_iter().map(TimingRow::timing);
        Ok(MetricsSnapshot {
            totals: results.rows(0)?,
            timings: timings.collect::<Result<_, _>>()?,
            isolates: results.rows(2)?,
            bans: results.rows::<BansRow>(3)?.first().map_or(0, |row| row.bans),
            swept_ms: results.rows::<SweptRow>(4)?.first().map_or(0, |row| row.swept_ms),
        })
    }

    async fn delete_isolates(&self, before_ms: u64) -> Result<(), RegistryError> {
        self.run(DELETE_ISOLATES, &[number(before_ms)]).await
    }

    async fn unreported(&self) -> Result<Unreported, RegistryError> {
        let statements = vec![self.0.prepare(UNREPORTED), self.0.prepare(ALERT_STATES)];
        let results = self.batch(statements).await?;
        Ok(Unreported { totals: results.rows(0)?, alert_states: results.rows(1)? })
    }

    async fn lease_alert(
        &self,
        kind: &str,
        seen_next_ms: u64,
        next_ms: u64,
    ) -> Result<bool, RegistryError> {
        let values = [D1Type::Text(kind), number(seen_next_ms), number(next_ms)];
        let row: Option<KindRow> = self.first(LEASE_ALERT, &values).await?;
        Ok(row.is_some())
    }

    async fn mark_reported(
        &self,
        state: &AlertState,
        reported: &[Total],
    ) -> Result<(), RegistryError> {
        let AlertState { kind, since_ms, next_ms } = state;
        let values = [D1Type::Text(kind), number(*since_ms), number(*next_ms)];
        let statements = vec![
            self.bind(SET_ALERT_STATE, &values)?,
            self.bind(MARK_REPORTED, &[D1Type::Text(&json(&reported)?)])?,
        ];
        self.batch(statements).await.map(|_| ())
    }

    async fn mark_all_reported(&self) -> Result<(), RegistryError> {
        self.run(MARK_ALL_REPORTED, &[]).await
    }
}
