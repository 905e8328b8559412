//! Held images: released, refused, interrupted and forgotten.

use std::task::{Context, Poll, Waker};

use edge_registry::Review;
use edge_storage::{NewObject, ObjectKey, ObjectStore};
use edge_types::{FormName, Subject, hex};
use futures_executor::block_on;
use image_rules::Format;

use super::{
    NOW_MS, PENDING, grant, image, ledger, objects, run_alarms_for, send, send_to_owner, user,
};
use crate::{
    ClaimImage, ClaimOutcome, CommitOutcome, CommitUpload, ConfirmPlace, Disposition, EraseUser,
    FormPlace, LedgerClient, LookUpUploads, RefuseImage, ReleaseImage, RemovalOutcome, RemoveImage,
    ReservePlace, ReviewOutcome, StoredImage, UploadPhase, testing::FakeLedger,
};

const DAY_MS: u64 = 86_400_000;

/// Stores and commits a held image of user 7.
pub fn upload_held(ledger: &FakeLedger, content: u8, disposition: Disposition) -> ObjectKey {
    let key = grant(ledger).upload_key.object_key(Format::Png).expect("a key");
    hold(ledger, &key, content, disposition);
    key
}

pub fn hold(ledger: &FakeLedger, key: &ObjectKey, content: u8, disposition: Disposition) {
    let digest = hex::encode(&[content; 32]);
    let image = image(key, &digest, ledger.deps.clock_ms.get());
    let image = StoredImage { is_held: true, ..image };
    let object = NewObject {
        key: &image.object(),
        bytes: vec![content],
        format: Format::Png,
        sha256: [content; 32],
        metadata: image.metadata(),
    };
    block_on(ledger.deps.store.put(object)).expect("stored");
    let outcome = send_to_owner(ledger, CommitUpload { image, disposition, waits: false });
    assert!(matches!(outcome, CommitOutcome::Accepted(_)), "{outcome:?}");
}

pub fn release(ledger: &FakeLedger, key: &ObjectKey) -> ReviewOutcome {
    send_to_owner(ledger, ReleaseImage { key: key.clone() })
}

pub fn refuse(ledger: &FakeLedger, key: &ObjectKey) -> ReviewOutcome {
    let reason = "Too dark".to_owned();
    send_to_owner(ledger, RefuseImage { key: key.clone(), reason, place: None })
}

fn phase(ledger: &FakeLedger, key: &ObjectKey) -> Option<UploadPhase> {
    let known = send_to_owner(ledger, LookUpUploads { keys: vec![key.to_string()] });
    known.first().map(|upload| upload.phase)
}

fn review(ledger: &FakeLedger) -> (Option<Review>, Option<String>) {
    let rows = ledger.deps.registry.rows.borrow();
    rows.first().map(|row| (row.review, row.review_reason.clone())).expect("a row")
}

#[test]
fn a_released_image_moves_to_its_key_and_is_decided_once() {
    let ledger = ledger();
    let key = upload_held(&ledger, 1, Disposition::Register);
    assert_eq!(objects(&ledger), [key.private().as_str()]);
    assert_eq!(
        (phase(&ledger, &key), review(&ledger).0),
        (Some(UploadPhase::Held), Some(Review::Held))
    );
    assert_eq!(release(&ledger, &key), ReviewOutcome::Finished);
    assert_eq!(objects(&ledger), [key.as_str()]);
    assert_eq!(ledger.deps.store.metadata.borrow()[key.as_str()].held, None);
    assert_eq!(
        (phase(&ledger, &key), review(&ledger)),
        (Some(UploadPhase::Kept), (Some(Review::Released), None))
    );
    assert_eq!(release(&ledger, &key), ReviewOutcome::Decided);
    assert_eq!(refuse(&ledger, &key), ReviewOutcome::Decided);
    assert_eq!(objects(&ledger), [key.as_str()]);
}

#[test]
fn a_refused_image_is_gone_and_its_row_says_why() {
    let ledger = ledger();
    let key = upload_held(&ledger, 1, Disposition::Register);
    assert_eq!(refuse(&ledger, &key), ReviewOutcome::Finished);
    assert!(objects(&ledger).is_empty());
    let refused = (Some(Review::Refused), Some("Too dark".to_owned()));
    assert_eq!(review(&ledger), refused);
    assert_eq!(release(&ledger, &key), ReviewOutcome::Decided);
    run_alarms_for(&ledger, 600_000);
    assert_eq!(review(&ledger), refused, "the row stays");
    assert_eq!((phase(&ledger, &key), refuse(&ledger, &key)), (None, ReviewOutcome::Decided));
    // The uploader removes the record.
    let removal = send_to_owner(&ledger, RemoveImage::new(key));
    assert_eq!(removal.outcome, RemovalOutcome::Finished);
    assert!(ledger.deps.registry.keys().is_empty());
}

