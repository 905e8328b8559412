//! Queues for memory and CPU: concurrent requests on a clock that advances in steps.

use std::{cell::RefCell, future::poll_fn, mem::ManuallyDrop, task::Poll};

use edge_api::concurrency::{Purpose, end_step};
use edge_types::Clock;
use futures_util::future::Either;
use image_rules::{Plan, Policy, Report, inspect};
use proptest::prelude::*;

use crate::harness::{PIXEL, TestApp, app};

const MIB: u64 = 1024 * 1024;

/// Resizes a GIF of this size.
fn plan((width, height): (u32, u32)) -> Plan {
    let report = inspect(PIXEL, &Policy::EDGE).expect("an image");
    Plan::new(&Report { width, height, ..report }, &Policy::EDGE).expect("fits")
}

/// Takes a few milliseconds.
const SMALL: (u32, u32) = (1, 1);
/// Takes long.
const LARGE: (u32, u32) = (2_060, 1_000);
/// Needs nearly all memory.
const LARGEST: (u32, u32) = (2_200, 1_200);

/// Stops polling after so many polls and drops nothing, as the platform does with a request that it cancels.
async fn cancelled_after<F: Future>(polls: u32, future: F) -> Option<F::Output> {
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
    /// After how many polls the request is cancelled; most are not.
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

/// The requests that arrived and those that were served, each in order.
#[derive(Debug, Default)]
struct Order {
    arrived: Vec<usize>,
    served: Vec<usize>,
}

fn run(arrivals: &[Arrival]) -> Order {
    let app = app();
    let (clock, scheduler) = (&app.ports.clock, app.scheduler());
    let order = RefCell::<Order>::default();
    let request = async |number: usize, arrival: &Arrival| {
        clock.sleep(arrival.at_ms).await;
        let plan = plan(if arrival.is_large { LARGE } else { SMALL });
        order.borrow_mut().arrived.push(number);
        let work = async {
            order.borrow_mut().served.push(number);
            // No other request is polled meanwhile.
            clock.advance(arrival.work_ms);
        };
        cancelled_after(arrival.polls, scheduler.run_plan(&plan, None, work)).await
    };
    clock.hold();
    clock.run_all(arrivals.iter().enumerate().map(|(number, arrival)| request(number, arrival)));
    order.into_inner()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_of_one_class_are_served_in_order_of_arrival(arrivals in arrivals()) {
        let order = run(&arrivals);
        for is_large in [false, true] {
            let class = |list: &[usize]| -> Vec<usize> {
                list.iter().copied().filter(|at| arrivals[*at].is_large == is_large).collect()
            };
            let served = class(&order.served);
            let arrived: Vec<_> =
                class(&order.arrived).into_iter().filter(|at| served.contains(at)).collect();
            prop_assert_eq!(served, arrived);
        }
    }

    #[test]
    fn a_cancelled_request_blocks_no_other(arrivals in arrivals()) {
        let order = run(&arrivals);
        for (number, arrival) in arrivals.iter().enumerate() {
            prop_assert!(arrival.polls < u32::MAX || order.served.contains(&number));
        }
    }
}

/// An upload of 5 MiB that needs nearly all memory: whether it was served, and after how many milliseconds.
async fn largest(app: &TestApp) -> (bool, u64) {
    let (clock, scheduler) = (&app.ports.clock, app.scheduler());
    let body = scheduler.reserve_memory(Purpose::Body, 5 * MIB).await.expect("memory");
    let plan = plan(LARGEST);
    assert!(plan.peak_bytes() > app.config.memory_budget_bytes - 8 * MIB);
    let arrived_ms = clock.now_ms();
    let outcome = scheduler.run_plan(&plan, Some(&body), async { clock.advance(300) }).await;
    (outcome.is_ok(), clock.now_ms() - arrived_ms)
}

#[test]
fn images_that_need_nearly_all_memory_are_served_one_after_the_other() {
    let app = app();
    let served = app.ports.clock.run_all((0..4).map(|_| largest(&app)));
    assert!(served.iter().all(|(is_served, _)| *is_served), "{served:?}");
}

#[test]
fn small_uploads_do_not_starve_one_that_needs_nearly_all_memory() {
    let app = app();
    let (clock, scheduler) = (&app.ports.clock, app.scheduler());
    let small = async |at: u64| {
        clock.sleep(at * 10).await;
        let body = scheduler.reserve_memory(Purpose::Body, 2 * MIB).await;
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

/// Work of so many steps of 50 ms: how many milliseconds passed until it was done.
async fn stepwise(app: &TestApp, size: (u32, u32), steps: u32) -> u64 {
    let (clock, scheduler) = (&app.ports.clock, app.scheduler());
    let arrived_ms = clock.now_ms();
    let work = async {
        for _ in 0..steps {
            // No other request is polled meanwhile.
            clock.advance(50);
            end_step().await;
        }
    };
    scheduler.run_plan(&plan(size), None, work).await.expect("served");
    clock.now_ms() - arrived_ms
}

#[test]
fn a_small_image_is_not_held_up_by_a_large_one_for_longer_than_a_step() {
    let app = app();
    app.ports.clock.hold();
    let images = [(LARGE, 100), (SMALL, 1), (SMALL, 1)];
    let took = app
        .ports
        .clock
        .run_all(images.map(|(size, steps)| stepwise(&app, size, steps)).into_iter());
    let [large, small @ ..] = &took[..] else { panic!("{took:?}") };
    assert!(*large >= 5_000, "{took:?}");
    assert!(small.iter().all(|took| *took <= 300), "{took:?}");
}

#[test]
fn a_long_plan_keeps_its_lock_and_its_memory_between_steps() {
    let app = app();
    let (clock, scheduler) = (&app.ports.clock, app.scheduler());
    clock.hold();
    let begun = RefCell::new(0);
    let request = async |steps: u32| {
        let plan = plan(LARGEST);
        let work = async {
            *begun.borrow_mut() += 1;
            for _ in 0..steps {
                clock.advance(250);
                end_step().await;
                assert_eq!(*begun.borrow(), 1, "the other one waits");
                assert!(app.isolate.resources.memory.used_bytes() >= plan.peak_bytes());
            }
        };
        scheduler.run_plan(&plan, None, work).await.is_ok()
    };
    // Longer than lock and lease last without a sign of life; the second one gives up before.
    assert_eq!(clock.run_all([request(50), request(0)].into_iter()), [true, false]);
}
