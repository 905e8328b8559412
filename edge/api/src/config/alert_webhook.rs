//! The webhook of alerts, at Slack or Discord, and the JSON that each expects.

use core::fmt;

use http::Uri;
use serde::Serialize;

/// A webhook. Its URL is a secret, because it suffices to post there.
#[derive(Clone, PartialEq, Eq)]
pub struct AlertWebhook {
    url: String,
    kind: WebhookKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum WebhookKind {
    /// `{"text"}`, which Mattermost and others accept, too.
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

/// Mentions in a message notify no one.
#[derive(Serialize)]
struct Mentions {
    parse: [&'static str; 0],
}

impl WebhookKind {
    /// By the host of a URL.
    pub fn of_host(url: &str) -> Option<Self> {
        match url.parse::<Uri>().ok()?.host()? {
            "hooks.slack.com" => Some(Self::Slack),
            "discord.com" | "discordapp.com" => Some(Self::Discord),
            _ => None,
        }
    }
}

impl AlertWebhook {
    /// At an address that was checked.
    pub const fn new(url: String, kind: WebhookKind) -> Self {
        Self { url, kind }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn body(&self, text: &str) -> String {
        let body = match self.kind {
            WebhookKind::Slack => serde_json::to_string(&Slack { text }),
            WebhookKind::Discord => {
                let allowed_mentions = Mentions { parse: [] };
                serde_json::to_string(&Discord { content: text, allowed_mentions })
            }
        };
        // Structs of strings are always valid JSON.
        body.unwrap_or_default()
    }
}

impl fmt::Debug for AlertWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlertWebhook({:?})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_body_and_debug_output_contains_no_url() {
        let slack = AlertWebhook::new(
            "https://hooks.slack.com/services/T0/B0/xyz".to_owned(),
            WebhookKind::Slack,
        );
        assert_eq!(slack.body("a \"b\"\nc"), r#"{"text":"a \"b\"\nc"}"#);
        assert_eq!(format!("{slack:?}"), "AlertWebhook(Slack)");
        let discord = AlertWebhook { kind: WebhookKind::Discord, ..slack };
        assert_eq!(discord.body("a"), r#"{"content":"a","allowed_mentions":{"parse":[]}}"#);
    }

    #[test]
    fn the_kind_is_known_by_the_host() {
        let of = WebhookKind::of_host;
        assert_eq!(of("https://hooks.slack.com/services/x"), Some(WebhookKind::Slack));
        assert_eq!(of("https://discord.com/api/webhooks/1/x"), Some(WebhookKind::Discord));
        assert_eq!(of("https://chat.example/hooks.slack.com"), None);
        assert_eq!(of("https://hooks.slack.com.evil.example/x"), None);
    }
}
