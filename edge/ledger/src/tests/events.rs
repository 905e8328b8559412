//! Events for the back end: which change leads to which, that none is lost, and in which order they are sent.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    task::{Context, Waker},
};

use edge_registry::{FailedDelivery, ImageRow, Registry, WebhookStore, testing::FakeRegistry};
use edge_storage::ObjectKey;
use edge_types::{PERMANENT_MS, Subject};
use futures_executor::block_on;
use serde_json::Value;

use super::{
    ADMIT, NOW_MS, PENDING, accepted, commit, grant, image, ledger, run_alarms_for, send,
    send_to_owner, store, upload, user, wait,
};
use crate::{
    AbuseKind, AdmitUpload, Answer, AwaitAnswer, Ban, CachedStorage, ClaimImage, CommitUpload,
    DeliveryError, Disposition, EnqueueEvent, EraseUser, EventQueue, EventSettings, EventType,
    LedgerClient, LedgerService, RemoveImage, Strike, Unban, WebhookEvent,
    testing::{FakeLedger, FakeLedgerDeps, FakeLedgerStorage},
};

const BASE_URL: &str = "https://image.example";
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

fn settings() -> EventSettings {
    EventSettings::new(None, Some(BASE_URL.to_owned())).expect("all")
}

/// A ledger whose events are wanted.
fn eventful() -> FakeLedger {
    let mut ledger = ledger();
    ledger.deps.event_settings = Some(settings());
    ledger
}

/// Runs the alarms until nothing is due.
fn run_alarms(ledger: &FakeLedger) {
    for _ in 0..50 {
        block_on(ledger.run_alarms());
    }
}

/// The types of the events that were sent, and the value of a member of their data.
fn sent(ledger: &FakeLedger, member: &str) -> Vec<(&'static str, Value)> {
    run_alarms(ledger);
    let sent = ledger.deps.sent.borrow();
    let data = |event: &WebhookEvent| {
        let body: Value = serde_json::from_str(&event.body).expect("JSON");
        assert_eq!(body["type"], event.event_type.into_str());
        (event.event_type.into_str(), body["data"][member].clone())
    };
    sent.iter().map(|(_, event)| data(event)).collect()
}

fn types(ledger: &FakeLedger) -> Vec<&'static str> {
    sent(ledger, "key").into_iter().map(|(event_type, _)| event_type).collect()
}

fn row(ledger: &FakeLedger, key: &ObjectKey) -> Option<Box<ImageRow>> {
    block_on(ledger.deps.registry.find(key)).expect("found").map(Box::new)
}

/// Fails these attempts, counted from one, and logs all of them.
fn failing(ledger: &FakeLedger, fails: impl Fn(u32, &WebhookEvent) -> bool + 'static) -> Rc<Log> {
    let log: Rc<Log> = Rc::default();
    let (attempts, entries) = (Cell::new(0), Rc::clone(&log));
    *ledger.deps.back_end.borrow_mut() = Some(Box::new(move |event, now_ms| {
        attempts.set(attempts.get() + 1);
        let fails = fails(attempts.get(), event);
        entries.borrow_mut().push((now_ms - NOW_MS, event.id.clone(), !fails));
        if fails { Err(DeliveryError::Status(500)) } else { Ok(Answer::default()) }
    }));
    log
}

type Log = RefCell<Vec<(u64, String, bool)>>;

#[test]
fn an_upload_is_an_event_with_everything_that_is_known_of_the_picture() {
    let ledger = eventful();
    let (key, outcome) = upload(&ledger, 1, Disposition::Register);
    let id = accepted(outcome).image_id.expect("registered");
    run_alarms(&ledger);
    let sent = ledger.deps.sent.take();
    let [(_, event)] = &*sent else { panic!("{sent:?}") };
    let file = key.as_str().rsplit('/').next().expect("a file").trim_end_matches(".png");
    assert_eq!(event.id, format!("image_stored-{file}"));
    let expected = serde_json::json!({
        "type": "image.stored", "timestamp": "2025-11-14T10:00:00.000Z",
        "data": {
            "imageId": id, "key": key, "imageUrl": format!("{BASE_URL}/{key}"), "formId": "f-1",
            "userId": "7", "contentType": "image/png", "fileSize": 1, "width": 3, "height": 2,
            "sha256": "1", "placeholder": "AA==", "removed": ["gps"],
            "originalFilename": "고양이.png", "expiresAt": null,
        },
    });
    assert_eq!(serde_json::from_str::<Value>(&event.body).expect("JSON"), expected);
}

