//! Alive, and ready: each part is really asked, and the answer names the one that does not work.

use futures_util::future::join3;
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::{App, Ports, in_time},
    config::ConfigProblem,
    error::Part,
    ledger::Ledger,
    log,
    registry::Registry,
    response::{self, Answer, Body},
    stats::Series,
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

/// How long a part has to answer. Whoever asks whether we are ready gives up after some seconds, and has
/// to hear which part it is.
const DEADLINE_MS: u64 = 5_000;

/// Asks storage, registry and ledger at once; what does not answer is counted, and logged with its cause.
pub async fn probe<P: Ports>(app: &App<P>) -> Readiness {
    let ports = &app.ports;
    let (storage, registry, ledger) = join3(
        in_time(ports, DEADLINE_MS, ports.store().probe()),
        in_time(ports, DEADLINE_MS, ports.registry().probe()),
        in_time(ports, DEADLINE_MS, ports.ledger().probe()),
    )
    .await;
    Readiness {
        storage: state(app, Part::Storage, storage),
        registry: state(app, Part::Registry, registry),
        ledger: state(app, Part::Ledger, ledger),
    }
}

fn state<P: Ports, E: core::fmt::Debug>(
    app: &App<P>,
    part: Part,
    outcome: Option<Result<(), E>>,
) -> &'static str {
    let cause = match outcome {
        Some(Ok(())) => None,
        Some(Err(fault)) => Some(format!("{fault:?}")),
        None => Some("no answer in time".to_owned()),
    };
    app.isolate.tallies.count(Series::Probe(part, cause.is_none()), 1);
    match cause {
        None => OK,
        Some(cause) => {
            log::error("part_unreachable", &[("part", part.name()), ("cause", &cause)]);
            UNREACHABLE
        }
    }
}

/// 200 when all parts work, 503 otherwise.
pub async fn ready<P: Ports, C>(app: &App<P>) -> Answer<Body<C>> {
    let readiness = probe(app).await;
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
