//! A frame of an animated WebP (RFC 9649 section 2.7.1.1): where it lies and what it holds.

use super::{
    Piece,
    bitstream::{Bitstream, check_alpha},
    chunk::Chunk,
};
use crate::{ImageError, Limits, cursor::Cursor, error::Corrupt};

/// A bitstream with the alpha plane that may go before it.
#[derive(Clone, Copy, Debug)]
pub struct Picture {
    /// The header of its pixels.
    pub bitstream: Bitstream,
    /// Whether any pixel may be transparent.
    pub has_alpha: bool,
}

impl Picture {
    /// The bitstream of `chunk`, or the alpha plane in `chunk` and the bitstream right after it.
    ///
    /// # Errors
    /// Something else between the two, alpha twice, or a header that libwebp refuses.
    pub fn read<'a>(
        chunk: Chunk<'a>,
        cursor: &mut Cursor<'a>,
        keep: &mut impl FnMut(Chunk<'a>),
    ) -> Result<Self, Corrupt> {
        let mut picture_chunk = chunk;
        let has_plane = chunk.kind == *b"ALPH";
        if has_plane {
            check_alpha(&chunk)?;
            keep(chunk);
            picture_chunk = Chunk::read(cursor)?;
        }
        match (&picture_chunk.kind, has_plane) {
            // VP8L has alpha of its own.
            (b"VP8 ", _) | (b"VP8L", false) => {}
            _ => return Err(Corrupt::BadStructure),
        }
        let bitstream = Bitstream::read(&picture_chunk)?;
        keep(picture_chunk);
        Ok(Self { bitstream, has_alpha: has_plane || bitstream.has_alpha })
    }
}

/// A frame and the rectangle that it covers.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Its pixels.
    pub picture: Picture,
    /// Whether it covers the whole canvas.
    pub covers: bool,
    /// Whether its rectangle is cleared before the next.
    pub is_disposed: bool,
    /// Bytes in it that no decoder needs.
    pub foreign_bytes: u64,
}

impl Frame {
    /// An `ANMF` chunk on a canvas of `width` times `height`.
    ///
    /// # Errors
    /// No picture in it, more than one, another size than it says, or outside the canvas.
    pub fn read<'a>(
        chunk: &Chunk<'a>,
        (width, height): (u32, u32),
        limits: &Limits,
        keep: &mut impl FnMut(Piece<'a>),
    ) -> Result<Self, ImageError> {
        let mut body = Cursor::new(chunk.data);
        let (head, rest) = chunk.data.split_first_chunk::<16>().ok_or(Corrupt::BadLength)?;
        body.take(chunk.data.len() - rest.len())?;
        let [x0, x1, x2, y0, y1, y2, w0, w1, w2, h0, h1, h2, _, _, _, flags] = *head;
        // Offsets are stored halved, sizes less one.
        let (left, top) = (2 * u24([x0, x1, x2]), 2 * u24([y0, y1, y2]));
        let size = (1 + u24([w0, w1, w2]), 1 + u24([h0, h1, h2]));
        if left + size.0 > width || top + size.1 > height {
            return Err(Corrupt::BadHeader.into());
        }
        limits.canvas(size.0, size.1)?;
        keep(Piece::Frame(head));
        let first = Chunk::read(&mut body)?;
        let picture = Picture::read(first, &mut body, &mut |part| keep(Piece::Part(part)))?;
        if (picture.bitstream.width, picture.bitstream.height) != size {
            return Err(Corrupt::BadHeader.into());
        }
        let mut foreign_bytes = 0;
        while !body.is_empty() {
            let part = Chunk::read(&mut body)?;
            if matches!(&part.kind, b"VP8 " | b"VP8L" | b"ALPH") {
                return Err(Corrupt::BadStructure.into());
            }
            foreign_bytes += part.stored_bytes();
        }
        let covers = size == (width, height);
        Ok(Self { picture, covers, is_disposed: flags & 1 == 1, foreign_bytes })
    }
}

/// Three bytes, the least first.
pub const fn u24([b0, b1, b2]: [u8; 3]) -> u32 {
    u32::from_le_bytes([b0, b1, b2, 0])
}