#[test]
fn a_repetition_and_an_upload_that_failed_are_no_events() {
    let ledger = eventful();
    upload(&ledger, 1, Disposition::Register);
    upload(&ledger, 1, Disposition::Register);
    ledger.deps.registry.broken.set(true);
    upload(&ledger, 2, Disposition::Register);
    ledger.deps.registry.broken.set(false);
    // One that was admitted, and its lease ends.
    store(&ledger, &grant(&ledger), 3);
    run_alarms_for(&ledger, HOUR_MS);
    assert_eq!(types(&ledger), ["image.stored"]);
}

#[test]
fn a_pending_picture_is_stored_then_claimed() {
    let ledger = eventful();
    let (key, _) = upload(&ledger, 1, PENDING);
    assert_eq!(sent(&ledger, "expiresAt"), [("image.stored", "2025-11-14T11:00:00.000Z".into())]);
    send_to_owner(&ledger, ClaimImage::new(key.clone(), user("ann")));
    send_to_owner(&ledger, ClaimImage::new(key, user("ann")));
    let owners = [("image.stored", "7".into()), ("image.claimed", "ann".into())];
    assert_eq!(sent(&ledger, "userId"), owners, "a repeated claim is no event");
}

#[test]
fn a_pending_picture_that_nobody_claims_expires() {
    let ledger = eventful();
    let (key, _) = upload(&ledger, 1, PENDING);
    run_alarms_for(&ledger, 2 * HOUR_MS);
    let key = Value::from(key.as_str());
    assert_eq!(sent(&ledger, "key"), [("image.stored", key.clone()), ("image.expired", key)]);
}

#[test]
fn a_deletion_has_the_record_as_it_was() {
    let ledger = eventful();
    let (kept, _) = upload(&ledger, 1, PENDING);
    send_to_owner(&ledger, ClaimImage::new(kept.clone(), user("ann")));
    let remove = |key: &ObjectKey| {
        let command = RemoveImage { row: row(&ledger, key), ..RemoveImage::new(key.clone()) };
        send_to_owner(&ledger, command);
    };
    remove(&kept);
    // Again, as two requests do that read the row at the same time.
    send_to_owner(&ledger, RemoveImage::new(kept.clone()));
    let (pending, _) = upload(&ledger, 2, PENDING);
    remove(&pending);
    let (old, _) = upload(&ledger, 3, Disposition::Register);
    run_alarms_for(&ledger, 49 * HOUR_MS);
    ledger.deps.sent.borrow_mut().retain(|(_, event)| event.event_type == EventType::ImageDeleted);
    remove(&old);
    let gps = || serde_json::json!(["gps"]);
    for (key, owner, removed) in
        [(kept, "ann", gps()), (pending, "7", gps()), (old, "7", Value::Null)]
    {
        let of_key = |member: &str| {
            let sent = sent(&ledger, "key").into_iter().zip(sent(&ledger, member));
            let of_key = sent.filter(|((_, of), _)| *of == key.as_str()).map(|(_, it)| it);
            of_key.collect::<Vec<_>>()
        };
        assert_eq!(of_key("userId"), [("image.deleted", owner.into())]);
        assert_eq!(of_key("removed"), [("image.deleted", removed)]);
        assert!(of_key("sha256")[0].1.is_string());
    }
}

#[test]
fn bans_of_users_are_events_and_those_of_client_ips_are_not() {
    let ledger = eventful();
    let ban = |until_ms| Ban { until_ms, reason: "spam".to_owned(), by: "root".to_owned() };
    let unban = || Unban { by: "root".to_owned() };
    send_to_owner(&ledger, unban());
    send_to_owner(&ledger, ban(PERMANENT_MS));
    send_to_owner(&ledger, unban());
    let strike =
        Strike { kind: AbuseKind::Bomb, fingerprint: "1".to_owned(), strikes_to_ban: 1, ban_s: 60 };
    send_to_owner(&ledger, strike.clone());
    let client_ip = Subject::parse("ip:192.0.2.7").expect("valid");
    send(&ledger, &client_ip, strike);
    send(&ledger, &client_ip, unban());
    let banned = |reason: &str| ("user.banned", Value::from(reason));
    let expected = [banned("spam"), ("user.unbanned", Value::Null), banned("bomb")];
    assert_eq!(sent(&ledger, "reason"), expected, "nobody was banned at first");
    let until = [Value::Null, Value::Null, "2025-11-14T10:01:00.000Z".into()];
    let sent = sent(&ledger, "bannedUntil");
    assert_eq!(sent.into_iter().map(|(_, until)| until).collect::<Vec<_>>(), until);
}

