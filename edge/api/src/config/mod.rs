//! The configuration: every variable is parsed once. A variable that cannot be used is named, and nothing is served.

mod alert_webhook;
mod challenge;
mod delivery;
mod mail;
mod sign_in;
mod storage;
#[cfg(test)]
mod tests;
mod webhooks;

use edge_auth::{AuthConfig, KeyServerUrl, UrlKeys};
use edge_types::{ConfigProblem, Reader, Role, UploadLimits, Variables, log::Level};
use http::{HeaderName, HeaderValue, header, request::Parts};
use image_rules::Policy;
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use alert_webhook::AlertWebhook;
pub use challenge::{ChallengeSettings, Turnstile};
pub use delivery::DeliverySettings;
pub use mail::{EmailVerification, MailService, MailSettings, is_local};
pub use sign_in::{Provider, SignInSettings, is_name as is_provider_name};
pub use storage::Storage;
pub use webhooks::WebhookSettings;

/// The configuration.
#[derive(Debug)]
pub struct Config {
    /// The origin of the API; that of the request when not set.
    pub public_base_url: Option<String>,
    pub delivery: DeliverySettings,
    pub allowed_origins: AllowedOrigins,
    /// The value of `Access-Control-Allow-Headers`.
    pub allowed_headers: HeaderValue,
    pub auth: AuthConfig,
    /// Whether people who have not signed in may upload anything.
    pub guests: bool,
    pub guest_token_s: u32,
    /// Whether a guest token allows one upload.
    pub guest_single_use: bool,
    pub accounts: AccountSettings,
    /// Where mails to people go. Without them nobody can reset a password.
    pub mail: Option<MailSettings>,
    pub email_verification: EmailVerification,
    /// The providers that people sign in with.
    pub sign_in: Option<SignInSettings>,
    /// What callers solve who have used up a limit.
    pub challenge: Option<ChallengeSettings>,
    pub policy: Policy,
    /// What bodies and decodes of one isolate may hold at the same time.
    pub memory_budget_bytes: u64,
    pub limits: LimitSettings,
    pub uploads: UploadSettings,
    /// The keys of signed URLs. Without them there are no private pictures and no reviews.
    pub url_keys: Option<UrlKeys>,
    /// How far ahead a signed URL may end.
    pub signed_url_max_s: u32,
    pub storage: Storage,
    /// The timeout of one call to the store.
    pub storage_timeout_ms: u64,
    pub sweep_repair: SweepRepair,
    /// How long audit events are kept.
    pub event_days: u32,
    pub metrics_token: Option<MetricsToken>,
    pub log_level: Level,
    /// Where alerts are sent.
    pub alert_webhook: Option<AlertWebhook>,
    /// The back end that gets events.
    pub webhooks: Option<WebhookSettings>,
    /// Enables the endpoints that cause faults; for tests.
    pub fault_injection: bool,
}

