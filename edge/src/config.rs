//! Every variable, parsed once. A wrong one is named; nothing half-works.

mod accounts;
mod limits;
mod operations;
mod storage;

use image_rules::Policy;

pub use accounts::AccountRules;
pub use limits::{AccountLimits, Uploads};
pub use operations::SweepRepair;
pub use storage::Storage;

use crate::{
    alert::Webhook,
    auth::{KeyServerUrl, KeySet, SigningKey, TokenRules, UnusableKey},
    log::Level,
    metrics::MetricsToken,
};

/// Where variables come from.
pub trait Variables {
    /// The value of a variable or secret that is set and not empty.
    fn read(&self, name: &str) -> Option<String>;
}

/// What the variables say.
#[derive(Debug)]
pub struct Config {
    /// What image URLs start with; the request's own origin when not set.
    pub public_base_url: Option<String>,
    /// Who may call from a browser.
    pub allowed_origins: AllowedOrigins,
    /// The keys that tokens are verified with.
    pub keys: KeySet,
    /// Where more of them are published.
    pub key_server: Option<KeyServerUrl>,
    /// What tokens of the platform must say.
    pub token_rules: TokenRules,
    /// The key that signs what is issued here.
    pub signing: SigningKey,
    /// How long a guest token lives.
    pub guest_token_s: u32,
    /// How accounts are kept here.
    pub accounts: AccountRules,
    /// What is taken and what is made of it.
    pub policy: Policy,
    /// What bodies and decodes may hold at once in one isolate.
    pub memory_budget_bytes: u64,
    /// How much an account may do.
    pub limits: AccountLimits,
    /// What becomes of uploads, and when.
    pub uploads: Uploads,
    /// Where pictures are stored.
    pub storage: Storage,
    /// How long one call to the store may take.
    pub storage_timeout_ms: u64,
    /// What the sweep does about what it finds.
    pub sweep_repair: SweepRepair,
    /// What scrapers of metrics show.
    pub metrics_token: Option<MetricsToken>,
    /// From which level on lines are logged.
    pub log_level: Level,
    /// Where the team hears of what happened.
    pub webhook: Option<Webhook>,
    /// Whether faults can be asked for; in tests only.
    pub fault_injection: bool,
}

/// Who may call from a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Everybody; for development.
    Any,
    /// These and no others.
    Only(Vec<String>),
}

/// A variable that cannot be used, and why. The value is never repeated: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Its name.
    pub variable: &'static str,
    /// What it should be.
    pub expected: &'static str,
}

impl Config {
    /// Reads all variables.
    ///
    /// # Errors
    /// Every variable that cannot be used.
    pub fn read(variables: &impl Variables) -> Result<Self, Vec<ConfigProblem>> {
        let mut reader = Reader { variables, problems: Vec::new() };
        let signing = reader.signing();
        let keys = reader.keys(signing.as_ref());
        let storage_timeout_ms = reader.storage_timeout_ms();
        let storage = reader.storage(storage_timeout_ms);
        let config = Self {
            public_base_url: reader.base_url(),
            allowed_origins: reader.origins(),
            guest_token_s: reader.number("GUEST_TOKEN_S", 300, 1..=86_400),
            accounts: reader.account_rules(),
            policy: reader.policy(),
            // Below 16 MiB a phone's photo could not be decoded beside its body; above 96 MiB nothing
            // of an isolate's 128 MB would be left for the rest.
            memory_budget_bytes: reader.number(
                "MEMORY_BUDGET_BYTES",
                67_108_864,
                16_777_216..=100_663_296,
            ),
            limits: reader.account_limits(),
            uploads: reader.uploads(storage_timeout_ms),
            sweep_repair: reader.sweep_repair(),
            fault_injection: reader.flag("FAULT_INJECTION"),
            metrics_token: reader.metrics_token(),
            log_level: reader.log_level(),
            webhook: reader.webhook(),
            storage_timeout_ms,
            keys,
            key_server: reader.key_server(),
            token_rules: reader.token_rules(),
            // Last, since they have no default to go on with.
            storage: match storage {
                Some(storage) => storage,
                None => return Err(reader.problems),
            },
            signing: match signing {
                Some(signing) if reader.problems.is_empty() => signing,
                _ => return Err(reader.problems),
            },
        };
        if reader.problems.is_empty() { Ok(config) } else { Err(reader.problems) }
    }
}

