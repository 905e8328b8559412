//! Walks a PNG from its signature to its last byte: header, order, checksums, animation, metadata.
//!
//! The pixels' zlib stream is looked at only as far as its two header bytes and its length go;
//! whether it inflates to a picture is left to `decode`.

use crate::{ImageError, Limits, Report, cursor::Cursor, error::Corrupt, sniff};

mod ancillary;
mod animation;
pub(crate) mod chunk;
pub(crate) mod header;
mod text;
mod walk;

use chunk::Chunk;
use walk::Walk;

/// What the container says of the picture.
///
/// # Errors
/// The first rule of the format or the limits that the bytes break.
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<Report, ImageError> {
    walk(bytes, limits, |_kept| {})
}

/// Walks the chunks and hands over, as they stand in the file, those that are needed to show the
/// picture, all but IEND; orientation is in the report only.
///
/// # Errors
/// The first rule of the format or the limits that the bytes break.
pub(crate) fn walk<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    mut keep: impl FnMut(&Chunk<'a>),
) -> Result<Report, ImageError> {
    let mut cursor = Cursor::new(bytes);
    if cursor.array()? != chunk::SIGNATURE {
        return Err(ImageError::Unrecognised);
    }
    let first = Chunk::read(&mut cursor)?;
    let mut walk = Walk::begin(&first, limits)?;
    keep(&first);
    let unterminated = loop {
        let start = cursor;
        match Chunk::read(&mut cursor) {
            Ok(chunk) if chunk.kind == *b"IEND" => {
                let is_right = chunk.data.is_empty() && chunk.is_sound();
                cursor = if is_right { cursor } else { start };
                break !is_right;
            }
            Ok(chunk) => {
                if walk.step(&chunk, limits)? {
                    keep(&chunk);
                }
            }
            // Decoders that have the pixels do not miss the end mark.
            Err(Corrupt::Truncated) if walk.may_end_before(start.rest()) => {
                cursor = start;
                break true;
            }
            Err(cause) => return Err(cause.into()),
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
