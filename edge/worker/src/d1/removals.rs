//! Removals and the list of the erased on D1.

use edge_registry::{
    Erasure, NewRemoval, RefreshFamily, RegistryError, Removal, RemovalScope, RemovalStore,
    StoredEvent, Trace, TraceSource, Until,
};
use edge_storage::ObjectKey;
use edge_types::{MAX_SAFE_INTEGER, RemovalId, UserId};
use serde::Deserialize;
use worker::D1Type;

use super::{ADD_EVENT, D1Registry, FoundRow, json, no_row, number, text, users::FamilyRow};

// `?1` is the target, `?2` the last image, and `?3` the moment, of all scopes.
const KEYS: &str = "key IN (SELECT value FROM json_each(?1)) AND id <= ?2 AND created_ms < ?3";
const FORM: &str = "form_id = ?1 AND id <= ?2 AND created_ms < ?3";
const OWNER: &str = "owner = ?1 AND id <= ?2 AND created_ms < ?3";
const NONE: &str = "?1 IS NULL AND id < 0 AND id <= ?2 AND created_ms < ?3";

// An aggregate has one row in any case.
const ADD: &str = "INSERT INTO removals (id, kind, target, last_image_id, total, requested_by, \
     protects_ms, created_ms, taken_until_ms, cursor) SELECT ?4, ?5, ?1, \
     CASE ?5 WHEN 'user' THEN ?2 ELSE COALESCE(MAX(id), 0) END, COUNT(*), ?6, ?7, ?8, 0, '' \
     FROM images WHERE {scope} ON CONFLICT DO NOTHING";
const OF_USER: &str = "SELECT * FROM removals WHERE kind = 'user' AND target = ?1";
const GET: &str = "SELECT * FROM removals WHERE id = ?1";
const TAKE: &str = "UPDATE removals SET taken_until_ms = ?2 WHERE id = (SELECT id FROM removals \
     WHERE finished_ms IS NULL AND taken_until_ms <= ?1 ORDER BY taken_until_ms LIMIT 1) \
     RETURNING *";
const KEEP: &str = "UPDATE removals SET taken_until_ms = ?2, cursor = ?3 WHERE id = ?1";
const COUNT: &str = "SELECT COUNT(*) AS count FROM images WHERE ";
const KEYS_TO_REMOVE: &str = "SELECT key AS text FROM images WHERE {scope} ORDER BY id LIMIT ?4";
const FINISH: &str = "UPDATE removals SET finished_ms = ?2, target = NULL \
     WHERE id = ?1 AND finished_ms IS NULL";
const NOTE_ERASED: &str = "INSERT INTO erased (name, erased_ms) \
     SELECT value, ?2 FROM json_each(?1) WHERE true ON CONFLICT (name) DO NOTHING";

// Sessions, links in mails and identities are deleted with their user.
const DELETE_USER: &str = "DELETE FROM users WHERE id = ?1 AND created_ms < ?2";
const DELETE_RESERVATIONS: &str = "DELETE FROM reservations WHERE user_id = ?1";
// A key of an event may name the user as well, so it becomes one that does not.
const RENAME_SUBJECT: &str = "UPDATE events SET subject = ?2, idempotency_key = ?2 || '#' || id \
     WHERE subject = 'user:' || ?1 AND at_ms < ?3";
const RENAME_ACTOR: &str = "UPDATE events SET detail = 'by ' || ?2, \
     idempotency_key = ?2 || '#' || id WHERE detail = 'by ' || ?1 AND at_ms < ?3";
const RENAME_KEYS: &str = "UPDATE events SET \
     detail = replace(detail, 'users/' || ?1 || '/', 'users/erased/') \
     WHERE kind = 'sweep' AND instr(detail, 'users/' || ?1 || '/') > 0 AND at_ms < ?2";
const ADD_ERASED: &str = "INSERT INTO erased (name, erased_ms) VALUES (?1, ?2) \
     ON CONFLICT (name) DO UPDATE SET erased_ms = MAX(erased_ms, excluded.erased_ms)";
