//! A ledger with nothing left to remember deletes itself. A ledger that does so answers every command as one that never
//! forgets, so no limit, strike, ban or ticket is forgotten early.

use std::{cell::Cell, rc::Rc};

use edge_storage::ObjectKey;
use edge_types::{PERMANENT_MS, UploadLimits};
use futures_executor::block_on;
use image_rules::Format;
use proptest::prelude::*;
use serde_json::Value;

use super::{LIMITS, NOW_MS, image, user};
use crate::{
    AbuseKind, AdmitUpload, Ban, CachedStorage, ChargeQuota, ClaimImage, Command, CommitUpload,
    CountLoginAttempt, CountNewIdentity, CountRequest, Disposition, GetAbuseStatus, Inspect,
    LedgerRequest, LedgerService, LedgerStorage, LoginLimit, NewIdentity, Probe,
    RefundLoginAttempt, ReleaseUpload, RemoveImage, SpendChallenge, SpentTicket, Strike, Unban,
    UploadAdmission,
    testing::{FakeLedgerDeps, FakeLedgerStorage},
};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
const MONTH_MS: u64 = 30 * DAY_MS;
const LOGIN_LIMIT: LoginLimit = LoginLimit { burst: 60, interval_s: 1800 };

/// One ledger with a clock and the alarms of the platform.
struct Ledger {
    storage: CachedStorage<FakeLedgerStorage>,
    deps: FakeLedgerDeps,
    has_alarms: bool,
    deletions: u32,
}

impl Ledger {
    fn new() -> Self {
        let clock_ms = Rc::new(Cell::new(NOW_MS));
        let deps = FakeLedgerDeps { clock_ms, ..FakeLedgerDeps::default() };
        Self { storage: CachedStorage::fake(), deps, has_alarms: true, deletions: 0 }
    }

    fn service(&self) -> LedgerService<'_, FakeLedgerStorage, FakeLedgerDeps> {
        LedgerService { storage: &self.storage, deps: &self.deps }
    }

    fn send(&self, command: impl Into<Command>) -> Value {
        let request = LedgerRequest { subject: "user:7".to_owned(), command: command.into() };
        let reply = block_on(self.service().execute(request)).expect("memory does not fail");
        serde_json::from_str(&reply).expect("JSON")
    }

    /// Admits an upload and ends it again.
    fn admit(&self, ticket: Option<SpentTicket>) -> Value {
        let admission = self.send(AdmitUpload { limits: LIMITS, bytes: 100, lease_s: 300, ticket });
        let parsed: UploadAdmission = serde_json::from_value(admission.clone()).expect("reply");
        if let Ok(grant) = parsed.outcome {
            self.send(ReleaseUpload { upload_key: grant.upload_key, may_be_stored: false });
        }
        admission
    }

    /// Lets the time pass, and runs each alarm at its time.
    fn wait(&mut self, ms: u64) {
        let clock_ms = self.deps.clock_ms.clone();
        let end_ms = clock_ms.get() + ms;
        while let Some(alarm_ms) = self.storage.alarm_ms().filter(|it| *it <= end_ms) {
            if !self.has_alarms {
                break;
            }
            clock_ms.set(alarm_ms.max(clock_ms.get()));
            self.storage.clear_alarm();
            block_on(self.service().run_alarm()).expect("memory does not fail");
            self.deletions += u32::from(self.is_empty());
        }
        clock_ms.set(end_ms);
    }

    fn is_empty(&self) -> bool {
        self.storage.rows().is_empty()
    }
}

fn strike(fingerprint: &str) -> Strike {
    Strike {
        kind: AbuseKind::Disguise,
        fingerprint: fingerprint.to_owned(),
        strikes_to_ban: 3,
        ban_s: 3600,
    }
}

fn ticket(id: &str, expires_ms: u64) -> SpentTicket {
    SpentTicket { id: id.to_owned(), expires_ms }
}

/// A new ledger that has executed this, and how long it remembers it.
#[track_caller]
fn assert_remembered(what: &str, run: impl FnOnce(&Ledger), for_ms: u64) {
    let mut ledger = Ledger::new();
    run(&ledger);
    assert!(!ledger.is_empty(), "{what}");
    ledger.wait(for_ms - 1);
    assert!(!ledger.is_empty(), "{what}: deleted early");
    ledger.wait(1);
    assert!(ledger.is_empty(), "{what}: not deleted");
    assert_eq!(ledger.storage.alarm_ms(), None, "{what}");
}

