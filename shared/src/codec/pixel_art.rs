//! Recognises enlarged pixel art, which must stay exact: smoothing would blur its blocks.
//!
//! The rule: the picture is made of square blocks of one colour, at least two pixels wide, that start
//! at its upper left corner and fill it. Then every column and every row at which a colour changes is a
//! multiple of the block's side, and so are width and height. One line of text or one photo in the
//! picture breaks the rule, so screenshots are never taken for pixel art.

use crate::raster::Raster;

/// The largest size within `most` at which all blocks are equally large and none is lost; nothing when
/// the picture is not pixel art, or has too many blocks for that size.
pub(crate) fn size_within(raster: &Raster, most: (usize, usize)) -> Option<(usize, usize)> {
    let side = block_side(raster);
    if side < 2 {
        return None;
    }
    let (across, down) = (raster.width / side, raster.height / side);
    let scale = (most.0 / across.max(1)).min(most.1 / down.max(1));
    (scale > 0).then_some((across * scale, down * scale))
}

/// The greatest common divisor of the picture's sides and of all places where its colours change.
fn block_side(raster: &Raster) -> usize {
    let channels = raster.layout.channels();
    let mut side = gcd(raster.width, raster.height);
    let mut above: &[u8] = &[];
    for (y, row) in raster.rows().enumerate() {
        if side < 2 {
            break;
        }
        if row == above {
            continue;
        }
        side = gcd(side, y);
        let next = row.get(channels..).unwrap_or_default();
        let pairs = row.chunks_exact(channels).zip(next.chunks_exact(channels));
        for (x, (left, right)) in pairs.enumerate() {
            if left != right {
                side = gcd(side, x + 1);
            }
        }
        above = row;
    }
    side
}

const fn gcd(mut one: usize, mut other: usize) -> usize {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::raster::Layout;

    /// Blocks of this side, each of its own gray.
    fn blocks(across: usize, down: usize, side: usize) -> Raster {
        let (width, height) = (across * side, down * side);
        let gray = |at: usize| (at % width / side * 7 + at / width / side * 11) % 251;
        let data: Vec<u8> =
            (0..width * height).map(|at| u8::try_from(gray(at)).unwrap_or_default()).collect();
        Raster { width, height, layout: Layout::Gray, data }
    }

    #[test]
    fn blocks_are_found_whatever_their_side() {
        for side in [2, 3, 7, 16] {
            assert_eq!(block_side(&blocks(9, 5, side)), side);
        }
        assert_eq!(block_side(&blocks(9, 5, 1)), 1);
    }

    #[test]
    fn one_pixel_out_of_the_grid_makes_it_an_ordinary_picture() {
        let mut picture = blocks(8, 8, 4);
        assert_eq!(size_within(&picture, (16, 16)), Some((16, 16)));
        if let Some(pixel) = picture.data.get_mut(5) {
            *pixel ^= 1;
        }
        assert_eq!(size_within(&picture, (16, 16)), None);
    }

    #[test]
    fn all_blocks_stay_equally_large_and_none_is_lost() {
        let picture = blocks(10, 6, 5);
        assert_eq!(size_within(&picture, (49, 29)), Some((40, 24)));
        assert_eq!(size_within(&picture, (10, 6)), Some((10, 6)));
        assert_eq!(size_within(&picture, (9, 5)), None, "blocks would be lost");
    }
}
