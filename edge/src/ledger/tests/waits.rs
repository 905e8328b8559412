//! When the ledger looks again: after failures, after what may still be on its way, and when a clock
//! stands exactly where something ends.

use futures_executor::block_on;
use futures_util::future::join;
use image_rules::Format;

use super::{NOW_MS, PENDING, commit, leave, ledger, record, store, upload, user, wait};
use crate::{
    ledger::{
        Account, Ledger,
        memory::MemoryLedger,
        message::{
            Ban, Barrier, Commit, Commitment, Disposition, Enter, Known, Question, Release, Reply,
        },
    },
    log::tests::written,
    storage::{ObjectKey, Stem},
};

/// When the ledger looks at these again, from now, in seconds.
fn due_in_s(ledger: &MemoryLedger, keys: &[&ObjectKey]) -> Vec<u64> {
    let keys = keys.iter().map(|key| key.as_str().to_owned()).collect();
    let known: Vec<Known> = block_on(ledger.knows(&user("7"), keys)).expect("answers");
    known.iter().map(|it| (it.due_ms - ledger.reach.clock_ms.get()) / 1000).collect()
}

#[test]
fn each_wait_after_a_failed_removal_is_twice_as_long_up_to_ten_minutes() {
    let ledger = ledger();
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    ledger.reach.store.broken.set(true);
    block_on(ledger.remove(&user("7"), key.clone())).expect("answers");
    let waits_s = (0..11).map(|_| {
        let wait_s = due_in_s(&ledger, &[&key])[0];
        wait(&ledger, wait_s * 1000);
        block_on(ledger.ring());
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
    ledger.reach.store.broken.set(true);
    block_on(ledger.ring());
    assert_eq!(due_in_s(&ledger, &[&first, &second]), [2, 2], "tried, and put off");
    wait(&ledger, 2_000);
    block_on(ledger.ring());
    assert_eq!(due_in_s(&ledger, &[&first, &second]), [4, 2], "tried again, and put off again");
}

#[test]
fn an_event_that_the_registry_does_not_take_is_told_after_longer_and_longer_waits() {
    let ledger = ledger();
    let account = Account::User(user("7"));
    let (until_ms, reason, by) = (NOW_MS + 1, "spam".to_owned(), "root".to_owned());
    block_on(ledger.ban(&account, Ban { until_ms, reason, by })).expect("answers");
    ledger.reach.registry.broken.set(true);
    let failures = || {
        block_on(ledger.ring());
        written().iter().filter(|line| line.contains("registry_failed")).count()
    };
    // The first at once, then after two seconds more, four, eight, sixteen.
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
    block_on(ledger.remove(&user("7"), key.clone())).expect("answers");
    assert_eq!(due_in_s(&ledger, &[&key]), [60]);
    wait(&ledger, 60_000);
    block_on(ledger.ring());
    assert!(due_in_s(&ledger, &[&key]).is_empty());
}

#[test]
fn what_may_still_be_written_is_looked_for_after_a_fifth_of_the_lease() {
    let ledger = ledger();
    let leave = leave(&ledger);
    let key = store(&ledger, &leave, 1);
    let release = Release { stem: leave.stem, stored_maybe: true };
    block_on(ledger.release(&user("7"), release)).expect("answers");
    assert_eq!(due_in_s(&ledger, &[&key]), [60]);
}

#[test]
fn the_same_bytes_in_progress_are_waited_for_six_seconds_and_no_longer() {
    let ledger = ledger();
    let keys = [1, 2].map(|_| store(&ledger, &leave(&ledger), 9));
    let [first, second] = keys
        .each_ref()
        .map(|key| Commit { record: record(key, "9", NOW_MS), disposition: Disposition::Register });
    let owner = user("7");
    ledger.reach.registry.slow.set(100_000);
    let (first, second) =
        block_on(join(ledger.commit(&owner, first), ledger.commit(&owner, second)));
    assert!(matches!(first, Ok(Commitment::Accepted(_))), "{first:?}");
    assert!(matches!(second, Ok(Commitment::Accepted(_))), "{second:?}");
    assert_eq!(ledger.reach.slept_ms.get(), 6_000);
}

#[test]
fn bytes_that_are_over_or_of_yesterday_are_not_the_same_again() {
    let ledger = ledger();
    upload(&ledger, 1, PENDING);
    wait(&ledger, 3_600_000);
    // It is over, and the alarm has not rung yet.
    let (_, commitment) = upload(&ledger, 1, PENDING);
    assert!(matches!(commitment, Commitment::Accepted(_)), "{commitment:?}");
    let long = Disposition::Pending { for_s: 172_800 };
    let (_, commitment) = upload(&ledger, 2, long);
    assert!(matches!(commitment, Commitment::Accepted(_)));
    wait(&ledger, 86_399_999);
    let leave = leave(&ledger);
    let again = store(&ledger, &leave, 2);
    assert!(matches!(commit(&ledger, &again, 2, long), Commitment::Same(_)), "within the day");
    wait(&ledger, 1);
    let (_, commitment) = upload(&ledger, 2, long);
    assert!(matches!(commitment, Commitment::Accepted(_)), "a day later: {commitment:?}");
}

#[test]
fn a_flood_is_told_each_time_that_as_many_were_refused_in_a_minute_as_may_pass() {
    let ledger = ledger();
    let account = Account::Address("192.0.2.7".to_owned());
    let enter = || {
        let entrance = block_on(ledger.enter(&account, Enter { rate_per_minute: 3 }));
        entrance.expect("answers").refused.map(|refused| refused.by)
    };
    let (rate, flood) = (Some(Barrier::Rate), Some(Barrier::Flood));
    assert_eq!([enter(), enter(), enter()], [None; 3]);
    assert_eq!([enter(), enter()], [rate; 2]);
    wait(&ledger, 1_000);
    assert_eq!(enter(), flood, "still the same minute");
    assert_eq!([enter(), enter(), enter()], [rate, rate, flood]);
    wait(&ledger, 59_000);
    assert_eq!([enter(), enter()], [None; 2]);
    wait(&ledger, 1);
    assert_eq!([enter(), enter(), enter(), enter()], [None, rate, rate, flood], "counted anew");
}

#[test]
fn passwords_are_tried_five_times_and_then_with_pauses_until_one_is_right() {
    let ledger = ledger();
    let account = Account::Email("0123abcd".to_owned());
    let attempt = || block_on(ledger.attempt(&account)).expect("answers");
    assert_eq!([(); 6].map(|()| attempt()), [None, None, None, None, None, Some(1)]);
    let other = Account::Email("4567cdef".to_owned());
    assert_eq!(block_on(ledger.attempt(&other)).expect("answers"), None, "another account");
    block_on(ledger.trust(&account)).expect("answers");
    assert_eq!(attempt(), None);
}

#[test]
fn a_probe_is_answered_by_whatever_account_is_asked() {
    let ledger = ledger();
    let nobody = Account::Address("unknown".to_owned());
    let reply = block_on(ledger.ask(&nobody, Question::Probe)).expect("answers");
    assert_eq!(reply, Reply::Done);
}

#[test]
fn a_release_of_what_is_another_users_makes_no_sense() {
    let ledger = ledger();
    let stem = Stem::of(&Stem::new(&user("8"), NOW_MS, [0; 16]).key(Format::Gif).expect("a key"));
    let release = Release { stem, stored_maybe: false };
    assert!(block_on(ledger.release(&user("7"), release)).is_err());
}
