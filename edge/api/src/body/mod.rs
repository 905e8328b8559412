//! Reads bodies: an image, a form with images, or JSON. Nothing is read beyond the limits.

mod disposition;
mod form;
mod json;
mod part;
mod read;

pub use form::MAX_FILES;
pub use json::{read_json, read_json_of, read_small_body};
pub use read::first_chunks;

use std::io;

use edge_auth::Permit;
use edge_types::{FileName, FormId, UserId, file_name::name_in_header};
use futures_util::Stream;
use http::{HeaderName, header, request::Parts};
use image_rules::{Code, Format, ImageError, Limits};

use crate::{
    error::ApiError,
    request::{media_type, text_header},
};

const X_FILENAME: HeaderName = HeaderName::from_static("x-filename");

/// A body as it arrives.
pub trait BodyStream: Stream<Item = io::Result<Vec<u8>>> + Send + Unpin {}

impl<S: Stream<Item = io::Result<Vec<u8>>> + Send + Unpin> BodyStream for S {}

/// A parsed upload request.
#[derive(Debug, Default)]
pub struct ParsedUpload {
    pub files: Vec<UploadedFile>,
    pub form_id: Option<FormId>,
    /// The user that the form names.
    pub user_id: Option<UserId>,
}

#[derive(Debug)]
pub struct UploadedFile {
    pub original_name: Option<FileName>,
    /// The file, or why it cannot be inspected.
    pub file: Result<RawFile, ImageError>,
}

impl UploadedFile {
    pub fn size_bytes(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.bytes.len() as u64)
    }
}

/// A file that is not inspected yet.
#[derive(Debug)]
pub struct RawFile {
    pub bytes: Vec<u8>,
    pub declared: Format,
}

/// A body as the headers announce it.
#[derive(Clone, Copy, Debug)]
pub struct AnnouncedBody<'a> {
    content_type: &'a str,
    length: Option<u64>,
    is_form: bool,
}

impl<'a> AnnouncedBody<'a> {
    pub fn new(head: &'a Parts) -> Self {
        let content_type = text_header(head, header::CONTENT_TYPE).unwrap_or_default();
        Self {
            content_type,
            length: text_header(head, header::CONTENT_LENGTH).and_then(|text| text.parse().ok()),
            is_form: media_type(head).eq_ignore_ascii_case("multipart/form-data"),
        }
    }

    /// Refuses what the headers already show to be unacceptable, so that nothing of it is waited for.
    ///
    /// # Errors
    /// [`ImageError::TooManyBytes`] and [`ImageError::DeclaredNotAccepted`].
    pub fn check(&self, limits: &Limits) -> Result<(), ImageError> {
        let limit_bytes = self.limit_bytes(limits);
        if let Some(size_bytes) = self.length
            && size_bytes > limit_bytes
        {
            return Err(ImageError::TooManyBytes { size_bytes, limit_bytes });
        }
        if !self.is_form {
            Format::from_media_type(self.content_type).ok_or(ImageError::DeclaredNotAccepted)?;
        }
        Ok(())
    }

    /// The largest size that is accepted.
    pub fn limit_bytes(&self, limits: &Limits) -> u64 {
        if self.is_form { form::max_bytes(limits) } else { limits.max_bytes }
    }

    /// The announced size, at most the limit.
    pub fn max_bytes(&self, limits: &Limits) -> u64 {
        let limit_bytes = self.limit_bytes(limits);
        self.length.map_or(limit_bytes, |length| length.min(limit_bytes))
    }

    /// The memory to reserve before it is read. A body without announced length begins with what nearly all
    /// need and reserves more while it arrives: two of the largest would be the whole budget.
    pub fn reserved_bytes(&self, limits: &Limits) -> u64 {
        const UNANNOUNCED_BYTES: u64 = 1024 * 1024;
        let max_bytes = self.max_bytes(limits);
        if self.length.is_some() { max_bytes } else { max_bytes.min(UNANNOUNCED_BYTES) }
    }
}

/// Reads an upload. It takes a [`Permit`], so nothing is read for a caller who may not upload.
///
/// # Errors
/// `FILE_TOO_LARGE`, `FILE_MISSING`, or `MALFORMED_REQUEST` for a body that ends early or no form. The caller makes
/// [`AnnouncedBody::check`] first.
pub async fn receive(
    _permit: &Permit,
    head: &Parts,
    body: impl BodyStream,
    limits: &Limits,
) -> Result<ParsedUpload, ApiError> {
    let announced = AnnouncedBody::new(head);
    if announced.is_form {
        let upload = form::read_form(announced.content_type, body, limits).await?;
        return if upload.files.is_empty() { Err(Code::FileMissing.into()) } else { Ok(upload) };
    }
    let declared =
        Format::from_media_type(announced.content_type).ok_or(ImageError::DeclaredNotAccepted)?;
    let limit_bytes = announced.limit_bytes(limits);
    let bytes = read::read_body(body, announced.length, limit_bytes).await?;
    let original_name = text_header(head, X_FILENAME).and_then(name_in_header);
    let file = Ok(RawFile { bytes, declared });
    Ok(ParsedUpload {
        files: vec![UploadedFile { original_name, file }],
        ..ParsedUpload::default()
    })
}

#[cfg(test)]
mod tests {
    use http::Request;
    use image_rules::Policy;

    use super::*;

    #[test]
    fn the_headers_of_a_body_that_is_too_large_or_no_image_are_enough_to_refuse_it() {
        let limits = Policy::EDGE.limits;
        let check = |content_type: &str, length: u64| {
            let head = Request::post("/images")
                .header("content-type", content_type)
                .header("content-length", length);
            let (head, ()) = head.body(()).expect("valid").into_parts();
            AnnouncedBody::new(&head).check(&limits)
        };
        for (content_type, limit_bytes) in
            [("image/gif", limits.max_bytes), ("multipart/form-data", form::max_bytes(&limits))]
        {
            assert_eq!(check(content_type, limit_bytes), Ok(()));
            let size_bytes = limit_bytes + 1;
            let refused = Err(ImageError::TooManyBytes { size_bytes, limit_bytes });
            assert_eq!(check(content_type, size_bytes), refused);
        }
        assert_eq!(check("text/plain", 7), Err(ImageError::DeclaredNotAccepted));
    }

    #[test]
    fn what_does_not_say_how_long_it_is_keeps_a_megabyte_free_and_counts_as_the_longest() {
        let limits = Policy::EDGE.limits;
        let mib = 1024 * 1024;
        for (content_type, length, most, kept) in [
            ("image/gif", Some("7"), 7, 7),
            ("image/gif", Some("9999999999"), limits.max_bytes, limits.max_bytes),
            ("image/gif", None, limits.max_bytes, mib),
            ("multipart/form-data; boundary=b", Some("7"), 7, 7),
            ("multipart/form-data; boundary=b", None, form::max_bytes(&limits), mib),
        ] {
            let mut head = Request::post("/images").header("content-type", content_type);
            if let Some(length) = length {
                head = head.header("content-length", length);
            }
            let (head, ()) = head.body(()).expect("valid").into_parts();
            let announced = AnnouncedBody::new(&head);
            let to_problem = (announced.max_bytes(&limits), announced.reserved_bytes(&limits));
            assert_eq!(to_problem, (most, kept), "{content_type} {length:?}");
        }
    }
}
