//! What an account answers, through the port and as JSON, with a clock that stands still.

use std::task::{Context, Waker};

use futures_executor::block_on;
use futures_util::future::join;
use image_rules::Format;
use proptest::prelude::*;

use super::{
    Account, Ledger, LedgerFault, desk,
    memory::MemoryLedger,
    message::{
        Admission, Admit, Ban, Barrier, Claim, Claimed, Commit, Commitment, Disposition, Enter,
        Gauge, Leave, Offence, Phase, Question, Receipt, Record, Refused, Release, Removal, Strike,
        Terms, Ticket,
    },
};
use crate::{
    auth::UserId,
    registry::Registry,
    storage::{NewObject, ObjectKey, ObjectStore, Stem},
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
    let (bytes, sha256) = (vec![content], [content; 32]);
    let object = NewObject { key: &key, bytes, format: Format::Png, sha256 };
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

fn claim(ledger: &MemoryLedger, key: &ObjectKey, by: &str) -> Claimed {
    let claim = Claim { key: key.clone(), by: user(by), form_id: None };
    block_on(ledger.claim(&user("7"), claim)).expect("answers")
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
fn an_upload_is_registered_once_and_its_real_size_counts() {
    let ledger = ledger();
    let (key, commitment) = upload(&ledger, 1, Disposition::Register);
    let receipt = accepted(commitment);
    assert_eq!(receipt.image_id.expect("registered").0, 1);
    assert_eq!(receipt.expires_ms, None);
    let rows = ledger.reach.registry.rows.borrow().clone();
    assert_eq!((rows[0].key.as_str(), rows[0].owner.as_str()), (key.as_str(), "7"));
    assert_eq!(rows[0].form_id.as_deref(), Some("f-1"));
    // The answer was lost, so it is asked for again.
    assert_eq!(accepted(commit(&ledger, &key, 1, Disposition::Register)), receipt);
    assert_eq!(ledger.reach.registry.keys().len(), 1);
    let sight = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers");
    assert_eq!(sight.gauges.daily_bytes.remaining, 940);
    assert_eq!((sight.states[0].state, sight.states[0].count), (Phase::Kept, 1));
    ring_for(&ledger, 3 * 86_400_000);
    assert_eq!(objects(&ledger), [key.as_str()]);
    assert_eq!(ledger.reach.registry.keys(), [key.as_str()]);
}

#[test]
fn the_same_bytes_are_the_same_picture_and_cost_nothing() {
    let ledger = ledger();
    let (first, _) = upload(&ledger, 1, Disposition::Register);
    let before = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers").gauges;
    let leave = leave(&ledger);
    let second = store(&ledger, &leave, 1);
    let Commitment::Same(receipt) = commit(&ledger, &second, 1, Disposition::Register) else {
        panic!("the same bytes")
    };
    assert_eq!(receipt.record.key, first);
    assert_eq!(receipt.image_id.expect("registered").0, 1);
    let after = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers").gauges;
    assert_eq!((after.daily_count, after.daily_bytes), (before.daily_count, before.daily_bytes));
    // The Worker died before it deleted the second object.
    ring_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [first.as_str()]);
    wait(&ledger, 86_400_000);
    assert!(matches!(upload(&ledger, 1, Disposition::Register).1, Commitment::Accepted(_)));
}

#[test]
fn the_same_bytes_at_the_same_time_wait_for_each_other() {
    let ledger = ledger();
    let keys = [1, 2].map(|_| store(&ledger, &leave(&ledger), 9));
    let [first, second] = keys
        .each_ref()
        .map(|key| Commit { record: record(key, "9", NOW_MS), disposition: Disposition::Register });
    let owner = user("7");
    ledger.reach.registry.slow.set(3);
    let (first, second) =
        block_on(join(ledger.commit(&owner, first), ledger.commit(&owner, second)));
    let receipt = accepted(first.expect("answers"));
    assert_eq!(second.expect("answers"), Commitment::Same(Box::new(receipt)));
    assert_eq!(ledger.reach.registry.keys(), [keys[0].as_str()]);
}

#[test]
fn what_comes_too_late_or_was_never_admitted_lapses() {
    let ledger = ledger();
    let late = leave(&ledger);
    let key = store(&ledger, &late, 1);
    wait(&ledger, 300_000);
    assert_eq!(late.until_ms, ledger.reach.clock_ms.get());
    assert_eq!(commit(&ledger, &key, 1, Disposition::Register), Commitment::Lapsed);
    let unknown = Stem::new(&user("7"), NOW_MS, [9; 16]).key(Format::Png).expect("a key");
    assert_eq!(commit(&ledger, &unknown, 1, Disposition::Register), Commitment::Lapsed);
    ring_for(&ledger, 600_000);
    assert!(objects(&ledger).is_empty());
    let gauges = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers").gauges;
    assert_eq!(gauges.daily_count.remaining, 4, "what came to nothing is given back");
}

#[test]
fn an_object_that_was_being_written_when_the_lease_ended_is_removed_too() {
    let ledger = ledger();
    let late = leave(&ledger);
    wait(&ledger, 300_000);
    for _ in 0..3 {
        block_on(ledger.ring());
    }
    // Its writing began within the lease, and then the Worker died.
    store(&ledger, &late, 1);
    ring_for(&ledger, 600_000);
    assert!(objects(&ledger).is_empty());
}

#[test]
fn a_row_that_arrives_after_its_picture_was_removed_is_removed_too() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, PENDING);
    ledger.reach.registry.slow.set(1);
    let (owner, claim) = (user("7"), Claim { key: key.clone(), by: user("ann"), form_id: None });
    let mut claim = Box::pin(ledger.claim(&owner, claim));
    let mut context = Context::from_waker(Waker::noop());
    assert!(claim.as_mut().poll(&mut context).is_pending());
    // The ledger dies while the row is on its way.
    drop(claim);
    ledger.reach.registry.slow.set(0);
    let removal = block_on(ledger.remove(&owner, key.clone())).expect("answers");
    assert_eq!(removal, Removal::Finished);
    let record = record(&key, "1", NOW_MS);
    block_on(ledger.reach.registry.add(desk::row(&record, &user("ann")))).expect("arrives");
    ring_for(&ledger, 600_000);
    assert!(ledger.reach.registry.keys().is_empty());
}