#[test]
fn each_kind_of_entry_is_remembered_as_long_as_it_counts() {
    // A request of a client IP, or of a back end.
    assert_remembered("request", |it| drop(it.send(CountRequest { rate_per_minute: 5 })), DAY_MS);
    assert_remembered("failed upload", |it| drop(it.admit(None)), DAY_MS);
    // The quota is that of a day of UTC, which ends in 14 hours.
    let limits = LIMITS;
    let charge = |it: &Ledger| drop(it.send(ChargeQuota { limits, bytes: 10 }));
    assert_remembered("charge", charge, DAY_MS - NOW_MS % DAY_MS);
    assert_remembered("strike", |it| drop(it.send(strike("a"))), DAY_MS);
    // The next ban within a month would be twice as long.
    let ban = |it: &Ledger| {
        let until_ms = NOW_MS + HOUR_MS;
        it.send(Ban { until_ms, reason: "spam".to_owned(), by: "root".to_owned() });
    };
    assert_remembered("ban", ban, HOUR_MS + MONTH_MS + 1);
    let attempt = |it: &Ledger| drop(it.send(CountLoginAttempt { limit: LOGIN_LIMIT }));
    assert_remembered("attempt", attempt, DAY_MS);
    let attempts = |it: &Ledger| (0..60).for_each(|_| attempt(it));
    assert_remembered("attempts", attempts, 60 * 30 * MINUTE_MS);
    let success = |it: &Ledger| {
        attempt(it);
        it.send(RefundLoginAttempt { limit: LOGIN_LIMIT });
    };
    assert_remembered("login", success, DAY_MS);
    let identity = NewIdentity::GuestToken;
    let guest = |it: &Ledger| drop(it.send(CountNewIdentity { identity, per_hour: 40 }));
    assert_remembered("guest token", guest, DAY_MS - NOW_MS % HOUR_MS);
    let spent = |it: &Ledger| drop(it.admit(Some(ticket("t", NOW_MS + 3 * DAY_MS))));
    assert_remembered("spent ticket", spent, 3 * DAY_MS);
    let challenge = ticket("c", NOW_MS + 2 * MINUTE_MS);
    let spent = |it: &Ledger| drop(it.send(SpendChallenge { challenge }));
    assert_remembered("spent challenge", spent, 2 * MINUTE_MS);
    // The back end deletes a picture that the ledger does not have any more. The alarm is that of the removal.
    let key = "users/7/images/1763114400000-00000000-0000-4000-8000-000000000001.png";
    let key = ObjectKey::parse(key).expect("a key");
    assert_remembered("removal", |it| drop(it.send(RemoveImage::new(key))), MINUTE_MS / 2);
}

#[test]
fn a_permanent_ban_stays_and_its_end_deletes_the_ledger() {
    let mut ledger = Ledger::new();
    ledger.send(Ban { until_ms: PERMANENT_MS, reason: "spam".to_owned(), by: "root".to_owned() });
    ledger.wait(4000 * DAY_MS);
    assert_eq!(ledger.send(GetAbuseStatus)["banned_until_ms"], PERMANENT_MS);
    assert_eq!(ledger.storage.alarm_ms(), None, "no alarm for what has no end");
    ledger.send(Unban { by: "root".to_owned() });
    ledger.wait(MINUTE_MS);
    assert!(ledger.is_empty());
    assert_eq!(ledger.send(GetAbuseStatus)["banned_until_ms"], Value::Null);
}

#[test]
fn an_event_that_the_database_does_not_have_keeps_the_ledger() {
    let mut ledger = Ledger::new();
    ledger.deps.registry.broken.set(true);
    ledger.send(Unban { by: "root".to_owned() });
    ledger.wait(3 * DAY_MS);
    assert!(!ledger.is_empty());
    ledger.deps.registry.broken.set(false);
    ledger.wait(HOUR_MS);
    assert!(ledger.is_empty());
    assert_eq!(ledger.deps.registry.events.borrow().len(), 1);
}

#[test]
fn what_only_reads_leaves_nothing() {
    let ledger = Ledger::new();
    ledger.send(Probe);
    ledger.send(GetAbuseStatus);
    ledger.send(Inspect { limits: LIMITS });
    assert!(ledger.is_empty());
    assert_eq!(ledger.storage.alarm_ms(), None);
}

