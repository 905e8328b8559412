//! Uploads, claims, removals and alarms in any order, each of which may be cut off at any wait, while
//! the store and the registry come and go: nothing that was acknowledged is lost, and in the end
//! nothing else remains.

mod slow;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    rc::Rc,
    task::{Context, Waker},
};

use futures_executor::block_on;
use image_rules::Format;
use proptest::prelude::*;

use super::{
    desk::{Desk, Reach},
    memory::{MemoryReach, MemoryShelf},
    message::{
        Admit, Claim, Claimed, Commit, Commitment, Disposition, Envelope, Question, Release, Reply,
        Terms,
    },
    shelf::Shelf,
    tests::record,
};
use crate::{
    auth::UserId,
    storage::{NewObject, ObjectKey, ObjectMetadata, ObjectStore},
};
use slow::{DEADLINE_MS, Slow};

const LEASE_S: u32 = 300;
const PENDING_S: u32 = 3600;
const TERMS: Terms = Terms { rate_per_minute: 1000, daily_count: 1000, daily_bytes: 1 << 40 };
type Task = Pin<Box<dyn Future<Output = ()>>>;

/// One account, and what its callers were told.
struct World {
    shelf: MemoryShelf,
    reach: Slow,
    /// Acknowledged and pending: until when.
    pending: RefCell<BTreeMap<String, u64>>,
    /// Acknowledged and registered: whose.
    kept: RefCell<BTreeMap<String, String>>,
    /// Every key that was ever told.
    told: RefCell<Vec<ObjectKey>>,
    /// Whose removal was begun.
    removed: RefCell<BTreeSet<String>>,
}

impl World {
    async fn ask(&self, question: Question) -> Reply {
        let desk = Desk { shelf: &self.shelf, reach: &self.reach };
        let envelope = Envelope { account: "user:7".to_owned(), question };
        desk.answer(envelope).await.expect("memory does not fail")
    }

    /// As the Worker does it: write down, store, commit; tidy up what was not accepted.
    async fn upload(self: Rc<Self>, content: u8, disposition: Disposition) {
        let admit = Admit { terms: TERMS, bytes: 100, lease_s: LEASE_S, ticket: None };
        let Reply::Admission(admission) = self.ask(Question::Admit(admit)).await else { panic!() };
        let leave = admission.outcome.expect("far below the limits");
        self.reach.turn().await;
        if self.reach.now_ms() >= leave.until_ms {
            return;
        }
        let key = leave.stem.key(Format::Png).expect("a key");
        let sha256 = [content; 32];
        let bytes = vec![content];
        let metadata = ObjectMetadata::default();
        let object = NewObject { key: &key, bytes, format: Format::Png, sha256, metadata };
        if self.reach.put(object).await.is_ok() {
            let record = record(&key, &content.to_string(), self.reach.now_ms());
            let question = Question::Commit(Commit { record, disposition });
            let Reply::Commitment(commitment) = self.ask(question).await else { panic!() };
            match commitment {
                Commitment::Accepted(receipt) | Commitment::Same(receipt)
                    if receipt.record.key == key =>
                {
                    return self.acknowledge(&receipt.record.key, receipt.expires_ms, "7");
                }
                Commitment::Same(receipt) => {
                    self.acknowledge(&receipt.record.key, receipt.expires_ms, "");
                }
                Commitment::Accepted(_) => panic!("another key was accepted"),
                Commitment::Lapsed | Commitment::Unregistered => {}
            }
            // The alarm looks again in any case.
            let _ = self.reach.delete(&key).await;
            return;
        }
        self.ask(Question::Release(Release { stem: leave.stem, stored_maybe: true })).await;
    }

    /// `owner` is empty when it is not told.
    fn acknowledge(&self, key: &ObjectKey, expires_ms: Option<u64>, owner: &str) {
        self.told.borrow_mut().push(key.clone());
        if self.removed.borrow().contains(key.as_str()) {
            return;
        }
        if let Some(expires_ms) = expires_ms {
            self.pending.borrow_mut().insert(key.to_string(), expires_ms);
            return;
        }
        let mut kept = self.kept.borrow_mut();
        let whose = kept.entry(key.to_string()).or_default();
        if !owner.is_empty() {
            owner.clone_into(whose);
        }
    }

    async fn claim(self: Rc<Self>, key: ObjectKey, by: &'static str) {
        let claimant = UserId::parse(by).expect("valid");
        let question = Question::Claim(Claim {
            key: key.clone(),
            by: claimant,
            form_id: None,
            original_name: None,
        });
        let Reply::Claimed(claimed) = self.ask(question).await else { panic!() };
        if let Claimed::Now(receipt) = claimed {
            assert!(
                self.kept.borrow().get(key.as_str()).is_none_or(String::is_empty),
                "{key} was claimed twice"
            );
            self.acknowledge(&receipt.record.key, receipt.expires_ms, by);
        }
    }

    async fn remove(self: Rc<Self>, key: ObjectKey) {
        self.removed.borrow_mut().insert(key.to_string());
        self.pending.borrow_mut().remove(key.as_str());
        self.kept.borrow_mut().remove(key.as_str());
        self.ask(Question::Remove { key }).await;
    }

    async fn ring(self: Rc<Self>) {
        let desk = Desk { shelf: &self.shelf, reach: &self.reach };
        desk.alarm().await.expect("memory does not fail");
    }

