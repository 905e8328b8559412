//! Derived pictures: who makes them, and that none outlives its original.

use edge_storage::{DerivedKey, NewObject, ObjectKey, ObjectMetadata, ObjectStore, StoreKey};
use futures_executor::block_on;
use futures_util::future::join;
use image_rules::Format;

use super::{
    PENDING, grant, ledger, objects,
    review::{hold, refuse, release, upload_held},
    run_alarms_for, send_to_owner, upload, user, wait,
};
use crate::{
    DeriveImage, DerivedOutcome, DerivedStatus, Disposition, EndDerivation, EraseUser,
    LedgerClient, LookUpUploads, RemoveImage, ReviewOutcome, testing::FakeLedger,
};

const LEASE_MS: u64 = 60_000;

fn derive(key: &ObjectKey, name: &str) -> DeriveImage {
    DeriveImage { key: key.clone(), name: name.to_owned(), lease_ms: Some(LEASE_MS) }
}

fn end(ledger: &FakeLedger, key: &ObjectKey, name: &str, outcome: DerivedOutcome) -> bool {
    send_to_owner(ledger, EndDerivation { key: key.clone(), name: name.to_owned(), outcome })
}

fn write(ledger: &FakeLedger, key: &ObjectKey, name: &str) -> DerivedKey {
    let derived = DerivedKey::new(key, name, Format::Jpeg);
    let (bytes, sha256, metadata) = (vec![1], [1; 32], ObjectMetadata::default());
    let object = NewObject { key: &derived, bytes, format: Format::Jpeg, sha256, metadata };
    block_on(ledger.deps.store.put(object)).expect("stored");
    derived
}

#[test]
fn one_caller_makes_it_and_the_others_wait_for_it() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    let owner = user("7");
    let first = send_to_owner(&ledger, derive(&key, "w480"));
    assert!(matches!(first, DerivedStatus::Make { .. }));
    let waiting = ledger.send_to_user(&owner, derive(&key, "w480"));
    let ending = async {
        let (name, outcome) = ("w480".to_owned(), DerivedOutcome::Stored(Format::Jpeg));
        ledger.send_to_user(&owner, EndDerivation { key: key.clone(), name, outcome }).await
    };
    let (waited, is_wanted) = block_on(join(waiting, ending));
    assert_eq!(waited.expect("a reply"), DerivedStatus::Stored(Format::Jpeg));
    assert!(is_wanted.expect("a reply"));
    let other = send_to_owner(&ledger, DeriveImage { lease_ms: None, ..derive(&key, "w640") });
    assert_eq!(other, DerivedStatus::Unknown, "without a lease nothing is made");
    ledger.restart();
    let known = send_to_owner(&ledger, derive(&key, "w480"));
    assert_eq!(known, DerivedStatus::Stored(Format::Jpeg));
}

#[test]
fn a_lease_that_ends_can_be_had_again() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    send_to_owner(&ledger, derive(&key, "w480"));
    assert_eq!(send_to_owner(&ledger, derive(&key, "w480")), DerivedStatus::Underway);
    wait(&ledger, LEASE_MS);
    let again = send_to_owner(&ledger, derive(&key, "w480"));
    assert!(matches!(again, DerivedStatus::Make { .. }), "its maker has died");
    assert!(end(&ledger, &key, "w480", DerivedOutcome::Abandoned));
    let again = send_to_owner(&ledger, derive(&key, "w480"));
    assert!(matches!(again, DerivedStatus::Make { .. }), "given up");
}

#[test]
fn a_failure_is_remembered_for_minutes_and_a_small_picture_for_good() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    for (name, outcome) in [("w1", DerivedOutcome::Failed), ("w2", DerivedOutcome::Original)] {
        send_to_owner(&ledger, derive(&key, name));
        end(&ledger, &key, name, outcome);
        assert_eq!(send_to_owner(&ledger, derive(&key, name)), DerivedStatus::Original);
    }
    wait(&ledger, 300_000);
    assert!(matches!(send_to_owner(&ledger, derive(&key, "w1")), DerivedStatus::Make { .. }));
    assert_eq!(send_to_owner(&ledger, derive(&key, "w2")), DerivedStatus::Original);
}

#[test]
fn a_picture_has_at_most_24_derived_pictures() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    let names: Vec<_> = (0..25).map(|width| format!("w{width}")).collect();
    let made = names.iter().map(|name| send_to_owner(&ledger, derive(&key, name)));
    let made: Vec<_> = made.collect();
    assert!(made[..24].iter().all(|status| matches!(status, DerivedStatus::Make { .. })));
    assert_eq!(made[24], DerivedStatus::Original);
    let (other, _) = upload(&ledger, 2, Disposition::Register);
    assert!(matches!(send_to_owner(&ledger, derive(&other, "w24")), DerivedStatus::Make { .. }));
}

