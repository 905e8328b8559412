//! How answers look: JSON in the contract's shape, `problem+json` for whatever was not served, and
//! the headers that every answer carries.

use chrono::{DateTime, SecondsFormat};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, request::Parts};
use image_rules::{Code, Format, Language, Policy};
use serde::Serialize;

use crate::{
    auth::UserId,
    call::Call,
    config::{AllowedOrigins, Config},
    error::Refusal,
    intake::MAX_FILES,
    route::text_header,
};

/// The bytes of an answer.
#[derive(Debug)]
pub enum Body<C> {
    /// None.
    Empty,
    /// Made here.
    Bytes(Vec<u8>),
    /// A stored picture, as the store hands it out.
    Stored(C),
}

/// An answer, before the platform sends it.
pub type Answer<B> = Response<B>;

/// Names one request in its answer and in the log.
pub struct RequestId(String);

impl RequestId {
    /// From bytes that nobody can guess.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(random).into_uuid().to_string())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `2025-11-14T10:00:00.000Z`
#[must_use]
pub fn timestamp(ms: u64) -> String {
    let moment = i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis);
    moment.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Nothing but a status.
#[must_use]
pub fn empty<C>(status: StatusCode) -> Answer<Body<C>> {
    let mut answer = Response::new(Body::Empty);
    *answer.status_mut() = status;
    answer
}

/// A value as JSON.
#[must_use]
pub fn json<C>(status: StatusCode, value: &impl Serialize) -> Answer<Body<C>> {
    // Serialising our own structs to memory cannot fail: keys are strings, nothing is a map of maps.
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    let mut answer = empty(status);
    *answer.body_mut() = Body::Bytes(bytes);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[derive(Serialize)]
struct Success<'a, D> {
    message: &'a str,
    data: &'a D,
    timestamp: String,
}

/// A success in the contract's shape.
#[must_use]
pub fn message<C>(
    status: StatusCode,
    message: &str,
    data: &impl Serialize,
    now_ms: u64,
) -> Answer<Body<C>> {
    json(status, &Success { message, data, timestamp: timestamp(now_ms) })
}

/// How many bytes an answer has, as far as that is known.
#[must_use]
pub fn size_bytes<C>(answer: &Answer<Body<C>>) -> u64 {
    let length = || answer.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    match answer.body() {
        Body::Empty => 0,
        Body::Bytes(bytes) => bytes.len() as u64,
        Body::Stored(_) => length().unwrap_or(0),
    }
}

/// An answer that is for this caller and this moment.
#[must_use]
pub fn never_cached<B>(mut answer: Answer<B>) -> Answer<B> {
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// JSON that changes with a deployment at most. The platform may compress it on its way.
#[must_use]
pub fn cacheable_json<C>(value: &impl Serialize) -> Answer<Body<C>> {
    let mut answer = json(StatusCode::OK, value);
    let five_minutes = HeaderValue::from_static("public, max-age=300");
    answer.headers_mut().insert(header::CACHE_CONTROL, five_minutes);
    answer.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    answer
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicPolicy<'a> {
    #[serde(flatten)]
    policy: &'a Policy,
    accepted_types: [&'static str; 4],
    max_files: usize,
    require_ticket: bool,
}

/// The policy that the browser checks with before it sends.
#[must_use]
pub fn policy<C>(config: &Config) -> Answer<Body<C>> {
    cacheable_json(&PublicPolicy {
        policy: &config.policy,
        accepted_types: Format::ALL.map(Format::media_type),
        max_files: MAX_FILES,
        require_ticket: config.uploads.require_ticket,
    })
}

/// RFC 9457, with the contract's fields beside the standard ones.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    backend_code: &'static str,
    request_id: &'a str,
    timestamp: String,
    /// When a ban ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    banned_until: Option<String>,
    /// Who the caller is already.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
}

/// The language that the caller reads.
#[must_use]
pub fn language(head: &Parts) -> Language {
    Language::negotiate(text_header(head, header::ACCEPT_LANGUAGE).unwrap_or_default())
}

/// The answer to whatever was not served.
#[must_use]
pub fn problem<C>(refusal: &Refusal, call: &Call<'_>, now_ms: u64) -> Answer<Body<C>> {
    let code = refusal.code;
    let language = call.language();
    let problem = Problem {
        r#type: format!("urn:the-form:problem:{}", code.name().to_ascii_lowercase()),
        title: code.title(),
        status: code.status(),
        detail: &refusal.sentence(language),
        code: code.name(),
        backend_code: code.backend_code(),
        request_id: &call.id.0,
        timestamp: timestamp(now_ms),
        banned_until: refusal.until_ms.map(timestamp),
        sub: refusal.as_whom.as_ref().map(UserId::as_str),
    };
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = json(status, &problem);
    let headers = answer.headers_mut();
    let set = |headers: &mut HeaderMap, name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(headers, header::CONTENT_TYPE, "application/problem+json");
    set(headers, header::CONTENT_LANGUAGE, language.tag());
    set(headers, header::CACHE_CONTROL, "no-store");
    if let Some(Ok(allow)) = refusal.allow.as_deref().map(HeaderValue::from_str) {
        headers.insert(header::ALLOW, allow);
    }
    if matches!(code, Code::TokenMissing | Code::TokenExpired | Code::TokenInvalid) {
        set(headers, header::WWW_AUTHENTICATE, "Bearer");
    }
    if let Some(seconds) = refusal.retry_after_s {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

/// The answer to `OPTIONS`; [`finish`] adds who may call.
#[must_use]
pub fn preflight<C>(allow: &str) -> Answer<Body<C>> {
    let mut answer = empty(StatusCode::NO_CONTENT);
    let headers = answer.headers_mut();
    if let Ok(allow) = HeaderValue::from_str(allow) {
        headers.insert(header::ALLOW, allow.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow);
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    // Two hours is the most that Chromium keeps it.
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    answer
}

const ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, X-Filename, Accept-Language");
const ONE_YEAR_OF_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Location, ETag, Content-Range, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id",
);

/// What every answer carries, errors too: the request's id, who may read it, TLS from then on, and no
/// guessing of types.
#[must_use]
pub fn finish<C>(
    mut answer: Answer<Body<C>>,
    call: &Call<'_>,
    allowed: &AllowedOrigins,
) -> Answer<Body<C>> {
    if call.head.method == http::Method::HEAD {
        *answer.body_mut() = Body::Empty;
    }
    let headers = answer.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    // Pictures, which other sites may embed, may be opened by them in a window as well.
    if !headers.contains_key("cross-origin-resource-policy") {
        let same_origin = HeaderValue::from_static("same-origin");
        headers.insert("cross-origin-opener-policy", same_origin);
    }
    // Over plain http browsers ignore it (RFC 6797 §8.1).
    if call.head.uri.scheme_str() == Some("https") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, ONE_YEAR_OF_TLS);
    }
    if let Ok(id) = HeaderValue::from_str(&call.id.0) {
        headers.insert("x-request-id", id);
    }
    call.write_limits(headers);
    call.write_timing(headers);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed.answer_to(call.head) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        // Only to origins that are named (Fetch, CORS protocol and credentials).
        if matches!(allowed, AllowedOrigins::Only(_)) && call.is_about_cookies() {
            headers
                .insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    answer
}

impl AllowedOrigins {
    /// The value of `Access-Control-Allow-Origin` for this request, if any.
    fn answer_to(&self, head: &Parts) -> Option<HeaderValue> {
        let origin = head.headers.get(header::ORIGIN)?;
        match self {
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Only(_) => self.allows(origin).then(|| origin.clone()),
        }
    }

    /// Whether a page of this origin may call.
    #[must_use]
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Any => true,
            Self::Only(origins) => {
                origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn from_origin(origin: &str) -> Parts {
        Request::builder().header(header::ORIGIN, origin).body(()).expect("valid").into_parts().0
    }

    fn finished(head: &Parts, allowed: &AllowedOrigins) -> HeaderMap {
        let answer = empty::<()>(StatusCode::OK);
        finish(answer, &Call::new(head, RequestId::new([0; 16])), allowed).headers().clone()
    }

    #[test]
    fn only_allowed_origins_may_read() {
        let only = AllowedOrigins::Only(vec!["https://a.example".to_owned()]);
        let headers = finished(&from_origin("https://a.example"), &only);
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.example");
        assert_eq!(headers[header::VARY], "Origin");
        for other in ["https://b.example", "https://a.example.evil.example", "null"] {
            let headers = finished(&from_origin(other), &only);
            assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "{other}");
        }
        let headers = finished(&from_origin("https://b.example"), &AllowedOrigins::Any);
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    }

    #[test]
    fn tls_is_demanded_where_there_is_tls_and_other_sites_get_no_handle_on_a_window() {
        let of = |uri: &str| {
            let head = Request::builder().uri(uri).body(()).expect("valid").into_parts().0;
            finished(&head, &AllowedOrigins::Any)
        };
        let secure = of("https://image.example/policy");
        assert_eq!(secure[header::STRICT_TRANSPORT_SECURITY], "max-age=31536000");
        assert_eq!(secure["cross-origin-opener-policy"], "same-origin");
        let plain = of("http://127.0.0.1:8787/policy");
        assert!(!plain.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }

    #[test]
    fn timestamps_are_as_in_the_contract() {
        assert_eq!(timestamp(1_763_114_400_000), "2025-11-14T10:00:00.000Z");
    }
}
