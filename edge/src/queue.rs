//! Waiting for what other requests of the isolate hold. Whoever has waited too long is told to come
//! back: a queue without an end would answer everybody too late.

use image_rules::Code;

use crate::{
    app::{App, Ports},
    error::Refusal,
    stats::Stage,
};

/// How long a request waits before it is told to come back.
pub(crate) const PATIENCE_MS: u64 = 4_000;
/// Waiting is asking again: a wake-up across requests is not to be had on Workers. A kept picture is
/// done in some 10 ms.
const STEP_MS: u64 = 10;
/// Of those who wait for a place there are many, who must not keep the isolate busy with asking; a place
/// that is free for so long among 32 is not missed.
const PLACE_STEP_MS: u64 = 25;
/// When those who were turned away come back.
const RETRY_S: u32 = 2;

/// What those are told whose turn does not come.
#[must_use]
pub const fn busy() -> Refusal {
    Refusal::retry(Code::Busy, RETRY_S)
}

/// Tries to take something until it is there. The time is that of the clock and not the sum of the
/// steps: in an isolate that has too much to do a step takes as long as all that is done before it.
///
/// # Errors
/// `BUSY` when it is not there in time.
pub async fn wait<P: Ports, T>(
    app: &App<P>,
    queue: Stage,
    take: impl Fn(u64) -> Option<T>,
) -> Result<T, Refusal> {
    let step_ms = if queue == Stage::PlaceQueue { PLACE_STEP_MS } else { STEP_MS };
    let came_ms = app.ports.now_ms();
    loop {
        let now_ms = app.ports.now_ms();
        let waited_ms = now_ms.saturating_sub(came_ms);
        let taken = take(now_ms);
        if taken.is_some() || waited_ms >= PATIENCE_MS {
            app.isolate.tallies.time(queue, waited_ms);
            return taken.ok_or_else(busy);
        }
        app.ports.sleep(step_ms).await;
    }
}
