//! Trying again: a few times, a little later each time, and never for ever.

use super::outside::Outside;
use crate::storage::StoreFault;

/// How one attempt ended.
pub(super) enum Step<T> {
    /// Well.
    Done(T),
    /// Badly, and another attempt may end better.
    Again(StoreFault),
    /// Badly, and so would any other.
    Stop(StoreFault),
}

/// How often and how long something is tried.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// Attempts in all.
    pub(super) attempts: u32,
    /// For one attempt.
    pub(super) attempt_ms: u64,
    /// For all attempts and the pauses between them.
    pub(super) total_ms: u64,
}

impl Patience {
    /// For a call that somebody is waiting for: three attempts get past a restart or a lost packet,
    /// and two and a half times one attempt is what is left of a caller's half minute by default.
    pub(super) const fn of_caller(attempt_ms: u64) -> Self {
        Self { attempts: 3, attempt_ms, total_ms: attempt_ms / 2 * 5 }
    }

    /// For the question whether the service works now: in the time of one attempt, and once more only
    /// because a connection that was kept open may have been closed by the other side.
    pub(super) const fn of_probe(attempt_ms: u64) -> Self {
        Self { attempts: 2, attempt_ms, total_ms: attempt_ms }
    }
}

/// The first pause is at most this long, each further one at most twice the one before.
const FIRST_PAUSE_MS: u64 = 200;
/// And none is longer than this.
const LONGEST_PAUSE_MS: u64 = 2_000;

/// Anything from nothing to the bound, so that those who failed together do not come back together.
pub(super) const fn pause_ms(attempt: u32, random: u64) -> u64 {
    let doublings = attempt.saturating_sub(1);
    let doublings = if doublings > 16 { 16 } else { doublings };
    let bound = FIRST_PAUSE_MS << doublings;
    let bound = if bound > LONGEST_PAUSE_MS { LONGEST_PAUSE_MS } else { bound };
    random % (bound + 1)
}

/// Tries until it is done, hopeless, or too late; each attempt is told how long it may take.
pub(super) async fn persist<O: Outside, T>(
    outside: &O,
    patience: Patience,
    mut attempt: impl AsyncFnMut(u64) -> Step<T>,
) -> Result<T, StoreFault> {
    let started_ms = outside.now_ms();
    let left_ms = || {
        let spent_ms = outside.now_ms().saturating_sub(started_ms);
        patience.total_ms.saturating_sub(spent_ms)
    };
    let mut tried = 0;
    loop {
        let fault = match attempt(patience.attempt_ms.min(left_ms())).await {
            Step::Done(value) => return Ok(value),
            Step::Stop(fault) => return Err(fault),
            Step::Again(fault) => fault,
        };
        tried += 1;
        let pause_ms = pause_ms(tried, outside.random());
        if tried >= patience.attempts || pause_ms >= left_ms() {
            return Err(fault);
        }
        outside.sleep(pause_ms).await;
    }
}