#[test]
fn the_pictures_of_an_erased_user_are_deleted_and_what_waits_is_reduced_to_ids() {
    let ledger = eventful();
    let log = failing(&ledger, |_, _| true);
    let (key, _) = upload(&ledger, 1, PENDING);
    run_alarms(&ledger);
    send_to_owner(&ledger, EraseUser::Begin);
    send_to_owner(&ledger, EraseUser::Forget { subject: "erased:1".to_owned() });
    assert!(!log.borrow().is_empty());
    ledger.deps.back_end.take();
    run_alarms_for(&ledger, 80 * HOUR_MS);
    assert_eq!(types(&ledger), ["image.stored", "image.deleted"]);
    for (_, event) in ledger.deps.sent.borrow().iter() {
        let body: Value = serde_json::from_str(&event.body).expect("JSON");
        let expected = serde_json::json!({"imageId": null, "key": key, "userId": "7"});
        assert_eq!(body["data"], expected);
    }
    // One that another user has: the ledger of the erased user does not have it.
    send_to_owner(&ledger, EraseUser::End);
    let (key, _) = upload(&ledger, 2, Disposition::Register);
    let row = row(&ledger, &key);
    send_to_owner(&ledger, RemoveImage { row, is_erasure: true, ..RemoveImage::new(key) });
    assert_eq!(
        sent(&ledger, "sha256")[2..],
        [("image.stored", Value::Null), ("image.deleted", Value::Null),]
    );
}

#[test]
fn without_a_back_end_nothing_is_written_and_what_was_is_dropped() {
    let mut ledger = eventful();
    let quiet = FakeLedger { deps: FakeLedgerDeps::default(), ..FakeLedger::default() };
    quiet.deps.clock_ms.set(NOW_MS);
    for ledger in [&ledger, &quiet] {
        upload(ledger, 1, Disposition::Register);
        run_alarms_for(ledger, 30 * HOUR_MS);
    }
    // The event, its deletion, and the alarm that is set for it: the alarm at the end of the lease is not needed then.
    assert_eq!((quiet.rows_written(), ledger.rows_written()), (6, 9));
    upload(&ledger, 2, Disposition::Register);
    ledger.deps.event_settings = None;
    run_alarms_for(&ledger, 30 * HOUR_MS);
    assert_eq!(ledger.deps.sent.borrow().len(), 1);
    assert!(ledger.deps.storages.borrow().values().all(|storage| storage.alarm_ms().is_none()));
}

#[test]
fn an_event_is_repeated_for_three_days_then_given_up_and_the_next_is_sent() {
    let ledger = eventful();
    let log = failing(&ledger, |_, event| event.event_type == EventType::ImageStored);
    let (key, _) = upload(&ledger, 1, Disposition::Register);
    run_alarms(&ledger);
    send_to_owner(&ledger, RemoveImage { row: row(&ledger, &key), ..RemoveImage::new(key) });
    for _ in 0..(90 * 60) {
        wait(&ledger, MINUTE_MS);
        run_alarms(&ledger);
    }
    let log = log.borrow();
    let (stored, deleted): (Vec<_>, Vec<_>) =
        log.iter().partition(|(_, id, _)| id.starts_with("image_stored"));
    assert_eq!(stored.len(), 10);
    assert_eq!(deleted.len(), 1, "after its predecessor was given up");
    assert!(deleted[0].0 >= stored[9].0 && deleted[0].2);
    let pauses_s: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    for (attempts, pause_s) in stored.windows(2).zip(pauses_s) {
        // Up to a fifth later, and up to the probe pause of half an hour and a minute of this test.
        let pause_ms = attempts[1].0 - attempts[0].0;
        let least_ms = pause_s * 1000;
        assert!(pause_ms >= least_ms, "{pause_ms} after {pause_s} s");
        assert!(pause_ms <= least_ms * 6 / 5 + 41 * MINUTE_MS, "{pause_ms} after {pause_s} s");
    }
    let dead = ledger.deps.registry.webhook_events.borrow();
    let [dead] = &**dead else { panic!("{dead:?}") };
    assert_eq!((dead.state, dead.tries), ("dead", 10));
    assert!(dead.record.body.contains("image.stored"));
}

