//! The storage of one ledger in the SQLite of its Durable Object, and its alarm. Values are bound, never
//! written into a statement.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use edge_ledger::{
    AccountState, Derivation, EventQueue, FormCount, KeptUpload, LedgerStorage, LedgerStorageError,
    OutboxEvent, PhaseCount, Place, SpentTicket, Upload, UploadPhase,
};
use edge_registry::Event;
use edge_storage::{ObjectKey, UploadKey};
use edge_types::{Clock, UserId};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IntoDeserializer, value},
};
use worker::{SqlStorageValue, Storage};

use crate::runtime::Runtime;

pub type StorageResult<T> = Result<T, LedgerStorageError>;

/// A table, which is created when it is written for the first time: a new table is billed as a row, and the ledger of a
/// client IP needs one of them. There are no indexes, because each entry of an index is billed as a row as well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Account,
    Uploads,
    Tickets,
    Events,
    Queues,
    Derivations,
    FormCount,
    Places,
}

impl Table {
    const ALL: [Self; 8] = [
        Self::Account,
        Self::Uploads,
        Self::Tickets,
        Self::Events,
        Self::Queues,
        Self::Derivations,
        Self::FormCount,
        Self::Places,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Uploads => "uploads",
            Self::Tickets => "tickets",
            Self::Events => "events",
            Self::Queues => "queues",
            Self::Derivations => "derivations",
            Self::FormCount => "form_count",
            Self::Places => "places",
        }
    }

    const fn schema(self) -> &'static str {
        match self {
            Self::Account => {
                "CREATE TABLE account (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL)"
            }
            Self::Uploads => {
                "CREATE TABLE uploads (key TEXT PRIMARY KEY, phase TEXT NOT NULL, sha256 TEXT, \
                 due_ms INTEGER NOT NULL, upload TEXT NOT NULL) WITHOUT ROWID"
            }
            Self::Tickets => {
                "CREATE TABLE tickets (id TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL) \
                 WITHOUT ROWID"
            }
            Self::Events => {
                "CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, \
                 due_ms INTEGER NOT NULL, tries INTEGER NOT NULL, event TEXT NOT NULL)"
            }
            // In the order in which they are due, so that a long queue is not read to its end.
            Self::Queues => {
                "CREATE TABLE queues (due_ms INTEGER NOT NULL, stream TEXT NOT NULL, \
                 queue TEXT NOT NULL, PRIMARY KEY (due_ms, stream)) WITHOUT ROWID"
            }
            Self::Derivations => {
                "CREATE TABLE derivations (upload TEXT NOT NULL, name TEXT NOT NULL, \
                 state TEXT NOT NULL, PRIMARY KEY (upload, name)) WITHOUT ROWID"
            }
            Self::FormCount => {
                "CREATE TABLE form_count (id INTEGER PRIMARY KEY CHECK (id = 1), \
                 count TEXT NOT NULL)"
            }
            // A confirmed place has the lease 0.
            Self::Places => {
                "CREATE TABLE places (owner TEXT NOT NULL, key TEXT NOT NULL, \
                 lease_ms INTEGER NOT NULL, is_counted INTEGER NOT NULL, \
                 PRIMARY KEY (owner, key)) WITHOUT ROWID"
            }
        }
    }
}

type Row = Vec<SqlStorageValue>;

pub struct SqlLedgerStorage {
    storage: Storage,
    /// The tables that there are.
    tables: RefCell<Vec<Table>>,
    /// As they are billed, since they were last taken.
    rows_written: Cell<usize>,
}

impl SqlLedgerStorage {
    pub fn open(storage: Storage) -> StorageResult<Self> {
        let storage = Self { storage, tables: RefCell::default(), rows_written: Cell::default() };
        storage.read_tables()?;
        Ok(storage)
    }

    fn read_tables(&self) -> StorageResult<()> {
        let found = self.run("SELECT name FROM sqlite_master WHERE type = 'table'", Vec::new())?;
        let names = found.iter().map(|row| text(row, 0)).collect::<StorageResult<Vec<_>>>()?;
        let tables = Table::ALL.into_iter().filter(|table| names.contains(&table.name()));
        self.tables.replace(tables.collect());
        Ok(())
    }

    /// How many rows were written since the last call.
    pub fn take_rows_written(&self) -> usize {
        self.rows_written.take()
    }

