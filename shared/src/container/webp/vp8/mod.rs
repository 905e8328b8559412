//! VP8's boolean decoder (RFC 6386 section 7.3) and frame header (section 9).
//!
//! The decoder fills up as `image-webp` does, four bytes at a time and single ones at the end, so that both read
//! the same also from bytes that no encoder writes.

use crate::error::Corrupt;

#[cfg(feature = "codec")]
pub mod tables;

/// Reads bools of given odds.
#[derive(Clone, Copy)]
pub struct Bools<'a> {
    rest: &'a [u8],
    /// What is compared with the range is eight bits of it, above the spare ones.
    value: u64,
    spare_bits: i32,
    range: u32,
}

impl<'a> Bools<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, value: 0, spare_bits: -8, range: 255 }
    }

    /// The next bool, of which `odds` in 256 are false.
    #[inline]
    pub fn bit(&mut self, odds: u8) -> bool {
        if self.spare_bits < 0 {
            self.fill();
        }
        let split = 1 + (((self.range - 1) * u32::from(odds)) >> 8);
        let big_split = u64::from(split) << self.spare_bits;
        let is_set = self.value >= big_split;
        if is_set {
            self.range -= split;
            self.value -= big_split;
        } else {
            self.range = split;
        }
        // The range goes back to 128 or more; it has eight bits and is never zero.
        let shift = self.range.leading_zeros().saturating_sub(24);
        self.range <<= shift;
        self.spare_bits -= shift.cast_signed();
        is_set
    }

    #[inline]
    fn fill(&mut self) {
        if let Some((four, rest)) = self.rest.split_first_chunk() {
            self.rest = rest;
            self.value = self.value << 32 | u64::from(u32::from_be_bytes(*four));
            self.spare_bits += 32;
        } else {
            self.fill_at_the_end();
        }
    }

    #[cold]
    fn fill_at_the_end(&mut self) {
        let next = self.rest.split_off_first().copied().unwrap_or(0);
        self.value = self.value << 8 | u64::from(next);
        self.spare_bits += 8;
    }

    /// A bool at even odds.
    pub fn flag(&mut self) -> bool {
        self.bit(128)
    }

    /// A number, its highest bit first.
    pub fn bits(&mut self, count: u32) -> u32 {
        (0..count).fold(0, |number, _| (number << 1) | u32::from(self.flag()))
    }

    pub fn byte(&mut self) -> u8 {
        self.bits(8).to_le_bytes()[0]
    }

    /// Values that may each be left out.
    pub fn optional(&mut self, values: u32, bits: u32) {
        for _ in 0..values {
            if self.flag() {
                self.bits(bits);
            }
        }
    }

    /// How many of the last bytes the decoder of section 7.3, which is two bytes ahead, would not have
    /// read yet.
    #[cfg(any(feature = "codec", test))]
    pub fn unread(&self) -> usize {
        // It has eight bits and the spare ones; minus eight of these when nothing has been read.
        let held = usize::try_from(self.spare_bits + 8).unwrap_or(0).div_ceil(8);
        // Zeros from behind the end are never more than the two bytes that it is ahead.
        (self.rest.len() + held).saturating_sub(2)
    }
}

/// A frame whose partitions are all there.
#[cfg_attr(
    not(feature = "codec"),
    expect(dead_code, reason = "`slack` reads on, with pixels only")
)]
pub struct KeyFrame<'a> {
    pub width: u16,
    pub height: u16,
    /// The header's codes and the modes of all macroblocks.
    pub first: &'a [u8],
    /// The coefficients of every 1st, 2nd, 4th or 8th row of macroblocks.
    pub rest: Partitions<'a>,
    /// What the header says of segments.
    pub segments: Segments,
    /// Reads the first partition, from behind `log2_nbr_of_dct_partitions` on.
    pub bools: Bools<'a>,
}

/// Odds in the tree of the segment that each macroblock names, if it names one.
pub type Segments = Option<[u8; 3]>;

