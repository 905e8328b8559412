//! An upload as a form: its files, and the fields `formId` and `userId`.

use edge_types::{FormId, UserId, file_name::clean_name};
use image_rules::{Code, Format, ImageError, Limits};

use super::{
    BodyStream, ParsedUpload, RawFile, UploadedFile,
    part::{BodyLimits, Part, read_parts},
};
use crate::error::ApiError;

/// Of one request.
pub const MAX_FILES: usize = 10;
/// Bytes of a field that is not a file; `FilePond` sends its metadata as one.
const MAX_FIELD_BYTES: u64 = 16 * 1024;
/// Boundaries, headers and fields around the files.
const OVERHEAD_BYTES: u64 = 256 * 1024;
/// The files of one request together may have so many times the limit of one file.
const MAX_FULL_FILES: u64 = 4;
/// And never more than the half of the default memory budget that is for bodies.
const MAX_FORM_BYTES: u64 = 32 * 1024 * 1024;

/// The largest form.
pub fn max_bytes(limits: &Limits) -> u64 {
    let files = limits.max_bytes.saturating_mul(MAX_FULL_FILES);
    files.min(MAX_FORM_BYTES).max(limits.max_bytes) + OVERHEAD_BYTES
}

/// Reads a form to its end.
///
/// # Errors
/// `FILE_TOO_LARGE` when the whole form is too large, `FILE_MISSING` without a file, `MALFORMED_REQUEST` when it is no
/// form or a field is invalid.
pub async fn read_form(
    content_type: &str,
    body: impl BodyStream,
    limits: &Limits,
) -> Result<ParsedUpload, ApiError> {
    let limits =
        BodyLimits { body: max_bytes(limits), file: limits.max_bytes, field: MAX_FIELD_BYTES };
    let mut upload = ParsedUpload::default();
    for part in read_parts(content_type, body, limits).await? {
        upload.take(part).ok_or(Code::MalformedRequest)?;
    }
    match upload.files.len() {
        0 => Err(Code::FileMissing.into()),
        1..=MAX_FILES => Ok(upload),
        _ => Err(Code::MalformedRequest.into()),
    }
}

impl ParsedUpload {
    /// [`None`] for an invalid field.
    fn take(&mut self, part: Part) -> Option<()> {
        let Part { disposition, content_type, content } = part;
        if let Some(file_name) = disposition.file_name {
            // Browsers also send a file field in which nothing was chosen.
            if !(file_name.is_empty() && content.as_ref().is_ok_and(Vec::is_empty)) {
                let original_name = clean_name(&file_name);
                let file = raw_file(&content_type, content);
                self.files.push(UploadedFile { original_name, file });
            }
            return Some(());
        }
        let value = content.ok()?;
        match disposition.name.as_str() {
            "formId" => once(&mut self.form_id, FormId::parse(&value)?),
            "userId" => {
                let user_id = UserId::parse(core::str::from_utf8(&value).ok()?)?;
                once(&mut self.user_id, user_id)
            }
            // Other libraries add their own fields.
            _ => Some(()),
        }
    }
}

/// Sets a field. A field with two different values is ambiguous.
fn once<T: PartialEq>(field: &mut Option<T>, value: T) -> Option<()> {
    if field.as_ref().is_some_and(|known| *known != value) {
        return None;
    }
    *field = Some(value);
    Some(())
}

fn raw_file(
    content_type: &str,
    content: Result<Vec<u8>, ImageError>,
) -> Result<RawFile, ImageError> {
    let declared = Format::from_media_type(content_type).ok_or(ImageError::DeclaredNotAccepted)?;
    let bytes = content?;
    if bytes.is_empty() { Err(ImageError::Empty) } else { Ok(RawFile { bytes, declared }) }
}