#[test]
fn a_removal_takes_along_what_is_derived_and_what_is_being_derived() {
    let ledger = ledger();
    for disposition in [Disposition::Register, PENDING] {
        let (key, _) = upload(&ledger, 1, disposition);
        for name in ["w480", "w640", "w960"] {
            send_to_owner(&ledger, derive(&key, name));
        }
        write(&ledger, &key, "w480");
        end(&ledger, &key, "w480", DerivedOutcome::Stored(Format::Jpeg));
        // Its maker has written it and died.
        write(&ledger, &key, "w960");
        send_to_owner(&ledger, RemoveImage::new(key.clone()));
        assert!(objects(&ledger).is_empty());
        assert_eq!(send_to_owner(&ledger, derive(&key, "w1280")), DerivedStatus::Gone);
        // Written after the removal, by a maker who then dies, or hears that it is not wanted.
        let late = write(&ledger, &key, "w640");
        assert!(!end(&ledger, &key, "w640", DerivedOutcome::Stored(Format::Jpeg)));
        let looked_up = LookUpUploads { keys: vec![late.to_string()] };
        assert_eq!(send_to_owner(&ledger, looked_up).len(), 1, "the sweep leaves it to the ledger");
        run_alarms_for(&ledger, LEASE_MS + 60_000);
        assert!(objects(&ledger).is_empty(), "within two minutes");
        let looked_up = LookUpUploads { keys: vec![late.to_string()] };
        assert_eq!(send_to_owner(&ledger, looked_up), []);
    }
}

#[test]
fn the_list_outlives_all_limits_and_nothing_else_does() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    send_to_owner(&ledger, derive(&key, "w480"));
    write(&ledger, &key, "w480");
    end(&ledger, &key, "w480", DerivedOutcome::Stored(Format::Jpeg));
    run_alarms_for(&ledger, 3 * 86_400_000);
    let rows = ledger.rows_written();
    run_alarms_for(&ledger, 30 * 86_400_000);
    assert_eq!(ledger.rows_written(), rows, "the ledger is at rest");
    assert_eq!(send_to_owner(&ledger, derive(&key, "w480")), DerivedStatus::Stored(Format::Jpeg));
    send_to_owner(&ledger, RemoveImage::new(key));
    run_alarms_for(&ledger, 3 * 86_400_000);
    assert!(objects(&ledger).is_empty());
}

/// Derives a picture in this size, and stores it.
fn make(ledger: &FakeLedger, key: &ObjectKey, name: &str) {
    let status = send_to_owner(ledger, derive(key, name));
    assert!(matches!(status, DerivedStatus::Make { .. }), "{status:?}");
    write(ledger, key, name);
    assert!(end(ledger, key, name, DerivedOutcome::Stored(Format::Jpeg)));
}

#[test]
fn a_decision_takes_along_what_was_derived_from_the_held_object() {
    for is_released in [true, false] {
        let ledger = ledger();
        let key = upload_held(&ledger, 1, Disposition::Register);
        let held = key.private();
        make(&ledger, &held, "w480");
        // One is still being made, and its maker dies after it has written it.
        send_to_owner(&ledger, derive(&held, "w640"));
        let outcome = if is_released { release(&ledger, &key) } else { refuse(&ledger, &key) };
        assert_eq!(outcome, ReviewOutcome::Finished);
        let late = write(&ledger, &held, "w640");
        assert!(!end(&ledger, &held, "w640", DerivedOutcome::Stored(Format::Jpeg)));
        if is_released {
            assert_eq!(objects(&ledger), [late.as_str(), key.as_str()]);
            // Nothing is derived any more from the object that has gone.
            assert_eq!(send_to_owner(&ledger, derive(&held, "w960")), DerivedStatus::Original);
            make(&ledger, &key, "w480");
            send_to_owner(&ledger, RemoveImage::new(key));
        }
        run_alarms_for(&ledger, LEASE_MS + 60_000);
        assert_eq!(objects(&ledger), [""; 0], "released: {is_released}");
    }
}

#[test]
fn a_private_image_keeps_what_was_derived_from_it_when_it_is_released() {
    let ledger = ledger();
    let key = grant(&ledger).upload_key.object_key(Format::Png).expect("a key").private();
    hold(&ledger, &key, 1, Disposition::Register);
    make(&ledger, &key, "w480");
    assert_eq!(release(&ledger, &key), ReviewOutcome::Finished);
    let known = send_to_owner(&ledger, derive(&key, "w480"));
    assert_eq!(known, DerivedStatus::Stored(Format::Jpeg));
    send_to_owner(&ledger, RemoveImage::new(key));
    assert_eq!(objects(&ledger), [""; 0]);
}

#[test]
fn what_nobody_claimed_and_what_is_erased_take_along_what_was_derived() {
    for is_erased in [true, false] {
        let ledger = ledger();
        let (key, _) = upload(&ledger, 1, PENDING);
        let held = upload_held(&ledger, 2, PENDING).private();
        make(&ledger, &key, "w480");
        make(&ledger, &held, "w480");
        if is_erased {
            send_to_owner(&ledger, EraseUser::Begin);
        }
        run_alarms_for(&ledger, 2 * 3_600_000);
        assert_eq!(objects(&ledger), [""; 0], "erased: {is_erased}");
    }
}
