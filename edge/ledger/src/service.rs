//! Executes the commands of one ledger. Commands that need the database or the store await them between two
//! reads of the ledger's storage; other commands run meanwhile, so nothing that was read before an await is
//! trusted after it.

use edge_registry::{Event, NewImage, Registry, RegistryError, Review, WebhookStore};
use edge_storage::{Content, NewObject, ObjectKey, ObjectStore, StoreError, UploadKey};
use edge_types::{Clock, ImageId, Random, Subject, UserId, hex, log};
use serde::Serialize;

use crate::{
    Answer, AwaitAnswer, CachedStorage, ClaimImage, ClaimOutcome, Command, CommitOutcome,
    CommitUpload, DeliveryError, Derivation, DerivationState, DeriveImage, DerivedStatus,
    EndDerivation, EventOutcome, EventSettings, FindSameUpload, FormPlace, LedgerClient,
    LedgerError, LedgerRequest, LedgerStorage, LedgerStorageError, Receipt, ReleasePlace,
    RemovalOutcome, RemovalReply, RemoveImage, ReviewOutcome, StoredImage, WebhookEvent,
    account::{ClaimStep, CommitStep, Decision, Duplicate, LedgerAccount},
    storage::StorageResult,
    upload::{Upload, UploadState},
};

/// How many uploads and events one run of the alarm handles. A removal takes at most some sixty requests, two for each
/// derived picture, and the platform allows one invocation a thousand.
const BATCH: u32 = 15;
/// How often, and how long each time, a commit waits for the same bytes that are being registered: 6 s in
/// all, one more than the database's deadline.
const DUPLICATE_POLLS: u32 = 120;
const DUPLICATE_POLL_MS: u64 = 50;
/// The same for a picture that another isolate derives: 5 s in all, after which its reader gets the original.
const DERIVED_POLLS: u32 = 50;
const DERIVED_POLL_MS: u64 = 100;
/// When the alarm runs again if its run does not complete.
pub const ALARM_RETRY_MS: u64 = 60_000;

/// What a ledger needs beside its own storage.
pub trait LedgerDeps: Clock + Random {
    type Store: ObjectStore;
    type Registry: Registry;
    type WebhookStore: WebhookStore;
    /// Other ledgers.
    type Ledger: LedgerClient;

    fn store(&self) -> &Self::Store;
    fn registry(&self) -> &Self::Registry;
    fn webhook_store(&self) -> &Self::WebhookStore;
    fn ledger(&self) -> &Self::Ledger;
    /// Purges the cached copies of an image and of its derived pictures, as far as they are within reach.
    fn purge_copies(&self, key: &ObjectKey, derived: &[String]) -> impl Future<Output = ()>;

    /// Which events the back end gets; [`None`] when it gets none.
    fn event_settings(&self) -> Option<&EventSettings>;
    /// Sends an event once.
    fn deliver(
        &self,
        event: &WebhookEvent,
        timeout_ms: u64,
    ) -> impl Future<Output = Result<Answer, DeliveryError>>;
    /// Counts for the metrics.
    fn count_events(&self, outcome: EventOutcome, times: u64);
}

