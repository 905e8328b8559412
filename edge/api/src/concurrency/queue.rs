//! Queues for what other requests of the isolate hold, first come, first served.
//!
//! A request of a Worker cannot wake a future of another request, so waiting is polling.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use edge_types::{Clock, Problem};

use super::client::Client;
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

#[derive(Clone, Debug)]
struct Polls {
    client: Client,
    joined_ms: u64,
    /// Polls of the next waiter since this one polled last.
    missed: u32,
    /// Whether those behind may pass, because of the last attempt.
    is_passed: bool,
}

/// What an attempt to take a resource came to.
#[derive(Debug)]
pub enum Attempt<T> {
    Taken(T),
    /// Nobody gets it now, so those behind wait, too.
    NotFree,
    /// This waiter does not get it now. Others may.
    Passed,
}

impl<T> Attempt<T> {
    pub fn taken(self) -> Option<T> {
        if let Self::Taken(taken) = self { Some(taken) } else { None }
    }
}

/// A position in a queue, until this is dropped.
#[derive(Debug)]
pub struct Waiter {
    queue: Rc<Queue>,
    number: u64,
    polls: Polls,
}

impl Queue {
    /// Takes the last position.
    pub fn join(self: &Rc<Self>, client: Client, now_ms: u64) -> Waiter {
        let mut waiting = self.0.borrow_mut();
        waiting.last += 1;
        let number = waiting.last;
        let polls = Polls { client, joined_ms: now_ms, missed: 0, is_passed: false };
        waiting.waiters.insert(number, polls.clone());
        Waiter { queue: Rc::clone(self), number, polls }
    }

    /// The last position of at most `capacity`, unless all are taken or the client has its share.
    pub fn join_bounded(
        self: &Rc<Self>,
        client: Client,
        capacity: u64,
        now_ms: u64,
    ) -> Option<Waiter> {
        let mut waiting = self.0.borrow_mut();
        let is_live = |polls: &Polls| now_ms.saturating_sub(polls.joined_ms) < EXPIRY_MS;
        waiting.waiters.retain(|_, polls| is_live(polls));
        let held = waiting.waiters.values().map(|polls| (&polls.client, 1));
        let is_free = (waiting.waiters.len() as u64) < capacity;
        let may_join = is_free && client.may_hold(1, capacity, held);
        drop(waiting);
        may_join.then(|| self.join(client, now_ms))
    }
}

impl Waiter {
    /// How many wait before this one and may not be passed. Each call is a poll: a waiter that stops polling loses
    /// its position.
    pub fn ahead(&self) -> usize {
        let waiters = &mut self.queue.0.borrow_mut().waiters;
        // A waiter that was removed by mistake gets its old position back.
        waiters.entry(self.number).or_insert_with(|| self.polls.clone()).missed = 0;
        if let Some((&number, polls)) = waiters.range_mut(..self.number).next_back() {
            polls.missed += 1;
            if polls.missed > MAX_MISSED_POLLS {
                waiters.remove(&number);
            }
        }
        waiters.range(..self.number).filter(|(_, polls)| !polls.is_passed).count()
    }

    fn set_passed(&self, is_passed: bool) {
        if let Some(polls) = self.queue.0.borrow_mut().waiters.get_mut(&self.number) {
            polls.is_passed = is_passed;
        }
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
        take: impl Fn(u64, usize) -> Attempt<T>,
    ) -> Result<T, Problem> {
        let poll_ms = if stage == Stage::SlotQueue { SLOT_POLL_MS } else { POLL_MS };
        loop {
            let now_ms = clock.now_ms();
            let waited_ms = now_ms.saturating_sub(self.polls.joined_ms);
            let attempt = take(now_ms, self.ahead());
            self.set_passed(matches!(attempt, Attempt::Passed));
            let taken = attempt.taken();
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
    use edge_types::ClientIp;

    use super::*;

    fn join(queue: &Rc<Queue>, now_ms: u64) -> Waiter {
        queue.join(Client::default(), now_ms)
    }

    #[test]
    fn positions_are_in_order_of_arrival() {
        let queue = Rc::new(Queue::default());
        let [first, second, third] = [0, 1, 2].map(|now_ms| join(&queue, now_ms));
        assert_eq!([third.ahead(), second.ahead(), first.ahead()], [2, 1, 0]);
        drop(first);
        assert_eq!([third.ahead(), second.ahead()], [1, 0]);
    }

    #[test]
    fn a_waiter_that_stopped_polling_loses_its_position() {
        let queue = Rc::new(Queue::default());
        std::mem::forget(join(&queue, 0));
        let second = join(&queue, 0);
        for _ in 0..MAX_MISSED_POLLS {
            assert_eq!(second.ahead(), 1);
        }
        assert_eq!(second.ahead(), 0);
    }

    #[test]
    fn a_waiter_that_polls_rarely_gets_its_position_back() {
        let queue = Rc::new(Queue::default());
        let first = join(&queue, 0);
        let second = join(&queue, 0);
        while second.ahead() > 0 {}
        assert_eq!(first.ahead(), 0);
        assert_eq!(second.ahead(), 1);
    }

    #[test]
    fn a_waiter_that_can_be_passed_is_not_ahead() {
        let queue = Rc::new(Queue::default());
        let [first, second] = [0, 1].map(|now_ms| join(&queue, now_ms));
        first.set_passed(true);
        assert_eq!(second.ahead(), 0);
        first.set_passed(false);
        assert_eq!(second.ahead(), 1, "in its old position");
    }

    #[test]
    fn positions_are_bounded_and_shared() {
        let queue = Rc::new(Queue::default());
        let [one, other] =
            ["203.0.113.1", "203.0.113.2"].map(|ip| Client::of_ip(&ClientIp::parse(Some(ip))));
        let join = |client: &Client| queue.join_bounded(client.clone(), 8, 0);
        let mut held: Vec<_> =
            (0..6).map(|_| join(&one).expect("while others do not come")).collect();
        assert!(join(&one).is_none());
        held.extend((0..2).map(|_| join(&other).expect("these were left free")));
        assert!(join(&Client::default()).is_none(), "all are taken");
        held.truncate(2);
        assert!(join(&one).is_some());
    }

    #[test]
    fn waiters_that_were_ended_expire() {
        let queue = Rc::new(Queue::default());
        std::mem::forget(join(&queue, 0));
        let join = |now_ms| queue.join_bounded(Client::default(), 1, now_ms);
        assert!(join(EXPIRY_MS - 1).is_none());
        assert!(join(EXPIRY_MS).is_some());
    }
}
