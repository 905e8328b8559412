//! From coefficients to samples: the inverse DCT at full size, 1/2, 1/4 and 1/8.
//!
//! The arithmetic is that of libjpeg's "islow" (jidctint.c, after Loeffler, Ligtenberg and
//! Moschytz 1989), in integers, so that every machine gets the same samples. Eight columns are
//! worked on at a time, which compilers turn into vector instructions.

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

/// One number for each column of a block.
type Lanes<const N: usize> = [i32; N];

#[inline]
fn zip<const N: usize>(a: Lanes<N>, b: Lanes<N>, f: impl Fn(i32, i32) -> i32) -> Lanes<N> {
    let mut out = [0; N];
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = f(a, b);
    }
    out
}

#[inline]
fn add<const N: usize>(a: Lanes<N>, b: Lanes<N>) -> Lanes<N> {
    zip(a, b, i32::wrapping_add)
}

#[inline]
fn sub<const N: usize>(a: Lanes<N>, b: Lanes<N>) -> Lanes<N> {
    zip(a, b, i32::wrapping_sub)
}

#[inline]
fn mul<const N: usize>(a: Lanes<N>, factor: i32) -> Lanes<N> {
    a.map(|a| a.wrapping_mul(factor))
}

#[inline]
fn shl<const N: usize>(a: Lanes<N>, bits: u32) -> Lanes<N> {
    a.map(|a| a.wrapping_shl(bits))
}

/// Divides by a power of two, rounding to nearest.
#[inline]
fn descale<const N: usize>(a: Lanes<N>, bits: u32) -> Lanes<N> {
    a.map(|a| a.wrapping_add(1 << (bits - 1)) >> bits)
}

#[inline]
fn transpose<const N: usize>(rows: [Lanes<N>; N]) -> [Lanes<N>; N] {
    core::array::from_fn(|y| rows.map(|row| row.get(y).copied().unwrap_or_default()))
}

/// One pass of the eight-point transform over eight columns.
#[inline]
fn pass8(rows: [Lanes<8>; 8], shift: u32) -> [Lanes<8>; 8] {
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    let z1 = mul(add(r2, r6), fix(541_196_100));
    let t2 = sub(z1, mul(r6, fix(1_847_759_065)));
    let t3 = add(z1, mul(r2, fix(765_366_865)));
    let t0 = shl(add(r0, r4), CONST_BITS);
    let t1 = shl(sub(r0, r4), CONST_BITS);
    let (e0, e3, e1, e2) = (add(t0, t3), sub(t0, t3), add(t1, t2), sub(t1, t2));

    let z5 = mul(add(add(r7, r3), add(r5, r1)), fix(1_175_875_602));
    let z1 = mul(add(r7, r1), -fix(899_976_223));
    let z2 = mul(add(r5, r3), -fix(2_562_915_447));
    let z3 = add(mul(add(r7, r3), -fix(1_961_570_560)), z5);
    let z4 = add(mul(add(r5, r1), -fix(390_180_644)), z5);
    let o0 = add(mul(r7, fix(298_631_336)), add(z1, z3));
    let o1 = add(mul(r5, fix(2_053_119_869)), add(z2, z4));
    let o2 = add(mul(r3, fix(3_072_711_026)), add(z2, z3));
    let o3 = add(mul(r1, fix(1_501_321_110)), add(z1, z4));

    [
        add(e0, o3),
        add(e1, o2),
        add(e2, o1),
        add(e3, o0),
        sub(e3, o0),
        sub(e2, o1),
        sub(e1, o2),
        sub(e0, o3),
    ]
    .map(|row| descale(row, shift))
}

/// One pass of the four-point transform over four columns.
#[inline]
fn pass4([r0, r1, r2, r3]: [Lanes<4>; 4], shift: u32) -> [Lanes<4>; 4] {
    let e0 = shl(add(r0, r2), CONST_BITS);
    let e1 = shl(sub(r0, r2), CONST_BITS);
    let z1 = mul(add(r1, r3), fix(541_196_100));
    let o0 = add(z1, mul(r1, fix(765_366_865)));
    let o1 = sub(z1, mul(r3, fix(1_847_759_065)));
    [add(e0, o0), add(e1, o1), sub(e1, o1), sub(e0, o0)].map(|row| descale(row, shift))
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
    fn put<const N: usize>(&mut self, rows: [Lanes<N>; N]) {
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
            let rows = [
                [left0.wrapping_add(right0), left0.wrapping_sub(right0)],
                [left1.wrapping_add(right1), left1.wrapping_sub(right1)],
            ];
            corner.put(rows.map(|row| descale(row, 3)));
        }
        4 => {
            let rows = pass4(load(coefficients), CONST_BITS - PASS_BITS);
            corner.put(transpose(pass4(transpose(rows), second)));
        }
        _ => {
            let rows = pass8(load(coefficients), CONST_BITS - PASS_BITS);
            corner.put(transpose(pass8(transpose(rows), second)));
        }
    }
}

#[inline]
fn load<const N: usize>(coefficients: &[i32; 64]) -> [Lanes<N>; N] {
    let mut rows = [[0; N]; N];
    for (row, source) in rows.iter_mut().zip(coefficients.chunks_exact(N)) {
        if let Some(source) = source.first_chunk::<N>() {
            *row = *source;
        }
    }
    rows
}
