//! The ports that the platform fills. Time, randomness and I/O enter here as arguments, so that tests run whole
//! requests natively, with everything in memory and a fixed clock.

use edge_auth::KeyServer;
use edge_ledger::LedgerDeps;
use edge_registry::{
    AuditStore, FormStore, ImageStore, MailLinkStore, MetricsStore, RemovalStore, SignInStore,
    UserStore,
};
use edge_storage::{Content, ObjectFacts, ObjectStore};
use edge_types::ClientIp;
use image_rules::Format;
use serde::Serialize;

/// All ports.
pub trait Ports: LedgerDeps<Registry: ImageStore + FormStore + AuditStore + MetricsStore> {
    type EdgeCache: EdgeCache<Content = <Self::Store as ObjectStore>::Content>;
    type UserStore: UserStore + RemovalStore + MailLinkStore + SignInStore;
    type RateLimiter: RateLimiter;
    type KeyServer: KeyServer;
    type AlertSink: AlertSink;
    type Mailer: Mailer;
    type SiteVerify: SiteVerify;
    type WebhookClient: WebhookClient;

    fn edge_cache(&self) -> &Self::EdgeCache;
    fn users(&self) -> &Self::UserStore;
    fn rate_limiter(&self) -> &Self::RateLimiter;
    fn key_server(&self) -> &Self::KeyServer;
    fn alert_sink(&self) -> &Self::AlertSink;
    fn mailer(&self) -> &Self::Mailer;
    fn site_verify(&self) -> &Self::SiteVerify;
    fn webhook_client(&self) -> &Self::WebhookClient;
    fn sha256(&self, bytes: &[u8]) -> impl Future<Output = [u8; 32]>;
    /// The size of the wasm memory, which never shrinks.
    fn wasm_memory_bytes(&self) -> u64;
    /// The deployed version, where the platform knows it.
    fn deployment(&self) -> Option<Deployment>;
}

/// The bytes of stored objects, read from the store of these ports.
pub type StoreContent<P> = <<P as LedgerDeps>::Store as ObjectStore>::Content;

/// Caches pictures in the data centre that answers.
pub trait EdgeCache {
    type Content: Content;

    fn get(&self, url: &str) -> impl Future<Output = Option<Picture<Self::Content>>>;

    /// Caches a picture while it is sent. A copy that cannot be cached is no error.
    fn put(&self, url: &str, picture: Picture<Self::Content>) -> Picture<Self::Content>;

    fn content(&self, bytes: Vec<u8>) -> Self::Content;

    fn purge(&self, url: &str) -> impl Future<Output = ()>;
}

/// A picture to be served.
pub struct Picture<C> {
    pub content: C,
    pub facts: ObjectFacts,
    pub format: Format,
}

/// The flood limits of a client IP: near the caller, cheap, and only roughly exact.
pub trait RateLimiter {
    fn admits(&self, client_ip: &ClientIp) -> impl Future<Output = Result<bool, RateLimiterError>>;

    /// Whether a picture may be read from the store.
    fn admits_read(
        &self,
        client_ip: &ClientIp,
    ) -> impl Future<Output = Result<bool, RateLimiterError>>;
}

/// The rate limiter failed, with the platform's message.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RateLimiterError(pub String);

/// Sends alerts to a webhook.
pub trait AlertSink {
    /// Posts JSON to the URL. The caller sets the timeout: dropping the future aborts the request.
    fn send(&self, url: &str, body: String) -> impl Future<Output = Result<(), AlertSinkError>>;
}

/// Why an alert was not taken. The URL is a secret and in none of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlertSinkError {
    #[error("unreachable")]
    Unreachable,
    #[error("status {0}")]
    Status(u16),
    #[error("no answer in time")]
    Timeout,
}

/// A mail as the service gets it.
#[derive(Clone, Debug, Serialize)]
pub struct Mail {
    pub to: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from: String,
    pub kind: &'static str,
    pub language: &'static str,
    pub subject: &'static str,
    pub text: String,
    pub html: String,
}

/// Hands mails to the service that sends them.
pub trait Mailer {
    /// Posts JSON to the URL, with the bearer token if there is one. The caller sets the timeout: dropping the future aborts
    /// the request.
    fn send(
        &self,
        url: &str,
        token: Option<&str>,
        body: String,
    ) -> impl Future<Output = Result<(), MailError>>;
}

/// Why a mail was not taken. The URL is a secret and in none of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    #[error("unreachable")]
    Unreachable,
    #[error("status {0}")]
    Status(u16),
    #[error("no answer in time")]
    Timeout,
}

/// Posts events to the back end.
pub trait WebhookClient {
    /// Posts JSON with these headers, without following redirects. Returns the status, and the body of a success when it
    /// arrives soon and is not larger; [`None`] without an answer. The caller sets the timeout: dropping the future aborts
    /// the request.
    fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: &str,
        max_bytes: usize,
    ) -> impl Future<Output = Option<(u16, Vec<u8>)>>;
}

/// Verifies Turnstile tokens at Cloudflare.
pub trait SiteVerify {
    /// Posts JSON to the URL and returns the body of the answer. The caller sets the timeout: dropping the future aborts
    /// the request.
    fn verify(
        &self,
        url: &str,
        body: String,
    ) -> impl Future<Output = Result<String, SiteVerifyError>>;
}

/// The largest answer of siteverify: a token has at most 2,048 characters, and an answer has less than its request.
pub const MAX_SITE_VERIFY_BYTES: usize = 8 * 1024;

/// Why a Turnstile token could not be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiteVerifyError {
    #[error("unreachable")]
    Unreachable,
    #[error("status {0}")]
    Status(u16),
    #[error("no answer in time")]
    Timeout,
    #[error("not an answer of siteverify")]
    Malformed,
    /// It failed and asks for another attempt (`internal-error`).
    #[error("siteverify failed")]
    Failed,
    /// `TURNSTILE_SECRET` is not the secret of a widget.
    #[error("it refuses TURNSTILE_SECRET")]
    SecretRefused,
}

/// A deployed version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    pub id: String,
    /// May be empty.
    pub tag: String,
    /// RFC 3339.
    pub since: String,
}
