//! Counters, durations and the state of alerts on D1.

use std::collections::BTreeMap;

use edge_registry::{
    AlertState, CounterBatch, IsolateMemory, MetricsSnapshot, MetricsStore, RegistryError, Timing,
    Total, Unreported,
};
use serde::Deserialize;
use worker::{D1PreparedStatement, D1Type};

use super::{D1Registry, FoundRow, json, no_row, number};

// One statement for each table: its rows are one JSON value.
const ADD_TOTALS: &str = "INSERT INTO totals (name, labels, total) \
     SELECT value ->> 'name', value ->> 'labels', value ->> 'total' FROM json_each(?1) WHERE true \
     ON CONFLICT (name, labels) DO UPDATE SET total = total + excluded.total";
// All histograms are one row: they change together, and each row that is written costs.
const ADD_TIMINGS: &str = "INSERT INTO timings (only_row, stages) VALUES (1, ?1) \
     ON CONFLICT (only_row) DO UPDATE SET stages = \
     (SELECT json_group_object(stage, json(numbers)) FROM \
     (SELECT stage, json_group_array(total) AS numbers FROM \
     (SELECT stage.key AS stage, number.key AS place, SUM(number.value) AS total FROM \
     (SELECT timings.stages AS stages UNION ALL SELECT excluded.stages) AS both, \
     json_each(both.stages) AS stage, json_each(stage.value) AS number \
     GROUP BY stage.key, number.key ORDER BY stage.key, number.key) GROUP BY stage))";
const SET_ISOLATE: &str = "INSERT INTO isolates (id, at_ms, used_bytes, peak_bytes, wasm_bytes) \
     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms, \
     used_bytes = excluded.used_bytes, peak_bytes = excluded.peak_bytes, \
     wasm_bytes = excluded.wasm_bytes";
const DELETE_ISOLATES: &str = "DELETE FROM isolates WHERE at_ms < ?1";

const TOTALS: &str = "SELECT name, labels, total, reported FROM totals ORDER BY name, labels";
const TIMINGS: &str = "SELECT stage.key AS stage, stage.value AS numbers \
     FROM timings, json_each(timings.stages) AS stage ORDER BY stage.key";
const ISOLATES: &str = "SELECT * FROM isolates WHERE at_ms >= ?1";
const COUNT_BANS: &str = "SELECT COUNT(*) AS count FROM (SELECT subject, MAX(id) AS id FROM events \
     WHERE kind = 'ban' AND until_ms > ?1 GROUP BY subject) AS ban WHERE NOT EXISTS \
     (SELECT 1 FROM events WHERE subject = ban.subject AND kind = 'lift' AND id > ban.id)";
const SWEPT: &str =
    "SELECT CAST(cursor AS INTEGER) AS count FROM job_cursors WHERE job = 'finished'";

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
    /// A JSON array: the sum of the milliseconds, then the counts.
    numbers: String,
}

impl TimingRow {
    fn timing(self) -> Result<Timing, RegistryError> {
        let numbers = serde_json::from_str::<Vec<u64>>(&self.numbers);
        let numbers = numbers.map_err(|error| RegistryError(error.to_string()))?;
        let (sum_ms, counts) = numbers.split_first().ok_or_else(no_row)?;
        Ok(Timing { stage: self.stage, sum_ms: *sum_ms, counts: counts.to_vec() })
    }
}

/// The histograms as they are stored: by stage, as in [`TimingRow`].
fn stages(timings: &[Timing]) -> Result<String, RegistryError> {
    let numbers = |timing: &Timing| [&[timing.sum_ms], &timing.counts[..]].concat();
    let stages: BTreeMap<&str, Vec<u64>> =
        timings.iter().map(|timing| (timing.stage.as_str(), numbers(timing))).collect();
    json(&stages)
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
        let mut statements = vec![
            self.bind(ADD_TOTALS, &[D1Type::Text(&json(&batch.totals)?)])?,
            self.bind(SET_ISOLATE, &isolate)?,
        ];
        if !batch.timings.is_empty() {
            let stages = stages(&batch.timings)?;
            statements.push(self.bind(ADD_TIMINGS, &[D1Type::Text(&stages)])?);
        }
        Ok(statements)
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
            bans: results.count(3)?,
            swept_ms: results.count(4)?,
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
        let row: Option<FoundRow> = self.first(LEASE_ALERT, &values).await?;
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
