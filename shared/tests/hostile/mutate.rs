//! Mutates a file in ways that have crashed decoders: flipped bits, extreme numbers, and pieces that are removed, repeated and
//! swapped. The checksums of a PNG are corrected, so that the mutation reaches the decoder.

use super::repair::repair;

/// A seeded random generator (xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// From 0 to `sides - 1`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let rolled = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(rolled).unwrap_or(0) % sides.max(1)
    }
}

/// Numbers at which lengths and sizes overflow.
const EXTREMES: [u32; 8] = [0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF];

/// Applies one to four mutations.
pub fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(bytes.len());
        let end = (at + 1 + dice.roll(40)).min(bytes.len());
        match dice.roll(8) {
            0..=2 => flip(bytes, at, dice),
            3 => write(bytes, at, &[u8::try_from(dice.roll(256)).unwrap_or(0)]),
            4 => write(bytes, at, &EXTREMES[dice.roll(EXTREMES.len())].to_be_bytes()),
            5 => write(bytes, at, &EXTREMES[dice.roll(EXTREMES.len())].to_le_bytes()),
            6 => drop(bytes.drain(at..end)),
            _ => {
                let piece = bytes[at..end].to_vec();
                let to = dice.roll(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
    if dice.roll(4) > 0 {
        repair(bytes);
    }
}

fn flip(bytes: &mut [u8], at: usize, dice: &mut Dice) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << dice.roll(8);
    }
}

fn write(bytes: &mut [u8], at: usize, value: &[u8]) {
    for (byte, value) in bytes.iter_mut().skip(at).zip(value) {
        *byte = *value;
    }
}
