//! The parts of a form, read one after the other from the body stream. An ambiguous form is refused.

use std::{
    error::Error,
    fmt, io, mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use edge_types::{Details, Problem};
use futures_util::Stream;
use http::{HeaderMap, header};
use image_rules::{Code, ImageError};
use multer::{Constraints, Field, Multipart, SizeLimit, bytes::Bytes};

use super::{BodyStream, disposition::Disposition, read::read_error};
use crate::error::ApiError;

/// Parts in one request: the files, our two fields, and what other libraries add.
const MAX_PARTS: usize = 128;
/// Bytes of one part's headers: a name, a file name and a type. A name of 255 characters has 3 KB when
/// each is percent-encoded from four bytes; servers of HTTP take 8 to 16 KB of headers.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// The boundary before them: at most 70 bytes (RFC 2046 §5.1.1), dashes and line ends.
const MAX_BOUNDARY_BYTES: usize = 128;
/// While `multer` waits for the end of headers, it takes all available bytes and scans all of them again with each
/// chunk. So it gets no more at a time.
const PIECE_BYTES: usize = MAX_HEADER_BYTES;

#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    pub body: u64,
    /// Of a file.
    pub file: u64,
    pub field: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    pub disposition: Disposition,
    /// Empty when none is declared.
    pub content_type: String,
    pub content: Result<Vec<u8>, ImageError>,
}

/// Reads a form to its end.
///
/// # Errors
/// `FILE_TOO_LARGE` when the whole form is too large, `MALFORMED_REQUEST` when it is no form, ends early or has too
/// many parts.
pub async fn read_parts(
    content_type: &str,
    body: impl BodyStream,
    limits: BodyLimits,
) -> Result<Vec<Part>, ApiError> {
    let boundary = multer::parse_boundary(content_type).map_err(|_| Code::MalformedRequest)?;
    let whole = SizeLimit::new().whole_stream(limits.body);
    let allowance = Allowance::default();
    let body = Pieces::new(body, allowance.clone());
    let mut form =
        Multipart::with_constraints(body, boundary, Constraints::new().size_limit(whole));
    let mut parts = Vec::new();
    let form_error = |error| form_error(&error, limits.body);
    loop {
        allowance.set(MAX_BOUNDARY_BYTES + MAX_HEADER_BYTES);
        let Some(field) = form.next_field().await.map_err(form_error)? else { break };
        allowance.set(usize::MAX);
        if parts.len() == MAX_PARTS {
            return Err(Code::MalformedRequest.into());
        }
        // The allowance bounds what is read; with large chunks that may be more than the limit.
        if header_bytes(field.headers()) > MAX_HEADER_BYTES {
            return Err(long_headers());
        }
        let disposition = disposition(field.headers()).ok_or(Code::MalformedRequest)?;
        let is_file = disposition.file_name.is_some();
        let limit_bytes = if is_file { limits.file } else { limits.field };
        let content_type = field.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let content = read(field, limit_bytes).await.map_err(form_error)?;
        parts.push(Part { disposition, content_type, content });
    }
    Ok(parts)
}

/// How many bytes may still be read before the next part begins. Bytes of content are counted elsewhere.
#[derive(Clone, Debug, Default)]
struct Allowance(Arc<AtomicUsize>);

impl Allowance {
    fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn spend(&self, bytes: usize) -> Result<(), LongHeaders> {
        let left = self.0.load(Ordering::Relaxed);
        // Content follows the headers within the last piece.
        self.set(left.saturating_sub(bytes));
        if left > 0 { Ok(()) } else { Err(LongHeaders) }
    }
}

/// The headers of a part exceed the limit.
#[derive(Debug)]
struct LongHeaders;

impl fmt::Display for LongHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the headers of a part are too long")
    }
}

impl Error for LongHeaders {}

/// A body in pieces; each is scanned before the next is read.
struct Pieces<S> {
    body: S,
    rest: Bytes,
    allowance: Allowance,
    has_yielded: bool,
}

impl<S> Pieces<S> {
    fn new(body: S, allowance: Allowance) -> Self {
        Self { body, rest: Bytes::new(), allowance, has_yielded: false }
    }
}

impl<S: BodyStream> Stream for Pieces<S> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if mem::take(&mut self.has_yielded) {
            // Polled again at once, after the last piece was scanned.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_next(context)) {
                Some(Ok(chunk)) => self.rest = chunk.into(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let length = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(length);
        self.has_yielded = true;
        Poll::Ready(Some(self.allowance.spend(length).map(|()| piece).map_err(io::Error::other)))
    }
}

/// The length of the header lines, without the white space around values.
fn header_bytes(headers: &HeaderMap) -> usize {
    const SEPARATORS: usize = ": \r\n".len();
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + SEPARATORS).sum()
}

fn long_headers() -> ApiError {
    let details = Details::PartHeader { limit_bytes: MAX_HEADER_BYTES as u64 };
    Problem::with_details(Code::MalformedRequest, details).into()
}

fn disposition(headers: &HeaderMap) -> Option<Disposition> {
    Disposition::parse(headers.get(header::CONTENT_DISPOSITION)?.as_bytes())
}

/// The bytes of a part. One that is too large is read to its end and dropped, so that the others are still
/// processed.
async fn read(
    mut field: Field<'_>,
    limit_bytes: u64,
) -> Result<Result<Vec<u8>, ImageError>, multer::Error> {
    let (mut bytes, mut size_bytes) = (Vec::new(), 0);
    while let Some(chunk) = field.chunk().await? {
        size_bytes += chunk.len() as u64;
        if size_bytes > limit_bytes {
            bytes = Vec::new();
        } else {
            bytes.extend_from_slice(&chunk);
        }
    }
    let error = ImageError::TooManyBytes { size_bytes, limit_bytes };
    Ok(if size_bytes > limit_bytes { Err(error) } else { Ok(bytes) })
}

fn has_long_headers(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(cause) if cause.is::<LongHeaders>())
}

fn form_error(error: &multer::Error, limit_bytes: u64) -> ApiError {
    match error {
        multer::Error::StreamSizeExceeded { .. } => {
            ImageError::TooManyBytes { size_bytes: limit_bytes + 1, limit_bytes }.into()
        }
        multer::Error::StreamReadFailed(cause) => match cause.downcast_ref::<io::Error>() {
            Some(cause) if has_long_headers(cause) => long_headers(),
            Some(cause) => read_error(cause),
            None => Code::MalformedRequest.into(),
        },
        _ => Code::MalformedRequest.into(),
    }
}

#[cfg(test)]
mod tests;
