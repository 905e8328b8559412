//! Uploads, claims, reviews, removals and alarms in any order, each of which may be cancelled at any await, while the
//! store and the registry fail and recover and the ledger restarts: nothing that was acknowledged is lost, and
//! in the end nothing else remains.

mod slow;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use edge_registry::{ImageRow, Review};
use edge_storage::{NewObject, ObjectKey, ObjectMetadata, ObjectStore};
use edge_types::{Clock, UploadLimits, hex};
use futures_executor::block_on;
use image_rules::Format;
use proptest::prelude::*;

use super::{image, user};
use crate::{
    AdmitUpload, CachedStorage, ClaimImage, ClaimOutcome, CommitOutcome, CommitUpload, Disposition,
    LedgerCommand, LedgerRequest, LedgerService, LedgerStorage, RefuseImage, ReleaseImage,
    ReleaseUpload, RemoveImage, StoredImage,
    testing::{FakeLedgerDeps, FakeLedgerStorage},
};
use slow::{DEADLINE_MS, Slow};

const SUBJECT: &str = "user:7";
const LEASE_S: u32 = 300;
const PENDING_S: u32 = 3600;
const LIMITS: UploadLimits =
    UploadLimits { rate_per_minute: 1000, daily_count: 1000, daily_bytes: 1 << 40 };
type Task = Pin<Box<dyn Future<Output = ()>>>;

/// One ledger, and what its callers have seen.
struct TestHarness {
    storage: CachedStorage<FakeLedgerStorage>,
    deps: Slow,
    /// The acknowledged pending images, and when each expires.
    pending: RefCell<BTreeMap<String, u64>>,
    /// The acknowledged registered images, and the owner of each.
    kept: RefCell<BTreeMap<String, String>>,
    /// Every key that a caller has seen.
    seen: RefCell<Vec<ObjectKey>>,
    /// The images whose removal was begun.
    removed: RefCell<BTreeSet<String>>,
}

impl TestHarness {
    fn new() -> Rc<Self> {
        let clock_ms = Rc::new(Cell::new(1_763_114_400_000));
        let inner = FakeLedgerDeps { clock_ms, ..FakeLedgerDeps::default() };
        Rc::new(Self {
            storage: CachedStorage::fake(),
            deps: Slow { inner, rows: RefCell::default() },
            pending: RefCell::default(),
            kept: RefCell::default(),
            seen: RefCell::default(),
            removed: RefCell::default(),
        })
    }

    fn wait(&self, ms: u64) {
        let clock_ms = &self.deps.inner.clock_ms;
        clock_ms.set(clock_ms.get() + ms);
    }