impl Config {
    /// Reads all variables.
    ///
    /// # Errors
    /// Every variable that cannot be used.
    pub fn read(variables: &impl Variables) -> Result<Self, Vec<ConfigProblem>> {
        let mut reader = Reader::new(variables);
        let auth = AuthConfig::read(&mut reader);
        // Ten seconds store the largest upload over a few megabits.
        let storage_timeout_ms = reader.number("STORAGE_TIMEOUT_MS", 10_000, 100..=60_000);
        let storage = Storage::read(&mut reader, storage_timeout_ms);
        let public_base_url = reader.parsed(
            "PUBLIC_BASE_URL",
            "an origin such as https://image.example, without a path",
            |text| Some(text.trim_end_matches('/').to_owned()).filter(|origin| is_origin(origin)),
        );
        let delivery = DeliverySettings::read(&mut reader);
        let allowed_origins = AllowedOrigins::read(&mut reader);
        let allowed_headers = allowed_headers(&mut reader);
        let guests = reader.flag("GUESTS", true);
        let guest_token_s = reader.number("GUEST_TOKEN_S", 300, 1..=86_400);
        let guest_single_use = reader.flag("GUEST_SINGLE_USE", false);
        let accounts = AccountSettings::read(&mut reader);
        let mail = MailSettings::read(&mut reader, public_base_url.as_deref());
        let email_verification = EmailVerification::read(&mut reader, mail.is_some());
        let sign_in = SignInSettings::read(&mut reader);
        let challenge = challenge::read(&mut reader, &allowed_origins);
        let policy = policy(&mut reader);
        // Below 16 MiB a phone's photo could not be decoded beside its body; above 96 MiB nothing of an
        // isolate's 128 MB would be left for the rest.
        let memory_budget_bytes =
            reader.number("MEMORY_BUDGET_BYTES", 67_108_864, 16_777_216..=100_663_296);
        let limits = LimitSettings::read(&mut reader);
        let uploads = UploadSettings::read(&mut reader, storage_timeout_ms);
        let url_keys = url_keys(&mut reader);
        // A week, as for presigned URLs of S3.
        let signed_url_max_s = reader.number("SIGNED_URL_MAX_S", 604_800, 60..=31_536_000);
        let sweep_repair = SweepRepair::read(&mut reader);
        let fault_injection = reader.flag("FAULT_INJECTION", false);
        let event_days = reader.number("EVENT_DAYS", 90, 1..=3650);
        let metrics_token =
            reader.parsed("METRICS_TOKEN", "at least 32 characters", MetricsToken::new);
        let log_level =
            reader.parsed("LOG_LEVEL", "error, warn, info or debug", |text| text.parse().ok());
        let alert_webhook = alert_webhook(&mut reader);
        let webhooks = webhooks::read(
            &mut reader,
            delivery.image_base_url.clone().or_else(|| public_base_url.clone()),
        );
        match (auth, storage) {
            (Some(auth), Some(storage)) if reader.problems.is_empty() => Ok(Self {
                public_base_url,
                delivery,
                allowed_origins,
                allowed_headers,
                auth,
                guests,
                guest_token_s,
                guest_single_use,
                accounts,
                mail,
                email_verification,
                sign_in,
                challenge,
                policy,
                memory_budget_bytes,
                limits,
                uploads,
                url_keys,
                signed_url_max_s,
                storage,
                storage_timeout_ms,
                sweep_repair,
                event_days,
                metrics_token,
                log_level: log_level.unwrap_or_default(),
                alert_webhook,
                webhooks,
                fault_injection,
            }),
            _ => Err(reader.problems),
        }
    }
}

/// Which origins may call from a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// All of them; for development.
    Any,
    Only(Vec<String>),
}

impl AllowedOrigins {
    fn read(reader: &mut Reader<'_>) -> Self {
        let text = reader.text("ALLOWED_ORIGINS").unwrap_or_default();
        if text.trim() == "*" {
            return Self::Any;
        }
        let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let origins: Vec<_> = origins.map(str::to_owned).collect();
        if !origins.iter().all(|origin| is_origin(origin)) {
            reader.problem("ALLOWED_ORIGINS", "* or exact origins separated by commas");
        }
        Self::Only(origins)
    }

    pub fn allows(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Any => true,
            Self::Only(origins) => {
                origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
            }
        }
    }

    /// The value of `Access-Control-Allow-Origin` for a request.
    pub fn allow_origin(&self, head: &Parts) -> Option<HeaderValue> {
        let origin = head.headers.get(header::ORIGIN)?;
        match self {
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Only(_) => self.allows(origin).then(|| origin.clone()),
        }
    }
}

/// The headers that the browser package sends.
const OWN_HEADERS: [&str; 5] =
    ["authorization", "content-type", "x-filename", "accept-language", "x-challenge-response"];

/// Headers that tracing libraries add to every request of a page: W3C Trace Context and Baggage, Sentry, Datadog
/// and B3. Without them the preflight fails, and with it the upload.
const TRACING_HEADERS: &str = "traceparent, tracestate, baggage, sentry-trace, x-request-id, \
     x-datadog-trace-id, x-datadog-parent-id, x-datadog-sampling-priority, x-datadog-origin, x-datadog-tags, \
     b3, x-b3-traceid, x-b3-spanid, x-b3-parentspanid, x-b3-sampled, x-b3-flags";

