//! The shelf of an account in the SQLite of its Durable Object, and its alarm. Values are bound, never
//! written into the statement.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use worker::{Date, SqlStorageValue, Storage};

use crate::{
    ledger::{
        Entry,
        message::{StateCount, Ticket},
        shelf::{Refusals, Sheet, Shelf, ShelfFault, Unsent},
    },
    registry::Event,
    storage::Stem,
};

const SCHEMA: [&str; 6] = [
    "CREATE TABLE IF NOT EXISTS sheet (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS entries (stem TEXT PRIMARY KEY, phase TEXT NOT NULL, sha256 TEXT, \
     due_ms INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS entries_by_due ON entries (due_ms)",
    "CREATE INDEX IF NOT EXISTS entries_by_sha256 ON entries (sha256) WHERE sha256 IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS tickets (id TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, \
     due_ms INTEGER NOT NULL, tries INTEGER NOT NULL, body TEXT NOT NULL)",
];

/// What goes in and comes out of SQLite.
type Row = Vec<SqlStorageValue>;

/// The storage of one Durable Object.
pub struct SqlShelf {
    storage: Storage,
    /// When the alarm is known to ring, at the latest.
    armed_ms: Cell<Option<u64>>,
    /// Whether the tables have been looked through for what is due, since the object woke or the
    /// alarm rang; from then on what is written tells.
    looked: Cell<bool>,
    /// The earliest due time that was written since the alarm was set.
    soonest_ms: Cell<Option<u64>>,
    /// What was last read or written: nobody else writes it.
    sheet: RefCell<Option<Sheet>>,
    refusals: Cell<Refusals>,
}

impl SqlShelf {
    /// Over this storage; what tables are missing are made.
    pub fn open(storage: Storage) -> Result<Self, ShelfFault> {
        let shelf = Self {
            storage,
            armed_ms: Cell::default(),
            looked: Cell::default(),
            soonest_ms: Cell::default(),
            sheet: RefCell::default(),
            refusals: Cell::default(),
        };
        // In one go: an address that is new pays for this before its first answer.
        shelf.run(&SCHEMA.join("; "), Vec::new())?;
        Ok(shelf)
    }

    /// Sets the alarm before the work that it rang for is begun: whatever becomes of that work, there
    /// is another run.
    pub async fn rearm(&self, after: Duration) -> Result<(), ShelfFault> {
        self.forget_alarm();
        self.storage.set_alarm(after).await.map_err(failed)
    }

    /// After that work: rings when the next is due, or not at all.
    pub async fn settle(&self) -> Result<(), ShelfFault> {
        self.forget_alarm();
        match self.next_due_ms()? {
            Some(_) => self.arm().await,
            None => self.storage.delete_alarm().await.map_err(failed),
        }
    }

    fn forget_alarm(&self) {
        self.armed_ms.set(None);
        self.looked.set(false);
    }

    fn note_due(&self, due_ms: u64) {
        let soonest_ms = self.soonest_ms.get().map_or(due_ms, |known| known.min(due_ms));
        self.soonest_ms.set(Some(soonest_ms));
    }

    fn run(&self, sql: &str, values: Row) -> Result<Vec<Row>, ShelfFault> {
        let cursor = self.storage.sql().exec(sql, values).map_err(failed)?;
        cursor.raw().collect::<worker::Result<_>>().map_err(failed)
    }

    /// The first column of every row, read as JSON.
    fn bodies<T: DeserializeOwned>(&self, sql: &str, values: Row) -> Result<Vec<T>, ShelfFault> {
        self.run(sql, values)?.iter().map(|row| parse(text(row, 0)?)).collect()
    }
}

impl Shelf for SqlShelf {
    fn sheet(&self) -> Result<Sheet, ShelfFault> {
        if let Some(sheet) = &*self.sheet.borrow() {
            return Ok(sheet.clone());
        }
        let found = self.bodies("SELECT body FROM sheet", Vec::new())?;
        let sheet: Sheet = found.into_iter().next().unwrap_or_default();
        self.sheet.replace(Some(sheet.clone()));
        Ok(sheet)
    }

    fn write_sheet(&self, sheet: &Sheet) -> Result<(), ShelfFault> {
        let sql = "INSERT INTO sheet (id, body) VALUES (1, ?) \
             ON CONFLICT (id) DO UPDATE SET body = excluded.body";
        self.sheet.replace(None);
        self.run(sql, vec![json(sheet)?.into()])?;
        self.sheet.replace(Some(sheet.clone()));
        Ok(())
    }

    fn entry(&self, stem: &Stem) -> Result<Option<Entry>, ShelfFault> {
        let sql = "SELECT body FROM entries WHERE stem = ?";
        Ok(self.bodies(sql, vec![stem.as_str().into()])?.into_iter().next())
    }

    fn write_entry(&self, entry: &Entry) -> Result<(), ShelfFault> {
        let sql = "INSERT INTO entries (stem, phase, sha256, due_ms, body) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (stem) DO UPDATE SET phase = excluded.phase, sha256 = excluded.sha256, \
             due_ms = excluded.due_ms, body = excluded.body";
        let sha256 = entry.state.record().map(|record| record.sha256.as_str());
        let values = vec![
            entry.stem.as_str().into(),
            json(&entry.state.phase())?.into(),
            sha256.into(),
            number(entry.due_ms)?,
            json(entry)?.into(),
        ];
        self.note_due(entry.due_ms);
        self.run(sql, values).map(|_| ())
    }

    fn drop_entry(&self, stem: &Stem) -> Result<(), ShelfFault> {
        self.run("DELETE FROM entries WHERE stem = ?", vec![stem.as_str().into()]).map(|_| ())
    }

