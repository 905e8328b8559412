//! One image of an upload: the image rules, the store, the ledger.

use base64ct::{Base64, Encoding};
use edge_auth::Permit;
use edge_ledger::{
    CommitOutcome, CommitUpload, Disposition, FindSameUpload, LedgerClient, Receipt, ReleaseUpload,
    StoredImage, UploadGrant,
};
use edge_storage::{NewObject, ObjectStore};
use edge_types::{FileName, FormId, hex, log};
use image_rules::{Code, ImageError, Plan, Processed, inspect_as, process_in_steps};

use super::reply::AcceptedImage;
use crate::{
    admission::{AdmittedUpload, record_image_incident},
    app::App,
    body::{RawFile, UploadedFile},
    bucket_binding,
    concurrency::Lease,
    context::RequestContext,
    error::{ApiError, busy},
    forms::{self, UploadRules},
    ports::Ports,
    telemetry::Stage,
};

/// What the images of one request share.
pub(super) struct UploadContext<'a, P> {
    pub(super) app: &'a App<P>,
    pub(super) context: &'a RequestContext<'a>,
    pub(super) permit: &'a Permit,
    pub(super) rules: UploadRules,
}

/// What the client says about an image.
struct FileDetails<'a> {
    name: Option<FileName>,
    form_id: Option<&'a FormId>,
}

/// What becomes of an image that the rules accept.
enum Prepared {
    /// It is stored, with its SHA-256.
    New(Box<StoredImage>, [u8; 32], Processed<'static>),
    /// Its form is full, and has it already.
    Repeated(Box<AcceptedImage>),
}

impl<P: Ports> UploadContext<'_, P> {
    /// Processes, stores and commits one image. The grant of one that fails is released, and nothing is charged for it.
    pub(super) async fn take(
        &self,
        admitted: AdmittedUpload,
        file: UploadedFile,
        form_id: Option<&FormId>,
        memory: &Lease,
    ) -> Result<AcceptedImage, ApiError> {
        let details = FileDetails { name: file.original_name, form_id };
        let preparing = self.prepare(&admitted.grant, details, file.file, memory);
        let (image, digest, processed) = match preparing.await {
            Ok(Prepared::New(image, digest, processed)) => (image, digest, processed),
            Ok(Prepared::Repeated(first)) => {
                self.release(admitted, false).await;
                return Ok(*first);
            }
            Err(error) => {
                self.release(admitted, false).await;
                return Err(error);
            }
        };
        if let Err(error) = self.store(&admitted.grant, &image, digest, processed).await {
            self.free_place(&image).await;
            // A store that fails may have written the object all the same.
            self.release(admitted, true).await;
            return Err(error);
        }
        let committed = self.commit(&image).await;
        let accepted = committed.as_ref().ok().filter(|accepted| accepted.is_new);
        let stored = accepted.map(|accepted| accepted.receipt.image.original_size_bytes);
        // Without the reply of the ledger the picture may be stored, and stays charged.
        if !matches!(committed, Err(ApiError::Internal(_))) {
            admitted.charges.settle(self.app, stored).await;
        }
        committed
    }

    /// Makes the bytes to store, and reserves a place for them in a form with a limit. A repetition is free, also when
    /// the form is full.
    async fn prepare(
        &self,
        grant: &UploadGrant,
        details: FileDetails<'_>,
        file: Result<RawFile, ImageError>,
        memory: &Lease,
    ) -> Result<Prepared, ApiError> {
        let (original_size_bytes, processed) = self.apply_rules(file, memory).await?;
        let described = self.describe(grant, details, original_size_bytes, &processed);
        let (image, digest) = described.await?;
        let Some(form) = self.rules.counted() else {
            return Ok(Prepared::New(Box::new(image), digest, processed));
        };
        let (app, owner) = (self.app, self.permit.owner());
        let reserving = forms::reserve(app, form, &image.key, owner);
        let full = match self.context.timed(&app.ports, Stage::Admit, reserving).await {
            Ok(()) => return Ok(Prepared::New(Box::new(image), digest, processed)),
            Err(ApiError::Client(problem)) if problem.code == Code::FormFull => problem,
            Err(error) => return Err(error),
        };
        let command = FindSameUpload { image: image.clone(), disposition: self.disposition() };
        let first = app.ports.ledger().send_to_user(owner, command).await?.ok_or(full)?;
        let receipt = repeated(*first, image);
        let first = AcceptedImage { receipt, is_new: false, server_data: None };
        Ok(Prepared::Repeated(Box::new(first)))
    }

    async fn free_place(&self, image: &StoredImage) {
        if let Some(form) = self.rules.counted() {
            forms::release(self.app, &form.name, &image.key, self.permit.owner()).await;
        }
    }

    /// Inspects the file, and keeps, sanitizes or optimises it.
    async fn apply_rules(
        &self,
        file: Result<RawFile, ImageError>,
        memory: &Lease,
    ) -> Result<(u64, Processed<'static>), ApiError> {
        let RawFile { bytes, declared } = file?;
        self.permit.allows(declared)?;
        let policy = &self.rules.policy;
        let plan =
            inspect_as(&bytes, declared, policy).and_then(|report| Plan::new(&report, policy));
        let plan = match plan {
            Ok(plan) => plan,
            Err(error) => {
                let Self { app, context, permit, .. } = self;
                record_image_incident(app, context, permit, &error, &bytes).await;
                return Err(error.into());
            }
        };
        let size_bytes = bytes.len() as u64;
        // Boxed: it has 30 KB, which uploads that wait do not need.
        let processing = Box::pin(process_in_steps(bytes.into(), &plan, &policy.limits));
        let processing = self.context.timed(&self.app.ports, Stage::Rules, processing);
        let processed = self.app.scheduler().run_plan(&plan, Some(memory), processing).await??;
        // The file is gone, and only the result is held on.
        memory.shrink(size_bytes.saturating_sub(processed.bytes().len() as u64));
        Ok((size_bytes, processed))
    }