/// Our own headers and those of the variable. `*` is no name: browsers do not count `Authorization` among its
/// headers (Fetch, "CORS-preflight fetch").
fn allowed_headers(reader: &mut Reader<'_>) -> HeaderValue {
    const EXPECTED: &str = "names of headers separated by commas, or NONE";
    let parse = |text: &str| {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let names = names.map(|name| name.parse::<HeaderName>().ok().filter(|name| name != "*"));
        names.collect::<Option<Vec<_>>>()
    };
    let configured = reader.parsed("ALLOWED_HEADERS", EXPECTED, |text| match text.trim() {
        "NONE" => Some(Vec::new()),
        text => parse(text),
    });
    let more = configured.or_else(|| parse(TRACING_HEADERS)).unwrap_or_default();
    let mut names = OWN_HEADERS.map(HeaderName::from_static).to_vec();
    for name in more {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let names: Vec<_> = names.iter().map(HeaderName::as_str).collect();
    // Names of headers are valid in a value.
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static("authorization"))
}

/// Scheme and authority, and nothing else.
fn is_origin(text: &str) -> bool {
    let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    authority.is_some_and(|authority| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        !authority.is_empty() && authority.bytes().all(allowed)
    })
}

fn url_keys(reader: &mut Reader<'_>) -> Option<UrlKeys> {
    let mut key = |variable| {
        let parse = |text: &str| UrlKeys::is_key(text).then(|| text.to_owned());
        reader.parsed(variable, UrlKeys::EXPECTED, parse)
    };
    let (current, previous) = (key("URL_SIGNING_KEY"), key("URL_SIGNING_KEY_PREVIOUS"));
    Some(UrlKeys::new(&current?, previous.as_deref()))
}

fn policy(reader: &mut Reader<'_>) -> Policy {
    let mut policy = Policy::EDGE;
    let limits = &mut policy.limits;
    // The floor keeps a typing error from refusing everything; the ceiling is what an isolate holds.
    limits.max_bytes = reader.number("MAX_UPLOAD_BYTES", limits.max_bytes, 1024..=33_554_432);
    limits.max_pixels = reader.number("MAX_PIXELS", limits.max_pixels, 1..=268_435_456);
    limits.max_frames = reader.number("MAX_FRAMES", limits.max_frames, 1..=10_000);
    // A form has ten pictures, and work takes at most 1.25 times its estimate: 30 s, which is `cpu_ms`.
    limits.max_work_ms = reader.number("MAX_WORK_MS", limits.max_work_ms, 100..=2_400);
    policy.max_edge = reader.number("MAX_EDGE", policy.max_edge, 16..=16_384);
    policy.quality = reader.number("QUALITY", policy.quality, 1..=100);
    policy
}

/// The built-in accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountSettings {
    /// Whether there are any; a platform with its own sign-in needs none.
    pub built_in: bool,
    pub access_token_s: u32,
    /// The lifetime of each refresh token of a family.
    pub refresh_token_s: u32,
    /// How long after the login a family ends, however often it is used.
    pub refresh_absolute_days: u32,
}

impl AccountSettings {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            built_in: reader.flag("AUTH_BUILTIN", true),
            access_token_s: reader.number("ACCESS_TOKEN_S", 900, 1..=86_400),
            refresh_token_s: reader.number("REFRESH_TOKEN_S", 1_209_600, 1..=31_536_000),
            refresh_absolute_days: reader.number("REFRESH_ABSOLUTE_DAYS", 90, 1..=3650),
        }
    }

    pub fn refresh_token_ms(&self) -> u64 {
        u64::from(self.refresh_token_s) * 1000
    }

    pub fn refresh_absolute_ms(&self) -> u64 {
        u64::from(self.refresh_absolute_days) * 86_400_000
    }
}

/// Limits and bans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// Of a signed-in user.
    pub user: UploadLimits,
    /// Requests a minute from a client IP, by callers without a verified token of the role USER, SERVICE or
    /// ADMIN.
    pub client_ip_per_minute: u32,
    /// Requests a minute of a back end, including its uploads.
    pub service_per_minute: u32,
    /// Of a client IP, for guests and for accounts that are younger than a day.
    pub newcomers: NewcomerLimits,
    /// Of the whole deployment.
    pub ceilings: Ceilings,
    pub strikes_to_ban: u32,
    /// The duration of the first ban; it doubles with each further one.
    pub ban_s: u32,
}

