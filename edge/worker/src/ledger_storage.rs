//! The storage of one ledger in the SQLite of its Durable Object, and its alarm. Values are bound, never
//! written into a statement.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use edge_ledger::{
    AccountState, LedgerStorage, LedgerStorageError, OutboxEvent, PhaseCount, RateRefusals,
    SpentTicket, Upload, UploadPhase,
};
use edge_registry::Event;
use edge_storage::UploadKey;
use edge_types::Clock;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IntoDeserializer, value},
};
use worker::{SqlStorageValue, Storage};

use crate::runtime::Runtime;

pub type StorageResult<T> = Result<T, LedgerStorageError>;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS uploads (key TEXT PRIMARY KEY, phase TEXT NOT NULL, sha256 TEXT,
        due_ms INTEGER NOT NULL, upload TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS uploads_by_due ON uploads (due_ms);
    CREATE INDEX IF NOT EXISTS uploads_by_sha256 ON uploads (sha256) WHERE sha256 IS NOT NULL;
    CREATE TABLE IF NOT EXISTS tickets (id TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, due_ms INTEGER NOT NULL,
        tries INTEGER NOT NULL, event TEXT NOT NULL)";

type Row = Vec<SqlStorageValue>;

pub struct SqlLedgerStorage {
    storage: Storage,
    /// The time that the alarm is known to be set for.
    alarm_ms: Cell<Option<u64>>,
    /// Whether the tables were searched for what is due, since the object was created or the alarm ran. From
    /// then on `written_due_ms` is enough.
    is_searched: Cell<bool>,
    /// The earliest due time that was written since the alarm was set.
    written_due_ms: Cell<Option<u64>>,
    /// What was last read or written. Nobody else writes it.
    account: RefCell<Option<AccountState>>,
    rate_refusals: Cell<RateRefusals>,
}

impl SqlLedgerStorage {
    /// Opens the storage, and creates the tables that are missing.
    pub fn open(storage: Storage) -> StorageResult<Self> {
        let storage = Self {
            storage,
            alarm_ms: Cell::default(),
            is_searched: Cell::default(),
            written_due_ms: Cell::default(),
            account: RefCell::default(),
            rate_refusals: Cell::default(),
        };
        // In one call: the first request of a new subject waits for it.
        storage.run(SCHEMA, Vec::new())?;
        Ok(storage)
    }

    /// Sets the alarm again before its work begins, so that there is another run if this one dies.
    pub async fn set_retry_alarm(&self, after: Duration) -> StorageResult<()> {
        self.forget_alarm();
        self.storage.set_alarm(after).await.map_err(failed)
    }

    /// Sets the alarm after its work for what is due next, or deletes it.
    pub async fn set_next_alarm(&self) -> StorageResult<()> {
        self.forget_alarm();
        match self.next_due_ms()? {
            Some(_) => self.set_alarm().await,
            None => self.storage.delete_alarm().await.map_err(failed),
        }
    }

    fn forget_alarm(&self) {
        self.alarm_ms.set(None);
        self.is_searched.set(false);
    }

    fn note_due(&self, due_ms: u64) {
        let earliest_ms = self.written_due_ms.get().map_or(due_ms, |known| known.min(due_ms));
        self.written_due_ms.set(Some(earliest_ms));
    }

    fn run(&self, sql: &str, values: Row) -> StorageResult<Vec<Row>> {
        let cursor = self.storage.sql().exec(sql, values).map_err(failed)?;
        cursor.raw().collect::<worker::Result<_>>().map_err(failed)
    }

    /// The first column of every row, read as JSON.
    fn read_json<T: DeserializeOwned>(&self, sql: &str, values: Row) -> StorageResult<Vec<T>> {
        self.run(sql, values)?.iter().map(|row| parse(text(row, 0)?)).collect()
    }
}

impl LedgerStorage for SqlLedgerStorage {
    fn account(&self) -> StorageResult<AccountState> {
        if let Some(state) = &*self.account.borrow() {
            return Ok(state.clone());
        }
        let found = self.read_json("SELECT state FROM account", Vec::new())?;
        let state: AccountState = found.into_iter().next().unwrap_or_default();
        self.account.replace(Some(state.clone()));
        Ok(state)
    }

    fn write_account(&self, state: &AccountState) -> StorageResult<()> {
        let sql = "INSERT INTO account (id, state) VALUES (1, ?) \
             ON CONFLICT (id) DO UPDATE SET state = excluded.state";
        self.account.replace(None);
        self.run(sql, vec![json(state)?.into()])?;
        self.account.replace(Some(state.clone()));
        Ok(())
    }

    fn upload(&self, key: &UploadKey) -> StorageResult<Option<Upload>> {
        let sql = "SELECT upload FROM uploads WHERE key = ?";
        Ok(self.read_json(sql, vec![key.as_str().into()])?.into_iter().next())
    }

    fn write_upload(&self, upload: &Upload) -> StorageResult<()> {
        let sql = "INSERT INTO uploads (key, phase, sha256, due_ms, upload) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (key) DO UPDATE SET phase = excluded.phase, sha256 = excluded.sha256, \
             due_ms = excluded.due_ms, upload = excluded.upload";
        let values = vec![
            upload.key.as_str().into(),
            upload.state.phase().into_str().into(),
            upload.state.image().map(|image| image.sha256.as_str()).into(),
            number(upload.due_ms)?,
            json(upload)?.into(),
        ];
        self.note_due(upload.due_ms);
        self.run(sql, values).map(|_| ())
    }

    fn delete_upload(&self, key: &UploadKey) -> StorageResult<()> {
        self.run("DELETE FROM uploads WHERE key = ?", vec![key.as_str().into()]).map(|_| ())
    }

    fn find_duplicates(&self, sha256: &str) -> StorageResult<Vec<Upload>> {
        // The keys of one user differ by the time, first.
        let sql = "SELECT upload FROM uploads WHERE sha256 = ? ORDER BY key";
        self.read_json(sql, vec![sha256.into()])
    }

    fn due_uploads(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<Upload>> {
        let sql = "SELECT upload FROM uploads WHERE due_ms <= ? ORDER BY due_ms LIMIT ?";
        self.read_json(sql, vec![number(now_ms)?, number(limit.into())?])
    }

    fn latest_uploads(&self, limit: u32) -> StorageResult<Vec<Upload>> {
        let sql = "SELECT upload FROM uploads ORDER BY key DESC LIMIT ?";
        self.read_json(sql, vec![number(limit.into())?])
    }

    fn count_phases(&self) -> StorageResult<Vec<PhaseCount>> {
        let rows = self.run("SELECT phase, COUNT(*) FROM uploads GROUP BY phase", Vec::new())?;
        let count =
            |row: &Row| Ok(PhaseCount { phase: phase(text(row, 0)?)?, count: integer(row, 1)? });
        rows.iter().map(count).collect()
    }

    fn count_rate_refusal(&self, minute: u64) -> u32 {
        self.rate_refusals.set(self.rate_refusals.get().more(minute));
        self.rate_refusals.get().count()
    }

    fn spend_ticket(&self, ticket: &SpentTicket, now_ms: u64) -> StorageResult<bool> {
        self.run("DELETE FROM tickets WHERE expires_ms <= ?", vec![number(now_ms)?])?;
        let sql = "INSERT INTO tickets (id, expires_ms) VALUES (?, ?) \
             ON CONFLICT (id) DO NOTHING RETURNING id";
        let values = vec![ticket.id.as_str().into(), number(ticket.expires_ms)?];
        Ok(!self.run(sql, values)?.is_empty())
    }

    fn write_event(&self, event: &Event) -> StorageResult<()> {
        self.note_due(event.at_ms);
        let sql = "INSERT INTO events (due_ms, tries, event) VALUES (?, 0, ?)";
        self.run(sql, vec![number(event.at_ms)?, json(event)?.into()]).map(|_| ())
    }

    fn due_events(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<OutboxEvent>> {
        let sql = "SELECT event, id, tries FROM events WHERE due_ms <= ? ORDER BY due_ms LIMIT ?";
        let rows = self.run(sql, vec![number(now_ms)?, number(limit.into())?])?;
        let event = |row: &Row| {
            let event = parse(text(row, 0)?)?;
            Ok(OutboxEvent { id: integer(row, 1)?, event, tries: integer(row, 2)? })
        };
        rows.iter().map(event).collect()
    }

    fn postpone_event(&self, id: u64, tries: u32, due_ms: u64) -> StorageResult<()> {
        self.note_due(due_ms);
        let values = vec![number(tries.into())?, number(due_ms)?, number(id)?];
        self.run("UPDATE events SET tries = ?, due_ms = ? WHERE id = ?", values).map(|_| ())
    }

    fn delete_event(&self, id: u64) -> StorageResult<()> {
        self.run("DELETE FROM events WHERE id = ?", vec![number(id)?]).map(|_| ())
    }

    fn next_due_ms(&self) -> StorageResult<Option<u64>> {
        let sql = "SELECT due_ms FROM (SELECT MIN(due_ms) AS due_ms FROM uploads UNION ALL \
             SELECT MIN(due_ms) FROM events) WHERE due_ms IS NOT NULL ORDER BY due_ms LIMIT 1";
        self.run(sql, Vec::new())?.first().map(|row| integer(row, 0)).transpose()
    }

    /// An alarm that runs too early finds nothing and is set again, so it is set only when it would run too
    /// late.
    async fn set_alarm(&self) -> StorageResult<()> {
        if !self.is_searched.get() {
            self.written_due_ms.set(self.next_due_ms()?);
            self.is_searched.set(true);
        }
        let Some(due_ms) = self.written_due_ms.take() else { return Ok(()) };
        if self.alarm_ms.get().is_some_and(|alarm_ms| alarm_ms <= due_ms) {
            return Ok(());
        }
        self.alarm_ms.set(Some(due_ms));
        let wait = Duration::from_millis(due_ms.saturating_sub(Runtime.now_ms()));
        let outcome = self.storage.set_alarm(wait).await;
        outcome.map_err(|error| {
            self.forget_alarm();
            failed(error)
        })
    }
}

fn json(value: &impl Serialize) -> StorageResult<String> {
    serde_json::to_string(value).map_err(|error| LedgerStorageError(error.to_string()))
}

fn parse<T: DeserializeOwned>(text: &str) -> StorageResult<T> {
    serde_json::from_str(text).map_err(|error| LedgerStorageError(error.to_string()))
}

fn phase(name: &str) -> StorageResult<UploadPhase> {
    let phase: Result<_, value::Error> = UploadPhase::deserialize(name.into_deserializer());
    phase.map_err(|error| LedgerStorageError(error.to_string()))
}

fn number(value: u64) -> StorageResult<SqlStorageValue> {
    let value = i64::try_from(value).map_err(|error| LedgerStorageError(error.to_string()))?;
    SqlStorageValue::try_from_i64(value).map_err(failed)
}

fn text(row: &Row, column: usize) -> StorageResult<&str> {
    match row.get(column) {
        Some(SqlStorageValue::String(text)) => Ok(text),
        _ => Err(LedgerStorageError(format!("no text in column {column}"))),
    }
}

fn integer<N: TryFrom<i64>>(row: &Row, column: usize) -> StorageResult<N> {
    let value = match row.get(column) {
        Some(SqlStorageValue::Integer(value)) => N::try_from(*value).ok(),
        _ => None,
    };
    value.ok_or_else(|| LedgerStorageError(format!("no integer in column {column}")))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: worker::Error) -> LedgerStorageError {
    LedgerStorageError(error.to_string())
}
