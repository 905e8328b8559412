//! From coefficients to samples: the inverse DCT at full size, 1/2, 1/4 and 1/8.
//!
//! The arithmetic is that of libjpeg's "islow" (jidctint.c, after Loeffler, Ligtenberg and
//! Moschytz 1989) in integers, so that every machine gets the same samples. Its products are
//! multiplied out, because a vector unit multiplies and adds pairs of 16 bits at once. What does
//! not fit in 16 bits (no encoder writes it) wraps when it is dequantised and saturates between
//! the passes, as in libjpeg-turbo's vector code.

#![expect(
    clippy::many_single_char_names,
    reason = "rows and samples of a block have letters for names"
)]

use wide::{bytemuck::cast, i16x8, i32x4, u8x16};

/// Fractional bits of the constants.
const CONST_BITS: u32 = 13;
/// Fractional bits kept between the passes.
const PASS_BITS: u32 = 2;
const FIRST_SHIFT: u32 = CONST_BITS - PASS_BITS;
const SECOND_SHIFT: u32 = CONST_BITS + PASS_BITS + 3;

// Constants of jidctint.c with 13 fractional bits.
const C0_298: i16 = 2_446;
const C0_390: i16 = 3_196;
const C0_541: i16 = 4_433;
const C0_765: i16 = 6_270;
const C0_899: i16 = 7_373;
const C1_175: i16 = 9_633;
const C1_501: i16 = 12_299;
const C1_847: i16 = 15_137;
const C1_961: i16 = 16_069;
const C2_053: i16 = 16_819;
const C2_562: i16 = 20_995;
const C3_072: i16 = 25_172;

/// From zigzag order to rows (T.81 figure A.6).
#[rustfmt::skip]
const NATURAL: [u8; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// The place of a coefficient that the scale has no use for.
pub(super) const UNUSED: u8 = 64;

/// Where each coefficient, in zigzag order, goes in a block of `side` by `side`: rows are interleaved
/// with those half a block below, as the transform multiplies them in pairs.
pub(super) fn places(side: usize) -> [u8; 64] {
    let half = (side / 2).max(1);
    NATURAL.map(|natural| {
        let (row, column) = (usize::from(natural / 8), usize::from(natural % 8));
        let place = match side {
            4 | 8 => (row % half) * side * 2 + column * 2 + row / half,
            _ => row * side + column,
        };
        if row < side && column < side { u8::try_from(place).unwrap_or(UNUSED) } else { UNUSED }
    })
}

/// How many coefficients, in zigzag order, a block of `side` by `side` is made of.
pub(super) const fn coefficients(side: usize) -> usize {
    match side {
        1 => 1,
        2 => 5,
        4 => 25,
        _ => 64,
    }
}

/// Where samples go: rows of a plane, beginning at one block's corner.
pub(super) struct Corner<'a> {
    pub samples: &'a mut [u8],
    pub stride: usize,
}

impl Corner<'_> {
    #[inline]
    fn put<const N: usize>(self, rows: &[[u8; N]]) {
        let Self { mut samples, stride } = self;
        for row in rows {
            if let Some(line) = samples.first_chunk_mut() {
                *line = *row;
            }
            samples = samples.get_mut(stride..).unwrap_or_default();
        }
    }
}

/// Moves from around zero to around the middle of a byte.
#[inline]
#[expect(clippy::cast_sign_loss, reason = "clamped to a byte")]
fn sample(value: i32) -> u8 {
    (value + 128).clamp(0, 255) as u8
}

/// Writes the samples of a block of which only the first coefficient is not zero.
#[inline]
pub(super) fn inverse_flat<const SIDE: usize>(value: i16, steps: &[i16; 64], corner: Corner<'_>) {
    let [step, ..] = *steps;
    let level = sample((i32::from(value.wrapping_mul(step)) + 4) >> 3);
    corner.put(&[[level; SIDE]; SIDE]);
}

