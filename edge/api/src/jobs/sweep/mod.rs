//! Compares database, ledgers and store, some entries at a time: rows without their object and objects without a row.
//! It reports what it finds. It repairs only as `SWEEP_REPAIR` says, only in the bucket of this deployment, and only
//! while little is missing: one missing object is lost, but a thousand point to a wrong bucket.

mod missing_rate;
mod register;

use std::collections::{BTreeMap, BTreeSet};

use edge_ledger::{FormPlace, LedgerClient, LookUpUploads, RemoveImage};
use edge_registry::{Event, ImageStore, Registry};
use edge_storage::{BucketBinding, DerivedKey, ObjectKey, ObjectStore, UploadKey};
use edge_types::{UserId, log};
use serde::Serialize;

use crate::{
    app::App,
    bucket_binding,
    config::SweepRepair,
    error::InternalError,
    forms,
    ports::Ports,
    telemetry::{Metric, SweepOutcome, SweepStop},
};
use missing_rate::MissingRate;
use register::register;

/// Rows in one run. Each costs a request to the store, and the smallest plan of the platform allows fifty requests to
/// other hosts, of which an S3 service is one.
const ROWS: u32 = 20;
/// Objects in one run: a page of the store, one query of the database, and one request to the ledger of each owner of
/// an object without row.
const OBJECTS: u32 = 100;
/// Owners whose ledgers are asked in one run.
const OWNERS: usize = 15;
/// Objects that are registered in one run: a request each, and one more where the bytes are needed. With the rows, the
/// page and the id of the deployment that is about fifty.
const REGISTRATIONS: usize = 20;

/// The names of the cursors in the database.
mod cursor {
    pub const ROWS: &str = "rows";
    pub const ROWS_MISSING: &str = "rows_missing";
    pub const OBJECTS: &str = "objects";
    pub const OBJECTS_MISSING: &str = "objects_missing";
    pub const FINISHED: &str = "finished";
}

/// What one run checked and found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    pub rows: usize,
    /// Keys of rows whose object is missing.
    pub rows_without_object: Vec<String>,
    pub objects: usize,
    /// Keys of objects that neither database nor ledger has.
    pub objects_without_row: Vec<String>,
    /// Whether what was found was removed.
    pub repaired: bool,
    /// How many objects were registered again.
    pub registered: usize,
    pub bucket: BucketBinding,
    /// Why nothing is repaired, whatever `SWEEP_REPAIR` says.
    pub stopped: Option<&'static str>,
}

impl Findings {
    const fn reason(&self) -> &'static str {
        match self {
            Self { repaired: true, .. } => "repaired",
            Self { registered: 1.., .. } => "registered",
            Self { stopped: Some(_), .. } => "stopped",
            _ => "found",
        }
    }
}

/// One run, whose outcome is counted, logged and stored.
pub async fn run_scheduled<P: Ports>(app: &App<P>) {
    let counters = &app.isolate.counters;
    let outcome = match sweep(app).await {
        Ok(findings) => {
            let (rows, objects) = (findings.rows_without_object, findings.objects_without_row);
            counters.count(Metric::RowWithoutObject, rows.len() as u64);
            counters.count(Metric::ObjectWithoutRow, objects.len() as u64);
            let now_ms = app.ports.now_ms().to_string();
            if let Err(error) = app.ports.registry().set_job_cursor(cursor::FINISHED, &now_ms).await
            {
                log::error("sweep_unmarked", &[("cause", &error.to_string())]);
            }
            let is_clean = rows.is_empty() && objects.is_empty();
            if is_clean { SweepOutcome::Clean } else { SweepOutcome::Found }
        }
        Err(error) => {
            log::error("sweep_failed", &[("cause", &error.to_string())]);
            SweepOutcome::Failed
        }
    };
    counters.count(Metric::Sweep(outcome), 1);
}

/// One run over the next rows and the next objects. After an error the next run begins where this one did.
///
/// # Errors
/// A component that fails.
pub async fn sweep<P: Ports>(app: &App<P>) -> Result<Findings, InternalError> {
    let bucket = bucket_binding::check(app).await?;
    let mut findings = Findings { bucket, ..Findings::default() };
    if bucket != BucketBinding::Bound {
        stop(app, &mut findings, SweepStop::Bucket(bucket));
    }
    sweep_rows(app, &mut findings).await?;
    sweep_objects(app, &mut findings).await?;
    report(app, &findings).await?;
    Ok(findings)
}

/// Records why nothing is repaired.
fn stop<P: Ports>(app: &App<P>, findings: &mut Findings, stop: SweepStop) {
    app.isolate.counters.count(Metric::SweepStop(stop), 1);
    findings.stopped.get_or_insert(stop.name());
}