    fn count_rows(&self, rows: usize) {
        self.rows_written.set(self.rows_written.get().saturating_add(rows));
    }

    fn run(&self, sql: &str, values: Row) -> StorageResult<Vec<Row>> {
        let cursor = self.storage.sql().exec(sql, values).map_err(failed)?;
        let rows = cursor.raw().collect::<worker::Result<_>>().map_err(failed)?;
        self.count_rows(cursor.rows_written());
        Ok(rows)
    }

    /// Runs a statement on a table. As long as the table was not written, there is nothing to read or to change.
    fn run_on(&self, table: Table, sql: &str, values: Row) -> StorageResult<Vec<Row>> {
        if self.tables.borrow().contains(&table) { self.run(sql, values) } else { Ok(Vec::new()) }
    }

    /// The first column of every row, read as JSON.
    fn read_json<T: DeserializeOwned>(
        &self,
        table: Table,
        sql: &str,
        values: Row,
    ) -> StorageResult<Vec<T>> {
        self.run_on(table, sql, values)?.iter().map(|row| parse(text(row, 0)?)).collect()
    }

    /// The queues of events that a statement finds.
    fn queues(&self, sql: &str, values: Row) -> StorageResult<Vec<EventQueue>> {
        let queue = |row: &Row| {
            let queue: EventQueue = parse(text(row, 1)?)?;
            Ok(EventQueue { due_ms: integer(row, 0)?, ..queue })
        };
        self.run_on(Table::Queues, sql, values)?.iter().map(queue).collect()
    }

    /// A number of places.
    fn count(&self, sql: &str, values: Row) -> StorageResult<u32> {
        self.run_on(Table::Places, sql, values)?.first().map_or(Ok(0), |row| integer(row, 0))
    }

    /// Writes to a table, which is created first if there is none.
    fn write(&self, table: Table, sql: &str, values: Row) -> StorageResult<Vec<Row>> {
        if !self.tables.borrow().contains(&table) {
            self.run(table.schema(), Vec::new())?;
            self.tables.borrow_mut().push(table);
        }
        self.run(sql, values)
    }
}

impl LedgerStorage for SqlLedgerStorage {
    fn probe(&self) -> StorageResult<()> {
        self.run("SELECT 1 FROM sqlite_master LIMIT 1", Vec::new()).map(|_| ())
    }

    fn account(&self) -> StorageResult<AccountState> {
        let found = self.read_json(Table::Account, "SELECT state FROM account", Vec::new())?;
        Ok(found.into_iter().next().unwrap_or_default())
    }

    fn write_account(&self, state: &AccountState) -> StorageResult<()> {
        let sql = "INSERT INTO account (id, state) VALUES (1, ?) \
             ON CONFLICT (id) DO UPDATE SET state = excluded.state";
        self.write(Table::Account, sql, vec![json(state)?.into()]).map(|_| ())
    }

    fn upload(&self, key: &UploadKey) -> StorageResult<Option<Upload>> {
        let sql = "SELECT upload FROM uploads WHERE key = ?";
        Ok(self.read_json(Table::Uploads, sql, vec![key.as_str().into()])?.into_iter().next())
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
        self.write(Table::Uploads, sql, values).map(|_| ())
    }

    fn delete_upload(&self, key: &UploadKey) -> StorageResult<()> {
        let sql = "DELETE FROM uploads WHERE key = ?";
        self.run_on(Table::Uploads, sql, vec![key.as_str().into()]).map(|_| ())
    }

    fn uploads_of_ms(&self, admitted_ms: u64, of: &UploadKey) -> StorageResult<Vec<Upload>> {
        let prefix = of.prefix_of_ms(admitted_ms);
        // The dot comes right after the hyphen that ends the prefix.
        let end = format!("{}.", prefix.trim_end_matches('-'));
        let sql = "SELECT upload FROM uploads WHERE key > ? AND key < ? ORDER BY key";
        self.read_json(Table::Uploads, sql, vec![prefix.into(), end.into()])
    }

    fn open_uploads(&self) -> StorageResult<Vec<Upload>> {
        self.read_json(
            Table::Uploads,
            "SELECT upload FROM uploads WHERE phase NOT IN ('kept', 'held')",
            Vec::new(),
        )
    }