/// What newcomers behind one client IP may do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewcomerLimits {
    pub guest_tokens_per_hour: u32,
    pub sign_ups_per_hour: u32,
    pub daily_count: u32,
    pub daily_bytes: u64,
}

impl NewcomerLimits {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            guest_tokens_per_hour: reader.number("GUEST_TOKENS_PER_HOUR", 40, 1..=1_000_000),
            sign_ups_per_hour: reader.number("SIGN_UPS_PER_HOUR", 40, 1..=1_000_000),
            daily_count: reader.number("IP_DAILY_COUNT", 600, 1..=10_000_000),
            // 1 GiB.
            daily_bytes: reader.number("IP_DAILY_BYTES", 1 << 30, 1..=1 << 50),
        }
    }

    /// The limits of a day. An IPv6 /48 has a multiple.
    pub fn of_day(&self, factor: u32) -> UploadLimits {
        UploadLimits {
            rate_per_minute: u32::MAX,
            daily_count: self.daily_count.saturating_mul(factor),
            daily_bytes: self.daily_bytes.saturating_mul(factor.into()),
        }
    }
}

/// What all callers together may store in a day; without a ceiling when not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ceilings {
    pub count: Option<u64>,
    pub bytes: Option<u64>,
}

impl Ceilings {
    fn read(reader: &mut Reader<'_>) -> Self {
        let mut read = |variable| {
            let parse = |text: &str| text.parse().ok().filter(|it| (1..=1 << 53).contains(it));
            reader.parsed(variable, "a whole number from 1 to 2^53", parse)
        };
        Self { count: read("DAILY_COUNT_TOTAL"), bytes: read("DAILY_BYTES_TOTAL") }
    }
}

impl LimitSettings {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            user: UploadLimits {
                rate_per_minute: reader.number("RATE_PER_MINUTE", 60, 1..=100_000),
                daily_count: reader.number("DAILY_COUNT", 1000, 1..=10_000_000),
                // 500 MiB; the ceiling of 1 PiB is far below 2^53, the largest safe integer of JavaScript.
                daily_bytes: reader.number("DAILY_BYTES", 524_288_000, 1..=1 << 50),
            },
            client_ip_per_minute: reader.number("IP_PER_MINUTE", 120, 1..=100_000),
            service_per_minute: reader.number("SERVICE_PER_MINUTE", 6_000, 1..=100_000),
            newcomers: NewcomerLimits::read(reader),
            ceilings: Ceilings::read(reader),
            strikes_to_ban: reader.number("STRIKES_TO_BAN", 10, 1..=1000),
            ban_s: reader.number("BAN_S", 3600, 1..=2_592_000),
        }
    }

    /// Guests have a tenth of everything, at least one; back ends have their own rate.
    pub fn of_role(&self, role: Role) -> UploadLimits {
        let UploadLimits { rate_per_minute, daily_count, daily_bytes } = self.user;
        match role {
            Role::User | Role::Admin => self.user,
            Role::Service => UploadLimits { rate_per_minute: self.service_per_minute, ..self.user },
            Role::Guest => UploadLimits {
                rate_per_minute: (rate_per_minute / 10).max(1),
                daily_count: (daily_count / 10).max(1),
                daily_bytes: (daily_bytes / 10).max(1),
            },
        }
    }
}

/// The life of uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadSettings {
    pub switch: UploadSwitch,
    /// How long an upload may take before its object is removed.
    pub lease_s: u32,
    /// The roles whose uploads expire unless they are claimed.
    pub pending_roles: Vec<Role>,
    /// After how long they expire.
    pub pending_s: u32,
    /// The lifetime of a ticket.
    pub ticket_s: u32,
    pub require_ticket: bool,
    /// Whether every picture needs a form that has a policy.
    pub require_form: bool,
}

/// Whether anything is uploaded. What is stored stays readable when it is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, Serialize)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum UploadSwitch {
    #[default]
    On,
    Off,
}