/// Why a command has no reply.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("the command is not for this subject")]
    WrongSubject,
    #[error(transparent)]
    Storage(#[from] LedgerStorageError),
    #[error("database: {0}")]
    Registry(#[from] RegistryError),
    #[error("ledger: {0}")]
    Ledger(#[from] LedgerError),
    #[error("the pictures of the form are still being counted")]
    Counting,
}

/// The ledger of one subject.
pub struct LedgerService<'a, S, D> {
    pub storage: &'a CachedStorage<S>,
    pub deps: &'a D,
}

impl<S: LedgerStorage, D: LedgerDeps> LedgerService<'_, S, D> {
    fn account(&self) -> LedgerAccount<'_, S> {
        let events = self.deps.event_settings();
        LedgerAccount { storage: self.storage, now_ms: self.deps.now_ms(), events }
    }

    /// Executes a command. The reply is JSON.
    pub async fn execute(&self, request: LedgerRequest) -> Result<String, CommandError> {
        let reply = self.reply(&request.subject, request.command).await?;
        self.deps.count_events(EventOutcome::Queued, self.storage.take_queued_events());
        self.storage.set_alarm().await?;
        Ok(reply)
    }

    async fn reply(&self, subject: &str, command: Command) -> Result<String, CommandError> {
        let account = self.account();
        let owner = || match Subject::parse(subject) {
            Some(Subject::User(owner)) => Ok(owner),
            _ => Err(CommandError::WrongSubject),
        };
        let form = || Subject::parse_form(subject).ok_or(CommandError::WrongSubject);
        // Only the ledger of the user that a key names has its upload.
        let check_owner = |key: &UploadKey| {
            if key.owner() == Some(owner()?) { Ok(()) } else { Err(CommandError::WrongSubject) }
        };
        match command {
            Command::Probe(_) => json(&self.storage.rows().probe()?),
            Command::CountRequest(command) => json(&account.count_request(command)?),
            Command::GetAbuseStatus(_) => json(&account.abuse_status()?),
            Command::Strike(strike) => {
                json(&account.strike(subject, &strike, self.deps.random())?)
            }
            Command::CountLoginAttempt(command) => json(&account.count_login_attempt(command)?),
            Command::RefundLoginAttempt(command) => json(&account.refund_login_attempt(command)?),
            Command::CountNewIdentity(command) => json(&account.count_new_identity(command)?),
            Command::SpendChallenge(command) => json(&account.spend_challenge(&command)?),
            Command::ChargeQuota(command) => json(&account.charge_quota(command)?),
            Command::SettleQuota(command) => json(&account.settle_quota(command)?),
            Command::Ban(ban) => json(&account.ban(subject, &ban, self.deps.random())?),
            Command::Unban(unban) => json(&account.unban(subject, &unban, self.deps.random())?),
            Command::Inspect(command) => json(&account.inspect(command)?),
            Command::LookUpUploads(command) => json(&account.look_up(command)?),
            Command::FindPendingImage(command) => {
                json(&account.find_pending(&owner()?, command.id)?)
            }
            Command::ListOpenUploads(_) => json(&account.list_open()?),
            Command::EraseUser(step) => json(&account.erase(&owner()?, &step)?),
            Command::AdmitUpload(command) => {
                json(&account.admit(&owner()?, self.deps.random(), &command)?)
            }
            Command::CommitUpload(command) => {
                check_owner(&UploadKey::of(&command.image.key))?;
                json(&self.commit(&owner()?, &command).await?)
            }
            Command::ReleaseUpload(command) => {
                check_owner(&command.upload_key)?;
                json(&account.release(&command)?)
            }
            Command::ClaimImage(command) => {
                check_owner(&UploadKey::of(&command.key))?;
                json(&self.claim(command).await?)
            }
            Command::RemoveImage(command) => {
                check_owner(&UploadKey::of(&command.key))?;
                json(&self.remove(command).await?)
            }
            Command::ReleaseImage(command) => {
                check_owner(&UploadKey::of(&command.key))?;
                json(&self.decide(Decision::Release(command)).await?)
            }
            Command::RefuseImage(command) => {
                check_owner(&UploadKey::of(&command.key))?;
                json(&self.decide(Decision::Refuse(command)).await?)
            }
            Command::DeriveImage(command) => {
                check_owner(&UploadKey::of(&command.key))?;
                json(&self.derive(&command).await?)
            }
            Command::EndDerivation(EndDerivation { key, name, outcome }) => {
                check_owner(&UploadKey::of(&key))?;
                json(&account.end_derivation(&key, &name, outcome)?)
            }
            Command::FindSameUpload(FindSameUpload { image, disposition }) => {
                check_owner(&UploadKey::of(&image.key))?;
                json(&self.find_same(&CommitUpload { image, disposition, waits: false }).await?)
            }
            Command::ReservePlace(command) => json(&self.reserve_place(&form()?, &command).await?),
            Command::ConfirmPlace(command) => {
                form()?;
                json(&self.confirm_place(&command)?)
            }
            Command::ReleasePlace(ReleasePlace { key, owner }) => {
                form()?;
                json(&self.release_place(&owner, &key)?)
            }
            Command::EnqueueEvent(command) => json(&self.enqueue(command)?),
            Command::AwaitAnswer(AwaitAnswer { key }) => {
                check_owner(&UploadKey::of(&key))?;
                json(&self.await_answer(&key).await?)
            }
        }
    }

    async fn commit(&self, owner: &UserId, command: &CommitUpload) -> StorageResult<CommitOutcome> {
        let mut polls = 0;
        let image = loop {
            match self.account().begin_commit(command, polls < DUPLICATE_POLLS)? {
                CommitStep::Done(outcome) => return Ok(outcome),
                CommitStep::Register(image) => break image,
                CommitStep::Wait => {
                    polls += 1;
                    self.deps.sleep(DUPLICATE_POLL_MS).await;
                }
            }
        };
        self.storage.set_alarm().await?;
        match self.register(&image, owner).await {
            Ok(image_id) => self.account().end_commit(command, &image, image_id),
            Err(error) => {
                log_registry_error("commit", &error);
                self.account().fail_commit(&image)
            }
        }
    }

    /// Finds the upload that a repetition repeats, and waits for it while it is being registered.
    async fn find_same(&self, command: &CommitUpload) -> StorageResult<Option<Box<Receipt>>> {
        for polls in 0..=DUPLICATE_POLLS {
            match self.account().find_duplicate(command)? {
                Duplicate::Same(receipt) => return Ok(Some(receipt)),
                Duplicate::InProgress if polls < DUPLICATE_POLLS => {
                    self.deps.sleep(DUPLICATE_POLL_MS).await;
                }
                Duplicate::InProgress | Duplicate::None => break,
            }
        }
        Ok(None)
    }

    async fn claim(&self, command: ClaimImage) -> StorageResult<ClaimOutcome> {
        let (image, claimant) = match self.account().begin_claim(command)? {
            ClaimStep::Done(outcome) => return Ok(outcome),
            ClaimStep::Register { image, claimant } => (image, claimant),
        };
        self.storage.set_alarm().await?;
        match self.register(&image, &claimant).await {
            Ok(image_id) => self.account().end_claim(&image, image_id),
            Err(error) => {
                log_registry_error("claim", &error);
                self.account().fail_claim(&image)
            }
        }
    }

    async fn register(
        &self,
        image: &StoredImage,
        owner: &UserId,
    ) -> Result<ImageId, RegistryError> {
        self.deps.registry().add(new_image(image, owner)).await
    }

    /// Waits while another isolate makes the picture, if the caller would make it.
    async fn derive(&self, command: &DeriveImage) -> StorageResult<DerivedStatus> {
        let DeriveImage { key, name, lease_ms } = command;
        let mut polls = 0;
        loop {
            let status = self.account().begin_derivation(key, name, *lease_ms)?;
            if status != DerivedStatus::Underway || lease_ms.is_none() || polls == DERIVED_POLLS {
                return Ok(status);
            }
            polls += 1;
            self.deps.sleep(DERIVED_POLL_MS).await;
        }
    }

    async fn remove(&self, command: RemoveImage) -> StorageResult<RemovalReply> {
        let Some(upload) = self.account().begin_removal(command)? else {
            return Ok(RemovalReply { outcome: RemovalOutcome::Finished, derived: Vec::new() });
        };
        self.storage.set_alarm().await?;
        let derived = self.storage.derivations(&upload.key)?;
        let derived = derived.into_iter().map(|derivation| derivation.name).collect();
        let is_finished = self.finish(&upload).await?;
        let outcome = if is_finished { RemovalOutcome::Finished } else { RemovalOutcome::Underway };
        Ok(RemovalReply { outcome, derived })
    }

    pub(crate) async fn decide(&self, decision: Decision) -> Result<ReviewOutcome, CommandError> {
        let key = decision.key();
        let row = match self.storage.upload(&UploadKey::of(key))? {
            Some(_) => None,
            None => self.deps.registry().find(key).await?,
        };
        let upload = match self.account().begin_decision(decision, row)? {
            Ok(upload) => upload,
            Err(outcome) => return Ok(outcome),
        };
        self.storage.set_alarm().await?;
        let is_finished = self.finish(&upload).await?;
        Ok(if is_finished { ReviewOutcome::Finished } else { ReviewOutcome::Underway })
    }

    /// Handles what is due and sets the alarm again, unless the ledger is at rest and was deleted. Fails only when
    /// the alarm cannot be set.
    pub async fn run_alarm(&self) -> StorageResult<()> {
        self.storage.begin_alarm();
        match self.handle_due_or_delete().await {
            Ok(true) => Ok(()),
            Ok(false) => self.storage.end_alarm().await,
            Err(error) => {
                log::error("alarm_failed", &[("cause", &error.to_string())]);
                self.put_retry_alarm().await
            }
        }
    }

    /// Whether the ledger was deleted. It is deleted before its kept uploads are forgotten row by row, or after the
    /// last removal or event.
    async fn handle_due_or_delete(&self) -> StorageResult<bool> {
        if !self.storage.is_at_rest(self.deps.now_ms())? {
            self.handle_due().await?;
        }
        self.storage.delete_at_rest(self.deps.now_ms()).await
    }

    pub(crate) async fn put_retry_alarm(&self) -> StorageResult<()> {
        self.storage.put_alarm(self.deps.now_ms().saturating_add(ALARM_RETRY_MS)).await
    }

    /// Forgets, removes, releases and sends what is due. After the first failure the rest of the batch is postponed,
    /// so a store that is down gets one request instead of one for each upload.
    async fn handle_due(&self) -> StorageResult<()> {
        let now_ms = self.deps.now_ms();
        self.storage.forget_kept(now_ms)?;
        let due = self.account().collect_due(BATCH)?;
        let events = self.storage.due_events(now_ms, BATCH)?;
        if !due.is_empty() || !events.is_empty() {
            // So that there is another run if this one dies.
            self.put_retry_alarm().await?;
        }
        let mut is_working = true;
        for upload in &due {
            if is_working {
                is_working = self.finish(upload).await?;
            } else {
                self.account().postpone_work(upload)?;
            }
        }
        for outbox in events {
            let Event { subject, at_ms, .. } = &outbox.event;
            let idempotency_key = format!("{subject}#{at_ms}-{}", outbox.id);
            let event = Event { idempotency_key, ..outbox.event.clone() };
            match self.deps.registry().event(&event).await {
                Ok(()) => self.storage.delete_event(outbox.id)?,
                Err(error) => {
                    log_registry_error("event", &error);
                    self.account().fail_event(&outbox)?;
                }
            }
        }
        self.check_places().await?;
        self.deps.count_events(EventOutcome::Queued, self.storage.take_queued_events());
        self.deliver_due().await
    }

    /// Finishes a removal or a release; whether all of it is done.
    async fn finish(&self, upload: &Upload) -> StorageResult<bool> {
        let began_ms = self.deps.now_ms();
        let outcome = match &upload.state {
            UploadState::Releasing { image, .. } => self.publish(upload, image).await,
            _ => self.delete(upload).await,
        };
        match (outcome, &upload.state) {
            (Ok(()), UploadState::Releasing { .. }) => {
                self.account().end_release(upload).map(|()| true)
            }
            (Ok(()), _) => self.account().end_removal(upload, began_ms).map(|()| true),
            (Err(error), _) => {
                let phase = upload.state.phase().into_str();
                log::error("removal_failed", &[("phase", phase), ("cause", &error.to_string())]);
                self.account().fail_work(upload).map(|()| false)
            }
        }
    }

    /// Copies the object of a held image to its key, writes to the row that it is released, and deletes the held object, in
    /// this order: each step may be repeated, and there is an object at all times. The store checks the digest of the copy.
    async fn publish(&self, upload: &Upload, image: &StoredImage) -> Result<(), WorkError> {
        let (store, held) = (self.deps.store(), image.object());
        if held != image.key
            && let Some(object) = store.get(&held, None).await?
        {
            let sha256 = hex::decode_digest(&image.sha256).ok_or(WorkError::Copy)?;
            let bytes = object.content.into_bytes(image.size_bytes).await?;
            // Nothing may be written after the removal of the image has looked for it.
            if !self.account().is_unchanged(upload)? {
                return Ok(());
            }
            let metadata = StoredImage { is_held: false, ..image.clone() }.metadata();
            let copy = NewObject { key: &image.key, bytes, format: image.format, sha256, metadata };
            match store.put(copy).await {
                // An earlier attempt.
                Ok(()) | Err(StoreError::Exists) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // Without a held object an earlier attempt has copied it.
        let copy = store.head(&image.key).await?;
        if copy.is_none_or(|copy| copy.size_bytes != image.size_bytes) {
            return Err(WorkError::Copy);
        }
        self.deps.registry().decide(&image.key, Review::Released, None).await?;
        if held != image.key {
            store.delete(&held).await?;
            self.delete_derived_of_held(upload).await?;
        }
        self.deps.purge_copies(&image.key, &[]).await;
        Ok(())
    }

    /// Deletes what was derived from the held object. No more of it is begun while the image is released. An isolate that
    /// is still making some learns it at the end. Its row stays, so that the removal of the image deletes what it has written
    /// if it dies.
    async fn delete_derived_of_held(&self, upload: &Upload) -> Result<(), WorkError> {
        for derivation in self.storage.derivations(&upload.key)? {
            for key in derivation.keys() {
                self.deps.store().delete(&key).await?;
            }
            let is_being_made = matches!(derivation.state, DerivationState::Making { .. });
            if !is_being_made && self.account().is_unchanged(upload)? {
                self.storage.delete_derivation(&upload.key, &derivation.name)?;
            }
        }
        Ok(())
    }

    /// Removes row, object and copies, and frees the place in the form, in this order: at no time is there a row without an
    /// object that nobody is about to remove. The row of a refused image stays.
    async fn delete(&self, upload: &Upload) -> Result<(), WorkError> {
        let keys = upload.object_keys();
        if let Some(reason) = upload.refusal() {
            for key in &keys {
                self.deps.registry().decide(key, Review::Refused, Some(reason)).await?;
            }
        } else if upload.row_expected_until_ms().is_some() {
            self.deps.registry().remove(&keys).await?;
        }
        let derivations = self.storage.derivations(&upload.key)?;
        for derived in derivations.iter().flat_map(Derivation::keys) {
            self.deps.store().delete(&derived).await?;
        }
        let derived: Vec<_> = derivations.into_iter().map(|derivation| derivation.name).collect();
        for key in keys {
            self.deps.store().delete(&key).await?;
            self.deps.purge_copies(&key, &derived).await;
            if let Some(FormPlace { form, owner }) = upload.place() {
                let command = ReleasePlace { key, owner: owner.clone() };
                self.deps.ledger().send(&Subject::Form(form.clone()), command).await?;
            }
        }
        Ok(())
    }
}

/// The row of an image.
pub(crate) fn new_image<'a>(image: &'a StoredImage, owner: &'a UserId) -> NewImage<'a> {
    NewImage {
        key: &image.key,
        owner,
        form_id: image.form_id.as_deref(),
        format: image.format,
        width: image.width,
        height: image.height,
        size_bytes: image.size_bytes,
        sha256: &image.sha256,
        original_name: image.original_name.as_deref(),
        is_held: image.is_held,
        placeholder: Some(&image.placeholder),
        created_ms: image.stored_ms,
    }
}

#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error("database: {0}")]
    Registry(#[from] RegistryError),
    #[error("store: {0}")]
    Store(#[from] StoreError),
    #[error("ledger of the form: {0}")]
    Ledger(#[from] LedgerError),
    #[error("storage of the ledger: {0}")]
    Storage(#[from] LedgerStorageError),
    #[error("the copy of the object is missing or incomplete")]
    Copy,
}

fn json(reply: &impl Serialize) -> Result<String, CommandError> {
    serde_json::to_string(reply).map_err(|error| LedgerStorageError(error.to_string()).into())
}

fn log_registry_error(during: &str, error: &RegistryError) {
    log::error("registry_failed", &[("during", during), ("cause", &error.to_string())]);
}