impl<'a> KeyFrame<'a> {
    /// From the data of a `VP8 ` chunk.
    ///
    /// # Errors
    /// A header that libwebp refuses.
    pub fn read(data: &'a [u8]) -> Result<Self, Corrupt> {
        let ([t0, t1, t2, s0, s1, s2, w0, w1, h0, h1], partitions) =
            data.split_first_chunk::<10>().ok_or(Corrupt::BadLength)?;
        let tag = u32::from_le_bytes([*t0, *t1, *t2, 0]);
        let (is_inter, version, is_shown) = (tag & 1 == 1, tag >> 1 & 7, tag >> 4 & 1 == 1);
        if is_inter || version > 3 || !is_shown || [*s0, *s1, *s2] != [0x9D, 0x01, 0x2A] {
            return Err(Corrupt::BadHeader);
        }
        let first_len = usize::try_from(tag >> 5).map_err(|_| Corrupt::BadLength)?;
        let (first, rest) = partitions.split_at_checked(first_len).ok_or(Corrupt::BadLength)?;
        let mut bools = Bools::new(first);
        let (segments, partitions_log2) = begin(&mut bools);
        let rest = Partitions::read(1 << partitions_log2, rest)?;
        // The upper two bits are a scale for players; WebP has none.
        let (width, height) =
            (u16::from_le_bytes([*w0, *w1]) & 0x3FFF, u16::from_le_bytes([*h0, *h1]) & 0x3FFF);
        if width == 0 || height == 0 {
            return Err(Corrupt::NoPixels);
        }
        Ok(Self { width, height, first, rest, segments, bools })
    }
}

/// The partitions behind the first one.
#[cfg_attr(not(any(feature = "codec", test)), expect(dead_code, reason = "as `KeyFrame`"))]
pub struct Partitions<'a> {
    all: [&'a [u8]; 8],
    count: usize,
}

impl<'a> Partitions<'a> {
    /// One to eight of them.
    fn read(count: usize, bytes: &'a [u8]) -> Result<Self, Corrupt> {
        // Section 9.5: three bytes for the size of each but the last, which has what remains.
        let (sizes, mut data) =
            bytes.split_at_checked(3 * (count - 1)).ok_or(Corrupt::BadLength)?;
        let (sizes, _) = sizes.as_chunks::<3>();
        let mut all = [&[][..]; 8];
        let mut places = all.iter_mut();
        for (place, [s0, s1, s2]) in places.by_ref().zip(sizes) {
            let size = u32::from_le_bytes([*s0, *s1, *s2, 0]);
            let size = usize::try_from(size).map_err(|_| Corrupt::BadLength)?;
            (*place, data) = data.split_at_checked(size).ok_or(Corrupt::BadLength)?;
        }
        if let Some(last) = all.get_mut(count - 1) {
            *last = data;
        }
        Ok(Self { all, count })
    }

    #[cfg(any(feature = "codec", test))]
    pub fn all(&self) -> &[&'a [u8]] {
        self.all.get(..self.count).unwrap_or_default()
    }
}

/// The header as far as `log2_nbr_of_dct_partitions` (sections 9.2 to 9.5 and 19.2), which is answered.
fn begin(bools: &mut Bools<'_>) -> (Segments, u32) {
    // Color space, clamping.
    bools.bits(2);
    let segments = if bools.flag() { segmentation(bools) } else { None };
    // Filter type, level, sharpness.
    bools.bits(1 + 6 + 3);
    // Deltas of the loop filter, when they are on and updated: four by reference, four by mode.
    if bools.flag() && bools.flag() {
        bools.optional(8, 6 + 1);
    }
    (segments, bools.bits(2))
}

