//! Predictions from the pixels above and to the left (RFC 6386 section 12).

/// The pixels of a block of four times four, row by row.
pub(super) type Pixels = [[u8; 4]; 4];

/// A square of blocks: four times four of luma, two times two of chroma.
pub(super) type Square<const N: usize> = [[Pixels; N]; N];

/// What is above a frame and to its left.
pub(super) const ABOVE: u8 = 127;
pub(super) const LEFT: u8 = 129;

/// A mode, in the order of section 8.2; blocks have the further ones of section 11.2.
pub(super) mod mode {
    pub const DC: usize = 0;
    pub const TM: usize = 1;
    pub const VE: usize = 2;
    pub const HE: usize = 3;
    pub const LD: usize = 4;
    pub const RD: usize = 5;
    pub const VR: usize = 6;
    pub const VL: usize = 7;
    pub const HD: usize = 8;
    /// The last.
    pub const HU: usize = 9;
}

/// The pixels around a square that are known before it.
#[derive(Clone, Copy)]
pub(super) struct Border<const N: usize> {
    pub above: [[u8; 4]; N],
    pub left: [[u8; 4]; N],
    pub corner: u8,
    pub has_above: bool,
    pub has_left: bool,
}

impl<const N: usize> Border<N> {
    /// A square as a whole by one of the first four modes.
    pub fn predict(&self, mode: usize) -> Square<N> {
        match mode {
            mode::VE => [self.above.map(|above| [above; 4]); N],
            mode::HE => self.left.map(|left| [left.map(|pixel| [pixel; 4]); N]),
            mode::TM => {
                self.left.map(|left| self.above.map(|above| gradient(above, left, self.corner)))
            }
            _ => [[[[self.mean(); 4]; 4]; N]; N],
        }
    }

    fn mean(&self) -> u8 {
        let sum = |pixels: &[[u8; 4]; N]| {
            pixels.as_flattened().iter().map(|pixel| u32::from(*pixel)).sum::<u32>()
        };
        let side = u32::try_from(4 * N).unwrap_or_default();
        let mean = match (self.has_above, self.has_left) {
            (true, true) => (sum(&self.above) + sum(&self.left) + side) / (2 * side),
            (true, false) => (sum(&self.above) + side / 2) / side,
            (false, true) => (sum(&self.left) + side / 2) / side,
            (false, false) => 128,
        };
        byte(mean.cast_signed())
    }
}

fn gradient(above: [u8; 4], left: [u8; 4], corner: u8) -> Pixels {
    left.map(|left| above.map(|above| byte(i32::from(left) + i32::from(above) - i32::from(corner))))
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "clamped to a byte")]
pub(super) const fn byte(value: i32) -> u8 {
    if value < 0 {
        0
    } else if value > 255 {
        255
    } else {
        value as u8
    }
}

/// A block by each of the ten modes, in their order, from eight pixels above, four to the left and the one between.
pub(super) fn blocks(above: [[u8; 4]; 2], left: [u8; 4], corner: u8) -> [Pixels; mode::HU + 1] {
    let [[a0, a1, a2, a3], [a4, a5, a6, a7]] = above;
    let [l0, l1, l2, l3] = left;
    // Around the corner, from below to the right.
    let e = [l3, l2, l1, l0, corner, a0, a1, a2, a3];
    let [e0, e1, e2, e3, e4, e5, e6, e7, e8] = e;
    let dc = [a0, a1, a2, a3, l0, l1, l2, l3].into_iter().map(u32::from).sum::<u32>();
    let dc = byte(((dc + 4) / 8).cast_signed());
    let ve = [mean3(corner, a0, a1), mean3(a0, a1, a2), mean3(a1, a2, a3), mean3(a2, a3, a4)];
    let he = [mean3(corner, l0, l1), mean3(l0, l1, l2), mean3(l1, l2, l3), mean3(l2, l3, l3)];
    // Means of three along the way around the corner, and along the row above.
    let [r1, r2, r3, r4, r5, r6, r7] = [
        mean3(e0, e1, e2),
        mean3(e1, e2, e3),
        mean3(e2, e3, e4),
        mean3(e3, e4, e5),
        mean3(e4, e5, e6),
        mean3(e5, e6, e7),
        mean3(e6, e7, e8),
    ];
    let [d1, d2, d3, d4, d5, d6, d7] = [
        mean3(a0, a1, a2),
        mean3(a1, a2, a3),
        mean3(a2, a3, a4),
        mean3(a3, a4, a5),
        mean3(a4, a5, a6),
        mean3(a5, a6, a7),
        mean3(a6, a7, a7),
    ];
    let vr = [
        [mean2(e4, e5), mean2(e5, e6), mean2(e6, e7), mean2(e7, e8)],
        [r4, r5, r6, r7],
        [r3, mean2(e4, e5), mean2(e5, e6), mean2(e6, e7)],
        [r2, r4, r5, r6],
    ];
    let vl = [
        [mean2(a0, a1), mean2(a1, a2), mean2(a2, a3), mean2(a3, a4)],
        [d1, d2, d3, d4],
        [mean2(a1, a2), mean2(a2, a3), mean2(a3, a4), d5],
        [d2, d3, d4, d6],
    ];
    let hd = [
        [mean2(e3, e4), r4, r5, r6],
        [mean2(e2, e3), r3, mean2(e3, e4), r4],
        [mean2(e1, e2), r2, mean2(e2, e3), r3],
        [mean2(e0, e1), r1, mean2(e1, e2), r2],
    ];
    let hu = [
        [mean2(l0, l1), mean3(l0, l1, l2), mean2(l1, l2), mean3(l1, l2, l3)],
        [mean2(l1, l2), mean3(l1, l2, l3), mean2(l2, l3), mean3(l2, l3, l3)],
        [mean2(l2, l3), mean3(l2, l3, l3), l3, l3],
        [l3; 4],
    ];
    [
        [[dc; 4]; 4],
        gradient([a0, a1, a2, a3], left, corner),
        [ve; 4],
        he.map(|pixel| [pixel; 4]),
        [[d1, d2, d3, d4], [d2, d3, d4, d5], [d3, d4, d5, d6], [d4, d5, d6, d7]],
        [[r4, r5, r6, r7], [r3, r4, r5, r6], [r2, r3, r4, r5], [r1, r2, r3, r4]],
        vr,
        vl,
        hd,
        hu,
    ]
}

fn mean2(a: u8, b: u8) -> u8 {
    byte((i32::from(a) + i32::from(b) + 1) >> 1)
}

fn mean3(a: u8, b: u8, c: u8) -> u8 {
    byte((i32::from(a) + 2 * i32::from(b) + i32::from(c) + 2) >> 2)
}
