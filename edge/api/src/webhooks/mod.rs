//! Events for the back end: signing and sending one (Standard Webhooks), and giving events of changes in the database to
//! the ledgers that send them.

mod signature;

pub use signature::signed_headers;

use edge_ledger::{
    Answer, DeliveryError, EnqueueEvent, EventQueue, EventSettings, EventType, LedgerClient,
    WebhookEvent,
};
use edge_registry::{EventRecord, ImageRow, WebhookStore};
use edge_storage::ObjectKey;
use edge_types::{Clock, Subject, UserId, log, with_timeout};

use crate::{
    app::App,
    config::WebhookSettings,
    error::InternalError,
    ports::{Ports, WebhookClient},
};

/// Events of one run. Each costs two requests.
const BATCH: u32 = 100;
/// How long events that were given up can be sent again.
pub const KEPT_DEAD_MS: u64 = 30 * 86_400_000;

/// Sends an event once, signed at this time.
///
/// # Errors
/// Any answer but a success, also a redirect: it would lead to a URL that nobody configured.
pub async fn deliver(
    clock: &impl Clock,
    client: &impl WebhookClient,
    settings: &WebhookSettings,
    event: &WebhookEvent,
    timeout_ms: u64,
) -> Result<Answer, DeliveryError> {
    let headers = signed_headers(settings, event, clock.now_ms());
    let posting = client.post(&settings.url, &headers, &event.body, Answer::MAX_BYTES);
    match with_timeout(clock, timeout_ms, posting).await {
        None => Err(DeliveryError::Timeout),
        Some(None) => Err(DeliveryError::Unreachable),
        Some(Some((200..=299, body))) => Ok(Answer::read(&body)),
        Some(Some((status, _))) => Err(DeliveryError::Status(status)),
    }
}

/// Which events the back end gets.
pub fn settings<P>(app: &App<P>) -> Option<&EventSettings> {
    app.config.webhooks.as_ref().map(|webhooks| &webhooks.events)
}

/// The row that the event of a deletion needs.
pub fn row_of<P>(app: &App<P>, row: Option<&ImageRow>) -> Option<Box<ImageRow>> {
    settings(app).and(row).cloned().map(Box::new)
}

/// The event of a change of a user in the database.
pub fn user_event<P: Ports>(
    app: &App<P>,
    event_type: EventType,
    user: &UserId,
    about: &str,
) -> Option<EventRecord> {
    let now_ms = app.ports.now_ms();
    let event = settings(app)?.user(event_type, now_ms, user.as_str(), about, None)?;
    let subject = Subject::User(user.clone()).to_string();
    Some(record(event, subject.clone(), subject, now_ms))
}

/// The event of a claim that changes only the database: the ledger has forgotten the picture.
pub fn claim_event<P: Ports>(app: &App<P>, key: &ObjectKey, row: &ImageRow) -> Option<EventRecord> {
    let now_ms = app.ports.now_ms();
    let event = settings(app)?.row(EventType::ImageClaimed, now_ms, row, None)?;
    let subject = Subject::User(key.owner()?).to_string();
    Some(record(event, subject, EventQueue::stream_of(key), now_ms))
}

fn record(event: WebhookEvent, subject: String, stream: String, created_ms: u64) -> EventRecord {
    let WebhookEvent { id, event_type, body } = event;
    EventRecord {
        id,
        event_type: event_type.into_str().to_owned(),
        subject,
        stream,
        body,
        created_ms,
    }
}

/// Gives events of the database to ledgers after the response.
pub fn enqueue_later<P>(app: &App<P>) {
    app.isolate.has_events.set(app.config.webhooks.is_some());
}

/// Gives events of the database to the ledgers that send them. What fails is repeated by the scheduled job; an event that
/// a ledger gets twice has the same id.
pub async fn enqueue_new<P: Ports>(app: &App<P>) {
    if app.config.webhooks.is_some()
        && let Err(error) = try_enqueue(app).await
    {
        log::error("events_waiting", &[("cause", &error.to_string())]);
    }
}

async fn try_enqueue<P: Ports>(app: &App<P>) -> Result<(), InternalError> {
    let store = app.ports.webhook_store();
    for EventRecord { id, event_type, subject, stream, body, .. } in store.new_events(BATCH).await?
    {
        if let (Some(subject), Ok(event_type)) = (Subject::parse(&subject), event_type.parse()) {
            let event = WebhookEvent { id: id.clone(), event_type, body };
            app.ports.ledger().send(&subject, EnqueueEvent { event, stream }).await?;
        }
        store.forget_new_event(&id).await?;
    }
    Ok(())
}

/// Forgets old events that were given up.
pub async fn run_scheduled<P: Ports>(app: &App<P>) {
    enqueue_new(app).await;
    let before_ms = app.ports.now_ms().saturating_sub(KEPT_DEAD_MS);
    if let Err(error) = app.ports.webhook_store().delete_dead_events(before_ms).await {
        log::error("events_undeleted", &[("cause", &error.to_string())]);
    }
}
