//! PNG syntax: chunks with their checksums, and the header chunk.

use crate::{cursor::Cursor, error::Corrupt, report::Color};

/// The eight bytes that every PNG begins with (PNG 3rd edition, section 5.2).
pub const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n'];

pub type Kind = [u8; 4];

/// A chunk whose length fits in the file.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    pub kind: Kind,
    pub data: &'a [u8],
    pub raw: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The next chunk.
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Corrupt> {
        let start = *cursor;
        let length = u32::from_be_bytes(cursor.array()?);
        // Section 5.3: four letters, at most 2^31 - 1 bytes.
        let kind: Kind = cursor.array()?;
        if !kind.iter().all(u8::is_ascii_alphabetic) {
            return Err(Corrupt::BadStructure);
        }
        if length > 0x7FFF_FFFF {
            return Err(Corrupt::BadLength);
        }
        let data = cursor.take(usize::try_from(length).map_err(|_| Corrupt::Truncated)?)?;
        let _checksum: [u8; 4] = cursor.array()?;
        Ok(Self { kind, data, raw: cursor.since(&start) })
    }

    pub fn is_sound(&self) -> bool {
        let covered = self.raw.get(4..self.raw.len().saturating_sub(4)).unwrap_or_default();
        self.raw.last_chunk() == Some(&crc32fast::hash(covered).to_be_bytes())
    }

    /// Whether no decoder may skip it (section 5.4: a capital first letter).
    pub const fn is_critical(&self) -> bool {
        let [first, ..] = self.kind;
        first.is_ascii_uppercase()
    }

    /// Its data when that has exactly `N` bytes.
    pub fn fields<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.data.try_into().ok()
    }

    pub const fn stored_bytes(&self) -> u64 {
        self.raw.len() as u64
    }
}

/// Writes a chunk with its length and checksum.
pub fn write(kind: Kind, data: &[u8], out: &mut alloc::vec::Vec<u8>) {
    // Callers write blocks of a few dozen bytes; the format could not say more than u32 anyway.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&kind);
    checksum.update(data);
    out.extend(length.to_be_bytes());
    out.extend(kind);
    out.extend(data);
    out.extend(checksum.finalize().to_be_bytes());
}

/// A checked IHDR (PNG 3rd edition, section 11.2.1).
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub width: u32,
    pub height: u32,
    pub depth: u8,
    pub samples: Samples,
    pub interlaced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Samples {
    /// Type 0.
    Gray,
    /// Type 2.
    Rgb,
    /// Type 3.
    Palette,
    /// Type 4.
    GrayAlpha,
    /// Type 6.
    Rgba,
}

impl Samples {
    pub const fn count(self) -> u8 {
        match self {
            Self::Gray | Self::Palette => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }

    pub const fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }

    pub const fn color(self) -> Color {
        match self {
            Self::Gray | Self::GrayAlpha => Color::Gray,
            Self::Rgb | Self::Rgba => Color::Rgb,
            Self::Palette => Color::Palette,
        }
    }
}