impl UploadSettings {
    fn read(reader: &mut Reader<'_>, storage_timeout_ms: u64) -> Self {
        Self {
            switch: reader
                .parsed("UPLOADS", "on or off", |text| text.parse().ok())
                .unwrap_or_default(),
            lease_s: lease_s(reader, storage_timeout_ms),
            pending_roles: pending_roles(reader),
            pending_s: reader.number("PENDING_S", 3600, 1..=604_800),
            ticket_s: reader.number("TICKET_S", 60, 1..=3600),
            require_ticket: reader.flag("REQUIRE_TICKET", false),
            require_form: reader.flag("REQUIRE_FORM", false),
        }
    }
}

/// A write that was given up may reach the store for a fifth of the lease after its end, and is looked for then;
/// all attempts at a write take two and a half times as long as one.
fn lease_s(reader: &mut Reader<'_>, storage_timeout_ms: u64) -> u32 {
    let lease_s = reader.number("INTENT_S", 300, 1..=3600);
    if u64::from(lease_s) * 1000 / 5 <= storage_timeout_ms * 5 / 2 {
        reader.problem("INTENT_S", "more than 12.5 times STORAGE_TIMEOUT_MS, in seconds");
    }
    lease_s
}

fn pending_roles(reader: &mut Reader<'_>) -> Vec<Role> {
    const EXPECTED: &str = "USER, GUEST or SERVICE, separated by commas, or NONE";
    let parse = |text: &str| {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let role =
            |name: &str| Role::try_from(name.to_owned()).ok().filter(|role| *role != Role::Admin);
        if text.trim() == "NONE" { Some(Vec::new()) } else { names.map(role).collect() }
    };
    reader.parsed("PENDING_ROLES", EXPECTED, parse).unwrap_or_else(|| vec![Role::Guest])
}

/// What the sweep does about rows without object and objects without row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SweepRepair {
    /// It reports them.
    #[default]
    Off,
    /// It removes them.
    Remove,
    /// It registers the objects again and keeps the rows.
    Register,
}

impl SweepRepair {
    fn read(reader: &mut Reader<'_>) -> Self {
        let parse = |text: &str| match text {
            "off" | "false" => Some(Self::Off),
            "remove" | "true" => Some(Self::Remove),
            "register" => Some(Self::Register),
            _ => None,
        };
        reader.parsed("SWEEP_REPAIR", "off, remove or register", parse).unwrap_or_default()
    }
}

/// The webhook of alerts. Its kind follows from the host unless it is set.
fn alert_webhook(reader: &mut Reader<'_>) -> Option<AlertWebhook> {
    const URL: &str = "the https URL of a webhook (http only for localhost)";
    const KIND: &str = "slack or discord, when the host of ALERT_WEBHOOK_URL does not tell";
    let url = reader.text("ALERT_WEBHOOK_URL");
    let configured = reader.text("ALERT_WEBHOOK_KIND");
    let kind = match configured.as_deref() {
        Some(name) => name.parse().ok(),
        None => url.as_deref().and_then(alert_webhook::WebhookKind::of_host),
    };
    if kind.is_none() && (configured.is_some() || url.is_some()) {
        reader.problem("ALERT_WEBHOOK_KIND", KIND);
    }
    let url = url?;
    // The rules for key servers apply: nobody on the network may read the URL.
    if KeyServerUrl::parse(&url).is_none() {
        reader.problem("ALERT_WEBHOOK_URL", URL);
        return None;
    }
    kind.map(|kind| AlertWebhook::new(url, kind))
}

/// The token of a metrics scraper; only its digest is kept.
pub struct MetricsToken([u8; 32]);

impl MetricsToken {
    const MIN_BYTES: usize = 32;

    pub fn new(text: &str) -> Option<Self> {
        (text.len() >= Self::MIN_BYTES).then(|| Self(Sha256::digest(text).into()))
    }

    /// Compares in constant time.
    pub fn is(&self, text: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(text).into();
        self.0.ct_eq(&digest).into()
    }
}

impl core::fmt::Debug for MetricsToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MetricsToken")
    }
}
