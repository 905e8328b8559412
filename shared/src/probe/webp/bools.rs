//! VP8's boolean decoder (RFC 6386 section 7.3). What its bools mean is not known here.
//!
//! It fills up as `image-webp` does, four bytes at a time and single ones at the end, so that both read
//! the same also from bytes that no encoder writes.

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
    /// At the first of `bytes`.
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

    /// A number of eight bits.
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
}
