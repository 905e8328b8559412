//! The parts of a form, read one after the other over the body stream. A form is understood whole
//! or refused: what parsers read in different ways is not guessed at.

use futures_util::StreamExt;
use http::{HeaderMap, header};
use image_rules::{Code, ImageError};
use multer::{Constraints, Field, Multipart, SizeLimit, bytes::Bytes};

use super::{Chunks, Disposition, body::broken_off};
use crate::error::Failure;

/// Parts in one request: the files, our two fields, and what other libraries add.
const MAX_PARTS: usize = 128;

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
    let body = body.map(|chunk| chunk.map(Bytes::from));
    let mut form =
        Multipart::with_constraints(body, boundary, Constraints::new().size_limit(whole));
    let mut parts = Vec::new();
    let broken = |error| broken(&error, most.body);
    while let Some(field) = form.next_field().await.map_err(broken)? {
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

fn broken(error: &multer::Error, limit_bytes: u64) -> Failure {
    match error {
        multer::Error::StreamSizeExceeded { .. } => {
            ImageError::TooManyBytes { size_bytes: limit_bytes + 1, limit_bytes }.into()
        }
        multer::Error::StreamReadFailed(cause) => match cause.downcast_ref() {
            Some(cause) => broken_off(cause),
            None => Code::MalformedRequest.into(),
        },
        _ => Code::MalformedRequest.into(),
    }
}

#[cfg(test)]
mod tests;