#[test]
fn while_the_store_is_down_nothing_is_tried_over_and_over() {
    let ledger = ledger();
    for content in 1..4 {
        upload(&ledger, content, PENDING);
    }
    wait(&ledger, 3_600_000);
    ledger.reach.store.broken.set(true);
    block_on(ledger.ring());
    let sight = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers");
    let now_ms = ledger.reach.clock_ms.get();
    assert_eq!(sight.latest.len(), 3);
    assert!(sight.latest.iter().all(|it| it.state == Phase::Removing && it.due_ms > now_ms));
}

#[test]
fn without_the_registry_nothing_is_kept_or_charged() {
    let ledger = ledger();
    // It adds the row and fails to say so: the worst that can happen.
    ledger.reach.registry.silent.set(true);
    let (_, commitment) = upload(&ledger, 1, Disposition::Register);
    assert_eq!(commitment, Commitment::Unregistered);
    assert_eq!(ledger.reach.registry.keys().len(), 1);
    ring_for(&ledger, 600_000);
    assert!(ledger.reach.registry.keys().is_empty());
    assert!(objects(&ledger).is_empty());
    let gauges = block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers").gauges;
    assert_eq!(gauges.daily_bytes.remaining, 1000);
}

#[test]
fn a_pending_picture_is_claimed_once_or_goes_away() {
    let ledger = ledger();
    let (claimed, commitment) = upload(&ledger, 1, PENDING);
    let receipt = accepted(commitment);
    assert_eq!((receipt.image_id, receipt.expires_ms), (None, Some(NOW_MS + 3_600_000)));
    let (forgotten, _) = upload(&ledger, 2, PENDING);
    assert!(ledger.reach.registry.keys().is_empty());

    let Claimed::Now(receipt) = claim(&ledger, &claimed, "ann") else { panic!("claimed") };
    assert_eq!(receipt.image_id.expect("registered").0, 1);
    assert_eq!(claim(&ledger, &claimed, "bob"), Claimed::AlreadyRegistered);
    assert_eq!(claim(&ledger, &claimed, "ann"), Claimed::AlreadyRegistered);
    assert_eq!(ledger.reach.registry.rows.borrow()[0].owner, "ann");

    wait(&ledger, 3_600_000);
    assert_eq!(claim(&ledger, &forgotten, "ann"), Claimed::NotFound);
    ring_for(&ledger, 60_000);
    assert_eq!(objects(&ledger), [claimed.as_str()]);
}

#[test]
fn who_sends_a_pending_picture_again_has_it_as_long_as_if_it_were_new() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, PENDING);
    wait(&ledger, 3_599_999);
    let Commitment::Same(receipt) = upload(&ledger, 1, PENDING).1 else { panic!("the same") };
    assert_eq!(receipt.record.key, key);
    assert_eq!(receipt.expires_ms, Some(NOW_MS + 3_599_999 + 3_600_000));
    ring_for(&ledger, 3_599_990);
    assert_eq!(objects(&ledger), [key.as_str()]);
    // To be registered is more than to be pending: it is another picture.
    let (_, registered) = upload(&ledger, 1, Disposition::Register);
    assert!(accepted(registered).image_id.is_some());
}

