//! Breaks a file in the ways that decoders have fallen over: flipped bits, extreme numbers, pieces
//! cut out, doubled and swapped. In a PNG the checksums are made good again, or nothing would get
//! past them.

/// Repeatable chance (xorshift64*).
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

/// Numbers at which lengths and sizes turn over.
const EXTREMES: [u32; 8] = [0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF];

/// One to four breaks.
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
        repair_png(bytes);
        repair_riff(bytes);
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

/// Writes the right checksum behind every chunk.
pub fn repair_png(bytes: &mut [u8]) {
    if !bytes.starts_with(b"\x89PNG") {
        return;
    }
    let mut at = 8;
    while let Some(length) = bytes.get(at..at + 4).and_then(|it| it.try_into().ok()) {
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let Some(end) = at.checked_add(8).and_then(|start| start.checked_add(length)) else {
            return;
        };
        let Some(covered) = bytes.get(at + 4..end) else { return };
        let checksum = crc32fast::hash(covered).to_be_bytes();
        write(bytes, end, &checksum);
        at = end + 4;
    }
}

/// Makes the RIFF as long as the file.
fn repair_riff(bytes: &mut [u8]) {
    if bytes.starts_with(b"RIFF") {
        let size = u32::try_from(bytes.len().saturating_sub(8)).unwrap_or(0);
        write(bytes, 4, &size.to_le_bytes());
    }
}