    /// What was acknowledged is there.
    fn check(&self) {
        let now_ms = self.reach.now_ms();
        let objects = self.reach.inner.store.objects.borrow();
        let rows = self.reach.inner.registry.rows.borrow();
        for key in self.kept.borrow().keys() {
            assert!(objects.contains_key(key), "{key} was registered and is lost");
            assert!(rows.iter().any(|row| row.key == *key), "{key} lost its row");
        }
        for (key, expires_ms) in self.pending.borrow().iter() {
            assert!(*expires_ms <= now_ms || objects.contains_key(key), "{key} is lost");
        }
    }

    /// After all has come to its end, nothing else is there.
    fn check_end(&self) {
        let kept = self.kept.borrow();
        let objects = self.reach.inner.store.objects.borrow();
        let rows = self.reach.inner.registry.rows.borrow();
        let keys: Vec<_> = kept.keys().collect();
        assert_eq!(objects.keys().collect::<Vec<_>>(), keys, "objects");
        assert_eq!(rows.iter().map(|row| &row.key).collect::<BTreeSet<_>>().len(), rows.len());
        assert_eq!(rows.len(), kept.len(), "rows");
        for row in rows.iter() {
            let owner = kept.get(&row.key).expect("only what was acknowledged has a row");
            assert!(owner.is_empty() || *owner == row.owner, "{} is another's", row.key);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Upload(u8, bool),
    Claim(prop::sample::Index, bool),
    Remove(prop::sample::Index),
    Ring,
    /// One task goes on to its next wait.
    Go(prop::sample::Index),
    /// All tasks go on to their ends.
    GoOn,
    /// One task is cut off where it waits.
    Cut(prop::sample::Index),
    Wait(u64),
    Weather {
        store: bool,
        registry: bool,
        silent: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => (0_u8..3, any::<bool>()).prop_map(|(content, pending)| Step::Upload(content, pending)),
        3 => (index(), any::<bool>()).prop_map(|(which, who)| Step::Claim(which, who)),
        1 => index().prop_map(Step::Remove),
        3 => Just(Step::Ring),
        30 => index().prop_map(Step::Go),
        1 => index().prop_map(Step::Cut),
        2 => Just(Step::GoOn),
        2 => (0_u64..400_000).prop_map(Step::Wait),
        // Just before and at the ends of waits, leases and expiries.
        4 => prop::sample::select(vec![59_999, 60_000, 299_999, 300_000, 3_540_000, 3_600_000])
            .prop_map(Step::Wait),
        1 => (any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(store, registry, silent)| Step::Weather { store, registry, silent }),
    ]
}

fn live(steps: Vec<Step>) {
    let clock_ms = Rc::new(Cell::new(1_763_114_400_000));
    let inner = MemoryReach { clock_ms: clock_ms.clone(), ..MemoryReach::default() };
    let world = Rc::new(World {
        shelf: MemoryShelf::default(),
        reach: Slow { inner, rows: RefCell::default() },
        pending: RefCell::default(),
        kept: RefCell::default(),
        told: RefCell::default(),
        removed: RefCell::default(),
    });
    let mut tasks: Vec<Task> = Vec::new();
    for step in steps {
        let told = |which: prop::sample::Index| {
            let told = world.told.borrow();
            (!told.is_empty()).then(|| told[which.index(told.len())].clone())
        };
        match step {
            Step::Upload(content, pending) => {
                let pending = pending.then_some(Disposition::Pending { for_s: PENDING_S });
                let disposition = pending.unwrap_or(Disposition::Register);
                tasks.push(Box::pin(world.clone().upload(content, disposition)));
            }
            Step::Claim(which, who) => {
                let by = if who { "ann" } else { "bob" };
                let claim = told(which).map(|key| world.clone().claim(key, by));
                tasks.extend(claim.map(|claim| Box::pin(claim) as Task));
            }
            Step::Remove(which) => {
                let removal = told(which).map(|key| world.clone().remove(key));
                tasks.extend(removal.map(|removal| Box::pin(removal) as Task));
            }
            Step::Ring => tasks.push(Box::pin(world.clone().ring())),
            Step::Go(which) if !tasks.is_empty() => {
                let at = which.index(tasks.len());
                let mut context = Context::from_waker(Waker::noop());
                if tasks[at].as_mut().poll(&mut context).is_ready() {
                    drop(tasks.remove(at));
                }
            }
            Step::GoOn => tasks.drain(..).for_each(block_on),
            Step::Cut(which) if !tasks.is_empty() => {
                drop(tasks.remove(which.index(tasks.len())));
            }
            Step::Go(_) | Step::Cut(_) => {}
            Step::Wait(ms) => {
                if ms >= DEADLINE_MS {
                    world.reach.settle(|at| (ms >> at) & 1 == 1);
                }
                clock_ms.set(clock_ms.get() + ms);
            }
            Step::Weather { store, registry, silent } => {
                world.reach.inner.store.broken.set(store);
                world.reach.inner.registry.broken.set(registry);
                world.reach.inner.registry.silent.set(silent);
            }
        }
        world.check();
    }
    drop(tasks);
    world.reach.settle(|_| true);
    world.reach.inner.store.broken.set(false);
    world.reach.inner.registry.broken.set(false);
    world.reach.inner.registry.silent.set(false);
    while let Some(due_ms) = world.shelf.next_due_ms().expect("memory does not fail") {
        clock_ms.set(clock_ms.get().max(due_ms));
        block_on(world.clone().ring());
        world.check();
    }
    world.check_end();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_acknowledged_is_lost_and_nothing_else_remains(
        steps in prop::collection::vec(step(), 1..250),
    ) {
        live(steps);
    }
}
