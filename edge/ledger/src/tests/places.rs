//! The places of a form with a limit: exact whatever is repeated, lost or interrupted.

use edge_registry::Registry;
use edge_storage::{ObjectKey, UploadKey};
use edge_types::{FormLimit, FormName, Subject};
use futures_executor::block_on;
use futures_util::future::{join, join_all};
use image_rules::Format;

use super::{
    ADMIT, NOW_MS, PENDING, image, ledger, run_alarms_for, send, send_to_owner, store, user, wait,
};
use crate::{
    ClaimImage, ClaimOutcome, CommitOutcome, CommitUpload, ConfirmPlace, Disposition,
    FindSameUpload, FormPlace, LedgerClient, ReleasePlace, RemovalOutcome, RemoveImage,
    ReservePlace, StoredImage, service::new_image, testing::FakeLedger,
};

const LEASE_MS: u64 = 360_000;

fn form() -> FormName {
    FormName::parse("f-1").expect("a name")
}

fn subject() -> Subject {
    Subject::Form(form())
}

/// The key of a picture of this user.
fn key(owner: &str, number: u8) -> ObjectKey {
    let key = UploadKey::new(&user(owner), NOW_MS, [number; 16]);
    key.object_key(Format::Png).expect("a key")
}

fn reservation(key: &ObjectKey, owner: &str) -> ReservePlace {
    ReservePlace {
        key: key.clone(),
        owner: user(owner),
        max_files: Some(3),
        max_files_per_user: Some(2),
        counted_since_ms: NOW_MS,
        lease_s: 360,
    }
}

fn reserve(ledger: &FakeLedger, key: &ObjectKey, owner: &str) -> Result<(), FormLimit> {
    send(ledger, &subject(), reservation(key, owner))
}

fn confirm(ledger: &FakeLedger, key: &ObjectKey, owner: &str) {
    send(ledger, &subject(), ConfirmPlace { key: key.clone(), owner: user(owner) });
}

fn release(ledger: &FakeLedger, key: &ObjectKey, owner: &str) {
    send(ledger, &subject(), ReleasePlace { key: key.clone(), owner: user(owner) });
}

/// How many more pictures of new users the form takes.
fn left(ledger: &FakeLedger) -> usize {
    let more = (100..110).map(|number| (key("probe", number), format!("p{number}")));
    let taken: Vec<_> = more.filter(|(key, owner)| reserve(ledger, key, owner).is_ok()).collect();
    for (key, owner) in &taken {
        release(ledger, key, owner);
    }
    taken.len()
}

/// Stores a counted picture of user 7; returns its key.
fn upload(ledger: &FakeLedger, content: u8, disposition: Disposition) -> ObjectKey {
    let grant = send_to_owner(ledger, ADMIT).outcome.expect("admitted");
    let key = store(ledger, &grant, content);
    assert_eq!(reserve(ledger, &key, "7"), Ok(()));
    let image = counted(ledger, &key, content);
    let outcome = send_to_owner(ledger, CommitUpload { image, disposition, waits: false });
    assert!(matches!(outcome, CommitOutcome::Accepted(_)), "{outcome:?}");
    key
}

fn counted(ledger: &FakeLedger, key: &ObjectKey, content: u8) -> StoredImage {
    let now_ms = ledger.deps.clock_ms.get();
    StoredImage { is_counted: true, ..image(key, &content.to_string(), now_ms) }
}

