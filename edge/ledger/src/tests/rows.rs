//! How many commands and rows an upload costs, from its admission until it is forgotten, and what of it survives
//! a restart. A deleted row, a set alarm and a deleted ledger are counted as rows; new tables are not.

use std::task::{Context, Waker};

use edge_registry::Registry;
use edge_types::{Subject, UploadLimits};
use futures_executor::block_on;

use super::{
    ADMIT, NOW_MS, PENDING, accepted, admit, commit, grant, image, inspect, ledger, objects, send,
    send_to_owner, store, upload, user, wait,
};
use crate::{
    AdmitUpload, ClaimImage, CommitOutcome, CommitUpload, CountRequest, Disposition, LedgerClient,
    ReleaseUpload, RemoveImage, StoredImage, UploadPhase, service::new_image, testing::FakeLedger,
};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Lets the time pass, and runs each alarm at its time.
fn pass(ledger: &FakeLedger, ms: u64) {
    for _ in 0..ms.div_ceil(MINUTE_MS) {
        wait(ledger, MINUTE_MS);
        block_on(ledger.run_alarms());
    }
}

fn costs(ledger: &FakeLedger) -> (u64, u64) {
    (ledger.commands.get(), ledger.rows_written())
}

#[test]
fn an_upload_costs_two_commands_and_six_rows_until_it_is_forgotten() {
    let ledger = ledger();
    // 100 bytes are reserved and 60 sent, as with multipart forms.
    accepted(upload(&ledger, 1, Disposition::Register).1);
    // The intent with the rate and the charge, its alarm, the account, the kept upload.
    assert_eq!(costs(&ledger), (2, 4));
    pass(&ledger, 2 * DAY_MS);
    // The alarm for the next day, and the ledger that is deleted with the upload.
    assert_eq!(costs(&ledger), (2, 6));
    assert!(inspect(&ledger).phases.is_empty());
}

#[test]
fn whatever_lies_between_uploads_none_costs_more_than_six_rows() {
    for gap_ms in [0, MINUTE_MS, 4 * MINUTE_MS, 5 * MINUTE_MS, 6 * MINUTE_MS, HOUR_MS, DAY_MS] {
        for is_restarted in [false, true] {
            let ledger = ledger();
            for content in 0..20 {
                let limits =
                    UploadLimits { rate_per_minute: 60, daily_count: 20, daily_bytes: 2000 };
                let grant = admit(&ledger, AdmitUpload { limits, ..ADMIT }).outcome;
                let key = store(&ledger, &grant.expect("admitted"), content);
                accepted(commit(&ledger, &key, content, Disposition::Register));
                pass(&ledger, gap_ms);
                if is_restarted {
                    ledger.restart();
                }
            }
            pass(&ledger, 3 * DAY_MS);
            let rows = ledger.rows_written();
            assert!(rows <= 6 * 20, "{rows} rows, {gap_ms} ms apart, {is_restarted}");
            // Uploads at the same time share the alarms and the deletion.
            assert!(gap_ms > 0 || rows == 3 * 20 + 3, "{rows}");
            assert!(inspect(&ledger).phases.is_empty(), "all are forgotten");
        }
    }
}

#[test]
fn a_pending_upload_costs_nine_rows_and_one_more_when_it_expires() {
    for (is_claimed, rows) in [(true, 9), (false, 10)] {
        let ledger = ledger();
        let (key, outcome) = upload(&ledger, 1, PENDING);
        accepted(outcome);
        assert_eq!(costs(&ledger), (2, 4));
        pass(&ledger, 10 * MINUTE_MS);
        if is_claimed {
            let (form_id, original_name) = (None, None);
            send_to_owner(
                &ledger,
                ClaimImage { form_id, original_name, ..ClaimImage::new(key, user("ann")) },
            );
        }
        pass(&ledger, 2 * DAY_MS);
        // Five when its lease is over. Claimed: the claim, the kept upload, the alarm for the next day, the ledger
        // that is deleted. Expired: the removal, its alarm, the upload that is deleted, and the same alarm and deletion.
        assert_eq!(costs(&ledger).1, rows, "{is_claimed}");
        assert!(inspect(&ledger).phases.is_empty());
    }
}

#[test]
fn an_upload_that_fails_costs_three_rows_two_alarms_and_the_deletion() {
    let ledger = ledger();
    let upload_key = grant(&ledger).upload_key;
    send_to_owner(&ledger, ReleaseUpload { upload_key, may_be_stored: false });
    pass(&ledger, DAY_MS);
    assert_eq!(costs(&ledger), (2, 6));
}

#[test]
fn a_ledger_that_is_used_all_day_sets_one_alarm_a_day_for_its_deletion() {
    let ledger = ledger();
    let client_ip = Subject::parse("ip:198.51.100.7").expect("a subject");
    for _ in 0..3 * 24 * 60 {
        send(&ledger, &client_ip, CountRequest { rate_per_minute: 5 });
        pass(&ledger, MINUTE_MS);
    }
    // Set by the first request, and again by each alarm, which runs a day after the request that was the last one then.
    assert_eq!(ledger.rows_written(), 3 * 24 * 60 + 4);
    pass(&ledger, DAY_MS);
    assert_eq!(ledger.rows_written(), 3 * 24 * 60 + 6, "set once more, and deleted");
}

