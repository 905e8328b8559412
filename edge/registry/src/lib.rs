//! The ports to the database: images, forms, users, audit events, counters and alerts.

mod audit;
mod forms;
mod mail_links;
mod metrics;
mod removals;
mod sign_ins;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod users;
mod webhooks;

pub use audit::{AuditStore, Event, EventQuery, HourUploaders, StoredEvent, Uploader};
pub use forms::{FormImage, FormPictures, FormRow, FormStore, NewForm};
pub use mail_links::{AccountLink, LinkKind, MailLinkStore, OpenLink, OpenedSignUp, SignUpLink};
pub use metrics::{
    AlertState, CounterBatch, HourCount, IsolateMemory, MetricsSnapshot, MetricsStore, Timing,
    Total, Unreported,
};
pub use removals::{
    Erasure, NewRemoval, Removal, RemovalScope, RemovalStore, Trace, TraceSource, Until,
};
pub use sign_ins::{Identity, IdentityLink, IdentityUser, LinkReason, SignInStore};
pub use users::{
    Created, Edit, NewPassword, NewUser, PasswordHash, RefreshFamily, Reservation, TokenRotation,
    User, UserChange, UserStore, WhichSessions,
};

pub use webhooks::{
    EndpointTrouble, EventRecord, FailedDelivery, FailedEvent, FailedEvents, WebhookStore,
};

use edge_storage::ObjectKey;
use edge_types::{FormName, ImageId, UserId};
use image_rules::Format;
use serde::{Deserialize, Serialize};

/// The database failed, with the platform's message.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RegistryError(pub String);

/// What the ledger needs of the database.
pub trait Registry {
    /// Adds an image; it is durable when this returns. Idempotent: a key that has a row keeps it, and its
    /// number is returned. Fails for an owner who is being erased, and for a form whose pictures were deleted.
    fn add(&self, image: NewImage<'_>) -> impl Future<Output = Result<ImageId, RegistryError>>;

    fn find(
        &self,
        key: &ObjectKey,
    ) -> impl Future<Output = Result<Option<ImageRow>, RegistryError>>;

    /// The registered images of a form in the order of their numbers, above one of them, without those that were refused.
    fn form_images(
        &self,
        form: &FormName,
        after: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<FormImage>, RegistryError>>;

    /// Removes the rows of these keys; succeeds when there are none.
    fn remove(&self, keys: &[ObjectKey]) -> impl Future<Output = Result<(), RegistryError>>;

    /// Writes the decision about an image that waits for a review, with the reason of a refusal. Another image stays as it
    /// is.
    fn decide(
        &self,
        key: &ObjectKey,
        review: Review,
        reason: Option<&str>,
    ) -> impl Future<Output = Result<(), RegistryError>>;

    /// Adds an event, once for its idempotency key.
    fn event(&self, event: &Event) -> impl Future<Output = Result<(), RegistryError>>;

    /// Checks that the database answers.
    fn probe(&self) -> impl Future<Output = Result<(), RegistryError>>;
}

/// The images, for handlers and for the sweep.
pub trait ImageStore: Registry {
    /// Makes an image of `from` one of `to`. Whether it is one of `to` now; it may have been before. The event is
    /// written with the change.
    fn transfer_ownership(
        &self,
        key: &ObjectKey,
        from: &UserId,
        to: &UserId,
        event: Option<&EventRecord>,
    ) -> impl Future<Output = Result<bool, RegistryError>>;

    fn get(&self, id: ImageId) -> impl Future<Output = Result<Option<ImageRow>, RegistryError>>;

    /// The images with these numbers.
    fn get_all(
        &self,
        ids: &[ImageId],
    ) -> impl Future<Output = Result<Vec<ImageRow>, RegistryError>>;

    /// Images of an owner, of a form, or of both, newest first.
    fn list(
        &self,
        listing: ImageListing<'_>,
    ) -> impl Future<Output = Result<Vec<ImageRow>, RegistryError>>;

    /// The images with these keys, newest first.
    fn find_all(
        &self,
        keys: &[ObjectKey],
    ) -> impl Future<Output = Result<Vec<ImageRow>, RegistryError>>;

    /// The images that wait for a review, oldest first.
    fn list_held(
        &self,
        listing: HeldListing<'_>,
    ) -> impl Future<Output = Result<Vec<ImageRow>, RegistryError>>;

    /// Those of the objects that belong to a row.
    fn find_registered(
        &self,
        keys: &[String],
    ) -> impl Future<Output = Result<Vec<String>, RegistryError>>;

    /// Images in the order of their numbers, above one of them.
    fn images_after(
        &self,
        id: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<ImageRow>, RegistryError>>;

    /// The id that the deployment shares with its bucket.
    fn deployment_id(&self) -> impl Future<Output = Result<Option<String>, RegistryError>>;

    /// Writes the id of the deployment unless there is one. Returns the one that is stored now.
    fn bind_deployment(
        &self,
        id: &str,
        now_ms: u64,
    ) -> impl Future<Output = Result<String, RegistryError>>;

    /// Where a scheduled job stopped; empty at the beginning.
    fn job_cursor(&self, job: &str) -> impl Future<Output = Result<String, RegistryError>>;

    fn set_job_cursor(
        &self,
        job: &str,
        cursor: &str,
    ) -> impl Future<Output = Result<(), RegistryError>>;
}

/// Which images to list.
#[derive(Clone, Copy, Debug)]
pub struct ImageListing<'a> {
    /// At least one of owner and form is named.
    pub owner: Option<&'a UserId>,
    pub form_id: Option<&'a str>,
    /// Older than this one.
    pub before: Option<ImageId>,
    pub limit: u32,
}

/// Which images that wait for a review to list.
#[derive(Clone, Copy, Debug)]
pub struct HeldListing<'a> {
    pub form_id: Option<&'a str>,
    /// Newer than this one.
    pub after: Option<ImageId>,
    pub limit: u32,
}

/// The review of an image whose form has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Review {
    /// It waits for a decision, and its object lies below `private/`.
    Held,
    Released,
    /// Its object is gone.
    Refused,
}

