//! The registry on a D1 database. Values are bound, never written into the statement, and no question
//! is waited for longer than its deadline.

mod annals;
mod meters;

use serde::Deserialize;
use worker::{D1Database, D1PreparedStatement, D1Result, D1Type};

use super::deadline::{TimedOut, within};
use crate::{
    auth::UserId,
    registry::{
        Catalogue, Event, ImageId, Listing, MOST_WHOLE, NewRow, Registry, RegistryFault, Row,
    },
    storage::ObjectKey,
};

/// A D1 database.
pub struct D1Registry(pub D1Database);

// Doing nothing returns no row, hence the update that changes nothing.
const INSERT: &str = "INSERT INTO images (key, owner, form_id, media_type, width, height, size_bytes, \
     sha256, original_name, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
     ON CONFLICT (key) DO UPDATE SET key = key RETURNING id";
const INSERT_EVENT: &str = "INSERT INTO events (mark, at_ms, kind, subject, reason, until_ms, detail) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (mark) DO NOTHING";

const HAND_OVER: &str =
    "UPDATE images SET owner = ?3 WHERE key = ?1 AND owner IN (?2, ?3) RETURNING id";
const LIST: &str = "SELECT * FROM images WHERE owner = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
const LIST_FORM: &str = "SELECT * FROM images WHERE owner = ?1 AND id < ?2 AND form_id = ?4 \
     ORDER BY id DESC LIMIT ?3";
const REGISTERED: &str = "SELECT key FROM images WHERE key IN (SELECT value FROM json_each(?1))";
const ROWS_AFTER: &str = "SELECT * FROM images WHERE id > ?1 ORDER BY id LIMIT ?2";
// Doing nothing returns no row, hence the update that changes nothing.
const BIND_DEPLOYMENT: &str = "INSERT INTO deployment (one, id, bound_ms) VALUES (1, ?1, ?2) \
     ON CONFLICT (one) DO UPDATE SET id = id RETURNING id";
const SET_MARK: &str = "INSERT INTO sweeps (name, mark) VALUES (?1, ?2) \
     ON CONFLICT (name) DO UPDATE SET mark = ?2";

/// A D1 database answers within milliseconds, seconds when it is far away or just waking.
const DEADLINE_MS: u64 = 5_000;

#[derive(Deserialize)]
struct InsertedRow {
    id: ImageId,
}

#[derive(Deserialize)]
struct KeyRow {
    key: String,
}

#[derive(Deserialize)]
struct DeploymentRow {
    id: String,
}

#[derive(Deserialize)]
struct MarkRow {
    mark: String,
}

impl D1Registry {
    fn bind(&self, sql: &str, values: &[D1Type<'_>]) -> Result<D1PreparedStatement, RegistryFault> {
        bind(&self.0, sql, values)
    }
}

impl Registry for D1Registry {
    async fn add(&self, row: NewRow<'_>) -> Result<ImageId, RegistryFault> {
        let owner = row.owner.to_string();
        let values = [
            D1Type::Text(row.key.as_str()),
            D1Type::Text(&owner),
            text(row.form_id),
            D1Type::Text(row.format.media_type()),
            number(row.width.into()),
            number(row.height.into()),
            number(row.size_bytes),
            D1Type::Text(row.sha256),
            text(row.original_name),
            number(row.created_ms),
        ];
        let statement = self.bind(INSERT, &values)?;
        let inserted: Option<InsertedRow> = in_time(statement.first(None)).await?;
        let inserted = inserted.ok_or_else(|| RegistryFault("no row came back".to_owned()))?;
        Ok(inserted.id)
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<Row>, RegistryFault> {
        let key = [D1Type::Text(key.as_str())];
        let statement = self.bind("SELECT * FROM images WHERE key = ?1", &key)?;
        in_time(statement.first(None)).await
    }

    async fn remove(&self, key: &ObjectKey) -> Result<(), RegistryFault> {
        let key = [D1Type::Text(key.as_str())];
        let statement = self.bind("DELETE FROM images WHERE key = ?1", &key)?;
        in_time(statement.run()).await.map(|_| ())
    }

    async fn event(&self, event: &Event) -> Result<(), RegistryFault> {
        let values = [
            D1Type::Text(&event.mark),
            number(event.at_ms),
            D1Type::Text(&event.kind),
            D1Type::Text(&event.subject),
            D1Type::Text(&event.reason),
            event.until_ms.map_or(D1Type::Null, number),
            text(event.detail.as_deref()),
        ];
        let statement = self.bind(INSERT_EVENT, &values)?;
        in_time(statement.run()).await.map(|_| ())
    }

    async fn probe(&self) -> Result<(), RegistryFault> {
        // The newest table, not just the database: one without its migrations is not ready.
        let statement = self.0.prepare("SELECT id FROM deployment");
        in_time(statement.run()).await.map(|_| ())
    }
}

impl Catalogue for D1Registry {
    async fn hand_over(
        &self,
        key: &ObjectKey,
        from: &UserId,
        to: &UserId,
    ) -> Result<bool, RegistryFault> {
        let values = [key.as_str(), from.as_str(), to.as_str()].map(D1Type::Text);
        let row: Option<InsertedRow> = first(self.bind(HAND_OVER, &values)?).await?;
        Ok(row.is_some())
    }

