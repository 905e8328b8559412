//! A clock that only tests move, and a key server in memory that keeps a record of what was asked.

use core::{cell::Cell, future::poll_fn, pin::pin, task::Context, task::Poll};
use std::{cell::RefCell, rc::Rc};

use futures_util::{future::maybe_done, task::noop_waker};

use super::{KeyServer, KeyServerFault};

/// Milliseconds since 1970, as a test would have them.
#[derive(Default)]
pub(crate) struct Clock {
    now_ms: Rc<Cell<u64>>,
    /// Whether whoever sleeps waits for the time instead of moving it on.
    is_stepped: Cell<bool>,
}

impl Clock {
    /// How far one step goes.
    const STEP_MS: u64 = 10;
    /// Nothing here may take longer: whatever does, hangs.
    const HANGING_MS: u64 = 20_000;

    pub(crate) fn at(now_ms: u64) -> Rc<Self> {
        Rc::new(Self { now_ms: Rc::new(Cell::new(now_ms)), is_stepped: Cell::new(false) })
    }

    /// The hands themselves, for whoever only reads the time.
    pub(crate) fn hands(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.now_ms)
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    pub(crate) fn advance(&self, ms: u64) {
        self.now_ms.set(self.now_ms() + ms);
    }

    pub(crate) async fn sleep(&self, ms: u64) {
        let until_ms = self.now_ms().saturating_add(ms);
        if !self.is_stepped.get() {
            self.now_ms.set(until_ms);
        }
        poll_fn(|_| if self.now_ms() >= until_ms { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// From now on whoever sleeps waits for [`Clock::run`] to move the time on.
    pub(crate) fn hold(&self) {
        self.is_stepped.set(true);
    }

    /// Runs a future, moving the time on by a step whenever it waits.
    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        self.hold();
        let mut future = pin!(future);
        let began_ms = self.now_ms();
        while self.now_ms() - began_ms < Self::HANGING_MS {
            if let Poll::Ready(output) =
                future.as_mut().poll(&mut Context::from_waker(&noop_waker()))
            {
                return output;
            }
            self.advance(Self::STEP_MS);
        }
        panic!("it hangs");
    }
}

impl Clock {
    /// Runs futures side by side, as one isolate does.
    pub(crate) fn run_all<F: Future>(&self, futures: impl Iterator<Item = F>) -> Vec<F::Output> {
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

/// Answers as it is told to, and remembers the addresses it was asked for.
pub(crate) struct MemoryKeyServer {
    pub(crate) answer: RefCell<Result<String, KeyServerFault>>,
    pub(crate) asked: RefCell<Vec<String>>,
    /// How long an answer takes.
    pub(crate) delay_ms: Cell<u64>,
    clock: Rc<Clock>,
}

impl MemoryKeyServer {
    pub(crate) fn new(clock: &Rc<Clock>) -> Self {
        Self {
            answer: RefCell::new(Ok(r#"{"keys":[]}"#.to_owned())),
            asked: RefCell::default(),
            delay_ms: Cell::new(0),
            clock: Rc::clone(clock),
        }
    }
}

impl KeyServer for MemoryKeyServer {
    async fn fetch(&self, url: &str) -> Result<String, KeyServerFault> {
        self.asked.borrow_mut().push(url.to_owned());
        self.clock.sleep(self.delay_ms.get()).await;
        self.answer.borrow().clone()
    }
}
