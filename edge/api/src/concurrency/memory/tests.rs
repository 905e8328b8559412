//! Leases of memory: what fits beside what, what is kept free, and when they end.

use super::*;

fn body(budget: &MemoryBudget, bytes: u64, now_ms: u64) -> Option<Lease> {
    budget.take(Purpose::Body, bytes, 200, None, now_ms)
}

fn decode(budget: &MemoryBudget, bytes: u64, own: Option<&Lease>) -> Option<Lease> {
    budget.take(Purpose::Decode, bytes, 200, own, 0)
}

#[test]
fn what_is_leased_comes_back() {
    let budget = MemoryBudget::default();
    let first = body(&budget, 60, 0).expect("there is room");
    assert!(body(&budget, 41, 0).is_none());
    let second = body(&budget, 40, 0).expect("there is just enough");
    assert_eq!(budget.used_bytes(), 100);
    drop((first, second));
    assert_eq!(budget.used_bytes(), 0);
    assert_eq!(budget.peak_bytes(), 100);
}

#[test]
fn bodies_leave_half_to_decodes() {
    let budget = MemoryBudget::default();
    let held = body(&budget, 100, 0).expect("half is for bodies");
    assert!(body(&budget, 1, 0).is_none());
    assert!(decode(&budget, 100, None).is_some());
    assert!(decode(&budget, 101, None).is_none());
    drop(held);
}

#[test]
fn alone_anything_passes_and_nothing_overflows() {
    let budget = MemoryBudget::default();
    let large = body(&budget, 1_000, 0).expect("alone");
    assert!(body(&budget, u64::MAX, 0).is_none());
    drop(large);
}

#[test]
fn a_body_does_not_stand_in_the_way_of_its_own_decode() {
    let budget = MemoryBudget::default();
    let own = body(&budget, 60, 0).expect("there is room");
    assert!(decode(&budget, 195, None).is_none());
    assert!(decode(&budget, 195, Some(&own)).is_some());
}

#[test]
fn the_largest_decode_fits_beside_a_quarter_that_others_hold() {
    let budget = MemoryBudget::default();
    let [own, other] = [10, 50].map(|bytes| body(&budget, bytes, 0).expect("there is room"));
    assert!(decode(&budget, 200, Some(&own)).is_some());
    let third = body(&budget, 1, 0).expect("there is room");
    assert!(decode(&budget, 200, Some(&own)).is_none());
    drop((other, third));
}

#[test]
fn new_bodies_leave_free_what_the_oldest_decode_waits_for() {
    let budget = MemoryBudget::default();
    let held = body(&budget, 80, 0).expect("there is room");
    assert!(decode(&budget, 150, None).is_none());
    assert!(body(&budget, 1, 0).is_none(), "it would wait for longer");
    assert!(budget.try_reserve(1, 200, 0).is_none());
    drop(held);
    let beside = body(&budget, 50, 0).expect("the decode fits beside these");
    assert!(body(&budget, 1, 0).is_none());
    assert!(decode(&budget, 150, None).is_some(), "it has what it waited for");
    assert!(body(&budget, 1, 0).is_some(), "and nothing is kept free any more");
    drop(beside);
}

#[test]
fn copies_leave_free_what_the_oldest_body_waits_for() {
    let budget = MemoryBudget::default();
    let held = body(&budget, 60, 0).expect("there is room");
    assert!(body(&budget, 41, 0).is_none());
    assert!(budget.try_reserve(1, 200, 0).is_none());
    assert!(budget.try_reserve(1, 200, MAX_WAIT_MS).is_some(), "nobody waits for so long");
    drop(held);
}

#[test]
fn the_lease_of_a_request_that_was_ended_expires() {
    let budget = MemoryBudget::default();
    std::mem::forget(body(&budget, 100, 0));
    assert!(body(&budget, 1, LEASE_EXPIRY_MS - 1).is_none());
    assert!(body(&budget, 1, LEASE_EXPIRY_MS).is_some());
    std::mem::forget(decode(&budget, 200, None));
    assert!(budget.take(Purpose::Decode, 200, 200, None, DECODE_EXPIRY_MS - 1).is_none());
    assert!(budget.take(Purpose::Decode, 200, 200, None, DECODE_EXPIRY_MS).is_some());
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn a_body_that_still_comes_keeps_its_lease() {
    let budget = MemoryBudget::default();
    let slow = body(&budget, 100, 0).expect("there is room");
    assert!(slow.grow(10));
    assert!(body(&budget, 1, LEASE_EXPIRY_MS).is_none());
    assert!(body(&budget, 1, 2 * LEASE_EXPIRY_MS - 1).is_none());
    assert!(body(&budget, 1, 2 * LEASE_EXPIRY_MS).is_some(), "nothing came for a minute");
    assert!(!slow.grow(1));
    drop(slow);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn a_body_that_is_longer_than_was_thought_gets_more_while_there_is_some() {
    let budget = MemoryBudget::default();
    let unreported = body(&budget, 10, 0).expect("there is room");
    let other = body(&budget, 60, 0).expect("there is room");
    assert!(unreported.grow(40));
    assert_eq!(budget.used_bytes(), 100);
    assert!(!unreported.grow(1));
    drop(other);
    assert!(unreported.grow(1));
    drop(unreported);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn slow_bodies_keep_only_what_they_have_filled() {
    let budget = MemoryBudget::default();
    let long = 2 * SINGLE_READ_BYTES;
    let read = |bytes, now_ms| budget.take(Purpose::Body, bytes, 2 * long, None, now_ms);
    let slow = read(long, 0).expect("there is room");
    assert!(slow.grow(10));
    assert!(read(long - 10, FILL_MS - 1).is_none());
    let other = read(long - 10, FILL_MS).expect("the slow one has ten");
    assert!(!slow.grow(1), "there is no memory left for it");
    drop(other);
    assert!(slow.grow(1), "there is again");
    drop(slow);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn what_is_read_in_one_go_may_be_there_already() {
    let budget = MemoryBudget::default();
    let read =
        |bytes, now_ms| budget.take(Purpose::Body, bytes, 2 * SINGLE_READ_BYTES, None, now_ms);
    let slow = read(SINGLE_READ_BYTES, 0).expect("there is room");
    assert!(read(1, FILL_MS).is_none());
    drop(slow);
    assert_eq!(budget.used_bytes(), 0);
}
