//! The line of a request: what it asked for, how it ended, how large and how long it was. Who asked is
//! there as a name that only we can make, so that lines of one user can be found and nobody be named.

use image_rules::Code;
use serde_json::{Map, Value};

use super::{Level, is_heard, write};
use crate::{
    auth::SigningKey,
    call::Call,
    stats::{End, Outcome, Route},
};

/// What machines ask all the time.
const QUIET: [&str; 4] = ["healthz", "readyz", "metrics", "preflight"];

/// Writes it, when its level is heard. A failure of ours is told here with its cause, and nowhere else.
pub fn request(call: &Call<'_>, end: &End, bytes_out: u64, names: &SigningKey) {
    let causes = call.causes();
    let level = level(end, !causes.is_empty());
    if !is_heard(level) {
        return;
    }
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

fn level(end: &End, has_failed: bool) -> Level {
    match end.outcome {
        _ if has_failed => Level::Error,
        Outcome::Refused(Code::Internal) => Level::Error,
        Outcome::Refused(
            Code::RateLimited
            | Code::QuotaExceeded
            | Code::UserBanned
            | Code::TokenInvalid
            | Code::CredentialsInvalid
            | Code::InvalidFileSignature
            | Code::Busy,
        ) => Level::Warn,
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
            level(&End { route, outcome, status: StatusCode::OK, took_ms: 0 }, has_failed)
        };
        assert_eq!(of(Endpoint::Upload, Outcome::Served, false), Level::Info);
        assert_eq!(of(Endpoint::Upload, Outcome::Served, true), Level::Error);
        assert_eq!(of(Endpoint::Ready, Outcome::Served, false), Level::Debug);
        assert_eq!(of(Endpoint::Alive, Outcome::Refused(Code::RateLimited), false), Level::Warn);
        assert_eq!(of(Endpoint::Upload, Outcome::Refused(Code::FileMissing), false), Level::Info);
    }

    #[test]
    fn quiet_routes_are_routes() {
        let preflight = Endpoint::Preflight { allow: String::new() };
        let quiet = [Endpoint::Alive, Endpoint::Ready, Endpoint::Metrics, preflight];
        assert_eq!(quiet.each_ref().map(|it| Route::of(it).name), QUIET);
    }
}
