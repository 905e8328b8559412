//! The back end that gets events: its address, the secrets that sign them, and which events it wants.

use core::fmt;

use base64ct::{Base64, Encoding};
use edge_auth::KeyServerUrl;
use edge_ledger::EventSettings;
use edge_types::Reader;

/// Where events are sent, and how they are signed.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// It may contain credentials, so logs and responses name only its host.
    pub url: String,
    /// More than one while they are rotated. Each of them signs.
    pub secrets: Vec<Vec<u8>>,
    pub events: EventSettings,
}

/// Shorter secrets can be guessed, and longer ones add nothing (Standard Webhooks, "Signature scheme").
const SECRET_BYTES: core::ops::RangeInclusive<usize> = 24..=64;
/// One for today, one that is being introduced, and one that is leaving.
const MAX_SECRETS: usize = 3;

/// Reads the variables. Without `WEBHOOK_URL` there are no events.
pub(super) fn read(
    reader: &mut Reader<'_>,
    image_base_url: Option<String>,
) -> Option<WebhookSettings> {
    const URL: &str = "the https URL of your back end (http only for localhost)";
    const SECRET: &str =
        "one to three secrets separated by spaces, each whsec_ and 24 to 64 bytes in base64";
    const EVENTS: &str = "names such as image.stored, or image.*, separated by commas";
    let parse = |list: &str| EventSettings::new(Some(list), None);
    let events = reader.parsed("WEBHOOK_EVENTS", EVENTS, parse);
    let url = reader.parsed("WEBHOOK_URL", URL, |text| {
        KeyServerUrl::parse(text).map(|url| url.as_str().to_owned())
    })?;
    let secrets = reader.required("WEBHOOK_SECRET", SECRET)?;
    let Some(secrets) = parse_secrets(&secrets) else {
        reader.problem("WEBHOOK_SECRET", SECRET);
        return None;
    };
    let events = events.or_else(|| EventSettings::new(None, None))?;
    let events = events.with_base_url(image_base_url);
    Some(WebhookSettings { url, secrets, events })
}

fn parse_secrets(text: &str) -> Option<Vec<Vec<u8>>> {
    let parse = |secret: &str| {
        let bytes = Base64::decode_vec(secret.strip_prefix("whsec_")?).ok()?;
        SECRET_BYTES.contains(&bytes.len()).then_some(bytes)
    };
    let secrets: Vec<_> = text.split_whitespace().map(parse).collect::<Option<_>>()?;
    (1..=MAX_SECRETS).contains(&secrets.len()).then_some(secrets)
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookSettings({} secrets)", self.secrets.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use edge_ledger::EventType;

    use super::*;

    const URL: &str = "https://api.example/hooks/images";
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn settings(
        variables: &[(&'static str, &'static str)],
    ) -> Result<Option<WebhookSettings>, Vec<String>> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        let mut reader = Reader::new(&variables);
        let settings = read(&mut reader, Some("https://image.example".to_owned()));
        if reader.problems.is_empty() {
            return Ok(settings);
        }
        Err(reader.problems.into_iter().map(|it| it.variable.into_owned()).collect())
    }

    fn has(settings: &WebhookSettings, event_type: EventType) -> bool {
        settings.events.user(event_type, 0, "7", "1", None).is_some()
    }

    #[test]
    fn all_events_go_to_the_url_unless_some_are_chosen() {
        assert_eq!(settings(&[]), Ok(None));
        assert_eq!(settings(&[("WEBHOOK_SECRET", SECRET)]), Ok(None));
        let all = settings(&[("WEBHOOK_URL", URL), ("WEBHOOK_SECRET", SECRET)]);
        let all = all.expect("valid").expect("on");
        assert!(has(&all, EventType::ImageStored) && has(&all, EventType::UserErased));
        assert!(!format!("{all:?}").contains("hooks"), "{all:?}");
        let some = [
            ("WEBHOOK_URL", "http://localhost:3000/hooks"),
            ("WEBHOOK_SECRET", SECRET),
            ("WEBHOOK_EVENTS", "image.stored, user.*"),
        ];
        let some = settings(&some).expect("valid").expect("on");
        assert!(has(&some, EventType::ImageStored) && has(&some, EventType::UserErased));
        assert!(!has(&some, EventType::ImageDeleted));
        assert!(has(&some, EventType::TestPing), "a ping is always sent");
    }

    #[test]
    fn secrets_are_rotated_side_by_side() {
        let two = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let two = settings(&[("WEBHOOK_URL", URL), ("WEBHOOK_SECRET", two)]);
        let two = two.expect("valid").expect("on");
        assert_eq!(two.secrets.iter().map(Vec::len).collect::<Vec<_>>(), [24, 32]);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let wrong = |name: &'static str, value| {
            let mut variables = vec![("WEBHOOK_URL", URL), ("WEBHOOK_SECRET", SECRET)];
            variables.retain(|(known, _)| *known != name);
            variables.push((name, value));
            assert_eq!(settings(&variables), Err(vec![name.to_owned()]), "{name}={value}");
        };
        for url in ["http://api.example/", "ftp://localhost/", "https://u:p@api.example/", "x"] {
            wrong("WEBHOOK_URL", url);
        }
        for secret in [
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa",
            "whsec_!",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_x",
        ] {
            wrong("WEBHOOK_SECRET", secret);
        }
        for events in ["image.sold", "images.*", "stored"] {
            wrong("WEBHOOK_EVENTS", events);
        }
        assert_eq!(settings(&[("WEBHOOK_URL", URL)]), Err(vec!["WEBHOOK_SECRET".to_owned()]));
    }
}
