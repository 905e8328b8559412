//! Commits and claims: an upload is kept once, registered and claimed.

use std::task::{Context, Waker};

use edge_storage::{ObjectKey, UploadKey};
use futures_executor::block_on;
use futures_util::future::join;
use image_rules::Format;

use super::{
    NOW_MS, PENDING, accepted, commit, grant, image, inspect, ledger, objects, run_alarms_for,
    send_to_owner, store, upload, user, wait,
};
use crate::{
    ClaimImage, ClaimOutcome, CommitOutcome, CommitUpload, Disposition, LedgerClient, RemoveImage,
    StoredImage, UploadPhase, testing::FakeLedger,
};

fn claim(ledger: &FakeLedger, key: &ObjectKey, claimant: &str) -> ClaimOutcome {
    let (key, claimant) = (key.clone(), user(claimant));
    send_to_owner(ledger, ClaimImage::new(key, claimant))
}

#[test]
fn an_upload_is_registered_once_and_its_real_size_counts() {
    let ledger = ledger();
    let (key, outcome) = upload(&ledger, 1, Disposition::Register);
    let receipt = accepted(outcome);
    assert_eq!(receipt.image_id.expect("registered").0, 1);
    assert_eq!(receipt.expires_ms, None);
    let rows = ledger.deps.registry.rows.borrow().clone();
    assert_eq!((rows[0].key.as_str(), rows[0].owner.as_str()), (key.as_str(), "7"));
    assert_eq!(rows[0].form_id.as_deref(), Some("f-1"));
    // The reply was lost, so the commit is repeated.
    assert_eq!(accepted(commit(&ledger, &key, 1, Disposition::Register)), receipt);
    assert_eq!(ledger.deps.registry.keys().len(), 1);
    let snapshot = inspect(&ledger);
    assert_eq!(snapshot.limit_statuses.daily_bytes.remaining, 940);
    assert_eq!((snapshot.phases[0].phase, snapshot.phases[0].count), (UploadPhase::Kept, 1));
    run_alarms_for(&ledger, 3 * 86_400_000);
    assert_eq!(objects(&ledger), [key.as_str()]);
    assert_eq!(ledger.deps.registry.keys(), [key.as_str()]);
}

#[test]
fn the_same_bytes_are_the_same_image_and_cost_nothing() {
    let ledger = ledger();
    let (first, _) = upload(&ledger, 1, Disposition::Register);
    let before = inspect(&ledger).limit_statuses;
    let grant = grant(&ledger);
    let second = store(&ledger, &grant, 1);
    let CommitOutcome::Same(receipt) = commit(&ledger, &second, 1, Disposition::Register) else {
        panic!("the same bytes")
    };
    assert_eq!(receipt.image.key, first);
    assert_eq!(receipt.image_id.expect("registered").0, 1);
    let after = inspect(&ledger).limit_statuses;
    assert_eq!((after.daily_count, after.daily_bytes), (before.daily_count, before.daily_bytes));
    // The Worker died before it deleted the second object.
    run_alarms_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [first.as_str()]);
    wait(&ledger, 86_400_000);
    assert!(matches!(upload(&ledger, 1, Disposition::Register).1, CommitOutcome::Accepted(_)));
}

#[test]
fn each_form_has_its_own_image_and_object_of_the_same_bytes() {
    let ledger = ledger();
    let send = |form_id: Option<&str>, disposition| {
        let key = store(&ledger, &grant(&ledger), 1);
        let form_id = form_id.map(str::to_owned);
        let image = StoredImage { form_id, ..image(&key, "1", ledger.deps.clock_ms.get()) };
        send_to_owner(&ledger, CommitUpload { image, disposition, waits: false })
    };
    for disposition in [Disposition::Register, PENDING] {
        let keys = [None, Some("f-1"), Some("f-2")].map(|form_id| {
            let receipt = accepted(send(form_id, disposition));
            assert_eq!(receipt.image.form_id.as_deref(), form_id);
            let CommitOutcome::Same(again) = send(form_id, disposition) else { panic!("a repeat") };
            assert_eq!(again.image.key, receipt.image.key);
            // Refills the rate for the next form: these tests allow five uploads a minute.
            wait(&ledger, 60_000);
            receipt.image.key
        });
        send_to_owner(&ledger, RemoveImage::new(keys[1].clone()));
        run_alarms_for(&ledger, 600_000);
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
    let claim = ClaimImage { form_id, ..ClaimImage::new(key, user("7")) };
    let outcome = send_to_owner(&ledger, claim);
    assert!(matches!(outcome, ClaimOutcome::Claimed(_)), "{outcome:?}");
    // The same bytes are sent to f-1 again; that form has no such image any more.
    let (second, outcome) = upload(&ledger, 1, PENDING);
    assert_eq!(accepted(outcome).image.key, second);
}

#[test]
fn the_same_bytes_of_two_forms_at_the_same_time_do_not_wait_for_each_other() {
    let ledger = ledger();
    let commits = ["f-1", "f-2"].map(|form_id| {
        let key = store(&ledger, &grant(&ledger), 9);
        let form_id = Some(form_id.to_owned());
        let image = StoredImage { form_id, ..image(&key, "9", NOW_MS) };
        CommitUpload { image, disposition: Disposition::Register, waits: false }
    });
    let [first, second] = commits;
    let owner = user("7");
    ledger.deps.registry.slow.set(3);
    let (first, second) =
        block_on(join(ledger.send_to_user(&owner, first), ledger.send_to_user(&owner, second)));
    let ids = [first, second].map(|outcome| accepted(outcome.expect("a reply")).image_id);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ledger.deps.slept_ms.get(), 0);
}