#[test]
fn a_private_image_stays_where_it_is() {
    let ledger = ledger();
    let key = grant(&ledger).upload_key.object_key(Format::Png).expect("a key").private();
    hold(&ledger, &key, 1, Disposition::Register);
    assert_eq!(release(&ledger, &key), ReviewOutcome::Finished);
    assert_eq!(objects(&ledger), [key.as_str()]);
    assert_eq!(review(&ledger).0, Some(Review::Released));
    let other = grant(&ledger).upload_key.object_key(Format::Png).expect("a key").private();
    hold(&ledger, &other, 2, Disposition::Register);
    assert_eq!(refuse(&ledger, &other), ReviewOutcome::Finished);
    assert_eq!(objects(&ledger), [key.as_str()]);
}

#[test]
fn an_image_is_decided_long_after_the_ledger_has_forgotten_it() {
    for is_released in [true, false] {
        let ledger = ledger();
        let key = upload_held(&ledger, 1, Disposition::Register);
        run_alarms_for(&ledger, 10 * DAY_MS);
        assert_eq!(phase(&ledger, &key), None);
        assert_eq!(objects(&ledger), [key.private().as_str()], "it does not expire");
        let decide = if is_released { release } else { refuse };
        assert_eq!(decide(&ledger, &key), ReviewOutcome::Finished);
        let expected = if is_released { vec![key.to_string()] } else { Vec::new() };
        assert_eq!(objects(&ledger), expected);
        assert_ne!(decide(&ledger, &key), ReviewOutcome::Finished, "a second time");
        run_alarms_for(&ledger, 10 * DAY_MS);
        assert_eq!(objects(&ledger), expected);
        assert_eq!(release(&ledger, &key), ReviewOutcome::Decided);
    }
}

#[test]
fn a_release_that_is_interrupted_anywhere_is_finished_by_the_alarm() {
    for polls in 0..12 {
        let ledger = ledger();
        let key = upload_held(&ledger, 1, Disposition::Register);
        ledger.deps.registry.slow.set(1);
        let owner = user("7");
        let mut release = Box::pin(ledger.send_to_user(&owner, ReleaseImage { key: key.clone() }));
        for _ in 0..polls {
            if let Poll::Ready(outcome) =
                release.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            {
                assert_eq!(outcome.expect("a reply"), ReviewOutcome::Finished);
                break;
            }
        }
        drop(release);
        ledger.restart();
        let stored = objects(&ledger);
        assert!(stored.contains(&key.to_string()) || stored.contains(&key.private().to_string()));
        run_alarms_for(&ledger, 600_000);
        if polls > 0 {
            assert_eq!(objects(&ledger), [key.as_str()], "{polls}");
            assert_eq!(review(&ledger).0, Some(Review::Released), "{polls}");
        }
    }
}

#[test]
fn a_decision_waits_for_a_store_or_a_database_that_is_down() {
    for is_released in [true, false] {
        for is_store in [true, false] {
            let ledger = ledger();
            let key = upload_held(&ledger, 1, Disposition::Register);
            let broken =
                if is_store { &ledger.deps.store.broken } else { &ledger.deps.registry.broken };
            broken.set(true);
            let decisions: [fn(&FakeLedger, &ObjectKey) -> ReviewOutcome; 2] = [refuse, release];
            let decide = decisions[usize::from(is_released)];
            let other = decisions[usize::from(!is_released)];
            assert_eq!(decide(&ledger, &key), ReviewOutcome::Underway);
            assert_eq!(decide(&ledger, &key), ReviewOutcome::Underway);
            assert_eq!(other(&ledger, &key), ReviewOutcome::Decided);
            broken.set(false);
            run_alarms_for(&ledger, 600_000);
            let expected = if is_released { vec![key.to_string()] } else { Vec::new() };
            assert_eq!(objects(&ledger), expected, "released {is_released}, store {is_store}");
        }
    }
}

