//! Queues for slots, memory and CPU: concurrent requests on a clock that advances in steps.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    mem::ManuallyDrop,
    pin::Pin,
    task::{Context, Poll},
};

use edge_api::{
    concurrency::{Client, FIRST_BYTES, Scheduler},
    dispatch::serve,
};
use edge_types::{ClientIp, Clock, Problem, UserId};
use futures_executor::block_on;
use futures_util::{Stream, future::Either, stream};
use http::StatusCode;
use image_rules::{Plan, Policy, Report, inspect};
use proptest::prelude::*;
use serde_json::json;

use crate::harness::{PIXEL, TestApp, TestHarness, app, app_with, gif, upload_as};

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

/// Pends once, as a plan does after each step.
async fn end_step() {
    let mut has_pended = false;
    poll_fn(
        |_| {
            if std::mem::replace(&mut has_pended, true) { Poll::Ready(()) } else { Poll::Pending }
        },
    )
    .await;
}

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
    // Only beside others there is a pause after a large one, so that requests come while it lasts.
    let _others =
        [0; 2].map(|_| block_on(scheduler.acquire_slot(Client::default())).expect("free"));
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

/// An upload that needs nearly all memory: whether it was served, and after how many milliseconds.
async fn largest(app: &TestApp, bytes: u64) -> (bool, u64) {
    let (clock, scheduler) = (&app.ports.clock, app.scheduler());
    let body = scheduler.reserve_body(&Client::default(), bytes, None).await.expect("memory");
    let plan = plan(LARGEST);
    assert!(plan.peak_bytes() > app.config.memory_budget_bytes - 8 * MIB);
    let arrived_ms = clock.now_ms();
    let outcome = scheduler.run_plan(&plan, Some(&body), async { clock.advance(300) }).await;
    (outcome.is_ok(), clock.now_ms() - arrived_ms)
}

/// What the requests of an isolate may hold together.
const MOST_BYTES: u64 = 64 * MIB + 64 * MIB / 3;

#[test]
fn images_that_need_nearly_all_memory_are_served_one_after_the_other() {
    for (count, bytes) in [(2, 5 * MIB), (7, 5 * MIB), (2, 20 * MIB), (3, 12 * MIB), (7, MIB / 2)] {
        let app = app();
        let served = app.ports.clock.run_all((0..count).map(|_| largest(&app, bytes)));
        assert!(served.iter().all(|(is_served, _)| *is_served), "{count} x {bytes}: {served:?}");
        let peak_bytes = app.isolate.resources.memory.peak_bytes();
        assert!(peak_bytes <= MOST_BYTES, "{count} x {bytes}: {peak_bytes}");
    }
}

#[test]
fn an_image_that_needs_nearly_all_memory_does_not_stop_those_that_need_less() {
    let app = app();
    let (clock, scheduler) = (&app.ports.clock, app.scheduler());
    let plan = plan(LARGE);
    let photo = async |_| {
        let body = scheduler.reserve_body(&Client::default(), MIB / 2, None).await.expect("memory");
        clock.sleep(20).await;
        let outcome = scheduler.run_plan(&plan, Some(&body), async { clock.advance(50) }).await;
        (outcome.is_ok(), clock.now_ms())
    };
    let first = std::iter::once(Either::Left(largest(&app, 17 * MIB)));
    let served = clock.run_all(first.chain((0..20).map(|at| Either::Right(photo(at)))));
    assert!(served.iter().all(|(is_served, _)| *is_served), "{served:?}");
}