#[test]
fn a_form_and_each_user_have_so_many_places_and_a_repetition_takes_none() {
    let ledger = ledger();
    for number in [1, 2] {
        let key = key("7", number);
        for _ in 0..2 {
            assert_eq!(reserve(&ledger, &key, "7"), Ok(()));
        }
        for _ in 0..2 {
            confirm(&ledger, &key, "7");
        }
    }
    assert_eq!(reserve(&ledger, &key("7", 3), "7"), Err(FormLimit::User));
    assert_eq!(reserve(&ledger, &key("8", 4), "8"), Ok(()));
    assert_eq!(reserve(&ledger, &key("9", 5), "9"), Err(FormLimit::Form));
    // Its own place can still be confirmed and reserved again.
    assert_eq!(reserve(&ledger, &key("8", 4), "8"), Ok(()));
    for _ in 0..2 {
        release(&ledger, &key("7", 1), "7");
    }
    assert_eq!(reserve(&ledger, &key("9", 5), "9"), Ok(()));
    assert_eq!(reserve(&ledger, &key("7", 6), "7"), Err(FormLimit::Form));
    ledger.restart();
    assert_eq!(reserve(&ledger, &key("7", 6), "7"), Err(FormLimit::Form), "rows survive");
    let other = Subject::ClientIp("192.0.2.7".to_owned());
    let wrong = block_on(ledger.send(&other, reservation(&key("7", 6), "7")));
    assert!(wrong.is_err(), "only a form has places");
}

#[test]
fn of_a_thousand_racing_uploads_exactly_as_many_pass_as_may() {
    let ledger = ledger();
    // Pictures from before the limit, which are counted while others wait.
    ledger.deps.registry.slow.set(3);
    for number in 1..=10 {
        let image = image(&key("7", number), "1", NOW_MS);
        block_on(ledger.deps.registry.add(new_image(&image, &user("7")))).expect("a row");
    }
    let form = subject();
    let many = (0..1000_u32).map(|number| {
        let mut random = [200; 16];
        random[..4].copy_from_slice(&number.to_be_bytes());
        let upload_key = UploadKey::new(&user("8"), NOW_MS, random);
        let key = upload_key.object_key(Format::Png).expect("a key");
        let (max_files, max_files_per_user) = (Some(100), None);
        let command = ReservePlace { max_files, max_files_per_user, ..reservation(&key, "8") };
        ledger.send(&form, command)
    });
    let replies = block_on(join_all(many));
    let taken = replies.iter().filter(|reply| matches!(reply, Ok(Ok(())))).count();
    let full = replies.iter().filter(|reply| matches!(reply, Ok(Err(FormLimit::Form)))).count();
    assert_eq!((taken, full), (90, 910));
}

#[test]
fn the_ledger_of_a_form_stays_when_it_is_not_used() {
    let ledger = ledger();
    for owner in ["7", "8", "9"] {
        assert_eq!(reserve(&ledger, &key(owner, 1), owner), Ok(()));
        confirm(&ledger, &key(owner, 1), owner);
    }
    run_alarms_for(&ledger, 10 * 86_400_000);
    ledger.restart();
    assert_eq!(left(&ledger), 0);
}

#[test]
fn a_lease_that_ends_asks_what_became_of_the_picture() {
    let ledger = ledger();
    // The Worker died before it stored anything, and before it confirmed the place.
    assert_eq!(reserve(&ledger, &key("8", 1), "8"), Ok(()));
    let stored = upload(&ledger, 1, Disposition::Register);
    let pending = upload(&ledger, 2, Disposition::Pending { for_s: 7200 });
    assert_eq!(left(&ledger), 0);
    ledger.restart();
    // Nobody can tell yet.
    ledger.deps.is_cut_off.set(true);
    run_alarms_for(&ledger, LEASE_MS + 10_000);
    assert_eq!(left(&ledger), 0);
    ledger.deps.is_cut_off.set(false);
    run_alarms_for(&ledger, 120_000);
    assert_eq!(left(&ledger), 1, "that of the picture which was never stored");
    assert_eq!(reserve(&ledger, &key("7", 9), "7"), Err(FormLimit::User));
    for key in [&stored, &pending] {
        assert_eq!(reserve(&ledger, key, "7"), Ok(()));
    }
    // The pending one expires.
    run_alarms_for(&ledger, 2 * 7_200_000);
    assert_eq!(left(&ledger), 2);
    assert!(ledger.deps.store.objects.borrow().contains_key(stored.as_str()));
}

