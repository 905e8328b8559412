//! What becomes of uploads: kept once, given back, claimed, removed.

use std::task::{Context, Waker};

use futures_executor::block_on;
use futures_util::future::join;
use image_rules::Format;
use proptest::prelude::*;

use super::{
    ADMIT, NOW_MS, PENDING, TERMS, admit, commit, leave, ledger, record, ring_for, store, upload,
    user, wait,
};
use crate::{
    ledger::{
        Account, Ledger, desk,
        memory::MemoryLedger,
        message::{
            Admit, Claim, Claimed, Commit, Commitment, Disposition, Phase, Receipt, Release,
            Removal, Terms,
        },
    },
    registry::Registry,
    storage::{ObjectKey, ObjectStore, Stem},
};

fn accepted(commitment: Commitment) -> Receipt {
    match commitment {
        Commitment::Accepted(receipt) => *receipt,
        other => panic!("not accepted: {other:?}"),
    }
}

fn claim(ledger: &MemoryLedger, key: &ObjectKey, by: &str) -> Claimed {
    let claim = Claim { key: key.clone(), by: user(by), form_id: None, original_name: None };
    block_on(ledger.claim(&user("7"), claim)).expect("answers")
}

fn objects(ledger: &MemoryLedger) -> Vec<String> {
    ledger.reach.store.objects.borrow().keys().cloned().collect()
}

#[test]
fn an_upload_is_registered_once_and_its_real_size_counts() {
    let ledger = ledger();
    let (key, commitment) = upload(&ledger, 1, Disposition::Register);
    let receipt = accepted(commitment);
    assert_eq!(receipt.image_id.expect("registered").0, 1);
    assert_eq!(receipt.expires_ms, None);
    let rows = ledger.reach.registry.rows.borrow().clone();
    assert_eq!((rows[0].key.as_str(), rows[0].owner.as_str()), (key.as_str(), "7"));
    assert_eq!(rows[0].form_id.as_deref(), Some("f-1"));
    // The answer was lost, so it is asked for again.
    assert_eq!(accepted(commit(&ledger, &key, 1, Disposition::Register)), receipt);
    assert_eq!(ledger.reach.registry.keys().len(), 1);
    let sight = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers");
    assert_eq!(sight.gauges.daily_bytes.remaining, 940);
    assert_eq!((sight.states[0].state, sight.states[0].count), (Phase::Kept, 1));
    ring_for(&ledger, 3 * 86_400_000);
    assert_eq!(objects(&ledger), [key.as_str()]);
    assert_eq!(ledger.reach.registry.keys(), [key.as_str()]);
}

#[test]
fn the_same_bytes_are_the_same_picture_and_cost_nothing() {
    let ledger = ledger();
    let (first, _) = upload(&ledger, 1, Disposition::Register);
    let before = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers").gauges;
    let leave = leave(&ledger);
    let second = store(&ledger, &leave, 1);
    let Commitment::Same(receipt) = commit(&ledger, &second, 1, Disposition::Register) else {
        panic!("the same bytes")
    };
    assert_eq!(receipt.record.key, first);
    assert_eq!(receipt.image_id.expect("registered").0, 1);
    let after = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers").gauges;
    assert_eq!((after.daily_count, after.daily_bytes), (before.daily_count, before.daily_bytes));
    // The Worker died before it deleted the second object.
    ring_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [first.as_str()]);
    wait(&ledger, 86_400_000);
    assert!(matches!(upload(&ledger, 1, Disposition::Register).1, Commitment::Accepted(_)));
}

#[test]
fn the_same_bytes_at_the_same_time_wait_for_each_other() {
    let ledger = ledger();
    let keys = [1, 2].map(|_| store(&ledger, &leave(&ledger), 9));
    let [first, second] = keys
        .each_ref()
        .map(|key| Commit { record: record(key, "9", NOW_MS), disposition: Disposition::Register });
    let owner = user("7");
    ledger.reach.registry.slow.set(3);
    let (first, second) =
        block_on(join(ledger.commit(&owner, first), ledger.commit(&owner, second)));
    let receipt = accepted(first.expect("answers"));
    assert_eq!(second.expect("answers"), Commitment::Same(Box::new(receipt)));
    assert_eq!(ledger.reach.registry.keys(), [keys[0].as_str()]);
}

