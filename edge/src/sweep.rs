//! Compares registry, ledger and store, some at a time: rows without their object and objects that
//! nobody knows. It reports what it finds and repairs only as `SWEEP_REPAIR` says, only in the bucket of
//! this deployment, and only while little is missing: one lost object is lost, a thousand are elsewhere.

mod register;
mod tally;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{
    app::{App, Ports},
    auth::UserId,
    binding::{self, BindingFault, StoreBinding},
    config::SweepRepair,
    ledger::{Ledger, LedgerFault},
    log,
    registry::{Catalogue, Event, Registry, RegistryFault, Row},
    stats::{Series, SweepEnd, SweepStop},
    storage::{ObjectKey, ObjectStore, StoreFault},
};
use register::register;
use tally::Tally;

/// Rows in one run: each costs a look into the store, and the smallest plan of the platform allows
/// fifty requests to the outside, which an S3 service is.
const ROWS: u32 = 20;
/// Objects in one run: a page of the store, one question to the registry, and one to the ledger of
/// each owner of an object without row.
const OBJECTS: u32 = 100;
/// Owners whose ledgers are asked in one run.
const OWNERS: usize = 15;
/// Objects that are registered in one run: a request each, and one more where the bytes are needed. With
/// the rows, the listing and the id of the deployment that stays near fifty.
const REGISTRATIONS: usize = 20;

/// What one run looked at and found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// Rows that were looked at.
    pub rows: usize,
    /// Keys of rows whose object is not there.
    pub rows_without_object: Vec<String>,
    /// Objects that were looked at.
    pub objects: usize,
    /// Keys of objects that neither registry nor ledger knows.
    pub objects_without_row: Vec<String>,
    /// Whether what was found was removed.
    pub repaired: bool,
    /// How many of the objects were registered again.
    pub registered: usize,
    /// Whether the bucket belongs to the database.
    pub bucket: StoreBinding,
    /// Why nothing is repaired, whatever `SWEEP_REPAIR` says.
    pub stopped: Option<&'static str>,
}

impl Findings {
    fn stop(&mut self, stop: SweepStop) {
        self.stopped.get_or_insert(stop.name());
    }
}

/// What did not answer; the next run begins where this one did.
#[derive(Debug)]
pub enum SweepFault {
    /// The registry.
    Registry(RegistryFault),
    /// The store.
    Store(StoreFault),
    /// A ledger.
    Ledger(LedgerFault),
}

/// One run, whose end is counted, logged and remembered.
pub async fn tend<P: Ports>(app: &App<P>) {
    let tallies = &app.isolate.tallies;
    let end = match sweep(app).await {
        Ok(findings) => {
            let (rows, objects) = (findings.rows_without_object, findings.objects_without_row);
            tallies.count(Series::RowWithoutObject, rows.len() as u64);
            tallies.count(Series::ObjectWithoutRow, objects.len() as u64);
            let now_ms = app.ports.now_ms().to_string();
            if let Err(fault) = app.ports.registry().set_mark("finished", &now_ms).await {
                log::error("sweep_unmarked", &[("cause", &fault.0)]);
            }
            let is_clean = rows.is_empty() && objects.is_empty();
            if is_clean { SweepEnd::Clean } else { SweepEnd::Found }
        }
        Err(fault) => {
            log::error("sweep_failed", &[("cause", &format!("{fault:?}"))]);
            SweepEnd::Failed
        }
    };
    tallies.count(Series::Sweep(end), 1);
}

/// One run over the next rows and the next objects.
///
/// # Errors
/// Whatever does not answer.
pub async fn sweep<P: Ports>(app: &App<P>) -> Result<Findings, SweepFault> {
    let bucket = binding::check(app).await?;
    let mut findings = Findings { bucket, ..Findings::default() };
    if bucket != StoreBinding::Bound {
        stop(app, &mut findings, SweepStop::Bucket(bucket));
    }
    sweep_rows(app, &mut findings).await?;
    sweep_objects(app, &mut findings).await?;
    tell(app, &findings).await?;
    Ok(findings)
}

