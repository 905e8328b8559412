//! WebP syntax: RIFF chunks, and the headers of the two kinds of pixels: VP8 (RFC 6386 section 9.1) and VP8L
//! (RFC 9649 section 3.4), and of the alpha plane beside VP8.

use vp8::KeyFrame;

use crate::{
    Format, Report,
    cursor::Cursor,
    error::Corrupt,
    report::{Coded, Color, Metadata, Orientation},
};

pub mod vp8;
pub mod vp8l;

/// Flags of VP8X: which of these chunks decoders look at.
pub mod flag {
    /// `ICCP`.
    pub const ICC: u8 = 0x20;
    /// `ALPH` or VP8L with alpha.
    pub const ALPHA: u8 = 0x10;
    /// `EXIF`.
    pub const EXIF: u8 = 0x08;
    /// `ANIM` and `ANMF`.
    pub const ANIMATION: u8 = 0x02;
}

/// A chunk whose length fits in what holds it.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    pub kind: [u8; 4],
    pub data: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The next chunk and its padding.
    ///
    /// # Errors
    /// [`Corrupt::BadLength`]: the size of what holds it is known to be there, so a chunk that
    /// reaches beyond lies.
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Corrupt> {
        Self::read_within(cursor).map_err(|_| Corrupt::BadLength)
    }

    fn read_within(cursor: &mut Cursor<'a>) -> Result<Self, Corrupt> {
        let kind = cursor.array()?;
        let size =
            usize::try_from(u32::from_le_bytes(cursor.array()?)).map_err(|_| Corrupt::BadLength)?;
        let data = cursor.take(size)?;
        // RFC 9649 section 2.3: an odd size is followed by one byte of padding.
        cursor.take(size % 2)?;
        Ok(Self { kind, data })
    }

    pub const fn stored_bytes(&self) -> u64 {
        let data_bytes = self.data.len() as u64;
        8 + data_bytes + data_bytes % 2
    }
}

/// Writes a chunk with its length and padding.
pub fn write(kind: [u8; 4], data: &[u8], out: &mut alloc::vec::Vec<u8>) {
    // Every chunk written comes from a file whose sizes are below 2^32.
    let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
    out.extend(kind);
    out.extend(size.to_le_bytes());
    out.extend(data);
    out.extend((data.len() % 2 == 1).then_some(0));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bitstream {
    pub width: u32,
    pub height: u32,
    pub lossless: bool,
    /// Whether VP8L says that its alpha is used; VP8 has none of its own.
    pub has_alpha: bool,
}

impl Bitstream {
    /// From a `VP8 ` or `VP8L` chunk.
    ///
    /// # Errors
    /// A header that libwebp refuses.
    pub fn read(chunk: &Chunk<'_>) -> Result<Self, Corrupt> {
        if chunk.kind == *b"VP8L" { lossless(chunk.data) } else { lossy(chunk.data) }
    }

    /// Width times height.
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// The report of a picture that is nothing but this.
    pub fn report(&self) -> Report {
        let pixels = self.pixels();
        let lossy_pixels = if self.lossless { 0 } else { pixels };
        Report {
            format: Format::WebP,
            size_bytes: 0,
            width: self.width,
            height: self.height,
            orientation: Orientation::UPRIGHT,
            frames: 1,
            has_alpha: self.has_alpha,
            bit_depth: 8,
            color: Color::Rgb,
            progressive: false,
            lossless: self.lossless,
            jpeg_quality: None,
            jpeg_blocks: 0,
            coded: Coded { pixels, lossy_pixels, ..Coded::default() },
            unterminated: false,
            payload: None,
            metadata: Metadata::default(),
        }
    }
}

fn lossy(data: &[u8]) -> Result<Bitstream, Corrupt> {
    let KeyFrame { width, height, .. } = KeyFrame::read(data)?;
    Ok(Bitstream { width: width.into(), height: height.into(), lossless: false, has_alpha: false })
}

fn lossless(data: &[u8]) -> Result<Bitstream, Corrupt> {
    let [signature, b0, b1, b2, b3] = *data.first_chunk::<5>().ok_or(Corrupt::BadLength)?;
    let bits = u32::from_le_bytes([b0, b1, b2, b3]);
    let version = bits >> 29;
    if signature != 0x2F || version != 0 {
        return Err(Corrupt::BadHeader);
    }
    Ok(Bitstream {
        width: (bits & 0x3FFF) + 1,
        height: (bits >> 14 & 0x3FFF) + 1,
        lossless: true,
        has_alpha: bits >> 28 & 1 == 1,
    })
}

/// The header byte of an `ALPH` chunk (RFC 9649 section 2.7.1.2).
pub fn check_alpha(chunk: &Chunk<'_>) -> Result<(), Corrupt> {
    let [header, _, ..] = *chunk.data else { return Err(Corrupt::BadLength) };
    let (compression, preprocessing) = (header & 3, header >> 4 & 3);
    if compression > 1 || preprocessing > 1 { Err(Corrupt::BadHeader) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn odd_chunks_are_padded() {
        let mut out = Vec::new();
        write(*b"abcd", b"123", &mut out);
        write(*b"efgh", b"", &mut out);
        assert_eq!(out, b"abcd\x03\0\0\x00123\0efgh\0\0\0\0");
        let mut cursor = Cursor::new(&out);
        let chunk = Chunk::read(&mut cursor).unwrap();
        assert_eq!((&chunk.kind, chunk.data, chunk.stored_bytes()), (b"abcd", &b"123"[..], 12));
        assert_eq!(Chunk::read(&mut cursor).unwrap().stored_bytes(), 8);
        assert!(cursor.is_empty());
    }

    #[test]
    fn a_missing_padding_is_an_error_as_in_libwebp() {
        let read = |bytes: &[u8]| Chunk::read(&mut Cursor::new(bytes)).map(|_| ());
        assert_eq!(read(b"abcd\x03\0\0\x00123"), Err(Corrupt::BadLength));
        assert_eq!(read(b"abcd\xFF\xFF\xFF\xFF123"), Err(Corrupt::BadLength));
        assert_eq!(read(b"abcd"), Err(Corrupt::BadLength));
    }
}
