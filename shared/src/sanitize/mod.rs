//! Removes everything from a container that is not needed to show the picture, without touching a pixel: private
//! metadata, comments, thumbnails, foreign payloads, bytes after the end. Colour profiles stay, and so does the
//! orientation, as a block that contains nothing else.

use alloc::vec::Vec;

use crate::{Format, ImageError, Report};

pub(crate) mod gif;
pub(crate) mod jpeg;
pub(crate) mod png;
#[cfg(feature = "codec")]
pub(crate) mod profile;
pub(crate) mod webp;

/// The picture without its private data. `report` is what [`crate::inspect`] said of these bytes.
///
/// # Errors
/// As [`crate::inspect`], when the bytes are not those of the report.
pub fn scrub(bytes: &[u8], report: &Report) -> Result<Vec<u8>, ImageError> {
    match report.format {
        Format::Jpeg => jpeg::scrub(bytes, report),
        Format::Png => png::scrub(bytes, report),
        Format::Gif => gif::scrub(bytes),
        Format::WebP => webp::scrub(bytes, report),
    }
}
