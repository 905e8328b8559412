//! What becomes of uploads on their way in: kept once, registered, claimed.

use std::task::{Context, Waker};

use futures_executor::block_on;
use futures_util::future::join;
use image_rules::Format;

use super::{
    NOW_MS, PENDING, TERMS, accepted, commit, leave, ledger, objects, record, ring_for, store,
    upload, user, wait,
};
use crate::{
    ledger::{
        Account, Ledger,
        memory::MemoryLedger,
        message::{Claim, Claimed, Commit, Commitment, Disposition, Phase, Record},
    },
    storage::{ObjectKey, Stem},
};

fn claim(ledger: &MemoryLedger, key: &ObjectKey, by: &str) -> Claimed {
    let claim = Claim { key: key.clone(), by: user(by), form_id: None, original_name: None };
    block_on(ledger.claim(&user("7"), claim)).expect("answers")
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
fn each_form_has_its_own_record_and_object_of_the_same_bytes() {
    let ledger = ledger();
    let send = |form_id: Option<&str>, disposition| {
        let key = store(&ledger, &leave(&ledger), 1);
        let form_id = form_id.map(str::to_owned);
        let record = Record { form_id, ..record(&key, "1", ledger.reach.clock_ms.get()) };
        let commit = Commit { record, disposition };
        block_on(ledger.commit(&user("7"), commit)).expect("answers")
    };
    for disposition in [Disposition::Register, PENDING] {
        let keys = [None, Some("f-1"), Some("f-2")].map(|form| {
            let receipt = accepted(send(form, disposition));
            assert_eq!(receipt.record.form_id.as_deref(), form);
            let Commitment::Same(again) = send(form, disposition) else { panic!("a repeat") };
            assert_eq!(again.record.key, receipt.record.key);
            // Room for the next: the rate of these tests is five a minute.
            wait(&ledger, 60_000);
            receipt.record.key
        });
        block_on(ledger.remove(&user("7"), keys[1].clone())).expect("answers");
        ring_for(&ledger, 600_000);
        let left = objects(&ledger);
        let is_left = keys.map(|key| left.contains(&key.to_string()));
        assert_eq!(is_left, [true, false, true], "{disposition:?}");
        wait(&ledger, 86_400_000);
    }
}

#[test]
fn a_claim_into_another_form_leaves_the_first_form_free() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, PENDING);
    let form_id = Some("f-2".to_owned());
    let claim = Claim { key: key.clone(), by: user("7"), form_id, original_name: None };
    let claimed = block_on(ledger.claim(&user("7"), claim)).expect("answers");
    assert!(matches!(claimed, Claimed::Now(_)), "{claimed:?}");
    // Sent to f-1 as before: that form has no such picture any more.
    let (second, commitment) = upload(&ledger, 1, PENDING);
    assert_eq!(accepted(commitment).record.key, second);
}

#[test]
fn the_same_bytes_of_two_forms_at_the_same_time_do_not_wait_for_each_other() {
    let ledger = ledger();
    let commits = ["f-1", "f-2"].map(|form_id| {
        let key = store(&ledger, &leave(&ledger), 9);
        let form_id = Some(form_id.to_owned());
        let record = Record { form_id, ..record(&key, "9", NOW_MS) };
        Commit { record, disposition: Disposition::Register }
    });
    let [first, second] = commits;
    let owner = user("7");
    ledger.reach.registry.slow.set(3);
    let (first, second) =
        block_on(join(ledger.commit(&owner, first), ledger.commit(&owner, second)));
    let ids = [first, second].map(|it| accepted(it.expect("answers")).image_id);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ledger.reach.slept_ms.get(), 0);
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
fn a_claim_names_what_had_no_name() {
    let ledger = ledger();
    let keys = [None, Some("고양이.png")].map(|name| {
        let key = store(&ledger, &leave(&ledger), 1);
        let record = Record {
            original_name: name.map(str::to_owned),
            form_id: None,
            ..record(&key, key.as_str(), NOW_MS)
        };
        let commit = Commit { record, disposition: PENDING };
        accepted(block_on(ledger.commit(&user("7"), commit)).expect("answers"));
        key
    });
    for key in keys {
        let (form_id, original_name) = (Some("f-2".to_owned()), Some("ann.png".to_owned()));
        let claim = Claim { key, by: user("ann"), form_id, original_name };
        let claimed = block_on(ledger.claim(&user("7"), claim)).expect("answers");
        assert!(matches!(claimed, Claimed::Now(_)), "{claimed:?}");
    }
    let rows = ledger.reach.registry.rows.borrow().clone();
    let named: Vec<_> = rows.iter().map(|row| row.original_name.as_deref()).collect();
    assert_eq!(named, [Some("ann.png"), Some("고양이.png")]);
    assert!(rows.iter().all(|row| row.form_id.as_deref() == Some("f-2")));
}

#[test]
fn an_asking_that_fails_takes_nothing_from_one_that_went_well() {
    let ledger = ledger();
    let key = store(&ledger, &leave(&ledger), 1);
    let ask = || Commit { record: record(&key, "1", NOW_MS), disposition: Disposition::Register };
    let owner = user("7");
    ledger.reach.registry.slow.set(1);
    let mut first = Box::pin(ledger.commit(&owner, ask()));
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // Whoever asked was impatient and asks again.
    ledger.reach.registry.slow.set(0);
    let receipt = accepted(block_on(ledger.commit(&owner, ask())).expect("answers"));
    ledger.reach.registry.silent.set(true);
    assert_eq!(accepted(block_on(first).expect("answers")), receipt);
    ring_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [key.as_str()]);
    assert_eq!(ledger.reach.registry.keys(), [key.as_str()]);
}
