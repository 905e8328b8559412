//! `GET /healthz` and `GET /readyz`: each component is really asked, and the response names the one that fails.

use std::cell::Cell;

use edge_ledger::LedgerClient;
use edge_registry::Registry;
use edge_storage::{BucketBinding, ObjectStore};
use edge_types::{ConfigProblem, log, with_timeout};
use futures_util::future::join3;
use http::StatusCode;
use serde::Serialize;

use crate::{
    app::App,
    bucket_binding,
    error::Component,
    ports::Ports,
    readiness::{OK, Readiness, UNREACHABLE},
    response::{self, Body, Response},
    telemetry::Metric,
};

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

/// The process answers; nothing else is checked.
pub fn alive<C>() -> Response<Body<C>> {
    response::never_cached(response::json(StatusCode::OK, &Alive { status: "alive" }))
}

/// How long a component has to answer. Load balancers give up after some seconds, and must learn which component it is.
const TIMEOUT_MS: u64 = 5_000;

/// Checks storage, database and ledger concurrently. A failure is counted, and logged with its cause.
pub async fn probe<P: Ports>(app: &App<P>) -> Readiness {
    let ports = &app.ports;
    // Within one timeout. The state of the store is known also while the database delays the binding.
    let storage = Cell::new(None);
    let storage_and_binding = async {
        let outcome = ports.store().probe().await;
        let is_ok = outcome.is_ok();
        storage.set(Some(outcome));
        if is_ok { bucket_binding::check(app).await.ok() } else { None }
    };
    let (binding, registry, ledger) = join3(
        with_timeout(ports, TIMEOUT_MS, storage_and_binding),
        with_timeout(ports, TIMEOUT_MS, ports.registry().probe()),
        with_timeout(ports, TIMEOUT_MS, ports.ledger().probe()),
    )
    .await;
    // The components show why there is none.
    let binding = binding.flatten();
    Readiness {
        bucket: binding.map_or("unknown", |binding| binding.into_str()),
        is_wrong_bucket: binding.is_some_and(BucketBinding::is_wrong),
        storage: state(app, Component::Storage, storage.into_inner()),
        registry: state(app, Component::Registry, registry),
        ledger: state(app, Component::Ledger, ledger),
    }
}

fn state<P: Ports, E: core::fmt::Display>(
    app: &App<P>,
    component: Component,
    outcome: Option<Result<(), E>>,
) -> &'static str {
    let cause = match outcome {
        Some(Ok(())) => None,
        Some(Err(error)) => Some(error.to_string()),
        None => Some("no answer in time".to_owned()),
    };
    app.isolate.counters.count(Metric::Probe(component, cause.is_none()), 1);
    let Some(cause) = cause else { return OK };
    let fields = [("component", component.into_str()), ("cause", &cause)];
    log::error("component_unreachable", &fields);
    UNREACHABLE
}

/// 200 when all components work, 503 otherwise.
pub async fn ready<P: Ports, C>(app: &App<P>) -> Response<Body<C>> {
    let (cache, now_ms) = (&app.isolate.readiness, app.ports.now_ms());
    let readiness = if let Some(readiness) = cache.get(now_ms) {
        readiness
    } else {
        let readiness = probe(app).await;
        cache.put(readiness, now_ms);
        readiness
    };
    let status =
        if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    response::never_cached(response::json(status, &readiness))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    wasm_bytes: u64,
}

/// The wasm memory of this isolate, for measurements.
pub fn memory<P: Ports, C>(ports: &P) -> Response<Body<C>> {
    let memory = Memory { wasm_bytes: ports.wasm_memory_bytes() };
    response::never_cached(response::json(StatusCode::OK, &memory))
}

#[derive(Serialize)]
struct Misconfigured<'a> {
    configuration: Vec<WrongVariable<'a>>,
}

#[derive(Serialize)]
struct WrongVariable<'a> {
    variable: &'a str,
    expected: &'a str,
}

/// The response of every path but `/healthz` while a variable cannot be used.
pub fn misconfigured<C>(problems: &[ConfigProblem]) -> Response<Body<C>> {
    let configuration = problems
        .iter()
        .map(|problem| WrongVariable { variable: &problem.variable, expected: problem.expected })
        .collect();
    let body = Misconfigured { configuration };
    response::never_cached(response::json(StatusCode::SERVICE_UNAVAILABLE, &body))
}
