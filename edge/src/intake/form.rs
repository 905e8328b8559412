//! What a form with pictures means: its files, and the fields that say which form and whose.

use image_rules::{Code, Format, ImageError, Limits};

use super::{
    Chunks, Draft, FormId, Intake, SentFile, clean_name,
    part::{MostBytes, Part, read_parts},
};
use crate::{auth::UserId, error::Failure};

/// Files in one request.
pub const MAX_FILES: usize = 10;
/// Bytes of a field that is not a file; `FilePond` sends its metadata as one.
const MAX_FIELD_BYTES: u64 = 16 * 1024;
/// Boundaries, headers and fields around the files.
const OVERHEAD_BYTES: u64 = 256 * 1024;
/// What the files of one request may have together, as multiples of one file's limit.
const FILES_OF_MOST_BYTES: u64 = 4;
/// Whatever is configured, the files of one request have at most the half of the shared memory
/// that is for bodies by default.
const MAX_FORM_BYTES: u64 = 32 * 1024 * 1024;

/// Bytes that a form may have.
#[must_use]
pub fn most_bytes(limits: &Limits) -> u64 {
    let files = limits.max_bytes.saturating_mul(FILES_OF_MOST_BYTES);
    files.min(MAX_FORM_BYTES).max(limits.max_bytes) + OVERHEAD_BYTES
}

/// Reads a form to its end.
///
/// # Errors
/// `FILE_TOO_LARGE` when it is too large as a whole, `FILE_MISSING` without a file,
/// `MALFORMED_REQUEST` when it is no form or says what cannot be.
pub async fn read_form(
    content_type: &str,
    body: impl Chunks,
    limits: &Limits,
) -> Result<Intake, Failure> {
    let most =
        MostBytes { body: most_bytes(limits), file: limits.max_bytes, field: MAX_FIELD_BYTES };
    let mut intake = Intake::default();
    for part in read_parts(content_type, body, most).await? {
        intake.take(part).ok_or(Code::MalformedRequest)?;
    }
    match intake.files.len() {
        0 => Err(Code::FileMissing.into()),
        1..=MAX_FILES => Ok(intake),
        _ => Err(Code::MalformedRequest.into()),
    }
}

impl Intake {
    /// Nothing when the part says what cannot be.
    fn take(&mut self, part: Part) -> Option<()> {
        let Part { disposition, content_type, content } = part;
        if let Some(file_name) = disposition.file_name {
            // A file field in which nothing was chosen is sent all the same.
            if !(file_name.is_empty() && content.as_ref().is_ok_and(Vec::is_empty)) {
                let original_name = clean_name(&file_name);
                let draft = draft(&content_type, content);
                self.files.push(SentFile { original_name, draft });
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
            // Other libraries add fields of their own.
            _ => Some(()),
        }
    }
}

/// A field that is there twice with two values could be read either way.
fn once<T: PartialEq>(field: &mut Option<T>, value: T) -> Option<()> {
    if field.as_ref().is_some_and(|known| *known != value) {
        return None;
    }
    *field = Some(value);
    Some(())
}

fn draft(content_type: &str, content: Result<Vec<u8>, ImageError>) -> Result<Draft, ImageError> {
    let declared = Format::from_media_type(content_type).ok_or(ImageError::DeclaredNotAccepted)?;
    let bytes = content?;
    if bytes.is_empty() { Err(ImageError::Empty) } else { Ok(Draft { bytes, declared }) }
}
