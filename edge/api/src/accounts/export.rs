//! `GET /users/{id}/export`: everything that is kept about a user, as JSON. The records of images come in pages; all the
//! rest is on the first page.

use edge_auth::Principal;
use edge_ledger::{AccountSnapshot, Inspect, LedgerClient, ListOpenUploads, OpenUpload};
use edge_registry::{
    EventRecord, ImageListing, LinkKind, MailLinkStore, OpenLink, RefreshFamily, RemovalScope,
    RemovalStore, SignInStore, StoredEvent, Until, UserStore, WebhookStore,
};
use edge_types::{ImageId, Role, Subject, UserId, timestamp};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::session::UserView;
use crate::{
    app::App,
    context::RequestContext,
    erased,
    error::ApiError,
    images::{self, ImagePage},
    look_up::begin_look_up,
    ports::Ports,
    request::{self, QueryName},
    response::{self, HandlerResult},
};

/// Records of one page: some 600 KB.
const PAGE: u32 = 1_000;
/// More sessions and events than a person has within the time that they are kept.
const MAX_SESSIONS: u32 = 1_000;
const MAX_EVENTS: u32 = 1_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    user_id: UserId,
    /// [`None`] on all pages but the first.
    #[serde(flatten)]
    rest: Option<Rest>,
    #[serde(flatten)]
    images: ImagePage,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rest {
    account: Option<UserView>,
    sessions: Vec<Session>,
    links: Vec<Link>,
    /// Accounts at providers.
    identities: Value,
    image_count: u64,
    pending_uploads: Vec<Upload>,
    limits: Limits,
    abuse: Abuse,
    events: Vec<Event>,
    undelivered_events: Vec<UndeliveredEvent>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    id: String,
    user_agent: Option<String>,
    created_at: String,
    used_at: String,
    expires_at: String,
    ended_at: Option<String>,
}

/// A link in a mail that was not opened yet.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    kind: LinkKind,
    expires_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Upload {
    key: String,
    state: &'static str,
    due_at: String,
    form_id: Option<String>,
    original_filename: Option<String>,
    file_size: Option<u64>,
}

/// What is left of today.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    rate: u64,
    daily_count: u64,
    daily_bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Abuse {
    strikes: u32,
    banned_until: Option<String>,
    ban_reason: Option<String>,
}

#[derive(Serialize)]
struct Event {
    at: String,
    kind: String,
    reason: String,
    until: Option<String>,
    detail: Option<String>,
}

/// An event that the back end does not have.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UndeliveredEvent {
    id: String,
    created_at: String,
    /// As it is sent.
    event: Value,
}

/// Exports what is kept about a user.
///
/// # Errors
/// `USER_MISMATCH`, `MALFORMED_REQUEST` for an invalid query.
pub async fn export_user<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    id: &UserId,
) -> HandlerResult<P> {
    begin_look_up(app, caller, id).await?;
    let mut before = None;
    request::read_query(context.head, |name, value| match name {
        "cursor" => {
            before = Some(ImageId::parse(&value)?);
            Some(QueryName::Known)
        }
        _ => Some(QueryName::Unknown),
    })?;
    let listing = ImageListing { owner: Some(id), form_id: None, before, limit: PAGE };
    let images = images::page(app, context, listing).await?;
    let rest = if before.is_none() { Some(rest(app, context, id).await?) } else { None };
    let data = Export { user_id: id.clone(), rest, images };
    Ok(response::success(StatusCode::OK, "export_user_success", &data, app.ports.now_ms()))
}

async fn rest<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    id: &UserId,
) -> Result<Rest, ApiError> {
    let (users, ledger) = (app.ports.users(), app.ports.ledger());
    let role = if id.is_guest() { Role::Guest } else { Role::User };
    let command = Inspect { limits: app.config.limits.of_role(role) };
    let AccountSnapshot { abuse_status, limit_statuses, .. } =
        ledger.send_to_user(id, command).await?;
    let account = users.by_id(id).await?;
    let banned_until_ms = abuse_status.banned_until_ms.max(erased::banned_until_ms(app, id).await?);
    let subject = Subject::User(id.clone()).to_string();
    let scope = RemovalScope::Owner(id.clone());
    Ok(Rest {
        account: account.map(|user| UserView::new(user, app, context)),
        sessions: users.all_sessions(id, MAX_SESSIONS).await?.into_iter().map(session).collect(),
        links: users.links_of(id, app.ports.now_ms()).await?.into_iter().map(link).collect(),
        identities: users.identities_of(id).await?,
        image_count: users.count_images(&scope, Until::ALL).await?,
        pending_uploads: ledger
            .send_to_user(id, ListOpenUploads)
            .await?
            .into_iter()
            .map(upload)
            .collect(),
        limits: Limits {
            rate: limit_statuses.rate.remaining,
            daily_count: limit_statuses.daily_count.remaining,
            daily_bytes: limit_statuses.daily_bytes.remaining,
        },
        abuse: Abuse {
            strikes: abuse_status.strikes,
            banned_until: banned_until_ms.map(timestamp),
            ban_reason: abuse_status.ban_reason,
        },
        events: users.events_about(&subject, MAX_EVENTS).await?.into_iter().map(event).collect(),
        undelivered_events: app
            .ports
            .webhook_store()
            .undelivered_events_of(id, MAX_EVENTS)
            .await?
            .into_iter()
            .map(undelivered)
            .collect(),
    })
}

fn session(family: RefreshFamily) -> Session {
    Session {
        id: family.id,
        user_agent: family.user_agent,
        created_at: timestamp(family.created_ms),
        used_at: timestamp(family.used_ms),
        expires_at: timestamp(family.expires_ms),
        ended_at: family.revoked_ms.map(timestamp),
    }
}

fn link(open: OpenLink) -> Link {
    Link { kind: open.kind, expires_at: timestamp(open.expires_ms) }
}

fn upload(open: OpenUpload) -> Upload {
    Upload {
        key: open.image.as_ref().map_or_else(|| open.key.to_string(), |it| it.key.to_string()),
        state: open.phase.into_str(),
        due_at: timestamp(open.due_ms),
        file_size: open.image.as_ref().map(|image| image.size_bytes),
        form_id: open.image.as_ref().and_then(|image| image.form_id.clone()),
        original_filename: open.image.and_then(|image| image.original_name),
    }
}

fn event(event: StoredEvent) -> Event {
    Event {
        at: timestamp(event.at_ms),
        kind: event.kind,
        reason: event.reason,
        until: event.until_ms.map(timestamp),
        detail: event.detail,
    }
}

fn undelivered(record: EventRecord) -> UndeliveredEvent {
    UndeliveredEvent {
        created_at: timestamp(record.created_ms),
        event: serde_json::from_str(&record.body).unwrap_or_default(),
        id: record.id,
    }
}
