//! When the alarm handles an upload again: after failures, after writes that may still be in flight, and
//! exactly when something ends.

use edge_storage::{ObjectKey, UploadKey};
use edge_types::{Subject, testing::written};
use futures_executor::block_on;
use futures_util::future::join;
use image_rules::Format;

use super::{
    NOW_MS, PENDING, commit, grant, image, ledger, send, send_to_owner, store, upload, user, wait,
};
use crate::{
    Ban, CommitOutcome, CommitUpload, CountLoginAttempt, CountRequest, Disposition, LedgerClient,
    LimitKind, LoginLimit, LookUpUploads, Probe, RefundLoginAttempt, ReleaseUpload, RemoveImage,
    testing::FakeLedger,
};

/// In how many seconds the alarm handles the uploads of these keys.
fn due_in_s(ledger: &FakeLedger, keys: &[&ObjectKey]) -> Vec<u64> {
    let keys = keys.iter().map(|key| key.as_str().to_owned()).collect();
    let known = send_to_owner(ledger, LookUpUploads { keys });
    known.iter().map(|it| (it.due_ms - ledger.deps.clock_ms.get()) / 1000).collect()
}

#[test]
fn each_wait_after_a_failed_removal_is_twice_as_long_up_to_ten_minutes() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    ledger.deps.store.broken.set(true);
    send_to_owner(&ledger, RemoveImage::new(key.clone()));
    let waits_s = (0..11).map(|_| {
        let wait_s = due_in_s(&ledger, &[&key])[0];
        wait(&ledger, wait_s * 1000);
        block_on(ledger.run_alarms());
        wait_s
    });
    assert_eq!(waits_s.collect::<Vec<_>>(), [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    assert!(written().iter().any(|line| line.contains("removal_failed")));
}

#[test]
fn what_was_not_even_tried_is_due_again_soon_and_has_failed_at_nothing() {
    let ledger = ledger();
    let [first, second] = [1, 2].map(|content| upload(&ledger, content, PENDING).0);
    wait(&ledger, 3_600_000);
    ledger.deps.store.broken.set(true);
    block_on(ledger.run_alarms());
    assert_eq!(due_in_s(&ledger, &[&first, &second]), [2, 2], "tried, and postponed");
    wait(&ledger, 2_000);
    block_on(ledger.run_alarms());
    assert_eq!(due_in_s(&ledger, &[&first, &second]), [4, 2], "tried again, and postponed again");
}

#[test]
fn an_event_that_the_registry_does_not_take_is_sent_again_after_longer_and_longer_waits() {
    let ledger = ledger();
    let (until_ms, reason, by) = (NOW_MS + 1, "spam".to_owned(), "root".to_owned());
    send_to_owner(&ledger, Ban { until_ms, reason, by });
    ledger.deps.registry.broken.set(true);
    let failures = || {
        block_on(ledger.run_alarms());
        written().iter().filter(|line| line.contains("registry_failed")).count()
    };
    // The first at once, the next two seconds later, then after four, eight and sixteen more.
    let tried: Vec<_> = (0..=30)
        .filter(|_| {
            let failed = failures() > 0;
            wait(&ledger, 1_000);
            failed
        })
        .collect();
    assert_eq!(tried, [0, 2, 6, 14, 30]);
}

#[test]
fn a_removal_ends_when_no_row_can_come_any_more() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    send_to_owner(&ledger, RemoveImage::new(key.clone()));
    assert_eq!(due_in_s(&ledger, &[&key]), [60]);
    wait(&ledger, 60_000);
    block_on(ledger.run_alarms());
    assert!(due_in_s(&ledger, &[&key]).is_empty());
}

#[test]
fn what_may_still_be_written_is_looked_for_after_a_fifth_of_the_lease() {
    let ledger = ledger();
    let grant = grant(&ledger);
    let key = store(&ledger, &grant, 1);
    send_to_owner(&ledger, ReleaseUpload { upload_key: grant.upload_key, may_be_stored: true });
    assert_eq!(due_in_s(&ledger, &[&key]), [60]);
}