const FORGET_REQUESTER: &str = "UPDATE removals SET requested_by = NULL WHERE requested_by = ?1";
// Nothing but ids is left of the events about the user.
const REDUCE_EVENTS: &str = "UPDATE webhook_events SET body = json_object( \
     'type', json_extract(body, '$.type'), 'timestamp', json_extract(body, '$.timestamp'), \
     'data', json_object('userId', ?1, 'key', json_extract(body, '$.data.key'), \
     'imageId', json_extract(body, '$.data.imageId'))) \
     WHERE json_extract(body, '$.data.userId') = ?1";
const FINISH_ERASURE: &str =
    "UPDATE removals SET finished_ms = ?2 WHERE id = ?1 AND finished_ms IS NULL";

const SETTLED: &str = "SELECT * FROM removals WHERE kind = 'user' \
     AND target IS NOT NULL AND finished_ms + protects_ms <= ?1 LIMIT ?2";
const SETTLE: &str = "UPDATE removals SET target = NULL WHERE id = ?1";
const DELETE_REMOVALS: &str = "DELETE FROM removals WHERE target IS NULL AND finished_ms < ?1";

const TRACE_USERS: &str =
    "SELECT id AS name, created_ms AS at_ms FROM users WHERE id > ?1 ORDER BY id LIMIT ?2";
const TRACE_IMAGES: &str = "SELECT owner AS name, MIN(created_ms) AS at_ms FROM images \
     WHERE owner > ?1 GROUP BY owner ORDER BY owner LIMIT ?2";
// The semicolon comes right after the colon.
const TRACE_EVENTS: &str = "SELECT substr(subject, 6) AS name, MIN(at_ms) AS at_ms FROM events \
     WHERE subject > 'user:' || ?1 AND subject < 'user;' GROUP BY subject ORDER BY subject LIMIT ?2";
const TRACE_KEYS: &str = "SELECT name, created_ms AS at_ms FROM erased \
     JOIN images ON images.key = erased.name WHERE name > ?1 ORDER BY name LIMIT ?2";
const ERASED: &str = "SELECT name, erased_ms AS at_ms FROM erased \
     WHERE name IN (SELECT value FROM json_each(?1))";

const KEEP_BAN: &str = "UPDATE erased SET banned_until_ms = ?2 \
     WHERE name = ?1 AND banned_until_ms IS NOT ?2 RETURNING name";
const ERASED_BANS: &str = "SELECT name, banned_until_ms AS at_ms FROM erased \
     WHERE banned_until_ms > ?1 ORDER BY banned_until_ms DESC LIMIT ?2";

const ALL_SESSIONS: &str =
    "SELECT * FROM refresh_families WHERE user_id = ?1 ORDER BY created_ms DESC LIMIT ?2";
const EVENTS_ABOUT: &str = "SELECT * FROM events WHERE subject = ?1 ORDER BY id DESC LIMIT ?2";

#[derive(Deserialize)]
struct RemovalRow {
    id: RemovalId,
    kind: String,
    target: Option<String>,
    last_image_id: u64,
    total: u64,
    requested_by: Option<String>,
    created_ms: u64,
    finished_ms: Option<u64>,
    cursor: String,
}

impl RemovalRow {
    fn scope(&self) -> Result<RemovalScope, RegistryError> {
        let target = self.target.as_deref();
        let user = || target.and_then(UserId::parse);
        let scope = match (self.kind.as_str(), target) {
            ("replay", None) if self.finished_ms.is_none() => Some(RemovalScope::Replay),
            (_, None) => Some(RemovalScope::Over),
            ("keys", Some(keys)) => serde_json::from_str(keys).ok().map(RemovalScope::Keys),
            ("form", Some(form)) => Some(RemovalScope::Form(form.to_owned())),
            ("owner", _) => user().map(RemovalScope::Owner),
            ("user", _) => user().map(RemovalScope::User),
            _ => None,
        };
        scope.ok_or_else(|| RegistryError(format!("removal {} has no scope", self.id)))
    }

    fn removal(self, left: u64) -> Result<Removal, RegistryError> {
        Ok(Removal {
            scope: self.scope()?,
            is_erasure: self.kind == "user",
            id: self.id,
            last_image_id: self.last_image_id,
            total: self.total,
            left,
            requested_by: self.requested_by,
            created_ms: self.created_ms,
            finished_ms: self.finished_ms,
            cursor: self.cursor,
        })
    }
}

