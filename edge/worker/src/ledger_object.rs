//! The Durable Object of one ledger: it runs in exactly one place, with its own SQLite and its own alarm.

use std::{cell::OnceCell, rc::Rc, time::Duration};

use edge_api::jobs;
use edge_ledger::{CommandError, LedgerRequest, LedgerService, LedgerStorageError};
use edge_types::log;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use crate::{
    ledger_storage::{SqlLedgerStorage, StorageResult},
    platform::{Bindings, ISOLATE},
};

/// When the alarm runs again if its run does not complete.
const ALARM_RETRY: Duration = Duration::from_mins(1);

#[durable_object]
pub struct LedgerObject {
    state: State,
    env: Env,
    storage: OnceCell<SqlLedgerStorage>,
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
            Err(error @ CommandError::Storage(_)) => Response::error(error.to_string(), 500),
        }
    }

    /// Fails only when the alarm cannot be set. The platform retries it then.
    async fn alarm(&self) -> Result<Response> {
        let storage = self.storage().map_err(worker_error)?;
        storage.set_retry_alarm(ALARM_RETRY).await.map_err(worker_error)?;
        match self.run_alarm(storage).await {
            Ok(()) => storage.set_next_alarm().await.map_err(worker_error)?,
            Err(error) => log::error("alarm_failed", &[("cause", &error.to_string())]),
        }
        if let Ok(bindings) = self.bindings() {
            // The alarm counts failures of the store, and this isolate may serve no request that flushes them.
            jobs::flush(bindings, &ISOLATE.with(Rc::clone)).await;
        }
        Response::empty()
    }
}

impl LedgerObject {
    async fn execute(&self, request: LedgerRequest) -> std::result::Result<String, CommandError> {
        let (storage, deps) = (self.storage()?, self.bindings()?);
        LedgerService { storage, deps }.execute(request).await
    }

    async fn run_alarm(&self, storage: &SqlLedgerStorage) -> StorageResult<()> {
        let deps = self.bindings()?;
        LedgerService { storage, deps }.run_alarm().await
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
    fn storage(&self) -> StorageResult<&SqlLedgerStorage> {
        if let Some(storage) = self.storage.get() {
            return Ok(storage);
        }
        let storage = SqlLedgerStorage::open(self.state.storage())?;
        Ok(self.storage.get_or_init(|| storage))
    }
}

fn worker_error(error: LedgerStorageError) -> worker::Error {
    worker::Error::RustError(error.0)
}