/// What one run saw of a pass over all rows, or all objects.
struct PassStep {
    /// Where the missing rate of the pass is stored.
    cursor: &'static str,
    /// Whether the pass began with this run.
    is_start: bool,
    checked: usize,
    missing: usize,
}

/// Whether to repair, given how much of the pass is missing so far. In a bucket of another deployment that says
/// nothing.
async fn may_repair<P: Ports>(
    app: &App<P>,
    findings: &mut Findings,
    PassStep { cursor, is_start, checked, missing }: PassStep,
) -> Result<bool, InternalError> {
    let registry = app.ports.registry();
    if findings.bucket != BucketBinding::Bound {
        registry.set_job_cursor(cursor, "").await?;
        return Ok(false);
    }
    let before = if is_start {
        MissingRate::default()
    } else {
        MissingRate::parse(&registry.job_cursor(cursor).await?)
    };
    let rate = before.with(checked, missing);
    registry.set_job_cursor(cursor, &rate.to_string()).await?;
    if rate.is_too_high() && missing > 0 {
        stop(app, findings, SweepStop::TooMuch);
    }
    Ok(!rate.is_too_high())
}

async fn sweep_rows<P: Ports>(app: &App<P>, findings: &mut Findings) -> Result<(), InternalError> {
    let registry = app.ports.registry();
    let after = registry.job_cursor(cursor::ROWS).await?.parse().unwrap_or(0);
    let rows = registry.images_after(after, ROWS).await?;
    findings.rows = rows.len();
    let mut lost = Vec::new();
    for row in &rows {
        let (Some(key), Some(object)) = (ObjectKey::parse(&row.key), row.object()) else {
            continue;
        };
        let mut is_missing = app.ports.store().head(&object).await?.is_none();
        if is_missing && object != key {
            // A restored database may not know that it was released.
            is_missing = app.ports.store().head(&key).await?.is_none();
        }
        // The image may have been deleted since the rows were read.
        if is_missing && registry.find(&key).await?.is_some() {
            lost.push((key, row));
        }
    }
    findings.rows_without_object = lost.iter().map(|(key, _)| key.to_string()).collect();
    let step = PassStep {
        cursor: cursor::ROWS_MISSING,
        is_start: after == 0,
        checked: rows.len(),
        missing: lost.len(),
    };
    if may_repair(app, findings, step).await? && app.config.sweep_repair == SweepRepair::Remove {
        for (key, row) in &lost {
            let place = forms::place_of(app, row).await?;
            remove(app, key, place).await?;
        }
        findings.repaired |= !lost.is_empty();
    }
    // After the last row a new pass begins.
    let is_last = rows.len() < ROWS as usize;
    let next = rows.last().filter(|_| !is_last).map(|row| row.id.0.to_string());
    Ok(registry.set_job_cursor(cursor::ROWS, &next.unwrap_or_default()).await?)
}

async fn sweep_objects<P: Ports>(
    app: &App<P>,
    findings: &mut Findings,
) -> Result<(), InternalError> {
    let (registry, store) = (app.ports.registry(), app.ports.store());
    let after = registry.job_cursor(cursor::OBJECTS).await?;
    let page = match store.list(Some(after.as_str()).filter(|it| !it.is_empty()), OBJECTS).await {
        Ok(page) => page,
        Err(error) => {
            // The store may not know the token any more: the next run begins a new pass.
            registry.set_job_cursor(cursor::OBJECTS, "").await?;
            return Err(error.into());
        }
    };
    findings.objects = page.keys.len();
    let checked: Vec<_> = page.keys.into_iter().filter(|key| is_settled(app, key)).collect();
    let checked_count = checked.len();
    let (unknown, mut has_more) = find_unknown(app, checked).await?;
    findings.objects_without_row.clone_from(&unknown);
    let (originals, derived): (Vec<_>, Vec<_>) = (
        unknown.iter().filter_map(|key| ObjectKey::parse(key)).collect(),
        unknown.iter().filter_map(|key| DerivedKey::parse(key)).collect(),
    );
    match app.config.sweep_repair {
        // Many objects without a row are expected here: the database was lost, not the bucket.
        SweepRepair::Register if findings.bucket == BucketBinding::Bound => {
            has_more |= originals.len() > REGISTRATIONS;
            for key in originals.iter().take(REGISTRATIONS) {
                findings.registered += usize::from(register(app, key).await?);
            }
        }
        SweepRepair::Register | SweepRepair::Off | SweepRepair::Remove => {
            let step = PassStep {
                cursor: cursor::OBJECTS_MISSING,
                is_start: after.is_empty(),
                checked: checked_count,
                missing: unknown.len(),
            };
            let may_repair = may_repair(app, findings, step).await?;
            if may_repair && app.config.sweep_repair == SweepRepair::Remove {
                for key in &originals {
                    remove(app, key, None).await?;
                }
                for key in &derived {
                    store.delete(key).await?;
                }
                findings.repaired |= !unknown.is_empty();
            }
        }
    }
    // The next runs register the rest of the page before they continue.
    if findings.registered > 0 && has_more {
        return Ok(());
    }
    Ok(registry.set_job_cursor(cursor::OBJECTS, &page.next.unwrap_or_default()).await?)
}

