//! The log line of a request. The user is in it as a pseudonym, which administrators see when they look a user up.

use edge_types::{log, log::Level};
use image_rules::Code;
use serde_json::{Map, Value};

use crate::{
    app::App,
    context::RequestContext,
    ports::Ports,
    telemetry::{Outcome, RequestEnd, Route},
};

/// What machines request all the time.
const QUIET_ROUTES: [&str; 4] = ["healthz", "readyz", "metrics", "preflight"];

/// Writes the line when its level is enabled. The cause of a server error is logged here and nowhere else. Where not
/// every request has a line, the lines of refusals are limited; a server error always has its line.
pub fn write<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    end: &RequestEnd,
    bytes_out: u64,
) {
    let causes = context.causes();
    let files = context.file_outcomes();
    let has_refused = files.iter().any(|outcome| matches!(outcome, Outcome::Refused(_)));
    let level = level(end, !causes.is_empty(), has_refused);
    if !log::is_enabled(level) {
        return;
    }
    let mut suppressed = 0;
    if level == Level::Warn && !log::is_enabled(Level::Info) {
        let limiter = &app.isolate.line_limiter;
        match limiter.admit(end.outcome.name(), app.ports.now_ms()) {
            Some(count) => suppressed = count,
            None => return,
        }
    }
    let stages =
        context.spent_ms().into_iter().map(|(stage, ms)| (stage.into_str().to_owned(), ms.into()));
    let mut fields: Vec<(&str, Value)> = vec![
        ("requestId", context.id.as_str().into()),
        ("method", method(context).into()),
        ("route", end.route.name.into()),
        ("status", end.status.as_u16().into()),
        ("outcome", end.outcome.name().into()),
        ("bytesIn", context.bytes_in().into()),
        ("bytesOut", bytes_out.into()),
        ("tookMs", end.took_ms.into()),
        ("stagesMs", Value::Object(stages.collect::<Map<_, _>>())),
    ];
    if let Some(ray) = ray(context) {
        fields.push(("ray", ray.into()));
    }
    if files.len() > 1 {
        let names: Vec<_> = files.into_iter().map(Outcome::name).collect();
        fields.push(("files", names.into()));
    }
    if suppressed > 0 {
        fields.push(("suppressed", suppressed.into()));
    }
    if let Some((user, role)) = context.caller() {
        let pseudonym = app.config.auth.signing.pseudonym(user.as_str());
        fields.push(("user", pseudonym.into()));
        fields.push(("role", role.name().into()));
    }
    if !causes.is_empty() {
        fields.push(("cause", causes.join("; ").into()));
    }
    log::write(level, "request", fields);
}

/// Callers can invent methods, so only known ones are logged.
fn method(context: &RequestContext<'_>) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"];
    let method = context.head.method.as_str();
    known.into_iter().find(|it| *it == method).unwrap_or("other")
}

/// Cloudflare's id of the request. Elsewhere a caller can write anything there, so it is logged only in Cloudflare's
/// form: sixteen hexadecimal digits and the code of an airport.
fn ray<'a>(context: &RequestContext<'a>) -> Option<&'a str> {
    let text = context.head.headers.get("cf-ray")?.to_str().ok()?;
    let (id, place) = text.split_once('-').map_or((text, None), |(id, place)| (id, Some(place)));
    let is_id = id.len() == 16 && id.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    let is_place = |it: &str| it.len() == 3 && it.bytes().all(|it| it.is_ascii_uppercase());
    (is_id && place.is_none_or(is_place)).then_some(text)
}

fn level(end: &RequestEnd, has_failed: bool, has_refused: bool) -> Level {
    match end.outcome {
        _ if has_failed => Level::Error,
        Outcome::Refused(Code::Internal) => Level::Error,
        Outcome::Refused(_) => Level::Warn,
        _ if has_refused => Level::Warn,
        _ if is_quiet(end.route) => Level::Debug,
        _ => Level::Info,
    }
}

fn is_quiet(route: Route) -> bool {
    QUIET_ROUTES.contains(&route.name)
}