    /// What is to be stored, and its SHA-256.
    async fn describe(
        &self,
        grant: &UploadGrant,
        details: FileDetails<'_>,
        original_size_bytes: u64,
        processed: &Processed<'static>,
    ) -> Result<(StoredImage, [u8; 32]), ApiError> {
        let ports = &self.app.ports;
        let format = processed.format();
        let digest = ports.sha256(processed.bytes()).await;
        let key = grant.upload_key.object_key(format).ok_or(Code::Internal)?;
        let image = StoredImage {
            key: if self.rules.is_private() { key.private() } else { key },
            sha256: hex::encode(&digest),
            format,
            width: processed.width(),
            height: processed.height(),
            size_bytes: processed.bytes().len() as u64,
            original_size_bytes,
            original_name: details.name.map(FileName::into),
            form_id: details.form_id.map(|id| id.as_str().to_owned()),
            is_counted: self.rules.counted().is_some(),
            is_held: self.rules.is_reviewed(),
            placeholder: Base64::encode_string(processed.placeholder()),
            removed: processed.removed().kinds().map(str::to_owned).collect(),
            stored_ms: ports.now_ms(),
        };
        Ok((image, digest))
    }

    async fn store(
        &self,
        grant: &UploadGrant,
        image: &StoredImage,
        digest: [u8; 32],
        processed: Processed<'static>,
    ) -> Result<(), ApiError> {
        bucket_binding::ensure(self.app).await;
        let ports = &self.app.ports;
        // An object that is written after the lease may be written after the alarm has looked for it.
        if ports.now_ms() >= grant.until_ms {
            return Err(busy().into());
        }
        let (key, format, metadata) = (&image.object(), image.format, image.metadata());
        let bytes = processed.into_bytes().into_owned();
        let object = NewObject { key, bytes, format, sha256: digest, metadata };
        self.context.timed(ports, Stage::Store, ports.store().put(object)).await?;
        Ok(())
    }

    /// Commits a stored image; nothing is acknowledged before the ledger has accepted it. When the ledger does not
    /// answer, it may have: nothing is deleted then, and its alarm cleans up.
    async fn commit(&self, image: &StoredImage) -> Result<AcceptedImage, ApiError> {
        let command = CommitUpload {
            image: image.clone(),
            disposition: self.disposition(),
            waits: self.rules.waits_for_back_end(),
        };
        let ports = &self.app.ports;
        let committing = ports.ledger().send_to_user(self.permit.owner(), command);
        let outcome = self.context.timed(ports, Stage::Commit, committing).await?;
        if let CommitOutcome::Accepted(receipt) = outcome {
            if let Some(form) = self.rules.counted() {
                forms::confirm(self.app, &form.name, &image.key, self.permit.owner()).await;
            }
            return Ok(AcceptedImage { receipt: *receipt, is_new: true, server_data: None });
        }
        // Deleted at once, because storage costs. This may fail, and an earlier attempt at the write may still be
        // in flight, so the alarm of the ledger deletes it again.
        if let Err(error) = ports.store().delete(&image.object()).await {
            log::error("removal_failed", &[("cause", &error.to_string())]);
        }
        match outcome {
            CommitOutcome::Same(first) => {
                self.free_place(image).await;
                let receipt = repeated(*first, image.clone());
                Ok(AcceptedImage { receipt, is_new: false, server_data: None })
            }
            // The ledger removes what was registered, or the lease of the place ends.
            _ => Err(busy().into()),
        }
    }

    fn disposition(&self) -> Disposition {
        let uploads = &self.app.config.uploads;
        let of_form = self.rules.form.as_ref().and_then(|form| form.policy.pending_s);
        if uploads.pending_roles.contains(&self.permit.role()) {
            Disposition::Pending { for_s: of_form.unwrap_or(uploads.pending_s) }
        } else {
            Disposition::Register
        }
    }

    async fn release(&self, admitted: AdmittedUpload, may_be_stored: bool) {
        release(self.app, self.permit, admitted, may_be_stored).await;
    }
}

/// Releases a grant. When the ledger does not answer, its lease ends by itself.
pub(super) async fn release<P: Ports>(
    app: &App<P>,
    permit: &Permit,
    admitted: AdmittedUpload,
    may_be_stored: bool,
) {
    let AdmittedUpload { grant, charges } = admitted;
    let command = ReleaseUpload { upload_key: grant.upload_key, may_be_stored };
    if let Err(error) = app.ports.ledger().send_to_user(permit.owner(), command).await {
        log::error("release_failed", &[("cause", &error.to_string())]);
    }
    charges.settle(app, None).await;
}

/// The image that was stored before, with what this request sent: another photo may become the same bytes once its
/// private data are removed.
fn repeated(first: Receipt, sent: StoredImage) -> Receipt {
    let StoredImage { original_size_bytes, original_name, removed, .. } = sent;
    let image = StoredImage { original_size_bytes, original_name, removed, ..first.image };
    Receipt { image, ..first }
}