impl Header {
    /// From the 13 bytes of IHDR.
    pub fn parse(data: &[u8]) -> Result<Self, Corrupt> {
        let fields: &[u8; 13] = data.try_into().map_err(|_| Corrupt::BadLength)?;
        let [w0, w1, w2, w3, h0, h1, h2, h3, depth, colour_type, compression, filter, interlace] =
            *fields;
        let (width, height) =
            (u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
        if width == 0 || height == 0 {
            return Err(Corrupt::NoPixels);
        }
        // Section 7.1: four-byte integers stay below 2^31.
        if width > 0x7FFF_FFFF || height > 0x7FFF_FFFF || compression != 0 || filter != 0 {
            return Err(Corrupt::BadHeader);
        }
        let samples = samples(colour_type, depth).ok_or(Corrupt::BadHeader)?;
        let interlaced = match interlace {
            0 => false,
            1 => true,
            _ => return Err(Corrupt::BadHeader),
        };
        Ok(Self { width, height, depth, samples, interlaced })
    }

    /// What the pixels take before compression, each line with the byte of its filter (section 9.1), of an
    /// interlaced picture in seven passes (section 8.1).
    #[must_use]
    pub fn filtered_bytes(&self) -> u64 {
        /// First column and line, and steps across and down.
        const PASSES: [[u64; 4]; 7] = [
            [0, 0, 8, 8],
            [4, 0, 8, 8],
            [0, 4, 4, 8],
            [2, 0, 4, 4],
            [0, 2, 2, 4],
            [1, 0, 2, 2],
            [0, 1, 1, 2],
        ];
        let (width, height) = (u64::from(self.width), u64::from(self.height));
        let bits = u64::from(self.depth) * u64::from(self.samples.count());
        let lines = |width: u64, height: u64| match width {
            0 => 0,
            _ => (width * bits).div_ceil(8).saturating_add(1).saturating_mul(height),
        };
        if !self.interlaced {
            return lines(width, height);
        }
        let of = |length: u64, first: u64, step: u64| length.saturating_sub(first).div_ceil(step);
        let passes =
            PASSES.map(|[x, y, across, down]| lines(of(width, x, across), of(height, y, down)));
        passes.iter().fold(0, |sum, pass| sum.saturating_add(*pass))
    }

    /// What the pixels take before compression, filter bytes not counted.
    pub fn raw_bytes(&self) -> u64 {
        let bits = u64::from(self.depth) * u64::from(self.samples.count());
        // Below 2^62 pixels, so the product needs saturating only for pictures that are refused anyway.
        (u64::from(self.width) * u64::from(self.height)).saturating_mul(bits) / 8
    }
}

/// Table 12: allowed combinations of colour type and bit depth.
const fn samples(colour_type: u8, depth: u8) -> Option<Samples> {
    match (colour_type, depth) {
        (0, 1 | 2 | 4 | 8 | 16) => Some(Samples::Gray),
        (2, 8 | 16) => Some(Samples::Rgb),
        (3, 1 | 2 | 4 | 8) => Some(Samples::Palette),
        (4, 8 | 16) => Some(Samples::GrayAlpha),
        (6, 8 | 16) => Some(Samples::Rgba),
        _ => None,
    }
}

/// A profile of a printer inflates to some 2 MiB.
const MAX_INFLATED: u64 = 4 * 1024 * 1024;
/// Profiles shrink to a half when deflated, those of few numbers to a tenth; what grows more is made to.
const MAX_RATIO: u64 = 16;
/// Where the ratio says nothing: a short profile with long gaps.
const MIN_INFLATED: u64 = 64 * 1024;

/// What the profile of a PNG in a chunk of so many bytes may inflate to.
pub(crate) fn most_inflated(chunk_bytes: u64) -> u64 {
    chunk_bytes.saturating_mul(MAX_RATIO).clamp(MIN_INFLATED, MAX_INFLATED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_end_chunk_has_the_checksum_that_everybody_knows() {
        let mut out = Vec::new();
        write(*b"IEND", &[], &mut out);
        assert_eq!(out, [0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xAE, 0x42, 0x60, 0x82]);
        let chunk = Chunk::read(&mut Cursor::new(&out)).unwrap();
        assert!(chunk.is_sound() && chunk.is_critical());
        assert_eq!(chunk.raw, out);
    }

    #[test]
    fn lengths_and_types_that_cannot_be() {
        let read = |bytes: &[u8]| Chunk::read(&mut Cursor::new(bytes)).map(|chunk| chunk.kind);
        assert_eq!(read(b"\x80\0\0\0tEXt"), Err(Corrupt::BadLength));
        assert_eq!(read(b"\x7F\xFF\xFF\xFFtEXt"), Err(Corrupt::Truncated));
        assert_eq!(read(b"\0\0\0\0t\0Xt\0\0\0\0"), Err(Corrupt::BadStructure));
        assert_eq!(read(b"\0\0\0\0tEXt\0\0\0"), Err(Corrupt::Truncated));
    }

    const RGB_3X2: [u8; 13] = [0, 0, 0, 3, 0, 0, 0, 2, 8, 2, 0, 0, 1];

    #[test]
    fn only_the_fifteen_combinations_of_the_table_pass() {
        let mut passed = 0;
        for colour_type in 0..=255 {
            for depth in 0..=255 {
                let mut fields = RGB_3X2;
                fields[8] = depth;
                fields[9] = colour_type;
                passed += u32::from(Header::parse(&fields).is_ok());
            }
        }
        assert_eq!(passed, 15);
    }

    #[test]
    fn every_other_field_is_checked() {
        let header = Header::parse(&RGB_3X2).unwrap();
        assert_eq!((header.width, header.height, header.raw_bytes()), (3, 2, 18));
        assert!(header.interlaced);
        for (at, value, expected) in [
            (3, 0, Corrupt::NoPixels),
            (7, 0, Corrupt::NoPixels),
            (0, 0x80, Corrupt::BadHeader),
            (4, 0x80, Corrupt::BadHeader),
            (10, 1, Corrupt::BadHeader),
            (11, 64, Corrupt::BadHeader),
            (12, 2, Corrupt::BadHeader),
        ] {
            let mut fields = RGB_3X2;
            fields[at] = value;
            assert_eq!(Header::parse(&fields).map(|_| ()), Err(expected), "byte {at}");
        }
        // Passes of 1x1, 1x1, 1x1 and 3x1 pixels: 4, 4, 4 and 10 bytes; in one go two lines of 10.
        assert_eq!(header.filtered_bytes(), 22);
        assert_eq!(Header { interlaced: false, ..header }.filtered_bytes(), 20);
        assert_eq!(Header::parse(&RGB_3X2[..12]).map(|_| ()), Err(Corrupt::BadLength));
    }
}
