//! Divides long work into steps, between which the thread can do something else.
//!
//! With the feature `steps` the functions that decode, resize and encode are `async`, and pend between steps. Without it they
//! are ordinary functions ([`paced::without_pauses`]), and only the stages of a plan are steps. Work is counted in the
//! picoseconds of [`work`](crate::plan::work), because no clock runs during CPU work in a Worker.

#[cfg(all(test, feature = "steps"))]
use alloc::vec::Vec;
#[cfg(feature = "steps")]
use core::cell::Cell;
#[cfg(all(test, feature = "steps"))]
use core::cell::RefCell;
#[cfg(feature = "codec")]
use core::{
    future::Future,
    mem,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

/// The most that a step takes, unless a single call takes longer. The time that is measured may be 1.25 times as long.
#[cfg(feature = "steps")]
const STEP_PS: u64 = 25_000_000_000;

/// Counts the work since the last pause.
#[derive(Default)]
pub(crate) struct Pace {
    #[cfg(feature = "steps")]
    done_ps: Cell<u64>,
    /// The work of each step that has ended.
    #[cfg(all(test, feature = "steps"))]
    ended_ps: RefCell<Vec<u64>>,
}

#[cfg(feature = "steps")]
impl Pace {
    /// Before work that takes so long: pends once if the step would become too long with it.
    pub fn begin(&self, ps: u64) -> Pause {
        let done_ps = self.done_ps.get().saturating_add(ps);
        let is_due = done_ps > STEP_PS && self.done_ps.get() > 0;
        #[cfg(test)]
        if is_due {
            self.ended_ps.borrow_mut().push(self.done_ps.get());
        }
        self.done_ps.set(if is_due { ps } else { done_ps });
        Pend(is_due)
    }

    /// The work of all steps so far.
    #[cfg(test)]
    pub fn steps(&self) -> Vec<u64> {
        let mut steps = self.ended_ps.borrow().clone();
        steps.push(self.done_ps.get());
        steps
    }

    /// After work whose length was not known before.
    pub fn add(&self, ps: u64) {
        self.done_ps.set(self.done_ps.get().saturating_add(ps));
    }

    /// After a stage.
    #[expect(clippy::unused_self, reason = "as without the feature `steps`")]
    pub const fn end_stage(&self) -> Pend {
        Pend(false)
    }
}

#[cfg(not(feature = "steps"))]
#[expect(clippy::unused_self, reason = "as with the feature `steps`")]
impl Pace {
    pub const fn begin(&self, _ps: u64) -> Pause {}

    #[cfg(feature = "codec")]
    pub const fn add(&self, _ps: u64) {}

    #[cfg(feature = "codec")]
    pub const fn end_stage(&self) -> Pend {
        Pend(true)
    }
}

/// What [`Pace::begin`] returns.
#[cfg(feature = "steps")]
pub(crate) type Pause = Pend;
#[cfg(not(feature = "steps"))]
pub(crate) type Pause = ();

/// Pends once if it is due. It wakes nobody: the caller that polls decides how long the pause is.
#[cfg(feature = "codec")]
#[must_use]
pub(crate) struct Pend(bool);

#[cfg(feature = "codec")]
impl Future for Pend {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if mem::take(&mut self.0) { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// Awaits a function that is `async` only with the feature `steps`.
#[cfg(feature = "steps")]
macro_rules! wait {
    ($call:expr) => {
        $call.await
    };
}
#[cfg(all(feature = "codec", not(feature = "steps")))]
macro_rules! wait {
    ($call:expr) => {
        $call
    };
}
#[cfg(feature = "codec")]
pub(crate) use wait;

/// Calls a function that is `async` only with the feature `steps`, without pauses.
#[cfg(feature = "steps")]
macro_rules! run {
    ($call:expr) => {
        $crate::pace::run_to_end($call)
    };
}
#[cfg(not(feature = "steps"))]
macro_rules! run {
    ($call:expr) => {
        $call
    };
}
pub(crate) use run;

/// Carries out all steps without a pause.
#[cfg(feature = "codec")]
pub(crate) fn run_to_end<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        if let Poll::Ready(done) = step(work.as_mut()) {
            return done;
        }
    }
}

/// Carries out the next step.
#[cfg(feature = "codec")]
pub(crate) fn step<T>(work: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    work.poll(&mut Context::from_waker(Waker::noop()))
}

#[cfg(all(test, feature = "steps"))]
mod tests {
    use super::*;

    /// How many steps work takes that begins with parts of these lengths, in milliseconds.
    fn steps(parts: &[u64]) -> usize {
        let pace = Pace::default();
        let mut work = pin!(async {
            for ms in parts {
                pace.begin(ms * 1_000_000_000).await;
            }
        });
        (1..1000).find(|_| step(work.as_mut()).is_ready()).unwrap_or_default()
    }

    #[test]
    fn a_step_ends_before_it_becomes_too_long() {
        assert_eq!(steps(&[]), 1);
        assert_eq!(steps(&[8; 3]), 1);
        assert_eq!(steps(&[8; 4]), 2);
        assert_eq!(steps(&[1; 300]), 12);
    }

    #[test]
    fn a_long_call_is_a_step_by_itself() {
        assert_eq!(steps(&[200]), 1);
        assert_eq!(steps(&[1, 200, 1]), 3);
        assert_eq!(steps(&[200; 5]), 5);
    }

    #[test]
    fn work_of_unknown_length_ends_its_step() {
        let pace = Pace::default();
        pace.add(u64::MAX);
        let mut next = pace.begin(1);
        assert!(step(Pin::new(&mut next)).is_pending());
        assert!(step(Pin::new(&mut next)).is_ready());
        run_to_end(async { pace.begin(u64::MAX).await });
    }
}
