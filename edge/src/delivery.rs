//! Hands out stored pictures: under their own key only, unchangeable, and never as anything but a
//! picture.

use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use image_rules::{Code, Format};

use crate::{
    app::{App, Ports},
    error::Failure,
    response::{self, Answer},
    route::{Body, text_header},
    storage::{ObjectKey, ObjectStore, StoredObject},
};

/// Objects are written once, so a copy is good for ever: a year is what caches take at most.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// A picture opened on its own runs nothing and loads nothing.
const PICTURE_CSP: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
/// Pictures are meant to be embedded by other sites.
const CROSS_ORIGIN: HeaderValue = HeaderValue::from_static("cross-origin");

/// Answers with the picture, or 304 when the caller has it.
///
/// # Errors
/// `IMAGE_NOT_FOUND`, `STORAGE_UNAVAILABLE`.
pub async fn deliver<P: Ports>(
    app: &App<P>,
    head: &Parts,
    key: &ObjectKey,
) -> Result<Answer<Body<P>>, Failure> {
    let object = app.ports.store().get(key, None).await?.ok_or(Code::ImageNotFound)?;
    let format = key.format().ok_or(Code::ImageNotFound)?;
    let known = text_header(head, header::IF_NONE_MATCH);
    if known.is_some_and(|known| matches(known, &object.facts.etag)) {
        let mut answer = response::empty(StatusCode::NOT_MODIFIED);
        describe(&mut answer, &object);
        return Ok(answer);
    }
    let mut answer = response::empty(StatusCode::OK);
    describe(&mut answer, &object);
    let media_type = HeaderValue::from_static(Format::media_type(format));
    answer.headers_mut().insert(header::CONTENT_TYPE, media_type);
    answer.headers_mut().insert(header::CONTENT_LENGTH, object.facts.size_bytes.into());
    if head.method != Method::HEAD {
        *answer.body_mut() = response::Body::Stored(object.content);
    }
    Ok(answer)
}

fn describe<B, C>(answer: &mut Answer<B>, object: &StoredObject<C>) {
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, IMMUTABLE);
    headers.insert(header::CONTENT_SECURITY_POLICY, PICTURE_CSP);
    headers.insert("cross-origin-resource-policy", CROSS_ORIGIN);
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    if let Ok(etag) = HeaderValue::from_str(&object.facts.etag) {
        headers.insert(header::ETAG, etag);
    }
}

/// Weak comparison (RFC 9110 §13.1.2).
fn matches(if_none_match: &str, etag: &str) -> bool {
    if_none_match.trim() == "*"
        || if_none_match
            .split(',')
            .map(str::trim)
            .any(|tag| tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_compared_weakly() {
        for (header, expected) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(matches(header, "\"a\""), expected, "{header}");
        }
    }
}