struct Reader<'a, V> {
    variables: &'a V,
    problems: Vec<ConfigProblem>,
}

impl<V: Variables> Reader<'_, V> {
    fn problem(&mut self, variable: &'static str, expected: &'static str) {
        self.problems.push(ConfigProblem { variable, expected });
    }

    fn number<N>(
        &mut self,
        variable: &'static str,
        default: N,
        range: core::ops::RangeInclusive<N>,
    ) -> N
    where
        N: core::str::FromStr + PartialOrd + Copy,
    {
        let Some(text) = self.variables.read(variable) else { return default };
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                self.problem(variable, "a whole number in the range of the documentation");
                default
            }
        }
    }

    fn flag(&mut self, variable: &'static str) -> bool {
        self.flag_or(variable, false)
    }

    fn flag_or(&mut self, variable: &'static str, default: bool) -> bool {
        match self.variables.read(variable).as_deref() {
            None => default,
            Some("false") => false,
            Some("true") => true,
            Some(_) => {
                self.problem(variable, "true or false");
                default
            }
        }
    }

    fn policy(&mut self) -> Policy {
        let mut policy = Policy::EDGE;
        let limits = &mut policy.limits;
        // The floor keeps a typing error from refusing everything; the ceiling is what an isolate holds.
        limits.max_bytes = self.number("MAX_UPLOAD_BYTES", limits.max_bytes, 1024..=33_554_432);
        limits.max_pixels = self.number("MAX_PIXELS", limits.max_pixels, 1..=268_435_456);
        limits.max_frames = self.number("MAX_FRAMES", limits.max_frames, 1..=10_000);
        policy.max_edge = self.number("MAX_EDGE", policy.max_edge, 16..=16_384);
        policy.quality = self.number("QUALITY", policy.quality, 1..=100);
        policy
    }

    fn base_url(&mut self) -> Option<String> {
        const EXPECTED: &str = "an origin such as https://image.example, without a path";
        let text = self.variables.read("PUBLIC_BASE_URL")?;
        let origin = text.trim_end_matches('/');
        if is_origin(origin) {
            Some(origin.to_owned())
        } else {
            self.problem("PUBLIC_BASE_URL", EXPECTED);
            None
        }
    }

    fn origins(&mut self) -> AllowedOrigins {
        const EXPECTED: &str = "* or exact origins separated by commas";
        let text = self.variables.read("ALLOWED_ORIGINS").unwrap_or_default();
        if text.trim() == "*" {
            return AllowedOrigins::Any;
        }
        let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let origins: Vec<_> = origins.map(str::to_owned).collect();
        if !origins.iter().all(|origin| is_origin(origin)) {
            self.problem("ALLOWED_ORIGINS", EXPECTED);
        }
        AllowedOrigins::Only(origins)
    }

    fn signing(&mut self) -> Option<SigningKey> {
        let jwk = self.variables.read("SIGNING_JWK").unwrap_or_default();
        let key = SigningKey::from_jwk(&jwk);
        if key.is_err() {
            self.problem("SIGNING_JWK", "a private P-256 JWK (make dev writes one)");
        }
        key.ok()
    }

    fn keys(&mut self, signing: Option<&SigningKey>) -> KeySet {
        let mut keys = KeySet::default();
        if let Some(signing) = signing {
            keys.add_own(signing);
        }
        if let Some(jwk) = self.variables.read("SIGNING_JWK_PREVIOUS") {
            self.usable("SIGNING_JWK_PREVIOUS", keys.add_previous(&jwk));
        }
        if let Some(secret) = self.variables.read("AUTH_HS256_SECRET") {
            self.usable("AUTH_HS256_SECRET", keys.add_secret(&secret));
        }
        if let Some(jwks) = self.variables.read("AUTH_JWKS") {
            self.usable("AUTH_JWKS", keys.add_jwks(&jwks));
        }
        keys
    }

    fn token_rules(&mut self) -> TokenRules {
        const EXPECTED: &str = "set, because AUTH_JWKS_URL is: the keys of a shared identity provider sign for all its customers";
        let has_key_server = self.variables.read("AUTH_JWKS_URL").is_some();
        let mut read = |variable| {
            let value = self.variables.read(variable);
            if has_key_server && value.is_none() {
                self.problem(variable, EXPECTED);
            }
            value
        };
        TokenRules {
            issuer: read("AUTH_ISSUER"),
            audience: read("AUTH_AUDIENCE"),
            may_give_admin: self.flag("PLATFORM_ADMIN"),
        }
    }

    fn usable(&mut self, variable: &'static str, outcome: Result<(), UnusableKey>) {
        if let Err(reason) = outcome {
            self.problem(variable, reason.expected());
        }
    }

    fn key_server(&mut self) -> Option<KeyServerUrl> {
        const EXPECTED: &str = "an https URL without a user name (http only for localhost)";
        let text = self.variables.read("AUTH_JWKS_URL")?;
        let url = KeyServerUrl::parse(&text);
        if url.is_none() {
            self.problem("AUTH_JWKS_URL", EXPECTED);
        }
        url
    }
}