/// Writes the samples of a block from its coefficients, which stand where [`places`] says, as do the
/// steps of their quantisation.
#[inline]
pub(super) fn inverse<const SIDE: usize>(values: &[i16], steps: &[i16; 64], corner: Corner<'_>) {
    if SIDE < 4 {
        let mut values = values.iter().zip(steps).map(|(value, step)| value.wrapping_mul(*step));
        return corner.put(&two([(); 4].map(|()| i32::from(values.next().unwrap_or_default()))));
    }
    let values = values.as_chunks::<8>().0.iter().zip(steps.as_chunks::<8>().0);
    let mut values = values.map(|(values, steps)| i16x8::new(*values) * i16x8::new(*steps));
    let mut next = || values.next().unwrap_or_default();
    if SIDE == 4 {
        corner.put(four(next(), next()).as_chunks::<4>().0);
    } else {
        corner.put(eight([(); 8].map(|()| next())).as_flattened().as_chunks::<8>().0);
    }
}

/// The samples of a block of two by two.
#[inline]
fn two([dc, c1, c2, c3]: [i32; 4]) -> [[u8; 2]; 2] {
    let (even, odd) = ([dc + c2, dc - c2], [c1 + c3, c1 - c3]);
    let round = |sum: i32| sample((sum + 4) >> 3);
    let ([even0, even1], [odd0, odd1]) = (even, odd);
    [[round(even0 + odd0), round(even0 - odd0)], [round(even1 + odd1), round(even1 - odd1)]]
}

/// Each even lane times `a` plus the odd lane after it times `b`.
#[inline]
fn dot(pairs: i16x8, a: i16, b: i16) -> i32x4 {
    pairs.dot(i16x8::new([a, b, a, b, a, b, a, b]))
}

#[inline]
fn narrow(low: i32x4, high: i32x4) -> i16x8 {
    i16x8::from_i32x8_saturate(cast([low, high]))
}

/// Sixteen samples around zero as bytes.
#[inline]
fn bytes(low: i16x8, high: i16x8) -> u8x16 {
    let middle = i16x8::splat(128);
    u8x16::narrow_i16x8(low.saturating_add(middle), high.saturating_add(middle))
}

/// One pass of the four-point transform over four columns: of rows 0 and 2, and of rows 1 and 3.
#[inline]
fn pass4(even: i16x8, odd: i16x8, shift: u32) -> [i16x8; 2] {
    const ONE: i16 = 1 << CONST_BITS;
    let half = i32x4::splat(1 << (shift - 1));
    let (e0, e1) = (dot(even, ONE, ONE) + half, dot(even, ONE, -ONE) + half);
    let (o0, o1) = (dot(odd, C0_541 + C0_765, C0_541), dot(odd, C0_541, C0_541 - C1_847));
    let [a, b, c, d] = [e0 + o0, e1 + o1, e1 - o1, e0 - o0].map(|row| row >> shift);
    [narrow(a, b), narrow(c, d)]
}

/// The samples of a block of four by four, row by row.
#[inline]
fn four(even: i16x8, odd: i16x8) -> [u8; 16] {
    let rows = pass4(even, odd, FIRST_SHIFT);
    let [[a0, a1, a2, a3, a4, a5, a6, a7], [b0, b1, b2, b3, b4, b5, b6, b7]] =
        rows.map(i16x8::to_array);
    let even = i16x8::new([a0, a2, a4, a6, b0, b2, b4, b6]);
    let odd = i16x8::new([a1, a3, a5, a7, b1, b3, b5, b7]);
    let [left, right] = pass4(even, odd, SECOND_SHIFT);
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes(left, right).to_array();
    [a, e, i, m, b, f, j, n, c, g, k, o, d, h, l, p]
}

