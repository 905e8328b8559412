//! What an account answers, through the port and as JSON, with a clock that stands still.

mod leaving;
mod uploads;
mod waits;

use futures_executor::block_on;
use image_rules::Format;

use super::{
    Account, Ledger, LedgerFault,
    memory::MemoryLedger,
    message::{
        Admission, Admit, Ban, Barrier, Commit, Commitment, Disposition, Enter, Gauge, Leave,
        Offence, Phase, Question, Receipt, Record, Refused, Strike, Terms, Ticket,
    },
};
use crate::{
    auth::UserId,
    storage::{NewObject, ObjectKey, ObjectMetadata, ObjectStore, Stem},
};

const NOW_MS: u64 = 1_763_114_400_000;
const TERMS: Terms = Terms { rate_per_minute: 5, daily_count: 4, daily_bytes: 1000 };
const ADMIT: Admit = Admit { terms: TERMS, bytes: 100, lease_s: 300, ticket: None };
const PENDING: Disposition = Disposition::Pending { for_s: 3600 };

/// What a picture of these bytes would be recorded as.
pub fn record(key: &ObjectKey, sha256: &str, stored_ms: u64) -> Record {
    Record {
        key: key.clone(),
        sha256: sha256.to_owned(),
        format: Format::Png,
        width: 3,
        height: 2,
        size_bytes: 1,
        original_size_bytes: 60,
        original_name: Some("고양이.png".to_owned()),
        form_id: Some("f-1".to_owned()),
        placeholder: "AA==".to_owned(),
        removed: vec!["gps".to_owned()],
        stored_ms,
    }
}

fn user(id: &str) -> UserId {
    UserId::parse(id).expect("valid")
}

fn ledger() -> MemoryLedger {
    let ledger = MemoryLedger::default();
    ledger.reach.clock_ms.set(NOW_MS);
    ledger
}

fn wait(ledger: &MemoryLedger, ms: u64) {
    ledger.reach.clock_ms.set(ledger.reach.clock_ms.get() + ms);
}

fn admit(ledger: &MemoryLedger, admit: Admit) -> Admission {
    block_on(ledger.admit(&user("7"), admit)).expect("answers")
}

fn leave(ledger: &MemoryLedger) -> Leave {
    admit(ledger, ADMIT).outcome.expect("admitted")
}

/// Stores an object of these bytes under the leave.
fn store(ledger: &MemoryLedger, leave: &Leave, content: u8) -> ObjectKey {
    let key = leave.stem.key(Format::Png).expect("a key");
    let (bytes, sha256, metadata) = (vec![content], [content; 32], ObjectMetadata::default());
    let object = NewObject { key: &key, bytes, format: Format::Png, sha256, metadata };
    block_on(ledger.reach.store.put(object)).expect("stored");
    key
}

fn commit(ledger: &MemoryLedger, key: &ObjectKey, content: u8, what: Disposition) -> Commitment {
    let record = record(key, &content.to_string(), ledger.reach.clock_ms.get());
    let commit = Commit { record, disposition: what };
    block_on(ledger.commit(&user("7"), commit)).expect("answers")
}

fn upload(ledger: &MemoryLedger, content: u8, what: Disposition) -> (ObjectKey, Commitment) {
    let leave = leave(ledger);
    let key = store(ledger, &leave, content);
    let commitment = commit(ledger, &key, content, what);
    (key, commitment)
}

fn accepted(commitment: Commitment) -> Receipt {
    match commitment {
        Commitment::Accepted(receipt) => *receipt,
        other => panic!("not accepted: {other:?}"),
    }
}

fn objects(ledger: &MemoryLedger) -> Vec<String> {
    ledger.reach.store.objects.borrow().keys().cloned().collect()
}

/// Lets the alarm ring until nothing is left that is due within the time.
fn ring_for(ledger: &MemoryLedger, ms: u64) {
    for _ in 0..10 {
        wait(ledger, ms / 10);
        block_on(ledger.ring());
    }
}

#[test]
fn limits_are_told_truly_and_end_where_they_say() {
    let ledger = ledger();
    let first = admit(&ledger, ADMIT).gauges;
    assert_eq!(first.rate, Gauge { quota: 5, window_s: 60, remaining: 4, reset_s: 12 });
    assert_eq!(first.daily_count.remaining, 3);
    assert_eq!(first.daily_bytes.remaining, 900);
    for _ in 0..3 {
        assert!(admit(&ledger, ADMIT).outcome.is_ok());
    }
    let refused = admit(&ledger, ADMIT);
    // 2025-11-14, 10:00 UTC: fourteen hours to midnight.
    let expected = Refused { by: Barrier::DailyCount, retry_after_s: 14 * 3600 };
    assert_eq!(refused.outcome, Err(expected));
    assert_eq!(refused.gauges.rate.remaining, 1, "who is refused keeps the token");

    let more = Admit { terms: Terms { daily_count: 100, ..TERMS }, ..ADMIT };
    assert!(admit(&ledger, more.clone()).outcome.is_ok());
    let refused = Refused { by: Barrier::Rate, retry_after_s: 12 };
    assert_eq!(admit(&ledger, more.clone()).outcome, Err(refused));
    wait(&ledger, 11_999);
    assert_eq!(admit(&ledger, more.clone()).outcome.expect_err("early").retry_after_s, 1);
    wait(&ledger, 1);
    let large = Admit { bytes: 501, ..more.clone() };
    assert_eq!(admit(&ledger, large).outcome.expect_err("too much").by, Barrier::DailyBytes);
    assert!(admit(&ledger, Admit { bytes: 500, ..more }).outcome.is_ok());
}

