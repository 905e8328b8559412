//! Cuts a JPEG into its pieces (ISO/IEC 10918-1, annex B): segments, entropy-coded data, what stands
//! between them and what follows the end. It knows lengths and markers, not what they mean.

use crate::error::Corrupt;

/// Markers by their second byte (table B.1).
pub mod marker {
    /// Start of frame: baseline; the extended and progressive ones follow.
    pub const SOF0: u8 = 0xC0;
    /// Extended sequential, Huffman.
    pub const SOF1: u8 = 0xC1;
    /// Progressive, Huffman.
    pub const SOF2: u8 = 0xC2;
    /// The last start of frame (lossless, hierarchical, arithmetic).
    pub const SOF15: u8 = 0xCF;
    /// Huffman tables.
    pub const DHT: u8 = 0xC4;
    /// Reserved.
    pub const JPG: u8 = 0xC8;
    /// Arithmetic conditioning.
    pub const DAC: u8 = 0xCC;
    /// The first and the last restart.
    pub const RST0: u8 = 0xD0;
    /// The last restart.
    pub const RST7: u8 = 0xD7;
    /// Start of image.
    pub const SOI: u8 = 0xD8;
    /// End of image.
    pub const EOI: u8 = 0xD9;
    /// Start of scan.
    pub const SOS: u8 = 0xDA;
    /// Quantisation tables.
    pub const DQT: u8 = 0xDB;
    /// Restart interval.
    pub const DRI: u8 = 0xDD;
    /// The first block of applications.
    pub const APP0: u8 = 0xE0;
    /// EXIF and XMP.
    pub const APP1: u8 = 0xE1;
    /// ICC profiles.
    pub const APP2: u8 = 0xE2;
    /// Photoshop.
    pub const APP13: u8 = 0xED;
    /// Adobe's colour transform.
    pub const APP14: u8 = 0xEE;
    /// The last block of applications.
    pub const APP15: u8 = 0xEF;
    /// Comment.
    pub const COM: u8 = 0xFE;
    /// Temporary, stands alone.
    pub const TEM: u8 = 0x01;
}

/// One piece of the file, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes that belong to nothing; decoders skip them.
    Stray(&'a [u8]),
    /// A marker with a payload.
    Segment {
        /// Its second byte.
        marker: u8,
        /// From the marker's `FF` to the payload's end.
        whole: &'a [u8],
        /// What follows the length.
        payload: &'a [u8],
    },
    /// The data of one scan.
    Entropy(Entropy<'a>),
    /// The end mark, and what follows it.
    End {
        /// Bytes after the end.
        trailing: &'a [u8],
    },
}

/// The data of one scan, restart markers included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entropy<'a> {
    /// The bytes up to the next marker that is no restart.
    pub bytes: &'a [u8],
    /// Bytes of code: without stuffing, fill and markers.
    pub code_bytes: u64,
    /// Restart markers.
    pub restarts: u64,
    /// Whether they count 0, 1, … 7, 0, … (section B.2.1).
    pub restarts_in_order: bool,
}

/// The pieces after the start mark. An error ends it.
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    rest: &'a [u8],
    in_scan: bool,
    done: bool,
}

impl<'a> Pieces<'a> {
    /// `bytes` start with the start mark.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes.get(2..).unwrap_or_default(), in_scan: false, done: false }
    }

    /// The pieces from `at`, which is not within a scan: a decoder goes on where a scan's last code ended.
    #[cfg(feature = "codec")]
    #[must_use]
    pub fn continue_at(bytes: &'a [u8], at: usize) -> Self {
        Self { rest: bytes.get(at..).unwrap_or_default(), in_scan: false, done: false }
    }

    /// Bytes that no piece has covered yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn step(&mut self) -> Result<Piece<'a>, Corrupt> {
        if core::mem::take(&mut self.in_scan) {
            let entropy = Entropy::read(self.rest);
            self.rest = self.rest.get(entropy.bytes.len()..).unwrap_or_default();
            return Ok(Piece::Entropy(entropy));
        }
        let stray = memchr::memchr(0xFF, self.rest).ok_or(Corrupt::Truncated)?;
        if stray > 0 {
            return Ok(self.stray(stray));
        }
        let marker_at = self.rest.iter().position(|byte| *byte != 0xFF);
        let marker_at = marker_at.ok_or(Corrupt::Truncated)?;
        match self.rest.get(marker_at).copied().ok_or(Corrupt::Truncated)? {
            0 | marker::TEM | marker::RST0..=marker::RST7 => Ok(self.stray(marker_at + 1)),
            marker::SOI => Err(Corrupt::BadStructure),
            marker::EOI => {
                self.done = true;
                let trailing = self.rest.get(marker_at + 1..).unwrap_or_default();
                Ok(Piece::End { trailing })
            }
            marker => self.segment(marker, marker_at),
        }
    }

    fn stray(&mut self, length: usize) -> Piece<'a> {
        let (stray, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.rest = rest;
        Piece::Stray(stray)
    }

    fn segment(&mut self, marker: u8, marker_at: usize) -> Result<Piece<'a>, Corrupt> {
        let from_length = self.rest.get(marker_at + 1..).ok_or(Corrupt::Truncated)?;
        let length = *from_length.first_chunk().ok_or(Corrupt::Truncated)?;
        let length = usize::from(u16::from_be_bytes(length));
        if length < 2 {
            return Err(Corrupt::BadLength);
        }
        let payload = from_length.get(2..length).ok_or(Corrupt::Truncated)?;
        let end = marker_at + 1 + length;
        // Fill bytes before the marker (section B.1.1.2) are no part of it.
        let whole = self.rest.get(marker_at.saturating_sub(1)..end).ok_or(Corrupt::Truncated)?;
        self.rest = self.rest.get(end..).unwrap_or_default();
        self.in_scan = marker == marker::SOS;
        Ok(Piece::Segment { marker, whole, payload })
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<Piece<'a>, Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let piece = self.step();
        self.done |= piece.is_err();
        Some(piece)
    }
}

