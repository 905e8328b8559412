//! One request: its head, its id, and what is learned on the way to its response and its log line.

use std::cell::RefCell;

use edge_types::{ClientIp, Clock, LimitStatus, Problem, Role, UploadLimitStatuses, UserId};
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use image_rules::Language;

use crate::{
    error::{ApiError, Component},
    request::{self, text_header},
    telemetry::{FileCount, Outcome, Stage},
};

/// Identifies a request in its response and in the log.
pub struct RequestId(String);

impl RequestId {
    pub fn new(random: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(random).into_uuid().to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One request.
pub struct RequestContext<'a> {
    pub head: &'a Parts,
    pub id: RequestId,
    limits: RefCell<Vec<(&'static str, LimitStatus)>>,
    spent_ms: RefCell<Vec<(Stage, u64)>>,
    files: RefCell<Vec<FileCount>>,
    caller: RefCell<Option<(UserId, Role)>>,
    errors: RefCell<Vec<(Component, String)>>,
}

impl<'a> RequestContext<'a> {
    pub fn new(head: &'a Parts, id: RequestId) -> Self {
        let (limits, spent_ms, files, caller, errors) = Default::default();
        Self { head, id, limits, spent_ms, files, caller, errors }
    }

    pub fn language(&self) -> Language {
        request::language(self.head)
    }

    pub fn client_ip(&self) -> ClientIp {
        request::client_ip(self.head)
    }

    pub fn record_file(&self, file: FileCount) {
        self.files.borrow_mut().push(file);
    }

    pub fn take_files(&self) -> Vec<FileCount> {
        self.files.take()
    }

    pub fn file_outcomes(&self) -> Vec<Outcome> {
        self.files.borrow().iter().map(|file| file.outcome).collect()
    }

    /// The bytes of the files that were read, or the announced length.
    pub fn bytes_in(&self) -> u64 {
        let announced = || text_header(self.head, header::CONTENT_LENGTH)?.parse().ok();
        match self.files.borrow().iter().map(|file| file.bytes_in).sum() {
            0 => announced().unwrap_or(0),
            bytes => bytes,
        }
    }

    pub fn record_caller(&self, caller: &UserId, role: Role) {
        self.caller.replace(Some((caller.clone(), role)));
    }

    pub fn caller(&self) -> Option<(UserId, Role)> {
        self.caller.borrow().clone()
    }

    /// What the caller sees. The cause of a server error is kept for the log.
    pub fn to_problem(&self, error: ApiError) -> Problem {
        match error {
            ApiError::Client(problem) => problem,
            ApiError::Internal(error) => {
                self.errors.borrow_mut().push((error.component(), error.to_string()));
                error.to_problem()
            }
        }
    }

    pub fn failed_components(&self) -> Vec<Component> {
        self.errors.borrow().iter().map(|(component, _)| *component).collect()
    }

    pub fn causes(&self) -> Vec<String> {
        self.errors.borrow().iter().map(|(_, cause)| cause.clone()).collect()
    }

    pub fn spent_ms(&self) -> Vec<(Stage, u64)> {
        self.spent_ms.borrow().clone()
    }

    /// Shows one limit to the caller.
    pub fn record_limit(&self, name: &'static str, status: LimitStatus) {
        self.limits.replace(vec![(name, status)]);
    }

    /// Shows the limits of the user, which matter more to the caller than that of the client IP.
    pub fn record_upload_limits(&self, statuses: &UploadLimitStatuses) {
        let UploadLimitStatuses { rate, daily_count, daily_bytes } = *statuses;
        self.limits.replace(vec![("user", rate), ("day", daily_count), ("bytes", daily_bytes)]);
    }

    /// Measures how long a stage waits. The platform's clock stands still during CPU work, so only I/O shows.
    pub async fn timed<T>(
        &self,
        clock: &impl Clock,
        stage: Stage,
        work: impl Future<Output = T>,
    ) -> T {
        let began_ms = clock.now_ms();
        let output = work.await;
        let took_ms = clock.now_ms().saturating_sub(began_ms);
        let mut spent = self.spent_ms.borrow_mut();
        match spent.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, total_ms)) => *total_ms += took_ms,
            None => spent.push((stage, took_ms)),
        }
        drop(spent);
        output
    }

    /// Writes `Server-Timing`, when something was measured.
    pub fn write_timing(&self, headers: &mut HeaderMap) {
        let spent = self.spent_ms.borrow();
        let entries: Vec<_> =
            spent.iter().map(|(stage, ms)| format!("{};dur={ms}", stage.into_str())).collect();
        if let Ok(value) = HeaderValue::from_str(&entries.join(", "))
            && !entries.is_empty()
        {
            headers.insert("server-timing", value);
        }
    }

    /// Writes `RateLimit-Policy` and `RateLimit`, when limits were recorded.
    pub fn write_limits(&self, headers: &mut HeaderMap) {
        let limits = self.limits.borrow();
        if limits.is_empty() {
            return;
        }
        let list = |entry: fn(&str, &LimitStatus) -> String| {
            let entries: Vec<_> = limits.iter().map(|(name, status)| entry(name, status)).collect();
            HeaderValue::from_str(&entries.join(", ")).ok()
        };
        let policy = list(|name, it| format!("\"{name}\";q={};w={}", it.quota, it.window_s));
        let state = list(|name, it| format!("\"{name}\";r={};t={}", it.remaining, it.reset_s));
        let fields = [("ratelimit-policy", policy), ("ratelimit", state)];
        headers.extend(
            fields
                .into_iter()
                .filter_map(|(name, value)| Some((HeaderName::from_static(name), value?))),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_rate_limit_fields() {
        let (head, ()) = http::Request::new(()).into_parts();
        let context = RequestContext::new(&head, RequestId::new([0; 16]));
        let mut headers = HeaderMap::new();
        context.write_limits(&mut headers);
        assert!(headers.is_empty());
        context.record_limit(
            "address",
            LimitStatus { quota: 120, window_s: 60, remaining: 12, reset_s: 30 },
        );
        context.write_limits(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"address\";q=120;w=60");
        assert_eq!(headers["ratelimit"], "\"address\";r=12;t=30");
    }
}
