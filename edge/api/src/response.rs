//! Responses: JSON in the shape of the contract, `problem+json` for errors, and the headers of every response.

use edge_types::{Details, FormLimit, FormRefusal, Problem, UserId, timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use image_rules::{Code, ImageError};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    config::AllowedOrigins, context::RequestContext, endpoint::has_refresh_cookie, error::ApiError,
    ports::StoreContent,
};

pub use http::Response;

/// The body of a response.
#[derive(Debug)]
pub enum Body<C> {
    Empty,
    Bytes(Vec<u8>),
    /// A stored picture, which is streamed.
    Stored(C),
}

/// The response of a handler.
pub type HandlerResult<P> = Result<Response<Body<StoreContent<P>>>, ApiError>;

pub fn empty<C>(status: StatusCode) -> Response<Body<C>> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

pub fn json<C>(status: StatusCode, value: &impl Serialize) -> Response<Body<C>> {
    // Serialising structs with string keys to memory cannot fail.
    json_text(status, serde_json::to_vec(value).unwrap_or_default())
}

fn json_text<C>(status: StatusCode, bytes: Vec<u8>) -> Response<Body<C>> {
    let mut response = empty(status);
    *response.body_mut() = Body::Bytes(bytes);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[derive(Serialize)]
struct Success<'a, D> {
    message: &'a str,
    data: &'a D,
    timestamp: String,
}

/// A success in the shape of the contract, for this caller and this moment.
pub fn success<C>(
    status: StatusCode,
    message: &str,
    data: &impl Serialize,
    now_ms: u64,
) -> Response<Body<C>> {
    never_cached(json(status, &Success { message, data, timestamp: timestamp(now_ms) }))
}

/// The size of the body, as far as it is known.
pub fn size_bytes<C>(response: &Response<Body<C>>) -> u64 {
    let length = || response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    match response.body() {
        Body::Empty => 0,
        Body::Bytes(bytes) => bytes.len() as u64,
        Body::Stored(_) => length().unwrap_or(0),
    }
}

/// Marks a response as valid only for this caller and this moment.
pub fn never_cached<B>(mut response: Response<B>) -> Response<B> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// JSON that changes only with a deployment. The platform may compress it.
pub fn cacheable_json<C>(value: &impl Serialize) -> Response<Body<C>> {
    let mut response = json(StatusCode::OK, value);
    let five_minutes = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, five_minutes);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

/// RFC 9457, with extension members.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProblemBody<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    backend_code: &'static str,
    request_id: &'a str,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    banned_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(flatten)]
    details: Map<String, Value>,
}

/// What a page needs beside the sentence to say why a form takes no picture, or to show what is asked of one.
fn details(problem: &Problem) -> Map<String, Value> {
    let moment = |ms: Option<u64>| ms.map(timestamp).into();
    let details = match (problem.details.as_deref(), &problem.image) {
        (Some(&Details::Form(FormRefusal::Closed { opens_ms, closes_ms, .. })), _) => {
            vec![("opensAt", moment(opens_ms)), ("closesAt", moment(closes_ms))]
        }
        (Some(&Details::Form(FormRefusal::Full { which, limit })), _) => {
            let full = match which {
                FormLimit::Form => "form",
                FormLimit::User => "user",
            };
            vec![("full", full.into()), ("limit", limit.into())]
        }
        (None, &Some(ImageError::TooSmall { width, height, min_width, min_height })) => vec![
            ("width", width.into()),
            ("height", height.into()),
            ("minWidth", min_width.into()),
            ("minHeight", min_height.into()),
        ],
        (None, &Some(ImageError::WrongRatio { width, height, ratio })) => vec![
            ("width", width.into()),
            ("height", height.into()),
            ("aspectRatio", ratio.to_string().into()),
        ],
        _ => Vec::new(),
    };
    let mut set = Map::new();
    for (name, value) in details.into_iter().filter(|(_, value): &(_, Value)| !value.is_null()) {
        set.insert(name.to_owned(), value);
    }
    set
}

