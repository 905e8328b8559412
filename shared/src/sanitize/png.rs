//! Copies the chunks of a PNG that `inspect::png` keeps. A turned picture gets a minimal eXIf chunk right after the
//! header, where every decoder that knows eXIf finds it. A new IEND is written.

use crate::{
    ImageError, Limits, Report,
    container::{exif, png as syntax},
    inspect::png,
    report::Orientation,
};
use alloc::vec::Vec;

/// The picture without its private data.
///
/// # Errors
/// As [`crate::inspect`], when the bytes are not those of the report.
pub fn scrub(bytes: &[u8], report: &Report) -> Result<Vec<u8>, ImageError> {
    let mut out = Vec::with_capacity(bytes.len());
    out.extend(syntax::SIGNATURE);
    png::walk(bytes, &Limits::NONE, |kept| {
        out.extend(kept.raw);
        if kept.kind == *b"IHDR" && report.orientation != Orientation::UPRIGHT {
            syntax::write(*b"eXIf", &exif::minimal(report.orientation), &mut out);
        }
    })?;
    syntax::write(*b"IEND", &[], &mut out);
    Ok(out)
}
