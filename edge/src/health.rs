//! Alive, and ready: each part is really asked, and the answer names the one that does not work.

use std::cell::Cell;

use futures_util::future::join3;
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::{App, Ports, in_time},
    binding::{self, StoreBinding},
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

/// The parts and their state: `ok`, or `unreachable`; and whether the bucket belongs to the database.
#[derive(Serialize)]
pub struct Readiness {
    storage: &'static str,
    registry: &'static str,
    ledger: &'static str,
    bucket: &'static str,
    #[serde(skip)]
    is_wrong_bucket: bool,
}

const OK: &str = "ok";
const UNREACHABLE: &str = "unreachable";

impl Readiness {
    /// Whether all parts work together. A bucket that is known to be another one than the database's is
    /// no better than none: pictures are not found, and uploads go astray. One that nobody bound yet is
    /// most likely the right one, from before there were ids.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        [self.storage, self.registry, self.ledger].iter().all(|state| *state == OK)
            && !self.is_wrong_bucket
    }
}

/// How long a part has to answer. Whoever asks whether we are ready gives up after some seconds, and has
/// to hear which part it is.
const DEADLINE_MS: u64 = 5_000;

/// Asks storage, registry and ledger at once; what does not answer is counted, and logged with its cause.
pub async fn probe<P: Ports>(app: &App<P>) -> Readiness {
    let ports = &app.ports;
    // Within one deadline; a store that fails is not asked for more, and one that works is known to also
    // while the database keeps the rest waiting.
    let storage = Cell::new(None);
    let storage_and_binding = async {
        let outcome = ports.store().probe().await;
        let works = outcome.is_ok();
        storage.set(Some(outcome));
        if works { binding::check(app).await.ok() } else { None }
    };
    let (binding, registry, ledger) = join3(
        in_time(ports, DEADLINE_MS, storage_and_binding),
        in_time(ports, DEADLINE_MS, ports.registry().probe()),
        in_time(ports, DEADLINE_MS, ports.ledger().probe()),
    )
    .await;
    // What does not answer is told by the parts.
    let binding = binding.flatten();
    Readiness {
        bucket: binding.map_or("unknown", StoreBinding::name),
        is_wrong_bucket: binding.is_some_and(StoreBinding::is_wrong),
        storage: state(app, Part::Storage, storage.into_inner()),
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