#[test]
fn what_comes_too_late_or_was_never_admitted_lapses() {
    let ledger = ledger();
    let late = leave(&ledger);
    let key = store(&ledger, &late, 1);
    wait(&ledger, 300_000);
    assert_eq!(late.until_ms, ledger.reach.clock_ms.get());
    assert_eq!(commit(&ledger, &key, 1, Disposition::Register), Commitment::Lapsed);
    let unknown = Stem::new(&user("7"), NOW_MS, [9; 16]).key(Format::Png).expect("a key");
    assert_eq!(commit(&ledger, &unknown, 1, Disposition::Register), Commitment::Lapsed);
    ring_for(&ledger, 600_000);
    assert!(objects(&ledger).is_empty());
    let gauges = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers").gauges;
    assert_eq!(gauges.daily_count.remaining, 4, "what came to nothing is given back");
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
fn without_the_registry_nothing_is_kept_or_charged() {
    let ledger = ledger();
    // It adds the row and fails to say so: the worst that can happen.
    ledger.reach.registry.silent.set(true);
    let (_, commitment) = upload(&ledger, 1, Disposition::Register);
    assert_eq!(commitment, Commitment::Unregistered);
    assert_eq!(ledger.reach.registry.keys().len(), 1);
    ring_for(&ledger, 600_000);
    assert!(ledger.reach.registry.keys().is_empty());
    assert!(objects(&ledger).is_empty());
    let gauges = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers").gauges;
    assert_eq!(gauges.daily_bytes.remaining, 1000);
}

#[test]
fn a_pending_picture_is_claimed_once_or_goes_away() {
    let ledger = ledger();
    let (claimed, commitment) = upload(&ledger, 1, PENDING);
    let receipt = accepted(commitment);
    assert_eq!((receipt.image_id, receipt.expires_ms), (None, Some(NOW_MS + 3_600_000)));
    let (forgotten, _) = upload(&ledger, 2, PENDING);
    assert!(ledger.reach.registry.keys().is_empty());

    let Claimed::Now(receipt) = claim(&ledger, &claimed, "ann") else { panic!("claimed") };
    assert_eq!(receipt.image_id.expect("registered").0, 1);
    assert_eq!(claim(&ledger, &claimed, "bob"), Claimed::AlreadyRegistered);
    assert_eq!(claim(&ledger, &claimed, "ann"), Claimed::AlreadyRegistered);
    assert_eq!(ledger.reach.registry.rows.borrow()[0].owner, "ann");

    wait(&ledger, 3_600_000);
    assert_eq!(claim(&ledger, &forgotten, "ann"), Claimed::NotFound);
    ring_for(&ledger, 60_000);
    assert_eq!(objects(&ledger), [claimed.as_str()]);
}

#[test]
fn who_sends_a_pending_picture_again_has_it_as_long_as_if_it_were_new() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, PENDING);
    wait(&ledger, 3_599_999);
    let Commitment::Same(receipt) = upload(&ledger, 1, PENDING).1 else { panic!("the same") };
    assert_eq!(receipt.record.key, key);
    assert_eq!(receipt.expires_ms, Some(NOW_MS + 3_599_999 + 3_600_000));
    ring_for(&ledger, 3_599_990);
    assert_eq!(objects(&ledger), [key.as_str()]);
    // To be registered is more than to be pending: it is another picture.
    let (_, registered) = upload(&ledger, 1, Disposition::Register);
    assert!(accepted(registered).image_id.is_some());
}

#[test]
fn a_claim_that_broke_off_is_taken_up_by_the_same_claimant_only() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, PENDING);
    ledger.reach.registry.silent.set(true);
    assert_eq!(claim(&ledger, &key, "ann"), Claimed::Unregistered);
    ledger.reach.registry.silent.set(false);
    assert_eq!(claim(&ledger, &key, "bob"), Claimed::AlreadyRegistered);
    assert!(matches!(claim(&ledger, &key, "ann"), Claimed::Now(_)));
    assert_eq!(ledger.reach.registry.keys().len(), 1);
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
    let remaining = || {
        let sight = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers");
        (sight.gauges.daily_count.remaining, sight.gauges.daily_bytes.remaining)
    };
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
fn a_picture_is_not_answered_for_another_of_its_leave() {
    let ledger = ledger();
    let leave = leave(&ledger);
    let key = store(&ledger, &leave, 1);
    accepted(commit(&ledger, &key, 1, Disposition::Register));
    let other = leave.stem.key(Format::Jpeg).expect("a key");
    let commitment = commit(&ledger, &other, 1, Disposition::Register);
    assert!(matches!(commitment, Commitment::Lapsed), "{commitment:?}");
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