#[test]
fn what_open_uploads_have_taken_of_the_limits_survives_a_restart() {
    let ledger = ledger();
    upload(&ledger, 1, Disposition::Register);
    let open = grant(&ledger);
    let before = inspect(&ledger).limit_statuses;
    assert_eq!((before.rate.remaining, before.daily_count.remaining), (3, 2));
    assert_eq!(before.daily_bytes.remaining, 1000 - 60 - 100);
    ledger.restart();
    assert_eq!(inspect(&ledger).limit_statuses, before);
    // The token stays spent and the charge is given back.
    send_to_owner(&ledger, ReleaseUpload { upload_key: open.upload_key, may_be_stored: false });
    ledger.restart();
    let after = inspect(&ledger).limit_statuses;
    assert_eq!((after.rate.remaining, after.daily_count.remaining), (3, 3));
    assert_eq!(after.daily_bytes.remaining, 1000 - 60);
    // What is committed after the restart counts once.
    let grant = grant(&ledger);
    ledger.restart();
    let key = store(&ledger, &grant, 2);
    accepted(commit(&ledger, &key, 2, Disposition::Register));
    ledger.restart();
    let after = inspect(&ledger).limit_statuses;
    assert_eq!((after.rate.remaining, after.daily_count.remaining), (2, 2));
    assert_eq!(after.daily_bytes.remaining, 1000 - 120);
}

#[test]
fn the_same_bytes_are_recognised_after_a_restart() {
    let ledger = ledger();
    let (kept, _) = upload(&ledger, 1, Disposition::Register);
    let (pending, _) = upload(&ledger, 2, PENDING);
    for (content, first, disposition) in [(1, kept, Disposition::Register), (2, pending, PENDING)] {
        ledger.restart();
        let CommitOutcome::Same(receipt) = upload(&ledger, content, disposition).1 else {
            panic!("the same bytes")
        };
        assert_eq!(receipt.image.key, first);
    }
}

#[test]
fn what_was_being_registered_at_a_restart_is_sent_again_and_leaves_nothing() {
    let ledger = ledger();
    let key = store(&ledger, &grant(&ledger), 1);
    let owner = user("7");
    let stored = image(&key, "1", NOW_MS);
    let command =
        CommitUpload { image: stored.clone(), disposition: Disposition::Register, waits: false };
    // The registry writes the row, and the ledger restarts before it hears of it.
    ledger.deps.registry.slow.set(1);
    let mut commit = Box::pin(ledger.send_to_user(&owner, command));
    let mut context = Context::from_waker(Waker::noop());
    assert!(commit.as_mut().poll(&mut context).is_pending());
    assert_eq!(inspect(&ledger).phases[0].phase, UploadPhase::Registering);
    drop(commit);
    ledger.deps.registry.slow.set(0);
    block_on(ledger.deps.registry.add(new_image(&stored, &owner))).expect("added");
    ledger.restart();
    assert_eq!(inspect(&ledger).phases[0].phase, UploadPhase::Intent);
    // The client got no response and sends again. The new upload does not wait for the interrupted one.
    let (again, outcome) = upload(&ledger, 1, Disposition::Register);
    accepted(outcome);
    assert_eq!(ledger.deps.slept_ms.get(), 0);
    pass(&ledger, 10 * MINUTE_MS);
    assert_eq!(objects(&ledger), [again.as_str()]);
    assert_eq!(ledger.deps.registry.keys(), [again.as_str()]);
    assert_eq!(inspect(&ledger).limit_statuses.daily_count.remaining, 3);
}

#[test]
fn a_removed_upload_is_not_found_by_its_bytes_and_its_neighbour_is() {
    let ledger = ledger();
    let keys = ["f-1", "f-2"].map(|form_id| {
        let key = store(&ledger, &grant(&ledger), 1);
        let form_id = Some(form_id.to_owned());
        let image = StoredImage { form_id, ..image(&key, "1", NOW_MS) };
        let disposition = Disposition::Register;
        accepted(send_to_owner(&ledger, CommitUpload { image, disposition, waits: false }));
        key
    });
    send_to_owner(&ledger, RemoveImage::new(keys[0].clone()));
    let send = |form_id: &str| {
        let key = store(&ledger, &grant(&ledger), 1);
        let form_id = Some(form_id.to_owned());
        let image = StoredImage { form_id, ..image(&key, "1", NOW_MS) };
        send_to_owner(
            &ledger,
            CommitUpload { image, disposition: Disposition::Register, waits: false },
        )
    };
    // All four were admitted in the same millisecond.
    assert!(matches!(send("f-2"), CommitOutcome::Same(same) if same.image.key == keys[1]));
    assert!(matches!(send("f-1"), CommitOutcome::Accepted(_)));
}
