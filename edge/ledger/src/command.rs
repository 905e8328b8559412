//! The protocol of a ledger: typed commands, each with its reply, which travel as JSON.

use edge_registry::ImageRow;
use edge_storage::{Held, ObjectKey, ObjectMetadata, UploadKey};
use edge_types::{
    FormLimit, FormName, ImageId, LimitStatus, PERMANENT_MS, UploadLimitStatuses, UploadLimits,
    UserId,
};
use image_rules::Format;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{LoginLimit, WebhookEvent};

/// A command with the subject that it is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LedgerRequest {
    /// As [`edge_types::Subject`] writes it; the Durable Object has this name.
    pub subject: String,
    pub command: Command,
}

/// A command and the type of its reply.
pub trait LedgerCommand: Into<Command> {
    type Reply: Serialize + DeserializeOwned;
}

macro_rules! commands {
    ($($(#[$doc:meta])* $command:ident -> $reply:ty),* $(,)?) => {
        /// Any command.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Command {
            $($(#[$doc])* $command($command)),*
        }

        $(
            impl From<$command> for Command {
                fn from(command: $command) -> Self {
                    Self::$command(command)
                }
            }

            impl LedgerCommand for $command {
                type Reply = $reply;
            }
        )*
    };
}

commands! {
    /// Checks that the storage of the ledger works.
    Probe -> (),
    /// Counts a request of a client IP or a back end.
    CountRequest -> RequestAdmission,
    /// Admits an upload before its body is read.
    AdmitUpload -> UploadAdmission,
    /// Commits an upload whose object is stored.
    CommitUpload -> CommitOutcome,
    /// Ends an upload that failed.
    ReleaseUpload -> (),
    /// Keeps a pending image.
    ClaimImage -> ClaimOutcome,
    /// Removes an image: row, object and copies.
    RemoveImage -> RemovalReply,
    /// Makes the object of a held image readable for everybody, or for who has a signed URL.
    ReleaseImage -> ReviewOutcome,
    /// Removes the object of a held image. Its row stays, with the reason.
    RefuseImage -> ReviewOutcome,
    /// Those of the keys whose upload, or derived picture, the ledger has.
    LookUpUploads -> Vec<KnownUpload>,
    /// The key of an image by the number that it has while it is pending, also after it was claimed.
    FindPendingImage -> Option<ObjectKey>,
    /// Strikes and ban of the subject.
    GetAbuseStatus -> AbuseStatus,
    /// Records an incident.
    Strike -> AbuseStatus,
    /// Bans the subject until a time.
    Ban -> AbuseStatus,
    /// Ends the ban and deletes the strikes.
    Unban -> (),
    /// Counts a login attempt as failed; the reply is how many seconds it must wait instead, if it must.
    CountLoginAttempt -> Option<u32>,
    /// The attempt succeeded, or was not made: it does not count.
    RefundLoginAttempt -> (),
    /// Counts a new guest token or account of a client IP; the reply is the limit that refuses it.
    CountNewIdentity -> Option<LimitExceeded>,
    /// Spends a challenge; the reply is whether it was unspent.
    SpendChallenge -> bool,
    /// Charges a picture to the daily quota: an upload to a client IP, or a claim to the new owner.
    ChargeQuota -> Result<QuotaCharge, LimitExceeded>,
    /// Replaces a charge by what was really stored.
    SettleQuota -> (),
    /// What an administrator sees of the subject.
    Inspect -> AccountSnapshot,
    /// The upload with the same bytes in the same form, which a repetition gets although the form is full.
    FindSameUpload -> Option<Box<Receipt>>,
    /// Reserves a place of a form for a picture; the reply is the limit that refuses it.
    ReservePlace -> Result<(), FormLimit>,
    /// The picture is stored, or claimed: it keeps its place.
    ConfirmPlace -> (),
    /// The picture is gone, or was not stored: its place is free.
    ReleasePlace -> (),
    /// What is known of a derived picture, or the lease to make it.
    DeriveImage -> DerivedStatus,
    /// Ends the lease; the reply is whether the picture is still there.
    EndDerivation -> bool,
    /// The uploads of the user that are not registered.
    ListOpenUploads -> Vec<OpenUpload>,
    /// One step of the erasure of the user; the reply is how many uploads are still being removed.
    EraseUser -> u32,
    /// Adds an event for the back end to the outbox.
    EnqueueEvent -> (),
    /// Sends the event of a new upload; the reply is what the back end answers to the browser.
    AwaitAnswer -> Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnqueueEvent {
    pub event: WebhookEvent,
    /// As in [`crate::EventQueue`].
    pub stream: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitAnswer {
    pub key: ObjectKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListOpenUploads;

/// An upload that is not registered, with what is known of its image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenUpload {
    pub key: UploadKey,
    pub phase: UploadPhase,
    /// When the alarm handles it.
    pub due_ms: u64,
    pub image: Option<StoredImage>,
}

/// The steps of an erasure, in their order. Each may be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EraseUser {
    /// Refuses uploads and claims from now on, and removes the uploads that are not registered.
    Begin,
    /// Forgets everything but a ban that has not ended. Events that were not sent yet name this subject instead of the
    /// user.
    Forget { subject: String },
    /// Admits uploads again, and forgets the ban, which the database has under the pseudonym.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetAbuseStatus;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountLoginAttempt {
    pub limit: LoginLimit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundLoginAttempt {
    /// As counted.
    pub limit: LoginLimit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountNewIdentity {
    pub identity: NewIdentity,
    pub per_hour: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendChallenge {
    pub challenge: SpentTicket,
}

/// What costs nothing to get again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewIdentity {
    GuestToken,
    Account,
}

/// What one picture takes of the quota of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaCharge {
    pub(crate) day: u64,
    pub(crate) bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeQuota {
    /// The rate does not matter.
    pub limits: UploadLimits,
    /// The size, or the largest that is possible.
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleQuota {
    pub charge: QuotaCharge,
    /// Nothing for a picture that was not stored.
    pub stored_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountRequest {
    pub rate_per_minute: u32,
}

/// Whether a request may continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestAdmission {
    /// After this request.
    pub rate: LimitStatus,
    pub exceeded: Option<LimitExceeded>,
}

/// The limit that stops a caller, and when to retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitExceeded {
    pub kind: LimitKind,
    /// Rounded up, at least one. Zero for a spent ticket, which stays spent, and for an erasure.
    pub retry_after_s: u32,
}

impl LimitExceeded {
    /// Stands for a ban without end. The longest other ban, a year, is far below.
    pub const PERMANENT_S: u32 = u32::MAX;
    pub(crate) const ERASING: Self = Self { kind: LimitKind::Erasing, retry_after_s: 0 };

    pub fn ban(now_ms: u64, until_ms: u64) -> Self {
        let left_s = until_ms.saturating_sub(now_ms).div_ceil(1000);
        let is_permanent = until_ms >= PERMANENT_MS;
        let left_s = u32::try_from(left_s).ok().filter(|_| !is_permanent);
        Self { kind: LimitKind::Ban, retry_after_s: left_s.unwrap_or(Self::PERMANENT_S) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum LimitKind {
    Ban,
    /// Too many requests in this minute.
    Rate,
    /// The same, and as many again after the refusal.
    Flood,
    DailyCount,
    DailyBytes,
    TicketSpent,
    TicketExpired,
    /// Everything of the user is being erased.
    Erasing,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmitUpload {
    /// Of the caller's role.
    pub limits: UploadLimits,
    /// The declared size, or the largest that is accepted when none is declared.
    pub bytes: u64,
    /// How long the upload may take before its object is removed.
    pub lease_s: u32,
    /// For the first file of a request only.
    pub ticket: Option<SpentTicket>,
}

/// A ticket or a challenge to be spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpentTicket {
    pub id: String,
    /// The ledger remembers it until then.
    pub expires_ms: u64,
}

/// Whether an upload may continue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadAdmission {
    /// After this upload.
    pub limit_statuses: UploadLimitStatuses,
    pub outcome: Result<UploadGrant, LimitExceeded>,
}

/// The reservation for one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadGrant {
    pub upload_key: UploadKey,
    /// The end of the lease: nothing may be written to the store from then on.
    pub until_ms: u64,
}

/// All that is known of a stored image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredImage {
    pub key: ObjectKey,
    /// Of the stored bytes, in hexadecimal.
    pub sha256: String,
    pub format: Format,
    /// Of the upright image.
    pub width: u32,
    pub height: u32,
    pub size_bytes: u64,
    /// The size of the file that was sent; this is charged.
    pub original_size_bytes: u64,
    /// The file name that the client sent.
    pub original_name: Option<String>,
    pub form_id: Option<String>,
    /// Whether it has a place in its form, which has a limit.
    #[serde(default)]
    pub is_counted: bool,
    /// Whether it waits for a review. Its object lies below `private/` until it is released.
    #[serde(default)]
    pub is_held: bool,
    /// A `ThumbHash`, in base64.
    pub placeholder: String,
    /// The kinds of private data that were removed.
    pub removed: Vec<String>,
    pub stored_ms: u64,
}

impl StoredImage {
    /// The key of its object.
    pub fn object(&self) -> ObjectKey {
        if self.is_held { self.key.private() } else { self.key.clone() }
    }

    /// What is stored beside its bytes.
    pub fn metadata(&self) -> ObjectMetadata {
        ObjectMetadata {
            form_id: self.form_id.clone(),
            original_name: self.original_name.clone(),
            sha256: Some(self.sha256.clone()),
            width: Some(self.width),
            height: Some(self.height),
            held: self
                .is_held
                .then(|| if self.key.is_private() { Held::Private } else { Held::Public }),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitUpload {
    pub image: StoredImage,
    pub disposition: Disposition,
    /// Whether the upload will ask for the answer of the back end.
    #[serde(default)]
    pub waits: bool,
}

/// What happens to a stored image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It is registered at once.
    Register,
    /// It expires unless it is claimed.
    Pending { for_s: u32 },
}

/// The result of a commit. Unless it was accepted, the caller deletes the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitOutcome {
    /// The upload may be acknowledged.
    Accepted(Box<Receipt>),
    /// The same bytes are in the form already. Nothing is charged.
    Same(Box<Receipt>),
    /// The upload is unknown or its lease has ended.
    Lapsed,
    /// The database failed. Nothing is charged.
    Unregistered,
}

/// An image that may be acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub image: StoredImage,
    /// Once registered.
    pub image_id: Option<ImageId>,
    /// When a pending image expires.
    pub expires_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseUpload {
    pub upload_key: UploadKey,
    /// Whether an object may have been written.
    pub may_be_stored: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimImage {
    pub key: ObjectKey,
    /// The new owner.
    pub claimant: UserId,
    /// Replaces the form of the upload.
    pub form_id: Option<String>,
    /// Used when the upload has no file name.
    pub original_name: Option<String>,
    /// Whether `form_id` has a policy. Its rules were not checked for a picture of another form.
    pub has_policy: bool,
    /// Whether a place of its form is reserved for the claimant.
    pub has_place: bool,
}

impl ClaimImage {
    /// Leaves the form and the file name as they are.
    pub const fn new(key: ObjectKey, claimant: UserId) -> Self {
        let (form_id, original_name) = (None, None);
        Self { key, claimant, form_id, original_name, has_policy: false, has_place: false }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimOutcome {
    Claimed(Box<Receipt>),
    /// It has a place in this form, so the claimant needs one first.
    NeedsPlace(FormName),
    /// Its form has a policy, or that of the claim has; it cannot be moved.
    OtherForm,
    /// It was claimed or registered before.
    AlreadyRegistered,
    NotFound,
    /// The database failed, or the pictures of its form were deleted; the claimant may retry.
    Unregistered {
        form_id: Option<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveImage {
    pub key: ObjectKey,
    /// The place to be freed, when its form has a limit.
    pub place: Option<FormPlace>,
    /// Its row, for the event: the ledger does not know who claimed it.
    #[serde(default)]
    pub row: Option<Box<ImageRow>>,
    /// Whether its owner is being erased, so that events name nothing but ids.
    #[serde(default)]
    pub is_erasure: bool,
    /// Whether the sweep repairs what does not fit together, which is no event.
    #[serde(default)]
    pub is_repair: bool,
}

impl RemoveImage {
    pub const fn new(key: ObjectKey) -> Self {
        Self { key, place: None, row: None, is_erasure: false, is_repair: false }
    }
}

/// The place of a picture in a form with a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormPlace {
    pub form: FormName,
    /// Whose picture it is.
    pub owner: UserId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindSameUpload {
    pub image: StoredImage,
    pub disposition: Disposition,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservePlace {
    pub key: ObjectKey,
    /// The uploader, or a claimant.
    pub owner: UserId,
    pub max_files: Option<u32>,
    pub max_files_per_user: Option<u32>,
    /// Since when the form has a limit: pictures from before are counted first.
    pub counted_since_ms: u64,
    /// After how long the picture is looked for, unless the place is confirmed.
    pub lease_s: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmPlace {
    pub key: ObjectKey,
    pub owner: UserId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasePlace {
    pub key: ObjectKey,
    pub owner: UserId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeriveImage {
    /// Of the original.
    pub key: ObjectKey,
    /// Says how it is derived.
    pub name: String,
    /// How long making it may take; without, nothing is made.
    pub lease_ms: Option<u64>,
}

/// What is known of a derived picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DerivedStatus {
    /// Nothing.
    Unknown,
    /// The caller makes it. Nothing may be written to the store from `until_ms` on.
    Make {
        until_ms: u64,
    },
    /// Another isolate makes it, and is not ready yet.
    Underway,
    Stored(Format),
    /// The original is served instead: it is small enough, deriving it failed, or it has enough derived pictures.
    Original,
    /// The original is being removed.
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndDerivation {
    pub key: ObjectKey,
    pub name: String,
    pub outcome: DerivedOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DerivedOutcome {
    Stored(Format),
    /// The original is served instead, always.
    Original,
    /// The original is served instead, for some minutes.
    Failed,
    /// Another isolate may try.
    Abandoned,
}

/// How a removal went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovalReply {
    pub outcome: RemovalOutcome,
    /// The names of the derived pictures, of which copies may be cached.
    pub derived: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovalOutcome {
    Finished,
    /// The database or the store failed; the ledger retries until the image is gone.
    Underway,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseImage {
    pub key: ObjectKey,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefuseImage {
    pub key: ObjectKey,
    /// For the uploader.
    pub reason: String,
    /// The place to be freed, when its form has a limit.
    pub place: Option<FormPlace>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewOutcome {
    Finished,
    /// The database or the store failed, or the same decision is being carried out; the ledger retries until it is done.
    Underway,
    /// It does not wait for a review, or not any more.
    Decided,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookUpUploads {
    /// Object keys, upload keys, or keys of derived pictures.
    pub keys: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindPendingImage {
    pub id: ImageId,
}

/// An upload that the ledger has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownUpload {
    /// As it was asked for, or the upload key.
    pub key: String,
    pub phase: UploadPhase,
    /// When the alarm handles it.
    pub due_ms: u64,
}

/// The phase of an upload; later phases never lead back.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum UploadPhase {
    /// Admitted; an object may have been written.
    Intent,
    /// Stored; the row is being written.
    Registering,
    /// Stored; waits to be claimed.
    Pending,
    /// Claimed; the row is being written.
    Claiming,
    /// Registered; waits for a review. Remembered for a day, as what is kept; then the database knows it.
    Held,
    /// Registered; its object is being copied to where it can be read.
    Releasing,
    /// Registered. Remembered for a day, to recognise the same bytes.
    Kept,
    /// Row, object and copies are being removed.
    Removing,
}

/// An incident to be recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strike {
    pub kind: AbuseKind,
    /// Identifies the incident; a repetition within the hour counts once.
    pub fingerprint: String,
    pub strikes_to_ban: u32,
    /// The duration of the first ban.
    pub ban_s: u32,
}

/// What honest callers do not do.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum AbuseKind {
    /// A token that no issuer makes. Counted against the client IP.
    ForgedToken,
    /// A file that is not what its type says.
    Disguise,
    /// A small file that decodes to a huge image.
    Bomb,
    /// Requests that continue after the refusal.
    Flood,
}

/// Strikes and ban of a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbuseStatus {
    /// Strikes of the last day.
    pub strikes: u32,
    pub banned_until_ms: Option<u64>,
    pub ban_reason: Option<String>,
    /// Whether this very command banned the subject.
    pub newly_banned: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    pub until_ms: u64,
    pub reason: String,
    /// The administrator, for the audit log.
    pub by: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unban {
    /// The administrator, for the audit log.
    pub by: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspect {
    /// Of the subject's role.
    pub limits: UploadLimits,
}

/// What an administrator sees of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSnapshot {
    pub abuse_status: AbuseStatus,
    pub limit_statuses: UploadLimitStatuses,
    /// How many uploads are in each phase.
    pub phases: Vec<PhaseCount>,
    /// The latest uploads, newest first.
    pub latest: Vec<KnownUpload>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseCount {
    pub phase: UploadPhase,
    pub count: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_metrics_and_events_are_those_of_the_protocol() {
        for kind in [
            LimitKind::Ban,
            LimitKind::Rate,
            LimitKind::Flood,
            LimitKind::DailyCount,
            LimitKind::DailyBytes,
            LimitKind::TicketSpent,
            LimitKind::TicketExpired,
            LimitKind::Erasing,
        ] {
            assert_eq!(serde_json::to_value(kind).expect("text"), kind.into_str());
        }
        for kind in <AbuseKind as strum::VariantArray>::VARIANTS {
            assert_eq!(serde_json::to_value(kind).expect("text"), kind.into_str());
        }
    }
}
