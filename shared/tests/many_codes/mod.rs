//! Lossless WebP with as many groups of Huffman codes as are asked for, each with the largest tables (RFC 9649).

/// Bits of one code: 16 symbols, whose codes have 1, 2, … 14, 15 and 15 bits.
const LONG_CODE_BITS: usize = 133;

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn put(&mut self, value: u32, count: usize) {
        for at in 0..count {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= u8::from(value >> at & 1 == 1) << (self.count % 8);
            }
            self.count += 1;
        }
    }

    /// Codes are stored from their first bit.
    fn code(&mut self, code: u32, length: u32) {
        self.put(code.reverse_bits() >> (32 - length), length as usize);
    }

    /// A code for symbol 0 alone.
    fn single(&mut self) {
        self.put(0b0001, 4);
    }

    /// Codes of eight bits for the symbols 0 to 255.
    fn bytes(&mut self) {
        self.put(0, 1);
        // Twelve lengths of codes of lengths; the last, of length 8, is the only one.
        self.put(8, 4);
        (0..11).for_each(|_| self.put(0, 3));
        self.put(1, 3);
        // 256 lengths follow, in no bits at all.
        self.put(1, 1);
        self.put(3, 3);
        self.put(254, 8);
    }

    fn long_code(&mut self) {
        self.put(0, 1);
        self.put(15, 4);
        for length in [0, 0, 0, 3, 4, 4, 4, 4, 0, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4] {
            self.put(length, 3);
        }
        // Sixteen lengths follow: 1 to 15, and 15.
        self.put(1, 1);
        self.put(1, 3);
        self.put(14, 4);
        self.code(0, 3);
        for length in (2..=15).chain([15]) {
            self.code(length, 4);
        }
    }
}

/// A picture of blocks of four by four pixels, which use one group after the other.
pub fn webp(width: u32, height: u32, groups: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(0x2F, 8);
    bits.put(width - 1, 14);
    bits.put(height - 1, 14);
    bits.put(0, 4);
    // No transform, no cache, and an image that chooses groups for blocks of four by four pixels, without a cache.
    bits.put(0b100, 3);
    bits.put(0, 3 + 1);
    bits.bytes();
    bits.bytes();
    (0..3).for_each(|_| bits.single());
    for block in 0..width.div_ceil(4) * height.div_ceil(4) {
        let group = block % groups;
        bits.code(group & 255, 8);
        bits.code(group >> 8, 8);
    }
    let mut one = Bits::default();
    one.long_code();
    assert_eq!(one.count, LONG_CODE_BITS);
    for _ in 0..5 * groups {
        bits.long_code();
    }
    // A bit for each channel of each pixel.
    let pixel_bytes = width as usize * height as usize / 2;
    let mut stream = bits.bytes;
    stream.resize(stream.len() + pixel_bytes, 0);
    stream.resize(stream.len().next_multiple_of(2), 0);
    let size = |bytes: usize| u32::try_from(bytes).expect("a small file").to_le_bytes();
    let parts: [&[u8]; 6] =
        [b"RIFF", &size(stream.len() + 12), b"WEBP", b"VP8L", &size(stream.len()), &stream];
    parts.concat()
}