#[test]
fn the_same_bytes_in_progress_are_waited_for_six_seconds_and_no_longer() {
    let ledger = ledger();
    let keys = [1, 2].map(|_| store(&ledger, &grant(&ledger), 9));
    let [first, second] = keys.each_ref().map(|key| CommitUpload {
        image: image(key, "9", NOW_MS),
        disposition: Disposition::Register,
        waits: false,
    });
    let owner = user("7");
    ledger.deps.registry.slow.set(100_000);
    let (first, second) =
        block_on(join(ledger.send_to_user(&owner, first), ledger.send_to_user(&owner, second)));
    assert!(matches!(first, Ok(CommitOutcome::Accepted(_))), "{first:?}");
    assert!(matches!(second, Ok(CommitOutcome::Accepted(_))), "{second:?}");
    assert_eq!(ledger.deps.slept_ms.get(), 6_000);
}

#[test]
fn bytes_that_are_over_or_of_yesterday_are_not_the_same_again() {
    let ledger = ledger();
    upload(&ledger, 1, PENDING);
    wait(&ledger, 3_600_000);
    // The first one has expired, and the alarm has not run yet.
    let (_, outcome) = upload(&ledger, 1, PENDING);
    assert!(matches!(outcome, CommitOutcome::Accepted(_)), "{outcome:?}");
    let two_days = Disposition::Pending { for_s: 172_800 };
    let (_, outcome) = upload(&ledger, 2, two_days);
    assert!(matches!(outcome, CommitOutcome::Accepted(_)));
    wait(&ledger, 86_399_999);
    let grant = grant(&ledger);
    let again = store(&ledger, &grant, 2);
    let outcome = commit(&ledger, &again, 2, two_days);
    assert!(matches!(outcome, CommitOutcome::Same(_)), "within the day");
    wait(&ledger, 1);
    let (_, outcome) = upload(&ledger, 2, two_days);
    assert!(matches!(outcome, CommitOutcome::Accepted(_)), "a day later: {outcome:?}");
}

#[test]
fn a_flood_is_reported_each_time_that_as_many_were_refused_in_a_minute_as_may_pass() {
    let ledger = ledger();
    let subject = Subject::ClientIp("192.0.2.7".to_owned());
    let count = || {
        let admission = send(&ledger, &subject, CountRequest { rate_per_minute: 3 });
        admission.exceeded.map(|exceeded| exceeded.kind)
    };
    let (rate, flood) = (Some(LimitKind::Rate), Some(LimitKind::Flood));
    assert_eq!([count(), count(), count()], [None; 3]);
    assert_eq!([count(), count()], [rate; 2]);
    wait(&ledger, 1_000);
    assert_eq!(count(), flood, "still the same minute");
    assert_eq!([count(), count(), count()], [rate, rate, flood]);
    wait(&ledger, 59_000);
    assert_eq!([count(), count()], [None; 2]);
    wait(&ledger, 1);
    assert_eq!([count(), count(), count(), count()], [None, rate, rate, flood], "counted anew");
}

#[test]
fn passwords_are_tried_until_the_limit_and_one_more_after_each_interval_or_refund() {
    let ledger = ledger();
    let limit = LoginLimit { burst: 2, interval_s: 60 };
    let email = Subject::Email("0123abcd".to_owned());
    let attempt = || send(&ledger, &email, CountLoginAttempt { limit });
    assert_eq!([(); 3].map(|()| attempt()), [None, None, Some(60)]);
    let other = Subject::Email("4567cdef".to_owned());
    assert_eq!(send(&ledger, &other, CountLoginAttempt { limit }), None, "another address");
    send(&ledger, &email, RefundLoginAttempt { limit });
    assert_eq!([(); 2].map(|()| attempt()), [None, Some(60)]);
    wait(&ledger, 60_000);
    assert_eq!([(); 2].map(|()| attempt()), [None, Some(60)]);
}

#[test]
fn the_ledger_of_any_subject_replies_to_a_probe() {
    let ledger = ledger();
    let unknown = Subject::ClientIp("unknown".to_owned());
    let reply = block_on(ledger.send_json(unknown.to_string(), Probe.into())).expect("a reply");
    assert_eq!(reply, "null");
    block_on(ledger.send(&unknown, Probe)).expect("a reply");
}

#[test]
fn a_release_of_another_users_upload_is_rejected() {
    let ledger = ledger();
    let key = UploadKey::new(&user("8"), NOW_MS, [0; 16]).object_key(Format::Gif).expect("a key");
    let release = ReleaseUpload { upload_key: UploadKey::of(&key), may_be_stored: false };
    assert!(block_on(ledger.send_to_user(&user("7"), release)).is_err());
}
