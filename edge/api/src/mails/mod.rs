//! Mails to people. They are sent after the response, so that its time does not tell whether there is anybody to write to.

mod mailbox;
mod texts;

pub use mailbox::mailbox;

use edge_types::{log, with_timeout};
use image_rules::Language;

use crate::{
    app::App,
    config::{MailService, MailSettings},
    ports::{Mail, MailError, Mailer, Ports},
};

/// Mails that wait in one isolate; more are dropped and logged. Their rate is limited before.
const MAX_WAITING: usize = 100;
/// Mails that the mailbox of development shows.
const MAX_SHOWN: usize = 50;
const SEND_TIMEOUT_MS: u64 = 10_000;
/// A service that is busy for a moment gets it again.
const ATTEMPTS: u32 = 3;
const PAUSE_MS: u64 = 1_000;

/// What a mail is about. Links are complete URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Letter {
    /// The link creates the account.
    SignUp { url: String },
    /// Somebody has signed up with the address of an account.
    HasAccount { url: String },
    /// The link verifies the address of an account.
    Verify { url: String },
    /// The link sets another password.
    Reset { url: String },
    /// The password was changed.
    PasswordChanged { url: String },
}

impl Letter {
    const fn name(&self) -> &'static str {
        match self {
            Self::SignUp { .. } => "sign_up",
            Self::HasAccount { .. } => "has_account",
            Self::Verify { .. } => "verify",
            Self::Reset { .. } => "reset",
            Self::PasswordChanged { .. } => "password_changed",
        }
    }
}

/// Has a mail sent after the response. Without a configured service there are no mails.
pub fn send_later<P>(app: &App<P>, to: &str, letter: &Letter, language: Language) {
    let Some(settings) = &app.config.mail else { return };
    let from = match settings {
        MailSettings::Service(service) => service.from.clone(),
        MailSettings::Mailbox => String::new(),
    };
    let (subject, text, html) = texts::write(letter, language);
    let (kind, language) = (letter.name(), language.tag());
    let mail = Mail { to: to.to_owned(), from, kind, language, subject, text, html };
    let mut waiting = app.isolate.mails.borrow_mut();
    if waiting.len() < MAX_WAITING {
        waiting.push(mail);
    } else {
        log::error("mail_dropped", &[("kind", kind)]);
    }
}

/// Sends what waits.
pub async fn send_waiting<P: Ports>(app: &App<P>, waiting: Vec<Mail>) {
    for mail in waiting {
        match &app.config.mail {
            None => {}
            Some(MailSettings::Mailbox) => {
                let mut shown = app.isolate.mailbox.borrow_mut();
                shown.insert(0, (app.ports.now_ms(), mail));
                shown.truncate(MAX_SHOWN);
            }
            Some(MailSettings::Service(service)) => send(app, service, &mail).await,
        }
    }
}

async fn send<P: Ports>(app: &App<P>, service: &MailService, mail: &Mail) {
    // Serialising a struct with text to memory cannot fail.
    let body = serde_json::to_string(mail).unwrap_or_default();
    for attempt in 1..=ATTEMPTS {
        let sending = app.ports.mailer().send(&service.url, service.token.as_deref(), body.clone());
        let outcome = with_timeout(&app.ports, SEND_TIMEOUT_MS, sending).await;
        let error = match outcome.unwrap_or(Err(MailError::Timeout)) {
            Ok(()) => return,
            Err(error) => error,
        };
        let may_pass = matches!(
            error,
            MailError::Unreachable | MailError::Timeout | MailError::Status(429 | 500..)
        );
        if attempt == ATTEMPTS || !may_pass {
            let fields = [("kind", mail.kind), ("cause", &*error.to_string())];
            return log::error("mail_unsent", &fields);
        }
        app.ports.sleep(PAUSE_MS * u64::from(attempt)).await;
    }
}
