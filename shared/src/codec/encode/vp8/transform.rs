//! The transforms of blocks (RFC 6386 section 14) and their inverse, and quantisation.

/// Pixels of a block, or what a prediction leaves of them, row by row.
pub(super) type Block = [[i32; 4]; 4];

/// Quantised coefficients in the order in which they are written.
pub(super) type Levels = [i16; 16];

/// The largest level that is written; eleven bits follow the largest category of tokens.
const MOST: i32 = 2047;

const fn transposed(
    [[a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3], [d0, d1, d2, d3]]: Block,
) -> Block {
    [[a0, b0, c0, d0], [a1, b1, c1, d1], [a2, b2, c2, d2], [a3, b3, c3, d3]]
}

/// Twice what an orthonormal transform gives.
pub(super) fn forward(block: &Block) -> Block {
    let rows = block.map(|[p0, p1, p2, p3]| {
        let (a, b, c, d) = ((p0 + p3) * 8, (p1 + p2) * 8, (p1 - p2) * 8, (p0 - p3) * 8);
        let odd = [(c * 2217 + d * 5352 + 14_500) >> 12, (d * 2217 - c * 5352 + 7_500) >> 12];
        [a + b, odd[0], a - b, odd[1]]
    });
    let columns = transposed(rows).map(|[p0, p1, p2, p3]| {
        let (a, b, c, d) = (p0 + p3, p1 + p2, p1 - p2, p0 - p3);
        let first = ((c * 2217 + d * 5352 + 12_000) >> 16) + i32::from(d != 0);
        [(a + b + 7) >> 4, first, (a - b + 7) >> 4, (d * 2217 - c * 5352 + 51_000) >> 16]
    });
    transposed(columns)
}

/// As decoders compute it.
pub(super) fn inverse(coefficients: &Block) -> Block {
    let half = |[p0, p1, p2, p3]: [i32; 4]| {
        let (a, b) = (p0 + p2, p0 - p2);
        let c = sine(p1) - cosine(p3);
        let d = cosine(p1) + sine(p3);
        [a + d, b + c, b - c, a - d]
    };
    let columns = transposed(*coefficients).map(half);
    transposed(columns).map(|row| half(row).map(|sum| (sum + 4) >> 3))
}

const fn sine(value: i32) -> i32 {
    (value * 35_468) >> 16
}

const fn cosine(value: i32) -> i32 {
    value + ((value * 20_091) >> 16)
}

/// Of the means of the sixteen luma blocks.
pub(super) fn forward_means(means: &Block) -> Block {
    let rows = means.map(|[p0, p1, p2, p3]| {
        let (a, b, c, d) = ((p0 + p2) * 4, (p0 - p2) * 4, (p1 - p3) * 4, (p1 + p3) * 4);
        [a + d + i32::from(a != 0), b + c, b - c, a - d]
    });
    let columns = transposed(rows).map(|[p0, p1, p2, p3]| {
        let (a, b, c, d) = (p0 + p2, p0 - p2, p1 - p3, p1 + p3);
        [a + d, b + c, b - c, a - d].map(|sum| (sum + i32::from(sum < 0) + 3) >> 3)
    });
    transposed(columns)
}

/// As decoders compute it.
pub(super) fn inverse_means(coefficients: &Block) -> Block {
    let half = |[p0, p1, p2, p3]: [i32; 4]| {
        let (a, b, c, d) = (p0 + p3, p1 + p2, p1 - p2, p0 - p3);
        [a + b, c + d, a - b, d - c]
    };
    let columns = transposed(*coefficients).map(half);
    transposed(columns).map(|row| half(row).map(|sum| (sum + 3) >> 3))
}

/// The step between levels.
#[derive(Clone, Copy)]
pub(super) struct Step {
    size: i32,
    /// The inverse, in 17 fractional bits.
    inverse: i32,
    /// What is added before rounding down.
    bias: i32,
}

impl Step {
    /// A step of at least 4, and what is added before rounding down, in 256ths of it.
    pub const fn new(size: i32, bias: i32) -> Self {
        let size = if size < 4 { 4 } else { size };
        Self { size, inverse: (1 << 17) / size, bias: size * bias / 256 }
    }
}

/// The steps of one kind of block: of its first coefficient, and of all others.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    pub dc: Step,
    pub ac: Step,
}

/// A block after quantisation.
pub(super) struct Quantised {
    pub levels: Levels,
    /// What decoders multiply out of the levels.
    pub coefficients: Block,
    /// The sum of squares of what is lost, four times that of the pixels.
    pub distortion: u64,
}

impl Steps {
    /// The nearest levels, rather too small than too large.
    #[inline]
    pub fn quantise(&self, coefficients: &Block) -> Quantised {
        let mut levels = [[0; 4]; 4];
        let mut multiplied = [[0; 4]; 4];
        let mut distortion = 0_u64;
        let mut step = self.dc;
        let all = levels.as_flattened_mut().iter_mut().zip(multiplied.as_flattened_mut());
        for ((level, multiplied), coefficient) in all.zip(coefficients.as_flattened()) {
            // Both factors have at most 15 bits.
            let size = ((coefficient.abs() + step.bias) * step.inverse) >> 17;
            *level = size.min(MOST) * coefficient.signum();
            *multiplied = *level * step.size;
            let lost = u64::from((coefficient - *multiplied).unsigned_abs());
            distortion += lost * lost;
            step = self.ac;
        }
        Quantised { levels: zigzag(&levels), coefficients: multiplied, distortion }
    }
}

/// From low to high frequencies (section 13).
fn zigzag(
    [[a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3], [d0, d1, d2, d3]]: &Block,
) -> Levels {
    [a0, a1, b0, c0, b1, a2, a3, b2, c1, d0, d1, c2, b3, c3, d2, d3]
        .map(|level| i16::try_from(*level).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(seed: i32) -> Block {
        let mut value = seed;
        [[0; 4]; 4].map(|row| {
            row.map(|_: i32| {
                value = (value * 75 + 74) % 65_537;
                value % 511 - 255
            })
        })
    }

    #[test]
    fn the_inverse_gives_back_what_was_transformed() {
        for seed in 1..500 {
            let before = block(seed);
            let after = inverse(&forward(&before));
            for (before, after) in before.as_flattened().iter().zip(after.as_flattened()) {
                assert!((before - after).abs() <= 2, "{before} {after}");
            }
            let after = inverse_means(&forward_means(&before));
            for (before, after) in before.as_flattened().iter().zip(after.as_flattened()) {
                assert!((before - after).abs() <= 2, "{before} {after}");
            }
        }
    }

    #[test]
    fn the_distortion_is_that_of_the_pixels() {
        let steps = Steps { dc: Step::new(40, 128), ac: Step::new(40, 128) };
        let (mut counted, mut seen) = (0, 0);
        for seed in 1..500 {
            let before = block(seed);
            let quantised = steps.quantise(&forward(&before));
            counted += quantised.distortion / 4;
            let after = inverse(&quantised.coefficients);
            let squares = before.as_flattened().iter().zip(after.as_flattened());
            seen += squares.map(|(a, b)| u64::from((a - b).unsigned_abs().pow(2))).sum::<u64>();
        }
        assert!(seen * 9 < counted * 10 && counted * 9 < seen * 10, "{counted} {seen}");
    }
}