/// Section 9.3.
fn segmentation(bools: &mut Bools<'_>) -> Segments {
    let (updates_map, updates_data) = (bools.flag(), bools.flag());
    if updates_data {
        // Mode; quantizers and filter levels of four segments, each with a sign.
        bools.bits(1);
        bools.optional(4, 7 + 1);
        bools.optional(4, 6 + 1);
    }
    updates_map.then(|| [(); 3].map(|()| if bools.flag() { bools.byte() } else { 255 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_even_odds_the_first_bits_come_out_as_they_are() {
        let mut bools = Bools::new(&[0b0110_0000, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bools.unread(), 9 - 2);
        assert_eq!(bools.bits(4), 0b0110);
    }

    /// The decoder of section 7.3 as it stands there: two bytes ahead, bit by bit, zeros behind the end.
    struct Reference<'a> {
        rest: &'a [u8],
        value: u32,
        range: u32,
        bit_count: u32,
    }

    impl<'a> Reference<'a> {
        fn new(bytes: &'a [u8]) -> Self {
            let mut it = Self { rest: bytes, value: 0, range: 255, bit_count: 0 };
            it.value = it.next() << 8;
            it.value |= it.next();
            it
        }

        fn next(&mut self) -> u32 {
            self.rest.split_off_first().copied().map_or(0, u32::from)
        }

        fn bit(&mut self, odds: u8) -> bool {
            let split = 1 + (((self.range - 1) * u32::from(odds)) >> 8);
            let is_set = self.value >= split << 8;
            if is_set {
                self.range -= split;
                self.value -= split << 8;
            } else {
                self.range = split;
            }
            while self.range < 128 {
                self.value <<= 1;
                self.range <<= 1;
                self.bit_count += 1;
                if self.bit_count == 8 {
                    self.bit_count = 0;
                    self.value |= self.next();
                }
            }
            is_set
        }
    }

    #[test]
    fn it_reads_what_the_specifications_decoder_reads() {
        let bytes = [0x9A, 0x35, 0xE1, 0x07, 0xC8, 0x5B, 0xF0, 0x2D, 0xB6, 0x73, 0x4E];
        for len in 0..=bytes.len() {
            let bytes = &bytes[..len];
            let (mut bools, mut reference) = (Bools::new(bytes), Reference::new(bytes));
            for step in 0..200 {
                let odds = [128, 1, 200, 255, 77, 128, 30][step % 7];
                assert_eq!(bools.bit(odds), reference.bit(odds), "bool {step} of {len} bytes");
                assert_eq!(bools.unread(), reference.rest.len(), "behind bool {step} of {len}");
            }
        }
    }

    #[test]
    fn a_number_is_its_bools_the_highest_first() {
        let bytes = [0x9A, 0x35, 0xE1, 0x07, 0xC8];
        let (mut bools, mut reference) = (Bools::new(&bytes), Reference::new(&bytes));
        let numbers = [bools.bits(7), bools.byte().into(), bools.bits(3)];
        let expected = [7, 8, 3].map(|count| {
            (0..count).fold(0, |number, _| number * 2 + u32::from(reference.bit(128)))
        });
        assert_eq!(numbers, expected);
    }

    #[test]
    fn a_header_of_zeros_has_one_partition() {
        assert_eq!(begin(&mut Bools::new(&[0; 8])), (None, 0));
        assert_eq!(Partitions::read(1, &[7]).unwrap().all(), [[7]]);
        assert_eq!(Partitions::read(1, &[]).unwrap().all(), [[0_u8; 0]; 1]);
    }

    #[test]
    fn the_sizes_of_many_partitions_must_fit() {
        // At even odds the bits of the first byte or so come out as they are: no segments, no
        // filter, no deltas, then ones.
        assert_eq!(begin(&mut Bools::new(&[0, 0x03, 0xFF, 0xFF])), (None, 3));
        let lengths = |bytes: &[u8]| {
            Partitions::read(8, bytes)
                .map(|partitions| [0, 1, 7].map(|at| partitions.all()[at].len()))
        };
        let mut bytes = [0; 3 * 7 + 10];
        assert_eq!(lengths(&bytes), Ok([0, 0, 10]));
        assert_eq!(lengths(&bytes[..20]), Err(Corrupt::BadLength));
        bytes[0] = 9;
        assert_eq!(lengths(&bytes), Ok([9, 0, 1]));
        bytes[3] = 1;
        assert_eq!(lengths(&bytes), Ok([9, 1, 0]));
        bytes[0] = 10;
        assert_eq!(lengths(&bytes), Err(Corrupt::BadLength));
    }
}
