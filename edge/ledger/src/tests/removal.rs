//! Uploads that fail or are removed: what is refunded and deleted, and what appears after that.

use std::task::{Context, Waker};

use edge_registry::Registry;
use edge_storage::{ObjectKey, ObjectStore, UploadKey};
use edge_types::UploadLimits;
use futures_executor::block_on;
use proptest::prelude::*;

use super::{
    ADMIT, NOW_MS, PENDING, accepted, admit, commit, grant, image, inspect, ledger, objects,
    run_alarms_for, send_to_owner, store, upload, user, wait,
};
use crate::{
    AdmitUpload, ClaimImage, CommitOutcome, CommitUpload, Disposition, Inspect, LedgerClient,
    LookUpUploads, ReleaseUpload, RemovalOutcome, RemoveImage, UploadPhase, service::new_image,
    testing::FakeLedger,
};

/// The images and bytes that are left of the day.
fn daily_remaining(ledger: &FakeLedger) -> (u64, u64) {
    let statuses = inspect(ledger).limit_statuses;
    (statuses.daily_count.remaining, statuses.daily_bytes.remaining)
}

/// Stores an image; the ledger dies while the registry adds the row.
fn begin_registering(ledger: &FakeLedger, content: u8) -> ObjectKey {
    let key = store(ledger, &grant(ledger), content);
    let image = image(&key, &content.to_string(), ledger.deps.clock_ms.get());
    ledger.deps.registry.slow.set(1);
    let owner = user("7");
    let command = CommitUpload { image, disposition: Disposition::Register, waits: false };
    let mut commit = Box::pin(ledger.send_to_user(&owner, command));
    assert!(commit.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(commit);
    ledger.deps.registry.slow.set(0);
    key
}

#[test]
fn an_object_that_was_being_written_when_the_lease_ended_is_removed_too() {
    let ledger = ledger();
    let late = grant(&ledger);
    wait(&ledger, 300_000);
    for _ in 0..3 {
        block_on(ledger.run_alarms());
    }
    // The write began within the lease, and then the Worker died.
    store(&ledger, &late, 1);
    run_alarms_for(&ledger, 600_000);
    assert!(objects(&ledger).is_empty());
}

#[test]
fn a_row_that_arrives_after_its_image_was_removed_is_removed_too() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, PENDING);
    ledger.deps.registry.slow.set(1);
    let (owner, claimant) = (user("7"), user("ann"));
    let command = ClaimImage::new(key.clone(), claimant);
    let mut claim = Box::pin(ledger.send_to_user(&owner, command));
    let mut context = Context::from_waker(Waker::noop());
    assert!(claim.as_mut().poll(&mut context).is_pending());
    // The ledger dies while the row is in flight.
    drop(claim);
    ledger.deps.registry.slow.set(0);
    let removal = send_to_owner(&ledger, RemoveImage::new(key.clone()));
    assert_eq!(removal.outcome, RemovalOutcome::Finished);
    let image = image(&key, "1", NOW_MS);
    block_on(ledger.deps.registry.add(new_image(&image, &user("ann")))).expect("added");
    run_alarms_for(&ledger, 600_000);
    assert!(ledger.deps.registry.keys().is_empty());
}

#[test]
fn while_the_store_is_down_nothing_is_tried_over_and_over() {
    let ledger = ledger();
    for content in 1..4 {
        upload(&ledger, content, PENDING);
    }
    wait(&ledger, 3_600_000);
    ledger.deps.store.broken.set(true);
    block_on(ledger.run_alarms());
    let snapshot = inspect(&ledger);
    let now_ms = ledger.deps.clock_ms.get();
    assert_eq!(snapshot.latest.len(), 3);
    let is_postponed = |phase, due_ms| phase == UploadPhase::Removing && due_ms > now_ms;
    assert!(snapshot.latest.iter().all(|it| is_postponed(it.phase, it.due_ms)));
}

#[test]
fn a_released_upload_is_as_if_it_had_never_been() {
    let ledger = ledger();
    let (kept, _) = upload(&ledger, 2, Disposition::Register);
    let upload_key = grant(&ledger).upload_key;
    send_to_owner(&ledger, ReleaseUpload { upload_key, may_be_stored: false });
    let grant = grant(&ledger);
    store(&ledger, &grant, 1);
    let stored = ReleaseUpload { upload_key: grant.upload_key, may_be_stored: true };
    send_to_owner(&ledger, stored.clone());
    // A second time changes nothing.
    send_to_owner(&ledger, stored);
    let statuses = || inspect(&ledger).limit_statuses;
    assert_eq!(statuses().daily_count.remaining, 3);
    assert_eq!(statuses().rate.remaining, 2, "tokens stay spent");
    run_alarms_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [kept.as_str()]);
    assert_eq!(statuses().daily_count.remaining, 3, "the alarm does not refund it again");
}

#[test]
fn a_duplicate_that_arrives_after_it_was_deleted_is_removed_too() {
    let ledger = ledger();
    let (first, _) = upload(&ledger, 1, Disposition::Register);
    let grant = grant(&ledger);
    let second = store(&ledger, &grant, 1);
    assert!(matches!(commit(&ledger, &second, 1, Disposition::Register), CommitOutcome::Same(_)));
    block_on(ledger.deps.store.delete(&second)).expect("deleted");
    let upload_key = grant.upload_key.clone();
    send_to_owner(&ledger, ReleaseUpload { upload_key, may_be_stored: false });
    // The Worker gave up its first attempt to write the object, but the network still delivers it.
    store(&ledger, &grant, 1);
    run_alarms_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [first.as_str()]);
}

