//! Lossless WebP with many Huffman codes (RFC 9649), and with as much as possible to read before the pixels.
#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses some of it")]

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

/// Codes for the symbols 0 and 1.
fn short_code(bits: &mut Bits) {
    bits.put(0b011, 3);
    bits.put(0, 1);
    bits.put(1, 8);
}

fn begin(width: u32, height: u32) -> Bits {
    let mut bits = Bits::default();
    bits.put(0x2F, 8);
    bits.put(width - 1, 14);
    bits.put(height - 1, 14);
    bits.put(0, 4);
    bits
}

/// The stream of a frame with two transforms for blocks of four by four pixels. Each block takes a bit for each of four channels.
pub fn blocks(width: u32, height: u32) -> Vec<u8> {
    let mut bits = begin(width, height);
    for transform in [0, 1] {
        bits.put(1, 1);
        bits.put(transform, 2);
        bits.put(0, 3 + 1);
        (0..4).for_each(|_| short_code(&mut bits));
        bits.single();
        let blocks = width.div_ceil(4) * height.div_ceil(4);
        (0..blocks).for_each(|_| bits.put(0, 4));
    }
    // No more transforms, no cache, one group.
    bits.put(0, 3);
    (0..5).for_each(|_| bits.single());
    bits.bytes
}

/// The stream of a frame with so many groups, whose codes are read without a bit for each symbol.
pub fn groups(width: u32, height: u32, groups: u32) -> Vec<u8> {
    let mut bits = begin(width, height);
    bits.put(0b100, 3);
    bits.put(0, 3 + 1);
    // All blocks choose the last group.
    for number in [(groups - 1) & 255, (groups - 1) >> 8] {
        bits.put(0b101, 3);
        bits.put(number, 8);
    }
    (0..3).for_each(|_| bits.single());
    for _ in 0..groups {
        (0..4).for_each(|_| bits.bytes());
        bits.single();
    }
    // The pixels.
    let size = bits.bytes.len() + width as usize * height as usize * 4;
    bits.bytes.resize(size, 0);
    bits.bytes
}

/// An animation that shows this stream again and again.
pub fn animation(width: u32, height: u32, stream: &[u8], frames: usize) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], parts: &[&[u8]]| {
        let mut data = parts.concat();
        let size = u32::try_from(data.len()).expect("a small file").to_le_bytes();
        data.resize(data.len().next_multiple_of(2), 0);
        [kind, &size[..], &data].concat()
    };
    let side = |side: u32| (side - 1).to_le_bytes();
    let (across, down) = (side(width), side(height));
    let canvas = [&across[..3], &down[..3]].concat();
    let picture = chunk(b"VP8L", &[stream]);
    let frame = chunk(b"ANMF", &[&[0; 6], &canvas, &[0; 4], &picture]);
    let header = chunk(b"VP8X", &[&[2, 0, 0, 0], &canvas]);
    let mut body = [&b"WEBP"[..], &header, &chunk(b"ANIM", &[&[0; 6]])].concat();
    (0..frames).for_each(|_| body.extend(&frame));
    chunk(b"RIFF", &[&body])
}
