//! For tests: a clock that only tests move, and the log lines that a test has written.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "only tests use this module, and a panic is a failed test"
)]

use core::{cell::Cell, future::poll_fn, pin::pin, task::Context, task::Poll};
use std::{cell::RefCell, rc::Rc};

use futures_util::{future::maybe_done, task::noop_waker};

use crate::Clock;

thread_local! {
    static WRITTEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn capture(line: &str) {
    WRITTEN.with_borrow_mut(|lines| lines.push(line.to_owned()));
}

/// The lines that this test has written since the last call.
pub fn written() -> Vec<String> {
    WRITTEN.take()
}

/// Milliseconds since 1970, as a test would have them.
#[derive(Default)]
pub struct TestClock {
    now_ms: Rc<Cell<u64>>,
    /// Whether a sleep waits for [`TestClock::run`] to advance the time, instead of advancing it itself.
    is_stepped: Cell<bool>,
}

impl TestClock {
    const POLL_MS: u64 = 10;
    /// A future that takes longer counts as hanging.
    const HANGING_MS: u64 = 20_000;

    pub fn at(now_ms: u64) -> Rc<Self> {
        Rc::new(Self { now_ms: Rc::new(Cell::new(now_ms)), is_stepped: Cell::new(false) })
    }

    /// The shared time, for fakes that only read it.
    pub fn shared(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.now_ms)
    }

    pub fn advance(&self, ms: u64) {
        self.now_ms.set(self.now_ms() + ms);
    }

    /// From now on a sleep waits for [`TestClock::run`].
    pub fn hold(&self) {
        self.is_stepped.set(true);
    }

    /// Runs a future, advancing the time by a step whenever it waits.
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        self.hold();
        let mut future = pin!(future);
        let began_ms = self.now_ms();
        while self.now_ms() - began_ms < Self::HANGING_MS {
            if let Poll::Ready(output) =
                future.as_mut().poll(&mut Context::from_waker(&noop_waker()))
            {
                return output;
            }
            self.advance(Self::POLL_MS);
        }
        panic!("the future hangs");
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    async fn sleep(&self, ms: u64) {
        let until_ms = self.now_ms().saturating_add(ms);
        if !self.is_stepped.get() {
            self.now_ms.set(until_ms);
        }
        poll_fn(|_| if self.now_ms() >= until_ms { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

impl TestClock {
    /// Runs futures concurrently, as one isolate does.
    pub fn run_all<F: Future>(&self, futures: impl Iterator<Item = F>) -> Vec<F::Output> {
        let mut all: Vec<_> = futures.map(|future| Box::pin(maybe_done(future))).collect();
        self.run(poll_fn(|context| {
            let waiting = all
                .iter_mut()
                .filter_map(|one| one.as_mut().poll(context).is_pending().then_some(()));
            if waiting.count() > 0 { Poll::Pending } else { Poll::Ready(()) }
        }));
        all.iter_mut().filter_map(|one| one.as_mut().take_output()).collect()
    }
}
