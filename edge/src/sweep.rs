//! Compares registry, ledger and store, some at a time: rows without their object and objects that
//! nobody knows. It tells what it finds; it mends only where `SWEEP_REPAIR` says so.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{
    app::{App, Ports},
    auth::UserId,
    ledger::{Ledger, LedgerFault},
    log,
    registry::{Catalogue, Event, Registry, RegistryFault, Row},
    stats::{Series, SweepEnd},
    storage::{ObjectKey, ObjectStore, StoreFault},
};

/// Rows in one run: each costs a look into the store, and the smallest plan of the platform allows
/// fifty requests in all.
const ROWS: u32 = 20;
/// Objects in one run: a page of the store, one question to the registry, and one to the ledger of
/// each owner of an object without row.
const OBJECTS: u32 = 100;
/// Owners whose ledgers are asked in one run.
const OWNERS: usize = 15;

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
    let mut findings = Findings { repaired: app.config.sweep_repair, ..Findings::default() };
    sweep_rows(app, &mut findings).await?;
    sweep_objects(app, &mut findings).await?;
    tell(app, &findings).await?;
    Ok(findings)
}

async fn sweep_rows<P: Ports>(app: &App<P>, findings: &mut Findings) -> Result<(), SweepFault> {
    let registry = app.ports.registry();
    let after = registry.mark("rows").await?.parse().unwrap_or(0);
    let rows = registry.rows_after(after, ROWS).await?;
    findings.rows = rows.len();
    for row in &rows {
        let Some(key) = ObjectKey::parse(&row.key) else { continue };
        let is_gone = app.ports.store().head(&key).await?.is_none();
        // It may have been deleted since the rows were read.
        if is_gone && registry.find(&key).await?.is_some() {
            if app.config.sweep_repair {
                registry.remove(&key).await?;
            }
            findings.rows_without_object.push(row.key.clone());
        }
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
    let registered: BTreeSet<_> = registry.registered(&ours).await?.into_iter().collect();
    let unregistered = ours.into_iter().filter(|key| !registered.contains(key));
    for (owner, keys) in by_owner(unregistered) {
        let known = app.ports.ledger().knows(&owner, keys.clone()).await?;
        let known: BTreeSet<_> = known.into_iter().map(|known| known.key).collect();
        for key in keys.into_iter().filter(|key| !known.contains(key)) {
            if let Some(object) = ObjectKey::parse(&key).filter(|_| app.config.sweep_repair) {
                store.delete(&object).await?;
            }
            findings.objects_without_row.push(key);
        }
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

/// Those of the first owners; the others have their turn when these are settled.
fn by_owner(keys: impl Iterator<Item = String>) -> impl Iterator<Item = (UserId, Vec<String>)> {
    let mut owners: BTreeMap<String, (UserId, Vec<String>)> = BTreeMap::new();
    for key in keys {
        if let Some(owner) = ObjectKey::parse(&key).and_then(|key| key.owner()) {
            owners.entry(owner.to_string()).or_insert((owner, Vec::new())).1.push(key);
        }
    }
    owners.into_values().take(OWNERS)
}

/// One line in any case, and an event when something was found.
async fn tell<P: Ports>(app: &App<P>, findings: &Findings) -> Result<(), SweepFault> {
    let count = |number: usize| number.to_string();
    let fields = [
        ("rows", count(findings.rows)),
        ("rowsWithoutObject", count(findings.rows_without_object.len())),
        ("objects", count(findings.objects)),
        ("objectsWithoutRow", count(findings.objects_without_row.len())),
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
        reason: if findings.repaired { "repaired" } else { "found" }.to_owned(),
        until_ms: None,
        // Keys name users: the event has them, the log has not.
        detail: serde_json::to_string(findings).ok(),
    };
    Ok(app.ports.registry().event(&event).await?)
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
