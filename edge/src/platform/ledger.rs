//! The ledger's Durable Object, and how the Worker reaches it. It keeps its account in its own
//! SQLite and so far answers whether that works.

use worker::{
    DurableObject, Env, ObjectNamespace, Request, Response, Result, State, durable_object,
};

use crate::app::{Ledger as LedgerPort, LedgerFault};

/// One user's account, alive in exactly one place of the world.
#[durable_object]
pub struct Ledger {
    state: State,
}

impl DurableObject for Ledger {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, _request: Request) -> Result<Response> {
        self.state.storage().sql().exec("SELECT 1", None)?;
        Response::empty()
    }
}

/// The namespace of all ledgers.
pub struct RemoteLedger(pub ObjectNamespace);

impl RemoteLedger {
    async fn ask(&self, name: &str) -> Result<Response> {
        self.0.id_from_name(name)?.get_stub()?.fetch_with_str("https://ledger/probe").await
    }
}

impl LedgerPort for RemoteLedger {
    async fn probe(&self) -> std::result::Result<(), LedgerFault> {
        match self.ask("readiness").await {
            Ok(answer) if answer.status_code() == 200 => Ok(()),
            Ok(answer) => Err(LedgerFault(format!("answered {}", answer.status_code()))),
            Err(error) => Err(LedgerFault(error.to_string())),
        }
    }
}
