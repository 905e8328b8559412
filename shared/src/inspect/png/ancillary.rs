//! Which of the chunks that a decoder may skip change how the picture looks, and so are kept.
//!
//! Kept are colours (gAMA, cHRM, sRGB, iCCP, cICP, mDCV, cLLI, sBIT), transparency (tRNS), the backdrop
//! (bKGD) and the pixel's shape (pHYs). Each has a fixed length, except the profile, so nothing can
//! hide in them; one with another length, at the wrong place or said twice is ignored by decoders
//! and dropped here. The rest (texts, times, histograms, suggested palettes, stereo, private chunks)
//! changes nothing on a screen.

use crate::container::png::{Chunk, Header, Samples};

/// What has been kept before; each kind is kept once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ancillary {
    seen: u16,
}

impl Ancillary {
    /// Whether the chunk is kept. It must stand before the pixels (PNG 3rd edition, table 7), tRNS and
    /// bKGD of a palette after it.
    pub fn keeps(
        &mut self,
        chunk: &Chunk<'_>,
        header: &Header,
        palette_len: Option<usize>,
    ) -> bool {
        let Some((bit, is_valid)) = known(chunk, header, palette_len) else { return false };
        let is_first = self.seen & bit == 0;
        if is_valid {
            self.seen |= bit;
        }
        is_valid && is_first
    }

    pub const fn has_transparency(self) -> bool {
        self.seen & TRANSPARENCY != 0
    }
}

const TRANSPARENCY: u16 = 1 << 9;

/// A bit of its own for each kind that is kept, and whether its length is right (section 11.3).
fn known(chunk: &Chunk<'_>, header: &Header, palette_len: Option<usize>) -> Option<(u16, bool)> {
    let len = chunk.data.len();
    Some(match &chunk.kind {
        b"gAMA" => (1, len == 4),
        b"cHRM" => (1 << 1, len == 32),
        b"sRGB" => (1 << 2, len == 1),
        b"iCCP" => (1 << 3, is_profile(chunk.data)),
        b"cICP" => (1 << 4, len == 4),
        b"mDCV" => (1 << 5, len == 24),
        b"cLLI" => (1 << 6, len == 8),
        b"pHYs" => (1 << 7, len == 9),
        b"sBIT" => (1 << 8, len == significant_bits_len(header.samples)),
        b"tRNS" => (TRANSPARENCY, is_transparency(len, header.samples, palette_len)),
        b"bKGD" => (1 << 10, is_backdrop(len, header.samples, palette_len)),
        _ => return None,
    })
}

/// A name of 1 to 79 bytes, a zero, the method zero, and more than a zlib header.
fn is_profile(data: &[u8]) -> bool {
    let name_len = data.iter().take(80).position(|byte| *byte == 0).unwrap_or(0);
    name_len > 0 && data.get(name_len + 1) == Some(&0) && data.len() > name_len + 4
}

fn significant_bits_len(samples: Samples) -> usize {
    // A palette's entries have three samples.
    if samples == Samples::Palette { 3 } else { usize::from(samples.count()) }
}

fn is_transparency(len: usize, samples: Samples, palette_len: Option<usize>) -> bool {
    match samples {
        Samples::Gray => len == 2,
        Samples::Rgb => len == 6,
        Samples::Palette => palette_len.is_some_and(|entries| (1..=entries).contains(&len)),
        Samples::GrayAlpha | Samples::Rgba => false,
    }
}

