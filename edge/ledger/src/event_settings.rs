//! Which events the back end gets, and what their bodies say.

use edge_registry::ImageRow;
use edge_storage::ObjectKey;
use edge_types::{ImageId, PERMANENT_MS, UserId, timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use strum::VariantArray;

use crate::{EventType, StoredImage, WebhookEvent};

/// Which events the back end gets, and how the URLs of pictures begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSettings {
    types: u16,
    image_base_url: Option<String>,
}

/// What an event says about an image, beside what is stored of it.
#[derive(Clone, Copy, Default)]
pub struct ImageDetails<'a> {
    pub image_id: Option<ImageId>,
    /// Whose it is now; by default the user in its key.
    pub owner: Option<&'a UserId>,
    /// When a pending image expires.
    pub expires_ms: Option<u64>,
    /// Why it was refused.
    pub reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Body<'a, D> {
    r#type: &'static str,
    timestamp: String,
    data: &'a D,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageData<'a> {
    image_id: Option<ImageId>,
    key: &'a str,
    image_url: Option<String>,
    form_id: Option<&'a str>,
    user_id: Option<&'a str>,
    content_type: &'a str,
    file_size: u64,
    width: u32,
    height: u32,
    sha256: &'a str,
    placeholder: Option<&'a str>,
    removed: Option<&'a [String]>,
    original_filename: Option<&'a str>,
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserData<'a> {
    user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// Of a ban that ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    banned_until: Option<String>,
}

impl EventSettings {
    /// All events, or those of a list: names, and prefixes such as `image.*`. A ping needs no name.
    pub fn new(list: Option<&str>, image_base_url: Option<String>) -> Option<Self> {
        let mut types = EventType::TestPing.bit();
        let Some(list) = list else {
            return Some(Self { types: u16::MAX, image_base_url });
        };
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let bits = match name.strip_suffix('*') {
                Some(prefix) => EventType::VARIANTS
                    .iter()
                    .filter(|it| it.into_str().starts_with(prefix))
                    .fold(0, |bits, it| bits | it.bit()),
                None => name.parse::<EventType>().ok()?.bit(),
            };
            if bits == 0 {
                return None;
            }
            types |= bits;
        }
        Some(Self { types, image_base_url })
    }

    /// The same events, with URLs of pictures that begin so.
    #[must_use]
    pub fn with_base_url(self, image_base_url: Option<String>) -> Self {
        Self { image_base_url, ..self }
    }

    /// An event about an image, if the back end gets this type.
    pub fn image(
        &self,
        event_type: EventType,
        now_ms: u64,
        image: &StoredImage,
        details: ImageDetails<'_>,
    ) -> Option<WebhookEvent> {
        let uploader = image.key.owner();
        // The picture of a guest may have been claimed before it was decided.
        let is_decision = matches!(event_type, EventType::ImageReleased | EventType::ImageRefused);
        let uploader = uploader.filter(|uploader| !is_decision || !uploader.is_guest());
        let owner = details.owner.or(uploader.as_ref());
        let data = ImageData {
            image_id: details.image_id,
            key: image.key.as_str(),
            image_url: self.image_url(image.key.as_str()),
            form_id: image.form_id.as_deref(),
            user_id: owner.map(UserId::as_str),
            content_type: image.format.media_type(),
            file_size: image.size_bytes,
            width: image.width,
            height: image.height,
            sha256: &image.sha256,
            placeholder: Some(&image.placeholder),
            removed: Some(&image.removed),
            original_filename: image.original_name.as_deref(),
            expires_at: details.expires_ms.map(timestamp),
            reason: details.reason,
        };
        self.event(event_type, image_id(event_type, &image.key), now_ms, &data)
    }

    /// An event about an image of which only the row is known, and the kinds of private data that were removed if the
    /// ledger still has them.
    pub fn row(
        &self,
        event_type: EventType,
        now_ms: u64,
        row: &ImageRow,
        removed: Option<&[String]>,
    ) -> Option<WebhookEvent> {
        let key = ObjectKey::parse(&row.key)?;
        let data = ImageData {
            image_id: Some(row.id),
            key: &row.key,
            image_url: self.image_url(&row.key),
            form_id: row.form_id.as_deref(),
            user_id: Some(&row.owner),
            content_type: &row.media_type,
            file_size: row.size_bytes,
            width: row.width,
            height: row.height,
            sha256: &row.sha256,
            placeholder: row.placeholder.as_deref(),
            removed,
            original_filename: row.original_name.as_deref(),
            expires_at: None,
            reason: None,
        };
        self.event(event_type, image_id(event_type, &key), now_ms, &data)
    }

    /// An event about a user. `about` makes its id unique.
    pub fn user(
        &self,
        event_type: EventType,
        now_ms: u64,
        user: &str,
        about: &str,
        ban: Option<(&str, Option<u64>)>,
    ) -> Option<WebhookEvent> {
        let (reason, until_ms) = ban.unzip();
        let banned_until = until_ms.flatten().filter(|until_ms| *until_ms < PERMANENT_MS);
        let data = UserData { user_id: user, reason, banned_until: banned_until.map(timestamp) };
        self.event(event_type, id(event_type, about), now_ms, &data)
    }

    /// An event that shows that the endpoint works.
    pub fn ping(&self, now_ms: u64, about: &str) -> Option<WebhookEvent> {
        let event_type = EventType::TestPing;
        self.event(event_type, id(event_type, about), now_ms, &Map::<String, Value>::new())
    }

    fn image_url(&self, key: &str) -> Option<String> {
        self.image_base_url.as_ref().map(|base_url| format!("{base_url}/{key}"))
    }

    fn event(
        &self,
        event_type: EventType,
        id: String,
        now_ms: u64,
        data: &impl Serialize,
    ) -> Option<WebhookEvent> {
        if self.types & event_type.bit() == 0 {
            return None;
        }
        let body = Body { r#type: event_type.into_str(), timestamp: timestamp(now_ms), data };
        // Structs of strings and numbers are always valid JSON.
        let body = serde_json::to_string(&body).ok()?;
        Some(WebhookEvent { id, event_type, body })
    }
}

/// An image has one event of a type, so an event that is written twice has the same id. Without the user, whom the key
/// names.
fn image_id(event_type: EventType, key: &ObjectKey) -> String {
    let file = key.as_str().rsplit('/').next().unwrap_or_default();
    id(event_type, file.split('.').next().unwrap_or_default())
}

/// A full stop would end the id in what is signed.
fn id(event_type: EventType, about: &str) -> String {
    format!("{}-{about}", event_type.into_str().replace('.', "_"))
}
