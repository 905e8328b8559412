//! Events for the back end: their types, the queue of each picture in the outbox of its ledger, the pauses between attempts,
//! and what the back end answers.

use edge_storage::{ObjectKey, UploadKey};
use edge_types::Subject;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happened.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(const_into_str)]
pub enum EventType {
    #[serde(rename = "image.stored")]
    #[strum(serialize = "image.stored")]
    ImageStored,
    #[serde(rename = "image.claimed")]
    #[strum(serialize = "image.claimed")]
    ImageClaimed,
    #[serde(rename = "image.deleted")]
    #[strum(serialize = "image.deleted")]
    ImageDeleted,
    #[serde(rename = "image.expired")]
    #[strum(serialize = "image.expired")]
    ImageExpired,
    #[serde(rename = "image.held")]
    #[strum(serialize = "image.held")]
    ImageHeld,
    #[serde(rename = "image.released")]
    #[strum(serialize = "image.released")]
    ImageReleased,
    #[serde(rename = "image.refused")]
    #[strum(serialize = "image.refused")]
    ImageRefused,
    #[serde(rename = "user.signed_up")]
    #[strum(serialize = "user.signed_up")]
    UserSignedUp,
    #[serde(rename = "user.erased")]
    #[strum(serialize = "user.erased")]
    UserErased,
    #[serde(rename = "user.banned")]
    #[strum(serialize = "user.banned")]
    UserBanned,
    #[serde(rename = "user.unbanned")]
    #[strum(serialize = "user.unbanned")]
    UserUnbanned,
    #[serde(rename = "test.ping")]
    #[strum(serialize = "test.ping")]
    TestPing,
}

impl EventType {
    pub(crate) const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// An event. It is sent as it is in all attempts, so that a receiver recognises a repetition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookEvent {
    /// The header `webhook-id`.
    pub id: String,
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// JSON.
    pub body: String,
}

impl WebhookEvent {
    /// The picture that it is about.
    pub fn key(&self) -> Option<ObjectKey> {
        let body: Value = serde_json::from_str(&self.body).ok()?;
        ObjectKey::parse(body.pointer("/data/key")?.as_str()?)
    }

    /// The event with nothing but ids, once its user is erased.
    #[must_use]
    pub fn reduced(self) -> Self {
        let Ok(mut body) = serde_json::from_str::<Value>(&self.body) else { return self };
        if let Some(data) = body.get_mut("data").and_then(Value::as_object_mut) {
            data.retain(|name, _| matches!(name.as_str(), "imageId" | "key" | "userId"));
        }
        Self { body: body.to_string(), ..self }
    }
}

/// The events about one picture or one user that are still to be sent, in their order. One row has all of them: the next
/// is sent when the one before was delivered or given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventQueue {
    /// An upload key, or a subject.
    pub stream: String,
    /// When the first is sent.
    #[serde(skip)]
    pub due_ms: u64,
    /// Failed attempts of the first.
    pub tries: u32,
    pub events: Vec<WebhookEvent>,
}

impl EventQueue {
    /// The ledger that it belongs to. The stream of events about a user is the name of the user's ledger.
    pub fn subject(&self) -> String {
        let uploader = UploadKey::parse(&self.stream).and_then(|key| key.owner());
        uploader.map_or_else(|| self.stream.clone(), |user| Subject::User(user).to_string())
    }

    pub fn stream_of(key: &ObjectKey) -> String {
        UploadKey::of(key).as_str().to_owned()
    }
}

/// How long an upload waits for the answer. An event that an upload waits for is due for the alarm a second later, in case
/// that the upload does not ask.
pub const WAIT_MS: u64 = 5_000;

/// The pauses before the second attempt and the next ones, in seconds. After the tenth the event is given up.
const PAUSES_S: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// The pause after this many failed attempts, up to a fifth longer, so that what failed together is not repeated
/// together. [`None`] when the event is given up.
pub fn pause_ms(failures: u32, random: u64) -> Option<u64> {
    let pause_ms = PAUSES_S.get(failures.checked_sub(1)? as usize)? * 1000;
    Some(pause_ms + random % (pause_ms / 5))
}

/// The answer of the back end to an event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// For the browser that waits, at most 4 KB.
    pub server_data: Option<Value>,
    /// About a picture that is held.
    pub decision: Option<Verdict>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    Release,
    Refuse { reason: Option<String> },
}

/// As long as the reason of a reviewer.
const MAX_REASON_CHARS: usize = 500;
/// The largest `serverData`.
const MAX_SERVER_DATA_BYTES: usize = 4 * 1024;

impl Answer {
    /// The largest body that is read.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Reads a body. What is not understood counts as left out: the event is delivered in any case.
    pub fn read(body: &[u8]) -> Self {
        let Ok(Value::Object(mut body)) = serde_json::from_slice(body) else {
            return Self::default();
        };
        let server_data = body.remove("serverData").filter(|it| !it.is_null());
        let is_small = |it: &Value| it.to_string().len() <= MAX_SERVER_DATA_BYTES;
        let reason = body.get("reason").and_then(Value::as_str).map(str::to_owned);
        let decision = match body.get("decision").and_then(Value::as_str) {
            Some("release") => Some(Verdict::Release),
            Some("refuse") => {
                let reason = reason.map(|it| it.chars().take(MAX_REASON_CHARS).collect());
                Some(Verdict::Refuse { reason })
            }
            _ => None,
        };
        Self { server_data: server_data.filter(is_small), decision }
    }
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    #[error("unreachable")]
    Unreachable,
    #[error("no answer in time")]
    Timeout,
    #[error("status {0}")]
    Status(u16),
    #[error("the decision could not be written")]
    Undecided,
}

impl DeliveryError {
    /// Whether the endpoint asks for no more events.
    pub const fn is_gone(self) -> bool {
        matches!(self, Self::Status(410))
    }
}

/// What became of events, for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum EventOutcome {
    Queued,
    Delivered,
    /// An attempt failed; there will be another one.
    Failed,
    /// Given up after the last attempt.
    Dead,
}