/// Nothing is repaired for this reason, and the team hears of it.
fn stop<P: Ports>(app: &App<P>, findings: &mut Findings, stop: SweepStop) {
    app.isolate.tallies.count(Series::SweepStop(stop), 1);
    findings.stop(stop);
}

/// What one run saw of a round through all rows, or all objects.
struct Round {
    mark: &'static str,
    /// Whether the round began with this run: what is missing is counted once in a round.
    is_start: bool,
    checked: usize,
    missing: usize,
}

/// Whether to repair what was found, when so much of what was looked at is missing. In a bucket that is
/// not this deployment's, what is missing says nothing.
async fn may<P: Ports>(
    app: &App<P>,
    findings: &mut Findings,
    Round { mark, is_start, checked, missing }: Round,
) -> Result<bool, SweepFault> {
    let registry = app.ports.registry();
    if findings.bucket != StoreBinding::Bound {
        registry.set_mark(mark, "").await?;
        return Ok(false);
    }
    let before =
        if is_start { Tally::default() } else { Tally::parse(&registry.mark(mark).await?) };
    let tally = before.with(checked, missing);
    registry.set_mark(mark, &tally.to_string()).await?;
    if tally.is_too_much() && missing > 0 {
        stop(app, findings, SweepStop::TooMuch);
    }
    Ok(!tally.is_too_much())
}

async fn sweep_rows<P: Ports>(app: &App<P>, findings: &mut Findings) -> Result<(), SweepFault> {
    let registry = app.ports.registry();
    let after = registry.mark("rows").await?.parse().unwrap_or(0);
    let rows = registry.rows_after(after, ROWS).await?;
    findings.rows = rows.len();
    let mut lost = Vec::new();
    for key in rows.iter().filter_map(|row| ObjectKey::parse(&row.key)) {
        let is_gone = app.ports.store().head(&key).await?.is_none();
        // It may have been deleted since the rows were read.
        if is_gone && registry.find(&key).await?.is_some() {
            lost.push(key);
        }
    }
    findings.rows_without_object = lost.iter().map(ToString::to_string).collect();
    let round = Round {
        mark: "rows checked",
        is_start: after == 0,
        checked: rows.len(),
        missing: lost.len(),
    };
    if may(app, findings, round).await? && app.config.sweep_repair == SweepRepair::Remove {
        for key in &lost {
            registry.remove(key).await?;
        }
        findings.repaired |= !lost.is_empty();
    }
    // From the beginning again after the last.
    let is_last = rows.len() < ROWS as usize;
    let next = rows.last().filter(|_| !is_last).map(|row: &Row| row.id.0.to_string());
    Ok(registry.set_mark("rows", &next.unwrap_or_default()).await?)
}

async fn sweep_objects<P: Ports>(app: &App<P>, findings: &mut Findings) -> Result<(), SweepFault> {
    let (registry, store) = (app.ports.registry(), app.ports.store());
    let mark = registry.mark("objects").await?;
    let after = Some(mark.as_str()).filter(|mark| !mark.is_empty());
    let page = match store.list(after, OBJECTS).await {
        Ok(page) => page,
        Err(fault) => {
            // A place in the listing may have grown too old: the next run begins anew.
            registry.set_mark("objects", "").await?;
            return Err(fault.into());
        }
    };
    findings.objects = page.keys.len();
    let ours: Vec<_> = page.keys.into_iter().filter(|key| is_settled(app, key)).collect();
    let checked = ours.len();
    let registered: BTreeSet<_> = registry.registered(&ours).await?.into_iter().collect();
    let unregistered = ours.into_iter().filter(|key| !registered.contains(key));
    let owners = by_owner(unregistered);
    let mut is_more = owners.len() > OWNERS;
    let mut strays = Vec::new();
    for (owner, keys) in owners.into_iter().take(OWNERS) {
        let known = app.ports.ledger().knows(&owner, keys.clone()).await?;
        let known: BTreeSet<_> = known.into_iter().map(|known| known.key).collect();
        let unknown = keys.into_iter().filter(|key| !known.contains(key));
        strays.extend(unknown.filter_map(|key| ObjectKey::parse(&key)));
    }
    findings.objects_without_row = strays.iter().map(ToString::to_string).collect();
    match app.config.sweep_repair {
        // Many objects without a row are what it is for: a database that was lost, not a bucket.
        SweepRepair::Register if findings.bucket == StoreBinding::Bound => {
            is_more |= strays.len() > REGISTRATIONS;
            for key in strays.iter().take(REGISTRATIONS) {
                findings.registered += usize::from(register(app, key).await?);
            }
        }
        SweepRepair::Register | SweepRepair::Off | SweepRepair::Remove => {
            let round = Round {
                mark: "objects checked",
                is_start: mark.is_empty(),
                checked,
                missing: strays.len(),
            };
            let may = may(app, findings, round).await?;
            if may && app.config.sweep_repair == SweepRepair::Remove {
                for key in &strays {
                    store.delete(key).await?;
                }
                findings.repaired |= !strays.is_empty();
            }
        }
    }
    // The rest of the page is registered by the next runs, before they go on.
    if findings.registered > 0 && is_more {
        return Ok(());
    }
    Ok(registry.set_mark("objects", &page.next.unwrap_or_default()).await?)
}

