//! Links in mails: verifying an e-mail address, and choosing another password. A link works once, for 30 minutes.
//!
//! Who asks for a mail gets the same response whether or not the address has an account: the work is the same, and mails
//! are sent after the response.

use edge_auth::Principal;
use edge_ledger::{CountLoginAttempt, EventType, LedgerClient, LoginLimit};
use edge_registry::{
    AccountLink, LinkKind, MailLinkStore, OpenedSignUp, PasswordHash, SignUpLink, UserStore,
};
use edge_types::{Email, Nickname, Problem, Random, Subject, UserId, hex};
use http::{Response, StatusCode};
use image_rules::Code;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    password::{self, Password},
    transfer::user_id,
};
use crate::{
    app::App,
    body::{BodyStream, read_json},
    context::RequestContext,
    error::ApiError,
    mails::{self, Letter},
    ports::{Ports, StoreContent},
    request::base_url,
    response::{self, Body, HandlerResult},
    webhooks,
};

const LIFETIME_MS: u64 = 30 * 60_000;
/// Mails to one e-mail address: 3 + 86,400 / 1,200 = 75 in any 24 hours. An earlier link works as long as a later one, so
/// strangers who ask for mails keep nobody out.
const MAILS: LoginLimit = LoginLimit { burst: 3, interval_s: 1_200 };
/// Requests for mails from one client IP, which share the limit of its logins.
const OF_CLIENT_IP: LoginLimit = LoginLimit { burst: 60, interval_s: 60 };
/// The page that opens links.
pub(super) const PAGE: &str = "/account/";

/// 256 random bits as text.
pub(super) fn secret(random: &impl Random) -> String {
    let halves: [[u8; 16]; 2] = [random.random(), random.random()];
    hex::encode(halves.as_flattened())
}

/// What the database has of a secret.
pub(super) fn digest(secret: &str) -> String {
    hex::encode(&Sha256::digest(secret))
}

/// The token of a link: 256 random bits. There is no `Debug`, so that it is never printed.
struct LinkToken(String);

impl LinkToken {
    fn new(random: &impl Random) -> Self {
        Self(secret(random))
    }

    /// From a request.
    fn parse(text: String) -> Option<Self> {
        let is_token =
            text.len() == 64 && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        is_token.then_some(Self(text))
    }

    /// What the database has.
    fn digest(&self) -> String {
        digest(&self.0)
    }

    /// The URL in the mail. What stands behind `#` is sent to no server, so it is in no log.
    fn url(&self, base_url: &str, kind: LinkKind) -> String {
        let kind = match kind {
            LinkKind::SignUp => "sign-up",
            LinkKind::Verify => "verify",
            LinkKind::Reset => "reset",
        };
        format!("{base_url}{PAGE}#{kind}={}", self.0)
    }
}

/// The page on which people ask for another password.
pub(super) fn forgotten_url(base_url: &str) -> String {
    format!("{base_url}{PAGE}#forgotten")
}

/// Counts a mail to an address, and against the client IP.
///
/// # Errors
/// `RATE_LIMITED`.
pub(super) async fn count_mail<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    email: &Email,
) -> Result<(), ApiError> {
    let client_ip = context.client_ip();
    let mut limits: Vec<_> = client_ip
        .subjects()
        .map(|(subject, factor)| (subject.clone(), OF_CLIENT_IP.times(factor)))
        .collect();
    limits.push((Subject::Mail(email.digest()), MAILS));
    for (subject, limit) in limits {
        let counting = app.ports.ledger().send(&subject, CountLoginAttempt { limit });
        if let Some(wait_s) = counting.await? {
            return Err(Problem::retry(Code::RateLimited, wait_s).into());
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    email: String,
}

#[derive(Serialize)]
struct Nothing {}

fn accepted<P: Ports>(app: &App<P>, message: &str) -> Response<Body<StoreContent<P>>> {
    response::success(StatusCode::ACCEPTED, message, &Nothing {}, app.ports.now_ms())
}

/// `POST /auth/password-reset`: sends a link to the address, if it has an account.
///
/// # Errors
/// `NOT_FOUND` where no mails are sent, `MALFORMED_REQUEST`, `RATE_LIMITED`.
pub async fn forget_password<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    body: impl BodyStream,
) -> HandlerResult<P> {
    app.config.mail.as_ref().ok_or(Code::NotFound)?;
    let request: Forgotten = read_json(context.head, body).await?;
    let email = Email::parse(&request.email).ok_or(Code::MalformedRequest)?;
    count_mail(app, context, &email).await?;
    add_link(app, context, LinkKind::Reset, &email).await?;
    Ok(accepted(app, "forget_password_success"))
}

/// Adds a link, and has it sent if the address has an account.
async fn add_link<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    kind: LinkKind,
    email: &Email,
) -> Result<(), ApiError> {
    let token = LinkToken::new(&app.ports);
    let (digest, expires_ms) = (token.digest(), app.ports.now_ms() + LIFETIME_MS);
    let link = AccountLink { kind, digest: &digest, email, expires_ms };
    if app.ports.users().add_link(&link).await? {
        let url = token.url(&base_url(&app.config, context.head), kind);
        let letter = match kind {
            LinkKind::Reset => Letter::Reset { url },
            LinkKind::Verify | LinkKind::SignUp => Letter::Verify { url },
        };
        mails::send_later(app, email.as_str(), &letter, context.language());
    }
    Ok(())
}

