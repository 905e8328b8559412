//! Commands and their replies, through the client and as JSON, with a clock that stands still.

mod derivations;
mod erasure;
mod events;
mod places;
mod removal;
mod rest;
mod review;
mod rows;
mod state_machine;
mod uploads;
mod waits;

use edge_storage::{NewObject, ObjectKey, ObjectMetadata, ObjectStore, UploadKey};
use edge_types::{LimitStatus, Subject, UploadLimits, UserId};
use futures_executor::block_on;
use image_rules::Format;

use crate::{
    AbuseKind, AccountSnapshot, AdmitUpload, Ban, CommitOutcome, CommitUpload, CountRequest,
    Disposition, GetAbuseStatus, Inspect, LedgerClient, LedgerCommand, LedgerError, LimitExceeded,
    LimitKind, LookUpUploads, Receipt, RemoveImage, SpendChallenge, SpentTicket, StoredImage,
    Strike, Unban, UploadAdmission, UploadGrant, UploadPhase, testing::FakeLedger,
};

const NOW_MS: u64 = 1_763_114_400_000;
const LIMITS: UploadLimits = UploadLimits { rate_per_minute: 5, daily_count: 4, daily_bytes: 1000 };
const ADMIT: AdmitUpload = AdmitUpload { limits: LIMITS, bytes: 100, lease_s: 300, ticket: None };
const PENDING: Disposition = Disposition::Pending { for_s: 3600 };

/// The image that these bytes are stored as.
fn image(key: &ObjectKey, sha256: &str, stored_ms: u64) -> StoredImage {
    StoredImage {
        key: key.clone(),
        sha256: sha256.to_owned(),
        format: Format::Png,
        width: 3,
        height: 2,
        size_bytes: 1,
        original_size_bytes: 60,
        original_name: Some("고양이.png".to_owned()),
        form_id: Some("f-1".to_owned()),
        is_counted: false,
        is_held: false,
        placeholder: "AA==".to_owned(),
        removed: vec!["gps".to_owned()],
        stored_ms,
    }
}

fn user(id: &str) -> UserId {
    UserId::parse(id).expect("valid")
}

fn ledger() -> FakeLedger {
    let ledger = FakeLedger::default();
    ledger.deps.clock_ms.set(NOW_MS);
    ledger
}

fn wait(ledger: &FakeLedger, ms: u64) {
    ledger.deps.clock_ms.set(ledger.deps.clock_ms.get() + ms);
}

fn send<C: LedgerCommand>(ledger: &FakeLedger, subject: &Subject, command: C) -> C::Reply {
    block_on(ledger.send(subject, command)).expect("a reply")
}

/// Sends a command to the ledger of user 7, who owns all uploads of these tests.
fn send_to_owner<C: LedgerCommand>(ledger: &FakeLedger, command: C) -> C::Reply {
    block_on(ledger.send_to_user(&user("7"), command)).expect("a reply")
}

fn inspect(ledger: &FakeLedger) -> AccountSnapshot {
    send_to_owner(ledger, Inspect { limits: LIMITS })
}

fn admit(ledger: &FakeLedger, command: AdmitUpload) -> UploadAdmission {
    send_to_owner(ledger, command)
}

fn grant(ledger: &FakeLedger) -> UploadGrant {
    admit(ledger, ADMIT).outcome.expect("admitted")
}

/// Stores an object of these bytes under the grant.
fn store(ledger: &FakeLedger, grant: &UploadGrant, content: u8) -> ObjectKey {
    let key = grant.upload_key.object_key(Format::Png).expect("a key");
    let (bytes, sha256, metadata) = (vec![content], [content; 32], ObjectMetadata::default());
    let object = NewObject { key: &key, bytes, format: Format::Png, sha256, metadata };
    block_on(ledger.deps.store.put(object)).expect("stored");
    key
}

fn commit(
    ledger: &FakeLedger,
    key: &ObjectKey,
    content: u8,
    disposition: Disposition,
) -> CommitOutcome {
    let image = image(key, &content.to_string(), ledger.deps.clock_ms.get());
    send_to_owner(ledger, CommitUpload { image, disposition, waits: false })
}

fn upload(
    ledger: &FakeLedger,
    content: u8,
    disposition: Disposition,
) -> (ObjectKey, CommitOutcome) {
    let grant = grant(ledger);
    let key = store(ledger, &grant, content);
    let outcome = commit(ledger, &key, content, disposition);
    (key, outcome)
}

