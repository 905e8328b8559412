//! How many uploads an isolate works on at once. It has one thread, so more of them at once make none
//! of them faster: they would only all be late. Whoever comes while all places are taken waits in
//! line for a bounded time, a bounded number of them, and is told to come back before anything is asked or read.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::{
    app::{App, Ports},
    error::Refusal,
    queue::{busy, wait},
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
pub struct Places(RefCell<Room>);

#[derive(Debug, Default)]
struct Room {
    taken: BTreeMap<u64, Doing>,
    /// Whoever came first has the lowest number.
    waiting: BTreeSet<u64>,
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

/// One who waits, until this is dropped.
struct Waiter<'a> {
    places: &'a Rc<Places>,
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
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn free(&self, now_ms: u64) -> usize {
        let at_work = self.taken.values().filter(|doing| doing.is_at_work(now_ms));
        PLACES.saturating_sub(at_work.count())
    }
}

impl Places {
    /// Whether more than one upload is at work.
    #[must_use]
    pub fn are_shared(&self, now_ms: u64) -> bool {
        self.0.borrow().free(now_ms) < PLACES - 1
    }

    fn queue_up(self: &Rc<Self>) -> Option<Waiter<'_>> {
        let mut room = self.0.borrow_mut();
        if room.waiting.len() >= MOST_WAITING {
            return None;
        }
        let id = room.number();
        room.waiting.insert(id);
        Some(Waiter { places: self, id })
    }
}

impl Waiter<'_> {
    /// A place, when there is one for everybody who came before, too.
    fn take(&self, now_ms: u64) -> Option<Place> {
        let mut room = self.places.0.borrow_mut();
        let before = room.waiting.range(..self.id).count();
        if before >= room.free(now_ms) {
            return None;
        }
        let id = room.number();
        room.taken.insert(id, Doing::Working(now_ms));
        drop(room);
        Some(Place { places: Rc::clone(self.places), id })
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
        self.places.0.borrow_mut().taken.insert(self.id, doing);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.0.borrow_mut().taken.remove(&self.id);
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.places.0.borrow_mut().waiting.remove(&self.id);
    }
}

/// A place for one upload.
///
/// # Errors
/// `BUSY` when there is none in time, and at once when too many wait already.
pub async fn take<P: Ports>(app: &App<P>) -> Result<Place, Refusal> {
    let waiter = app.isolate.places.queue_up().ok_or_else(busy)?;
    wait(app, Stage::PlaceQueue, |now_ms| waiter.take(now_ms)).await
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use std::future::ready;

    use super::*;

    fn take(places: &Rc<Places>, now_ms: u64) -> Option<Place> {
        places.queue_up().expect("nobody waits").take(now_ms)
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
        let waiting: Vec<_> = (0..MOST_WAITING).map(|_| places.queue_up().expect("room")).collect();
        assert!(places.queue_up().is_none());
        drop(waiting);
        assert!(places.queue_up().is_some());
    }

    #[test]
    fn whoever_came_first_is_first() {
        let places = Rc::new(Places::default());
        let mut taken = full(&places);
        let first = places.queue_up().expect("room");
        let second = places.queue_up().expect("room");
        taken.pop();
        assert!(second.take(0).is_none(), "the one that is free is the first one's");
        let place = first.take(0).expect("its turn");
        drop(first);
        assert!(second.take(0).is_none(), "none is free");
        drop(place);
        assert!(second.take(0).is_some());
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