    async fn get(&self, id: ImageId) -> Result<Option<Row>, RegistryFault> {
        let statement = self.bind("SELECT * FROM images WHERE id = ?1", &[number(id.0)])?;
        in_time(statement.first(None)).await
    }

    async fn list(&self, listing: Listing<'_>) -> Result<Vec<Row>, RegistryFault> {
        let owner = listing.owner.to_string();
        let before = listing.before.map_or(MOST_WHOLE, |before| before.0.min(MOST_WHOLE));
        let common = [D1Type::Text(&owner), number(before), number(listing.limit.into())];
        let statement = match listing.form_id {
            None => self.bind(LIST, &common)?,
            Some(form_id) => {
                let [owner, before, limit] = common;
                self.bind(LIST_FORM, &[owner, before, limit, D1Type::Text(form_id)])?
            }
        };
        rows(statement).await
    }

    async fn registered(&self, keys: &[String]) -> Result<Vec<String>, RegistryFault> {
        // One value, however many keys: a statement takes a hundred at most.
        let list = serde_json::Value::from(keys).to_string();
        let statement = self.bind(REGISTERED, &[D1Type::Text(&list)])?;
        let found: Vec<KeyRow> = rows(statement).await?;
        Ok(found.into_iter().map(|row| row.key).collect())
    }

    async fn rows_after(&self, id: u64, limit: u32) -> Result<Vec<Row>, RegistryFault> {
        rows(self.bind(ROWS_AFTER, &[number(id.min(MOST_WHOLE)), number(limit.into())])?).await
    }

    async fn deployment_id(&self) -> Result<Option<String>, RegistryFault> {
        let found: Option<DeploymentRow> =
            first(self.0.prepare("SELECT id FROM deployment")).await?;
        Ok(found.map(|row| row.id))
    }

    async fn bind_deployment(&self, id: &str, now_ms: u64) -> Result<String, RegistryFault> {
        let statement = self.bind(BIND_DEPLOYMENT, &[D1Type::Text(id), number(now_ms)])?;
        let bound: Option<DeploymentRow> = first(statement).await?;
        let bound = bound.ok_or_else(|| RegistryFault("no id came back".to_owned()))?;
        Ok(bound.id)
    }

    async fn mark(&self, sweep: &str) -> Result<String, RegistryFault> {
        let statement =
            self.bind("SELECT mark FROM sweeps WHERE name = ?1", &[D1Type::Text(sweep)])?;
        let found: Option<MarkRow> = in_time(statement.first(None)).await?;
        Ok(found.map(|row| row.mark).unwrap_or_default())
    }

    async fn set_mark(&self, sweep: &str, mark: &str) -> Result<(), RegistryFault> {
        let statement = self.bind(SET_MARK, &[D1Type::Text(sweep), D1Type::Text(mark)])?;
        in_time(statement.run()).await.map(|_| ())
    }
}

/// A statement with its values.
pub(super) fn bind(
    database: &D1Database,
    sql: &str,
    values: &[D1Type<'_>],
) -> Result<D1PreparedStatement, RegistryFault> {
    database.prepare(sql).bind_refs(values).map_err(failed)
}

/// The first row, if there is one.
pub(super) async fn first<T: for<'a> Deserialize<'a>>(
    statement: D1PreparedStatement,
) -> Result<Option<T>, RegistryFault> {
    in_time(statement.first(None)).await
}

async fn rows<T: for<'a> Deserialize<'a>>(
    statement: D1PreparedStatement,
) -> Result<Vec<T>, RegistryFault> {
    in_time(statement.all()).await?.results().map_err(failed)
}

/// The rows that one statement of a batch found.
pub(super) fn found<T: for<'a> Deserialize<'a>>(
    results: &[D1Result],
    at: usize,
) -> Result<Vec<T>, RegistryFault> {
    let result = results.get(at).ok_or_else(|| RegistryFault("no result came back".to_owned()))?;
    result.results().map_err(failed)
}

/// Waits for an answer, but not for ever.
pub(super) async fn in_time<T>(
    answer: impl Future<Output = worker::Result<T>>,
) -> Result<T, RegistryFault> {
    match within(DEADLINE_MS, answer).await {
        Ok(answer) => answer.map_err(failed),
        Err(TimedOut) => Err(RegistryFault("no answer in time".to_owned())),
    }
}

pub(super) fn text(value: Option<&str>) -> D1Type<'_> {
    value.map_or(D1Type::Null, D1Type::Text)
}

/// D1 speaks JavaScript numbers, exact up to 2^53: sizes and milliseconds stay far below.
#[expect(clippy::cast_precision_loss, reason = "all values are below 2^53")]
pub(super) fn number(value: u64) -> D1Type<'static> {
    D1Type::Real(value as f64)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failed(error: worker::Error) -> RegistryFault {
    RegistryFault(error.to_string())
}
