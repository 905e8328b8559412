//! How many uploads an isolate works on at once. It has one thread, so more of them at once make none
//! of them faster: they would only all be late. Whoever comes while all places are taken waits in
//! line for a bounded time, a bounded number of them, and is told to come back before anything is asked or read.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    app::{App, Ports},
    error::Refusal,
    queue::{Queue, Waiter, busy, wait},
    stats::Stage,
};

/// A small picture takes some 10 ms of the thread, and up to thirty times as long its upload waits for
/// ledgers, store and registry: so many keep the thread at work, and more would only be later.
const PLACES: usize = 32;
/// Three rounds of those who are at work, which take a second where an upload takes the 300 ms that
/// they are made for: whoever came behind more would rather come again.
const MOST_WAITING: usize = 3 * PLACES;
/// Who sends for longer than this has a slow connection and not our thread, and others may have the
/// place meanwhile: on a phone's connection of 8 Mbit/s the largest picture takes five seconds.
const SENDING_MS: u64 = 5_000;
/// Whoever works for longer is no more: a store that fails takes 25 s and a registration 11 s. What the platform
/// ends in the midst of its work, as it does when there is no end to it, is not dropped.
const WORKING_MS: u64 = 60_000;

/// Who is at work, and who waits.
#[derive(Debug, Default)]
pub struct Places {
    room: RefCell<Room>,
    queue: Rc<Queue>,
}

#[derive(Debug, Default)]
struct Room {
    taken: BTreeMap<u64, Doing>,
    last: u64,
}

/// What somebody does at their place, and since when.
#[derive(Clone, Copy, Debug)]
enum Doing {
    Sending(u64),
    Working(u64),
}

/// One upload's place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Rc<Places>,
    id: u64,
}

impl Doing {
    const fn is_at_work(self, now_ms: u64) -> bool {
        match self {
            Self::Sending(since_ms) => now_ms.saturating_sub(since_ms) < SENDING_MS,
            Self::Working(since_ms) => now_ms.saturating_sub(since_ms) < WORKING_MS,
        }
    }
}

impl Room {
    fn free(&self, now_ms: u64) -> usize {
        let at_work = self.taken.values().filter(|doing| doing.is_at_work(now_ms));
        PLACES.saturating_sub(at_work.count())
    }
}

impl Places {
    /// Whether more than one upload is at work.
    #[must_use]
    pub fn are_shared(&self, now_ms: u64) -> bool {
        self.room.borrow().free(now_ms) < PLACES - 1
    }

    fn queue_up(&self, now_ms: u64) -> Option<Waiter> {
        (self.queue.len(now_ms) < MOST_WAITING).then(|| self.queue.join(now_ms))
    }

    /// A place, when there is one for each of those who came before, too.
    fn take(self: &Rc<Self>, now_ms: u64, ahead: usize) -> Option<Place> {
        let mut room = self.room.borrow_mut();
        if ahead >= room.free(now_ms) {
            return None;
        }
        room.last += 1;
        let id = room.last;
        room.taken.insert(id, Doing::Working(now_ms));
        drop(room);
        Some(Place { places: Rc::clone(self), id })
    }
}

impl Place {
    /// Waits for the caller, who may be slow.
    pub async fn while_sending<T>(
        &self,
        now_ms: impl Fn() -> u64,
        sending: impl Future<Output = T>,
    ) -> T {
        self.set(Doing::Sending(now_ms()));
        let sent = sending.await;
        self.set(Doing::Working(now_ms()));
        sent
    }

    fn set(&self, doing: Doing) {
        self.places.room.borrow_mut().taken.insert(self.id, doing);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.room.borrow_mut().taken.remove(&self.id);
    }
}

/// A place for one upload.
///
/// # Errors
/// `BUSY` when there is none in time, and at once when too many wait already.
pub async fn take<P: Ports>(app: &App<P>) -> Result<Place, Refusal> {
    let places = &app.isolate.places;
    let waiter = places.queue_up(app.ports.now_ms()).ok_or_else(busy)?;
    wait(app, Stage::PlaceQueue, waiter, |now_ms, ahead| places.take(now_ms, ahead)).await
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use std::future::ready;

    use super::*;

    fn take(places: &Rc<Places>, now_ms: u64) -> Option<Place> {
        places.take(now_ms, 0)
    }

    fn full(places: &Rc<Places>) -> Vec<Place> {
        (0..PLACES).map(|_| take(places, 0).expect("a place")).collect()
    }

    #[test]
    fn so_many_and_no_more() {
        let places = Rc::new(Places::default());
        assert!(!places.are_shared(0));
        let one = take(&places, 0).expect("a place");
        assert!(!places.are_shared(0));
        drop(one);
        let mut taken = full(&places);
        assert!(places.are_shared(0));
        assert!(take(&places, 0).is_none());
        taken.pop();
        assert!(take(&places, 0).is_some(), "the one that was given back");
        let waiting: Vec<_> =
            (0..MOST_WAITING).map(|_| places.queue_up(0).expect("room")).collect();
        assert!(places.queue_up(0).is_none());
        drop(waiting);
        assert!(places.queue_up(0).is_some());
    }

    #[test]
    fn whoever_came_first_is_first() {
        let places = Rc::new(Places::default());
        let mut taken = full(&places);
        let first = places.queue_up(0).expect("room");
        let second = places.queue_up(0).expect("room");
        taken.pop();
        let take = |waiter: &Waiter| places.take(0, waiter.ahead());
        assert!(take(&second).is_none(), "the one that is free is the first one's");
        let place = take(&first).expect("its turn");
        drop(first);
        assert!(take(&second).is_none(), "none is free");
        drop(place);
        assert!(take(&second).is_some());
    }

    #[test]
    fn whoever_sends_slowly_keeps_nobody_waiting() {
        let places = Rc::new(Places::default());
        let taken = full(&places);
        for place in &taken {
            place.set(Doing::Sending(0));
        }
        assert!(take(&places, SENDING_MS - 1).is_none());
        assert!(take(&places, SENDING_MS).is_some());
        for place in &taken {
            block_on(place.while_sending(|| SENDING_MS, ready(())));
        }
        assert!(take(&places, SENDING_MS).is_none(), "what was sent is worked on");
    }

    #[test]
    fn what_the_platform_ended_has_its_place_for_a_minute() {
        let places = Rc::new(Places::default());
        full(&places).into_iter().for_each(std::mem::forget);
        assert!(take(&places, WORKING_MS - 1).is_none());
        assert!(take(&places, WORKING_MS).is_some());
        assert!(!places.are_shared(WORKING_MS));
    }
}
