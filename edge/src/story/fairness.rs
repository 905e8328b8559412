//! Waiting for memory and for the thread: requests side by side on a clock that goes on in steps.

use std::{future::poll_fn, mem::ManuallyDrop, task::Poll};

use futures_util::future::Either;
use image_rules::{Plan, Policy, Report, inspect};
use proptest::prelude::*;

use super::*;
use crate::{
    memory::{Purpose, reserve},
    turns,
};

const MIB: u64 = 1024 * 1024;

/// A GIF that is made smaller.
fn plan((width, height): (u32, u32)) -> Plan {
    let report = inspect(PIXEL, &Policy::EDGE).expect("a picture");
    Plan::new(&Report { width, height, ..report }, &Policy::EDGE).expect("fits")
}

/// Takes a few milliseconds.
const SMALL: (u32, u32) = (1, 1);
/// Takes long.
const LARGE: (u32, u32) = (2_060, 1_000);
/// Needs nearly all memory.
const LARGEST: (u32, u32) = (2_200, 1_200);

/// Polls so often and never again, and drops nothing, as the platform does with a request that it ends.
async fn ended_after<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let mut future = ManuallyDrop::new(Box::pin(future));
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    at_ms: u64,
    is_large: bool,
    work_ms: u64,
    /// How often it polls before the platform ends it; nearly all are not ended.
    polls: u32,
}

fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let polls = prop_oneof![4 => Just(u32::MAX), 1 => 1..20_u32];
    let arrival = (0..500_u64, any::<bool>(), 0..150_u64, polls);
    let arrival = arrival.prop_map(|(at_ms, is_large, work_ms, polls)| {
        let work_ms = if is_large { work_ms } else { work_ms / 10 };
        Arrival { at_ms, is_large, work_ms, polls }
    });
    prop::collection::vec(arrival, 1..12)
}

/// Who came, and who was served, each in order.
#[derive(Debug, Default)]
struct Seen {
    came: Vec<usize>,
    served: Vec<usize>,
}

fn run(arrivals: &[Arrival]) -> Seen {
    let app = app();
    let (clock, seen) = (&app.ports.clock, RefCell::<Seen>::default());
    let request = async |number: usize, arrival: &Arrival| {
        clock.sleep(arrival.at_ms).await;
        let plan = plan(if arrival.is_large { LARGE } else { SMALL });
        seen.borrow_mut().came.push(number);
        let work = async {
            seen.borrow_mut().served.push(number);
            // Nobody else is polled meanwhile.
            clock.advance(arrival.work_ms);
        };
        ended_after(arrival.polls, turns::work(&app, &plan, None, work)).await
    };
    clock.hold();
    clock.run_all(arrivals.iter().enumerate().map(|(number, arrival)| request(number, arrival)));
    seen.into_inner()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_who_came_later_is_served_before_within_a_class(arrivals in arrivals()) {
        let seen = run(&arrivals);
        for is_large in [false, true] {
            let class = |list: &[usize]| -> Vec<usize> {
                list.iter().copied().filter(|at| arrivals[*at].is_large == is_large).collect()
            };
            let served = class(&seen.served);
            let came: Vec<_> =
                class(&seen.came).into_iter().filter(|at| served.contains(at)).collect();
            prop_assert_eq!(served, came);
        }
    }

    #[test]
    fn a_waiter_that_was_ended_blocks_nobody(arrivals in arrivals()) {
        let seen = run(&arrivals);
        for (number, arrival) in arrivals.iter().enumerate() {
            prop_assert!(arrival.polls < u32::MAX || seen.served.contains(&number));
        }
    }
}

/// An upload of 5 MiB that needs nearly all memory; whether it was served, and when.
async fn largest(app: &App<World>) -> (bool, u64) {
    let body = reserve(app, Purpose::Body, 5 * MIB).await.expect("there is room");
    let plan = plan(LARGEST);
    assert!(plan.peak_bytes() > app.config.memory_budget_bytes - 8 * MIB);
    let came_ms = app.ports.clock.now_ms();
    let done = turns::work(app, &plan, Some(&body), async { app.ports.clock.advance(300) }).await;
    (done.is_ok(), app.ports.clock.now_ms() - came_ms)
}

#[test]
fn pictures_that_need_nearly_all_memory_are_served_one_after_the_other() {
    let app = app();
    let served = app.ports.clock.run_all((0..4).map(|_| largest(&app)));
    assert!(served.iter().all(|(is_served, _)| *is_served), "{served:?}");
}

#[test]
fn small_uploads_do_not_starve_one_that_needs_nearly_all_memory() {
    let app = app();
    let clock = &app.ports.clock;
    let small = async |at: u64| {
        clock.sleep(at * 10).await;
        let body = reserve(&app, Purpose::Body, 2 * MIB).await;
        clock.sleep(300).await;
        (body.is_ok(), 0)
    };
    let large = async {
        clock.sleep(500).await;
        largest(&app).await
    };
    clock.hold();
    let smalls = (0..400).map(|at| Either::Right(small(at)));
    let served = clock.run_all(std::iter::once(Either::Left(large)).chain(smalls));
    assert!(served[0].0, "waited {} ms", served[0].1);
    assert!(served[0].1 < 1_000, "waited {} ms", served[0].1);
}