#[test]
fn an_accepted_upload_is_not_released() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    let upload_key = UploadKey::of(&key);
    send_to_owner(&ledger, ReleaseUpload { upload_key, may_be_stored: true });
    run_alarms_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [key.as_str()]);
}

#[test]
fn a_removal_that_half_fails_is_finished_by_the_alarm() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    ledger.deps.store.broken.set(true);
    let removal = send_to_owner(&ledger, RemoveImage::new(key.clone()));
    assert_eq!(removal.outcome, RemovalOutcome::Underway);
    assert!(ledger.deps.registry.keys().is_empty(), "the row is removed first");
    run_alarms_for(&ledger, 60_000);
    assert_eq!(objects(&ledger), [key.as_str()]);
    ledger.deps.store.broken.set(false);
    run_alarms_for(&ledger, 6_000_000);
    assert!(objects(&ledger).is_empty());
    // The bytes are not recognised any more, either.
    assert!(matches!(upload(&ledger, 1, Disposition::Register).1, CommitOutcome::Accepted(_)));
}

#[test]
fn what_is_removed_twice_is_refunded_once() {
    let ledger = ledger();
    let remaining = || daily_remaining(&ledger);
    upload(&ledger, 1, Disposition::Register);
    let before = remaining();
    let grant = grant(&ledger);
    let key = store(&ledger, &grant, 2);
    assert_ne!(remaining(), before);
    ledger.deps.store.broken.set(true);
    for _ in 0..2 {
        let removal = send_to_owner(&ledger, RemoveImage::new(key.clone()));
        assert_eq!(removal.outcome, RemovalOutcome::Underway);
        assert_eq!(remaining(), before);
    }
}

#[test]
fn what_was_registered_long_ago_is_removed_too() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    run_alarms_for(&ledger, 2 * 86_400_000);
    let known = send_to_owner(&ledger, LookUpUploads { keys: vec![key.to_string()] });
    assert!(known.is_empty(), "forgotten after a day");
    let removal = send_to_owner(&ledger, RemoveImage::new(key));
    assert_eq!(removal.outcome, RemovalOutcome::Finished);
    assert!(objects(&ledger).is_empty());
    assert!(ledger.deps.registry.keys().is_empty());
}

#[test]
fn what_broke_off_while_it_was_registered_is_refunded_once() {
    let ledger = ledger();
    accepted(upload(&ledger, 1, Disposition::Register).1);
    let before = daily_remaining(&ledger);
    begin_registering(&ledger, 2);
    assert_ne!(daily_remaining(&ledger), before);
    ledger.deps.store.broken.set(true);
    run_alarms_for(&ledger, 600_000);
    assert_eq!(daily_remaining(&ledger), before, "however often its removal failed");
}

#[test]
fn what_was_kept_is_counted_although_it_was_removed() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    let before = daily_remaining(&ledger);
    let removal = send_to_owner(&ledger, RemoveImage::new(key));
    assert_eq!(removal.outcome, RemovalOutcome::Finished);
    // Otherwise a quota of one image a day would allow any number of them.
    assert_eq!(daily_remaining(&ledger), before, "a kept image is not refunded");
}

#[test]
fn a_removal_that_went_well_once_is_tried_anew_as_if_it_had_never_failed() {
    let ledger = ledger();
    let key = begin_registering(&ledger, 1);
    let due_in_ms = || inspect(&ledger).latest[0].due_ms - ledger.deps.clock_ms.get();
    ledger.deps.store.broken.set(true);
    let removal = send_to_owner(&ledger, RemoveImage::new(key));
    assert_eq!((removal.outcome, due_in_ms()), (RemovalOutcome::Underway, 2_000));
    wait(&ledger, 2_000);
    block_on(ledger.run_alarms());
    assert_eq!(due_in_ms(), 4_000);
    ledger.deps.store.broken.set(false);
    wait(&ledger, 4_000);
    block_on(ledger.run_alarms());
    // A row may still appear, until a minute after the removal began.
    assert_eq!(due_in_ms(), 54_000);
    ledger.deps.store.broken.set(true);
    wait(&ledger, 54_000);
    block_on(ledger.run_alarms());
    assert_eq!(due_in_ms(), 2_000);
}

proptest! {
    /// A released upload is refunded completely, in whatever order, and the alarm leaves nothing.
    #[test]
    fn releasing_undoes_admitting(
        sizes in prop::collection::vec(0_u64..300, 1..12),
        order in any::<u64>(),
        stored in any::<u16>(),
    ) {
        let ledger = ledger();
        let limits = UploadLimits { rate_per_minute: 1000, daily_count: 6, daily_bytes: 1000 };
        let snapshot = || send_to_owner(&ledger, Inspect { limits });
        let before = snapshot().limit_statuses;
        let admitted = sizes.iter().filter_map(|bytes| {
            admit(&ledger, AdmitUpload { bytes: *bytes, limits, ..ADMIT }).outcome.ok()
        });
        let mut grants: Vec<_> = admitted.collect();
        prop_assert!(grants.len() <= 6);
        let rotation = usize::try_from(order % 12).expect("small") % grants.len().max(1);
        grants.rotate_left(rotation);
        for (at, grant) in grants.into_iter().enumerate() {
            let (upload_key, may_be_stored) = (grant.upload_key, stored >> at & 1 == 1);
            send_to_owner(&ledger, ReleaseUpload { upload_key, may_be_stored });
        }
        let after = snapshot().limit_statuses;
        prop_assert_eq!(after.daily_count, before.daily_count);
        prop_assert_eq!(after.daily_bytes, before.daily_bytes);
        run_alarms_for(&ledger, 600_000);
        prop_assert!(snapshot().phases.is_empty());
    }
}
