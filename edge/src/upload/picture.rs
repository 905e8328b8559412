//! One picture of an upload: the image rules, the store, the registry.

use base64ct::{Base64, Encoding};
use http::request::Parts;
use image_rules::{Format, Plan, Processed, inspect_as, probe::Metadata, process};
use sha2::{Digest, Sha256};

use super::answer::{Outcome, Record, Taken};
use crate::{
    app::{App, Ports},
    auth::Permit,
    error::Failure,
    intake::{Draft, FileName, FormId, SentFile},
    memory::{Purpose, reserve},
    registry::{ImageId, NewRow, Registry},
    response::timestamp,
    route::base_url,
    storage::{KeyParts, NewObject, ObjectKey, ObjectStore},
};

/// What the pictures of one request have in common.
pub(super) struct Lot<'a, P> {
    pub(super) app: &'a App<P>,
    pub(super) head: &'a Parts,
    pub(super) permit: &'a Permit,
    pub(super) form_id: Option<FormId>,
}

/// A picture that is durably stored.
struct Stored {
    key: ObjectKey,
    format: Format,
    width: u32,
    height: u32,
    size_bytes: u64,
    sha256: String,
    placeholder: String,
    removed: Metadata,
    original_bytes: u64,
    original_name: Option<FileName>,
    written_ms: u64,
}

impl<P: Ports> Lot<'_, P> {
    /// Takes one picture to its end.
    pub(super) async fn take(&self, file: SentFile) -> Outcome {
        let name = file.original_name.clone();
        let outcome = self.take_draft(file).await;
        outcome.map_err(|failure| (failure, name))
    }

    async fn take_draft(&self, file: SentFile) -> Result<Taken, Failure> {
        let draft = file.draft?;
        let original_bytes = draft.bytes.len() as u64;
        let processed = self.apply_rules(draft).await?;
        let stored = self.store(processed, original_bytes, file.original_name).await?;
        let image_id = self.register(&stored).await?;
        Ok(Taken { record: self.record(stored, image_id) })
    }

    /// Looks into the bytes, decides, and keeps, scrubs or optimises.
    async fn apply_rules(&self, draft: Draft) -> Result<Processed<'static>, Failure> {
        let policy = &self.app.config.policy;
        let report = inspect_as(&draft.bytes, draft.declared, policy)?;
        let plan = Plan::new(&report, policy)?;
        let _memory = reserve(self.app, Purpose::Decode, plan.peak_bytes()).await?;
        Ok(process(draft.bytes, &plan, &policy.limits)?)
    }

    async fn store(
        &self,
        processed: Processed<'static>,
        original_bytes: u64,
        original_name: Option<FileName>,
    ) -> Result<Stored, Failure> {
        let written_ms = self.app.ports.now_ms();
        let digest = Sha256::digest(processed.bytes());
        let stored = Stored {
            key: ObjectKey::new(&KeyParts {
                owner: self.permit.owner(),
                now_ms: written_ms,
                random: self.app.ports.random(),
                format: processed.format(),
            }),
            format: processed.format(),
            width: processed.width(),
            height: processed.height(),
            size_bytes: processed.bytes().len() as u64,
            sha256: format!("{digest:x}"),
            placeholder: Base64::encode_string(processed.placeholder()),
            removed: *processed.removed(),
            original_bytes,
            original_name,
            written_ms,
        };
        let object = NewObject {
            key: &stored.key,
            bytes: processed.into_bytes().into_owned(),
            format: stored.format,
            sha256: digest.into(),
        };
        self.app.ports.store().put(object).await?;
        Ok(stored)
    }

    /// Registers what was stored; what cannot be registered is not kept.
    async fn register(&self, stored: &Stored) -> Result<ImageId, Failure> {
        let row = NewRow {
            key: &stored.key,
            owner: self.permit.owner(),
            form_id: self.form_id.as_ref().map(FormId::as_str),
            format: stored.format,
            width: stored.width,
            height: stored.height,
            size_bytes: stored.size_bytes,
            sha256: &stored.sha256,
            original_name: stored.original_name.as_ref().map(FileName::as_str),
            created_ms: stored.written_ms,
        };
        match self.app.ports.registry().add(row).await {
            Ok(image_id) => Ok(image_id),
            Err(fault) => {
                self.app.ports.store().delete(&stored.key).await?;
                Err(fault.into())
            }
        }
    }

    fn record(&self, stored: Stored, image_id: ImageId) -> Record {
        let base = base_url(&self.app.config, self.head);
        Record {
            image_url: format!("{base}/{}", stored.key),
            key: stored.key.to_string(),
            image_id: Some(image_id),
            form_id: self.form_id.clone(),
            file_size: stored.size_bytes,
            original_filename: stored.original_name,
            content_type: stored.format.media_type(),
            width: stored.width,
            height: stored.height,
            sha256: stored.sha256,
            placeholder: stored.placeholder,
            original_size: stored.original_bytes,
            removed: stored.removed.kinds().collect(),
            uploaded_at: timestamp(stored.written_ms),
            expires_at: None,
        }
    }
}
