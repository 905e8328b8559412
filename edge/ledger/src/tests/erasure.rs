//! The erasure of a user: what is refused meanwhile, what is removed, and what is left.

use edge_storage::UploadKey;
use edge_types::UserId;
use futures_executor::block_on;

use super::{
    ADMIT, LIMITS, NOW_MS, PENDING, accepted, admit, commit, grant, inspect, ledger, objects,
    run_alarms_for, send_to_owner, store, upload, user,
};
use crate::{
    Ban, ChargeQuota, ClaimImage, ClaimOutcome, CommitOutcome, Disposition, EraseUser,
    LedgerClient, LimitKind, ListOpenUploads, LookUpUploads, SpentTicket, UploadPhase,
    testing::FakeLedger,
};

const PSEUDONYM: &str = "erased:0123";

fn begin(ledger: &FakeLedger) -> u32 {
    send_to_owner(ledger, EraseUser::Begin)
}

fn forget(ledger: &FakeLedger) {
    send_to_owner(ledger, EraseUser::Forget { subject: PSEUDONYM.to_owned() });
}

fn claim(ledger: &FakeLedger, key: &edge_storage::ObjectKey, claimant: &UserId) -> ClaimOutcome {
    send_to_owner(ledger, ClaimImage::new(key.clone(), claimant.clone()))
}

#[test]
fn nothing_is_admitted_from_the_beginning_to_the_end_also_after_a_restart() {
    let ledger = ledger();
    assert_eq!(begin(&ledger), 0);
    ledger.restart();
    let refused = admit(&ledger, ADMIT).outcome.expect_err("refused");
    assert_eq!(refused.kind, LimitKind::Erasing);
    let charge = ChargeQuota { limits: LIMITS, bytes: 1 };
    let refused = send_to_owner(&ledger, charge).expect_err("a claim is refused too");
    assert_eq!(refused.kind, LimitKind::Erasing);
    forget(&ledger);
    assert!(admit(&ledger, ADMIT).outcome.is_err(), "the user may have a token still");
    assert_eq!(send_to_owner(&ledger, EraseUser::End), 0);
    assert!(admit(&ledger, ADMIT).outcome.is_ok());
}

#[test]
fn pending_uploads_are_removed_and_uploads_in_flight_are_not_committed() {
    let ledger = ledger();
    let (pending, _) = upload(&ledger, 1, PENDING);
    let flying = grant(&ledger);
    let late = store(&ledger, &flying, 2);
    assert_eq!(begin(&ledger), 1, "the pending one");
    assert_eq!(claim(&ledger, &pending, &user("ann")), ClaimOutcome::NotFound);
    let outcome = commit(&ledger, &late, 2, Disposition::Register);
    assert_eq!(outcome, CommitOutcome::Lapsed);
    block_on(ledger.run_alarms());
    assert_eq!(begin(&ledger), 0);
    run_alarms_for(&ledger, 600_000);
    assert!(objects(&ledger).is_empty());
    assert!(ledger.deps.registry.keys().is_empty());
    assert!(send_to_owner(&ledger, ListOpenUploads).is_empty());
}

#[test]
fn what_the_store_did_not_remove_is_counted_until_it_has() {
    let ledger = ledger();
    upload(&ledger, 1, PENDING);
    ledger.deps.store.broken.set(true);
    begin(&ledger);
    block_on(ledger.run_alarms());
    assert_eq!(begin(&ledger), 1);
    ledger.deps.store.broken.set(false);
    run_alarms_for(&ledger, 60_000);
    assert_eq!(begin(&ledger), 0);
    assert!(objects(&ledger).is_empty());
}

#[test]
fn an_image_that_another_user_has_or_is_claiming_stays() {
    let ledger = ledger();
    let (claimed, _) = upload(&ledger, 1, PENDING);
    assert!(matches!(claim(&ledger, &claimed, &user("ann")), ClaimOutcome::Claimed(_)));
    let (claiming, _) = upload(&ledger, 2, PENDING);
    ledger.deps.registry.broken.set(true);
    let outcome = claim(&ledger, &claiming, &user("ann"));
    assert!(matches!(outcome, ClaimOutcome::Unregistered { .. }), "{outcome:?}");
    ledger.deps.registry.broken.set(false);
    assert_eq!(begin(&ledger), 0);
    forget(&ledger);
    assert!(matches!(claim(&ledger, &claiming, &user("ann")), ClaimOutcome::Claimed(_)));
    run_alarms_for(&ledger, 7_200_000);
    assert_eq!(objects(&ledger).len(), 2);
}

#[test]
fn only_a_ban_is_left_and_events_name_the_pseudonym() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    let ticket = SpentTicket { id: "t-1".to_owned(), expires_ms: NOW_MS + 60_000 };
    admit(&ledger, crate::AdmitUpload { ticket: Some(ticket.clone()), ..ADMIT });
    let until_ms = NOW_MS + 3_600_000;
    send_to_owner(&ledger, Ban { until_ms, reason: "spam".to_owned(), by: "boss".to_owned() });
    begin(&ledger);
    forget(&ledger);
    forget(&ledger);
    block_on(ledger.run_alarms());
    let events = ledger.deps.registry.events.borrow().clone();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].subject, PSEUDONYM);
    let snapshot = inspect(&ledger);
    assert_eq!(snapshot.abuse_status.banned_until_ms, Some(until_ms));
    assert_eq!(snapshot.limit_statuses.daily_count.remaining, u64::from(LIMITS.daily_count));
    let keys = vec![UploadKey::of(&key).to_string()];
    let known = send_to_owner(&ledger, LookUpUploads { keys });
    assert!(known.iter().all(|upload| upload.phase == UploadPhase::Removing), "{known:?}");
    send_to_owner(&ledger, EraseUser::End);
    assert_eq!(
        inspect(&ledger).abuse_status,
        crate::AbuseStatus::default(),
        "it is kept elsewhere"
    );
    run_alarms_for(&ledger, 600_000);
    assert_eq!(ledger.names(), [""; 0], "nothing is left under the name of the user");
}

#[test]
fn the_erasure_of_another_user_does_not_matter() {
    let ledger = ledger();
    let sent = block_on(ledger.send_to_user(&user("8"), EraseUser::Begin)).expect("a reply");
    assert_eq!(sent, 0);
    let (_, outcome) = upload(&ledger, 1, Disposition::Register);
    accepted(outcome);
}

#[test]
fn a_ledger_is_not_at_rest_while_its_user_is_being_erased() {
    let ledger = ledger();
    upload(&ledger, 1, Disposition::Register);
    begin(&ledger);
    forget(&ledger);
    run_alarms_for(&ledger, 7 * 86_400_000);
    assert!(admit(&ledger, ADMIT).outcome.is_err());
    send_to_owner(&ledger, EraseUser::End);
    run_alarms_for(&ledger, 7 * 86_400_000);
    assert!(admit(&ledger, ADMIT).outcome.is_ok());
}
