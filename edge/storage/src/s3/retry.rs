//! Retries with exponential backoff and full jitter, bounded in number and time.

use super::http_client::HttpClient;
use crate::StoreError;

/// How one attempt ended.
pub(crate) enum Attempt<T> {
    Done(T),
    /// It failed, and another attempt may succeed.
    Retry(StoreError),
    /// It failed, and so would any other.
    Fail(StoreError),
}

/// How often and how long something is tried.
#[derive(Clone, Copy)]
pub(crate) struct RetryPolicy {
    pub(crate) attempts: u32,
    /// The timeout of one attempt.
    pub(crate) attempt_ms: u64,
    /// The timeout of all attempts and pauses together.
    pub(crate) total_ms: u64,
}

impl RetryPolicy {
    /// For a call that a caller waits for: three attempts survive a restart or a lost packet, and two and a
    /// half times one attempt is what remains of a caller's 30 s by default.
    pub(crate) const fn of_caller(attempt_ms: u64) -> Self {
        Self { attempts: 3, attempt_ms, total_ms: attempt_ms / 2 * 5 }
    }

    /// For a health check: within the time of one attempt. The second attempt is for a kept-alive connection
    /// that the service has closed.
    pub(crate) const fn of_probe(attempt_ms: u64) -> Self {
        Self { attempts: 2, attempt_ms, total_ms: attempt_ms }
    }
}

/// The bound of the first pause; it doubles with each attempt.
const FIRST_PAUSE_MS: u64 = 200;
const LONGEST_PAUSE_MS: u64 = 2_000;

/// Full jitter: any time up to the bound, so that clients that failed together do not retry together.
pub(crate) fn pause_ms(attempt: u32, random: u64) -> u64 {
    let doublings = attempt.saturating_sub(1).min(16);
    let bound_ms = (FIRST_PAUSE_MS << doublings).min(LONGEST_PAUSE_MS);
    random % (bound_ms + 1)
}

/// Calls `attempt` with its timeout until it succeeds, fails for good, or the policy ends.
pub(crate) async fn retry<O: HttpClient, T>(
    http_client: &O,
    retry_policy: RetryPolicy,
    mut attempt: impl AsyncFnMut(u64) -> Attempt<T>,
) -> Result<T, StoreError> {
    let started_ms = http_client.now_ms();
    let left_ms = || {
        let spent_ms = http_client.now_ms().saturating_sub(started_ms);
        retry_policy.total_ms.saturating_sub(spent_ms)
    };
    let mut tried = 0;
    loop {
        let error = match attempt(retry_policy.attempt_ms.min(left_ms())).await {
            Attempt::Done(value) => return Ok(value),
            Attempt::Fail(error) => return Err(error),
            Attempt::Retry(error) => error,
        };
        tried += 1;
        let pause_ms = pause_ms(tried, http_client.random_u64());
        if tried >= retry_policy.attempts || pause_ms >= left_ms() {
            return Err(error);
        }
        http_client.sleep(pause_ms).await;
    }
}
