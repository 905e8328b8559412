//! The placeholder: a thumbhash of about 25 bytes, from which a page paints a blur until the picture is loaded.
//!
//! It is computed from a thumbnail of at most 32 by 32 cells, each the mean of some pixels that were decoded anyway.
//! A thumbhash has at most seven waves a side, so finer cells change nothing.

use alloc::{vec, vec::Vec};

use crate::{
    codec::ycbcr::rgb,
    raster::{Layout, Planes, Raster, orient},
    report::Orientation,
};

/// Cells along the longer side.
const CELLS: usize = 32;
/// Pixels looked at in a cell, across and down: a thumbhash averages over many cells anyway.
const SAMPLES: usize = 2;

/// Means of pixels that are fed row by row, so that no whole picture need be in memory.
pub(crate) struct Thumbnail {
    width: usize,
    height: usize,
    across: usize,
    down: usize,
    /// Premultiplied red, green, blue; alpha; pixels.
    cells: Vec<[u32; 5]>,
}

impl Thumbnail {
    pub fn new(width: usize, height: usize) -> Self {
        let longer = width.max(height).max(1);
        let fit = |side: usize| (side * CELLS).div_ceil(longer).clamp(1, CELLS).min(side.max(1));
        let (across, down) = (fit(width), fit(height));
        Self { width, height, across, down, cells: vec![[0; 5]; across * down] }
    }

    /// Pixels from one that is looked at to the next, across and down.
    fn steps(&self) -> (usize, usize) {
        let step = |side: usize, cells: usize| (side / (cells * SAMPLES)).max(1);
        (step(self.width, self.across), step(self.height, self.down))
    }

    /// Whether anything of row `y` is looked at.
    pub fn wants(&self, y: usize) -> bool {
        y.is_multiple_of(self.steps().1)
    }

    /// Looks at some pixels of row `y`.
    #[expect(clippy::many_single_char_names, reason = "colours and places have letters for names")]
    pub fn row(&mut self, y: usize, layout: Layout, row: &[u8]) {
        let channels = layout.channels();
        let step = self.steps().0;
        for x in (0..self.width).step_by(step) {
            let rgba = match (layout, row.get(x * channels..(x + 1) * channels)) {
                (Layout::Gray, Some(&[g])) => [g, g, g, u8::MAX],
                (Layout::GrayAlpha, Some(&[g, a])) => [g, g, g, a],
                (Layout::Rgb, Some(&[r, g, b])) => [r, g, b, u8::MAX],
                (Layout::Rgba, Some(&[r, g, b, a])) => [r, g, b, a],
                _ => return,
            };
            self.add(x, y, rgba);
        }
    }

    #[expect(clippy::many_single_char_names, reason = "colours and places have letters for names")]
    fn add(&mut self, x: usize, y: usize, [r, g, b, a]: [u8; 4]) {
        let cell = (y * self.down / self.height) * self.across + x * self.across / self.width;
        if let Some([red, green, blue, alpha, pixels]) = self.cells.get_mut(cell) {
            *red += u32::from(r) * u32::from(a);
            *green += u32::from(g) * u32::from(a);
            *blue += u32::from(b) * u32::from(a);
            *alpha += u32::from(a);
            *pixels += 1;
        }
    }

    /// The placeholder of the picture turned upright.
    pub fn hash(&self, orientation: Orientation) -> Vec<u8> {
        let mean = |sum: u32, count: u32| {
            u8::try_from((sum + count / 2) / count.max(1)).unwrap_or(u8::MAX)
        };
        let cells = self.cells.iter().flat_map(|&[red, green, blue, alpha, pixels]| {
            [mean(red, alpha), mean(green, alpha), mean(blue, alpha), mean(alpha, pixels)]
        });
        let cells = Raster {
            width: self.across,
            height: self.down,
            layout: Layout::Rgba,
            data: cells.collect(),
        };
        let cells = orient::raster(cells, orientation);
        thumbhash::rgba_to_thumb_hash(cells.width, cells.height, &cells.data)
    }
}

pub(crate) fn of_raster(raster: &Raster, orientation: Orientation) -> Vec<u8> {
    let mut thumbnail = Thumbnail::new(raster.width, raster.height);
    for (y, row) in raster.rows().enumerate() {
        if thumbnail.wants(y) {
            thumbnail.row(y, raster.layout, row);
        }
    }
    thumbnail.hash(orientation)
}

pub(crate) fn of_planes(planes: &Planes, orientation: Orientation) -> Vec<u8> {
    let (width, height) = (planes.luma.width, planes.luma.height);
    let mut thumbnail = Thumbnail::new(width, height);
    let (step_x, step_y) = thumbnail.steps();
    for y in (0..height).step_by(step_y) {
        let luma = planes.luma.row(y);
        let chroma = planes
            .chroma
            .as_ref()
            .map(|chroma| chroma.each_ref().map(|plane| plane.row(y * plane.height / height)));
        for x in (0..width).step_by(step_x) {
            let light = luma.get(x).copied().unwrap_or_default();
            let [r, g, b] = chroma.map_or([light; 3], |chroma| {
                let [blue, red] =
                    chroma.map(|row| row.get(x * row.len() / width).copied().unwrap_or(128));
                rgb([light, blue, red])
            });
            thumbnail.add(x, y, [r, g, b, u8::MAX]);
        }
    }
    thumbnail.hash(orientation)
}
