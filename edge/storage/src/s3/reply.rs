//! Interprets responses of the service: the facts of an object, or the cause of an error.

use super::{
    http_client::{HttpBody, HttpResponse},
    retry::Attempt,
    xml,
};
use crate::{ErrorCode, InvalidReply, ObjectFacts, Rejection, Span, StoreError};

/// An error document has a few hundred bytes; a longer one is a web page of another server.
const ERROR_DOCUMENT_BYTES: usize = 4096;

/// Reads why the service did not do it.
pub(crate) async fn rejection<B: HttpBody>(answer: HttpResponse<B>) -> Rejection {
    let status = answer.status;
    let document = answer.body.read(ERROR_DOCUMENT_BYTES).await.unwrap_or_default();
    let document = String::from_utf8_lossy(&document);
    let code = xml::first(&document, "Code").and_then(|code| ErrorCode::parse(&code));
    Rejection { status, code }
}

/// Whether a rejection passes by itself (S3 API reference, "Error responses").
pub(crate) fn record_image_incident<T>(rejection: Rejection) -> Attempt<T> {
    let code = rejection.code.as_ref().map(ErrorCode::as_str);
    match (rejection.status, code) {
        (401 | 403, _) => Attempt::Fail(StoreError::Denied(rejection)),
        // 501 says that the service has no such thing, which stays so.
        (501, _) => Attempt::Fail(StoreError::Rejected(rejection)),
        // `RequestTimeout`: the service waited for bytes that did not come.
        (429 | 500.., _) | (400, Some("RequestTimeout" | "SlowDown")) => {
            Attempt::Retry(StoreError::Rejected(rejection))
        }
        _ => Attempt::Fail(StoreError::Rejected(rejection)),
    }
}

/// An object that is not there, unless it is the bucket that is missing.
pub(crate) fn absent<T>(rejection: Rejection) -> Attempt<Option<T>> {
    let code = rejection.code.as_ref().map(ErrorCode::as_str);
    if rejection.status == 404 && code != Some("NoSuchBucket") {
        Attempt::Done(None)
    } else {
        record_image_incident(rejection)
    }
}

/// The facts of the whole object.
pub(crate) fn whole<B>(answer: &HttpResponse<B>) -> Result<ObjectFacts, InvalidReply> {
    let size_bytes = answer.header("content-length").and_then(|text| text.parse().ok());
    Ok(ObjectFacts { size_bytes: size_bytes.ok_or(InvalidReply::NoSize)?, etag: etag(answer)? })
}

/// The facts of the whole object from an answer with a part, when it is the part that was asked for.
pub(crate) fn part<B>(answer: &HttpResponse<B>, span: Span) -> Result<ObjectFacts, InvalidReply> {
    let range = answer.header("content-range").and_then(content_range);
    let (first, last, size_bytes) = range.ok_or(InvalidReply::OtherSpan)?;
    if answer.status != 206 || (first, last) != bounds(span) {
        return Err(InvalidReply::OtherSpan);
    }
    Ok(ObjectFacts { size_bytes, etag: etag(answer)? })
}

/// The first and the last byte of a span.
pub(crate) const fn bounds(span: Span) -> (u64, u64) {
    (span.offset, span.offset.saturating_add(span.length).saturating_sub(1))
}

/// The entity tag, strong and quoted: objects never change, whatever a proxy made of the tag.
pub(crate) fn etag<B>(answer: &HttpResponse<B>) -> Result<String, InvalidReply> {
    let text = answer.header("etag").unwrap_or_default().trim();
    let text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    if text.is_empty() { Err(InvalidReply::NoEtag) } else { Ok(format!("\"{text}\"")) }
}

/// `bytes 0-9/100` (RFC 9110 §14.4).
fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (bounds, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = bounds.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, size.parse().ok()?))
}
