//! What callers solve who have used up a limit.

use core::fmt;

use edge_types::Reader;
use http::Uri;

use super::AllowedOrigins;

/// The kind of challenge. There is none by default.
#[derive(Debug)]
pub enum ChallengeSettings {
    ProofOfWork {
        /// It takes 2^`bits` hashes on average.
        bits: u8,
    },
    Turnstile(Turnstile),
}

/// A Turnstile widget.
pub struct Turnstile {
    pub site_key: String,
    pub secret: String,
    /// Where tokens are verified.
    pub verify_url: String,
}

impl Turnstile {
    const VERIFY_URL: &str = "https://challenges.cloudflare.com/turnstile/v0/siteverify";
    /// The secrets that Cloudflare documents for tests. One of them accepts every caller.
    const TEST_SECRETS: [&str; 3] = [
        "1x0000000000000000000000000000000AA",
        "2x0000000000000000000000000000000AA",
        "3x0000000000000000000000000000000AA",
    ];

    /// Whether the answers of siteverify are made up, with a host name and an action that no widget had.
    pub fn is_test(&self) -> bool {
        Self::TEST_SECRETS.contains(&&*self.secret)
    }
}

impl fmt::Debug for Turnstile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Turnstile({})", self.site_key)
    }
}

pub(super) fn read(
    reader: &mut Reader<'_>,
    allowed_origins: &AllowedOrigins,
) -> Option<ChallengeSettings> {
    // A quarter of a second on a desktop, and two on a slow phone. Each puzzle has a number of 32 bits, so 2^24 hashes
    // are always enough to solve one.
    let bits = reader.number("CHALLENGE_BITS", 21, 8..=24);
    match reader.text("CHALLENGE").as_deref() {
        None | Some("off") => None,
        Some("pow") => Some(ChallengeSettings::ProofOfWork { bits }),
        Some("turnstile") => turnstile(reader, allowed_origins).map(ChallengeSettings::Turnstile),
        Some(_) => {
            reader.problem("CHALLENGE", "off, pow or turnstile");
            None
        }
    }
}

fn turnstile(reader: &mut Reader<'_>, allowed_origins: &AllowedOrigins) -> Option<Turnstile> {
    const SITE_KEY: &str = "the site key of a Turnstile widget";
    const SECRET: &str = "the secret key of a Turnstile widget";
    const TEST: &str =
        "the secret key of a widget of yours: that of a test only where ALLOWED_ORIGINS is *";
    const URL: &str = "an http URL of this machine; not set in a deployment";
    let site_key = reader.required("TURNSTILE_SITE_KEY", SITE_KEY);
    // It stands in an attribute of the page with the widget.
    let is_key = |text: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        (1..=64).contains(&text.len()) && text.bytes().all(allowed)
    };
    if site_key.as_deref().is_some_and(|key| !is_key(key)) {
        reader.problem("TURNSTILE_SITE_KEY", SITE_KEY);
    }
    let secret = reader.required("TURNSTILE_SECRET", SECRET);
    // Another host could accept any token.
    let is_local = |text: &str| {
        let uri = text.parse::<Uri>().ok();
        uri.is_some_and(|uri| {
            uri.scheme_str() == Some("http")
                && matches!(uri.host(), Some("localhost" | "127.0.0.1"))
        })
    };
    let verify_url =
        reader.parsed("TURNSTILE_VERIFY_URL", URL, |text| is_local(text).then(|| text.to_owned()));
    let verify_url = verify_url.unwrap_or_else(|| Turnstile::VERIFY_URL.to_owned());
    let turnstile = Turnstile { site_key: site_key?, secret: secret?, verify_url };
    if turnstile.is_test() && *allowed_origins != AllowedOrigins::Any {
        reader.problem("TURNSTILE_SECRET", TEST);
    }
    Some(turnstile)
}
