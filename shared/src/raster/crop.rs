//! Cuts off the edges of pixels, so that their middle is left.
#![cfg_attr(not(feature = "codec"), expect(dead_code, reason = "only encoders cut off edges"))]

use alloc::vec::Vec;

use super::{Plane, Planes, Raster};

/// The middle of planes. Chroma of half the size begins at an even sample of luma.
pub(crate) fn planes(planes: Planes, (width, height): (usize, usize)) -> Planes {
    let Planes { luma, chroma } = planes;
    let (width, height) = (width.min(luma.width), height.min(luma.height));
    let (left, top) = (((luma.width - width) / 2) & !1, ((luma.height - height) / 2) & !1);
    let is_half = |of: usize, luma: usize| if of < luma { 2 } else { 1 };
    let chroma = chroma.map(|chroma| {
        chroma.map(|plane| {
            let (x, y) = (is_half(plane.width, luma.width), is_half(plane.height, luma.height));
            let size = (width.div_ceil(x), height.div_ceil(y));
            part(&plane, (left / x, top / y), size)
        })
    });
    Planes { luma: part(&luma, (left, top), (width, height)), chroma }
}

fn part(from: &Plane, (left, top): (usize, usize), (width, height): (usize, usize)) -> Plane {
    let data = lines(&from.data, from.stride, (left, top), (width, height));
    Plane { width, height, stride: width, data }
}

/// The middle of a raster.
pub(crate) fn raster(from: Raster, (width, height): (usize, usize)) -> Raster {
    let (width, height) = (width.min(from.width), height.min(from.height));
    if (width, height) == (from.width, from.height) {
        return from;
    }
    let channels = from.layout.channels();
    let (left, top) = ((from.width - width) / 2, (from.height - height) / 2);
    let size = (width * channels, height);
    let data = lines(&from.data, from.width * channels, (left * channels, top), size);
    Raster { width, height, data, layout: from.layout }
}

fn lines(
    data: &[u8],
    stride: usize,
    (left, top): (usize, usize),
    (width, height): (usize, usize),
) -> Vec<u8> {
    let rows = data.chunks(stride.max(1)).skip(top).take(height);
    rows.flat_map(|row| row.get(left..left + width).unwrap_or_default()).copied().collect()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::raster::Layout;

    #[test]
    fn the_middle_is_left() {
        let data = (0..24).collect();
        let from = Raster { width: 4, height: 3, layout: Layout::GrayAlpha, data };
        let to = raster(from.clone(), (2, 1));
        assert_eq!((to.width, to.height, to.data), (2, 1, vec![10, 11, 12, 13]));
        let same = raster(from, (9, 9));
        assert_eq!((same.width, same.height), (4, 3), "no more than there is");
    }

    #[test]
    fn chroma_stays_beside_its_luma() {
        let plane = |width: usize, height: usize| Plane {
            data: (0..width * height).map(|at| u8::try_from(at).expect("small")).collect(),
            ..Plane::new(width, height)
        };
        let from = Planes { luma: plane(8, 2), chroma: Some([plane(4, 1), plane(4, 1)]) };
        let to = planes(from, (3, 2));
        assert_eq!(to.luma.data, [2, 3, 4, 10, 11, 12]);
        let [blue, _] = to.chroma.expect("colours");
        assert_eq!((blue.width, blue.height, blue.data), (2, 1, vec![1, 2]));
    }
}
