//! One request as its way through the Worker sees it: its head, its id, where it comes from, and
//! the limits that it learned of on the way.

use std::cell::RefCell;

use http::{HeaderMap, HeaderValue, header, request::Parts};
use image_rules::Language;

use crate::{
    app::Ports,
    auth::UserId,
    error::{Failure, Part, Refusal},
    ledger::{
        ClientIp,
        message::{Gauge, Gauges},
    },
    response::{self, RequestId},
    route::{self, text_header},
    stats::{FileCount, Outcome, Stage},
};

/// One request.
pub struct Call<'a> {
    /// Method, address and headers.
    pub head: &'a Parts,
    /// Its name in its answer and in the log.
    pub id: RequestId,
    limits: RefCell<Vec<(&'static str, Gauge)>>,
    spent_ms: RefCell<Vec<(Stage, u64)>>,
    files: RefCell<Vec<FileCount>>,
    caller: RefCell<Option<UserId>>,
    faults: RefCell<Vec<(Part, String)>>,
}

impl<'a> Call<'a> {
    /// A request that has just come.
    #[must_use]
    pub fn new(head: &'a Parts, id: RequestId) -> Self {
        let (limits, spent_ms, files, caller, faults) = Default::default();
        Self { head, id, limits, spent_ms, files, caller, faults }
    }

    /// Whether browsers may send and take the cookie of the refresh token here.
    #[must_use]
    pub fn is_about_cookies(&self) -> bool {
        route::COOKIE_PATHS.contains(&self.head.uri.path())
    }

    /// The language that the caller reads.
    #[must_use]
    pub fn language(&self) -> Language {
        response::language(self.head)
    }

    /// Where the request comes from.
    #[must_use]
    pub fn client_ip(&self) -> ClientIp {
        let value = self.head.headers.get("cf-connecting-ip");
        ClientIp::parse(value.and_then(|value| value.to_str().ok()))
    }

    /// Remembers what became of a file, to be counted.
    pub fn tell_file(&self, file: FileCount) {
        self.files.borrow_mut().push(file);
    }

    /// What became of the files so far.
    #[must_use]
    pub fn take_files(&self) -> Vec<FileCount> {
        self.files.take()
    }

    /// How each file ended so far.
    #[must_use]
    pub fn file_outcomes(&self) -> Vec<Outcome> {
        self.files.borrow().iter().map(|file| file.outcome).collect()
    }

    /// Bytes that came: those of the files that were read, or as announced.
    #[must_use]
    pub fn bytes_in(&self) -> u64 {
        let announced = || text_header(self.head, header::CONTENT_LENGTH)?.parse().ok();
        match self.files.borrow().iter().map(|file| file.bytes_in).sum() {
            0 => announced().unwrap_or(0),
            bytes => bytes,
        }
    }

    /// Remembers who asks, for the log.
    pub fn tell_caller(&self, caller: &UserId) {
        self.caller.replace(Some(caller.clone()));
    }

    /// Who asks, once that is known.
    #[must_use]
    pub fn caller(&self) -> Option<UserId> {
        self.caller.borrow().clone()
    }

    /// What the caller is told; of a fault of ours the cause is kept for the log, and not told.
    #[must_use]
    pub fn told(&self, failure: Failure) -> Refusal {
        match failure {
            Failure::Refused(refusal) => refusal,
            Failure::Fault(fault) => {
                self.faults.borrow_mut().push((fault.part(), format!("{fault:?}")));
                fault.told()
            }
        }
    }

    /// The parts of ours that failed.
    #[must_use]
    pub fn faults(&self) -> Vec<Part> {
        self.faults.borrow().iter().map(|(part, _)| *part).collect()
    }

    /// Why they failed.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        self.faults.borrow().iter().map(|(_, cause)| cause.clone()).collect()
    }

    /// Where the time went so far.
    #[must_use]
    pub fn spent_ms(&self) -> Vec<(Stage, u64)> {
        self.spent_ms.borrow().clone()
    }

    /// Remembers one limit, to tell the caller.
    pub fn tell_limit(&self, name: &'static str, gauge: Gauge) {
        self.limits.replace(vec![(name, gauge)]);
    }

    /// Remembers how the user stands, to tell the caller: of more use than the client IP.
    pub fn tell_user(&self, gauges: &Gauges) {
        let Gauges { rate, daily_count, daily_bytes } = *gauges;
        self.limits.replace(vec![("user", rate), ("day", daily_count), ("bytes", daily_bytes)]);
    }

    /// Does something and remembers how long it took, to tell the caller: the platform's clock stands
    /// still but for input and output, so it is waiting that is told.
    pub async fn timed<P: Ports, T>(
        &self,
        ports: &P,
        stage: Stage,
        work: impl Future<Output = T>,
    ) -> T {
        let began_ms = ports.now_ms();
        let outcome = work.await;
        let took_ms = ports.now_ms().saturating_sub(began_ms);
        let mut spent = self.spent_ms.borrow_mut();
        match spent.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, total_ms)) => *total_ms += took_ms,
            None => spent.push((stage, took_ms)),
        }
        drop(spent);
        outcome
    }

    /// Writes where the time went (`Server-Timing`), when something was timed.
    pub fn write_timing(&self, headers: &mut HeaderMap) {
        let spent = self.spent_ms.borrow();
        let entries: Vec<_> = spent
            .iter()
            .map(|(stage, took_ms)| format!("{};dur={took_ms}", stage.name()))
            .collect();
        if let Ok(value) = HeaderValue::from_str(&entries.join(", "))
            && !entries.is_empty()
        {
            headers.insert("server-timing", value);
        }
    }

    /// Writes the `RateLimit` fields, when limits were learned of.
    pub fn write_limits(&self, headers: &mut HeaderMap) {
        let limits = self.limits.borrow();
        if limits.is_empty() {
            return;
        }
        let list = |entry: fn(&str, &Gauge) -> String| {
            let entries: Vec<_> = limits.iter().map(|(name, gauge)| entry(name, gauge)).collect();
            HeaderValue::from_str(&entries.join(", ")).ok()
        };
        let policy =
            list(|name, gauge| format!("\"{name}\";q={};w={}", gauge.quota, gauge.window_s));
        let state =
            list(|name, gauge| format!("\"{name}\";r={};t={}", gauge.remaining, gauge.reset_s));
        headers
            .extend(policy.map(|value| (http::HeaderName::from_static("ratelimit-policy"), value)));
        headers.extend(state.map(|value| (http::HeaderName::from_static("ratelimit"), value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_the_fields_want_them() {
        let (head, ()) = http::Request::new(()).into_parts();
        let call = Call::new(&head, RequestId::new([0; 16]));
        let mut headers = HeaderMap::new();
        call.write_limits(&mut headers);
        assert!(headers.is_empty());
        call.tell_limit("address", Gauge { quota: 120, window_s: 60, remaining: 12, reset_s: 30 });
        call.write_limits(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"address\";q=120;w=60");
        assert_eq!(headers["ratelimit"], "\"address\";r=12;t=30");
    }
}