fn accepted(outcome: CommitOutcome) -> Receipt {
    match outcome {
        CommitOutcome::Accepted(receipt) => *receipt,
        other => panic!("not accepted: {other:?}"),
    }
}

fn objects(ledger: &FakeLedger) -> Vec<String> {
    ledger.deps.store.objects.borrow().keys().cloned().collect()
}

/// Lets the time pass in ten steps and runs the alarms after each.
fn run_alarms_for(ledger: &FakeLedger, ms: u64) {
    for _ in 0..10 {
        wait(ledger, ms / 10);
        block_on(ledger.run_alarms());
    }
}

#[test]
fn limits_are_reported_correctly_and_end_when_they_say() {
    let ledger = ledger();
    let first = admit(&ledger, ADMIT).limit_statuses;
    assert_eq!(first.rate, LimitStatus { quota: 5, window_s: 60, remaining: 4, reset_s: 12 });
    assert_eq!(first.daily_count.remaining, 3);
    assert_eq!(first.daily_bytes.remaining, 900);
    for _ in 0..3 {
        assert!(admit(&ledger, ADMIT).outcome.is_ok());
    }
    let refused = admit(&ledger, ADMIT);
    // 2025-11-14, 10:00 UTC: fourteen hours to midnight.
    let expected = LimitExceeded { kind: LimitKind::DailyCount, retry_after_s: 14 * 3600 };
    assert_eq!(refused.outcome, Err(expected));
    assert_eq!(refused.limit_statuses.rate.remaining, 1, "a refused upload costs no token");

    let more = AdmitUpload { limits: UploadLimits { daily_count: 100, ..LIMITS }, ..ADMIT };
    assert!(admit(&ledger, more.clone()).outcome.is_ok());
    let exceeded = LimitExceeded { kind: LimitKind::Rate, retry_after_s: 12 };
    assert_eq!(admit(&ledger, more.clone()).outcome, Err(exceeded));
    wait(&ledger, 11_999);
    assert_eq!(admit(&ledger, more.clone()).outcome.expect_err("early").retry_after_s, 1);
    wait(&ledger, 1);
    let large = AdmitUpload { bytes: 501, ..more.clone() };
    assert_eq!(admit(&ledger, large).outcome.expect_err("too much").kind, LimitKind::DailyBytes);
    assert!(admit(&ledger, AdmitUpload { bytes: 500, ..more }).outcome.is_ok());
}

#[test]
fn a_ticket_is_spent_once_and_not_by_who_is_refused() {
    let ledger = ledger();
    let ticket = Some(SpentTicket { id: "t-1".to_owned(), expires_ms: NOW_MS + 60_000 });
    let with = |limits| AdmitUpload { limits, ticket: ticket.clone(), ..ADMIT };
    let too_low = UploadLimits { daily_bytes: 1, ..LIMITS };
    assert!(admit(&ledger, with(too_low)).outcome.is_err());
    assert!(admit(&ledger, with(LIMITS)).outcome.is_ok());
    let refused = admit(&ledger, with(LIMITS));
    assert_eq!(refused.outcome.expect_err("spent").kind, LimitKind::TicketSpent);
    assert_eq!(refused.limit_statuses.daily_count.remaining, 3);
    wait(&ledger, 60_000);
    let expired = admit(&ledger, with(LIMITS)).outcome.expect_err("late");
    assert_eq!(expired.kind, LimitKind::TicketExpired);
}

#[test]
fn a_challenge_is_spent_once_and_not_when_it_has_expired() {
    let ledger = ledger();
    let subject = Subject::Network("203.0.113.0/24".to_owned());
    let spend = |id: &str, expires_ms| {
        let challenge = SpentTicket { id: id.to_owned(), expires_ms };
        send(&ledger, &subject, SpendChallenge { challenge })
    };
    let expires_ms = NOW_MS + 120_000;
    assert!(spend("c-1", expires_ms));
    assert!(!spend("c-1", expires_ms));
    assert!(spend("c-2", expires_ms));
    wait(&ledger, 120_000);
    assert!(!spend("c-1", expires_ms), "the ledger has forgotten that it was spent");
    assert!(!spend("c-3", NOW_MS + 120_000));
    assert!(spend("c-3", NOW_MS + 120_001));
}

