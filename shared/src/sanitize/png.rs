//! A PNG without anything private: chunks that shape the picture are copied, the rest stays behind.
//!
//! What shapes the picture is decided in `inspect::png`. A picture that is to be turned says so in a
//! minimal eXIf chunk right after the header, where every decoder that knows eXIf finds it. The end mark is
//! written anew.

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
/// As probing, when the bytes are not those of the report.
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
