//! Reads past the AC coefficients of a block, several codes at a time: what is kept or scrubbed is
//! decoded to the last bit only to prove that it decodes, and of its coefficients only the first
//! of a block is shown.

use alloc::{boxed::Box, vec};

use super::{bits::Bits, huffman::Lookup};
use crate::error::Corrupt;

/// Twelve bits hold two or three codes of a photo with their values, and 4096 entries of two bytes
/// for luma and as many for chroma still fit in the first-level cache.
const STRIDE_BITS: u32 = 12;
const STRIDES: usize = 1 << STRIDE_BITS;

/// Set when the codes end the block.
const END: u16 = 1 << 15;

/// What to skip by the next bits: how many bits in the lowest four, how many coefficients in the six
/// above; zero when not even one code with its value is whole.
pub(super) struct Strides(Box<[u16]>);

impl Strides {
    /// From a table of AC codes.
    pub fn new(table: &Lookup) -> Self {
        let mut strides = vec![0; STRIDES].into_boxed_slice();
        for (next, entry) in (0u32..).zip(strides.iter_mut()) {
            *entry = stride(table, next);
        }
        Self(strides)
    }

    /// Reads past the AC coefficients of a block from the `k`th.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what verifying spends its time on")]
    pub fn skip_from(
        &self,
        mut k: usize,
        table: &Lookup,
        bits: &mut Bits<'_>,
    ) -> Result<(), Corrupt> {
        while k < 64 {
            bits.refill();
            let next = usize::from(bits.peek16() >> (16 - STRIDE_BITS));
            let entry = self.0.get(next).copied().unwrap_or_default();
            let passed = k + usize::from(entry >> 4 & 63);
            // Codes beyond the last coefficient would be the next block's.
            if entry != 0 && passed < 64 {
                bits.skip(u32::from(entry & 15));
                if entry & END != 0 {
                    return Ok(());
                }
                k = passed;
            } else {
                k += table.coefficient(bits)?.zeros + 1;
            }
        }
        Ok(())
    }
}

/// As many whole codes as these bits begin with, up to the end of the block.
fn stride(table: &Lookup, next: u32) -> u16 {
    let (mut bits, mut passed) = (0, 0);
    while let Some((length, zeros)) =
        table.whole(next << bits & ((1 << STRIDE_BITS) - 1), STRIDE_BITS)
    {
        if bits + length > STRIDE_BITS {
            break;
        }
        if zeros >= 64 {
            return END | pack(bits + length, passed);
        }
        if passed + zeros + 1 > 62 {
            break;
        }
        bits += length;
        passed += zeros + 1;
    }
    pack(bits, passed)
}

/// Both are bounded by what [`stride`] adds up.
fn pack(bits: u32, passed: usize) -> u16 {
    u16::try_from(passed << 4).unwrap_or_default() | u16::try_from(bits).unwrap_or_default()
}