impl<'a> Entropy<'a> {
    /// The data at the start of `rest`: up to a marker that is no restart, or to the end.
    fn read(rest: &'a [u8]) -> Self {
        let mut entropy = Self { bytes: rest, code_bytes: 0, restarts: 0, restarts_in_order: true };
        let mut at = 0;
        while let Some(code) = rest.get(at..).and_then(|tail| memchr::memchr(0xFF, tail)) {
            entropy.code_bytes += code as u64;
            let mark = at + code;
            let mut after = mark;
            while rest.get(after) == Some(&0xFF) {
                after += 1;
            }
            match rest.get(after) {
                Some(0) => entropy.code_bytes += 1,
                Some(restart @ marker::RST0..=marker::RST7) => {
                    let expected = entropy.restarts % 8;
                    entropy.restarts_in_order &= u64::from(restart - marker::RST0) == expected;
                    entropy.restarts += 1;
                }
                _ => {
                    entropy.bytes = rest.get(..mark).unwrap_or_default();
                    return entropy;
                }
            }
            at = after + 1;
        }
        entropy.code_bytes += rest.len().saturating_sub(at) as u64;
        entropy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn pieces(bytes: &[u8]) -> Vec<Result<Piece<'_>, Corrupt>> {
        Pieces::new(bytes).collect()
    }

    #[test]
    fn every_byte_lands_in_a_piece() {
        let file = b"\xFF\xD8..\xFF\xFF\xFE\0\x04hi\xFF\xDA\0\x02a\xFF\0b\xFF\xD0c\xFF\xFF\xD9tail";
        let entropy = Entropy {
            bytes: b"a\xFF\0b\xFF\xD0c",
            code_bytes: 4,
            restarts: 1,
            restarts_in_order: true,
        };
        let comment = Piece::Segment { marker: 0xFE, whole: b"\xFF\xFE\0\x04hi", payload: b"hi" };
        let scan = Piece::Segment { marker: 0xDA, whole: b"\xFF\xDA\0\x02", payload: b"" };
        let expected = [
            Ok(Piece::Stray(b"..")),
            Ok(comment),
            Ok(scan),
            Ok(Piece::Entropy(entropy)),
            Ok(Piece::End { trailing: b"tail" }),
        ];
        assert_eq!(pieces(file), expected);
    }

    #[test]
    fn a_cut_or_impossible_length_is_an_error() {
        for (file, expected) in [
            (&b"\xFF\xD8"[..], Corrupt::Truncated),
            (b"\xFF\xD8\xFF", Corrupt::Truncated),
            (b"\xFF\xD8\xFF\xE0\0", Corrupt::Truncated),
            (b"\xFF\xD8\xFF\xE0\0\x05ab", Corrupt::Truncated),
            (b"\xFF\xD8\xFF\xE0\0\x01", Corrupt::BadLength),
            (b"\xFF\xD8\xFF\xD8", Corrupt::BadStructure),
        ] {
            assert_eq!(pieces(file), [Err(expected)], "{file:?}");
        }
    }

    #[test]
    fn restarts_out_of_order_are_seen() {
        let entropy = Entropy::read(b"a\xFF\xD0b\xFF\xD2c\xFF\xD9");
        assert_eq!((entropy.restarts, entropy.restarts_in_order), (2, false));
    }
    #[test]
    fn what_stands_alone_between_segments_is_stray() {
        let mut pieces = Pieces::new(b"\xFF\xD8\xFF\0\xFF\xFF\x01\xFF\xD7\xFF\xD9");
        for stray in [&b"\xFF\0"[..], b"\xFF\xFF\x01", b"\xFF\xD7"] {
            assert_eq!(pieces.next(), Some(Ok(Piece::Stray(stray))));
        }
        assert_eq!(pieces.next(), Some(Ok(Piece::End { trailing: b"" })));
        assert_eq!(pieces.next(), None);
    }

    #[cfg(feature = "codec")]
    #[test]
    fn a_walk_goes_on_where_a_decoder_ended() {
        let file = b"\xFF\xD8\xFF\xDA\0\x02ab\xFF\xD0c\xFF\xD9";
        let rest: Vec<_> = Pieces::continue_at(file, 8).collect();
        let strays = [Piece::Stray(b"\xFF\xD0"), Piece::Stray(b"c")];
        assert_eq!(rest[..2], strays.map(Ok));
        assert_eq!(rest[2..], [Ok(Piece::End { trailing: b"" })]);
        let beyond: Vec<_> = Pieces::continue_at(file, usize::MAX).collect();
        assert_eq!(beyond, [Err(Corrupt::Truncated)]);
    }

    #[test]
    fn fill_bytes_before_a_restart_are_no_code() {
        let entropy = Entropy::read(b"a\xFF\xFF\xFF\xD0bc\xFF\xD9");
        assert_eq!((entropy.code_bytes, entropy.restarts), (3, 1));
        assert_eq!(entropy.bytes, b"a\xFF\xFF\xFF\xD0bc");
    }
}