#[test]
fn a_claim_that_broke_off_is_taken_up_by_the_same_claimant_only() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, PENDING);
    ledger.reach.registry.silent.set(true);
    assert_eq!(claim(&ledger, &key, "ann"), Claimed::Unregistered);
    ledger.reach.registry.silent.set(false);
    assert_eq!(claim(&ledger, &key, "bob"), Claimed::AlreadyRegistered);
    assert!(matches!(claim(&ledger, &key, "ann"), Claimed::Now(_)));
    assert_eq!(ledger.reach.registry.keys().len(), 1);
}

#[test]
fn a_released_upload_is_as_if_it_had_never_been() {
    let ledger = ledger();
    let owner = user("7");
    let (kept, _) = upload(&ledger, 2, Disposition::Register);
    let nothing = Release { stem: leave(&ledger).stem, stored_maybe: false };
    block_on(ledger.release(&owner, nothing)).expect("answers");
    let leave = leave(&ledger);
    store(&ledger, &leave, 1);
    let something = Release { stem: leave.stem, stored_maybe: true };
    block_on(ledger.release(&owner, something.clone())).expect("answers");
    block_on(ledger.release(&owner, something)).expect("a second time changes nothing");
    let look = || block_on(ledger.look(&Account::User(user("7")), TERMS)).expect("answers").gauges;
    assert_eq!(look().daily_count.remaining, 3);
    assert_eq!(look().rate.remaining, 2, "tokens stay spent");
    ring_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [kept.as_str()]);
    assert_eq!(look().daily_count.remaining, 3, "given back once, not again by the alarm");
}

#[test]
fn an_accepted_upload_is_not_released() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    let release = Release { stem: Stem::of(&key), stored_maybe: true };
    block_on(ledger.release(&user("7"), release)).expect("answers");
    ring_for(&ledger, 600_000);
    assert_eq!(objects(&ledger), [key.as_str()]);
}

#[test]
fn a_removal_that_half_fails_is_finished_by_the_alarm() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    ledger.reach.store.broken.set(true);
    let removal = block_on(ledger.remove(&user("7"), key.clone())).expect("answers");
    assert_eq!(removal, Removal::Underway);
    assert!(ledger.reach.registry.keys().is_empty(), "the row goes first");
    ring_for(&ledger, 60_000);
    assert_eq!(objects(&ledger), [key.as_str()]);
    ledger.reach.store.broken.set(false);
    ring_for(&ledger, 6_000_000);
    assert!(objects(&ledger).is_empty());
    // Nothing of the bytes is remembered, either.
    assert!(matches!(upload(&ledger, 1, Disposition::Register).1, Commitment::Accepted(_)));
}

#[test]
fn what_was_registered_long_ago_is_removed_too() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    ring_for(&ledger, 2 * 86_400_000);
    let known = block_on(ledger.knows(&user("7"), vec![key.to_string()])).expect("answers");
    assert!(known.is_empty(), "forgotten after a day");
    let removal = block_on(ledger.remove(&user("7"), key)).expect("answers");
    assert_eq!(removal, Removal::Finished);
    assert!(objects(&ledger).is_empty());
    assert!(ledger.reach.registry.keys().is_empty());
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
    let enter = || block_on(ledger.enter("192.0.2.7", Enter { rate_per_minute: 120 }));
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

proptest! {
    /// What is released was never charged, in whatever order, and the alarm has nothing left to do.
    #[test]
    fn releasing_undoes_admitting(
        sizes in prop::collection::vec(0_u64..300, 1..12),
        order in any::<u64>(),
        stored in any::<u16>(),
    ) {
        let ledger = ledger();
        let terms = Terms { rate_per_minute: 1000, daily_count: 6, daily_bytes: 1000 };
        let account = Account::User(user("7"));
        let before = block_on(ledger.look(&account, terms)).expect("answers").gauges;
        let admitted = sizes.iter().filter_map(|bytes| {
            admit(&ledger, Admit { bytes: *bytes, terms, ..ADMIT }).outcome.ok()
        });
        let mut leaves: Vec<_> = admitted.collect();
        prop_assert!(leaves.len() <= 6);
        let turn = usize::try_from(order % 12).expect("small") % leaves.len().max(1);
        leaves.rotate_left(turn);
        for (at, leave) in leaves.into_iter().enumerate() {
            let release = Release { stem: leave.stem, stored_maybe: stored >> at & 1 == 1 };
            block_on(ledger.release(&user("7"), release)).expect("answers");
        }
        let after = block_on(ledger.look(&account, terms)).expect("answers").gauges;
        prop_assert_eq!(after.daily_count, before.daily_count);
        prop_assert_eq!(after.daily_bytes, before.daily_bytes);
        ring_for(&ledger, 600_000);
        prop_assert!(block_on(ledger.look(&account, terms)).expect("answers").states.is_empty());
    }
}