/// A picture of ours whose upload is over in any case; what else lies in the bucket is not ours to
/// judge.
fn is_settled<P: Ports>(app: &App<P>, key: &str) -> bool {
    let lease_ms = u64::from(app.config.uploads.intent_s) * 1000;
    ObjectKey::parse(key)
        .is_some_and(|key| key.written_ms().saturating_add(lease_ms) < app.ports.now_ms())
}

/// By whose ledger answers for them.
fn by_owner(keys: impl Iterator<Item = String>) -> Vec<(UserId, Vec<String>)> {
    let mut owners: BTreeMap<String, (UserId, Vec<String>)> = BTreeMap::new();
    for key in keys {
        if let Some(owner) = ObjectKey::parse(&key).and_then(|key| key.owner()) {
            owners.entry(owner.to_string()).or_insert((owner, Vec::new())).1.push(key);
        }
    }
    owners.into_values().collect()
}

/// One line in any case, and an event when something was found.
async fn tell<P: Ports>(app: &App<P>, findings: &Findings) -> Result<(), SweepFault> {
    let count = |number: usize| number.to_string();
    let fields = [
        ("rows", count(findings.rows)),
        ("rowsWithoutObject", count(findings.rows_without_object.len())),
        ("objects", count(findings.objects)),
        ("objectsWithoutRow", count(findings.objects_without_row.len())),
        ("registered", count(findings.registered)),
        ("bucket", findings.bucket.name().to_owned()),
        ("stopped", findings.stopped.unwrap_or("no").to_owned()),
    ];
    log::info("sweep", &fields.each_ref().map(|(name, value)| (*name, value.as_str())));
    if findings.rows_without_object.is_empty() && findings.objects_without_row.is_empty() {
        return Ok(());
    }
    let at_ms = app.ports.now_ms();
    let event = Event {
        mark: format!("sweep#{at_ms}"),
        at_ms,
        kind: "sweep".to_owned(),
        subject: "store".to_owned(),
        reason: reason(findings).to_owned(),
        until_ms: None,
        // Keys name users: the event has them, the log has not.
        detail: serde_json::to_string(findings).ok(),
    };
    Ok(app.ports.registry().event(&event).await?)
}

const fn reason(findings: &Findings) -> &'static str {
    match findings {
        Findings { repaired: true, .. } => "repaired",
        Findings { registered: 1.., .. } => "registered",
        Findings { stopped: Some(_), .. } => "stopped",
        _ => "found",
    }
}

impl From<BindingFault> for SweepFault {
    fn from(fault: BindingFault) -> Self {
        match fault {
            BindingFault::Registry(fault) => Self::Registry(fault),
            BindingFault::Store(fault) => Self::Store(fault),
        }
    }
}

impl From<RegistryFault> for SweepFault {
    fn from(fault: RegistryFault) -> Self {
        Self::Registry(fault)
    }
}

impl From<StoreFault> for SweepFault {
    fn from(fault: StoreFault) -> Self {
        Self::Store(fault)
    }
}

impl From<LedgerFault> for SweepFault {
    fn from(fault: LedgerFault) -> Self {
        Self::Ledger(fault)
    }
}
