//! Lets a future run no longer than it may.

use std::{pin::pin, time::Duration};

use futures_util::future::{Either, select};
use worker::Delay;

/// Its time was over; the future was dropped.
pub struct TimedOut;

/// The outcome of a future that is there in time.
pub async fn within<T>(timeout_ms: u64, future: impl Future<Output = T>) -> Result<T, TimedOut> {
    let delay = Delay::from(Duration::from_millis(timeout_ms));
    match select(pin!(future), delay).await {
        Either::Left((outcome, _)) => Ok(outcome),
        Either::Right(((), _)) => Err(TimedOut),
    }
}
