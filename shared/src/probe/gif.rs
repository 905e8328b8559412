//! Walks a GIF from its header to its last byte: screen, frames, extensions, what follows the end.
//!
//! LZW codes are skipped by their sub-blocks; whether they decode to a picture is left to `decode`.
//! Where files break GIF89a in ways that decoders agree to forgive, so do we: a missing trailer, a
//! screen smaller than its first frame, junk after the last frame.

use crate::{ImageError, Limits, Report, cursor::Cursor, error::Corrupt, sniff};

pub(crate) mod block;
mod extension;
mod walk;

use walk::Walk;

/// What the container says of the picture.
///
/// The canvas is the logical screen, grown where the first frame needs more, as browsers and libvips
/// do. A later frame may reach outside (it is clipped) but never has more pixels than the canvas.
///
/// # Errors
/// The first rule of the format or the limits that the bytes break.
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<Report, ImageError> {
    walk(bytes, limits, |_kept| {})
}

/// Walks the blocks and hands over, piece by piece, what is needed to show the picture, all but the
/// trailer.
///
/// # Errors
/// The first rule of the format or the limits that the bytes break.
pub(crate) fn walk(
    bytes: &[u8],
    limits: &Limits,
    mut keep: impl FnMut(&[u8]),
) -> Result<Report, ImageError> {
    let mut cursor = Cursor::new(bytes);
    let mut walk = Walk::begin(&mut cursor, limits)?;
    keep(cursor.since(&Cursor::new(bytes)));
    let unterminated = loop {
        let start = cursor;
        match cursor.byte() {
            Ok(block::TRAILER) => break false,
            Ok(block::IMAGE) => walk.image(&mut cursor, &start, limits, &mut keep)?,
            Ok(block::EXTENSION) if walk.extension(&mut cursor, &mut keep).is_ok() => {}
            // Decoders take a cut extension, an unknown block or nothing at all for the end.
            _ if walk.has_frames() => {
                cursor = start;
                break true;
            }
            Ok(block::EXTENSION) | Err(_) => return Err(Corrupt::Truncated.into()),
            Ok(_) => return Err(Corrupt::BadStructure.into()),
        }
    };
    let mut report = walk.finish(bytes.len() as u64)?;
    report.unterminated = unterminated;
    report.metadata.trailing = cursor.rest().len() as u64;
    report.payload = sniff::name(cursor.rest());
    Ok(report)
}

#[cfg(test)]
mod tests;
