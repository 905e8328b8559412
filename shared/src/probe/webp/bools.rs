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
    /// Zeros that were read behind the end.
    made_up: usize,
}

impl<'a> Bools<'a> {
    /// At the first of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, value: 0, spare_bits: -8, range: 255, made_up: 0 }
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
        let next = self.rest.split_off_first();
        self.made_up += usize::from(next.is_none());
        self.value = self.value << 8 | next.copied().map_or(0, u64::from);
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
        (self.rest.len() + held).saturating_sub(2 + self.made_up)
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

    #[test]
    fn it_is_two_bytes_ahead_and_not_behind_the_end() {
        let mut bools = Bools::new(&[0; 11]);
        for read in 1..=8 * 20 {
            assert!(!bools.flag());
            // With odds of a half a bool takes a bit, but the first few that bring 255 down to 128.
            let expected = 11_usize.saturating_sub(2 + (read - 1) / 8);
            assert!(bools.unread().abs_diff(expected) <= 1, "{read}: {}", bools.unread());
        }
        assert_eq!(bools.unread(), 0);
    }
}
