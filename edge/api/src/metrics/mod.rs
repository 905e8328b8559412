//! `GET /metrics`: counters since the beginning, of all isolates and across restarts, for Prometheus. The database has the
//! sums; this isolate flushes its own before it reads them.

mod text;

use edge_registry::{FormPictures, FormStore, MetricsStore};
use edge_types::FormName;
use http::{HeaderValue, StatusCode, header};

use crate::{
    app::App,
    error::InternalError,
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
    let forms = forms(app, now_ms).await?;
    let environment = text::Environment {
        forms,
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

/// How many forms have a series of their own.
const MAX_FORMS: u32 = 20;
/// All other forms. A form's name has no space.
const OTHER_FORMS: &str = "all others";

/// The pictures that the busiest forms have got within the last hour, and all others together. Forms are labels that
/// callers invent, so only names that can have a policy stand alone.
async fn forms<P: Ports>(app: &App<P>, now_ms: u64) -> Result<Vec<FormPictures>, InternalError> {
    let since_ms = now_ms.saturating_sub(jobs::HOUR_MS);
    let registry = app.ports.registry();
    let mut busiest = registry.form_pictures(since_ms, MAX_FORMS).await?;
    busiest.retain(|form| FormName::parse(&form.form_id).is_some());
    let named: u64 = busiest.iter().map(|form| form.count).sum();
    let all = registry.count_form_pictures(since_ms).await?;
    let (form_id, count) = (OTHER_FORMS.to_owned(), all.saturating_sub(named));
    busiest.push(FormPictures { form_id, count });
    Ok(busiest)
}