#[test]
fn small_uploads_do_not_starve_one_that_needs_nearly_all_memory() {
    let app = app();
    let (clock, scheduler) = (&app.ports.clock, app.scheduler());
    let small = async |at: u64| {
        clock.sleep(at * 10).await;
        let body = scheduler.reserve_body(&Client::default(), 2 * MIB, None).await;
        clock.sleep(300).await;
        (body.is_ok(), 0)
    };
    let large = async {
        clock.sleep(500).await;
        largest(&app, 5 * MIB).await
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

/// What a client does with its body.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sending {
    AtOnce,
    /// Nothing for so many milliseconds.
    Late(u64),
    /// The first bytes, and the others after so many milliseconds.
    Slowly(u64),
    /// The platform cancels the request after so many polls.
    Cancelled(u32),
}

/// An upload. Each has its own client, but those that send late share one client.
#[derive(Clone, Copy, Debug)]
struct Upload {
    at_ms: u64,
    is_large: bool,
    work_ms: u64,
    sending: Sending,
}

/// Ledger, store and database.
const STORE_MS: u64 = 100;
/// What an upload costs others beside its work: the pause after a long decode, and polls.
const OVERHEAD_MS: u64 = 100;
const LONGEST_MS: u64 = 150;

impl Upload {
    const fn bytes(self) -> u64 {
        if self.is_large { 5 * MIB } else { MIB / 2 }
    }

    const fn cost_ms(self) -> u64 {
        self.work_ms + OVERHEAD_MS
    }

    fn client(self, number: usize) -> (Client, UserId) {
        let number = if self.sending == Sending::AtOnce { number } else { 250 };
        let ip = ClientIp::parse(Some(&format!("203.0.113.{number}")));
        let user = UserId::parse(&format!("user-{number}")).expect("valid");
        (Client::of_ip(&ip), user)
    }

    /// Takes every resource, as an upload does. How long it took.
    async fn run(self, number: usize, app: &TestApp) -> Result<u64, Problem> {
        let (clock, scheduler) = (&app.ports.clock, app.scheduler());
        clock.sleep(self.at_ms).await;
        let began_ms = clock.now_ms();
        let working = self.run_now(number, &scheduler, app);
        match self.sending {
            Sending::Cancelled(polls) => cancelled_after(polls, working).await.unwrap_or(Ok(()))?,
            _ => working.await?,
        }
        Ok(clock.now_ms() - began_ms)
    }

    async fn run_now(
        self,
        number: usize,
        scheduler: &Scheduler<'_, TestHarness>,
        app: &TestApp,
    ) -> Result<(), Problem> {
        let clock = &app.ports.clock;
        let (late_ms, slow_ms) = match self.sending {
            Sending::AtOnce | Sending::Cancelled(_) => (0, 0),
            Sending::Late(ms) => (ms, 0),
            Sending::Slowly(ms) => (0, ms),
        };
        let (client, user) = self.client(number);
        let slot = scheduler.acquire_slot(client).await?;
        scheduler.share_slot(&slot, &user).await?;
        let client = slot.client();
        let first = scheduler.reserve_body(&client, FIRST_BYTES, None).await?;
        let arriving = async {
            clock.sleep(late_ms).await;
            Ok::<_, Problem>(())
        };
        scheduler.first_bytes(&slot, arriving).await?;
        let receiving = async {
            let memory = scheduler.reserve_body(&client, self.bytes(), Some(&first)).await?;
            drop(first);
            memory.grow(FIRST_BYTES);
            clock.sleep(slow_ms).await;
            let is_received = memory.grow(self.bytes() - FIRST_BYTES);
            if is_received { Ok(memory) } else { Err(Problem::new(image_rules::Code::Busy)) }
        };
        let memory = slot.while_receiving(|| clock.now_ms(), receiving).await?;
        let plan = plan(if self.is_large { LARGE } else { SMALL });
        let work = async { clock.advance(self.work_ms) };
        scheduler.run_plan(&plan, Some(&memory), work).await?;
        memory.shrink(self.bytes());
        clock.sleep(STORE_MS).await;
        Ok(())
    }
}

fn uploads() -> impl Strategy<Value = Vec<Upload>> {
    let sending = prop_oneof![
        6 => Just(Sending::AtOnce),
        1 => (0..7_000_u64).prop_map(Sending::Late),
        2 => (0..7_000_u64).prop_map(Sending::Slowly),
        1 => (1..60_u32).prop_map(Sending::Cancelled),
    ];
    let upload = (0..1_000_u64, 0..3_u8, 0..LONGEST_MS, sending);
    let upload = upload.prop_map(|(at_ms, kind, work_ms, sending)| {
        let is_large = kind == 0;
        let work_ms = if is_large { work_ms } else { work_ms / 10 };
        Upload { at_ms, is_large, work_ms, sending }
    });
    prop::collection::vec(upload, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The work before an upload is that of all that came before it, and for a large one that of small ones, which
    /// may pass. At each of its four steps a large decode of a later one may just be running.
    #[test]
    fn nobody_waits_for_longer_than_twice_the_work_before_them(uploads in uploads()) {
        let app = app();
        app.ports.clock.hold();
        let running = uploads.iter().enumerate().map(|(number, upload)| upload.run(number, &app));
        let outcomes = app.ports.clock.run_all(running);
        for (number, (upload, outcome)) in uploads.iter().zip(&outcomes).enumerate() {
            if upload.sending != Sending::AtOnce {
                continue;
            }
            let is_before = |other: &Upload| {
                other.at_ms <= upload.at_ms || (upload.is_large && !other.is_large)
            };
            let others = uploads.iter().enumerate().filter(|(at, other)| *at != number && is_before(other));
            let before_ms: u64 = others.map(|(_, other)| other.cost_ms()).sum();
            let most_ms = upload.work_ms + STORE_MS + 2 * before_ms + 4 * (LONGEST_MS + OVERHEAD_MS);
            prop_assert!(matches!(outcome, Ok(took_ms) if *took_ms <= most_ms), "{upload:?}: {outcome:?}, {most_ms} ms");
        }
    }
}

/// A body of which nothing comes until it times out.
struct SilentBody {
    polls: u32,
}

impl Stream for SilentBody {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.polls = self.polls.saturating_sub(1);
        if self.polls > 0 {
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
    }
}

/// 64 silent bodies of 512 KB and 40 uploads, one every 10 ms. Users and client IPs of the silent ones are the number
/// of each with this factor.
fn beside_silent_bodies(user_factor: usize, ip_factor: usize, ip: &str) {
    let app = app_with(&[("RATE_PER_MINUTE", "1000")]);
    let clock = &app.ports.clock;
    let silent = async |at: usize| {
        let head = upload_as(&json!({"sub": format!("silent-{}", at * user_factor)}))
            .header("cf-connecting-ip", format!("203.0.113.{}", at * ip_factor))
            .header("content-length", "524288");
        let (head, ()) = head.body(()).expect("valid").into_parts();
        let response = serve(&app, &head, SilentBody { polls: 1_000 }).await;
        (response.status(), 0)
    };
    let normal = async |at: u8| {
        clock.sleep(u64::from(at) * 10).await;
        let head = upload_as(&json!({"sub": format!("user-{}", at % 8)}))
            .header("cf-connecting-ip", ip)
            .header("content-length", PIXEL.len());
        let (head, ()) = head.body(()).expect("valid").into_parts();
        let began_ms = clock.now_ms();
        let response = serve(&app, &head, stream::iter([Ok(gif(at))])).await;
        (response.status(), clock.now_ms() - began_ms)
    };
    clock.hold();
    let all = (0..64).map(|at| Either::Left(silent(at)));
    let all = all.chain((0..40).map(|at| Either::Right(normal(at))));
    let outcomes = clock.run_all(all);
    let (silent, normal) = outcomes.split_at(64);
    assert!(normal.iter().all(|(status, _)| *status == StatusCode::CREATED), "{normal:?}");
    // The first 32 silent ones have a slot for a tenth of a second.
    assert!(normal.iter().all(|(_, took_ms)| *took_ms <= 300), "{normal:?}");
    assert!(normal.iter().skip(30).all(|(_, took_ms)| *took_ms == 0), "{normal:?}");
    let is_ended = |status: StatusCode| {
        [StatusCode::REQUEST_TIMEOUT, StatusCode::SERVICE_UNAVAILABLE].contains(&status)
    };
    assert!(silent.iter().all(|(status, _)| is_ended(*status)), "{silent:?}");
    assert_eq!(app.isolate.resources.memory.used_bytes(), 0);
}

#[test]
fn silent_bodies_change_little_for_others() {
    beside_silent_bodies(1, 1, "198.51.100.1");
    beside_silent_bodies(1, 0, "198.51.100.1");
    beside_silent_bodies(0, 0, "198.51.100.1");
}

#[test]
fn silent_bodies_change_little_for_others_of_their_network() {
    beside_silent_bodies(1, 0, "203.0.113.0");
    beside_silent_bodies(0, 0, "203.0.113.0");
}

/// Uploads that never end: the answers of `count` of them by one caller, and what another caller gets beside them.
fn beside_endless_uploads(count: usize, claims: &serde_json::Value) -> (usize, StatusCode) {
    let app = app();
    let clock = &app.ports.clock;
    let endless = async |_| {
        let head = upload_as(claims).header("cf-connecting-ip", "203.0.113.1");
        let (head, ()) =
            head.header("content-length", "100000").body(()).expect("valid").into_parts();
        let first = stream::iter([Ok(vec![b'G'; 20_000])]);
        let body = futures_util::StreamExt::chain(first, SilentBody { polls: 1_000 });
        serve(&app, &head, body).await.status()
    };
    let other = async {
        clock.sleep(200).await;
        let head = upload_as(&json!({"sub": "other"})).header("cf-connecting-ip", "203.0.113.2");
        let (head, ()) = head.body(()).expect("valid").into_parts();
        serve(&app, &head, stream::iter([Ok(PIXEL.to_vec())])).await.status()
    };
    clock.hold();
    let all = (0..count).map(|at| Either::Left(endless(at))).chain([Either::Right(other)]);
    let statuses = clock.run_all(all);
    let begun = statuses.iter().filter(|status| **status == StatusCode::REQUEST_TIMEOUT).count();
    (begun, statuses[count])
}

#[test]
fn one_caller_gets_a_share_of_the_slots() {
    for (claims, begun) in
        [(json!({"sub": "123"}), 16), (json!({"sub": "back-end", "role": "SERVICE"}), 24)]
    {
        assert_eq!(beside_endless_uploads(60, &claims), (begun, StatusCode::CREATED), "{claims}");
    }
}
