//! The line of a request: what it asked for, how it ended, how large and how long it was. The user is in it as a
//! pseudonym, which administrators see when they look a user up.

use image_rules::Code;
use serde_json::{Map, Value};

use super::{Level, LineLimiter, is_heard, write};
use crate::{
    auth::SigningKey,
    call::Call,
    stats::{End, Outcome, Route},
};

/// What machines ask all the time.
const QUIET: [&str; 4] = ["healthz", "readyz", "metrics", "preflight"];

/// Writes it, when its level is heard. A failure of ours is told here with its cause, and nowhere else. Where not every
/// request has a line, the lines of refusals are limited; a failure always has its line.
pub fn request(
    call: &Call<'_>,
    end: &End,
    bytes_out: u64,
    names: &SigningKey,
    lines: &LineLimiter,
    now_ms: u64,
) {
    let causes = call.causes();
    let files = call.file_outcomes();
    let has_refused = files.iter().any(|outcome| matches!(outcome, Outcome::Refused(_)));
    let level = level(end, !causes.is_empty(), has_refused);
    if !is_heard(level) {
        return;
    }
    let suppressed = if level == Level::Warn && !is_heard(Level::Info) {
        match lines.admit(end.outcome.name(), now_ms) {
            Some(suppressed) => suppressed,
            None => return,
        }
    } else {
        0
    };
    let stages =
        call.spent_ms().into_iter().map(|(stage, ms)| (stage.name().to_owned(), ms.into()));
    let mut fields = vec![
        ("requestId", call.id.as_str().into()),
        ("method", method(call).into()),
        ("route", end.route.name.into()),
        ("status", end.status.as_u16().into()),
        ("outcome", end.outcome.name().into()),
        ("bytesIn", call.bytes_in().into()),
        ("bytesOut", bytes_out.into()),
        ("tookMs", end.took_ms.into()),
        ("stagesMs", Value::Object(stages.collect::<Map<_, _>>())),
    ];
    if let Some(ray) = ray(call) {
        fields.push(("ray", ray.into()));
    }
    if files.len() > 1 {
        let names: Vec<_> = files.into_iter().map(Outcome::name).collect();
        fields.push(("files", names.into()));
    }
    if suppressed > 0 {
        fields.push(("suppressed", suppressed.into()));
    }
    if let Some(user) = call.caller() {
        fields.push(("user", names.pseudonym(user.as_str()).into()));
    }
    if !causes.is_empty() {
        fields.push(("cause", causes.join("; ").into()));
    }
    write(level, "request", fields);
}

/// A caller may invent methods; only those that are known have a name in the log.
fn method(call: &Call<'_>) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"];
    let method = call.head.method.as_str();
    known.into_iter().find(|it| *it == method).unwrap_or("other")
}

/// Cloudflare's name of the request, which its own logs and support know. Elsewhere a caller may write anything there, so
/// it is logged only in the form that Cloudflare gives it: sixteen hexadecimal digits and the code of an airport.
fn ray<'a>(call: &Call<'a>) -> Option<&'a str> {
    let text = call.head.headers.get("cf-ray")?.to_str().ok()?;
    let (id, place) = text.split_once('-').map_or((text, None), |(id, place)| (id, Some(place)));
    let is_id = id.len() == 16 && id.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    let is_place = |it: &str| it.len() == 3 && it.bytes().all(|it| it.is_ascii_uppercase());
    (is_id && place.is_none_or(is_place)).then_some(text)
}

fn level(end: &End, has_failed: bool, has_refused: bool) -> Level {
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
    QUIET.contains(&route.name)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::route::Endpoint;

    #[test]
    fn the_end_of_a_request_says_how_much_it_matters() {
        let of = |endpoint, outcome, has_failed| {
            let route = Route::of(&endpoint);
            level(&End { route, outcome, status: StatusCode::OK, took_ms: 0 }, has_failed, false)
        };
        assert_eq!(of(Endpoint::Upload, Outcome::Served, false), Level::Info);
        assert_eq!(of(Endpoint::Upload, Outcome::Served, true), Level::Error);
        assert_eq!(of(Endpoint::Ready, Outcome::Served, false), Level::Debug);
        assert_eq!(of(Endpoint::Alive, Outcome::Refused(Code::RateLimited), false), Level::Warn);
        assert_eq!(of(Endpoint::Upload, Outcome::Refused(Code::Internal), false), Level::Error);
        for code in Code::ALL.iter().filter(|code| **code != Code::Internal) {
            assert_eq!(of(Endpoint::Upload, Outcome::Refused(*code), false), Level::Warn);
        }
    }

    #[test]
    fn a_ray_is_logged_in_the_form_of_the_platform_only() {
        let of = |text: &str| {
            let request = http::Request::builder().header("cf-ray", text).body(()).expect("valid");
            let (head, ()) = request.into_parts();
            let call = Call::new(&head, crate::response::RequestId::new([0; 16]));
            ray(&call).map(str::to_owned)
        };
        for real in ["8f1a2b3c4d5e6f70-ICN", "8f1a2b3c4d5e6f70"] {
            assert_eq!(of(real).as_deref(), Some(real));
        }
        let others =
            ["", "s3cret", "8F1A2B3C4D5E6F70", "8f1a2b3c4d5e6f70-icn", "8f1a2b3c4d5e6f70-"];
        for other in others.into_iter().chain(["8f1a2b3c4d5e6f7-ICN", "8f1a2b3c4d5e6f70-ICN-1"]) {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn quiet_routes_are_routes() {
        let preflight = Endpoint::Preflight { allow: String::new() };
        let quiet = [Endpoint::Alive, Endpoint::Ready, Endpoint::Metrics, preflight];
        assert_eq!(quiet.each_ref().map(|it| Route::of(it).name), QUIET);
    }
}
