//! Waiting for what other requests of the isolate hold, in the order of arrival. Whoever has waited too
//! long is told to come back: a queue without an end would answer everybody too late.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

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
/// A waiter that has not polled while the next one polled so often has been ended by the platform, which
/// drops nothing. Polls are counted and not milliseconds: while a picture is decoded nobody polls.
const MAX_MISSED_POLLS: u32 = 10;
/// A waiter leaves after [`PATIENCE_MS`], or after the longest decode that it had to wait for.
const EXPIRY_MS: u64 = PATIENCE_MS + 10_000;

/// What those are told whose turn does not come.
#[must_use]
pub const fn busy() -> Refusal {
    Refusal::retry(Code::Busy, RETRY_S)
}

/// The requests that wait for one resource, the oldest first.
#[derive(Debug, Default)]
pub struct Queue(RefCell<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// By ticket number: the lowest came first.
    waiters: BTreeMap<u64, Polls>,
    last: u64,
}

#[derive(Clone, Copy, Debug)]
struct Polls {
    joined_ms: u64,
    /// Polls of the next waiter since this one polled last.
    missed: u32,
}

/// The queues of an isolate for memory. Small decodes have their own, so that they do not wait behind large
/// ones; a large one loses nothing by that, since a small one takes the thread for a few milliseconds.
#[derive(Debug, Default)]
pub struct Queues {
    /// Bodies before they are read.
    pub body: Rc<Queue>,
    /// Decodes that take a few milliseconds, and password hashes.
    pub small_decode: Rc<Queue>,
    /// Decodes that take long.
    pub large_decode: Rc<Queue>,
}

/// One request's position in a queue, until this is dropped.
#[derive(Debug)]
pub struct Waiter {
    queue: Rc<Queue>,
    number: u64,
    joined_ms: u64,
}

impl Queue {
    /// Takes the last position.
    #[must_use]
    pub fn join(self: &Rc<Self>, now_ms: u64) -> Waiter {
        let mut waiting = self.0.borrow_mut();
        waiting.last += 1;
        let number = waiting.last;
        waiting.waiters.insert(number, Polls { joined_ms: now_ms, missed: 0 });
        Waiter { queue: Rc::clone(self), number, joined_ms: now_ms }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self, now_ms: u64) -> usize {
        let mut waiting = self.0.borrow_mut();
        waiting.waiters.retain(|_, polls| now_ms.saturating_sub(polls.joined_ms) < EXPIRY_MS);
        waiting.waiters.len()
    }
}

impl Waiter {
    /// How many wait before this one. Each call is a poll: a waiter that stops polling loses its position.
    #[must_use]
    pub fn ahead(&self) -> usize {
        let waiters = &mut self.queue.0.borrow_mut().waiters;
        // One that was taken for dead by mistake gets its old position back.
        waiters.insert(self.number, Polls { joined_ms: self.joined_ms, missed: 0 });
        if let Some((&number, polls)) = waiters.range_mut(..self.number).next_back() {
            polls.missed += 1;
            if polls.missed > MAX_MISSED_POLLS {
                waiters.remove(&number);
            }
        }
        waiters.range(..self.number).count()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.queue.0.borrow_mut().waiters.remove(&self.number);
    }
}

/// Tries to take something until it is there; `take` gets the time and how many wait before. The time is
/// that of the clock and not the sum of the steps: in an isolate that has too much to do a step takes as
/// long as all that is done before it.
///
/// # Errors
/// `BUSY` when it is not there in time.
pub async fn wait<P: Ports, T>(
    app: &App<P>,
    stage: Stage,
    waiter: Waiter,
    take: impl Fn(u64, usize) -> Option<T>,
) -> Result<T, Refusal> {
    let step_ms = if stage == Stage::PlaceQueue { PLACE_STEP_MS } else { STEP_MS };
    loop {
        let now_ms = app.ports.now_ms();
        let waited_ms = now_ms.saturating_sub(waiter.joined_ms);
        let taken = take(now_ms, waiter.ahead());
        if taken.is_some() || waited_ms >= PATIENCE_MS {
            app.isolate.tallies.time(stage, waited_ms);
            return taken.ok_or_else(busy);
        }
        app.ports.sleep(step_ms).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_in_order_of_arrival() {
        let queue = Rc::new(Queue::default());
        let [first, second, third] = [0, 1, 2].map(|now_ms| queue.join(now_ms));
        assert_eq!([third.ahead(), second.ahead(), first.ahead()], [2, 1, 0]);
        drop(first);
        assert_eq!([third.ahead(), second.ahead()], [1, 0]);
        assert_eq!(queue.len(2), 2);
    }

    #[test]
    fn a_waiter_that_stopped_polling_loses_its_position() {
        let queue = Rc::new(Queue::default());
        std::mem::forget(queue.join(0));
        let second = queue.join(0);
        for _ in 0..MAX_MISSED_POLLS {
            assert_eq!(second.ahead(), 1);
        }
        assert_eq!(second.ahead(), 0);
    }

    #[test]
    fn a_waiter_that_polls_rarely_gets_its_position_back() {
        let queue = Rc::new(Queue::default());
        let first = queue.join(0);
        let second = queue.join(0);
        while second.ahead() > 0 {}
        assert_eq!(first.ahead(), 0);
        assert_eq!(second.ahead(), 1);
    }

    #[test]
    fn waiters_that_were_ended_do_not_count_for_ever() {
        let queue = Rc::new(Queue::default());
        std::mem::forget(queue.join(0));
        assert_eq!(queue.len(EXPIRY_MS - 1), 1);
        assert_eq!(queue.len(EXPIRY_MS), 0);
    }
}