#[test]
fn a_failed_event_is_shown_and_forgotten_when_it_is_delivered() {
    let ledger = eventful();
    failing(&ledger, |attempt, _| attempt == 1);
    upload(&ledger, 1, Disposition::Register);
    run_alarms(&ledger);
    let shown = block_on(ledger.deps.registry.failed_events(10)).expect("read");
    assert_eq!((shown[0].tries, &*shown[0].last_error), (1, "status 500"));
    assert_eq!(shown[0].subject, "user:7");
    run_alarms_for(&ledger, 10_000);
    assert!(ledger.deps.registry.webhook_events.borrow().is_empty());
    assert_eq!(*ledger.deps.registry.endpoint.borrow(), None, "it works again");
    let counts = ledger.deps.event_counts.borrow().clone();
    assert_eq!(counts, BTreeMap::from([("queued", 1), ("failed", 1), ("delivered", 1)]));
}

#[test]
fn a_dead_event_that_the_database_does_not_take_is_kept() {
    let ledger = eventful();
    let deps = &ledger.deps;
    upload(&ledger, 1, Disposition::Register);
    deps.registry.broken.set(true);
    run_alarms_for(&ledger, 100 * HOUR_MS);
    assert!(deps.sent.borrow().is_empty(), "the state of the endpoint is unknown");
    deps.registry.broken.set(false);
    run_alarms_for(&ledger, HOUR_MS);
    assert_eq!(types(&ledger), ["image.stored"]);
}

#[test]
fn a_stopped_endpoint_gets_nothing_until_it_takes_a_ping() {
    let ledger = eventful();
    *ledger.deps.back_end.borrow_mut() = Some(Box::new(|_, _| Err(DeliveryError::Status(410))));
    upload(&ledger, 1, Disposition::Register);
    run_alarms(&ledger);
    ledger.deps.back_end.take();
    upload(&ledger, 2, Disposition::Register);
    run_alarms_for(&ledger, 100 * HOUR_MS);
    assert!(ledger.deps.sent.borrow().is_empty());
    block_on(ledger.deps.registry.end_trouble()).expect("ended");
    run_alarms_for(&ledger, 30 * HOUR_MS);
    assert_eq!(types(&ledger), ["image.stored"; 2]);
}

#[test]
fn while_the_endpoint_fails_one_delivery_at_a_time_tries_it() {
    let ledger = eventful();
    let limits =
        edge_types::UploadLimits { daily_count: 100, rate_per_minute: 100, ..super::LIMITS };
    let down_until_ms = NOW_MS + 6 * HOUR_MS;
    let log: Rc<Log> = Rc::default();
    let entries = Rc::clone(&log);
    *ledger.deps.back_end.borrow_mut() = Some(Box::new(move |event, now_ms| {
        let fails = now_ms < down_until_ms;
        entries.borrow_mut().push((now_ms - NOW_MS, event.id.clone(), !fails));
        if fails { Err(DeliveryError::Timeout) } else { Ok(Answer::default()) }
    }));
    for owner in 0..20 {
        let owner = user(&format!("u-{owner}"));
        let admission = block_on(ledger.send_to_user(&owner, AdmitUpload { limits, ..ADMIT }));
        let grant = admission.expect("a reply").outcome.expect("admitted");
        let key = store(&ledger, &grant, 1);
        let command = CommitUpload {
            image: image(&key, "1", NOW_MS),
            disposition: Disposition::Register,
            waits: false,
        };
        block_on(ledger.send_to_user(&owner, command)).expect("a reply");
    }
    for _ in 0..(12 * 60) {
        wait(&ledger, MINUTE_MS);
        run_alarms(&ledger);
    }
    let log = log.borrow();
    let delivered: BTreeSet<_> = log.iter().filter(|it| it.2).map(|(_, id, _)| id).collect();
    assert_eq!(delivered.len(), 20);
    // The first failures meet an endpoint that is thought to work; then the pauses double up to half an hour.
    let failures = log.iter().filter(|it| !it.2).count();
    assert!((10..40).contains(&failures), "{failures}");
    let after_first_hour = log.iter().filter(|it| !it.2 && it.0 > HOUR_MS);
    for (first, second) in after_first_hour.clone().zip(after_first_hour.skip(1)) {
        assert!(second.0 - first.0 >= 20 * MINUTE_MS, "one at a time: {first:?} {second:?}");
    }
}

