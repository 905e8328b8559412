//! Walks a WebP from RIFF to its last byte: chunks, canvas, frames, metadata.
//!
//! Bitstreams are looked at only as far as their headers go; whether their partitions and codes
//! decode to a picture is left to `decode`. Where RFC 9649 leaves a choice we refuse and accept what
//! libwebp's demuxer does, which Pillow, libvips and the browsers stand on.

use crate::{ImageError, Limits, Report, cursor::Cursor, error::Corrupt, sniff};

mod bitstream;
pub(crate) mod bools;
pub(crate) mod chunk;
mod extended;
mod frame;
pub(crate) mod keyframe;

use bitstream::Bitstream;
use chunk::Chunk;
use extended::Extended;
pub(crate) use extended::flag;

/// A piece of the file that is needed to show the picture.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece<'a> {
    /// A chunk of the file.
    Chunk(Chunk<'a>),
    /// A frame of an animation begins; its parts follow.
    Frame(&'a [u8; 16]),
    /// A chunk inside the frame.
    Part(Chunk<'a>),
}

/// What the container says of the picture.
///
/// # Errors
/// The first rule of the format or the limits that the bytes break.
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<Report, ImageError> {
    walk(bytes, limits, |_kept| {})
}

/// Walks the chunks and hands over those that are needed to show the picture; orientation is in the
/// report only.
///
/// # Errors
/// The first rule of the format or the limits that the bytes break.
pub(crate) fn walk<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    mut keep: impl FnMut(Piece<'a>),
) -> Result<Report, ImageError> {
    let mut cursor = Cursor::new(bytes);
    let (b"RIFF", riff_size, b"WEBP") = (&cursor.array()?, cursor.array()?, &cursor.array()?)
    else {
        return Err(ImageError::Unrecognised);
    };
    // RFC 9649 section 2.4: the size counts what follows it, so also the four letters just read.
    let body_size = u32::from_le_bytes(riff_size).checked_sub(4).ok_or(Corrupt::BadLength)?;
    let body = cursor.take(usize::try_from(body_size).map_err(|_| Corrupt::Truncated)?)?;
    let mut body = Cursor::new(body);
    let first = Chunk::read(&mut body)?;
    let mut report = match &first.kind {
        b"VP8X" => Extended::walk(&first, &mut body, limits, &mut keep)?,
        b"VP8 " | b"VP8L" => simple(&first, &mut body, limits, &mut keep)?,
        _ => return Err(Corrupt::BadStructure.into()),
    };
    report.size_bytes = bytes.len() as u64;
    report.metadata.trailing = cursor.rest().len() as u64;
    report.payload = sniff::name(cursor.rest());
    Ok(report)
}

/// Section 2.5 and 2.6: one bitstream; decoders do not look at what follows it.
fn simple<'a>(
    first: &Chunk<'a>,
    body: &mut Cursor<'a>,
    limits: &Limits,
    keep: &mut impl FnMut(Piece<'a>),
) -> Result<Report, ImageError> {
    let bitstream = Bitstream::read(first)?;
    limits.canvas(bitstream.width, bitstream.height)?;
    keep(Piece::Chunk(*first));
    let mut report = bitstream.report();
    while !body.is_empty() {
        report.metadata.vendor += Chunk::read(body)?.stored_bytes();
    }
    Ok(report)
}

#[cfg(test)]
mod tests;
