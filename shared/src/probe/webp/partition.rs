//! How a VP8 frame splits its coefficients into partitions (RFC 6386 section 9), read from the frame
//! header at the start of the first partition. Pixels are not decoded.
//!
//! A partition's size has 24 bits, and decoders make room for it before they read it: 198 bytes of
//! file can ask for 16 MB. So the sizes are checked here, where nothing is made room for.

use crate::error::Corrupt;

/// Checks that the partitions behind the first one fit in what is there.
///
/// # Errors
/// [`Corrupt::BadLength`] when one does not.
pub fn check(first: &[u8], rest: &[u8]) -> Result<(), Corrupt> {
    let count = 1_usize << partitions_log2(&mut Flags::new(first));
    // Section 9.5: three bytes for the size of each but the last, which has what remains.
    let (sizes, mut data) = rest.split_at_checked(3 * (count - 1)).ok_or(Corrupt::BadLength)?;
    let (sizes, _) = sizes.as_chunks::<3>();
    for [s0, s1, s2] in sizes {
        let size = u32::from_le_bytes([*s0, *s1, *s2, 0]);
        let size = usize::try_from(size).map_err(|_| Corrupt::BadLength)?;
        data = data.get(size..).ok_or(Corrupt::BadLength)?;
    }
    Ok(())
}

/// The header as far as `log2_nbr_of_dct_partitions` (sections 9.2 to 9.5 and 19.2).
fn partitions_log2(flags: &mut Flags<'_>) -> u32 {
    // Color space, clamping.
    flags.bits(2);
    if flags.bit() {
        segmentation(flags);
    }
    // Filter type, level, sharpness.
    flags.bits(1 + 6 + 3);
    // Deltas of the loop filter, when they are on and updated: four by reference, four by mode.
    if flags.bit() && flags.bit() {
        flags.optional(8, 6 + 1);
    }
    flags.bits(2)
}

/// Section 9.3.
fn segmentation(flags: &mut Flags<'_>) {
    let (updates_map, updates_data) = (flags.bit(), flags.bit());
    if updates_data {
        // Mode; quantizers and filter levels of four segments, each with a sign.
        flags.bits(1);
        flags.optional(4, 7 + 1);
        flags.optional(4, 6 + 1);
    }
    if updates_map {
        flags.optional(3, 8);
    }
}

/// The boolean decoder (section 7.3) at even odds, which is all that a frame header uses. Behind the
/// end it reads zeros, as libwebp does.
struct Flags<'a> {
    bytes: core::slice::Iter<'a, u8>,
    value: u32,
    range: u32,
    shifted: u32,
}

impl<'a> Flags<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut flags = Self { bytes: bytes.iter(), value: 0, range: 255, shifted: 0 };
        flags.value = (flags.next_byte() << 8) | flags.next_byte();
        flags
    }

    fn next_byte(&mut self) -> u32 {
        self.bytes.next().copied().map_or(0, u32::from)
    }

    fn bit(&mut self) -> bool {
        let split = 1 + (((self.range - 1) * 128) >> 8);
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
            self.shifted += 1;
            if self.shifted == 8 {
                self.shifted = 0;
                self.value |= self.next_byte();
            }
        }
        is_set
    }

    /// A number, its highest bit first.
    fn bits(&mut self, count: u32) -> u32 {
        (0..count).fold(0, |number, _| (number << 1) | u32::from(self.bit()))
    }

    /// Values that may each be left out.
    fn optional(&mut self, values: u32, bits: u32) {
        for _ in 0..values {
            if self.bit() {
                self.bits(bits);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_zeros_has_one_partition() {
        assert_eq!(partitions_log2(&mut Flags::new(&[0; 8])), 0);
        assert_eq!(check(&[0; 8], &[]), Ok(()));
    }

    #[test]
    fn the_sizes_of_many_partitions_must_fit() {
        // At even odds the bits of the first byte or so come out as they are: no segments, no
        // filter, no deltas, then ones.
        let first = [0, 0x03, 0xFF, 0xFF];
        assert_eq!(partitions_log2(&mut Flags::new(&first)), 3);
        let mut rest = [0; 3 * 7 + 10];
        assert_eq!(check(&first, &rest), Ok(()));
        assert_eq!(check(&first, &rest[..20]), Err(Corrupt::BadLength));
        rest[0] = 10;
        assert_eq!(check(&first, &rest), Ok(()));
        rest[3] = 1;
        assert_eq!(check(&first, &rest), Err(Corrupt::BadLength));
    }
}
