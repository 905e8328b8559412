//! One picture of an upload: the image rules, the store, the ledger.

use std::fmt::Write;

use base64ct::{Base64, Encoding};
use image_rules::{Code, ImageError, Plan, Processed, inspect_as, process};

use super::answer::Taken;
use crate::{
    admission::judge,
    app::{App, Ports},
    auth::Permit,
    binding,
    call::Call,
    error::{Failure, Refusal},
    intake::{Draft, FileName, FormId, SentFile},
    ledger::{
        Ledger,
        message::{Commit, Commitment, Disposition, Leave, Receipt, Record, Release},
    },
    log,
    memory::Lease,
    queue,
    stats::Stage,
    storage::{NewObject, ObjectMetadata, ObjectStore, Stem},
    turns,
};

/// When a caller comes back whose upload took too long or could not be registered.
const RETRY_S: u32 = 2;

/// What the pictures of one request have in common.
pub(super) struct Lot<'a, P> {
    pub(super) app: &'a App<P>,
    pub(super) call: &'a Call<'a>,
    pub(super) permit: &'a Permit,
}

/// What the caller says of a picture: data only.
struct Sent<'a> {
    name: Option<FileName>,
    form_id: Option<&'a FormId>,
}

impl<P: Ports> Lot<'_, P> {
    /// Takes one picture to its end; what comes to nothing is given back.
    pub(super) async fn take(
        &self,
        leave: &Leave,
        file: SentFile,
        form_id: Option<&FormId>,
        memory: &Lease,
    ) -> Result<Taken, Failure> {
        let sent = Sent { name: file.original_name, form_id };
        let processed = match self.apply_rules(file.draft, memory).await {
            Ok(processed) => processed,
            Err(failure) => {
                self.release(&leave.stem, false).await;
                return Err(failure);
            }
        };
        match self.store(leave, sent, processed).await {
            Ok(record) => self.commit(record).await,
            Err(failure) => {
                // A store that fails may have written all the same.
                self.release(&leave.stem, true).await;
                Err(failure)
            }
        }
    }

    /// Looks into the bytes, decides, and keeps, scrubs or optimises.
    async fn apply_rules(
        &self,
        draft: Result<Draft, ImageError>,
        memory: &Lease,
    ) -> Result<(u64, Processed<'static>), Failure> {
        let Draft { bytes, declared } = draft?;
        self.permit.allows(declared)?;
        let policy = &self.app.config.policy;
        let plan =
            inspect_as(&bytes, declared, policy).and_then(|report| Plan::new(&report, policy));
        let plan = match plan {
            Ok(plan) => plan,
            Err(error) => {
                judge(self.app, self.call, self.permit, &error, &bytes).await;
                return Err(error.into());
            }
        };
        let size_bytes = bytes.len() as u64;
        let processing = async { process(bytes, &plan, &policy.limits) };
        let processing = self.call.timed(&self.app.ports, Stage::Rules, processing);
        let processed = turns::work(self.app, &plan, Some(memory), processing).await??;
        Ok((size_bytes, processed))
    }

    async fn store(
        &self,
        leave: &Leave,
        sent: Sent<'_>,
        (original_size_bytes, processed): (u64, Processed<'static>),
    ) -> Result<Record, Failure> {
        binding::ensure(self.app).await;
        let format = processed.format();
        let digest = self.app.ports.sha256(processed.bytes()).await;
        let key = leave.stem.key(format).ok_or(Code::Internal)?;
        let record = Record {
            key,
            sha256: hexadecimal(&digest),
            format,
            width: processed.width(),
            height: processed.height(),
            size_bytes: processed.bytes().len() as u64,
            original_size_bytes,
            original_name: sent.name.map(FileName::into),
            form_id: sent.form_id.map(|id| id.as_str().to_owned()),
            placeholder: Base64::encode_string(processed.placeholder()),
            removed: processed.removed().kinds().map(str::to_owned).collect(),
            stored_ms: self.app.ports.now_ms(),
        };
        // Whatever is stored past the lease may be stored after the alarm has looked for it.
        if record.stored_ms >= leave.until_ms {
            return Err(queue::busy().into());
        }
        let bytes = processed.into_bytes().into_owned();
        let metadata = ObjectMetadata {
            form_id: record.form_id.clone(),
            original_name: record.original_name.clone(),
            sha256: Some(record.sha256.clone()),
            width: Some(record.width),
            height: Some(record.height),
        };
        let object = NewObject { key: &record.key, bytes, format, sha256: digest, metadata };
        let ports = &self.app.ports;
        self.call.timed(ports, Stage::Store, ports.store().put(object)).await?;
        Ok(record)
    }

    /// Nothing is acknowledged that the ledger has not accepted. When it cannot be heard, it may
    /// have: then nothing is touched, and its alarm puts things right.
    async fn commit(&self, record: Record) -> Result<Taken, Failure> {
        let key = record.key.clone();
        let commit = Commit { record: record.clone(), disposition: self.disposition() };
        let ports = &self.app.ports;
        let committing = ports.ledger().commit(self.permit.owner(), commit);
        let commitment = self.call.timed(ports, Stage::Commit, committing).await?;
        if let Commitment::Accepted(receipt) = commitment {
            return Ok(Taken { receipt: *receipt, is_new: true });
        }
        // At once, for what it costs. The ledger has written it down as leaving and looks again later:
        // this may fail, and an earlier attempt to write it may still be on its way to the store.
        if let Err(fault) = self.app.ports.store().delete(&key).await {
            log::error("removal_failed", &[("cause", &format!("{fault:?}"))]);
        }
        match commitment {
            Commitment::Same(first) => {
                Ok(Taken { receipt: repeated(*first, record), is_new: false })
            }
            _ => Err(Refusal::retry(Code::Busy, RETRY_S).into()),
        }
    }

    fn disposition(&self) -> Disposition {
        let uploads = &self.app.config.uploads;
        if uploads.pending_roles.contains(&self.permit.role()) {
            Disposition::Pending { for_s: uploads.pending_s }
        } else {
            Disposition::Register
        }
    }

    /// Gives back what was reserved. If that is not heard, the lease ends by itself.
    pub(super) async fn release(&self, stem: &Stem, stored_maybe: bool) {
        let release = Release { stem: stem.clone(), stored_maybe };
        if let Err(fault) = self.app.ports.ledger().release(self.permit.owner(), release).await {
            log::error("release_unheard", &[("cause", &format!("{fault:?}"))]);
        }
    }
}

/// The picture that was there already, with what this caller sent of it: another photo may have come
/// to the same bytes once its private data were gone.
fn repeated(first: Receipt, sent: Record) -> Receipt {
    let Record { original_size_bytes, original_name, removed, .. } = sent;
    let record = Record { original_size_bytes, original_name, removed, ..first.record };
    Receipt { record, ..first }
}

/// As digests are written.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
