//! What becomes of uploads on their way out: given back, removed, and what arrives after that.

use std::task::{Context, Waker};

use futures_executor::block_on;
use proptest::prelude::*;

use super::{
    ADMIT, NOW_MS, PENDING, TERMS, accepted, admit, commit, leave, ledger, objects, record,
    ring_for, store, upload, user, wait,
};
use crate::{
    ledger::{
        Account, Ledger, desk,
        memory::MemoryLedger,
        message::{Admit, Claim, Commit, Commitment, Disposition, Phase, Release, Removal, Terms},
    },
    registry::Registry,
    storage::{ObjectKey, ObjectStore, Stem},
};

/// Pictures and bytes.
fn left_of_the_day(ledger: &MemoryLedger) -> (u64, u64) {
    let sight = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers");
    (sight.gauges.daily_count.remaining, sight.gauges.daily_bytes.remaining)
}

/// Stores a picture; the ledger dies while the registry is being told of it.
fn begin_registering(ledger: &MemoryLedger, content: u8) -> ObjectKey {
    let key = store(ledger, &leave(ledger), content);
    let record = record(&key, &content.to_string(), ledger.reach.clock_ms.get());
    ledger.reach.registry.slow.set(1);
    let owner = user("7");
    let commit = Commit { record, disposition: Disposition::Register };
    let mut commit = Box::pin(ledger.commit(&owner, commit));
    assert!(commit.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(commit);
    ledger.reach.registry.slow.set(0);
    key
}

#[test]
fn an_object_that_was_being_written_when_the_lease_ended_is_removed_too() {
    let ledger = ledger();
    let late = leave(&ledger);
    wait(&ledger, 300_000);
    for _ in 0..3 {
        block_on(ledger.ring());
    }
    // Its writing began within the lease, and then the Worker died.
    store(&ledger, &late, 1);
    ring_for(&ledger, 600_000);
    assert!(objects(&ledger).is_empty());
}

#[test]
fn a_row_that_arrives_after_its_picture_was_removed_is_removed_too() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, PENDING);
    ledger.reach.registry.slow.set(1);
    let (owner, claim) = (
        user("7"),
        Claim { key: key.clone(), by: user("ann"), form_id: None, original_name: None },
    );
    let mut claim = Box::pin(ledger.claim(&owner, claim));
    let mut context = Context::from_waker(Waker::noop());
    assert!(claim.as_mut().poll(&mut context).is_pending());
    // The ledger dies while the row is on its way.
    drop(claim);
    ledger.reach.registry.slow.set(0);
    let removal = block_on(ledger.remove(&owner, key.clone())).expect("answers");
    assert_eq!(removal, Removal::Finished);
    let record = record(&key, "1", NOW_MS);
    block_on(ledger.reach.registry.add(desk::row(&record, &user("ann")))).expect("arrives");
    ring_for(&ledger, 600_000);
    assert!(ledger.reach.registry.keys().is_empty());
}

#[test]
fn while_the_store_is_down_nothing_is_tried_over_and_over() {
    let ledger = ledger();
    for content in 1..4 {
        upload(&ledger, content, PENDING);
    }
    wait(&ledger, 3_600_000);
    ledger.reach.store.broken.set(true);
    block_on(ledger.ring());
    let sight = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers");
    let now_ms = ledger.reach.clock_ms.get();
    assert_eq!(sight.latest.len(), 3);
    assert!(sight.latest.iter().all(|it| it.state == Phase::Removing && it.due_ms > now_ms));
}

#[test]
fn a_released_upload_is_as_if_it_had_never_been() {
    let ledger = ledger();
    let owner = user("7");
    let (kept, _) = upload(&ledger, 2, Disposition::Register);
    let nothing = Release { stem: leave(&ledger).stem, stored_maybe: false };
    block_on(ledger.release(&owner, nothing)).expect("answers");
    let leave = leave(&ledger);
    store(&ledger, &leave, 1);
    let something = Release { stem: leave.stem, stored_maybe: true };
    block_on(ledger.release(&owner, something.clone())).expect("answers");
    block_on(ledger.release(&owner, something)).expect("a second time changes nothing");
    let look = || block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers").gauges;
    assert_eq!(look().daily_count.remaining, 3);
    assert_eq!(look().rate.remaining, 2, "tokens stay spent");
    ring_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [kept.as_str()]);
    assert_eq!(look().daily_count.remaining, 3, "given back once, not again by the alarm");
}

#[test]
fn a_double_that_arrives_after_it_was_deleted_goes_away_too() {
    let ledger = ledger();
    let (first, _) = upload(&ledger, 1, Disposition::Register);
    let leave = leave(&ledger);
    let second = store(&ledger, &leave, 1);
    assert!(matches!(commit(&ledger, &second, 1, Disposition::Register), Commitment::Same(_)));
    block_on(ledger.reach.store.delete(&second)).expect("deleted");
    let release = Release { stem: leave.stem.clone(), stored_maybe: false };
    block_on(ledger.release(&user("7"), release)).expect("answers");
    // The first attempt to write it was given up, but not by the network.
    store(&ledger, &leave, 1);
    ring_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [first.as_str()]);
}

#[test]
fn an_accepted_upload_is_not_released() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    let release = Release { stem: Stem::of(&key), stored_maybe: true };
    block_on(ledger.release(&user("7"), release)).expect("answers");
    ring_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [key.as_str()]);
}

