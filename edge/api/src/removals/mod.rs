//! Removals that run in the background: of many images, and of everything of a user (an erasure). A request adds a
//! removal and gets the URL of its progress; [`run`] works on it after the response, and the scheduled job continues it.

mod erasure;
mod form;
mod replay;
mod step;
mod work;

pub use erasure::{begin_erasure, erase_user, settle};
pub use form::close_form;
pub use work::run;

use edge_auth::Principal;
use edge_registry::{Event, ImageStore, NewRemoval, Removal, RemovalScope, RemovalStore};
use edge_storage::ObjectKey;
use edge_types::{FormId, ImageId, RemovalId, UserId, timestamp};
use http::{HeaderValue, StatusCode, header};
use image_rules::Code;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    app::App,
    body::{BodyStream, read_json_of},
    context::RequestContext,
    error::ApiError,
    images::MAX_KEYS,
    ports::{Ports, StoreContent},
    request::base_url,
    response::{self, Body, HandlerResult, Response},
};

/// What to delete: one of these.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeletionRequest {
    #[serde(default, deserialize_with = "present")]
    ids: Option<Vec<ImageId>>,
    #[serde(default, deserialize_with = "present")]
    keys: Option<Vec<ObjectKey>>,
    #[serde(default, deserialize_with = "present")]
    form_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    user_id: Option<UserId>,
}

/// The value of a field. `null` is an error and not the same as no field.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    id: RemovalId,
    /// Where the progress is read.
    url: String,
    /// `pictures`, or `user` for an erasure.
    kind: &'static str,
    state: &'static str,
    /// How many registered images there were, and how many of them are gone.
    total: u64,
    removed: u64,
    created_at: String,
    finished_at: Option<String>,
}

/// `POST /images/delete`: begins to delete images.
///
/// # Errors
/// `MALFORMED_REQUEST`.
pub async fn delete_images<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    body: impl BodyStream,
) -> HandlerResult<P> {
    let request: DeletionRequest = read_json_of(caller, context.head, body).await?;
    let scope = request.scope(app).await?;
    begin(app, context, caller, &scope, "delete_images_success").await
}

/// Begins to delete the images of a scope.
async fn begin<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    scope: &RemovalScope,
    message: &str,
) -> HandlerResult<P> {
    let removal = add(app, caller, scope, 0).await?;
    let subject = match scope {
        RemovalScope::Form(form) => format!("form:{form}"),
        RemovalScope::Owner(user) => format!("user:{user}"),
        _ => "store".to_owned(),
    };
    app.record(event(&removal, "delete", subject, "batch", caller)).await;
    Ok(accepted(app, context, message, &removal))
}

impl DeletionRequest {
    async fn scope<P: Ports>(self, app: &App<P>) -> Result<RemovalScope, ApiError> {
        let is_size = |count: usize| (1..=MAX_KEYS).contains(&count);
        match (self.ids, self.keys, self.form_id, self.user_id) {
            (Some(ids), None, None, None) if is_size(ids.len()) => {
                let rows = app.ports.registry().get_all(&ids).await?;
                let keys = rows.iter().filter_map(|row| ObjectKey::parse(&row.key));
                Ok(RemovalScope::Keys(keys.collect()))
            }
            (None, Some(keys), None, None) if is_size(keys.len()) => Ok(RemovalScope::Keys(keys)),
            (None, None, Some(form), None) => {
                let form = FormId::from_text(&form).ok_or(Code::MalformedRequest)?;
                Ok(RemovalScope::Form(form.as_str().to_owned()))
            }
            (None, None, None, Some(user)) => Ok(RemovalScope::Owner(user)),
            _ => Err(Code::MalformedRequest.into()),
        }
    }
}

/// `GET /removals/{id}`
///
/// # Errors
/// `NOT_FOUND`, `USER_MISMATCH` for another's removal.
pub async fn read<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    id: &RemovalId,
) -> HandlerResult<P> {
    let removal = app.ports.users().removal(id).await?.ok_or(Code::NotFound)?;
    let user = caller.user();
    let is_own = removal.requested_by.as_deref() == Some(user.as_str())
        || removal.scope == RemovalScope::User(user.clone());
    if !is_own && !caller.may_access_others() {
        return Err(Code::UserMismatch.into());
    }
    let data = Progress::new(app, context, &removal);
    let now_ms = app.ports.now_ms();
    Ok(response::success(StatusCode::OK, "get_removal_success", &data, now_ms))
}

impl Progress {
    fn new<P: Ports>(app: &App<P>, context: &RequestContext<'_>, removal: &Removal) -> Self {
        Self {
            url: url(app, context, &removal.id),
            id: removal.id.clone(),
            kind: if removal.is_erasure { "user" } else { "pictures" },
            state: if removal.finished_ms.is_some() { "done" } else { "running" },
            total: removal.total,
            removed: removal.total.saturating_sub(removal.left),
            created_at: timestamp(removal.created_ms),
            finished_at: removal.finished_ms.map(timestamp),
        }
    }
}

fn url<P: Ports>(app: &App<P>, context: &RequestContext<'_>, id: &RemovalId) -> String {
    format!("{}/removals/{id}", base_url(&app.config, context.head))
}

/// Adds a removal, which this isolate begins after the response.
async fn add<P: Ports>(
    app: &App<P>,
    caller: &Principal,
    scope: &RemovalScope,
    protects_ms: u64,
) -> Result<Removal, ApiError> {
    let id = RemovalId::new(app.ports.random());
    let new = NewRemoval {
        id: &id,
        scope,
        requested_by: caller.user(),
        protects_ms,
        created_ms: app.ports.now_ms(),
    };
    let removal = app.ports.users().add_removal(&new).await?;
    app.isolate.has_removals.set(true);
    Ok(removal)
}

/// 202 with the progress and its URL.
fn accepted<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    message: &str,
    removal: &Removal,
) -> Response<Body<StoreContent<P>>> {
    let data = Progress::new(app, context, removal);
    let now_ms = app.ports.now_ms();
    let mut response = response::success(StatusCode::ACCEPTED, message, &data, now_ms);
    if let Ok(location) = HeaderValue::from_str(&data.url) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// The audit event of a removal that was requested.
fn event(
    removal: &Removal,
    kind: &str,
    subject: String,
    reason: &str,
    caller: &Principal,
) -> Event {
    let is_own = subject.strip_prefix("user:") == Some(caller.user().as_str());
    Event {
        idempotency_key: format!("removal:{}", removal.id),
        at_ms: removal.created_ms,
        kind: kind.to_owned(),
        subject,
        reason: reason.to_owned(),
        until_ms: None,
        detail: (!is_own).then(|| format!("by {}", caller.user())),
    }
}