#[test]
fn an_image_that_is_removed_while_it_is_released_leaves_nothing() {
    let ledger = ledger();
    let key = upload_held(&ledger, 1, Disposition::Register);
    ledger.deps.registry.broken.set(true);
    assert_eq!(release(&ledger, &key), ReviewOutcome::Underway);
    assert_eq!(objects(&ledger).len(), 2, "copied, and not deleted yet");
    ledger.deps.registry.broken.set(false);
    send_to_owner(&ledger, RemoveImage::new(key.clone()));
    run_alarms_for(&ledger, 600_000);
    assert!(objects(&ledger).is_empty() && ledger.deps.registry.keys().is_empty());
}

#[test]
fn a_held_image_is_removed_expires_and_is_claimed_as_others() {
    let ledger = ledger();
    let old = upload_held(&ledger, 1, Disposition::Register);
    let pending = upload_held(&ledger, 2, PENDING);
    let expiring = upload_held(&ledger, 3, PENDING);
    let claim = |form_id: Option<&str>| ClaimImage {
        form_id: form_id.map(str::to_owned),
        ..ClaimImage::new(pending.clone(), user("ann"))
    };
    assert_eq!(send_to_owner(&ledger, claim(Some("other"))), ClaimOutcome::OtherForm);
    assert!(matches!(send_to_owner(&ledger, claim(None)), ClaimOutcome::Claimed(_)));
    assert_eq!(phase(&ledger, &pending), Some(UploadPhase::Held));
    assert_eq!(release(&ledger, &expiring), ReviewOutcome::Decided, "nobody has it yet");
    run_alarms_for(&ledger, 2 * DAY_MS);
    assert_eq!(objects(&ledger), [old.private().as_str(), pending.private().as_str()]);
    // Long ago, so the ledger does not know that it is held.
    send_to_owner(&ledger, RemoveImage::new(old));
    assert_eq!(objects(&ledger), [pending.private().as_str()]);
    assert_eq!(release(&ledger, &pending), ReviewOutcome::Finished);
    assert_eq!(objects(&ledger), [pending.as_str()]);
}

#[test]
fn the_erasure_of_an_uploader_leaves_what_another_has_claimed() {
    let ledger = ledger();
    let key = upload_held(&ledger, 1, PENDING);
    send_to_owner(&ledger, ClaimImage::new(key.clone(), user("ann")));
    ledger.deps.store.broken.set(true);
    assert_eq!(release(&ledger, &key), ReviewOutcome::Underway);
    ledger.deps.store.broken.set(false);
    assert_eq!(send_to_owner(&ledger, EraseUser::Begin), 0);
    run_alarms_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [key.as_str()]);
}

#[test]
fn a_refusal_frees_the_place_in_the_form() {
    let ledger = ledger();
    let key = upload_held(&ledger, 1, Disposition::Register);
    let form = FormName::parse("f-1").expect("a name");
    let subject = Subject::Form(form.clone());
    let confirm = ConfirmPlace { key: key.clone(), owner: user("7") };
    send(&ledger, &subject, confirm);
    let reserve = |key: &ObjectKey| ReservePlace {
        key: key.clone(),
        owner: user("7"),
        max_files: Some(1),
        max_files_per_user: None,
        counted_since_ms: NOW_MS,
        lease_s: 360,
    };
    let next = grant(&ledger).upload_key.object_key(Format::Png).expect("a key");
    assert!(send(&ledger, &subject, reserve(&next)).is_err(), "full");
    let place = Some(FormPlace { form, owner: user("7") });
    let command = RefuseImage { key, reason: "no".to_owned(), place };
    assert_eq!(send_to_owner(&ledger, command), ReviewOutcome::Finished);
    assert!(send(&ledger, &subject, reserve(&next)).is_ok());
}

#[test]
fn the_same_bytes_are_recognised_while_they_are_held() {
    let ledger = ledger();
    let key = upload_held(&ledger, 1, Disposition::Register);
    let again = grant(&ledger).upload_key.object_key(Format::Png).expect("a key");
    let image = StoredImage {
        is_held: true,
        ..image(&again, &hex::encode(&[1; 32]), ledger.deps.clock_ms.get())
    };
    let command = CommitUpload { image, disposition: Disposition::Register, waits: false };
    let CommitOutcome::Same(receipt) = send_to_owner(&ledger, command) else {
        panic!("not recognised")
    };
    assert_eq!((&receipt.image.key, receipt.image.is_held), (&key, true));
}
