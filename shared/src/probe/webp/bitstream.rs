//! The headers of the two kinds of WebP pixels: VP8 (RFC 6386 section 9.1) and VP8L (RFC 9649
//! section 3.4), and of the alpha plane beside VP8.

use super::{chunk::Chunk, keyframe::KeyFrame};
use crate::{
    Format, Report,
    error::Corrupt,
    probe::{Color, Metadata, Orientation},
};

/// What the header of a bitstream says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bitstream {
    /// Not zero.
    pub width: u32,
    /// Not zero.
    pub height: u32,
    /// VP8L.
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

    /// The report of a picture that is nothing but this.
    #[must_use]
    pub fn report(&self) -> Report {
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
///
/// # Errors
/// A compression or preprocessing that is not defined, or no data.
pub fn check_alpha(chunk: &Chunk<'_>) -> Result<(), Corrupt> {
    let [header, _, ..] = *chunk.data else { return Err(Corrupt::BadLength) };
    let (compression, preprocessing) = (header & 3, header >> 4 & 3);
    if compression > 1 || preprocessing > 1 { Err(Corrupt::BadHeader) } else { Ok(()) }
}
