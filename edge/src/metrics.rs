//! `GET /metrics`: what was counted since the beginning, in all isolates and before every restart, as
//! Prometheus reads it. The registry has the sums; this isolate writes its own before it reads them.

mod text;

use http::{HeaderValue, header, request::Parts};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    admission::caller,
    app::{App, Ports},
    auth::bearer,
    call::Call,
    error::Failure,
    registry::Meters,
    response::{self, Answer},
    route::{Body, Endpoint},
    stats,
};

/// The text format that every scraper reads.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Answers a scraper with the token of metrics, or an administrator.
///
/// # Errors
/// What verification says; `BUSY` when the registry does not answer, so that nobody takes silence for
/// zero.
pub async fn answer<P: Ports>(app: &App<P>, call: &Call<'_>) -> Result<Answer<Body<P>>, Failure> {
    if !is_scraper(app.config.metrics_token.as_ref(), call.head) {
        caller(app, call, &Endpoint::Metrics).await?;
    }
    stats::flush(&app.ports, &app.isolate).await;
    let now_ms = app.ports.now_ms();
    let since_ms = now_ms.saturating_sub(stats::KEPT_ISOLATES_MS);
    let mut readings = app.ports.registry().meters(now_ms, since_ms).await?;
    let own = stats::memory(&app.ports, &app.isolate);
    readings.isolates.retain(|isolate| isolate.id != own.id);
    readings.isolates.push(own);
    let text = text::write(
        &readings,
        &text::Surroundings {
            now_ms,
            memory_budget_bytes: app.config.memory_budget_bytes,
            deployment: app.ports.deployment().map(|it| it.id).unwrap_or_default(),
        },
    );
    let mut answer = response::never_cached(response::empty(http::StatusCode::OK));
    *answer.body_mut() = response::Body::Bytes(text.into_bytes());
    answer.headers_mut().insert(header::CONTENT_TYPE, TEXT);
    Ok(answer)
}

/// The secret of whoever scrapes; only its digest is kept.
pub struct MetricsToken([u8; 32]);

impl MetricsToken {
    /// As long as the digest that guards it, so that nobody guesses it.
    const LEAST_BYTES: usize = 32;

    /// From text that is long enough.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (text.len() >= Self::LEAST_BYTES).then(|| Self(Sha256::digest(text).into()))
    }

    /// Compared in a time that tells nothing of where they differ.
    fn is(&self, text: &str) -> bool {
        let shown: [u8; 32] = Sha256::digest(text).into();
        self.0.ct_eq(&shown).into()
    }
}

impl core::fmt::Debug for MetricsToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MetricsToken")
    }
}

fn is_scraper(token: Option<&MetricsToken>, head: &Parts) -> bool {
    token.is_some_and(|token| bearer(head).is_ok_and(|shown| token.is(shown)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_taken_and_it_is_not_shown() {
        let text = "0123456789abcdef0123456789abcdef";
        assert!(MetricsToken::new(&text[1..]).is_none());
        let token = MetricsToken::new(text).expect("long enough");
        assert!(token.is(text));
        for other in ["", &text[1..], "0123456789abcdef0123456789abcdeg"] {
            assert!(!token.is(other), "{other}");
        }
        assert_eq!(format!("{token:?}"), "MetricsToken");
    }
}