/// The condition of a scope, and its target.
fn condition(scope: &RemovalScope) -> Result<(&'static str, Option<String>), RegistryError> {
    Ok(match scope {
        RemovalScope::Keys(keys) => (KEYS, Some(json(keys)?)),
        RemovalScope::Form(form) => (FORM, Some(form.clone())),
        RemovalScope::Owner(user) | RemovalScope::User(user) => (OWNER, Some(user.to_string())),
        RemovalScope::Replay | RemovalScope::Over => (NONE, None),
    })
}

impl D1Registry {
    async fn with_count(&self, row: RemovalRow) -> Result<Removal, RegistryError> {
        let scope = row.scope()?;
        if scope == RemovalScope::Over {
            return row.removal(0);
        }
        let until = Until { image_id: row.last_image_id, ..Until::ALL };
        let left = self.count_images(&scope, until).await?;
        row.removal(left)
    }
}

impl RemovalStore for D1Registry {
    async fn add_removal(&self, new: &NewRemoval<'_>) -> Result<Removal, RegistryError> {
        let (condition, target) = condition(new.scope)?;
        let values = [
            text(target.as_deref()),
            number(Until::ALL.image_id),
            number(Until::ALL.ms),
            D1Type::Text(new.id.as_str()),
            D1Type::Text(new.scope.kind()),
            D1Type::Text(new.requested_by.as_str()),
            number(new.protects_ms),
            number(new.created_ms),
        ];
        self.run(&ADD.replace("{scope}", condition), &values).await?;
        let row: Option<RemovalRow> = match new.scope {
            RemovalScope::User(user) => self.first(OF_USER, &[D1Type::Text(user.as_str())]).await?,
            _ => self.first(GET, &[D1Type::Text(new.id.as_str())]).await?,
        };
        self.with_count(row.ok_or_else(no_row)?).await
    }

