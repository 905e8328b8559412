//! The signature of an event: HMAC-SHA256 over id, time and body, one for each secret (Standard Webhooks, "Signature
//! scheme").

use base64ct::{Base64, Encoding};
use edge_ledger::WebhookEvent;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::config::WebhookSettings;

/// The headers of one attempt. The time is that of the attempt, so that a receiver accepts a late repetition and refuses
/// a recorded one.
pub fn signed_headers(
    settings: &WebhookSettings,
    event: &WebhookEvent,
    now_ms: u64,
) -> [(&'static str, String); 3] {
    let timestamp = (now_ms / 1000).to_string();
    let signatures = settings.secrets.iter().filter_map(|secret| {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
        for part in [&event.id, ".", &timestamp, ".", &event.body] {
            mac.update(part.as_bytes());
        }
        Some(format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes())))
    });
    let signatures: Vec<_> = signatures.collect();
    [
        ("webhook-id", event.id.clone()),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signatures.join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    use edge_ledger::{EventSettings, EventType};

    use super::*;

    fn settings(secrets: &[&str]) -> WebhookSettings {
        let secrets = secrets.iter().map(|secret| Base64::decode_vec(secret).expect("base64"));
        WebhookSettings {
            url: "https://api.example/".to_owned(),
            secrets: secrets.collect(),
            events: EventSettings::new(None, None).expect("all"),
        }
    }

    /// The example of the reference implementations (svix).
    #[test]
    fn the_published_example_has_its_signature() {
        let event = WebhookEvent {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(),
            event_type: EventType::TestPing,
            body: r#"{"test": 2432232314}"#.to_owned(),
        };
        let one = settings(&["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        let headers = signed_headers(&one, &event, 1_614_265_330_999);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(headers[1], ("webhook-timestamp", "1614265330".to_owned()));
        assert_eq!(headers[2], ("webhook-signature", expected.to_owned()));
        let two =
            settings(&["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        let [.., (_, both)] = signed_headers(&two, &event, 1_614_265_330_000);
        assert!(both.ends_with(&format!(" {expected}")) && both.starts_with("v1,"), "{both}");
    }
}
