//! What the caller sent: the body, read no further than it may go, and the name it had.

mod body;
mod name;

pub use body::read_body;
pub use name::{FileName, clean_name};

use futures_util::Stream;
use http::{HeaderName, header, request::Parts};
use image_rules::{Format, Limits};

use crate::{auth::Permit, error::Failure, route::text_header};

const X_FILENAME: HeaderName = HeaderName::from_static("x-filename");

/// A file as it came, not yet looked into.
#[derive(Debug)]
pub struct Draft {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the caller says it is.
    pub declared: Format,
    /// What the caller calls it.
    pub original_name: Option<FileName>,
}

/// Reads a raw body. It takes a [`Permit`], so nothing is read for a caller who may not upload.
///
/// # Errors
/// `INVALID_FILE_TYPE`, `FILE_TOO_LARGE`, `FILE_MISSING`, or `MALFORMED_REQUEST` for a body that breaks off.
pub async fn receive<S, C>(
    _permit: &Permit,
    head: &Parts,
    body: S,
    limits: &Limits,
) -> Result<Draft, Failure>
where
    S: Stream<Item = Result<C, std::io::Error>>,
    C: AsRef<[u8]>,
{
    let content_type = text_header(head, header::CONTENT_TYPE).unwrap_or_default();
    let declared = Format::from_media_type(content_type)?;
    let length = text_header(head, header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
    let bytes = read_body(body, length, limits.max_bytes).await?;
    let original_name = text_header(head, X_FILENAME).and_then(clean_name);
    Ok(Draft { bytes, declared, original_name })
}
