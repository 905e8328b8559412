//! Queues for what other requests of the isolate hold, first come, first served.
//!
//! A request of a Worker cannot wake a future of another request, so waiting is polling.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use edge_types::{Clock, Problem};

use crate::{
    error::busy,
    telemetry::{Counters, Stage},
};

/// How long a request waits before it is refused with `BUSY`. Without a bound everybody would be answered too
/// late.
pub const MAX_WAIT_MS: u64 = 4_000;
/// A kept image takes some 10 ms.
const POLL_MS: u64 = 10;
/// Many requests wait for a slot, and their polls must not keep the isolate busy. Of 32 slots one that is free
/// for so long is not missed.
const SLOT_POLL_MS: u64 = 25;
/// A waiter that has not polled while the next one polled so often was cancelled by the platform, which drops
/// nothing. Polls are counted and not milliseconds, because nobody polls during a decode.
const MAX_MISSED_POLLS: u32 = 10;
/// A waiter leaves after [`MAX_WAIT_MS`], or after the longest decode that ran meanwhile.
const EXPIRY_MS: u64 = MAX_WAIT_MS + 10_000;

/// The requests that wait for one resource, oldest first.
#[derive(Debug, Default)]
pub struct Queue(RefCell<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// By number: the lowest came first.
    waiters: BTreeMap<u64, Polls>,
    last: u64,
}

#[derive(Clone, Copy, Debug)]
struct Polls {
    joined_ms: u64,
    /// Polls of the next waiter since this one polled last.
    missed: u32,
}

/// A position in a queue, until this is dropped.
#[derive(Debug)]
pub struct Waiter {
    queue: Rc<Queue>,
    number: u64,
    joined_ms: u64,
}

impl Queue {
    /// Takes the last position.
    pub fn join(self: &Rc<Self>, now_ms: u64) -> Waiter {
        let mut waiting = self.0.borrow_mut();
        waiting.last += 1;
        let number = waiting.last;
        waiting.waiters.insert(number, Polls { joined_ms: now_ms, missed: 0 });
        Waiter { queue: Rc::clone(self), number, joined_ms: now_ms }
    }

    pub fn len(&self, now_ms: u64) -> usize {
        let mut waiting = self.0.borrow_mut();
        waiting.waiters.retain(|_, polls| now_ms.saturating_sub(polls.joined_ms) < EXPIRY_MS);
        waiting.waiters.len()
    }
}

impl Waiter {
    /// How many wait before this one. Each call is a poll: a waiter that stops polling loses its position.
    pub fn ahead(&self) -> usize {
        let waiters = &mut self.queue.0.borrow_mut().waiters;
        // A waiter that was removed by mistake gets its old position back.
        waiters.insert(self.number, Polls { joined_ms: self.joined_ms, missed: 0 });
        if let Some((&number, polls)) = waiters.range_mut(..self.number).next_back() {
            polls.missed += 1;
            if polls.missed > MAX_MISSED_POLLS {
                waiters.remove(&number);
            }
        }
        waiters.range(..self.number).count()
    }

    /// Polls `take` until it succeeds; `take` gets the time and how many wait before. Elapsed time is measured
    /// with the clock, because in a busy isolate a poll can come much later than it was due.
    ///
    /// # Errors
    /// `BUSY` after [`MAX_WAIT_MS`].
    pub async fn acquire_with_timeout<T>(
        self,
        clock: &impl Clock,
        counters: &Counters,
        stage: Stage,
        take: impl Fn(u64, usize) -> Option<T>,
    ) -> Result<T, Problem> {
        let poll_ms = if stage == Stage::SlotQueue { SLOT_POLL_MS } else { POLL_MS };
        loop {
            let now_ms = clock.now_ms();
            let waited_ms = now_ms.saturating_sub(self.joined_ms);
            let taken = take(now_ms, self.ahead());
            if taken.is_some() || waited_ms >= MAX_WAIT_MS {
                counters.time(stage, waited_ms);
                return taken.ok_or_else(busy);
            }
            clock.sleep(poll_ms).await;
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.queue.0.borrow_mut().waiters.remove(&self.number);
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
