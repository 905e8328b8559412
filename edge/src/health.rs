//! Alive, and ready: each part is really asked, and the answer names the one that does not work.

use futures_util::future::join3;
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::Ports,
    config::ConfigProblem,
    ledger::Ledger,
    log,
    registry::Registry,
    response::{self, Answer, Body},
    storage::ObjectStore,
};

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

/// The process answers; nothing else is asked.
#[must_use]
pub fn alive<C>() -> Answer<Body<C>> {
    response::never_cached(response::json(StatusCode::OK, &Alive { status: "alive" }))
}

/// The parts and their state: `ok`, or `unreachable`.
#[derive(Serialize)]
pub struct Readiness {
    storage: &'static str,
    registry: &'static str,
    ledger: &'static str,
}

const OK: &str = "ok";
const UNREACHABLE: &str = "unreachable";

impl Readiness {
    /// Whether all parts work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        [self.storage, self.registry, self.ledger].iter().all(|state| *state == OK)
    }
}

/// Asks storage, registry and ledger; what does not answer is logged with its cause.
pub async fn probe<P: Ports>(ports: &P) -> Readiness {
    let (storage, registry, ledger) =
        join3(ports.store().probe(), ports.registry().probe(), ports.ledger().probe()).await;
    Readiness {
        storage: state("storage", storage),
        registry: state("registry", registry),
        ledger: state("ledger", ledger),
    }
}

fn state<E: core::fmt::Debug>(part: &str, outcome: Result<(), E>) -> &'static str {
    match outcome {
        Ok(()) => OK,
        Err(fault) => {
            log::error("part_unreachable", &[("part", part), ("cause", &format!("{fault:?}"))]);
            UNREACHABLE
        }
    }
}

/// 200 when all parts work, 503 otherwise.
pub async fn ready<P: Ports, C>(ports: &P) -> Answer<Body<C>> {
    let readiness = probe(ports).await;
    let status =
        if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    response::never_cached(response::json(status, &readiness))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    wasm_bytes: u64,
}

/// How much memory this isolate has taken; for measurements.
pub fn memory<P: Ports, C>(ports: &P) -> Answer<Body<C>> {
    response::never_cached(response::json(
        StatusCode::OK,
        &Memory { wasm_bytes: ports.memory_bytes() },
    ))
}

#[derive(Serialize)]
struct Misconfigured<'a> {
    configuration: Vec<Wrong<'a>>,
}

#[derive(Serialize)]
struct Wrong<'a> {
    variable: &'a str,
    expected: &'a str,
}

/// What every address but `/healthz` answers while a variable is wrong.
#[must_use]
pub fn misconfigured<C>(problems: &[ConfigProblem]) -> Answer<Body<C>> {
    let configuration = problems
        .iter()
        .map(|problem| Wrong { variable: problem.variable, expected: problem.expected })
        .collect();
    let answer = Misconfigured { configuration };
    response::never_cached(response::json(StatusCode::SERVICE_UNAVAILABLE, &answer))
}
