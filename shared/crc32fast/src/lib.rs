//! CRC-32 (ISO 3309, as PNG and zlib have it) under the names of the crate `crc32fast`, whose place this takes.
//!
//! That crate looks sixteen bytes up at once, in 16 KiB of tables that no compression makes smaller: a
//! fifteenth of all that a browser is sent. Four bytes at once need 4 KiB; the chunks of the largest
//! PNG that is taken (5 MiB) then take some milliseconds longer.

#![no_std]
#![forbid(unsafe_code)]

/// The reversed polynomial of ISO 3309.
const POLYNOMIAL: u32 = 0xedb8_8320;
const LANES: usize = 4;

/// `TABLES[n][byte]`: what a byte does that has `n` more behind it.
static TABLES: [[u32; 256]; LANES] = tables();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler"
)]
const fn tables() -> [[u32; 256]; LANES] {
    let mut tables = [[0; 256]; LANES];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (POLYNOMIAL * (crc & 1));
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut lane = 1;
    while lane < LANES {
        byte = 0;
        while byte < 256 {
            let before = tables[lane - 1][byte];
            tables[lane][byte] = (before >> 8) ^ tables[0][(before & 255) as usize];
            byte += 1;
        }
        lane += 1;
    }
    tables
}

/// A checksum in the making.
#[derive(Clone, Debug, Default)]
pub struct Hasher {
    crc: u32,
    bytes: u64,
}

impl Hasher {
    /// Of nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { crc: 0, bytes: 0 }
    }

    /// Goes on from a checksum of bytes that are gone.
    #[must_use]
    pub const fn new_with_initial(crc: u32) -> Self {
        Self { crc, bytes: 0 }
    }

    /// Takes these bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<LANES>();
        let mut crc = !self.crc;
        for word in words {
            let [first, second, third, fourth] = (crc ^ u32::from_le_bytes(*word)).to_le_bytes();
            crc = look(3, first) ^ look(2, second) ^ look(1, third) ^ look(0, fourth);
        }
        for byte in rest {
            let [low, ..] = crc.to_le_bytes();
            crc = (crc >> 8) ^ look(0, low ^ byte);
        }
        self.crc = !crc;
        self.bytes = self.bytes.wrapping_add(bytes.len() as u64);
    }

    /// The checksum.
    #[must_use]
    pub const fn finalize(self) -> u32 {
        self.crc
    }

    /// Resets the state.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }

    /// As if the other's bytes had been taken in after these.
    pub fn combine(&mut self, other: &Self) {
        // A zero bit after another is a multiplication by x; so many of them are a power of x.
        let mut power = 1 << 31;
        let mut square = 1 << 30;
        let mut zeros = other.bytes.wrapping_mul(8);
        while zeros > 0 {
            if zeros & 1 == 1 {
                power = multiply(power, square);
            }
            square = multiply(square, square);
            zeros >>= 1;
        }
        self.crc = multiply(power, self.crc) ^ other.crc;
        self.bytes = self.bytes.wrapping_add(other.bytes);
    }
}

/// The checksum of these bytes.
#[must_use]
pub fn hash(bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finalize()
}

#[expect(clippy::indexing_slicing, reason = "lanes are written above, and a byte has 256 values")]
fn look(lane: usize, byte: u8) -> u32 {
    TABLES[lane][usize::from(byte)]
}

/// The product of two polynomials, bits reversed, modulo the polynomial.
const fn multiply(one: u32, mut other: u32) -> u32 {
    let mut product = 0;
    let mut bit = 1 << 31;
    while bit > 0 {
        if one & bit != 0 {
            product ^= other;
        }
        other = (other >> 1) ^ (POLYNOMIAL * (other & 1));
        bit >>= 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value that the catalogue of CRC algorithms gives for CRC-32/ISO-HDLC, and that of a PNG's IEND.
    #[test]
    fn known_checksums_are_reproduced() {
        assert_eq!(hash(b""), 0);
        assert_eq!(hash(b"123456789"), 0xcbf4_3926);
        assert_eq!(hash(b"IEND"), 0xae42_6082);
    }

    #[test]
    fn the_checksum_does_not_depend_on_the_chunks() {
        let mut last = 11_u8;
        let bytes: [u8; 61] = core::array::from_fn(|_| {
            last = last.wrapping_mul(37).wrapping_add(11);
            last
        });
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let mut one_by_one = Hasher::new();
            one_by_one.update(head);
            one_by_one.update(tail);
            assert_eq!(one_by_one.finalize(), hash(&bytes));

            let mut joined = Hasher::new();
            joined.update(head);
            let mut other = Hasher::new();
            other.update(tail);
            joined.combine(&other);
            assert_eq!(joined.finalize(), hash(&bytes), "joined at {cut}");

            let mut resumed = Hasher::new_with_initial(hash(head));
            resumed.update(tail);
            assert_eq!(resumed.finalize(), hash(&bytes));
        }
    }
}
