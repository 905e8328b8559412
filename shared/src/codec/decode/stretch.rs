//! Stretches coarser planes to the size of the picture, as libjpeg does (jdsample.c, "fancy"
//! upsampling), to the last bit. Resizing proper is elsewhere.

use crate::raster::Plane;

/// Row `y` of a plane at the picture's size. Where there are half as many samples, each place gets
/// three parts of its own and one of the neighbour on its side; otherwise samples repeat.
pub(crate) fn stretch(plane: &Plane, (width, height): (usize, usize), y: usize, out: &mut [u8]) {
    let is_half = |part: usize, whole: usize| part < whole && part == whole.div_ceil(2);
    // Two columns or fewer repeat, and with them their rows.
    let across = is_half(plane.width, width) && plane.width > 2;
    let down = is_half(plane.height, height) && (across || plane.width == width);
    let (own, side) =
        if down { halves(y, plane.height) } else { [y * plane.height / height.max(1); 2].into() };
    let (own, side) = (plane.row(own), plane.row(side));
    let sample = |x: usize| {
        let at = |row: &[u8]| row.get(x).copied().map_or(0, u16::from);
        if down { 3 * at(own) + at(side) } else { at(own) }
    };
    for (x, out) in out.iter_mut().enumerate() {
        let (own, side) = halves(x, plane.width);
        let both = || 3 * sample(own) + sample(side);
        // Roundings alternate, so that halves are not always rounded up.
        let value = match (across, down) {
            (true, true) => (both() + if x.is_multiple_of(2) { 8 } else { 7 }) >> 4,
            (true, false) => (both() + if x.is_multiple_of(2) { 1 } else { 2 }) >> 2,
            (false, true) => (sample(x) + if y.is_multiple_of(2) { 1 } else { 2 }) >> 2,
            (false, false) => sample(x * plane.width / width.max(1)),
        };
        // A weighted mean of bytes.
        *out = value.to_be_bytes()[1];
    }
}

/// Of samples that cover two places each: the one at this place, and the one on the place's side.
fn halves(at: usize, samples: usize) -> (usize, usize) {
    let own = at / 2;
    let side = if at.is_multiple_of(2) { own.saturating_sub(1) } else { own + 1 };
    (own, side.min(samples.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// By hand, from jdsample.c: `h2v1_fancy_upsample`, `h1v2_fancy_upsample`, `h2v2_fancy_upsample`.
    #[test]
    fn chroma_is_stretched_like_libjpeg_does() {
        let plane = |width, data: &[u8]| Plane {
            width,
            height: data.len() / width,
            stride: width,
            data: data.to_vec(),
        };
        let rows = |plane: &Plane, width: usize, height: usize| -> Vec<Vec<u8>> {
            let row = |y| {
                let mut out = [0; 8];
                let line = out.get_mut(..width).expect("at most eight columns");
                stretch(plane, (width, height), y, line);
                line.to_vec()
            };
            (0..height).map(row).collect()
        };
        assert_eq!(rows(&plane(3, &[0, 100, 10]), 6, 1), [[0, 25, 75, 78, 32, 10]]);
        assert_eq!(rows(&plane(3, &[0, 100, 10]), 5, 1), [[0, 25, 75, 78, 32]]);
        assert_eq!(rows(&plane(1, &[0, 100]), 1, 4), [[0], [25], [75], [100]]);
        assert_eq!(
            rows(&plane(3, &[0, 100, 10, 100, 0, 10]), 6, 4),
            [
                [0, 25, 75, 77, 33, 10],
                [25, 37, 63, 59, 26, 10],
                [75, 62, 38, 21, 14, 10],
                [100, 75, 25, 2, 8, 10],
            ]
        );
        assert_eq!(rows(&plane(2, &[0, 100]), 4, 1), [[0, 0, 100, 100]]);
        assert_eq!(rows(&plane(2, &[7, 9]), 2, 1), [[7, 9]]);
    }
}