#[test]
fn a_ticket_is_spent_once_and_not_by_who_is_refused() {
    let ledger = ledger();
    let ticket = Some(Ticket { id: "t-1".to_owned(), expires_ms: NOW_MS + 60_000 });
    let with = |terms| Admit { terms, ticket: ticket.clone(), ..ADMIT };
    let nothing = Terms { daily_bytes: 1, ..TERMS };
    assert!(admit(&ledger, with(nothing)).outcome.is_err());
    assert!(admit(&ledger, with(TERMS)).outcome.is_ok());
    let refused = admit(&ledger, with(TERMS));
    assert_eq!(refused.outcome.expect_err("spent").by, Barrier::TicketSpent);
    assert_eq!(refused.gauges.daily_count.remaining, 3);
    wait(&ledger, 60_000);
    assert_eq!(admit(&ledger, with(TERMS)).outcome.expect_err("late").by, Barrier::TicketExpired);
}

#[test]
fn strikes_ban_and_the_registry_hears_of_it_once_it_can() {
    let ledger = ledger();
    let account = Account::Address("192.0.2.7".to_owned());
    let enter = || block_on(ledger.enter(&account, Enter { rate_per_minute: 120 }));
    assert_eq!(enter().expect("answers").rate.remaining, 119);
    ledger.reach.registry.broken.set(true);
    for deed in ["a", "a", "b", "c"] {
        let strike = Strike {
            reason: Offence::ForgedToken,
            fingerprint: deed.to_owned(),
            strikes_to_ban: 3,
            ban_s: 3600,
        };
        let standing = block_on(ledger.strike(&account, strike)).expect("answers");
        assert_eq!(standing.newly_banned, deed == "c");
        let told = block_on(ledger.standing(&account)).expect("answers");
        assert_eq!(
            (told.banned_until_ms, told.strikes),
            (standing.banned_until_ms, standing.strikes)
        );
    }
    let refused = Refused { by: Barrier::Ban, retry_after_s: 3600 };
    assert_eq!(enter().expect("answers").refused, Some(refused));
    block_on(ledger.ring());
    ledger.reach.registry.broken.set(false);
    ring_for(&ledger, 60_000);
    let events = ledger.reach.registry.events.borrow().clone();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].kind.as_str(), events[0].reason.as_str()), ("ban", "forged_token"));
    assert_eq!(events[0].subject, "ip:192.0.2.7");
    assert_eq!(events[0].until_ms, Some(NOW_MS + 3_600_000));
}

#[test]
fn an_administrator_bans_and_lifts() {
    let ledger = ledger();
    let account = Account::User(user("7"));
    let (until_ms, reason, by) = (NOW_MS + 1, "spam".to_owned(), "root".to_owned());
    let standing = block_on(ledger.ban(&account, Ban { until_ms, reason, by })).expect("answers");
    assert_eq!(standing.banned_until_ms, Some(until_ms));
    let refused = Refused { by: Barrier::Ban, retry_after_s: 1 };
    assert_eq!(admit(&ledger, ADMIT).outcome, Err(refused));
    block_on(ledger.lift(&account, "root".to_owned())).expect("answers");
    assert!(admit(&ledger, ADMIT).outcome.is_ok());
    block_on(ledger.ring());
    let events = ledger.reach.registry.events.borrow();
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["ban", "lift"]);
}

#[test]
fn an_account_answers_for_its_own_keys_only() {
    let ledger = ledger();
    let key = Stem::new(&user("8"), NOW_MS, [0; 16]).key(Format::Png).expect("a key");
    let removal = block_on(ledger.remove(&user("7"), key.clone()));
    assert!(matches!(removal, Err(LedgerFault::Unreachable(_))), "{removal:?}");
    let address = Account::Address("192.0.2.7".to_owned());
    assert!(block_on(ledger.ask(&address, Question::Admit(ADMIT))).is_err());
    ledger.broken.set(true);
    assert!(block_on(ledger.admit(&user("7"), ADMIT)).is_err(), "it fails closed");
}

#[test]
fn the_sweep_is_told_what_is_in_the_ledgers_hands() {
    let ledger = ledger();
    let flying = leave(&ledger).stem;
    let (pending, _) = upload(&ledger, 1, PENDING);
    let other_format = Stem::of(&pending).key(Format::Gif).expect("a key").to_string();
    let asked = [
        flying.key(Format::WebP).expect("a key").to_string(),
        pending.to_string(),
        other_format,
        "readiness".to_owned(),
    ];
    let known = block_on(ledger.knows(&user("7"), asked.to_vec())).expect("answers");
    let told: Vec<_> = known.iter().map(|it| (it.key.as_str(), it.state)).collect();
    assert_eq!(told, [(asked[0].as_str(), Phase::Intent), (asked[1].as_str(), Phase::Pending)]);
}

#[test]
fn of_many_exactly_as_many_pass_as_may() {
    let ledger = ledger();
    let terms = Terms { rate_per_minute: 100_000, daily_count: 100, daily_bytes: 1 << 40 };
    let many = (0..1000).map(|_| admit(&ledger, Admit { terms, ..ADMIT }));
    let refused: Vec<_> = many.filter_map(|admission| admission.outcome.err()).collect();
    assert_eq!(refused.len(), 900);
    assert!(refused.iter().all(|refused| refused.by == Barrier::DailyCount));
}
