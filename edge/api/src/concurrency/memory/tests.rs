//! Leases of memory: what fits beside what, what is kept free, and when they end. Sizes are in KiB; pools of large and
//! small bodies have 12,288 and 20,480.

use edge_types::ClientIp;

use super::*;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const BUDGET: u64 = 64 * MIB;

fn body(budget: &MemoryBudget, kib: u64, now_ms: u64) -> Option<Lease> {
    let client = Client::default();
    budget.take_body(&client, kib.saturating_mul(KIB), BUDGET, None, now_ms).taken()
}

fn decode(budget: &MemoryBudget, kib: u64, own: Option<&Lease>) -> Option<Lease> {
    budget.take_decode(kib * KIB, BUDGET, own, 0)
}

fn copy(budget: &MemoryBudget, kib: u64, now_ms: u64) -> Option<Lease> {
    budget.try_reserve(kib * KIB, BUDGET, now_ms)
}

/// Small bodies of so much together.
fn small_bodies(budget: &MemoryBudget, kib: u64) -> Vec<Lease> {
    (0..kib / 500).map(|_| body(budget, 500, 0).expect("there is room")).collect()
}

#[test]
fn what_is_leased_comes_back() {
    let budget = MemoryBudget::default();
    let first = body(&budget, 10_000, 0).expect("there is room");
    assert!(body(&budget, 2_289, 0).is_none());
    let second = body(&budget, 2_288, 0).expect("there is just enough");
    assert_eq!(budget.used_bytes(), 12_288 * KIB);
    drop((first, second));
    assert_eq!(budget.used_bytes(), 0);
    assert_eq!(budget.peak_bytes(), 12_288 * KIB);
}

#[test]
fn small_and_large_bodies_have_their_own_pools() {
    let budget = MemoryBudget::default();
    let large = body(&budget, 12_288, 0).expect("there is room");
    let small = small_bodies(&budget, 20_000);
    assert!(body(&budget, 500, 0).is_none());
    drop(large);
    assert!(body(&budget, 500, 0).is_none());
    assert!(body(&budget, 12_288, 0).is_some());
    drop(small);
}

#[test]
fn alone_any_body_passes_and_nothing_overflows() {
    let budget = MemoryBudget::default();
    let small = small_bodies(&budget, 20_000);
    let large = body(&budget, 30_000, 0).expect("the only large one");
    assert!(body(&budget, u64::MAX, 0).is_none());
    drop((large, small));
    assert!(body(&budget, u64::MAX, 0).is_some());
}

#[test]
fn a_decode_of_any_size_fits_beside_large_bodies_and_some_small_ones() {
    let budget = MemoryBudget::default();
    let held = [6_000, 6_288].map(|kib| body(&budget, kib, 0).expect("there is room"));
    let small = small_bodies(&budget, 4_000);
    for own in &held {
        assert!(decode(&budget, 65_536, Some(own)).is_some());
    }
    drop(small);
}

#[test]
fn a_decode_of_any_size_fits_beside_its_own_form_and_some_small_bodies() {
    let budget = MemoryBudget::default();
    let form = body(&budget, 25_000, 0).expect("the only large one");
    let small = small_bodies(&budget, 5_000);
    assert!(decode(&budget, 65_536, Some(&form)).is_none());
    drop(small);
    let small = small_bodies(&budget, 4_000);
    assert!(body(&budget, 500, 0).is_none(), "a decode waits");
    assert!(decode(&budget, 65_536, Some(&form)).is_some());
    drop(small);
}

#[test]
fn a_decode_that_is_larger_than_the_budget_fits_beside_what_others_may_hold() {
    let budget = MemoryBudget::default();
    let take = |kib| budget.take_body(&Client::default(), kib * KIB, 16 * MIB, None, 0).taken();
    let own = take(4_000).expect("there is room");
    let other = take(400).expect("there is room");
    assert!(budget.take_decode(64 * MIB, 16 * MIB, Some(&own), 0).is_some());
    drop(other);
}

#[test]
fn new_bodies_leave_free_what_a_decode_waits_for() {
    let budget = MemoryBudget::default();
    let large = body(&budget, 11_500, 0).expect("there is room");
    let small = small_bodies(&budget, 6_000);
    assert!(decode(&budget, 65_536, None).is_none());
    assert!(body(&budget, 600, 0).is_none(), "it would wait for longer");
    assert!(body(&budget, 500, 0).is_none());
    assert!(copy(&budget, 1, 0).is_none());
    drop(small);
    let small = small_bodies(&budget, 4_500);
    assert!(body(&budget, 500, 0).is_none());
    assert!(decode(&budget, 65_536, None).is_some(), "it has what it waited for");
    assert!(body(&budget, 500, 0).is_some(), "and nothing is kept free any more");
    drop((large, small));
}