    async fn removal(&self, id: &RemovalId) -> Result<Option<Removal>, RegistryError> {
        let row: Option<RemovalRow> = self.first(GET, &[D1Type::Text(id.as_str())]).await?;
        match row {
            Some(row) => self.with_count(row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn take_removal(
        &self,
        now_ms: u64,
        until_ms: u64,
    ) -> Result<Option<Removal>, RegistryError> {
        let row: Option<RemovalRow> = self.first(TAKE, &[number(now_ms), number(until_ms)]).await?;
        row.map(|row| row.removal(0)).transpose()
    }

    async fn keep_removal(
        &self,
        id: &RemovalId,
        until_ms: u64,
        cursor: &str,
    ) -> Result<(), RegistryError> {
        let values = [D1Type::Text(id.as_str()), number(until_ms), D1Type::Text(cursor)];
        self.run(KEEP, &values).await
    }

    async fn keys_to_remove(
        &self,
        scope: &RemovalScope,
        until: Until,
        limit: u32,
    ) -> Result<Vec<String>, RegistryError> {
        let (condition, target) = condition(scope)?;
        let values = [
            text(target.as_deref()),
            number(until.image_id.min(MAX_SAFE_INTEGER)),
            number(until.ms.min(MAX_SAFE_INTEGER)),
            number(limit.into()),
        ];
        let sql = KEYS_TO_REMOVE.replace("{scope}", condition);
        self.texts(&sql, &values).await
    }

    async fn count_images(&self, scope: &RemovalScope, until: Until) -> Result<u64, RegistryError> {
        let (condition, target) = condition(scope)?;
        let values = [
            text(target.as_deref()),
            number(until.image_id.min(MAX_SAFE_INTEGER)),
            number(until.ms.min(MAX_SAFE_INTEGER)),
        ];
        self.count(&format!("{COUNT}{condition}"), &values).await
    }

    async fn finish_removal(&self, id: &RemovalId, now_ms: u64) -> Result<(), RegistryError> {
        self.run(FINISH, &[D1Type::Text(id.as_str()), number(now_ms)]).await
    }

    async fn note_erased(&self, keys: &[ObjectKey], now_ms: u64) -> Result<(), RegistryError> {
        self.run(NOTE_ERASED, &[D1Type::Text(&json(&keys)?), number(now_ms)]).await
    }

    async fn erase(&self, erasure: &Erasure<'_>) -> Result<(), RegistryError> {
        let Erasure { pseudonym, now_ms, event, .. } = *erasure;
        let user = || D1Type::Text(erasure.user.as_str());
        let pseudonym = || D1Type::Text(pseudonym);
        let before = || number(erasure.before_ms.unwrap_or(MAX_SAFE_INTEGER));
        let mut statements = vec![
            self.bind(DELETE_USER, &[user(), before()])?,
            self.bind(DELETE_RESERVATIONS, &[user()])?,
            self.bind(RENAME_SUBJECT, &[user(), pseudonym(), before()])?,
            self.bind(RENAME_ACTOR, &[user(), pseudonym(), before()])?,
            self.bind(RENAME_KEYS, &[user(), before()])?,
            self.bind(ADD_ERASED, &[pseudonym(), number(erasure.before_ms.unwrap_or(now_ms))])?,
            self.bind(FORGET_REQUESTER, &[user()])?,
            self.bind(ADD_EVENT, &Self::event_values(event))?,
        ];
        statements.push(self.bind(REDUCE_EVENTS, &[user()])?);
        if let Some(event) = erasure.webhook {
            statements.push(self.add_event(event, "true", &[])?);
        }
        if let Some(id) = erasure.removal {
            let values = [D1Type::Text(id.as_str()), number(now_ms)];
            statements.push(self.bind(FINISH_ERASURE, &values)?);
        }
        self.batch(statements).await.map(|_| ())
    }

    async fn settled_erasures(
        &self,
        now_ms: u64,
        limit: u32,
    ) -> Result<Vec<Removal>, RegistryError> {
        let rows: Vec<RemovalRow> =
            self.rows(SETTLED, &[number(now_ms), number(limit.into())]).await?;
        rows.into_iter().map(|row| row.removal(0)).collect()
    }

    async fn settle(&self, id: &RemovalId) -> Result<(), RegistryError> {
        self.run(SETTLE, &[D1Type::Text(id.as_str())]).await
    }

    async fn delete_removals(&self, before_ms: u64) -> Result<(), RegistryError> {
        self.run(DELETE_REMOVALS, &[number(before_ms)]).await
    }

    async fn traces(
        &self,
        source: TraceSource,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Trace>, RegistryError> {
        let sql = match source {
            TraceSource::Users => TRACE_USERS,
            TraceSource::Images => TRACE_IMAGES,
            TraceSource::Events => TRACE_EVENTS,
            TraceSource::ErasedKeys => TRACE_KEYS,
        };
        self.rows(sql, &[D1Type::Text(after), number(limit.into())]).await
    }

    async fn erased(&self, names: &[String]) -> Result<Vec<Trace>, RegistryError> {
        self.rows(ERASED, &[D1Type::Text(&json(&names)?)]).await
    }

    async fn keep_erased_ban(
        &self,
        name: &str,
        until_ms: Option<u64>,
    ) -> Result<bool, RegistryError> {
        let values = [D1Type::Text(name), until_ms.map_or(D1Type::Null, number)];
        let row: Option<FoundRow> = self.first(KEEP_BAN, &values).await?;
        Ok(row.is_some())
    }

    async fn erased_bans(&self, now_ms: u64, limit: u32) -> Result<Vec<Trace>, RegistryError> {
        self.rows(ERASED_BANS, &[number(now_ms), number(limit.into())]).await
    }

    async fn all_sessions(
        &self,
        user: &UserId,
        limit: u32,
    ) -> Result<Vec<RefreshFamily>, RegistryError> {
        let values = [D1Type::Text(user.as_str()), number(limit.into())];
        let rows: Vec<FamilyRow> = self.rows(ALL_SESSIONS, &values).await?;
        Ok(rows.into_iter().map(RefreshFamily::from).collect())
    }

    async fn events_about(
        &self,
        subject: &str,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, RegistryError> {
        self.rows(EVENTS_ABOUT, &[D1Type::Text(subject), number(limit.into())]).await
    }
}
