//! The parts of a form, read one after the other over the body stream. A form is understood whole
//! or refused: what parsers read in different ways is not guessed at.

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

use futures_util::Stream;
use http::{HeaderMap, header};
use image_rules::{Code, ImageError};
use multer::{Constraints, Field, Multipart, SizeLimit, bytes::Bytes};

use super::{Chunks, Disposition, body::broken_off};
use crate::error::{Failure, Refusal};

/// Parts in one request: the files, our two fields, and what other libraries add.
const MAX_PARTS: usize = 128;
/// Bytes of one part's headers: a name, a file name and a type. A name of 255 characters has 3 KB when
/// each is percent-encoded from four bytes; servers of HTTP take 8 to 16 KB of headers.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// The boundary before them: at most 70 bytes (RFC 2046 §5.1.1), dashes and line ends.
const MAX_BOUNDARY_BYTES: usize = 128;
/// `multer` takes all that there is before it looks at any of it, and looks at all of it again with each
/// chunk while it waits for the end of headers. So it gets no more at once.
const PIECE_BYTES: usize = MAX_HEADER_BYTES;

/// How many bytes may come.
#[derive(Clone, Copy, Debug)]
pub struct MostBytes {
    /// In the whole body.
    pub body: u64,
    /// In a part that is a file.
    pub file: u64,
    /// In any other part.
    pub field: u64,
}

/// One part.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// The field's name and that of the file.
    pub disposition: Disposition,
    /// The declared type, empty when there is none.
    pub content_type: String,
    /// The bytes, or that they are too many.
    pub content: Result<Vec<u8>, ImageError>,
}

/// Reads a form to its end.
///
/// # Errors
/// `FILE_TOO_LARGE` when it is too large as a whole, `MALFORMED_REQUEST` when it is no form, breaks
/// off or has too many parts.
pub async fn read_parts(
    content_type: &str,
    body: impl Chunks,
    most: MostBytes,
) -> Result<Vec<Part>, Failure> {
    let boundary = multer::parse_boundary(content_type).map_err(|_| Code::MalformedRequest)?;
    let whole = SizeLimit::new().whole_stream(most.body);
    let allowance = Allowance::default();
    let body = Pieces::new(body, allowance.clone());
    let mut form =
        Multipart::with_constraints(body, boundary, Constraints::new().size_limit(whole));
    let mut parts = Vec::new();
    let broken = |error| broken(&error, most.body);
    loop {
        allowance.set(MAX_BOUNDARY_BYTES + MAX_HEADER_BYTES);
        let Some(field) = form.next_field().await.map_err(broken)? else { break };
        allowance.set(usize::MAX);
        if parts.len() == MAX_PARTS {
            return Err(Code::MalformedRequest.into());
        }
        let disposition = disposition(field.headers()).ok_or(Code::MalformedRequest)?;
        let is_file = disposition.file_name.is_some();
        let limit_bytes = if is_file { most.file } else { most.field };
        let content_type = field.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let content = read(field, limit_bytes).await.map_err(broken)?;
        parts.push(Part { disposition, content_type, content });
    }
    Ok(parts)
}

/// How many bytes may still be read before the next part begins; bytes of content are counted elsewhere.
#[derive(Clone, Debug, Default)]
struct Allowance(Arc<AtomicUsize>);

impl Allowance {
    fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn spend(&self, bytes: usize) -> Result<(), LongHeaders> {
        let left = self.0.load(Ordering::Relaxed);
        // The piece in which headers end has content behind them.
        self.set(left.saturating_sub(bytes));
        if left > 0 { Ok(()) } else { Err(LongHeaders) }
    }
}

/// More came before a part's content than headers may have.
#[derive(Debug)]
struct LongHeaders;

impl fmt::Display for LongHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the headers of a part are too long")
    }
}

impl Error for LongHeaders {}

/// A body in pieces, each looked at before the next is read.
struct Pieces<S> {
    body: S,
    rest: Bytes,
    allowance: Allowance,
    has_given: bool,
}

impl<S> Pieces<S> {
    fn new(body: S, allowance: Allowance) -> Self {
        Self { body, rest: Bytes::new(), allowance, has_given: false }
    }
}

impl<S: Chunks> Stream for Pieces<S> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if mem::take(&mut self.has_given) {
            // To be polled again at once, after what was given has been looked at.
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
        self.has_given = true;
        Poll::Ready(Some(self.allowance.spend(length).map(|()| piece).map_err(io::Error::other)))
    }
}

fn disposition(headers: &HeaderMap) -> Option<Disposition> {
    Disposition::parse(headers.get(header::CONTENT_DISPOSITION)?.as_bytes())
}

/// The bytes of a part. One that is too large is read to its end and dropped, so that the others
/// of the form have their say.
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

fn broken(error: &multer::Error, limit_bytes: u64) -> Failure {
    match error {
        multer::Error::StreamSizeExceeded { .. } => {
            ImageError::TooManyBytes { size_bytes: limit_bytes + 1, limit_bytes }.into()
        }
        multer::Error::StreamReadFailed(cause) => match cause.downcast_ref::<io::Error>() {
            Some(cause) if has_long_headers(cause) => {
                let part_header_limit_bytes = Some(MAX_HEADER_BYTES as u64);
                Refusal { part_header_limit_bytes, ..Refusal::new(Code::MalformedRequest) }.into()
            }
            Some(cause) => broken_off(cause),
            None => Code::MalformedRequest.into(),
        },
        _ => Code::MalformedRequest.into(),
    }
}

#[cfg(test)]
mod tests;
