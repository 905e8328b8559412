//! Generated images with the statistics of photos.
#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses some of it")]

use mozjpeg_rs::{Encoder, Preset, Subsampling};

/// RGB pixels.
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub pixels: Vec<u8>,
}

/// Noise in octaves of decreasing strength, which has a spectrum like that of photos.
pub fn photo(width: u32, height: u32) -> Picture {
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height {
        for x in 0..width {
            let light = [256u32, 64, 16, 4, 1].iter().zip([90, 60, 35, 20, 8]);
            let light: u32 =
                light.map(|(&size, strength)| noise(x, y, size) * strength / 256).sum();
            let tint = noise(x + 9999, y, 128) / 4;
            let channel = |value: u32| u8::try_from(value.min(255)).unwrap_or(u8::MAX);
            pixels.extend([channel(light + tint), channel(light + 16), channel(light + 60 - tint)]);
        }
    }
    Picture { width, height, pixels }
}

/// Values from 0 to 255, interpolated linearly between the points of a grid.
fn noise(x: u32, y: u32, mesh: u32) -> u32 {
    let value = |column: u32, row: u32| {
        let mut mixed = column.wrapping_mul(0x9E37_79B9) ^ row.wrapping_mul(0x85EB_CA6B) ^ mesh;
        mixed = (mixed ^ mixed >> 15).wrapping_mul(0x2C1B_3C6D);
        (mixed ^ mixed >> 12) & 255
    };
    let (column, row, right, down) = (x / mesh, y / mesh, x % mesh, y % mesh);
    let line = |row| (value(column, row) * (mesh - right) + value(column + 1, row) * right) / mesh;
    (line(row) * (mesh - down) + line(row + 1) * down) / mesh
}

impl Picture {
    /// As JPEG.
    pub fn jpeg(&self, quality: u8, progressive: bool, full_chroma: bool) -> Vec<u8> {
        let subsampling = if full_chroma { Subsampling::S444 } else { Subsampling::S420 };
        Encoder::new(Preset::BaselineFastest)
            .quality(quality)
            .progressive(progressive)
            .optimize_huffman(progressive)
            .subsampling(subsampling)
            .encode_rgb(&self.pixels, self.width, self.height)
            .expect("an encoder that works")
    }

    fn rgba(&self) -> Vec<u8> {
        let alpha = |at: usize| u8::try_from(at * 200 / self.pixels.len().max(1)).unwrap_or(0) + 55;
        let pixels = self.pixels.as_chunks::<3>().0.iter().enumerate();
        pixels.flat_map(|(at, &[r, g, b])| [r, g, b, alpha(at * 3)]).collect()
    }

    /// As PNG with alpha.
    pub fn png(&self) -> Vec<u8> {
        self.written(png::ColorType::Rgba, &self.rgba())
    }

    /// As PNG without alpha.
    pub fn opaque_png(&self) -> Vec<u8> {
        self.written(png::ColorType::Rgb, &self.pixels)
    }

    fn written(&self, color: png::ColorType, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(color);
        encoder.set_compression(png::Compression::Balanced);
        let mut writer = encoder.write_header().expect("a writable header");
        writer.write_image_data(data).expect("writable pixels");
        drop(writer);
        bytes
    }

    /// The same image with each pixel enlarged to a block of this side.
    pub fn enlarged(&self, side: u32) -> Self {
        let (width, height) = (self.width * side, self.height * side);
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x / side, y / side)));
        let pixels = places.flat_map(|(x, y)| {
            let at = (y * self.width + x) as usize * 3;
            self.pixels.get(at..at + 3).unwrap_or_default().iter().copied()
        });
        Self { width, height, pixels: pixels.collect() }
    }

    /// As lossless WebP with alpha.
    pub fn webp(&self) -> Vec<u8> {
        self.lossless(image_webp::ColorType::Rgba8, &self.rgba())
    }

    /// As lossless WebP without alpha.
    pub fn opaque_webp(&self) -> Vec<u8> {
        self.lossless(image_webp::ColorType::Rgb8, &self.pixels)
    }

    fn lossless(&self, color: image_webp::ColorType, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        image_webp::WebPEncoder::new(&mut bytes)
            .encode(data, self.width, self.height, color)
            .expect("an encoder that works");
        bytes
    }
}

/// A page with lines of strokes that look like text, two pixels wide with edges of one, in few colours.
pub fn screenshot(width: u32, height: u32) -> Picture {
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height {
        for x in 0..width {
            let (line, row) = (y / 24, y % 24);
            let stroke = (x + noise(x / 9, line, 1) % 3) % 7;
            let is_text = (4..18).contains(&row) && noise(x / 60, line, 1) > 90;
            let color = match stroke {
                _ if y < 90 => [32, 33, 36],
                0 | 1 if is_text => [17, 24, 39],
                2 if is_text => [140, 146, 157],
                3.. if is_text && (row == 10 || row == 4) => [17, 24, 39],
                _ if x < width / 5 => [243, 244, 246],
                _ => [255; 3],
            };
            pixels.extend(color);
        }
    }
    Picture { width, height, pixels }
}

/// A GIF of a square that moves over a photo of sixteen grays.
pub fn animation(width: u16, height: u16, frames: u16) -> Vec<u8> {
    let photo = photo(u32::from(width), u32::from(height));
    let grays: Vec<u8> = (0..=15u8).flat_map(|gray| [gray * 17; 3]).collect();
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, width, height, &grays).expect("a header");
    encoder.set_repeat(gif::Repeat::Infinite).expect("room");
    for number in 0..frames {
        let shift = usize::from(number) * 7 * 3;
        let pixels: Vec<u8> = photo
            .pixels
            .iter()
            .cycle()
            .skip(shift)
            .step_by(3)
            .take(usize::from(width) * usize::from(height))
            .map(|value| value / 16)
            .collect();
        let buffer = pixels.into();
        let dispose = match number % 3 {
            0 => gif::DisposalMethod::Keep,
            1 => gif::DisposalMethod::Background,
            _ => gif::DisposalMethod::Previous,
        };
        let frame =
            gif::Frame { width, height, delay: 4, dispose, buffer, ..gif::Frame::default() };
        encoder.write_frame(&frame).expect("a writable frame");
    }
    drop(encoder);
    bytes
}