/// Scheme and authority, nothing after it.
fn is_origin(text: &str) -> bool {
    let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    authority.is_some_and(|authority| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        !authority.is_empty() && authority.bytes().all(allowed)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::auth::tests::{HS256_SECRET, SIGNING_JWK};

    impl Variables for BTreeMap<&'static str, &'static str> {
        fn read(&self, name: &str) -> Option<String> {
            self.get(name).map(|value| (*value).to_owned())
        }
    }

    /// The variables that `make dev` writes, with fixed keys.
    pub(super) fn variables() -> BTreeMap<&'static str, &'static str> {
        BTreeMap::from([
            ("SIGNING_JWK", SIGNING_JWK),
            ("AUTH_HS256_SECRET", HS256_SECRET),
            ("ALLOWED_ORIGINS", "*"),
        ])
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let config = Config::read(&variables()).expect("complete");
        assert_eq!(config.guest_token_s, 300);
        assert_eq!(config.policy, Policy::EDGE);
        assert_eq!(config.allowed_origins, AllowedOrigins::Any);
        assert!(!config.fault_injection);
    }

    #[test]
    fn every_wrong_variable_is_named_and_no_value_repeated() {
        let wrong = BTreeMap::from([
            ("SIGNING_JWK", "{\"kty\":\"oct\"}"),
            ("AUTH_HS256_SECRET", "short"),
            ("AUTH_JWKS", "not json"),
            ("AUTH_JWKS_URL", "http://login.example/jwks.json"),
            ("MAX_UPLOAD_BYTES", "5MB"),
            ("QUALITY", "0"),
            ("ALLOWED_ORIGINS", "https://a.example/path"),
            ("PUBLIC_BASE_URL", "image.example"),
            ("FAULT_INJECTION", "yes"),
            ("DAILY_BYTES", "0"),
            ("PENDING_ROLES", "GUEST,ROOT"),
            ("REQUIRE_TICKET", "1"),
            ("AUTH_BUILTIN", "no"),
            ("ACCESS_TOKEN_S", "0"),
            ("REFRESH_TOKEN_S", "for ever"),
            ("SIGNING_JWK_PREVIOUS", "{}"),
            ("PLATFORM_ADMIN", "1"),
            ("SERVICE_PER_MINUTE", "0"),
        ]);
        let problems = Config::read(&wrong).expect_err("all wrong");
        let mut named: Vec<_> = problems.iter().map(|problem| problem.variable).collect();
        named.sort_unstable();
        // These are missing, with AUTH_JWKS_URL.
        let missing = ["AUTH_ISSUER", "AUTH_AUDIENCE"];
        let mut expected: Vec<_> = wrong.keys().copied().chain(missing).collect();
        expected.sort_unstable();
        assert_eq!(named, expected);
        assert!(!format!("{problems:?}").contains("short"));
    }

    #[test]
    fn origins_are_exact() {
        let mut variables = variables();
        variables.insert("ALLOWED_ORIGINS", "https://a.example, http://localhost:5173");
        let config = Config::read(&variables).expect("complete");
        let expected = ["https://a.example", "http://localhost:5173"].map(str::to_owned).to_vec();
        assert_eq!(config.allowed_origins, AllowedOrigins::Only(expected));
    }
}
