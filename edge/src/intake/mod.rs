//! What the caller sent: a picture as the body or a form with pictures, read no further than it may
//! go, and the names they had.

mod body;
mod disposition;
mod form;
mod form_id;
mod json;
mod name;
mod part;

pub use disposition::Disposition;
pub use form::MAX_FILES;
pub use form_id::FormId;
pub use json::{is_json, read_json, read_open_json};
pub use name::{FileName, clean_name};

use std::io;

use futures_util::Stream;
use http::{HeaderName, header, request::Parts};
use image_rules::{Code, Format, ImageError, Limits};

use crate::{
    auth::{Permit, UserId},
    error::Failure,
    route::text_header,
};
use name::name_in_header;

const X_FILENAME: HeaderName = HeaderName::from_static("x-filename");

/// A body as it arrives.
pub trait Chunks: Stream<Item = io::Result<Vec<u8>>> + Send + Unpin {}

impl<S: Stream<Item = io::Result<Vec<u8>>> + Send + Unpin> Chunks for S {}

/// All that came with one request.
#[derive(Debug, Default)]
pub struct Intake {
    /// At least one file.
    pub files: Vec<SentFile>,
    /// The form that the files answer.
    pub form_id: Option<FormId>,
    /// Who the caller says to be.
    pub user_id: Option<UserId>,
}

/// One file.
#[derive(Debug)]
pub struct SentFile {
    /// What the caller calls it.
    pub original_name: Option<FileName>,
    /// The file, or why it is not one that can be looked into.
    pub draft: Result<Draft, ImageError>,
}

impl SentFile {
    /// How many bytes came that can be looked into.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.draft.as_ref().map_or(0, |draft| draft.bytes.len() as u64)
    }
}

/// A file as it came, not yet looked into.
#[derive(Debug)]
pub struct Draft {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the caller says it is.
    pub declared: Format,
}

/// A request's body as its headers announce it.
#[derive(Clone, Copy, Debug)]
pub struct Announced<'a> {
    content_type: &'a str,
    length: Option<u64>,
    is_form: bool,
}

impl<'a> Announced<'a> {
    /// From the headers.
    #[must_use]
    pub fn new(head: &'a Parts) -> Self {
        let content_type = text_header(head, header::CONTENT_TYPE).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        Self {
            content_type,
            length: text_header(head, header::CONTENT_LENGTH).and_then(|text| text.parse().ok()),
            is_form: essence.eq_ignore_ascii_case("multipart/form-data"),
        }
    }

    /// Bytes that the body may have.
    #[must_use]
    pub fn limit_bytes(&self, limits: &Limits) -> u64 {
        if self.is_form { form::most_bytes(limits) } else { limits.max_bytes }
    }

    /// Bytes that the body has at most.
    #[must_use]
    pub fn most_bytes(&self, limits: &Limits) -> u64 {
        let limit_bytes = self.limit_bytes(limits);
        self.length.map_or(limit_bytes, |length| length.min(limit_bytes))
    }

    /// Bytes that are kept free for it before it comes. One that does not say how long it is begins with
    /// as much as nearly all have and asks for more as it comes: two of the largest would be all there is.
    #[must_use]
    pub fn kept_bytes(&self, limits: &Limits) -> u64 {
        const UNTOLD_BYTES: u64 = 1024 * 1024;
        let most_bytes = self.most_bytes(limits);
        if self.length.is_some() { most_bytes } else { most_bytes.min(UNTOLD_BYTES) }
    }
}

/// Reads what was sent. It takes a [`Permit`], so nothing is read for a caller who may not upload.
///
/// # Errors
/// `INVALID_FILE_TYPE`, `FILE_TOO_LARGE`, `FILE_MISSING`, or `MALFORMED_REQUEST` for a body that
/// breaks off or a form that is none.
pub async fn receive(
    _permit: &Permit,
    head: &Parts,
    body: impl Chunks,
    limits: &Limits,
) -> Result<Intake, Failure> {
    let announced = Announced::new(head);
    let limit_bytes = announced.limit_bytes(limits);
    if let Some(size_bytes) = announced.length
        && size_bytes > limit_bytes
    {
        return Err(ImageError::TooManyBytes { size_bytes, limit_bytes }.into());
    }
    if announced.is_form {
        let intake = form::read_form(announced.content_type, body, limits).await?;
        return if intake.files.is_empty() { Err(Code::FileMissing.into()) } else { Ok(intake) };
    }
    let declared =
        Format::from_media_type(announced.content_type).ok_or(ImageError::DeclaredNotAccepted)?;
    let bytes = body::read_body(body, announced.length, limit_bytes).await?;
    let original_name = text_header(head, X_FILENAME).and_then(name_in_header);
    let draft = Ok(Draft { bytes, declared });
    Ok(Intake { files: vec![SentFile { original_name, draft }], ..Intake::default() })
}

#[cfg(test)]
mod tests {
    use http::Request;
    use image_rules::Policy;

    use super::*;

    #[test]
    fn what_does_not_say_how_long_it_is_keeps_a_megabyte_free_and_counts_as_the_longest() {
        let limits = Policy::EDGE.limits;
        let mib = 1024 * 1024;
        for (content_type, length, most, kept) in [
            ("image/gif", Some("7"), 7, 7),
            ("image/gif", Some("9999999999"), limits.max_bytes, limits.max_bytes),
            ("image/gif", None, limits.max_bytes, mib),
            ("multipart/form-data; boundary=b", Some("7"), 7, 7),
            ("multipart/form-data; boundary=b", None, form::most_bytes(&limits), mib),
        ] {
            let mut head = Request::post("/images").header("content-type", content_type);
            if let Some(length) = length {
                head = head.header("content-length", length);
            }
            let (head, ()) = head.body(()).expect("valid").into_parts();
            let announced = Announced::new(&head);
            let told = (announced.most_bytes(&limits), announced.kept_bytes(&limits));
            assert_eq!(told, (most, kept), "{content_type} {length:?}");
        }
    }
}