#[test]
fn strikes_ban_and_the_registry_gets_the_event_once_it_works() {
    let ledger = ledger();
    let subject = Subject::ClientIp("192.0.2.7".to_owned());
    let count_request = || send(&ledger, &subject, CountRequest { rate_per_minute: 120 });
    assert_eq!(count_request().rate.remaining, 119);
    ledger.deps.registry.broken.set(true);
    for incident in ["a", "a", "b", "c"] {
        let strike = Strike {
            kind: AbuseKind::ForgedToken,
            fingerprint: incident.to_owned(),
            strikes_to_ban: 3,
            ban_s: 3600,
        };
        let status = send(&ledger, &subject, strike);
        assert_eq!(status.newly_banned, incident == "c");
        let seen = send(&ledger, &subject, GetAbuseStatus);
        assert_eq!((seen.banned_until_ms, seen.strikes), (status.banned_until_ms, status.strikes));
    }
    let exceeded = LimitExceeded { kind: LimitKind::Ban, retry_after_s: 3600 };
    assert_eq!(count_request().exceeded, Some(exceeded));
    block_on(ledger.run_alarms());
    ledger.deps.registry.broken.set(false);
    run_alarms_for(&ledger, 60_000);
    let events = ledger.deps.registry.events.borrow().clone();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].kind.as_str(), events[0].reason.as_str()), ("ban", "forged_token"));
    assert_eq!(events[0].subject, "ip:192.0.2.7");
    assert_eq!(events[0].until_ms, Some(NOW_MS + 3_600_000));
}

#[test]
fn an_administrator_bans_and_unbans() {
    let ledger = ledger();
    let (until_ms, reason, by) = (NOW_MS + 1, "spam".to_owned(), "root".to_owned());
    let status = send_to_owner(&ledger, Ban { until_ms, reason, by });
    assert_eq!(status.banned_until_ms, Some(until_ms));
    let exceeded = LimitExceeded { kind: LimitKind::Ban, retry_after_s: 1 };
    assert_eq!(admit(&ledger, ADMIT).outcome, Err(exceeded));
    send_to_owner(&ledger, Unban { by: "root".to_owned() });
    assert!(admit(&ledger, ADMIT).outcome.is_ok());
    block_on(ledger.run_alarms());
    let events = ledger.deps.registry.events.borrow();
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["ban", "lift"]);
}

#[test]
fn a_ledger_accepts_commands_for_its_own_keys_only() {
    let ledger = ledger();
    let key = UploadKey::new(&user("8"), NOW_MS, [0; 16]).object_key(Format::Png).expect("a key");
    let removal = block_on(ledger.send_to_user(&user("7"), RemoveImage::new(key)));
    assert!(matches!(removal, Err(LedgerError::Unreachable(_))), "{removal:?}");
    let client_ip = Subject::ClientIp("192.0.2.7".to_owned());
    assert!(block_on(ledger.send(&client_ip, ADMIT)).is_err());
    ledger.broken.set(true);
    assert!(block_on(ledger.send_to_user(&user("7"), ADMIT)).is_err(), "it fails closed");
}

#[test]
fn the_sweep_sees_which_uploads_the_ledger_has() {
    let ledger = ledger();
    let in_flight = grant(&ledger).upload_key;
    let (pending, _) = upload(&ledger, 1, PENDING);
    let other_format = UploadKey::of(&pending).object_key(Format::Gif).expect("a key").to_string();
    let keys = [
        in_flight.object_key(Format::WebP).expect("a key").to_string(),
        pending.to_string(),
        other_format,
        "readiness".to_owned(),
    ];
    let known = send_to_owner(&ledger, LookUpUploads { keys: keys.to_vec() });
    let seen: Vec<_> = known.iter().map(|it| (it.key.as_str(), it.phase)).collect();
    let expected =
        [(keys[0].as_str(), UploadPhase::Intent), (keys[1].as_str(), UploadPhase::Pending)];
    assert_eq!(seen, expected);
}

#[test]
fn of_many_exactly_as_many_pass_as_may() {
    let ledger = ledger();
    let limits = UploadLimits { rate_per_minute: 100_000, daily_count: 100, daily_bytes: 1 << 40 };
    let many = (0..1000).map(|_| admit(&ledger, AdmitUpload { limits, ..ADMIT }));
    let refused: Vec<_> = many.filter_map(|admission| admission.outcome.err()).collect();
    assert_eq!(refused.len(), 900);
    assert!(refused.iter().all(|exceeded| exceeded.kind == LimitKind::DailyCount));
}
