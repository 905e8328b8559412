//! VP8's boolean encoder (RFC 6386 section 7.3).

use alloc::vec::Vec;

/// Writes bools of given odds.
pub(super) struct BoolWriter {
    out: Vec<u8>,
    /// 128 to 255.
    range: u32,
    /// Eight bits that the range belongs to, above them those that wait for a carry.
    low: u64,
    waiting_bits: u32,
}

impl BoolWriter {
    pub const fn new() -> Self {
        Self { out: Vec::new(), range: 255, low: 0, waiting_bits: 0 }
    }

    /// A bool, of which `odds` in 256 are false.
    #[inline]
    pub fn bit(&mut self, is_set: bool, odds: u8) {
        let split = 1 + (((self.range - 1) * u32::from(odds)) >> 8);
        if is_set {
            self.low += u64::from(split);
            self.range -= split;
        } else {
            self.range = split;
        }
        // The range goes back to 128 or more; it has eight bits and is never zero.
        let shift = self.range.leading_zeros().saturating_sub(24);
        self.range <<= shift;
        self.shift(shift);
    }

    fn shift(&mut self, bits: u32) {
        self.low <<= bits;
        self.waiting_bits += bits;
        if self.waiting_bits < 8 {
            return;
        }
        self.waiting_bits -= 8;
        let [byte, carry, ..] = (self.low >> (self.waiting_bits + 8)).to_le_bytes();
        if carry != 0 {
            for byte in self.out.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
        }
        self.out.push(byte);
        self.low &= (1 << (self.waiting_bits + 8)) - 1;
    }

    /// A bool at even odds.
    pub fn flag(&mut self, is_set: bool) {
        self.bit(is_set, 128);
    }

    /// A number, its highest bit first.
    pub fn bits(&mut self, value: u32, count: u32) {
        for at in (0..count).rev() {
            self.flag(value >> at & 1 == 1);
        }
    }

    /// All bytes: four more than have been decided, because decoders read ahead.
    pub fn finish(mut self) -> Vec<u8> {
        for _ in 0..4 {
            self.shift(8);
        }
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::webp::vp8::Bools;

    #[test]
    fn bools_are_read_as_they_were_written() {
        // A linear congruential generator: its high bits are as good as random.
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 24
        };
        let bools: Vec<_> = (0..100_000)
            .map(|_| {
                let odds = u8::try_from(next().max(1)).expect("a byte");
                (next() >= u32::from(odds), odds)
            })
            .chain((0..1000).flat_map(|_| [(false, 1), (true, 255)]))
            .collect();
        let mut writer = BoolWriter::new();
        for (is_set, odds) in &bools {
            writer.bit(*is_set, *odds);
        }
        writer.bits(0x5A5, 11);
        let bytes = writer.finish();
        let mut reader = Bools::new(&bytes);
        for (at, (is_set, odds)) in bools.iter().enumerate() {
            assert_eq!(reader.bit(*odds), *is_set, "bool {at}");
        }
        assert_eq!(reader.bits(11), 0x5A5);
    }
}