#[test]
fn a_removed_picture_frees_its_place_even_when_the_form_does_not_answer_at_once() {
    let ledger = ledger();
    let key = upload(&ledger, 1, Disposition::Register);
    confirm(&ledger, &key, "7");
    assert_eq!(left(&ledger), 2);
    ledger.deps.is_cut_off.set(true);
    let place = Some(FormPlace { form: form(), owner: user("7") });
    let removal = send_to_owner(
        &ledger,
        RemoveImage { place: place.clone(), ..RemoveImage::new(key.clone()) },
    );
    assert_eq!(removal.outcome, RemovalOutcome::Underway);
    assert_eq!(left(&ledger), 2);
    ledger.deps.is_cut_off.set(false);
    run_alarms_for(&ledger, 120_000);
    assert_eq!(left(&ledger), 3);
    // Forgotten by the ledger long ago.
    let old = self::key("7", 50);
    confirm(&ledger, &old, "ann");
    assert_eq!(left(&ledger), 2);
    let place = Some(FormPlace { form: form(), owner: user("ann") });
    send_to_owner(&ledger, RemoveImage { place, ..RemoveImage::new(old) });
    assert_eq!(left(&ledger), 3);
}

#[test]
fn a_picture_that_is_given_up_after_its_commit_frees_its_place() {
    let ledger = ledger();
    let grant = send_to_owner(&ledger, ADMIT).outcome.expect("admitted");
    let key = store(&ledger, &grant, 1);
    assert_eq!(reserve(&ledger, &key, "7"), Ok(()));
    ledger.deps.registry.broken.set(true);
    let image = counted(&ledger, &key, 1);
    let disposition = Disposition::Register;
    let outcome = send_to_owner(&ledger, CommitUpload { image, disposition, waits: false });
    assert_eq!(outcome, CommitOutcome::Unregistered);
    ledger.deps.registry.broken.set(false);
    run_alarms_for(&ledger, 600_000);
    assert_eq!(left(&ledger), 3);
}

#[test]
fn a_claim_needs_a_place_of_the_claimant_and_frees_that_of_the_guest() {
    let ledger = ledger();
    let guests = upload(&ledger, 1, PENDING);
    confirm(&ledger, &guests, "7");
    let claim = |claimant: &str, has_place| {
        let claim = ClaimImage { has_place, ..ClaimImage::new(guests.clone(), user(claimant)) };
        send_to_owner(&ledger, claim)
    };
    assert_eq!(claim("ann", false), ClaimOutcome::NeedsPlace(form()));
    // One who has as many as they may have.
    for number in [1, 2] {
        assert_eq!(reserve(&ledger, &key("bob", number), "bob"), Ok(()));
    }
    assert_eq!(reserve(&ledger, &guests, "bob"), Err(FormLimit::User));
    // The form is full, and the picture has its place in it.
    assert_eq!(left(&ledger), 0);
    assert_eq!(reserve(&ledger, &guests, "ann"), Ok(()));
    assert!(matches!(claim("ann", true), ClaimOutcome::Claimed(_)));
    confirm(&ledger, &guests, "ann");
    assert_eq!(left(&ledger), 0, "one place, not two");
    release(&ledger, &guests, "7");
    assert_eq!(left(&ledger), 0, "the guest has none any more");
    release(&ledger, &guests, "ann");
    assert_eq!(left(&ledger), 1);
}

#[test]
fn a_claim_that_was_interrupted_is_decided_by_its_lease() {
    for is_claimed in [false, true] {
        let ledger = ledger();
        let guests = upload(&ledger, 1, Disposition::Pending { for_s: 7200 });
        confirm(&ledger, &guests, "7");
        assert_eq!(reserve(&ledger, &guests, "ann"), Ok(()));
        if is_claimed {
            let claim =
                ClaimImage { has_place: true, ..ClaimImage::new(guests.clone(), user("ann")) };
            let outcome = send_to_owner(&ledger, claim);
            assert!(matches!(outcome, ClaimOutcome::Claimed(_)), "{outcome:?}");
        }
        assert_eq!(left(&ledger), 2);
        run_alarms_for(&ledger, LEASE_MS + 130_000);
        assert_eq!(left(&ledger), 2);
        let owner = if is_claimed { "ann" } else { "7" };
        release(&ledger, &guests, owner);
        assert_eq!(left(&ledger), 3, "{owner} has the only place");
    }
}

