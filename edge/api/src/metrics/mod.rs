//! `GET /metrics`: counters since the beginning, of all isolates and across restarts, for Prometheus. The database has the
//! sums; this isolate flushes its own before it reads them.

mod text;

use edge_registry::MetricsStore;
use http::{HeaderValue, StatusCode, header};

use crate::{
    app::App,
    jobs,
    ports::Ports,
    response::{self, Body, HandlerResult},
};

/// The text format, which every scraper reads.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Reads all metrics.
///
/// # Errors
/// `BUSY` when the database fails, so that no scraper takes silence for zero.
pub async fn read<P: Ports>(app: &App<P>) -> HandlerResult<P> {
    jobs::flush(&app.ports, &app.isolate).await;
    let now_ms = app.ports.now_ms();
    let since_ms = now_ms.saturating_sub(jobs::KEPT_ISOLATES_MS);
    let mut snapshot = app.ports.registry().metrics_snapshot(now_ms, since_ms).await?;
    let own = jobs::isolate_memory(&app.ports, &app.isolate);
    snapshot.isolates.retain(|isolate| isolate.id != own.id);
    snapshot.isolates.push(own);
    let environment = text::Environment {
        now_ms,
        memory_budget_bytes: app.config.memory_budget_bytes,
        deployment: app.ports.deployment().map(|it| it.id).unwrap_or_default(),
    };
    let text = text::write(&snapshot, &environment);
    let mut response = response::never_cached(response::empty(StatusCode::OK));
    *response.body_mut() = Body::Bytes(text.into_bytes());
    response.headers_mut().insert(header::CONTENT_TYPE, TEXT);
    Ok(response)
}
