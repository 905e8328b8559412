//! The Durable Object of one ledger: it runs in exactly one place, with its own SQLite and its own alarm.

use std::{cell::OnceCell, rc::Rc};

use edge_api::jobs;
use edge_ledger::{
    ALARM_RETRY_MS, CachedStorage, CommandError, LedgerRequest, LedgerService, LedgerStorageError,
};
use edge_types::{
    Clock,
    log::{self, Level},
};
use serde_json::Value;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use crate::{
    ledger_storage::{SqlLedgerStorage, StorageResult},
    platform::{Bindings, ISOLATE},
    runtime::Runtime,
};

#[durable_object]
pub struct LedgerObject {
    state: State,
    env: Env,
    storage: OnceCell<CachedStorage<SqlLedgerStorage>>,
    bindings: OnceCell<Bindings>,
}

impl DurableObject for LedgerObject {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, storage: OnceCell::new(), bindings: OnceCell::new() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let Ok(request) = serde_json::from_str::<LedgerRequest>(&request.text().await?) else {
            return Response::error("not a command", 400);
        };
        match self.execute(request).await {
            Ok(reply) => Response::ok(reply),
            Err(error @ CommandError::WrongSubject) => Response::error(error.to_string(), 400),
            Err(error) => Response::error(error.to_string(), 500),
        }
    }

    /// Fails only when the alarm cannot be set. The platform retries it then.
    async fn alarm(&self) -> Result<Response> {
        self.run_alarm().await.map_err(worker_error)?;
        if let Ok(bindings) = self.bindings() {
            // The alarm counts failures of the store and events, and this isolate may serve no request that flushes them.
            jobs::flush_after_alarm(bindings, &ISOLATE.with(Rc::clone)).await;
        }
        Response::empty()
    }
}

impl LedgerObject {
    async fn execute(&self, request: LedgerRequest) -> std::result::Result<String, CommandError> {
        let (storage, deps) = (self.storage()?, self.bindings()?);
        let reply = LedgerService { storage, deps }.execute(request).await;
        log_rows("command", storage);
        reply
    }

    async fn run_alarm(&self) -> StorageResult<()> {
        let storage = self.storage()?;
        let outcome = match self.bindings() {
            Ok(deps) => LedgerService { storage, deps }.run_alarm().await,
            Err(error) => {
                log::error("alarm_failed", &[("cause", &error.to_string())]);
                storage.put_alarm(Runtime.now_ms().saturating_add(ALARM_RETRY_MS)).await
            }
        };
        log_rows("alarm", storage);
        outcome
    }

    /// Looked up once, for as long as the object lives.
    fn bindings(&self) -> StorageResult<&Bindings> {
        if let Some(bindings) = self.bindings.get() {
            return Ok(bindings);
        }
        let bindings = Bindings::without_request(&self.env);
        let bindings = bindings.map_err(|error| LedgerStorageError(error.to_string()))?;
        Ok(self.bindings.get_or_init(|| bindings))
    }

    /// Opened once. When that fails, the next command tries again.
    fn storage(&self) -> StorageResult<&CachedStorage<SqlLedgerStorage>> {
        if let Some(storage) = self.storage.get() {
            return Ok(storage);
        }
        let storage = SqlLedgerStorage::open(self.state.storage())?;
        Ok(self.storage.get_or_init(|| CachedStorage::new(storage)))
    }
}

/// Logs how many rows were written, because they are billed.
fn log_rows(during: &str, storage: &CachedStorage<SqlLedgerStorage>) {
    let rows = Value::from(storage.rows().take_rows_written());
    let fields = vec![("during", Value::from(during)), ("rows", rows)];
    log::write(Level::Debug, "ledger_rows_written", fields);
}

fn worker_error(error: LedgerStorageError) -> worker::Error {
    worker::Error::RustError(error.0)
}