#[test]
fn the_same_bytes_at_the_same_time_wait_for_each_other() {
    let ledger = ledger();
    let keys = [1, 2].map(|_| store(&ledger, &grant(&ledger), 9));
    let [first, second] = keys.each_ref().map(|key| CommitUpload {
        image: image(key, "9", NOW_MS),
        disposition: Disposition::Register,
        waits: false,
    });
    let owner = user("7");
    ledger.deps.registry.slow.set(3);
    let (first, second) =
        block_on(join(ledger.send_to_user(&owner, first), ledger.send_to_user(&owner, second)));
    let receipt = accepted(first.expect("a reply"));
    assert_eq!(second.expect("a reply"), CommitOutcome::Same(Box::new(receipt)));
    assert_eq!(ledger.deps.registry.keys(), [keys[0].as_str()]);
}

#[test]
fn what_comes_too_late_or_was_never_admitted_lapses() {
    let ledger = ledger();
    let late = grant(&ledger);
    let key = store(&ledger, &late, 1);
    wait(&ledger, 300_000);
    assert_eq!(late.until_ms, ledger.deps.clock_ms.get());
    assert_eq!(commit(&ledger, &key, 1, Disposition::Register), CommitOutcome::Lapsed);
    let unknown = UploadKey::new(&user("7"), NOW_MS, [9; 16]);
    let unknown = unknown.object_key(Format::Png).expect("a key");
    assert_eq!(commit(&ledger, &unknown, 1, Disposition::Register), CommitOutcome::Lapsed);
    run_alarms_for(&ledger, 600_000);
    assert!(objects(&ledger).is_empty());
    let statuses = inspect(&ledger).limit_statuses;
    assert_eq!(statuses.daily_count.remaining, 4, "a failed upload is refunded");
}

#[test]
fn without_the_registry_nothing_is_kept_or_charged() {
    let ledger = ledger();
    // It adds the row and then fails: the worst case.
    ledger.deps.registry.silent.set(true);
    let (_, outcome) = upload(&ledger, 1, Disposition::Register);
    assert_eq!(outcome, CommitOutcome::Unregistered);
    assert_eq!(ledger.deps.registry.keys().len(), 1);
    run_alarms_for(&ledger, 600_000);
    assert!(ledger.deps.registry.keys().is_empty());
    assert!(objects(&ledger).is_empty());
    assert_eq!(inspect(&ledger).limit_statuses.daily_bytes.remaining, 1000);
}

#[test]
fn a_pending_image_is_claimed_once_or_expires() {
    let ledger = ledger();
    let (claimed, outcome) = upload(&ledger, 1, PENDING);
    let receipt = accepted(outcome);
    assert_eq!((receipt.image_id, receipt.expires_ms), (None, Some(NOW_MS + 3_600_000)));
    let (unclaimed, _) = upload(&ledger, 2, PENDING);
    assert!(ledger.deps.registry.keys().is_empty());

    let ClaimOutcome::Claimed(receipt) = claim(&ledger, &claimed, "ann") else { panic!("claimed") };
    assert_eq!(receipt.image_id.expect("registered").0, 1);
    assert_eq!(claim(&ledger, &claimed, "bob"), ClaimOutcome::AlreadyRegistered);
    assert_eq!(claim(&ledger, &claimed, "ann"), ClaimOutcome::AlreadyRegistered);
    assert_eq!(ledger.deps.registry.rows.borrow()[0].owner, "ann");

    wait(&ledger, 3_600_000);
    assert_eq!(claim(&ledger, &unclaimed, "ann"), ClaimOutcome::NotFound);
    run_alarms_for(&ledger, 60_000);
    assert_eq!(objects(&ledger), [claimed.as_str()]);
}

