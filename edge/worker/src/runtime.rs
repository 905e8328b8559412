//! The clock and the randomness of the runtime, log lines on its console, and panics in the log.

use std::{panic, time::Duration};

use edge_types::{
    Clock, Random,
    log::{self, Level},
};
use worker::{Date, Delay, console_error, console_log, console_warn};

/// The JavaScript runtime: its clock, its randomness, and its `fetch` (`http_client`).
pub struct Runtime;

impl Clock for Runtime {
    fn now_ms(&self) -> u64 {
        Date::now().as_millis()
    }

    async fn sleep(&self, ms: u64) {
        Delay::from(Duration::from_millis(ms)).await;
    }
}

impl Random for Runtime {
    #[expect(clippy::expect_used, reason = "nothing is safe without randomness")]
    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("every Worker has crypto.getRandomValues");
        bytes
    }
}

/// Writes log lines to the console, with its method for the level.
pub fn log_to_console() {
    log::set_sink(|level, line| match level {
        Level::Error => console_error!("{line}"),
        Level::Warn => console_warn!("{line}"),
        Level::Info | Level::Debug => console_log!("{line}"),
    });
}

/// Logs a panic before the platform discards the instance. A formatted message may contain what a caller sent,
/// so only a constant one is logged, and the place in the code.
pub fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let cause = panic.payload().downcast_ref::<&str>().copied().unwrap_or("see the location");
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        log::error("panic", &[("cause", cause), ("location", &location)]);
    }));
}