/// The response to a failed request.
pub fn problem<C>(
    problem: &Problem,
    context: &RequestContext<'_>,
    now_ms: u64,
) -> Response<Body<C>> {
    let code = problem.code;
    let language = context.language();
    let body = ProblemBody {
        r#type: format!("urn:the-form:problem:{}", code.name().to_ascii_lowercase()),
        title: code.title(),
        status: code.status(),
        detail: &problem.message(language),
        code: code.name(),
        backend_code: code.backend_code(),
        request_id: context.id.as_str(),
        timestamp: timestamp(now_ms),
        banned_until: problem.banned_until_ms.map(timestamp),
        sub: problem.logged_in_as.as_ref().map(UserId::as_str),
        details: details(problem),
    };
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(status, &body);
    let headers = response.headers_mut();
    let set = |headers: &mut HeaderMap, name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(headers, header::CONTENT_TYPE, "application/problem+json");
    set(headers, header::CONTENT_LANGUAGE, language.tag());
    set(headers, header::CACHE_CONTROL, "no-store");
    if let Some(Ok(allow)) = problem.allow.as_deref().map(HeaderValue::from_str) {
        headers.insert(header::ALLOW, allow);
    }
    if matches!(code, Code::TokenMissing | Code::TokenExpired | Code::TokenInvalid) {
        set(headers, header::WWW_AUTHENTICATE, "Bearer");
    }
    if let Some(seconds) = problem.retry_after_s {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// The response to `OPTIONS`; [`finish`] adds the allowed origin.
pub fn preflight<C>(allow: &str, allowed_headers: &HeaderValue) -> Response<Body<C>> {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    if let Ok(allow) = HeaderValue::from_str(allow) {
        headers.insert(header::ALLOW, allow.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow);
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers.clone());
    // Chromium caches it for at most two hours.
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    response
}

const ONE_YEAR_OF_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Location, ETag, Content-Range, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id",
);

/// Adds the headers of every response: request id, CORS, HSTS, and no sniffing of types.
pub fn finish<C>(
    mut response: Response<Body<C>>,
    context: &RequestContext<'_>,
    allowed: &AllowedOrigins,
) -> Response<Body<C>> {
    if context.head.method == http::Method::HEAD {
        *response.body_mut() = Body::Empty;
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    // Other sites may embed pictures, and so may open them in a window as well.
    if !headers.contains_key("cross-origin-resource-policy") {
        let same_origin = HeaderValue::from_static("same-origin");
        headers.insert("cross-origin-opener-policy", same_origin);
    }
    // Browsers ignore it over plain HTTP (RFC 6797 §8.1).
    if context.head.uri.scheme_str() == Some("https") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, ONE_YEAR_OF_TLS);
    }
    if let Ok(id) = HeaderValue::from_str(context.id.as_str()) {
        headers.insert("x-request-id", id);
    }
    context.write_limits(headers);
    context.write_timing(headers);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed.allow_origin(context.head) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        // Only for named origins (Fetch, "CORS protocol and credentials").
        if matches!(allowed, AllowedOrigins::Only(_)) && has_refresh_cookie(context.head.uri.path())
        {
            headers
                .insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use http::{Request, request::Parts};

    use super::*;
    use crate::context::RequestId;

    fn from_origin(origin: &str) -> Parts {
        Request::builder().header(header::ORIGIN, origin).body(()).expect("valid").into_parts().0
    }

    fn finished(head: &Parts, allowed: &AllowedOrigins) -> HeaderMap {
        let response = empty::<()>(StatusCode::OK);
        finish(response, &RequestContext::new(head, RequestId::new([0; 16])), allowed)
            .headers()
            .clone()
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
    fn hsts_is_sent_over_https_only_and_windows_are_isolated() {
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
}