#[test]
fn copies_leave_free_what_a_body_waits_for() {
    let budget = MemoryBudget::default();
    let held = body(&budget, 12_000, 0).expect("there is room");
    assert!(body(&budget, 1_000, 0).is_none());
    assert!(copy(&budget, 1, 0).is_none());
    assert!(copy(&budget, 1, MAX_WAIT_MS).is_some(), "the body no longer waits");
    drop(held);
}

#[test]
fn the_lease_of_a_request_that_was_ended_expires() {
    let budget = MemoryBudget::default();
    std::mem::forget(small_bodies(&budget, 15_000));
    // Kept: what is being read for them.
    assert!(body(&budget, 500, LEASE_EXPIRY_MS - 1).is_some());
    assert_eq!(budget.used_bytes(), 30 * CHUNK_BYTES);
    assert!(body(&budget, 500, LEASE_EXPIRY_MS).is_some());
    assert_eq!(budget.used_bytes(), 0);
    std::mem::forget(decode(&budget, 65_536, None));
    assert!(budget.take_decode(BUDGET, BUDGET, None, DECODE_EXPIRY_MS - 1).is_none());
    assert!(budget.take_decode(BUDGET, BUDGET, None, DECODE_EXPIRY_MS).is_some());
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn a_body_that_still_comes_keeps_its_lease() {
    let budget = MemoryBudget::default();
    let slow = body(&budget, 10_000, 0).expect("there is room");
    assert!(slow.grow(10_000 * KIB));
    assert!(body(&budget, 10_000, LEASE_EXPIRY_MS).is_none());
    assert!(body(&budget, 10_000, 2 * LEASE_EXPIRY_MS - 1).is_none());
    assert!(body(&budget, 10_000, 2 * LEASE_EXPIRY_MS).is_some(), "nothing came for a minute");
    assert!(!slow.grow(1));
    drop(slow);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn a_body_that_is_longer_than_was_thought_gets_more_while_there_is_some() {
    let budget = MemoryBudget::default();
    let unannounced = body(&budget, 1_000, 0).expect("there is room");
    let other = body(&budget, 10_000, 0).expect("there is room");
    assert!(unannounced.grow(2_288 * KIB));
    assert_eq!(budget.used_bytes(), 12_288 * KIB);
    assert!(!unannounced.grow(KIB));
    drop(other);
    assert!(unannounced.grow(1));
    drop(unannounced);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn slow_bodies_keep_only_what_they_have_filled_and_a_piece() {
    let budget = MemoryBudget::default();
    let slow = body(&budget, 12_000, 0).expect("there is room");
    assert!(slow.grow(100 * KIB));
    assert!(body(&budget, 12_000, FILL_MS - 1).is_none());
    let other = body(&budget, 12_000, FILL_MS).expect("the slow one has 164");
    assert!(slow.grow(64 * KIB));
    assert!(!slow.grow(600 * KIB), "there is no memory left for it");
    drop(other);
    assert!(slow.grow(1), "there is again");
    drop(slow);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn what_was_processed_is_given_back() {
    let budget = MemoryBudget::default();
    let form = body(&budget, 10_000, 0).expect("there is room");
    assert!(form.grow(10_000 * KIB));
    form.shrink(9_000 * KIB);
    assert_eq!(budget.used_bytes(), 1_000 * KIB);
    form.shrink(9_000 * KIB);
    assert_eq!(budget.used_bytes(), 0);
    drop(form);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn a_client_beyond_its_share_is_passed() {
    let budget = MemoryBudget::default();
    let [one, other, last] = ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
        .map(|ip| Client::of_ip(&ClientIp::parse(Some(ip))));
    let take = |client: &Client| budget.take_body(client, 4 * MIB, BUDGET, None, 0);
    let [first, second] = [&one; 2].map(|client| take(client).taken().expect("9 of 12 MiB"));
    assert!(matches!(take(&one), Attempt::Passed));
    let third = take(&other).taken().expect("there is room");
    assert!(matches!(take(&last), Attempt::NotFree));
    drop(third);
    // A body that grows has the same share.
    assert!(first.grow(5 * MIB));
    assert!(!first.grow(MIB));
    drop((first, second));
    assert_eq!(budget.used_bytes(), 0);
}