/// Those of the keys that neither database nor ledger has, and whether there are more owners to ask.
async fn find_unknown<P: Ports>(
    app: &App<P>,
    keys: Vec<String>,
) -> Result<(Vec<String>, bool), InternalError> {
    let registered = app.ports.registry().find_registered(&keys).await?;
    let registered: BTreeSet<_> = registered.into_iter().collect();
    let mut owners = by_owner(keys.into_iter().filter(|key| !registered.contains(key)));
    let has_more = owners.len() > OWNERS;
    // A page of derived pictures has many owners. Each pass begins with another one, so that all have their turn.
    let begin = app.ports.random_u64() % owners.len().max(1) as u64;
    owners.rotate_left(usize::try_from(begin).unwrap_or(0));
    let mut unknown = Vec::new();
    for (owner, keys) in owners.into_iter().take(OWNERS) {
        let command = LookUpUploads { keys: keys.clone() };
        let known = app.ports.ledger().send_to_user(&owner, command).await?;
        let known: BTreeSet<_> = known.into_iter().map(|upload| upload.key).collect();
        unknown.extend(keys.into_iter().filter(|key| !known.contains(key)));
    }
    Ok((unknown, has_more))
}

/// Removes an image by the ledger that its key names, which knows its derived pictures.
async fn remove<P: Ports>(
    app: &App<P>,
    key: &ObjectKey,
    place: Option<FormPlace>,
) -> Result<(), InternalError> {
    let Some(owner) = key.owner() else { return Ok(()) };
    let command = RemoveImage { place, is_repair: true, ..RemoveImage::new(key.clone()) };
    app.ports.ledger().send_to_user(&owner, command).await?;
    Ok(())
}

/// Whether the key is that of a derived picture, or of an image whose upload is over in any case. Other objects in the
/// bucket are left alone.
fn is_settled<P: Ports>(app: &App<P>, key: &str) -> bool {
    let lease_ms = u64::from(app.config.uploads.lease_s) * 1000;
    let is_over = |key: ObjectKey| key.written_ms().saturating_add(lease_ms) < app.ports.now_ms();
    ObjectKey::parse(key).map_or_else(|| DerivedKey::parse(key).is_some(), is_over)
}

/// The keys by the user whose ledger has their uploads.
fn by_owner(keys: impl Iterator<Item = String>) -> Vec<(UserId, Vec<String>)> {
    let mut owners: BTreeMap<String, (UserId, Vec<String>)> = BTreeMap::new();
    for key in keys {
        let original = ObjectKey::parse(&key).map(|key| UploadKey::of(&key));
        let upload = original.or_else(|| DerivedKey::parse(&key)?.upload_key());
        if let Some(owner) = upload.and_then(|upload| upload.owner()) {
            owners.entry(owner.to_string()).or_insert((owner, Vec::new())).1.push(key);
        }
    }
    owners.into_values().collect()
}

/// Writes one log line in any case, and an audit event when something was found.
async fn report<P: Ports>(app: &App<P>, findings: &Findings) -> Result<(), InternalError> {
    let count = |number: usize| number.to_string();
    let fields = [
        ("rows", count(findings.rows)),
        ("rowsWithoutObject", count(findings.rows_without_object.len())),
        ("objects", count(findings.objects)),
        ("objectsWithoutRow", count(findings.objects_without_row.len())),
        ("registered", count(findings.registered)),
        ("bucket", findings.bucket.into_str().to_owned()),
        ("stopped", findings.stopped.unwrap_or("no").to_owned()),
    ];
    log::info("sweep", &fields.each_ref().map(|(name, value)| (*name, value.as_str())));
    if findings.rows_without_object.is_empty() && findings.objects_without_row.is_empty() {
        return Ok(());
    }
    let at_ms = app.ports.now_ms();
    let event = Event {
        idempotency_key: format!("sweep#{at_ms}"),
        at_ms,
        kind: "sweep".to_owned(),
        subject: "store".to_owned(),
        reason: findings.reason().to_owned(),
        until_ms: None,
        // Keys contain user ids, so they are in the event and not in the log.
        detail: serde_json::to_string(findings).ok(),
    };
    Ok(app.ports.registry().event(&event).await?)
}