#[test]
fn the_bytes_of_an_upload_are_recognised_for_a_day_and_it_is_not_lost_with_the_ledger() {
    let mut ledger = Ledger::new();
    let upload = |ledger: &Ledger, disposition| {
        let admit = AdmitUpload { limits: LIMITS, bytes: 100, lease_s: 300, ticket: None };
        let admission: UploadAdmission = serde_json::from_value(ledger.send(admit)).expect("reply");
        let upload_key = admission.outcome.expect("admitted").upload_key;
        let key = upload_key.object_key(Format::Png).expect("a key");
        let image = image(&key, "1", ledger.deps.clock_ms.get());
        let outcome = ledger.send(CommitUpload { image, disposition, waits: false });
        (key, outcome)
    };
    let pending = Disposition::Pending { for_s: 7 * 86_400 };
    let (key, outcome) = upload(&ledger, pending);
    assert!(outcome["accepted"].is_object());
    // Unclaimed, it outlasts all limits.
    ledger.wait(7 * DAY_MS - 1);
    let (form_id, original_name) = (None, None);
    let claim = ClaimImage { form_id, original_name, ..ClaimImage::new(key, user("ann")) };
    assert!(ledger.send(claim)["claimed"].is_object());
    ledger.wait(DAY_MS - 1);
    let (_, outcome) = upload(&ledger, Disposition::Register);
    assert!(outcome["accepted"].is_object(), "stored more than a day ago");
    ledger.wait(DAY_MS - 1);
    assert!(upload(&ledger, Disposition::Register).1["same"].is_object());
    assert_eq!(ledger.deletions, 0);
    ledger.wait(2 * DAY_MS);
    assert!(ledger.is_empty());
    assert_eq!(ledger.deps.registry.keys().len(), 2, "the rows stay");
    let (_, outcome) = upload(&ledger, Disposition::Register);
    assert!(outcome["accepted"].is_object());
}

#[derive(Clone, Debug)]
enum Step {
    Send(Command),
    /// An upload that fails, with this ticket that is valid for so long.
    Admit(Option<(u8, u64)>),
    Restart,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let limits = UploadLimits { rate_per_minute: 3, daily_count: 3, daily_bytes: 1000 };
    let limit = LoginLimit { burst: 3, interval_s: 36_000 };
    let send = prop_oneof![
        3 => Just(CountRequest { rate_per_minute: 3 }.into()),
        2 => (0_u8..4).prop_map(|it| strike(&it.to_string()).into()),
        1 => (0_u64..2 * DAY_MS).prop_map(|ms| {
            Ban { until_ms: NOW_MS + ms, reason: "spam".to_owned(), by: "root".to_owned() }.into()
        }),
        1 => Just(Unban { by: "root".to_owned() }.into()),
        2 => Just(CountLoginAttempt { limit }.into()),
        1 => Just(RefundLoginAttempt { limit }.into()),
        2 => Just(CountNewIdentity { identity: NewIdentity::Account, per_hour: 2 }.into()),
        2 => (0_u64..600).prop_map(move |bytes| ChargeQuota { limits, bytes }.into()),
        1 => Just(Inspect { limits }.into()),
    ];
    let ends = [MINUTE_MS, HOUR_MS, DAY_MS, MONTH_MS];
    let near_ends: Vec<_> = ends.into_iter().flat_map(|end| [end - 1, end, end + 1]).collect();
    prop_oneof![
        8 => send.prop_map(Step::Send),
        2 => prop::option::of((0_u8..3, 1..3 * DAY_MS)).prop_map(Step::Admit),
        1 => Just(Step::Restart),
        3 => (0..2 * DAY_MS).prop_map(Step::Wait),
        3 => prop::sample::select(near_ends).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ledger_that_deletes_itself_answers_as_one_that_never_forgets(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut deleting = Ledger::new();
        let mut keeping = Ledger { has_alarms: false, ..Ledger::new() };
        let mut tickets = [0_u64; 3];
        for step in steps {
            match step {
                Step::Send(command) => {
                    prop_assert_eq!(deleting.send(command.clone()), keeping.send(command));
                }
                Step::Admit(spent) => {
                    // A ticket is signed with its expiry, which therefore does not change.
                    let spent = spent.map(|(which, for_ms)| {
                        let expires_ms = &mut tickets[usize::from(which)];
                        if *expires_ms == 0 {
                            *expires_ms = deleting.deps.clock_ms.get() + for_ms;
                        }
                        ticket(&which.to_string(), *expires_ms)
                    });
                    prop_assert_eq!(deleting.admit(spent.clone()), keeping.admit(spent));
                }
                Step::Restart => {
                    deleting.storage.restart();
                    keeping.storage.restart();
                }
                Step::Wait(ms) => {
                    deleting.wait(ms);
                    keeping.wait(ms);
                }
            }
        }
        // Two days of a ban, the month after it, and what counts for a day more.
        deleting.wait(3 * MONTH_MS);
        prop_assert!(deleting.is_empty());
        prop_assert_eq!(deleting.storage.alarm_ms(), None);
        prop_assert_eq!(deleting.send(GetAbuseStatus)["strikes"].as_u64(), Some(0));
    }
}