fn is_backdrop(len: usize, samples: Samples, palette_len: Option<usize>) -> bool {
    match samples {
        Samples::Gray | Samples::GrayAlpha => len == 2,
        Samples::Rgb | Samples::Rgba => len == 6,
        Samples::Palette => palette_len.is_some() && len == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_fixed_length_is_kept_at_that_length_only() {
        let header =
            Header { width: 1, height: 1, depth: 8, samples: Samples::Rgb, interlaced: false };
        let keeps = |kind: &[u8; 4], len: usize| {
            let data = alloc::vec![0; len];
            let chunk = Chunk { kind: *kind, data: &data, raw: &[] };
            Ancillary::default().keeps(&chunk, &header, None)
        };
        for (kind, len) in [
            (b"gAMA", 4),
            (b"cHRM", 32),
            (b"sRGB", 1),
            (b"cICP", 4),
            (b"mDCV", 24),
            (b"cLLI", 8),
            (b"pHYs", 9),
            (b"sBIT", 3),
            (b"tRNS", 6),
            (b"bKGD", 6),
        ] {
            let kept = [len - 1, len, len + 1].map(|len| keeps(kind, len));
            assert_eq!(kept, [false, true, false], "{}", kind.escape_ascii());
        }
    }

    /// Sections 11.3.1.1, 11.3.2.4 and 11.3.4.1; the palette has two entries.
    #[test]
    fn what_speaks_of_samples_is_as_long_as_there_are_samples() {
        for (samples, palette_len, bits, transparency, backdrop) in [
            (Samples::Gray, None, &[1][..], &[2][..], &[2][..]),
            (Samples::Rgb, None, &[3], &[6], &[6]),
            (Samples::Palette, Some(2), &[3], &[1, 2], &[1]),
            (Samples::Palette, None, &[3], &[], &[]),
            (Samples::GrayAlpha, None, &[2], &[], &[2]),
            (Samples::Rgba, None, &[4], &[], &[6]),
        ] {
            let header = Header { width: 1, height: 1, depth: 8, samples, interlaced: false };
            for (kind, expected) in [(b"sBIT", bits), (b"tRNS", transparency), (b"bKGD", backdrop)]
            {
                let keeps = |len: &usize| {
                    let chunk = Chunk { kind: *kind, data: &[0; 8][..*len], raw: &[] };
                    Ancillary::default().keeps(&chunk, &header, palette_len)
                };
                let kept: alloc::vec::Vec<_> = (0..=8).filter(keeps).collect();
                assert_eq!(kept, expected, "{} of {samples:?}", kind.escape_ascii());
            }
        }
    }

    #[test]
    fn each_kind_is_kept_once_beside_the_others() {
        let header =
            Header { width: 1, height: 1, depth: 8, samples: Samples::Rgb, interlaced: false };
        let mut ancillary = Ancillary::default();
        for is_first in [true, false] {
            for (kind, len) in [
                (b"gAMA", 4),
                (b"cHRM", 32),
                (b"sRGB", 1),
                (b"cICP", 4),
                (b"mDCV", 24),
                (b"cLLI", 8),
                (b"pHYs", 9),
                (b"sBIT", 3),
                (b"tRNS", 6),
                (b"bKGD", 6),
            ] {
                let chunk = Chunk { kind: *kind, data: &[0; 32][..len], raw: &[] };
                let kept = ancillary.keeps(&chunk, &header, None);
                assert_eq!(kept, is_first, "{}", kind.escape_ascii());
            }
            let profile = Chunk { kind: *b"iCCP", data: b"a\0\0\x78\x9C!", raw: &[] };
            assert_eq!(ancillary.keeps(&profile, &header, None), is_first);
        }
    }

    /// Section 11.3.2.3: name, zero, method, then a zlib stream, which begins with two bytes.
    #[test]
    fn a_profile_has_a_name_and_a_stream() {
        let long = |len: usize| [&alloc::vec![b'a'; len][..], b"\0\0\x78\x9C!"].concat();
        for (data, expected) in [
            (&b"a\0\0\x78\x9C!"[..], true),
            (b"a\0\0\x78\x9C", false),
            (b"a\0\x01\x78\x9C!!!", false),
            (b"\0\0\x78\x9C!!!", false),
            (b"a name and no more", false),
            (&long(79), true),
            (&long(80), false),
        ] {
            assert_eq!(is_profile(data), expected, "{}", data.escape_ascii());
        }
    }
}
