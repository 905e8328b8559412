//! From coefficients to samples: the inverse DCT at full size, 1/2, 1/4 and 1/8.
//!
//! The arithmetic is that of libjpeg's "islow" (jidctint.c, after Loeffler, Ligtenberg and
//! Moschytz 1989), in integers, so that every machine gets the same samples. Eight columns are
//! worked on at a time.

use core::ops::{Add, Mul, Shl, Shr, Sub};

use wide::{i32x4, i32x8};

/// Fractional bits of the constants.
const CONST_BITS: u32 = 13;
/// Fractional bits kept between the passes.
const PASS_BITS: u32 = 2;

/// Round 1.0 times `numerator / 1e9` to the fixed point of the constants.
const fn fix(billionths: u64) -> i32 {
    let scaled = ((billionths << CONST_BITS) + 500_000_000) / 1_000_000_000;
    // At most 3.1 times 8192.
    #[expect(clippy::cast_possible_truncation, reason = "below 2^15")]
    let fixed = scaled as i32;
    fixed
}

/// One number for each column of a block; sums and products wrap, as hostile files ask for it.
trait Lanes:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
    + From<i32>
{
}

impl Lanes for i32x4 {}
impl Lanes for i32x8 {}

/// Divides by a power of two, rounding to nearest.
#[inline]
fn descale<V: Lanes>(a: V, bits: u32) -> V {
    (a + V::from(1 << (bits - 1))) >> bits
}

/// One pass of the eight-point transform over all columns.
#[inline]
fn pass8<V: Lanes>([r0, r1, r2, r3, r4, r5, r6, r7]: [V; 8], shift: u32) -> [V; 8] {
    let by = |billionths| V::from(fix(billionths));
    let z1 = (r2 + r6) * by(541_196_100);
    let t2 = z1 - r6 * by(1_847_759_065);
    let t3 = z1 + r2 * by(765_366_865);
    let t0 = (r0 + r4) << CONST_BITS;
    let t1 = (r0 - r4) << CONST_BITS;
    let (e0, e3, e1, e2) = (t0 + t3, t0 - t3, t1 + t2, t1 - t2);

    let z5 = (r7 + r3 + r5 + r1) * by(1_175_875_602);
    let z1 = (r7 + r1) * by(899_976_223);
    let z2 = (r5 + r3) * by(2_562_915_447);
    let z3 = z5 - (r7 + r3) * by(1_961_570_560);
    let z4 = z5 - (r5 + r1) * by(390_180_644);
    let o0 = r7 * by(298_631_336) - z1 + z3;
    let o1 = r5 * by(2_053_119_869) - z2 + z4;
    let o2 = r3 * by(3_072_711_026) - z2 + z3;
    let o3 = r1 * by(1_501_321_110) - z1 + z4;

    [e0 + o3, e1 + o2, e2 + o1, e3 + o0, e3 - o0, e2 - o1, e1 - o2, e0 - o3]
        .map(|row| descale(row, shift))
}

/// One pass of the four-point transform over all columns.
#[inline]
fn pass4<V: Lanes>([r0, r1, r2, r3]: [V; 4], shift: u32) -> [V; 4] {
    let by = |billionths| V::from(fix(billionths));
    let e0 = (r0 + r2) << CONST_BITS;
    let e1 = (r0 - r2) << CONST_BITS;
    let z1 = (r1 + r3) * by(541_196_100);
    let o0 = z1 + r1 * by(765_366_865);
    let o1 = z1 - r3 * by(1_847_759_065);
    [e0 + o0, e1 + o1, e1 - o1, e0 - o0].map(|row| descale(row, shift))
}

/// Moves from around zero to around the middle of a byte.
#[inline]
#[expect(clippy::cast_sign_loss, reason = "clamped to a byte")]
fn sample(value: i32) -> u8 {
    value.wrapping_add(128).clamp(0, 255) as u8
}

/// Where samples go: rows of a plane, beginning at one block's corner.
pub(super) struct Corner<'a> {
    pub samples: &'a mut [u8],
    pub stride: usize,
}

impl Corner<'_> {
    #[inline]
    fn put<const N: usize>(&mut self, rows: [[i32; N]; N]) {
        for (line, row) in self.samples.chunks_mut(self.stride.max(1)).zip(rows) {
            if let Some(line) = line.first_chunk_mut::<N>() {
                *line = row.map(sample);
            }
        }
    }

    fn fill(&mut self, side: usize, value: u8) {
        for line in self.samples.chunks_mut(self.stride.max(1)).take(side) {
            if let Some(line) = line.get_mut(..side) {
                line.fill(value);
            }
        }
    }
}

/// Writes `side` by `side` samples from as many dequantised coefficients, row by row; `flat` says
/// that only the first is not zero.
#[inline]
pub(super) fn inverse(side: usize, coefficients: &[i32; 64], flat: bool, mut corner: Corner<'_>) {
    let [dc, c1, c2, c3, ..] = *coefficients;
    if flat || side == 1 {
        corner.fill(side, sample(dc.wrapping_add(4) >> 3));
        return;
    }
    let second = CONST_BITS + PASS_BITS + 3;
    match side {
        2 => {
            // [dc, c1, c2, c3] is the block of two by two.
            let (top, bottom) = ((dc, c1), (c2, c3));
            let (left0, left1) = (top.0.wrapping_add(bottom.0), top.0.wrapping_sub(bottom.0));
            let (right0, right1) = (top.1.wrapping_add(bottom.1), top.1.wrapping_sub(bottom.1));
            let round = |sum: i32| sum.wrapping_add(4) >> 3;
            corner.put([
                [round(left0.wrapping_add(right0)), round(left0.wrapping_sub(right0))],
                [round(left1.wrapping_add(right1)), round(left1.wrapping_sub(right1))],
            ]);
        }
        4 => {
            let rows = pass4(load(coefficients).map(i32x4::new), CONST_BITS - PASS_BITS);
            let columns = pass4(i32x4::transpose(rows), second);
            corner.put(i32x4::transpose(columns).map(i32x4::to_array));
        }
        _ => {
            let rows = pass8(load(coefficients).map(i32x8::new), CONST_BITS - PASS_BITS);
            let columns = pass8(i32x8::transpose(rows), second);
            corner.put(i32x8::transpose(columns).map(i32x8::to_array));
        }
    }
}

#[inline]
fn load<const N: usize>(coefficients: &[i32; 64]) -> [[i32; N]; N] {
    let mut rows = [[0; N]; N];
    for (row, source) in rows.iter_mut().zip(coefficients.as_chunks::<N>().0) {
        *row = *source;
    }
    rows
}