    fn kept_uploads(&self) -> StorageResult<Vec<KeptUpload>> {
        let sql = "SELECT key, sha256, due_ms FROM uploads WHERE phase IN ('kept', 'held')";
        let kept = |row: &Row| {
            let (key, sha256) = (text(row, 0)?, text(row, 1)?.to_owned());
            let key = UploadKey::parse(key)
                .ok_or_else(|| LedgerStorageError(format!("{key} is no upload key")))?;
            Ok(KeptUpload { key, sha256, due_ms: integer(row, 2)? })
        };
        self.run_on(Table::Uploads, sql, Vec::new())?.iter().map(kept).collect()
    }

    fn delete_kept(&self, now_ms: u64) -> StorageResult<()> {
        let sql = "DELETE FROM uploads WHERE phase IN ('kept', 'held') AND due_ms <= ?";
        self.run_on(Table::Uploads, sql, vec![number(now_ms)?]).map(|_| ())
    }

    fn latest_uploads(&self, limit: u32) -> StorageResult<Vec<Upload>> {
        let sql = "SELECT upload FROM uploads ORDER BY key DESC LIMIT ?";
        self.read_json(Table::Uploads, sql, vec![number(limit.into())?])
    }

    fn count_phases(&self) -> StorageResult<Vec<PhaseCount>> {
        let sql = "SELECT phase, COUNT(*) FROM uploads GROUP BY phase";
        let rows = self.run_on(Table::Uploads, sql, Vec::new())?;
        let count =
            |row: &Row| Ok(PhaseCount { phase: phase(text(row, 0)?)?, count: integer(row, 1)? });
        rows.iter().map(count).collect()
    }

    fn spend_ticket(&self, ticket: &SpentTicket, now_ms: u64) -> StorageResult<bool> {
        let expired = "DELETE FROM tickets WHERE expires_ms <= ?";
        self.write(Table::Tickets, expired, vec![number(now_ms)?])?;
        let sql = "INSERT INTO tickets (id, expires_ms) VALUES (?, ?) \
             ON CONFLICT (id) DO NOTHING RETURNING id";
        let values = vec![ticket.id.as_str().into(), number(ticket.expires_ms)?];
        Ok(!self.write(Table::Tickets, sql, values)?.is_empty())
    }

    fn last_ticket_ms(&self) -> StorageResult<Option<u64>> {
        let sql = "SELECT expires_ms FROM tickets ORDER BY expires_ms DESC LIMIT 1";
        let rows = self.run_on(Table::Tickets, sql, Vec::new())?;
        rows.first().map(|row| integer(row, 0)).transpose()
    }

    fn delete_tickets(&self) -> StorageResult<()> {
        self.run_on(Table::Tickets, "DELETE FROM tickets", Vec::new()).map(|_| ())
    }

    fn write_event(&self, event: &Event) -> StorageResult<()> {
        let sql = "INSERT INTO events (due_ms, tries, event) VALUES (?, 0, ?)";
        self.write(Table::Events, sql, vec![number(event.at_ms)?, json(event)?.into()]).map(|_| ())
    }