#[test]
fn a_pending_image_that_is_sent_again_expires_as_late_as_a_new_one() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, PENDING);
    wait(&ledger, 3_599_999);
    let CommitOutcome::Same(receipt) = upload(&ledger, 1, PENDING).1 else { panic!("the same") };
    assert_eq!(receipt.image.key, key);
    assert_eq!(receipt.expires_ms, Some(NOW_MS + 3_599_999 + 3_600_000));
    run_alarms_for(&ledger, 3_599_990);
    assert_eq!(objects(&ledger), [key.as_str()]);
    // A pending image does not satisfy a commit that registers, so this is another image.
    let (_, registered) = upload(&ledger, 1, Disposition::Register);
    assert!(accepted(registered).image_id.is_some());
}

#[test]
fn a_claim_that_broke_off_is_taken_up_by_the_same_claimant_only() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, PENDING);
    ledger.deps.registry.silent.set(true);
    assert!(matches!(claim(&ledger, &key, "ann"), ClaimOutcome::Unregistered { .. }));
    ledger.deps.registry.silent.set(false);
    assert_eq!(claim(&ledger, &key, "bob"), ClaimOutcome::AlreadyRegistered);
    assert!(matches!(claim(&ledger, &key, "ann"), ClaimOutcome::Claimed(_)));
    assert_eq!(ledger.deps.registry.keys().len(), 1);
}

#[test]
fn a_receipt_is_not_returned_for_another_key_of_the_same_grant() {
    let ledger = ledger();
    let grant = grant(&ledger);
    let key = store(&ledger, &grant, 1);
    accepted(commit(&ledger, &key, 1, Disposition::Register));
    let other = grant.upload_key.object_key(Format::Jpeg).expect("a key");
    let outcome = commit(&ledger, &other, 1, Disposition::Register);
    assert!(matches!(outcome, CommitOutcome::Lapsed), "{outcome:?}");
}

#[test]
fn a_claim_names_what_had_no_name() {
    let ledger = ledger();
    let keys = [None, Some("고양이.png")].map(|name| {
        let key = store(&ledger, &grant(&ledger), 1);
        let image = StoredImage {
            original_name: name.map(str::to_owned),
            form_id: None,
            ..image(&key, key.as_str(), NOW_MS)
        };
        accepted(send_to_owner(
            &ledger,
            CommitUpload { image, disposition: PENDING, waits: false },
        ));
        key
    });
    for key in keys {
        let (form_id, original_name) = (Some("f-2".to_owned()), Some("ann.png".to_owned()));
        let claim = ClaimImage { form_id, original_name, ..ClaimImage::new(key, user("ann")) };
        let outcome = send_to_owner(&ledger, claim);
        assert!(matches!(outcome, ClaimOutcome::Claimed(_)), "{outcome:?}");
    }
    let rows = ledger.deps.registry.rows.borrow().clone();
    let names: Vec<_> = rows.iter().map(|row| row.original_name.as_deref()).collect();
    assert_eq!(names, [Some("ann.png"), Some("고양이.png")]);
    assert!(rows.iter().all(|row| row.form_id.as_deref() == Some("f-2")));
}

#[test]
fn a_commit_that_fails_takes_nothing_from_one_that_succeeded() {
    let ledger = ledger();
    let key = store(&ledger, &grant(&ledger), 1);
    let command = || CommitUpload {
        image: image(&key, "1", NOW_MS),
        disposition: Disposition::Register,
        waits: false,
    };
    let owner = user("7");
    ledger.deps.registry.slow.set(1);
    let mut first = Box::pin(ledger.send_to_user(&owner, command()));
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // The caller repeats the commit while the first one is still running.
    ledger.deps.registry.slow.set(0);
    let receipt = accepted(send_to_owner(&ledger, command()));
    ledger.deps.registry.silent.set(true);
    assert_eq!(accepted(block_on(first).expect("a reply")), receipt);
    run_alarms_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [key.as_str()]);
    assert_eq!(ledger.deps.registry.keys(), [key.as_str()]);
}
