//! Sums since the beginning and alerts on a D1 database. What is read together comes in one batch: one
//! way to the database and back.

use serde::Deserialize;
use worker::{D1PreparedStatement, D1Result, D1Type};

use super::{D1Registry, first, found, in_time, number};
use crate::registry::{
    AlertStanding, IsolateMemory, Meters, Readings, RegistryFault, Sums, Timing, Total, Untold,
};

// One statement for each table, however many rows: they come as one JSON value.
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
     up_to_10000 = up_to_10000 + excluded.up_to_10000, beyond = beyond + excluded.beyond";
const SET_ISOLATE: &str = "INSERT INTO isolates (id, at_ms, used_bytes, peak_bytes, wasm_bytes) \
     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms, \
     used_bytes = excluded.used_bytes, peak_bytes = excluded.peak_bytes, \
     wasm_bytes = excluded.wasm_bytes";

const TOTALS: &str = "SELECT name, labels, total, told FROM totals ORDER BY name, labels";
const TIMINGS: &str = "SELECT stage, sum_ms, json_array(up_to_5, up_to_10, up_to_25, up_to_50, \
     up_to_100, up_to_250, up_to_500, up_to_1000, up_to_2500, up_to_5000, up_to_10000, beyond) \
     AS counts FROM timings ORDER BY stage";
const ISOLATES: &str = "SELECT * FROM isolates WHERE at_ms >= ?1";
const COUNT_BANS: &str = "SELECT COUNT(*) AS bans FROM (SELECT subject, MAX(id) AS id FROM events \
     WHERE kind = 'ban' AND until_ms > ?1 GROUP BY subject) AS ban WHERE NOT EXISTS \
     (SELECT 1 FROM events WHERE subject = ban.subject AND kind = 'lift' AND id > ban.id)";
const SWEPT: &str = "SELECT CAST(mark AS INTEGER) AS swept_ms FROM sweeps WHERE name = 'finished'";

const UNTOLD: &str = "SELECT name, labels, total, told FROM totals WHERE total > told";
const CLAIM: &str = "INSERT INTO alerts (kind, since_ms, free_ms) VALUES (?1, 0, ?3) \
     ON CONFLICT (kind) DO UPDATE SET free_ms = ?3 WHERE free_ms = ?2 RETURNING kind";
const SETTLE: &str = "INSERT INTO alerts (kind, since_ms, free_ms) VALUES (?1, ?2, ?3) \
     ON CONFLICT (kind) DO UPDATE SET since_ms = ?2, free_ms = ?3";
const SETTLE_TOTALS: &str = "UPDATE totals SET told = (SELECT value ->> 'total' FROM json_each(?1) \
     WHERE value ->> 'name' = totals.name AND value ->> 'labels' = totals.labels) \
     WHERE (name, labels) IN (SELECT value ->> 'name', value ->> 'labels' FROM json_each(?1))";

#[derive(Deserialize)]
struct TimingRow {
    stage: String,
    sum_ms: u64,
    /// A JSON array.
    counts: String,
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
#[expect(dead_code, reason = "that there is a row is all that counts")]
struct KindRow {
    kind: String,
}

impl D1Registry {
    /// What adds these sums, beside the counts of hours.
    pub(super) fn adding(&self, sums: &Sums) -> Result<Vec<D1PreparedStatement>, RegistryFault> {
        let IsolateMemory { id, at_ms, used_bytes, peak_bytes, wasm_bytes } = &sums.isolate;
        let numbers = [*at_ms, *used_bytes, *peak_bytes, *wasm_bytes].map(number);
        let isolate: Vec<_> = [D1Type::Text(id)].into_iter().chain(numbers).collect();
        Ok(vec![
            self.bind(ADD_TOTALS, &[D1Type::Text(&json(&sums.totals)?)])?,
            self.bind(ADD_TIMINGS, &[D1Type::Text(&json(&sums.timings)?)])?,
            self.bind(SET_ISOLATE, &isolate)?,
        ])
    }

    /// All of these or none, and what each found.
    pub(super) async fn batch(
        &self,
        statements: Vec<D1PreparedStatement>,
    ) -> Result<Vec<D1Result>, RegistryFault> {
        in_time(self.0.batch(statements)).await
    }
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<String, RegistryFault> {
    serde_json::to_string(value).map_err(|error| RegistryFault(error.to_string()))
}

impl Meters for D1Registry {
    async fn meters(&self, now_ms: u64, isolates_since_ms: u64) -> Result<Readings, RegistryFault> {
        let results = self
            .batch(vec![
                self.0.prepare(TOTALS),
                self.0.prepare(TIMINGS),
                self.bind(ISOLATES, &[number(isolates_since_ms)])?,
                self.bind(COUNT_BANS, &[number(now_ms)])?,
                self.0.prepare(SWEPT),
            ])
            .await?;
        let timing = |TimingRow { stage, sum_ms, counts }| {
            let counts = serde_json::from_str(&counts);
            let counts = counts.map_err(|error| RegistryFault(error.to_string()))?;
            Ok(Timing { stage, sum_ms, counts })
        };
        let timings = found(&results, 1)?.into_iter().map(timing).collect::<Result<_, _>>()?;
        Ok(Readings {
            totals: found(&results, 0)?,
            timings,
            isolates: found(&results, 2)?,
            bans: found::<BansRow>(&results, 3)?.first().map_or(0, |row| row.bans),
            swept_ms: found::<SweptRow>(&results, 4)?.first().map_or(0, |row| row.swept_ms),
        })
    }

    async fn forget_isolates(&self, before_ms: u64) -> Result<(), RegistryFault> {
        let statement = self.bind("DELETE FROM isolates WHERE at_ms < ?1", &[number(before_ms)])?;
        in_time(statement.run()).await.map(|_| ())
    }

    async fn untold(&self) -> Result<Untold, RegistryFault> {
        let statements = vec![self.0.prepare(UNTOLD), self.0.prepare("SELECT * FROM alerts")];
        let results = self.batch(statements).await?;
        Ok(Untold { totals: found(&results, 0)?, standings: found(&results, 1)? })
    }

    async fn claim(
        &self,
        kind: &str,
        seen_free_ms: u64,
        free_ms: u64,
    ) -> Result<bool, RegistryFault> {
        let values = [D1Type::Text(kind), number(seen_free_ms), number(free_ms)];
        let row: Option<KindRow> = first(self.bind(CLAIM, &values)?).await?;
        Ok(row.is_some())
    }

    async fn settle(&self, standing: &AlertStanding, told: &[Total]) -> Result<(), RegistryFault> {
        let AlertStanding { kind, since_ms, free_ms } = standing;
        let values = [D1Type::Text(kind), number(*since_ms), number(*free_ms)];
        let statements = vec![
            self.bind(SETTLE, &values)?,
            self.bind(SETTLE_TOTALS, &[D1Type::Text(&json(&told)?)])?,
        ];
        self.batch(statements).await.map(|_| ())
    }

    async fn settle_all(&self) -> Result<(), RegistryFault> {
        let statement = self.0.prepare("UPDATE totals SET told = total WHERE told < total");
        in_time(statement.run()).await.map(|_| ())
    }
}
