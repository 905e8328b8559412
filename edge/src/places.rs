//! How many uploads an isolate works on at once. It has one thread, so more of them at once make none
//! of them faster: they would only all be late. Whoever comes while all places are taken waits a
//! bounded time, a bounded number of them, and is told to come back before anything is asked or read.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    app::{App, Ports},
    error::Refusal,
    queue::{busy, wait},
    stats::Stage,
};

/// A small picture takes some 10 ms of the thread, and up to thirty times as long its upload waits for
/// ledgers, store and registry: so many keep the thread at work, and more would only be later.
const PLACES: usize = 32;
/// As many as get a place in time when each place is taken once a second: 32 a second, for four seconds.
const MOST_WAITING: usize = 128;
/// Who sends for longer than this has a slow connection and not our thread, and others may have the
/// place meanwhile: on a phone's connection of 8 Mbit/s the largest picture takes five seconds.
const SENDING_MS: u64 = 5_000;

/// Who is at work, and who waits.
#[derive(Debug, Default)]
pub struct Places(RefCell<Room>);

#[derive(Debug, Default)]
struct Room {
    /// Since when each one's body is being read, if it is.
    taken: BTreeMap<u64, Option<u64>>,
    waiting: usize,
    last: u64,
}

/// One upload's place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Rc<Places>,
    id: u64,
}

/// One who waits, until this is dropped: callers go away in the midst of it.
struct Waiter<'a>(&'a Places);

impl Places {
    fn take(self: &Rc<Self>, now_ms: u64) -> Option<Place> {
        let mut room = self.0.borrow_mut();
        let is_at_work = |since: &&Option<u64>| {
            since.is_none_or(|since_ms| now_ms.saturating_sub(since_ms) < SENDING_MS)
        };
        if room.taken.values().filter(is_at_work).count() >= PLACES {
            return None;
        }
        room.last += 1;
        let id = room.last;
        room.taken.insert(id, None);
        drop(room);
        Some(Place { places: Rc::clone(self), id })
    }

    fn queue_up(&self) -> Option<Waiter<'_>> {
        let mut room = self.0.borrow_mut();
        if room.waiting >= MOST_WAITING {
            return None;
        }
        room.waiting += 1;
        Some(Waiter(self))
    }
}

impl Place {
    /// Waits for the caller, who may be slow.
    pub async fn while_sending<T>(&self, now_ms: u64, sending: impl Future<Output = T>) -> T {
        self.set(Some(now_ms));
        let sent = sending.await;
        self.set(None);
        sent
    }

    fn set(&self, since_ms: Option<u64>) {
        self.places.0.borrow_mut().taken.insert(self.id, since_ms);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.0.borrow_mut().taken.remove(&self.id);
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.0.borrow_mut().waiting -= 1;
    }
}

/// A place for one upload.
///
/// # Errors
/// `BUSY` when there is none in time, and at once when too many wait already.
pub async fn take<P: Ports>(app: &App<P>) -> Result<Place, Refusal> {
    let places = &app.isolate.places;
    let _waiter = places.queue_up().ok_or_else(busy)?;
    wait(app, Stage::PlaceQueue, |now_ms| places.take(now_ms)).await
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use std::future::ready;

    use super::*;

    #[test]
    fn so_many_and_no_more() {
        let places = Rc::new(Places::default());
        let mut taken: Vec<_> = (0..PLACES).map(|_| places.take(0).expect("a place")).collect();
        assert!(places.take(0).is_none());
        taken.pop();
        assert!(places.take(0).is_some(), "the one that was given back");
        let waiting: Vec<_> = (0..MOST_WAITING).map(|_| places.queue_up().expect("room")).collect();
        assert!(places.queue_up().is_none());
        drop(waiting);
        assert!(places.queue_up().is_some());
    }

    #[test]
    fn whoever_sends_slowly_keeps_nobody_waiting() {
        let places = Rc::new(Places::default());
        let taken: Vec<_> = (0..PLACES).map(|_| places.take(0).expect("a place")).collect();
        for place in &taken {
            place.set(Some(0));
        }
        assert!(places.take(SENDING_MS - 1).is_none());
        assert!(places.take(SENDING_MS).is_some());
        for place in &taken {
            block_on(place.while_sending(0, ready(())));
        }
        assert!(places.take(SENDING_MS).is_none(), "what was sent is worked on");
    }
}