    fn service(&self) -> LedgerService<'_, FakeLedgerStorage, Slow> {
        LedgerService { storage: &self.storage, deps: &self.deps }
    }

    async fn send<C: LedgerCommand>(&self, command: C) -> C::Reply {
        let request = LedgerRequest { subject: SUBJECT.to_owned(), command: command.into() };
        let reply = self.service().execute(request).await.expect("memory does not fail");
        serde_json::from_str(&reply).expect("the reply of this command")
    }

    /// Does what the Worker does: admits, stores and commits an upload, and deletes what was not accepted.
    async fn upload(self: Rc<Self>, content: u8, disposition: Disposition, is_held: bool) {
        let admit = AdmitUpload { limits: LIMITS, bytes: 100, lease_s: LEASE_S, ticket: None };
        let grant = self.send(admit).await.outcome.expect("far below the limits");
        self.deps.pause().await;
        if self.deps.now_ms() >= grant.until_ms {
            return;
        }
        let key = grant.upload_key.object_key(Format::Png).expect("a key");
        // A held image is of another form, so it is no duplicate of others.
        let form_id = is_held.then(|| "held".to_owned());
        let digest = hex::encode(&[content; 32]);
        let image = StoredImage { form_id, is_held, ..image(&key, &digest, self.deps.now_ms()) };
        let object = NewObject {
            key: &image.object(),
            bytes: vec![content],
            format: Format::Png,
            sha256: [content; 32],
            metadata: ObjectMetadata::default(),
        };
        if self.deps.put(object).await.is_ok() {
            let written = image.object();
            match self.send(CommitUpload { image, disposition, waits: false }).await {
                CommitOutcome::Accepted(receipt) | CommitOutcome::Same(receipt)
                    if receipt.image.key == key =>
                {
                    return self.acknowledge(&receipt.image.key, receipt.expires_ms, "7");
                }
                CommitOutcome::Same(receipt) => {
                    self.acknowledge(&receipt.image.key, receipt.expires_ms, "");
                }
                CommitOutcome::Accepted(_) => panic!("another key was accepted"),
                CommitOutcome::Lapsed | CommitOutcome::Unregistered => {}
            }
            // The alarm deletes the object in any case.
            let _ = self.deps.delete(&written).await;
            return;
        }
        self.send(ReleaseUpload { upload_key: grant.upload_key, may_be_stored: true }).await;
    }

    /// `owner` is empty when the caller does not see it.
    fn acknowledge(&self, key: &ObjectKey, expires_ms: Option<u64>, owner: &str) {
        self.seen.borrow_mut().push(key.clone());
        if self.removed.borrow().contains(key.as_str()) {
            return;
        }
        if let Some(expires_ms) = expires_ms {
            self.pending.borrow_mut().insert(key.to_string(), expires_ms);
            return;
        }
        let mut kept = self.kept.borrow_mut();
        let known_owner = kept.entry(key.to_string()).or_default();
        if !owner.is_empty() {
            owner.clone_into(known_owner);
        }
    }

    async fn claim(self: Rc<Self>, key: ObjectKey, claimant: &'static str) {
        let claim = ClaimImage::new(key.clone(), user(claimant));
        if let ClaimOutcome::Claimed(receipt) = self.send(claim).await {
            assert!(
                self.kept.borrow().get(key.as_str()).is_none_or(String::is_empty),
                "{key} was claimed twice"
            );
            self.acknowledge(&receipt.image.key, receipt.expires_ms, claimant);
        }
    }

    async fn remove(self: Rc<Self>, key: ObjectKey) {
        self.removed.borrow_mut().insert(key.to_string());
        self.pending.borrow_mut().remove(key.as_str());
        self.kept.borrow_mut().remove(key.as_str());
        self.send(RemoveImage::new(key)).await;
    }

    /// Releases or refuses an image. Of one that the ledger has forgotten, the database is asked, which may fail.
    async fn decide(self: Rc<Self>, key: ObjectKey, is_released: bool) {
        let command = if is_released {
            ReleaseImage { key }.into()
        } else {
            RefuseImage { key, reason: "no".to_owned(), place: None }.into()
        };
        let _ =
            self.service().execute(LedgerRequest { subject: SUBJECT.to_owned(), command }).await;
    }

    async fn run_alarm(self: Rc<Self>) {
        self.storage.clear_alarm();
        self.service().run_alarm().await.expect("memory does not fail");
    }

    /// Ends all failures, runs the alarms until none is set, and checks what is left.
    fn finish(self: Rc<Self>) {
        self.deps.settle(|_| true);
        self.deps.inner.store.broken.set(false);
        self.deps.inner.registry.broken.set(false);
        self.deps.inner.registry.silent.set(false);
        // A command of a later day sets the alarm if it was cancelled before it could.
        block_on(self.storage.set_alarm()).expect("memory does not fail");
        while let Some(alarm_ms) = self.storage.alarm_ms() {
            self.wait(alarm_ms.saturating_sub(self.deps.now_ms()));
            block_on(self.clone().run_alarm());
            self.check();
        }
        self.check_end();
    }

    /// Checks that everything that was acknowledged exists.
    fn check(&self) {
        let now_ms = self.deps.now_ms();
        let objects = self.deps.inner.store.objects.borrow();
        let rows = self.deps.inner.registry.rows.borrow();
        // A held object may have been copied already.
        let is_stored = |key: &str| {
            objects.contains_key(key) || objects.contains_key(&format!("private/{key}"))
        };
        let is_refused = |key: &str| {
            rows.iter().any(|row| row.key == *key && row.review == Some(Review::Refused))
        };
        for key in self.kept.borrow().keys() {
            let row = rows.iter().find(|row| row.key == *key);
            let row = row.unwrap_or_else(|| panic!("{key} lost its row"));
            assert!(is_refused(key) || is_stored(key), "{key} was registered and is lost");
            let is_public = objects.contains_key(key);
            assert!(row.review != Some(Review::Released) || is_public, "{key} was released");
        }
        for (key, expires_ms) in self.pending.borrow().iter() {
            // It may have been claimed, although the reply was lost.
            let is_there = is_stored(key) || is_refused(key);
            assert!(*expires_ms <= now_ms || is_there, "{key} is lost");
        }
    }

    /// Checks that nothing else exists, after the last alarm.
    fn check_end(&self) {
        let kept = self.kept.borrow();
        let objects = self.deps.inner.store.objects.borrow();
        let rows = self.deps.inner.registry.rows.borrow();
        let expected: BTreeSet<_> = rows.iter().filter_map(ImageRow::object).collect();
        let expected: BTreeSet<_> = expected.iter().map(ObjectKey::as_str).collect();
        assert_eq!(objects.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);
        assert_eq!(rows.iter().map(|row| &row.key).collect::<BTreeSet<_>>().len(), rows.len());
        assert_eq!(rows.len(), kept.len(), "rows");
        assert!(self.storage.rows().is_empty(), "the ledger is at rest and deleted");
        for row in rows.iter() {
            let owner = kept.get(&row.key).expect("only acknowledged images have a row");
            assert!(owner.is_empty() || *owner == row.owner, "{} has another owner", row.key);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Upload(u8, bool, bool),
    Decide(prop::sample::Index, bool),
    Claim(prop::sample::Index, bool),
    Remove(prop::sample::Index),
    RunAlarm,
    /// One task runs until its next await.
    Resume(prop::sample::Index),
    /// All tasks run until they end.
    Finish,
    /// One task is cancelled where it awaits.
    Cancel(prop::sample::Index),
    /// The ledger loses its memory, and every task with it.
    Restart,
    Wait(u64),
    /// Which parts fail from now on.
    Outage {
        store: bool,
        registry: bool,
        silent: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => (0_u8..3, any::<bool>(), any::<bool>())
            .prop_map(|(content, pending, is_held)| Step::Upload(content, pending, is_held)),
        2 => (index(), any::<bool>()).prop_map(|(which, is_ok)| Step::Decide(which, is_ok)),
        3 => (index(), any::<bool>()).prop_map(|(which, is_ann)| Step::Claim(which, is_ann)),
        1 => index().prop_map(Step::Remove),
        3 => Just(Step::RunAlarm),
        30 => index().prop_map(Step::Resume),
        1 => index().prop_map(Step::Cancel),
        2 => Just(Step::Finish),
        1 => Just(Step::Restart),
        2 => (0_u64..400_000).prop_map(Step::Wait),
        // Just before and at the ends of waits, leases and expiries.
        4 => prop::sample::select(vec![59_999, 60_000, 299_999, 300_000, 3_540_000, 3_600_000])
            .prop_map(Step::Wait),
        1 => (any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(store, registry, silent)| Step::Outage { store, registry, silent }),
    ]
}

fn poll_once(task: &mut Task) -> Poll<()> {
    task.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn run(steps: Vec<Step>) {
    let harness = TestHarness::new();
    let mut tasks: Vec<Task> = Vec::new();
    for step in steps {
        let seen = |which: prop::sample::Index| {
            let seen = harness.seen.borrow();
            (!seen.is_empty()).then(|| seen[which.index(seen.len())].clone())
        };
        match step {
            Step::Upload(content, pending, is_held) => {
                let pending = pending.then_some(Disposition::Pending { for_s: PENDING_S });
                let disposition = pending.unwrap_or(Disposition::Register);
                tasks.push(Box::pin(harness.clone().upload(content, disposition, is_held)));
            }
            Step::Decide(which, is_released) => {
                let decision = seen(which).map(|key| harness.clone().decide(key, is_released));
                tasks.extend(decision.map(|decision| Box::pin(decision) as Task));
            }
            Step::Claim(which, is_ann) => {
                let claimant = if is_ann { "ann" } else { "bob" };
                let claim = seen(which).map(|key| harness.clone().claim(key, claimant));
                tasks.extend(claim.map(|claim| Box::pin(claim) as Task));
            }
            Step::Remove(which) => {
                let removal = seen(which).map(|key| harness.clone().remove(key));
                tasks.extend(removal.map(|removal| Box::pin(removal) as Task));
            }
            Step::RunAlarm => tasks.push(Box::pin(harness.clone().run_alarm())),
            Step::Resume(which) if !tasks.is_empty() => {
                let at = which.index(tasks.len());
                if poll_once(&mut tasks[at]).is_ready() {
                    drop(tasks.remove(at));
                }
            }
            Step::Finish => tasks.drain(..).for_each(block_on),
            Step::Cancel(which) if !tasks.is_empty() => {
                drop(tasks.remove(which.index(tasks.len())));
            }
            Step::Restart => {
                tasks.clear();
                harness.storage.restart();
            }
            Step::Resume(_) | Step::Cancel(_) => {}
            Step::Wait(ms) => {
                if ms >= DEADLINE_MS {
                    harness.deps.settle(|at| (ms >> at) & 1 == 1);
                }
                harness.wait(ms);
            }
            Step::Outage { store, registry, silent } => {
                harness.deps.inner.store.broken.set(store);
                harness.deps.inner.registry.broken.set(registry);
                harness.deps.inner.registry.silent.set(silent);
            }
        }
        harness.check();
    }
    drop(tasks);
    harness.finish();
}

#[test]
fn a_row_that_arrives_while_a_long_removal_runs_is_removed() {
    let harness = TestHarness::new();
    block_on(harness.clone().upload(0, Disposition::Pending { for_s: PENDING_S }, false));
    let key = harness.seen.borrow()[0].clone();
    let mut claim: Task = Box::pin(harness.clone().claim(key.clone(), "ann"));
    assert!(poll_once(&mut claim).is_pending(), "the row is in flight");
    drop(claim);
    let mut removal: Task = Box::pin(harness.clone().remove(key));
    assert!(poll_once(&mut removal).is_pending(), "before the row is removed");
    assert!(poll_once(&mut removal).is_pending(), "after it");
    harness.deps.settle(|_| true);
    assert_eq!(harness.deps.inner.registry.rows.borrow().len(), 1, "the row has arrived");
    harness.wait(u64::from(LEASE_S) * 1000);
    block_on(removal);
    harness.finish();
}

#[test]
fn an_image_that_is_refused_during_a_second_claim_keeps_its_row() {
    let harness = TestHarness::new();
    block_on(harness.clone().upload(0, Disposition::Pending { for_s: PENDING_S }, true));
    let key = harness.seen.borrow()[0].clone();
    let mut second: Task = Box::pin(harness.clone().claim(key.clone(), "ann"));
    assert!(poll_once(&mut second).is_pending(), "its row is in flight");
    block_on(harness.clone().claim(key.clone(), "ann"));
    let mut refusal: Task = Box::pin(harness.clone().decide(key, false));
    assert!(poll_once(&mut refusal).is_pending());
    block_on(second);
    block_on(refusal);
    harness.finish();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_acknowledged_is_lost_and_nothing_else_remains(
        steps in prop::collection::vec(step(), 1..250),
    ) {
        run(steps);
    }
}
