//! One account as a Durable Object: alive in exactly one place of the world, with its own SQLite and
//! its own alarm. What it answers and does is the desk's.

use std::{cell::OnceCell, rc::Rc, time::Duration};

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::{Bindings, ISOLATE, shelf::SqlShelf};
use crate::{
    ledger::{
        desk::{Desk, DeskFault},
        message::{Envelope, Reply},
        shelf::ShelfFault,
    },
    log, stats,
};

/// When an alarm whose work broke off rings again.
const SECOND_RUN: Duration = Duration::from_mins(1);

/// One account.
#[durable_object]
pub struct Ledger {
    state: State,
    env: Env,
    opened: OnceCell<SqlShelf>,
    bindings: OnceCell<Bindings>,
}

impl DurableObject for Ledger {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, opened: OnceCell::new(), bindings: OnceCell::new() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let Ok(envelope) = serde_json::from_str::<Envelope>(&request.text().await?) else {
            return Response::error("not a question", 400);
        };
        match self.answer(envelope).await {
            Ok(reply) => Response::from_json(&reply),
            Err(DeskFault::Malformed) => Response::error("not a question for this account", 400),
            Err(DeskFault::Shelf(ShelfFault(cause))) => Response::error(cause, 500),
        }
    }

    /// Fails only when the alarm could not be set again: then the platform itself repeats it.
    async fn alarm(&self) -> Result<Response> {
        let own = self.shelf().map_err(told)?;
        own.rearm(SECOND_RUN).await.map_err(told)?;
        match self.work_off(own).await {
            Ok(()) => own.settle().await.map_err(told)?,
            Err(ShelfFault(cause)) => log::error("alarm_failed", &[("cause", &cause)]),
        }
        if let Ok(reach) = self.reach() {
            // Failures of the store are counted here, too, and no request may come to write them.
            stats::flush(reach, &ISOLATE.with(Rc::clone)).await;
        }
        Response::empty()
    }
}

impl Ledger {
    async fn answer(&self, envelope: Envelope) -> std::result::Result<Reply, DeskFault> {
        let reach = self.reach()?;
        Desk { shelf: self.shelf()?, reach }.answer(envelope).await
    }

    async fn work_off(&self, own: &SqlShelf) -> std::result::Result<(), ShelfFault> {
        let reach = self.reach()?;
        Desk { shelf: own, reach }.alarm().await
    }

    /// Looked up at the first question, for as long as the object lives.
    fn reach(&self) -> std::result::Result<&Bindings, ShelfFault> {
        if let Some(bindings) = self.bindings.get() {
            return Ok(bindings);
        }
        let bindings = Bindings::aside(&self.env).map_err(|error| ShelfFault(error.to_string()))?;
        Ok(self.bindings.get_or_init(|| bindings))
    }

    /// Opened at the first question; when that fails, at the next.
    fn shelf(&self) -> std::result::Result<&SqlShelf, ShelfFault> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let opened = SqlShelf::open(self.state.storage())?;
        Ok(self.opened.get_or_init(|| opened))
    }
}

fn told(fault: ShelfFault) -> worker::Error {
    worker::Error::RustError(fault.0)
}
