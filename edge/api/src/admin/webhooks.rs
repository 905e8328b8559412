//! The endpoint of the back end, and the events that it has not taken.

use edge_registry::{EndpointTrouble, FailedEvent, WebhookStore};
use edge_types::timestamp;
use http::{StatusCode, Uri};
use image_rules::Code;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AdminRequest, query::Query};
use crate::{
    body::{BodyStream, read_json_of},
    config::WebhookSettings,
    error::ApiError,
    ports::Ports,
    response::HandlerResult,
    webhooks,
};

/// How many events are sent again at once.
const MAX_RESENT: u32 = 100;
const PING_TIMEOUT_MS: u64 = 15_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Webhooks {
    endpoint: Endpoint,
    /// How many events are being repeated, and how many were given up.
    failed: u64,
    dead: u64,
    events: Vec<ListedEvent>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    /// `off`, `works`, `failing` or `stopped`.
    state: &'static str,
    /// The URL itself may contain a password.
    host: Option<String>,
    failures: u32,
    failing_since: Option<String>,
    last_error: Option<String>,
    next_attempt_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedEvent {
    id: String,
    r#type: String,
    /// `failed` or `dead`.
    state: &'static str,
    account: String,
    /// Of the picture that it is about.
    key: Option<String>,
    tries: u32,
    last_error: String,
    first_failed_at: String,
    last_failed_at: String,
    next_attempt_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resending {
    /// All of them without.
    ids: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Resent {
    resent: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ping {
    id: String,
    delivered: bool,
    error: Option<String>,
    took_ms: u64,
}

impl<P: Ports> AdminRequest<'_, P> {
    pub async fn webhooks(&self, query: &Query) -> HandlerResult<P> {
        let store = self.app.ports.webhook_store();
        let trouble = store.endpoint().await?;
        let counts = store.count_failed_events().await?;
        let events = store.failed_events(query.limit).await?;
        let data = Webhooks {
            endpoint: self.endpoint(trouble),
            failed: counts.failed,
            dead: counts.dead,
            events: events.into_iter().map(ListedEvent::from).collect(),
        };
        Ok(self.success(StatusCode::OK, "get_webhooks_success", &data))
    }

    fn endpoint(&self, trouble: Option<EndpointTrouble>) -> Endpoint {
        let url = self.app.config.webhooks.as_ref().and_then(|it| it.url.parse::<Uri>().ok());
        let state = match &trouble {
            _ if url.is_none() => "off",
            None => "works",
            Some(EndpointTrouble { stopped_ms: Some(_), .. }) => "stopped",
            Some(_) => "failing",
        };
        Endpoint {
            state,
            host: url.and_then(|url| url.authority().map(ToString::to_string)),
            failures: trouble.as_ref().map_or(0, |it| it.failures),
            failing_since: trouble.as_ref().map(|it| timestamp(it.failing_since_ms)),
            next_attempt_at: trouble
                .as_ref()
                .filter(|it| it.stopped_ms.is_none())
                .map(|it| timestamp(it.next_probe_ms)),
            last_error: trouble.map(|it| it.last_error),
        }
    }

    /// Sends failed events again, also those that were given up.
    pub async fn resend_events(&self, body: impl BodyStream) -> HandlerResult<P> {
        let request: Resending = read_json_of(&self.caller, self.context.head, body).await?;
        self.check_webhooks()?;
        let ids = request.ids.as_deref();
        if ids.is_some_and(|ids| ids.len() > MAX_RESENT as usize) {
            return Err(Code::MalformedRequest.into());
        }
        let resent = self.app.ports.webhook_store().renew_events(ids, MAX_RESENT).await?;
        webhooks::enqueue_later(self.app);
        Ok(self.success(StatusCode::ACCEPTED, "resend_events_success", &Resent { resent }))
    }

    /// Sends a test event at once. When the endpoint takes it, it works again, also after it was stopped.
    pub async fn ping_webhook(&self) -> HandlerResult<P> {
        let settings = self.check_webhooks()?;
        let ports = &self.app.ports;
        let began_ms = ports.now_ms();
        let about = uuid::Builder::from_random_bytes(ports.random()).into_uuid().to_string();
        let event = settings.events.ping(began_ms, &about).ok_or(Code::Internal)?;
        let client = ports.webhook_client();
        let outcome = webhooks::deliver(ports, client, settings, &event, PING_TIMEOUT_MS).await;
        if outcome.is_ok() {
            ports.webhook_store().end_trouble().await?;
        }
        let data = Ping {
            id: event.id,
            delivered: outcome.is_ok(),
            error: outcome.err().map(|error| error.to_string()),
            took_ms: ports.now_ms().saturating_sub(began_ms),
        };
        Ok(self.success(StatusCode::OK, "ping_webhook_success", &data))
    }

    fn check_webhooks(&self) -> Result<&WebhookSettings, ApiError> {
        self.app.config.webhooks.as_ref().ok_or_else(|| Code::NotFound.into())
    }
}

impl From<FailedEvent> for ListedEvent {
    fn from(event: FailedEvent) -> Self {
        let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
        let key = body.pointer("/data/key").and_then(Value::as_str).map(str::to_owned);
        Self {
            id: event.id,
            r#type: event.event_type,
            state: if event.next_ms.is_some() { "failed" } else { "dead" },
            account: event.subject,
            key,
            tries: event.tries,
            last_error: event.last_error,
            first_failed_at: timestamp(event.created_ms),
            last_failed_at: timestamp(event.changed_ms),
            next_attempt_at: event.next_ms.map(timestamp),
        }
    }
}