impl Review {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Released => "released",
            Self::Refused => "refused",
        }
    }
}

/// An image to be registered.
#[derive(Clone, Copy)]
pub struct NewImage<'a> {
    pub key: &'a ObjectKey,
    pub owner: &'a UserId,
    pub form_id: Option<&'a str>,
    pub format: Format,
    /// Of the upright image.
    pub width: u32,
    pub height: u32,
    pub size_bytes: u64,
    /// Of the stored bytes, in hexadecimal.
    pub sha256: &'a str,
    /// The file name that the client sent.
    pub original_name: Option<&'a str>,
    /// Whether it waits for a review.
    pub is_held: bool,
    /// A `ThumbHash`, in base64.
    pub placeholder: Option<&'a str>,
    pub created_ms: u64,
}

/// A registered image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRow {
    pub id: ImageId,
    pub key: String,
    pub owner: String,
    pub form_id: Option<String>,
    pub media_type: String,
    pub width: u32,
    pub height: u32,
    pub size_bytes: u64,
    pub sha256: String,
    pub original_name: Option<String>,
    pub placeholder: Option<String>,
    pub created_ms: u64,
    /// [`None`] for an image whose form has no review.
    pub review: Option<Review>,
    /// Why it was refused.
    pub review_reason: Option<String>,
}

impl ImageRow {
    /// The key of the object. [`None`] when there is none.
    pub fn object(&self) -> Option<ObjectKey> {
        object_of(&self.key, self.review)
    }
}

/// The key of the object of an image with this key and this review.
fn object_of(key: &str, review: Option<Review>) -> Option<ObjectKey> {
    let key = ObjectKey::parse(key)?;
    match review {
        Some(Review::Held) => Some(key.private()),
        Some(Review::Refused) => None,
        Some(Review::Released) | None => Some(key),
    }
}
