//! Turns pixels upright by the eight values of the EXIF orientation (tag 0x0112).

use alloc::{vec, vec::Vec};

use crate::{
    raster::{Layout, Plane, Planes, Raster},
    report::Orientation,
};

/// Turns every plane upright.
#[must_use]
pub fn planes(planes: Planes, orientation: Orientation) -> Planes {
    if orientation == Orientation::UPRIGHT {
        return planes;
    }
    let turn = |plane: Plane| {
        let plane = plane.packed();
        let (width, height) = size(plane.width, plane.height, orientation);
        let data = turned::<1>(&plane.data, plane.width, plane.height, orientation);
        Plane { width, height, stride: width, data }
    };
    Planes { luma: turn(planes.luma), chroma: planes.chroma.map(|chroma| chroma.map(turn)) }
}

/// Turns a raster upright.
///
/// ```
/// use image_rules::{Orientation, raster::{Layout, Raster, orient}};
///
/// // Two pixels beside each other, stored for a quarter turn to the right.
/// let coded = Raster { width: 2, height: 1, layout: Layout::Gray, data: vec![10, 20] };
/// let upright = orient::raster(coded, Orientation::from_exif(6));
/// assert_eq!((upright.width, upright.height, upright.data), (1, 2, vec![10, 20]));
/// ```
#[must_use]
pub fn raster(raster: Raster, orientation: Orientation) -> Raster {
    if orientation == Orientation::UPRIGHT {
        return raster;
    }
    let Raster { width: from_width, height: from_height, layout, data } = raster;
    let (width, height) = size(from_width, from_height, orientation);
    let data = match layout {
        Layout::Gray => turned::<1>(&data, from_width, from_height, orientation),
        Layout::GrayAlpha => turned::<2>(&data, from_width, from_height, orientation),
        Layout::Rgb => turned::<3>(&data, from_width, from_height, orientation),
        Layout::Rgba => turned::<4>(&data, from_width, from_height, orientation),
    };
    Raster { width, height, layout, data }
}

const fn size(width: usize, height: usize, orientation: Orientation) -> (usize, usize) {
    if orientation.swaps_axes() { (height, width) } else { (width, height) }
}

/// Pixels of `N` bytes, read row by row and written where they belong.
fn turned<const N: usize>(
    from: &[u8],
    width: usize,
    height: usize,
    orientation: Orientation,
) -> Vec<u8> {
    let mut to = vec![0; from.len()];
    let (pixels, _) = to.as_chunks_mut::<N>();
    let (source, _) = from.as_chunks::<N>();
    // Where the first pixel goes, and how far apart its right and lower neighbours go.
    let (last_x, last_y) = (width.saturating_sub(1), height.saturating_sub(1));
    // Offsets wrap: one to the left or up is added as its two's complement.
    let back = usize::wrapping_neg;
    let (start, right, down) = match orientation.exif() {
        2 => (last_x, back(1), width),
        3 => (last_y * width + last_x, back(1), back(width)),
        4 => (last_y * width, 1, back(width)),
        5 => (0, height, 1),
        6 => (last_y, height, back(1)),
        7 => (last_x * height + last_y, back(height), back(1)),
        8 => (last_x * height, back(height), 1),
        _ => (0, 1, width),
    };
    let mut line = start;
    for row in source.chunks_exact(width.max(1)) {
        let mut at = line;
        for pixel in row {
            if let Some(slot) = pixels.get_mut(at) {
                *slot = *pixel;
            }
            at = at.wrapping_add(right);
        }
        line = line.wrapping_add(down);
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(orientation: u16) -> (usize, usize, Vec<u8>) {
        // a b c
        // d e f
        let raster = Raster { width: 3, height: 2, layout: Layout::Gray, data: b"abcdef".to_vec() };
        let out = super::raster(raster, Orientation::from_exif(orientation));
        (out.width, out.height, out.data)
    }

    /// EXIF 2.32 §4.6.4 A: which row and column of the stored picture are the visual top and left.
    #[test]
    fn all_eight_orientations_become_upright() {
        assert_eq!(letters(1), (3, 2, b"abcdef".to_vec()));
        assert_eq!(letters(2), (3, 2, b"cbafed".to_vec()));
        assert_eq!(letters(3), (3, 2, b"fedcba".to_vec()));
        assert_eq!(letters(4), (3, 2, b"defabc".to_vec()));
        assert_eq!(letters(5), (2, 3, b"adbecf".to_vec()));
        assert_eq!(letters(6), (2, 3, b"daebfc".to_vec()));
        assert_eq!(letters(7), (2, 3, b"fcebda".to_vec()));
        assert_eq!(letters(8), (2, 3, b"cfbead".to_vec()));
    }

    /// Each turn undone by its inverse gives the picture back: the eight form a group.
    #[test]
    fn an_inverse_undoes_its_orientation() {
        for (turn, inverse) in [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)] {
            let data: Vec<u8> = (0..60).collect();
            let raster = Raster { width: 5, height: 4, layout: Layout::Rgb, data: data.clone() };
            let there = super::raster(raster, Orientation::from_exif(turn));
            let back = super::raster(there, Orientation::from_exif(inverse));
            assert_eq!((back.width, back.height, back.data), (5, 4, data), "turn {turn}");
        }
    }
}
