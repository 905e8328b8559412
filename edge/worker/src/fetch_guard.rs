//! Aborts a request of ours that nobody waits for any more: an isolate has few connections.

use worker::{AbortController, AbortSignal};

/// Aborts its request when it is dropped.
pub struct FetchGuard(Option<AbortController>);

impl FetchGuard {
    /// With the signal to send the request with.
    pub fn new() -> (Self, AbortSignal) {
        let controller = AbortController::default();
        let signal = controller.signal();
        (Self(Some(controller)), signal)
    }

    /// Lets the request run to its end.
    pub fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for FetchGuard {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}
