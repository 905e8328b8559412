//! A request of ours that is on its way, and ends when nobody waits for it any more: an isolate has
//! few connections.

use worker::{AbortController, AbortSignal};

/// Ends its request when it is dropped.
pub struct Transfer(Option<AbortController>);

impl Transfer {
    /// Of a request that is sent with this signal.
    pub fn new() -> (Self, AbortSignal) {
        let controller = AbortController::default();
        let signal = controller.signal();
        (Self(Some(controller)), signal)
    }

    /// Lets it go on without us.
    pub fn let_go(mut self) {
        self.0 = None;
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}