    fn twins(&self, sha256: &str) -> Result<Vec<Entry>, ShelfFault> {
        let sql = "SELECT body FROM entries WHERE sha256 = ? ORDER BY stem";
        self.bodies(sql, vec![sha256.into()])
    }

    fn due_entries(&self, now_ms: u64, most: u32) -> Result<Vec<Entry>, ShelfFault> {
        let sql = "SELECT body FROM entries WHERE due_ms <= ? ORDER BY due_ms LIMIT ?";
        self.bodies(sql, vec![number(now_ms)?, number(most.into())?])
    }

    fn latest_entries(&self, most: u32) -> Result<Vec<Entry>, ShelfFault> {
        // Stems of one user begin alike and go on with the time.
        let sql = "SELECT body FROM entries ORDER BY stem DESC LIMIT ?";
        self.bodies(sql, vec![number(most.into())?])
    }

    fn state_counts(&self) -> Result<Vec<StateCount>, ShelfFault> {
        let rows = self.run("SELECT phase, COUNT(*) FROM entries GROUP BY phase", Vec::new())?;
        let count =
            |row: &Row| Ok(StateCount { state: parse(text(row, 0)?)?, count: whole(row, 1)? });
        rows.iter().map(count).collect()
    }

    fn count_refusal(&self, minute: u64) -> u32 {
        self.refusals.set(self.refusals.get().more(minute));
        self.refusals.get().count()
    }

    fn spend(&self, ticket: &Ticket, now_ms: u64) -> Result<bool, ShelfFault> {
        self.run("DELETE FROM tickets WHERE expires_ms <= ?", vec![number(now_ms)?])?;
        let sql = "INSERT INTO tickets (id, expires_ms) VALUES (?, ?) \
             ON CONFLICT (id) DO NOTHING RETURNING id";
        let values = vec![ticket.id.as_str().into(), number(ticket.expires_ms)?];
        Ok(!self.run(sql, values)?.is_empty())
    }

    fn write_event(&self, event: &Event) -> Result<(), ShelfFault> {
        self.note_due(event.at_ms);
        let sql = "INSERT INTO events (due_ms, tries, body) VALUES (?, 0, ?)";
        self.run(sql, vec![number(event.at_ms)?, json(event)?.into()]).map(|_| ())
    }

    fn due_events(&self, now_ms: u64, most: u32) -> Result<Vec<Unsent>, ShelfFault> {
        let sql = "SELECT body, id, tries FROM events WHERE due_ms <= ? ORDER BY due_ms LIMIT ?";
        let rows = self.run(sql, vec![number(now_ms)?, number(most.into())?])?;
        let unsent = |row: &Row| {
            let (id, tries) = (whole(row, 1)?, whole(row, 2)?);
            Ok(Unsent { id, event: parse(text(row, 0)?)?, tries })
        };
        rows.iter().map(unsent).collect()
    }

    fn postpone_event(&self, id: u64, tries: u32, due_ms: u64) -> Result<(), ShelfFault> {
        self.note_due(due_ms);
        let values = vec![number(tries.into())?, number(due_ms)?, number(id)?];
        self.run("UPDATE events SET tries = ?, due_ms = ? WHERE id = ?", values).map(|_| ())
    }

    fn drop_event(&self, id: u64) -> Result<(), ShelfFault> {
        self.run("DELETE FROM events WHERE id = ?", vec![number(id)?]).map(|_| ())
    }

    fn next_due_ms(&self) -> Result<Option<u64>, ShelfFault> {
        let sql = "SELECT due_ms FROM (SELECT MIN(due_ms) AS due_ms FROM entries UNION ALL \
             SELECT MIN(due_ms) FROM events) WHERE due_ms IS NOT NULL ORDER BY due_ms LIMIT 1";
        self.run(sql, Vec::new())?.first().map(|row| whole(row, 0)).transpose()
    }

    /// An alarm that rings too early finds nothing and is set anew; so it is set only when it would
    /// ring too late.
    async fn arm(&self) -> Result<(), ShelfFault> {
        if !self.looked.get() {
            self.soonest_ms.set(self.next_due_ms()?);
            self.looked.set(true);
        }
        let Some(due_ms) = self.soonest_ms.take() else { return Ok(()) };
        if self.armed_ms.get().is_some_and(|armed_ms| armed_ms <= due_ms) {
            return Ok(());
        }
        self.armed_ms.set(Some(due_ms));
        let wait = Duration::from_millis(due_ms.saturating_sub(Date::now().as_millis()));
        let armed = self.storage.set_alarm(wait).await;
        armed.map_err(|error| {
            self.forget_alarm();
            failed(error)
        })
    }
}

fn json(value: &impl Serialize) -> Result<String, ShelfFault> {
    serde_json::to_string(value).map_err(|error| ShelfFault(error.to_string()))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ShelfFault> {
    serde_json::from_str(text).map_err(|error| ShelfFault(error.to_string()))
}

fn number(value: u64) -> Result<SqlStorageValue, ShelfFault> {
    let value = i64::try_from(value).map_err(|error| ShelfFault(error.to_string()))?;
    SqlStorageValue::try_from_i64(value).map_err(failed)
}

fn text(row: &Row, column: usize) -> Result<&str, ShelfFault> {
    match row.get(column) {
        Some(SqlStorageValue::String(text)) => Ok(text),
        _ => Err(ShelfFault(format!("no text in column {column}"))),
    }
}

fn whole<N: TryFrom<i64>>(row: &Row, column: usize) -> Result<N, ShelfFault> {
    let value = match row.get(column) {
        Some(SqlStorageValue::Integer(value)) => N::try_from(*value).ok(),
        _ => None,
    };
    value.ok_or_else(|| ShelfFault(format!("no whole number in column {column}")))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failed(error: worker::Error) -> ShelfFault {
    ShelfFault(error.to_string())
}