/// One pass of the eight-point transform over four columns, of which these are the rows 0 and 4, 1 and
/// 5, 2 and 6, 3 and 7.
#[inline]
fn pass8([r04, r15, r26, r37]: [i16x8; 4], shift: u32) -> [i32x4; 8] {
    const ONE: i16 = 1 << CONST_BITS;
    let half = i32x4::splat(1 << (shift - 1));
    let (t0, t1) = (dot(r04, ONE, ONE) + half, dot(r04, ONE, -ONE) + half);
    let t3 = dot(r26, C0_541 + C0_765, C0_541);
    let t2 = dot(r26, C0_541, C0_541 - C1_847);
    let (e0, e3, e1, e2) = (t0 + t3, t0 - t3, t1 + t2, t1 - t2);
    let z3 = C1_175 - C1_961;
    let z4 = C1_175 - C0_390;
    let o0 = dot(r15, C1_175 - C0_899, C1_175) + dot(r37, z3, C0_298 - C0_899 + z3);
    let o1 = dot(r15, z4, C2_053 - C2_562 + z4) + dot(r37, C1_175 - C2_562, C1_175);
    let o2 = dot(r15, C1_175, C1_175 - C2_562) + dot(r37, C3_072 - C2_562 + z3, z3);
    let o3 = dot(r15, C1_501 - C0_899 + z4, z4) + dot(r37, C1_175, C1_175 - C0_899);
    [e0 + o3, e1 + o2, e2 + o1, e3 + o0, e3 - o0, e2 - o1, e1 - o2, e0 - o3].map(|row| row >> shift)
}

/// One pass over all columns: the left and right halves of each pair of rows.
#[inline]
fn pass8x8([a, b, c, d, e, f, g, h]: [i16x8; 8], shift: u32) -> [i16x8; 8] {
    let [a, b, c, d, e, f, g, h] = {
        let [l0, l1, l2, l3, l4, l5, l6, l7] = pass8([a, c, e, g], shift);
        let [r0, r1, r2, r3, r4, r5, r6, r7] = pass8([b, d, f, h], shift);
        [(l0, r0), (l1, r1), (l2, r2), (l3, r3), (l4, r4), (l5, r5), (l6, r6), (l7, r7)]
    };
    [a, b, c, d, e, f, g, h].map(|(low, high)| narrow(low, high))
}

/// The samples of a block of eight by eight, row by row.
#[inline]
fn eight(values: [i16x8; 8]) -> [[u8; 16]; 4] {
    let [a, b, c, d, e, f, g, h] = pass8x8(columns(pass8x8(values, FIRST_SHIFT)), SECOND_SHIFT);
    let round = |[a, b, c, d]: [u8x16; 4]| {
        let (low, high) = (u8x16::unpack_low, u8x16::unpack_high);
        [low(a, c), high(a, c), low(b, d), high(b, d)]
    };
    let columns = [bytes(a, b), bytes(c, d), bytes(e, f), bytes(g, h)];
    round(round(round(columns))).map(u8x16::to_array)
}

/// Rows as columns, which are interleaved with those half a block to the right.
///
/// It moves bytes, because wasm engines know these shuffles as single instructions. Shuffles of 16 bits that are
/// written lane by lane become ten times as many instructions.
#[inline]
fn columns(rows: [i16x8; 8]) -> [i16x8; 8] {
    let (low, high) = (u8x16::unpack_low, u8x16::unpack_high);
    // The place of a byte has seven bits: three of its row, three of its column, and whether it is the upper half of its
    // sample. Each round moves the first bit to the end. After four the lower halves of four columns are apart from
    // the upper ones, and the last round joins them.
    let round = |[a, b, c, d, e, f, g, h]: [u8x16; 8]| {
        [low(a, e), high(a, e), low(b, f), high(b, f), low(c, g), high(c, g), low(d, h), high(d, h)]
    };
    let [a, b, c, d, e, f, g, h] = round(round(round(round(rows.map(cast)))));
    [low(a, b), high(a, b), low(c, d), high(c, d), low(e, f), high(e, f), low(g, h), high(g, h)]
        .map(cast)
}