#[test]
fn events_of_one_picture_keep_their_order_whatever_fails() {
    for fails in [0x5555_u32, 0xAAAA, 0x3333, 0x00FF, 0x0F0F] {
        let ledger = eventful();
        let log = failing(&ledger, move |attempt, _| fails & (1 << (attempt % 16)) != 0);
        let (key, _) = upload(&ledger, 1, PENDING);
        block_on(ledger.run_alarms());
        send_to_owner(&ledger, ClaimImage::new(key.clone(), user("ann")));
        block_on(ledger.run_alarms());
        let row = row(&ledger, &key);
        send_to_owner(&ledger, RemoveImage { row, ..RemoveImage::new(key) });
        run_alarms_for(&ledger, 20 * HOUR_MS);
        run_alarms_for(&ledger, 80 * HOUR_MS);
        let log = log.borrow();
        let delivered = log.iter().filter(|it| it.2);
        let delivered: Vec<_> =
            delivered.map(|(_, id, _)| id.split('-').next().expect("a type")).collect();
        assert_eq!(delivered, ["image_stored", "image_claimed", "image_deleted"], "{fails:x}");
    }
}

#[test]
fn a_restart_during_an_attempt_repeats_it_with_the_same_id_and_body() {
    let ledger = eventful();
    upload(&ledger, 1, Disposition::Register);
    let storage = ledger.deps.storages.borrow()["user:7"].clone();
    // The request was sent, and the ledger dies before the answer arrives.
    ledger.deps.back_end_turns.set(1);
    storage.clear_alarm();
    let mut alarm = Box::pin(async {
        LedgerService { storage: &*storage, deps: &ledger.deps }.run_alarm().await
    });
    assert!(alarm.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(alarm);
    ledger.restart();
    ledger.deps.back_end_turns.set(0);
    // The platform runs an alarm again that did not end.
    block_on(LedgerService { storage: &*storage, deps: &ledger.deps }.run_alarm()).expect("ran");
    assert_eq!(types(&ledger), ["image.stored"]);
}

#[test]
fn an_upload_that_waits_gets_the_answer_and_the_alarm_does_not_send_it_again() {
    let ledger = eventful();
    *ledger.deps.back_end.borrow_mut() = Some(Box::new(|_, _| {
        Ok(Answer { server_data: Some(serde_json::json!({"id": 7})), decision: None })
    }));
    let stored = |content: u8| {
        let key = store(&ledger, &grant(&ledger), content);
        let image = image(&key, &content.to_string(), NOW_MS);
        let disposition = Disposition::Register;
        send_to_owner(&ledger, CommitUpload { image, disposition, waits: true });
        key
    };
    let key = stored(1);
    run_alarms(&ledger);
    let answer = send_to_owner(&ledger, AwaitAnswer { key: key.clone() });
    assert_eq!(answer, Some(serde_json::json!({"id": 7})));
    assert_eq!(send_to_owner(&ledger, AwaitAnswer { key }), None, "it was delivered");
    // Nobody asks: the alarm sends it.
    stored(2);
    run_alarms_for(&ledger, MINUTE_MS);
    assert_eq!(ledger.deps.event_counts.borrow()["delivered"], 2);
    // It fails, and is repeated by the alarm.
    let log = failing(&ledger, |attempt, _| attempt == 1);
    let key = stored(3);
    assert_eq!(send_to_owner(&ledger, AwaitAnswer { key }), None);
    run_alarms_for(&ledger, MINUTE_MS);
    let log = log.borrow();
    assert!(matches!(&**log, [(_, a, false), (_, b, true)] if a == b), "{log:?}");
}

#[test]
fn an_event_of_the_database_is_queued_once_and_sent_again_on_request() {
    let ledger = eventful();
    let event = settings().user(EventType::UserSignedUp, NOW_MS, "7", "7", None).expect("wanted");
    let enqueue = || EnqueueEvent { event: event.clone(), stream: "user:7".to_owned() };
    send_to_owner(&ledger, enqueue());
    send_to_owner(&ledger, enqueue());
    assert_eq!(types(&ledger), ["user.signed_up"]);
    let log = failing(&ledger, |attempt, _| attempt == 1);
    send_to_owner(&ledger, enqueue());
    run_alarms(&ledger);
    send_to_owner(&ledger, enqueue());
    run_alarms(&ledger);
    assert!(matches!(&**log.borrow(), [(0, _, false), (0, _, true)]), "{log:?}");
}

#[test]
fn clean_up_comes_first_and_a_run_makes_four_deliveries() {
    let ledger = eventful();
    let limits =
        edge_types::UploadLimits { daily_count: 100, rate_per_minute: 100, ..super::LIMITS };
    for content in 1..=9 {
        let admission = send_to_owner(&ledger, AdmitUpload { limits, ..ADMIT });
        let key = store(&ledger, &admission.outcome.expect("admitted"), content);
        commit(&ledger, &key, content, PENDING);
    }
    let objects_left = Rc::new(RefCell::new(Vec::new()));
    let (left, objects) = (Rc::clone(&objects_left), Rc::clone(&ledger.deps.store));
    *ledger.deps.back_end.borrow_mut() = Some(Box::new(move |_, _| {
        left.borrow_mut().push(objects.objects.borrow().len());
        Err(DeliveryError::Timeout)
    }));
    wait(&ledger, HOUR_MS);
    block_on(ledger.run_alarms());
    assert_eq!(*objects_left.borrow(), [0; 4], "all had expired before the first attempt");
}

#[test]
fn a_backlog_of_a_million_events_drains() {
    // A back end's ledger has half of it, and a thousand users have the rest.
    let mut deps = FakeLedgerDeps::default();
    deps.clock_ms.set(NOW_MS);
    deps.event_settings = Some(settings());
    let (delivered, sum) = (Rc::new(Cell::new(0_u64)), Rc::new(Cell::new(0_u64)));
    let counts = (Rc::clone(&delivered), Rc::clone(&sum));
    deps.back_end = RefCell::new(Some(Box::new(move |event, _| {
        counts.0.set(counts.0.get() + 1);
        let number: u64 = event.id.parse().expect("a number");
        counts.1.set(counts.1.get() + number);
        Ok(Answer::default())
    })));
    let event = |number: u64| WebhookEvent {
        id: number.to_string(),
        event_type: EventType::ImageStored,
        body: String::new(),
    };
    let (mut number, mut runs) = (0_u64, 0_u64);
    for (ledgers, events) in [(1, 500_000), (1_000, 500)] {
        for _ in 0..ledgers {
            let storage: CachedStorage<FakeLedgerStorage> = CachedStorage::fake();
            for _ in 0..events {
                number += 1;
                let stream = format!("{number:07}");
                storage.push_event(&stream, event(number), NOW_MS, true).expect("written");
            }
            let service = LedgerService { storage: &storage, deps: &deps };
            block_on(storage.set_alarm()).expect("set");
            while storage.alarm_ms().is_some_and(|alarm_ms| alarm_ms <= deps.now()) {
                runs += 1;
                block_on(service.run_alarm()).expect("ran");
            }
        }
    }
    assert_eq!((delivered.get(), sum.get()), (1_000_000, 1_000_000 * 1_000_001 / 2));
    assert_eq!(runs, 250_000, "four deliveries a run");
}

impl FakeLedgerDeps {
    fn now(&self) -> u64 {
        self.clock_ms.get()
    }
}

#[test]
fn the_endpoint_is_tried_by_one_of_concurrent_ledgers() {
    let registry = FakeRegistry::default();
    let record = edge_registry::EventRecord {
        id: "1".to_owned(),
        event_type: "image.stored".to_owned(),
        subject: "user:7".to_owned(),
        stream: "user:7".to_owned(),
        body: "{}".to_owned(),
        created_ms: 0,
    };
    let failure = FailedDelivery {
        event: &record,
        tries: 1,
        error: "timeout",
        now_ms: 1_000,
        next_ms: Some(6_000),
        is_gone: false,
    };
    block_on(async {
        registry.note_failure(&failure).await.expect("noted");
        assert!(registry.take_probe(1_000, 21_000).await.expect("asked"), "at once");
        assert!(!registry.take_probe(20_999, 40_000).await.expect("asked"));
        registry.note_failure(&failure).await.expect("noted");
        assert!(!registry.take_probe(5_999, 40_000).await.expect("asked"), "after 5 s");
        assert!(registry.take_probe(6_000, 40_000).await.expect("asked"));
    });
}

#[test]
fn answers_are_read_leniently() {
    let read = |text: &str| Answer::read(text.as_bytes());
    let data = serde_json::json!({"id": 7});
    let answer = read(r#"{"serverData":{"id":7},"decision":"refuse","reason":"a logo"}"#);
    assert_eq!(answer.server_data, Some(data));
    let refused = crate::Verdict::Refuse { reason: Some("a logo".to_owned()) };
    assert_eq!(answer.decision, Some(refused));
    assert_eq!(read(r#"{"decision":"release"}"#).decision, Some(crate::Verdict::Release));
    for garbage in ["", "ok", "[1]", "\u{0}", r#"{"decision":"maybe","serverData":null}"#] {
        assert_eq!(read(garbage), Answer::default(), "{garbage}");
    }
    let large = format!(r#"{{"serverData":"{}"}}"#, "x".repeat(4 * 1024));
    assert_eq!(read(&large), Answer::default());
    let largest = format!(r#"{{"serverData":"{}"}}"#, "x".repeat(4 * 1024 - 2));
    assert!(read(&largest).server_data.is_some());
    let deep = "[".repeat(100_000);
    assert_eq!(read(&deep), Answer::default());
}

#[test]
fn every_pause_is_longer_than_the_one_before() {
    let pauses: Vec<_> = (1..=9).map(|tries| crate::webhook::pause_ms(tries, 0)).collect();
    assert!(pauses.is_sorted() && pauses[0] == Some(5_000) && pauses[8] == Some(86_400_000));
    assert_eq!(crate::webhook::pause_ms(10, 0), None);
    assert_eq!(crate::webhook::pause_ms(1, u64::MAX).map(|ms| ms < 6_000), Some(true));
    let stream =
        EventQueue { stream: "user:7".to_owned(), due_ms: 0, tries: 0, events: Vec::new() };
    assert_eq!(stream.subject(), "user:7");
}

#[test]
fn a_held_picture_is_decided_by_a_reviewer_or_by_the_answer_of_the_back_end() {
    let stored = |ledger: &FakeLedger, content: u8| {
        let grant = grant(ledger);
        let key = grant.upload_key.object_key(image_rules::Format::Png).expect("a key");
        let sha256 = edge_types::hex::encode(&[content; 32]);
        let image = crate::StoredImage { is_held: true, ..image(&key, &sha256, NOW_MS) };
        let object = edge_storage::NewObject {
            key: &image.object(),
            bytes: vec![content],
            format: image.format,
            sha256: [content; 32],
            metadata: edge_storage::ObjectMetadata::default(),
        };
        block_on(edge_storage::ObjectStore::put(&*ledger.deps.store, object)).expect("stored");
        let disposition = Disposition::Register;
        send_to_owner(ledger, CommitUpload { image, disposition, waits: false });
        key
    };
    let ledger = eventful();
    let key = stored(&ledger, 1);
    assert_eq!(types(&ledger), ["image.stored", "image.held"]);
    send_to_owner(&ledger, crate::ReleaseImage { key });
    assert_eq!(types(&ledger)[2..], ["image.released"]);
    let key = stored(&ledger, 2);
    let reason = "a logo".to_owned();
    send_to_owner(&ledger, crate::RefuseImage { key, reason, place: None });
    let reasons = sent(&ledger, "reason");
    assert_eq!(reasons.last(), Some(&("image.refused", "a logo".into())));
    for (verdict, expected) in [
        (crate::Verdict::Release, "image_released"),
        (crate::Verdict::Refuse { reason: Some("a logo".to_owned()) }, "image_refused"),
    ] {
        let ledger = eventful();
        let log: Rc<Log> = Rc::default();
        let entries = Rc::clone(&log);
        *ledger.deps.back_end.borrow_mut() = Some(Box::new(move |event, _| {
            entries.borrow_mut().push((0, event.id.clone(), true));
            let is_held = event.event_type == EventType::ImageHeld;
            Ok(Answer { decision: is_held.then(|| verdict.clone()), ..Answer::default() })
        }));
        stored(&ledger, 3);
        run_alarms(&ledger);
        let last = log.borrow().last().expect("sent").1.clone();
        assert!(last.starts_with(expected), "{last}");
    }
}
