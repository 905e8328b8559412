//! Takes everything out of a container that is not needed to show the picture, without touching a
//! pixel: private metadata, comments, thumbnails, foreign payloads, bytes after the end. Colour
//! profiles stay, and so does the orientation, as a block that says nothing else.
//!
//! Whether a picture needs it is `plan`'s decision.

use alloc::vec::Vec;

use crate::{Format, ImageError, Report};

pub mod gif;
pub mod jpeg;
pub mod png;
pub mod webp;

/// The picture without its private data. `report` is what [`crate::inspect`] said of these bytes.
///
/// # Errors
/// As probing, when the bytes are not those of the report.
pub fn scrub(bytes: &[u8], report: &Report) -> Result<Vec<u8>, ImageError> {
    match report.format {
        Format::Jpeg => jpeg::scrub(bytes, report),
        Format::Png => png::scrub(bytes, report),
        Format::Gif => gif::scrub(bytes),
        Format::WebP => webp::scrub(bytes, report),
    }
}