#[test]
fn a_removal_that_half_fails_is_finished_by_the_alarm() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    ledger.reach.store.broken.set(true);
    let removal = block_on(ledger.remove(&user("7"), key.clone())).expect("answers");
    assert_eq!(removal, Removal::Underway);
    assert!(ledger.reach.registry.keys().is_empty(), "the row goes first");
    ring_for(&ledger, 60_000);
    assert_eq!(objects(&ledger), [key.as_str()]);
    ledger.reach.store.broken.set(false);
    ring_for(&ledger, 6_000_000);
    assert!(objects(&ledger).is_empty());
    // Nothing of the bytes is remembered, either.
    assert!(matches!(upload(&ledger, 1, Disposition::Register).1, Commitment::Accepted(_)));
}

#[test]
fn what_is_removed_twice_is_given_back_once() {
    let ledger = ledger();
    let remaining = || left_of_the_day(&ledger);
    upload(&ledger, 1, Disposition::Register);
    let before = remaining();
    let leave = leave(&ledger);
    let key = store(&ledger, &leave, 2);
    assert_ne!(remaining(), before);
    ledger.reach.store.broken.set(true);
    for _ in 0..2 {
        let removal = block_on(ledger.remove(&user("7"), key.clone())).expect("answers");
        assert_eq!(removal, Removal::Underway);
        assert_eq!(remaining(), before);
    }
}

#[test]
fn what_was_registered_long_ago_is_removed_too() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    ring_for(&ledger, 2 * 86_400_000);
    let known = block_on(ledger.knows(&user("7"), vec![key.to_string()])).expect("answers");
    assert!(known.is_empty(), "forgotten after a day");
    let removal = block_on(ledger.remove(&user("7"), key)).expect("answers");
    assert_eq!(removal, Removal::Finished);
    assert!(objects(&ledger).is_empty());
    assert!(ledger.reach.registry.keys().is_empty());
}

#[test]
fn what_broke_off_while_it_was_registered_is_given_back_once() {
    let ledger = ledger();
    accepted(upload(&ledger, 1, Disposition::Register).1);
    let before = left_of_the_day(&ledger);
    begin_registering(&ledger, 2);
    assert_ne!(left_of_the_day(&ledger), before);
    ledger.reach.store.broken.set(true);
    ring_for(&ledger, 600_000);
    assert_eq!(left_of_the_day(&ledger), before, "however often its removal failed");
}

#[test]
fn what_was_kept_is_counted_although_it_was_removed() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    let before = left_of_the_day(&ledger);
    let removal = block_on(ledger.remove(&user("7"), key)).expect("answers");
    assert_eq!(removal, Removal::Finished);
    assert_eq!(left_of_the_day(&ledger), before, "or one picture a day would do for any number");
}

#[test]
fn a_removal_that_went_well_once_is_tried_anew_as_if_it_had_never_failed() {
    let ledger = ledger();
    let key = begin_registering(&ledger, 1);
    let due_in_ms = || {
        let sight = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers");
        sight.latest[0].due_ms - ledger.reach.clock_ms.get()
    };
    ledger.reach.store.broken.set(true);
    let removal = block_on(ledger.remove(&user("7"), key)).expect("answers");
    assert_eq!((removal, due_in_ms()), (Removal::Underway, 2_000));
    wait(&ledger, 2_000);
    block_on(ledger.ring());
    assert_eq!(due_in_ms(), 4_000);
    ledger.reach.store.broken.set(false);
    wait(&ledger, 4_000);
    block_on(ledger.ring());
    // A row may still come, until a minute after the removal began.
    assert_eq!(due_in_ms(), 54_000);
    ledger.reach.store.broken.set(true);
    wait(&ledger, 54_000);
    block_on(ledger.ring());
    assert_eq!(due_in_ms(), 2_000);
}

proptest! {
    /// What is released was never charged, in whatever order, and the alarm has nothing left to do.
    #[test]
    fn releasing_undoes_admitting(
        sizes in prop::collection::vec(0_u64..300, 1..12),
        order in any::<u64>(),
        stored in any::<u16>(),
    ) {
        let ledger = ledger();
        let terms = Terms { rate_per_minute: 1000, daily_count: 6, daily_bytes: 1000 };
        let account = Account::User(user("7"));
        let before = block_on(ledger.look(&account, terms)).expect("answers").gauges;
        let admitted = sizes.iter().filter_map(|bytes| {
            admit(&ledger, Admit { bytes: *bytes, terms, ..ADMIT }).outcome.ok()
        });
        let mut leaves: Vec<_> = admitted.collect();
        prop_assert!(leaves.len() <= 6);
        let turn = usize::try_from(order % 12).expect("small") % leaves.len().max(1);
        leaves.rotate_left(turn);
        for (at, leave) in leaves.into_iter().enumerate() {
            let release = Release { stem: leave.stem, stored_maybe: stored >> at & 1 == 1 };
            block_on(ledger.release(&user("7"), release)).expect("answers");
        }
        let after = block_on(ledger.look(&account, terms)).expect("answers").gauges;
        prop_assert_eq!(after.daily_count, before.daily_count);
        prop_assert_eq!(after.daily_bytes, before.daily_bytes);
        ring_for(&ledger, 600_000);
        prop_assert!(block_on(ledger.look(&account, terms)).expect("answers").states.is_empty());
    }
}
