//! One account as a Durable Object: alive in exactly one place of the world, with its own SQLite.

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use crate::ledger::message::{Envelope, Question, Reply};

/// One account.
#[durable_object]
pub struct Ledger {
    state: State,
}

impl DurableObject for Ledger {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let Ok(envelope) = serde_json::from_str::<Envelope>(&request.text().await?) else {
            return Response::error("not a question", 400);
        };
        self.state.storage().sql().exec("SELECT 1", None)?;
        match envelope.question {
            Question::Probe => Response::from_json(&Reply::Done),
            _ => Response::error("not answered", 501),
        }
    }
}