    fn due_events(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<OutboxEvent>> {
        let sql = "SELECT event, id, tries FROM events WHERE due_ms <= ? ORDER BY due_ms LIMIT ?";
        let rows = self.run_on(Table::Events, sql, vec![number(now_ms)?, number(limit.into())?])?;
        let event = |row: &Row| {
            let event = parse(text(row, 0)?)?;
            Ok(OutboxEvent { id: integer(row, 1)?, event, tries: integer(row, 2)? })
        };
        rows.iter().map(event).collect()
    }

    fn postpone_event(&self, id: u64, tries: u32, due_ms: u64) -> StorageResult<()> {
        let values = vec![number(tries.into())?, number(due_ms)?, number(id)?];
        let sql = "UPDATE events SET tries = ?, due_ms = ? WHERE id = ?";
        self.run_on(Table::Events, sql, values).map(|_| ())
    }

    fn delete_event(&self, id: u64) -> StorageResult<()> {
        self.run_on(Table::Events, "DELETE FROM events WHERE id = ?", vec![number(id)?]).map(|_| ())
    }

    fn next_event_ms(&self) -> StorageResult<Option<u64>> {
        let sql = "SELECT due_ms FROM events ORDER BY due_ms LIMIT 1";
        let rows = self.run_on(Table::Events, sql, Vec::new())?;
        rows.first().map(|row| integer(row, 0)).transpose()
    }

    fn write_queue(&self, queue: &EventQueue) -> StorageResult<()> {
        let sql = "INSERT INTO queues (due_ms, stream, queue) VALUES (?, ?, ?) \
             ON CONFLICT (due_ms, stream) DO UPDATE SET queue = excluded.queue";
        let values = vec![number(queue.due_ms)?, queue.stream.as_str().into(), json(queue)?.into()];
        self.write(Table::Queues, sql, values).map(|_| ())
    }

    fn delete_queue(&self, due_ms: u64, stream: &str) -> StorageResult<()> {
        let sql = "DELETE FROM queues WHERE due_ms = ? AND stream = ?";
        self.run_on(Table::Queues, sql, vec![number(due_ms)?, stream.into()]).map(|_| ())
    }

    fn delete_queues(&self) -> StorageResult<()> {
        self.run_on(Table::Queues, "DELETE FROM queues", Vec::new()).map(|_| ())
    }

    fn queue(&self, due_ms: u64, stream: &str) -> StorageResult<Option<EventQueue>> {
        let sql = "SELECT due_ms, queue FROM queues WHERE due_ms = ? AND stream = ?";
        Ok(self.queues(sql, vec![number(due_ms)?, stream.into()])?.into_iter().next())
    }

    fn find_queue(&self, stream: &str) -> StorageResult<Option<EventQueue>> {
        let sql = "SELECT due_ms, queue FROM queues WHERE stream = ?";
        Ok(self.queues(sql, vec![stream.into()])?.into_iter().next())
    }

    fn due_queues(&self, now_ms: u64, limit: u32) -> StorageResult<Vec<EventQueue>> {
        let sql = "SELECT due_ms, queue FROM queues WHERE due_ms <= ? ORDER BY due_ms LIMIT ?";
        self.queues(sql, vec![number(now_ms)?, number(limit.into())?])
    }

    fn next_queue_ms(&self) -> StorageResult<Option<u64>> {
        let sql = "SELECT due_ms FROM queues ORDER BY due_ms LIMIT 1";
        let rows = self.run_on(Table::Queues, sql, Vec::new())?;
        rows.first().map(|row| integer(row, 0)).transpose()
    }

    fn derivations(&self, upload: &UploadKey) -> StorageResult<Vec<Derivation>> {
        let sql = "SELECT name, state FROM derivations WHERE upload = ?";
        let rows = self.run_on(Table::Derivations, sql, vec![upload.as_str().into()])?;
        let derivation = |row: &Row| {
            let (name, state) = (text(row, 0)?.to_owned(), parse(text(row, 1)?)?);
            Ok(Derivation { upload: upload.clone(), name, state })
        };
        rows.iter().map(derivation).collect()
    }

    fn write_derivation(&self, derivation: &Derivation) -> StorageResult<()> {
        let sql = "INSERT INTO derivations (upload, name, state) VALUES (?, ?, ?) \
             ON CONFLICT (upload, name) DO UPDATE SET state = excluded.state";
        let Derivation { upload, name, state } = derivation;
        let values = vec![upload.as_str().into(), name.as_str().into(), json(state)?.into()];
        self.write(Table::Derivations, sql, values).map(|_| ())
    }

    fn delete_derivation(&self, upload: &UploadKey, name: &str) -> StorageResult<()> {
        let sql = "DELETE FROM derivations WHERE upload = ? AND name = ?";
        let values = vec![upload.as_str().into(), name.into()];
        self.run_on(Table::Derivations, sql, values).map(|_| ())
    }

    fn delete_derivations(&self, upload: &UploadKey) -> StorageResult<()> {
        let sql = "DELETE FROM derivations WHERE upload = ?";
        self.run_on(Table::Derivations, sql, vec![upload.as_str().into()]).map(|_| ())
    }

    fn has_derivations(&self) -> StorageResult<bool> {
        let sql = "SELECT 1 FROM derivations LIMIT 1";
        Ok(!self.run_on(Table::Derivations, sql, Vec::new())?.is_empty())
    }

    fn form_count(&self) -> StorageResult<Option<FormCount>> {
        let found = self.read_json(Table::FormCount, "SELECT count FROM form_count", Vec::new())?;
        Ok(found.into_iter().next())
    }

    fn write_form_count(&self, count: &FormCount) -> StorageResult<()> {
        let sql = "INSERT INTO form_count (id, count) VALUES (1, ?) \
             ON CONFLICT (id) DO UPDATE SET count = excluded.count";
        self.write(Table::FormCount, sql, vec![json(count)?.into()]).map(|_| ())
    }

    fn place(&self, owner: &UserId, key: &ObjectKey) -> StorageResult<Option<Place>> {
        let sql = "SELECT owner, key, lease_ms, is_counted FROM places WHERE owner = ? AND key = ?";
        let values = vec![owner.as_str().into(), key.as_str().into()];
        self.run_on(Table::Places, sql, values)?.first().map(place).transpose()
    }

    fn write_place(&self, place: &Place) -> StorageResult<()> {
        let sql = "INSERT INTO places (owner, key, lease_ms, is_counted) VALUES (?, ?, ?, ?) \
             ON CONFLICT (owner, key) DO UPDATE SET lease_ms = excluded.lease_ms, \
             is_counted = excluded.is_counted";
        let values = vec![
            place.owner.as_str().into(),
            place.key.as_str().into(),
            number(place.lease_ms.unwrap_or(0))?,
            number(place.is_counted.into())?,
        ];
        self.write(Table::Places, sql, values).map(|_| ())
    }

    fn delete_place(&self, owner: &UserId, key: &ObjectKey) -> StorageResult<()> {
        let values = vec![owner.as_str().into(), key.as_str().into()];
        let sql = "DELETE FROM places WHERE owner = ? AND key = ?";
        self.run_on(Table::Places, sql, values).map(|_| ())
    }

    fn delete_places(&self) -> StorageResult<()> {
        self.run_on(Table::Places, "DELETE FROM places", Vec::new()).map(|_| ())
    }

    fn count_places(&self) -> StorageResult<u32> {
        self.count("SELECT COUNT(*) FROM places WHERE is_counted = 1", Vec::new())
    }

    fn count_places_of(&self, owner: &UserId) -> StorageResult<u32> {
        self.count("SELECT COUNT(*) FROM places WHERE owner = ?", vec![owner.as_str().into()])
    }

    fn leased_places(&self) -> StorageResult<Vec<Place>> {
        let sql = "SELECT owner, key, lease_ms, is_counted FROM places WHERE lease_ms > 0";
        self.run_on(Table::Places, sql, Vec::new())?.iter().map(place).collect()
    }

    async fn alarm_ms(&self) -> StorageResult<Option<u64>> {
        let alarm_ms = self.storage.get_alarm().await.map_err(failed)?;
        Ok(alarm_ms.and_then(|alarm_ms| u64::try_from(alarm_ms).ok()))
    }

    async fn set_alarm(&self, at_ms: u64) -> StorageResult<()> {
        self.count_rows(1);
        let wait = Duration::from_millis(at_ms.saturating_sub(Runtime.now_ms()));
        self.storage.set_alarm(wait).await.map_err(failed)
    }

    async fn delete_alarm(&self) -> StorageResult<()> {
        self.count_rows(1);
        self.storage.delete_alarm().await.map_err(failed)
    }

    fn is_empty(&self) -> bool {
        self.tables.borrow().is_empty()
    }

    /// The platform deletes database and alarm before it answers, as one operation, and a write that follows makes a new
    /// database. It does not say that this is billed; one row is assumed.
    async fn delete_all(&self) -> StorageResult<()> {
        self.count_rows(1);
        self.tables.borrow_mut().clear();
        let outcome = self.storage.delete_all().await.map_err(failed);
        if outcome.is_err() {
            self.read_tables()?;
        }
        outcome
    }
}

fn place(row: &Row) -> StorageResult<Place> {
    let (owner, key) = (text(row, 0)?, text(row, 1)?);
    let lease_ms: u64 = integer(row, 2)?;
    let parsed = UserId::parse(owner).zip(ObjectKey::parse(key));
    let (owner, key) =
        parsed.ok_or_else(|| LedgerStorageError(format!("{owner} {key} is no place")))?;
    let is_counted = integer::<u8>(row, 3)? == 1;
    Ok(Place { owner, key, lease_ms: (lease_ms > 0).then_some(lease_ms), is_counted })
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