#[test]
fn a_picture_with_rules_of_its_form_is_not_claimed_for_another() {
    let ledger = ledger();
    let counted = upload(&ledger, 1, PENDING);
    let other = Some("f-2".to_owned());
    let claim = ClaimImage { form_id: other.clone(), ..ClaimImage::new(counted, user("ann")) };
    assert_eq!(send_to_owner(&ledger, claim), ClaimOutcome::OtherForm);
    let (plain, _) = super::upload(&ledger, 2, PENDING);
    let claim = ClaimImage { form_id: other, ..ClaimImage::new(plain, user("ann")) };
    let with_policy = ClaimImage { has_policy: true, ..claim.clone() };
    assert_eq!(send_to_owner(&ledger, with_policy), ClaimOutcome::OtherForm);
    assert!(matches!(send_to_owner(&ledger, claim), ClaimOutcome::Claimed(_)));
}

#[test]
fn a_repetition_of_an_upload_is_found_for_a_full_form() {
    let ledger = ledger();
    let first = upload(&ledger, 1, Disposition::Register);
    let find = |content: u8| {
        let grant = send_to_owner(&ledger, ADMIT).outcome.expect("admitted");
        let key = grant.upload_key.object_key(Format::Png).expect("a key");
        let image = counted(&ledger, &key, content);
        send_to_owner(&ledger, FindSameUpload { image, disposition: Disposition::Register })
    };
    assert_eq!(find(1).expect("the first").image.key, first);
    assert!(find(2).is_none());
}

#[test]
fn a_limit_that_is_set_later_counts_what_exists_and_what_was_on_its_way() {
    let ledger = ledger();
    let add = |number, owner: &str| {
        let image = image(&key(owner, number), "1", NOW_MS);
        block_on(ledger.deps.registry.add(new_image(&image, &user(owner)))).expect("a row");
    };
    add(1, "7");
    add(2, "7");
    assert_eq!(reserve(&ledger, &key("7", 9), "7"), Err(FormLimit::User));
    assert_eq!(left(&ledger), 1);
    // An isolate that did not know of the limit yet registers one more.
    add(3, "8");
    assert_eq!(left(&ledger), 1);
    wait(&ledger, 30_000);
    run_alarms_for(&ledger, LEASE_MS);
    assert_eq!(left(&ledger), 0);

    // Without a limit pictures came and went uncounted; with a new one they are counted anew.
    block_on(ledger.deps.registry.remove(&[key("7", 1), key("7", 2)])).expect("removed");
    let later = |number: u8| {
        let counted_since_ms = NOW_MS + 900_000;
        let key = key("9", number);
        send(&ledger, &subject(), ReservePlace { counted_since_ms, ..reservation(&key, "9") })
    };
    assert_eq!(later(1), Ok(()));
    assert_eq!(later(2), Ok(()));
    assert_eq!(left(&ledger), 0);
}

#[test]
fn a_picture_that_goes_while_it_is_counted_gets_no_place() {
    let ledger = ledger();
    for number in 1..=3 {
        let image = image(&key("7", number), "1", NOW_MS);
        block_on(ledger.deps.registry.add(new_image(&image, &user("7")))).expect("a row");
    }
    ledger.deps.registry.slow.set(5);
    let (key, owner) = (key("7", 1), user("7"));
    let form = subject();
    let reserving = ledger.send(&form, reservation(&self::key("8", 9), "8"));
    let releasing = async {
        for _ in 0..2 {
            edge_registry::testing::yield_once().await;
        }
        ledger.send(&form, ReleasePlace { key: key.clone(), owner: owner.clone() }).await
    };
    let (reserved, released) = block_on(join(reserving, releasing));
    released.expect("a reply");
    assert_eq!(reserved.expect("a reply"), Ok(()), "two of three are left");
}
