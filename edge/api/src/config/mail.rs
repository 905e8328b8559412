//! Mails to people: where they are handed over, and whether addresses are verified by them.

use core::fmt;

use edge_auth::KeyServerUrl;
use edge_types::{Email, Reader};

/// Where mails go.
#[derive(Clone, PartialEq, Eq)]
pub enum MailSettings {
    Service(MailService),
    /// They are kept in memory and shown at `/dev/mail`; for development.
    Mailbox,
}

/// A service that sends mails, which it gets as JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct MailService {
    /// It may contain credentials, so logs and responses name only its host.
    pub url: String,
    /// The bearer token of each request.
    pub token: Option<String>,
    pub from: String,
}

/// Whether e-mail addresses are verified by a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum EmailVerification {
    #[default]
    Off,
    /// A sign-up logs in at once. Until the link is opened, the account has the limits of a guest.
    Optional,
    /// A sign-up makes an account when its link is opened.
    Required,
}

impl MailSettings {
    /// Reads the variables. Without `MAIL_URL` and `DEV_MAILBOX` no mails are sent.
    pub(super) fn read(reader: &mut Reader<'_>, public_base_url: Option<&str>) -> Option<Self> {
        const URL: &str = "the https URL of a mail service (http only for localhost)";
        const FROM: &str = "an e-mail address";
        const TOKEN: &str = "visible ASCII characters";
        let is_mailbox = reader.flag("DEV_MAILBOX", false);
        let url = reader.parsed("MAIL_URL", URL, |text| {
            KeyServerUrl::parse(text).map(|url| url.as_str().to_owned())
        });
        let token = reader.parsed("MAIL_TOKEN", TOKEN, |text| {
            text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| text.to_owned())
        });
        if is_mailbox {
            // Everybody can read the mailbox, so that it must not exist where people are.
            if url.is_some() || public_base_url.is_some_and(|url| !is_local(url)) {
                reader.problem("DEV_MAILBOX", "false, or no MAIL_URL and a local PUBLIC_BASE_URL");
            }
            return Some(Self::Mailbox);
        }
        let url = url?;
        let from = reader.required("MAIL_FROM", FROM)?;
        if Email::parse(&from).is_none() {
            reader.problem("MAIL_FROM", FROM);
        }
        // The host of a request is chosen by its sender, and must not be that of a link in a mail.
        if public_base_url.is_none() {
            reader.problem("PUBLIC_BASE_URL", "the origin of links in mails, with MAIL_URL");
        }
        Some(Self::Service(MailService { url, token, from }))
    }
}

/// Whether a URL leads to this machine.
pub fn is_local(base_url: &str) -> bool {
    ["http://localhost:", "http://127.0.0.1:", "http://[::1]:"]
        .iter()
        .any(|prefix| base_url.starts_with(prefix))
}

impl EmailVerification {
    pub(super) fn read(reader: &mut Reader<'_>, has_mails: bool) -> Self {
        const EXPECTED: &str = "off, optional or required; the last two with MAIL_URL";
        let value = reader.parsed("EMAIL_VERIFICATION", EXPECTED, |text| {
            text.parse().ok().filter(|value| has_mails || *value == Self::Off)
        });
        value.unwrap_or_default()
    }
}

impl fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service(_) => "MailSettings::Service",
            Self::Mailbox => "MailSettings::Mailbox",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(
        variables: &[(&'static str, &'static str)],
        base_url: Option<&str>,
    ) -> Result<(Option<MailSettings>, EmailVerification), Vec<String>> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        let mut reader = Reader::new(&variables);
        let settings = MailSettings::read(&mut reader, base_url);
        let verification = EmailVerification::read(&mut reader, settings.is_some());
        if reader.problems.is_empty() {
            return Ok((settings, verification));
        }
        Err(reader.problems.into_iter().map(|it| it.variable.into_owned()).collect())
    }

    const URL: (&str, &str) = ("MAIL_URL", "https://mail.example/send");
    const FROM: (&str, &str) = ("MAIL_FROM", "no-reply@example.org");
    const BASE: Option<&str> = Some("https://image.example");

    #[test]
    fn mails_need_a_service_a_sender_and_an_origin() {
        assert_eq!(read(&[], None), Ok((None, EmailVerification::Off)));
        let (settings, verification) =
            read(&[URL, FROM, ("EMAIL_VERIFICATION", "required")], BASE).expect("valid");
        assert_eq!(verification, EmailVerification::Required);
        assert!(!format!("{settings:?}").contains("mail.example"));
        assert_eq!(read(&[URL, FROM], None), Err(vec!["PUBLIC_BASE_URL".to_owned()]));
        assert_eq!(read(&[URL], BASE), Err(vec!["MAIL_FROM".to_owned()]));
        assert_eq!(read(&[URL, ("MAIL_FROM", "me")], BASE), Err(vec!["MAIL_FROM".to_owned()]));
        let plain = [("MAIL_URL", "http://mail.example/send"), FROM];
        assert_eq!(read(&plain, BASE), Err(vec!["MAIL_URL".to_owned()]));
        for value in ["optional", "required"] {
            let without = read(&[("EMAIL_VERIFICATION", value)], BASE);
            assert_eq!(without, Err(vec!["EMAIL_VERIFICATION".to_owned()]), "{value}");
        }
        let unknown = read(&[URL, FROM, ("EMAIL_VERIFICATION", "maybe")], BASE);
        assert_eq!(unknown, Err(vec!["EMAIL_VERIFICATION".to_owned()]));
    }

    #[test]
    fn there_is_no_mailbox_in_production() {
        let on = ("DEV_MAILBOX", "true");
        for base_url in [None, Some("http://127.0.0.1:8787"), Some("http://localhost:8787")] {
            let read = read(&[on], base_url).expect("valid").0;
            assert_eq!(read, Some(MailSettings::Mailbox), "{base_url:?}");
        }
        for base_url in [BASE, Some("http://127.0.0.1.example:80"), Some("https://127.0.0.1:8787")]
        {
            assert_eq!(read(&[on], base_url), Err(vec!["DEV_MAILBOX".to_owned()]), "{base_url:?}");
        }
        assert_eq!(read(&[on, URL], None), Err(vec!["DEV_MAILBOX".to_owned()]));
    }
}