/// `POST /users/{id}/verification`: sends the link that verifies the caller's address.
///
/// # Errors
/// `USER_MISMATCH`, `NOT_FOUND` without an account or without mails, `RATE_LIMITED`.
pub async fn send_verification<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    id: &UserId,
) -> HandlerResult<P> {
    caller.check_access(id)?;
    app.config.mail.as_ref().ok_or(Code::NotFound)?;
    let user = app.ports.users().by_id(id).await?.ok_or(Code::NotFound)?;
    let email = Email::parse(&user.email).ok_or(Code::NotFound)?;
    if !user.has_verified_email {
        count_mail(app, context, &email).await?;
        add_link(app, context, LinkKind::Verify, &email).await?;
    }
    Ok(accepted(app, "send_verification_success"))
}

/// Sends the link that verifies the address of a new account, or of one that may not log in without. The caller gets the
/// same response when the mail is not sent, because the limit of the address is used up.
pub(super) async fn invite_to_verify<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    email: &Email,
) -> Result<(), ApiError> {
    match count_mail(app, context, email).await {
        Ok(()) => add_link(app, context, LinkKind::Verify, email).await,
        Err(ApiError::Client(Problem { code: Code::RateLimited, .. })) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Keeps a sign-up until its link is opened, or tells the owner of the address that there is an account.
///
/// # Errors
/// When the database fails.
pub(super) async fn begin_sign_up<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    email: &Email,
    nickname: Option<&Nickname>,
) -> HandlerResult<P> {
    let base_url = base_url(&app.config, context.head);
    let token = LinkToken::new(&app.ports);
    let (digest, expires_ms) = (token.digest(), app.ports.now_ms() + LIFETIME_MS);
    let link = SignUpLink { digest: &digest, email, nickname, expires_ms };
    let letter = if app.ports.users().add_sign_up_link(&link).await? {
        Letter::SignUp { url: token.url(&base_url, LinkKind::SignUp) }
    } else {
        Letter::HasAccount { url: forgotten_url(&base_url) }
    };
    mails::send_later(app, email.as_str(), &letter, context.language());
    Ok(accepted(app, "signup_pending"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opened {
    pub(super) token: String,
    /// Of the new account, for the link of a sign-up.
    pub(super) password: Option<String>,
}

#[derive(Serialize)]
struct Verified {
    email: String,
}

/// `POST /auth/verify-email`: opens the link of a sign-up or of an account. Who opens the link of a sign-up chooses the
/// password, because a stranger may have begun it.
///
/// # Errors
/// `LINK_INVALID` for a link that was used, has expired or was never sent; `MALFORMED_REQUEST` and `PASSWORD_COMMON`, after
/// which the link still works.
pub async fn verify_email<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    body: impl BodyStream,
) -> HandlerResult<P> {
    let request: Opened = read_json(context.head, body).await?;
    let token = LinkToken::parse(request.token).ok_or(Code::LinkInvalid)?;
    let (digest, now_ms, users) = (token.digest(), app.ports.now_ms(), app.ports.users());
    let email = if let Some(email) = users.link_email(LinkKind::SignUp, &digest, now_ms).await? {
        let password = request.password.ok_or_else(|| Problem::field("password", None))?;
        let password = Password::parse(password, &email)?;
        finish_sign_up(app, &digest, &password::hash(app, &password).await?).await?;
        email
    } else {
        let email = users.link_email(LinkKind::Verify, &digest, now_ms).await?;
        let email = email.ok_or(Code::LinkInvalid)?;
        let user = users.verify_by_link(&digest, now_ms).await?.ok_or(Code::LinkInvalid)?;
        record(app, context, "verify", &user).await;
        email
    };
    let verified = Verified { email };
    Ok(response::success(StatusCode::OK, "verify_email_success", &verified, now_ms))
}

async fn finish_sign_up<P: Ports>(
    app: &App<P>,
    digest: &str,
    password: &PasswordHash,
) -> Result<(), ApiError> {
    let id = user_id(&app.ports.random()).ok_or(Code::Internal)?;
    let event = webhooks::user_event(app, EventType::UserSignedUp, &id, id.as_str());
    let now_ms = app.ports.now_ms();
    let opened = OpenedSignUp { digest, password, id: &id, now_ms, event: event.as_ref() };
    let user = app.ports.users().sign_up_by_link(&opened).await?.ok_or(Code::LinkInvalid)?;
    webhooks::enqueue_later(app);
    app.record_of(format!("signup:{}", user.id), "signup", &user.id, "by_link").await;
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    token: String,
    password: String,
}

/// `POST /auth/password-reset/confirm`: opens the link and sets the password. All sessions of the user end.
///
/// # Errors
/// `LINK_INVALID`; `MALFORMED_REQUEST` and `PASSWORD_COMMON`, after which the link still works.
pub async fn reset_password<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    body: impl BodyStream,
) -> HandlerResult<P> {
    let request: Reset = read_json(context.head, body).await?;
    let token = LinkToken::parse(request.token).ok_or(Code::LinkInvalid)?;
    let (digest, users) = (token.digest(), app.ports.users());
    let email = users.link_email(LinkKind::Reset, &digest, app.ports.now_ms()).await?;
    let email = email.ok_or(Code::LinkInvalid)?;
    let password = Password::parse(request.password, &email)?;
    let hash = password::hash(app, &password).await?;
    let now_ms = app.ports.now_ms();
    let user = users.reset_by_link(&digest, &hash, now_ms).await?.ok_or(Code::LinkInvalid)?;
    app.isolate.sessions.clear();
    record(app, context, "password", &user).await;
    let url = forgotten_url(&base_url(&app.config, context.head));
    mails::send_later(app, &email, &Letter::PasswordChanged { url }, context.language());
    Ok(response::success(StatusCode::OK, "reset_password_success", &Nothing {}, now_ms))
}

async fn record<P: Ports>(app: &App<P>, context: &RequestContext<'_>, kind: &str, user: &UserId) {
    app.record_of(format!("{kind}:{}", context.id.as_str()), kind, user, "by_link").await;
}
