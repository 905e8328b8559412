//! Pixels in memory: planes of bytes and interleaved rasters, and what only moves them: [`resize`] and [`orient`].
//!
//! It needs no std and no feature.

use alloc::{vec, vec::Vec};

pub(crate) mod crop;
pub mod orient;
pub mod resize;

/// One plane of samples; rows may be wider than the picture, because codecs pad to whole blocks.
#[derive(Clone, Debug)]
pub struct Plane {
    /// Samples of a row that belong to the picture.
    pub width: usize,
    /// Rows that belong to the picture.
    pub height: usize,
    /// Samples from one row to the next.
    pub stride: usize,
    /// The samples, `stride` times at least `height`.
    pub data: Vec<u8>,
}

impl Plane {
    /// Zeros, without padding.
    #[must_use]
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, stride: width, data: vec![0; width.saturating_mul(height)] }
    }

    /// One row without padding; empty below the picture.
    #[must_use]
    pub fn row(&self, y: usize) -> &[u8] {
        let start = y.saturating_mul(self.stride);
        self.data.get(start..start.saturating_add(self.width)).unwrap_or_default()
    }

    /// The same plane without padding, in the same memory.
    #[must_use]
    pub fn packed(mut self) -> Self {
        if self.stride != self.width {
            for y in 1..self.height {
                let start = y * self.stride;
                self.data.copy_within(start..start + self.width, y * self.width);
            }
            self.stride = self.width;
        }
        self.data.truncate(self.width.saturating_mul(self.height));
        self
    }
}

/// What a JPEG is made of: a plane of luma and, unless gray, two of chroma that may be coarser.
#[derive(Clone, Debug)]
pub struct Planes {
    /// Brightness; its size is the picture's.
    pub luma: Plane,
    /// Blue and red difference.
    pub chroma: Option<[Plane; 2]>,
}

/// Which channels an interleaved raster has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Gray.
    Gray,
    /// Gray, alpha.
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, alpha.
    Rgba,
}

impl Layout {
    /// How many there are.
    #[must_use]
    pub const fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }

    /// Whether one of them is alpha.
    #[must_use]
    pub const fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }
}

/// Interleaved pixels, eight bits a channel, without padding.
#[derive(Clone, Debug)]
pub struct Raster {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Channels of a pixel.
    pub layout: Layout,
    /// Channel by channel, pixel by pixel, row by row.
    pub data: Vec<u8>,
}

impl Raster {
    /// Zeros.
    #[must_use]
    pub fn new(width: usize, height: usize, layout: Layout) -> Self {
        let bytes = width.saturating_mul(height).saturating_mul(layout.channels());
        Self { width, height, layout, data: vec![0; bytes] }
    }

    /// The rows of the picture.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.data.chunks_exact((self.width * self.layout.channels()).max(1))
    }

    /// Whether every pixel is opaque; without an alpha channel always.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        let channels = self.layout.channels();
        !self.layout.has_alpha()
            || self.data.chunks_exact(channels).all(|pixel| pixel.last() == Some(&u8::MAX))
    }

    /// The same pixels without their alpha channel.
    #[must_use]
    pub fn without_alpha(mut self) -> Self {
        let (from, to, layout) = match self.layout {
            Layout::GrayAlpha => (2, 1, Layout::Gray),
            Layout::Rgba => (4, 3, Layout::Rgb),
            Layout::Gray | Layout::Rgb => return self,
        };
        let pixels = self.data.len() / from;
        for pixel in 0..pixels {
            self.data.copy_within(pixel * from..pixel * from + to, pixel * to);
        }
        self.data.truncate(pixels * to);
        self.layout = layout;
        self
    }
}
