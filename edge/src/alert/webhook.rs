//! Where messages go: a webhook of Slack or Discord, and what each wants to read.

use core::fmt;

use http::Uri;
use serde::Serialize;

/// Brings messages to a webhook.
pub trait Messenger {
    /// Posts JSON to this address. Giving up in time is the caller's: what is dropped is aborted.
    fn send(&self, url: &str, body: String) -> impl Future<Output = Result<(), MessengerFault>>;
}

/// Why a message was not taken. The address is in none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessengerFault {
    /// The webhook could not be reached.
    Unreachable,
    /// It answered with something other than success.
    Status(u16),
    /// It did not answer in time.
    Late,
}

/// A webhook. Whoever knows its address can write there, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    url: String,
    kind: WebhookKind,
}

/// Whose shape a message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookKind {
    /// `{"text"}`; Mattermost and others take it, too.
    Slack,
    /// `{"content"}`.
    Discord,
}

#[derive(Serialize)]
struct Slack<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Discord<'a> {
    content: &'a str,
    allowed_mentions: Mentions,
}

/// Nobody is rung up by a message.
#[derive(Serialize)]
struct Mentions {
    parse: [&'static str; 0],
}

impl WebhookKind {
    /// By its name in the configuration.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "slack" => Some(Self::Slack),
            "discord" => Some(Self::Discord),
            _ => None,
        }
    }

    /// By the host of an address.
    #[must_use]
    pub fn of_host(url: &str) -> Option<Self> {
        match url.parse::<Uri>().ok()?.host()? {
            "hooks.slack.com" => Some(Self::Slack),
            "discord.com" | "discordapp.com" => Some(Self::Discord),
            _ => None,
        }
    }
}

impl Webhook {
    /// At an address that was checked.
    #[must_use]
    pub const fn new(url: String, kind: WebhookKind) -> Self {
        Self { url, kind }
    }

    /// Its address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// A message as it wants it.
    pub(super) fn body(&self, text: &str) -> String {
        let body = match self.kind {
            WebhookKind::Slack => serde_json::to_string(&Slack { text }),
            WebhookKind::Discord => {
                let allowed_mentions = Mentions { parse: [] };
                serde_json::to_string(&Discord { content: text, allowed_mentions })
            }
        };
        // Structs of strings are always JSON.
        body.unwrap_or_default()
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({:?})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reads_its_own_shape_and_no_address_shows() {
        let slack = Webhook::new(
            "https://hooks.slack.com/services/T0/B0/xyz".to_owned(),
            WebhookKind::Slack,
        );
        assert_eq!(slack.body("a \"b\"\nc"), r#"{"text":"a \"b\"\nc"}"#);
        assert_eq!(format!("{slack:?}"), "Webhook(Slack)");
        let discord = Webhook { kind: WebhookKind::Discord, ..slack };
        assert_eq!(discord.body("a"), r#"{"content":"a","allowed_mentions":{"parse":[]}}"#);
    }

    #[test]
    fn the_host_tells_the_kind() {
        let of = WebhookKind::of_host;
        assert_eq!(of("https://hooks.slack.com/services/x"), Some(WebhookKind::Slack));
        assert_eq!(of("https://discord.com/api/webhooks/1/x"), Some(WebhookKind::Discord));
        assert_eq!(of("https://chat.example/hooks.slack.com"), None);
        assert_eq!(of("https://hooks.slack.com.evil.example/x"), None);
    }
}
