//! The ports to the database on D1. Values are bound, never written into a statement, and every call has a
//! timeout.

mod audit;
mod forms;
mod mail_links;
mod metrics;
mod removals;
mod sign_ins;
mod users;
mod webhooks;

use std::slice;

use edge_registry::{
    Event, EventRecord, FormImage, HeldListing, ImageListing, ImageRow, ImageStore, NewImage,
    Registry, RegistryError, Review,
};
use edge_storage::ObjectKey;
use edge_types::{
    FormName, ImageId, MAX_SAFE_INTEGER, UserId,
    log::{self, Level},
    with_timeout,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use worker::{D1Database, D1PreparedStatement, D1Result, D1Type};

use crate::runtime::Runtime;

/// A D1 database; it fills all ports to the database.
pub struct D1Registry(pub D1Database);

// `DO NOTHING` returns no row, hence the update that changes nothing. An owner who is being erased gets no row, nor does a form
// whose pictures were deleted.
const ADD_IMAGE: &str = "INSERT INTO images (key, owner, form_id, media_type, width, height, \
     size_bytes, sha256, original_name, placeholder, created_ms, review) \
     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 WHERE NOT EXISTS \
     (SELECT 1 FROM removals WHERE kind = 'user' AND target = ?2) AND NOT EXISTS \
     (SELECT 1 FROM forms WHERE name = ?3 AND deleted_ms IS NOT NULL) \
     ON CONFLICT (key) DO UPDATE SET key = key RETURNING id";
const FIND_IMAGE: &str = "SELECT * FROM images WHERE key = ?1";
const FORM_IMAGES: &str = "SELECT id, key, owner FROM images \
     WHERE form_id = ?1 AND id > ?2 AND review IS NOT 'refused' ORDER BY id LIMIT ?3";
const DECIDE: &str =
    "UPDATE images SET review = ?2, review_reason = ?3 WHERE key = ?1 AND review = 'held'";
const REMOVE_IMAGES: &str = "DELETE FROM images WHERE key IN (SELECT value FROM json_each(?1))";
const ADD_EVENT: &str = "INSERT INTO events \
     (idempotency_key, at_ms, kind, subject, reason, until_ms, detail) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (idempotency_key) DO NOTHING";

const TRANSFER_OWNERSHIP: &str =
    "UPDATE images SET owner = ?3 WHERE key = ?1 AND owner IN (?2, ?3) RETURNING id";
const GET_IMAGE: &str = "SELECT * FROM images WHERE id = ?1";
const GET_ALL: &str = "SELECT * FROM images WHERE id IN (SELECT value FROM json_each(?1))";
const LIST: &str = "SELECT * FROM images WHERE owner = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2";
const LIST_FORM: &str =
    "SELECT * FROM images WHERE form_id = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2";
const LIST_BOTH: &str = "SELECT * FROM images WHERE owner = ?3 AND form_id = ?4 AND id < ?1 \
     ORDER BY id DESC LIMIT ?2";
const FIND_ALL: &str = "SELECT * FROM images \
     WHERE key IN (SELECT value FROM json_each(?1)) ORDER BY id DESC";
const LIST_HELD: &str =
    "SELECT * FROM images WHERE review = 'held' AND id > ?1 ORDER BY id LIMIT ?2";
const LIST_HELD_FORM: &str = "SELECT * FROM images WHERE review = 'held' AND id > ?1 \
     AND form_id = ?3 ORDER BY id LIMIT ?2";
// The object of a held image has the key of its row below `private/`, and may have been copied to that key already.
const FIND_REGISTERED: &str = "SELECT value AS text FROM json_each(?1) WHERE EXISTS \
     (SELECT 1 FROM images WHERE images.key = value AND review IS NOT 'refused') OR EXISTS \
     (SELECT 1 FROM images WHERE images.key = substr(value, 9) AND substr(value, 1, 8) = 'private/' \
     AND review = 'held')";
const IMAGES_AFTER: &str = "SELECT * FROM images WHERE id > ?1 ORDER BY id LIMIT ?2";
const DEPLOYMENT_ID: &str = "SELECT id AS text FROM deployment";
const BIND_DEPLOYMENT: &str = "INSERT INTO deployment (only_row, id, bound_ms) VALUES (1, ?1, ?2) \
     ON CONFLICT (only_row) DO UPDATE SET id = id RETURNING id AS text";
const JOB_CURSOR: &str = "SELECT cursor AS text FROM job_cursors WHERE job = ?1";
const SET_JOB_CURSOR: &str = "INSERT INTO job_cursors (job, cursor) VALUES (?1, ?2) \
     ON CONFLICT (job) DO UPDATE SET cursor = excluded.cursor";

/// D1 answers within milliseconds, or seconds when it is far away or wakes up.
const TIMEOUT_MS: u64 = 5_000;

#[derive(Deserialize)]
struct ImageIdRow {
    id: ImageId,
}

/// A row of which only the existence matters.
#[derive(Deserialize)]
struct FoundRow {}

/// One text, which the statement names so. Every type of row is a deserializer more in the Worker.
#[derive(Deserialize)]
struct TextRow {
    text: String,
}

/// One number, which the statement names so.
#[derive(Deserialize)]
struct CountRow {
    count: u64,
}

impl Registry for D1Registry {
    async fn add(&self, image: NewImage<'_>) -> Result<ImageId, RegistryError> {
        let values = [
            D1Type::Text(image.key.as_str()),
            D1Type::Text(image.owner.as_str()),
            text(image.form_id),
            D1Type::Text(image.format.media_type()),
            number(image.width.into()),
            number(image.height.into()),
            number(image.size_bytes),
            D1Type::Text(image.sha256),
            text(image.original_name),
            text(image.placeholder),
            number(image.created_ms),
            text(image.is_held.then_some(Review::Held.name())),
        ];
        let row: Option<ImageIdRow> = self.first(ADD_IMAGE, &values).await?;
        row.map(|row| row.id).ok_or_else(no_row)
    }

    async fn find(&self, key: &ObjectKey) -> Result<Option<ImageRow>, RegistryError> {
        self.first(FIND_IMAGE, &[D1Type::Text(key.as_str())]).await
    }

    async fn form_images(
        &self,
        form: &FormName,
        after: u64,
        limit: u32,
    ) -> Result<Vec<FormImage>, RegistryError> {
        let after = number(after.min(MAX_SAFE_INTEGER));
        self.rows(FORM_IMAGES, &[D1Type::Text(form.as_str()), after, number(limit.into())]).await
    }

    async fn remove(&self, keys: &[ObjectKey]) -> Result<(), RegistryError> {
        self.run(REMOVE_IMAGES, &[D1Type::Text(&json(&keys)?)]).await
    }

    async fn decide(
        &self,
        key: &ObjectKey,
        review: Review,
        reason: Option<&str>,
    ) -> Result<(), RegistryError> {
        let values = [D1Type::Text(key.as_str()), D1Type::Text(review.name()), text(reason)];
        self.run(DECIDE, &values).await
    }

    async fn event(&self, event: &Event) -> Result<(), RegistryError> {
        self.run(ADD_EVENT, &Self::event_values(event)).await
    }

    /// Reads a table: a database without its tables is not ready.
    async fn probe(&self) -> Result<(), RegistryError> {
        self.run(DEPLOYMENT_ID, &[]).await
    }
}

impl ImageStore for D1Registry {
    async fn transfer_ownership(
        &self,
        key: &ObjectKey,
        from: &UserId,
        to: &UserId,
        event: Option<&EventRecord>,
    ) -> Result<bool, RegistryError> {
        let values = [key.as_str(), from.as_str(), to.as_str()].map(D1Type::Text);
        let mut statements = vec![self.bind(TRANSFER_OWNERSHIP, &values)?];
        if let Some(event) = event {
            // Before the change, which it is for.
            let changes = "EXISTS (SELECT 1 FROM images WHERE key = ?7 AND owner = ?8)";
            let adding = self.add_event(event, changes, &[key.as_str(), from.as_str()])?;
            statements.insert(0, adding);
        }
        let last = statements.len() - 1;
        let results = self.batch(statements).await?;
        Ok(!results.rows::<ImageIdRow>(last)?.is_empty())
    }

    async fn get(&self, id: ImageId) -> Result<Option<ImageRow>, RegistryError> {
        self.first(GET_IMAGE, &[number(id.0)]).await
    }

    async fn get_all(&self, ids: &[ImageId]) -> Result<Vec<ImageRow>, RegistryError> {
        self.rows(GET_ALL, &[D1Type::Text(&json(&ids)?)]).await
    }

    async fn list(&self, listing: ImageListing<'_>) -> Result<Vec<ImageRow>, RegistryError> {
        let (before, limit) = (before(listing.before.map(|id| id.0)), number(listing.limit.into()));
        let owner = listing.owner.map(|owner| D1Type::Text(owner.as_str()));
        let form = listing.form_id.map(D1Type::Text);
        match (owner, form) {
            (None, None) => Ok(Vec::new()),
            (Some(owner), None) => self.rows(LIST, &[before, limit, owner]).await,
            (None, Some(form)) => self.rows(LIST_FORM, &[before, limit, form]).await,
            (Some(owner), Some(form)) => self.rows(LIST_BOTH, &[before, limit, owner, form]).await,
        }
    }

    async fn find_all(&self, keys: &[ObjectKey]) -> Result<Vec<ImageRow>, RegistryError> {
        self.rows(FIND_ALL, &[D1Type::Text(&json(&keys)?)]).await
    }

    async fn list_held(&self, listing: HeldListing<'_>) -> Result<Vec<ImageRow>, RegistryError> {
        let after = number(listing.after.map_or(0, |id| id.0.min(MAX_SAFE_INTEGER)));
        let limit = number(listing.limit.into());
        match listing.form_id.map(D1Type::Text) {
            None => self.rows(LIST_HELD, &[after, limit]).await,
            Some(form) => self.rows(LIST_HELD_FORM, &[after, limit, form]).await,
        }
    }

    async fn find_registered(&self, keys: &[String]) -> Result<Vec<String>, RegistryError> {
        // As one value, because a statement has at most a hundred.
        self.texts(FIND_REGISTERED, &[D1Type::Text(&json(&keys)?)]).await
    }

    async fn images_after(&self, id: u64, limit: u32) -> Result<Vec<ImageRow>, RegistryError> {
        self.rows(IMAGES_AFTER, &[number(id.min(MAX_SAFE_INTEGER)), number(limit.into())]).await
    }

    async fn deployment_id(&self) -> Result<Option<String>, RegistryError> {
        self.first_text(DEPLOYMENT_ID, &[]).await
    }

    async fn bind_deployment(&self, id: &str, now_ms: u64) -> Result<String, RegistryError> {
        let values = [D1Type::Text(id), number(now_ms)];
        self.first_text(BIND_DEPLOYMENT, &values).await?.ok_or_else(no_row)
    }

    async fn job_cursor(&self, job: &str) -> Result<String, RegistryError> {
        Ok(self.first_text(JOB_CURSOR, &[D1Type::Text(job)]).await?.unwrap_or_default())
    }

    async fn set_job_cursor(&self, job: &str, cursor: &str) -> Result<(), RegistryError> {
        self.run(SET_JOB_CURSOR, &[D1Type::Text(job), D1Type::Text(cursor)]).await
    }
}

impl D1Registry {
    fn event_values(event: &Event) -> [D1Type<'_>; 7] {
        [
            D1Type::Text(&event.idempotency_key),
            number(event.at_ms),
            D1Type::Text(&event.kind),
            D1Type::Text(&event.subject),
            D1Type::Text(&event.reason),
            event.until_ms.map_or(D1Type::Null, number),
            text(event.detail.as_deref()),
        ]
    }

    fn bind(&self, sql: &str, values: &[D1Type<'_>]) -> Result<D1PreparedStatement, RegistryError> {
        self.0.prepare(sql).bind_refs(values).map_err(failed)
    }

    async fn run(&self, sql: &str, values: &[D1Type<'_>]) -> Result<(), RegistryError> {
        self.all(sql, values).await.map(drop)
    }

    async fn texts(&self, sql: &str, values: &[D1Type<'_>]) -> Result<Vec<String>, RegistryError> {
        let rows: Vec<TextRow> = self.rows(sql, values).await?;
        Ok(rows.into_iter().map(|row| row.text).collect())
    }

    async fn first_text(
        &self,
        sql: &str,
        values: &[D1Type<'_>],
    ) -> Result<Option<String>, RegistryError> {
        Ok(self.texts(sql, values).await?.into_iter().next())
    }

    async fn count(&self, sql: &str, values: &[D1Type<'_>]) -> Result<u64, RegistryError> {
        let row: Option<CountRow> = self.first(sql, values).await?;
        Ok(row.map_or(0, |row| row.count))
    }

    async fn first<T: for<'a> Deserialize<'a>>(
        &self,
        sql: &str,
        values: &[D1Type<'_>],
    ) -> Result<Option<T>, RegistryError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    async fn rows<T: for<'a> Deserialize<'a>>(
        &self,
        sql: &str,
        values: &[D1Type<'_>],
    ) -> Result<Vec<T>, RegistryError> {
        self.all(sql, values).await?.results().map_err(failed)
    }

    /// Beside [`Self::rows`], so that it is compiled once and not for every type of row.
    async fn all(&self, sql: &str, values: &[D1Type<'_>]) -> Result<D1Result, RegistryError> {
        let result = in_time(self.bind(sql, values)?.all()).await?;
        log_rows(sql, slice::from_ref(&result));
        Ok(result)
    }

    /// Runs the statements in one transaction and one round trip.
    async fn batch(
        &self,
        statements: Vec<D1PreparedStatement>,
    ) -> Result<BatchResults, RegistryError> {
        let results = in_time(self.0.batch(statements)).await?;
        log_rows("a batch", &results);
        Ok(BatchResults(results))
    }
}

struct BatchResults(Vec<D1Result>);

impl BatchResults {
    /// The rows of one statement of the batch.
    fn rows<T: for<'a> Deserialize<'a>>(&self, index: usize) -> Result<Vec<T>, RegistryError> {
        self.0.get(index).ok_or_else(no_row)?.results().map_err(failed)
    }

    fn text(&self, index: usize) -> Result<Option<String>, RegistryError> {
        Ok(self.rows::<TextRow>(index)?.pop().map(|row| row.text))
    }

    fn count(&self, index: usize) -> Result<u64, RegistryError> {
        Ok(self.rows::<CountRow>(index)?.first().map_or(0, |row| row.count))
    }
}

/// Logs how many rows were written, because they are billed.
fn log_rows(sql: &str, results: &[D1Result]) {
    if !log::is_enabled(Level::Debug) {
        return;
    }
    let written = |result: &D1Result| result.meta().ok().flatten()?.rows_written;
    let rows: usize = results.iter().filter_map(written).sum();
    if rows > 0 {
        // The verb and the table.
        let statement: Vec<_> = sql.split(' ').take(3).collect();
        let fields = vec![("by", Value::from(statement.join(" "))), ("rows", Value::from(rows))];
        log::write(Level::Debug, "d1_rows_written", fields);
    }
}

async fn in_time<T>(call: impl Future<Output = worker::Result<T>>) -> Result<T, RegistryError> {
    let outcome = with_timeout(&Runtime, TIMEOUT_MS, call).await;
    outcome.ok_or_else(|| RegistryError("no answer in time".to_owned()))?.map_err(failed)
}

fn no_row() -> RegistryError {
    RegistryError("no row was returned".to_owned())
}

fn json(value: &impl Serialize) -> Result<String, RegistryError> {
    serde_json::to_string(value).map_err(|error| RegistryError(error.to_string()))
}

fn text(value: Option<&str>) -> D1Type<'_> {
    value.map_or(D1Type::Null, D1Type::Text)
}

/// The upper end of a page; the first page has none.
fn before(id: Option<u64>) -> D1Type<'static> {
    number(id.map_or(MAX_SAFE_INTEGER, |id| id.min(MAX_SAFE_INTEGER)))
}

/// D1 has JavaScript's numbers, which are exact up to 2^53. Sizes and milliseconds stay far below.
#[expect(clippy::cast_precision_loss, reason = "all values are below 2^53")]
fn number(value: u64) -> D1Type<'static> {
    D1Type::Real(value as f64)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: worker::Error) -> RegistryError {
    RegistryError(error.to_string())
}
