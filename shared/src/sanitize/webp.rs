//! Copies the chunks of a WebP that `inspect::webp` keeps into a RIFF of the right size, and sets the flags of VP8X
//! to match. A turned picture gets a minimal EXIF chunk at the end, where RFC 9649 section 2.7 wants it; only
//! files with VP8X can be turned.

use crate::{
    ImageError, Limits, Report,
    container::{
        exif,
        webp::{self as syntax, flag},
    },
    inspect::webp::{self, Piece},
    report::Orientation,
};
use alloc::vec::Vec;

/// The picture without its private data.
///
/// # Errors
/// As [`crate::inspect`], when the bytes are not those of the report.
pub fn scrub(bytes: &[u8], report: &Report) -> Result<Vec<u8>, ImageError> {
    let is_turned = report.orientation != Orientation::UPRIGHT;
    let mut out = Vec::with_capacity(bytes.len());
    out.extend(b"RIFF\0\0\0\0WEBP");
    // Where the frame begins whose parts are being written.
    let mut frame_at = None;
    webp::walk(bytes, &Limits::NONE, |piece| match piece {
        Piece::Chunk(kept) => {
            close_frame(frame_at.take(), &mut out);
            if kept.kind == *b"VP8X" {
                syntax::write(kept.kind, &announcement(kept.data, report, is_turned), &mut out);
            } else {
                syntax::write(kept.kind, kept.data, &mut out);
            }
        }
        Piece::Frame(head) => {
            close_frame(frame_at.take(), &mut out);
            frame_at = Some(out.len());
            syntax::write(*b"ANMF", head, &mut out);
        }
        Piece::Part(kept) => syntax::write(kept.kind, kept.data, &mut out),
    })?;
    close_frame(frame_at, &mut out);
    if is_turned {
        syntax::write(*b"EXIF", &exif::minimal(report.orientation), &mut out);
    }
    set_size(0, &mut out);
    Ok(out)
}

/// VP8X with its flags set to what is kept, its reserved bits cleared.
fn announcement(data: &[u8], report: &Report, is_turned: bool) -> Vec<u8> {
    let mut out = Vec::from(data);
    if let [flags, r0, r1, r2, ..] = out.as_mut_slice() {
        // A flag that says alpha where there is none, or the other way round, is left: browsers
        // show the picture by it.
        *flags &= flag::ALPHA | flag::ANIMATION;
        if report.metadata.icc > 0 {
            *flags |= flag::ICC;
        }
        if is_turned {
            *flags |= flag::EXIF;
        }
        (*r0, *r1, *r2) = (0, 0, 0);
    }
    out
}

/// A frame's size is known when its last part has been written.
fn close_frame(frame_at: Option<usize>, out: &mut [u8]) {
    if let Some(at) = frame_at {
        set_size(at, out);
    }
}

/// Makes the chunk at `at` reach to the end of what is written.
fn set_size(at: usize, out: &mut [u8]) {
    let Some(chunk) = out.get_mut(at..) else { return };
    // The whole file is below 2^32 bytes: it was when it came, and it has not grown but by 34.
    let size = u32::try_from(chunk.len().saturating_sub(8)).unwrap_or(u32::MAX);
    if let Some(field) = chunk.get_mut(4..8) {
        field.copy_from_slice(&size.to_le_bytes());
    }
}
