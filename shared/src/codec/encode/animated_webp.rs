//! Writes animated WebP (RFC 9649 section 2.7): each frame only where it differs from what is seen.

use alloc::vec::Vec;

use super::{EncodeError, lossy_webp, webp as lossless_webp};
use crate::{
    codec::pixel_art,
    container::webp::{flag, write},
    pace::Pace,
    plan::work::cost,
    raster::{Layout, Raster},
};

/// Bytes of a file before its first chunk.
const FILE_HEADER: usize = 12;
/// Of a frame before its pixels: place, size, duration and how it is painted.
const FRAME_HEADER: usize = 16;
/// The frame takes the place of what was there.
const REPLACES: u8 = 2;
/// The longest duration in milliseconds.
const MAX_MS: u32 = 0xFF_FFFF;

/// An animation while it is written.
pub(crate) struct Animation {
    size: (usize, usize),
    quality: u8,
    limit: usize,
    /// Times it is played; 0 without end.
    plays: u16,
    frames: Vec<u8>,
    /// Where the duration of the last frame is, and how long that is.
    last: Option<(usize, u32)>,
    /// What is seen after the last frame.
    seen: Option<Raster>,
    has_alpha: bool,
    /// Pixel art stays exact.
    is_exact: bool,
}

impl Animation {
    pub const fn begin(size: (usize, usize), plays: u16, quality: u8, limit: usize) -> Self {
        Self {
            size,
            quality,
            limit,
            plays,
            frames: Vec::new(),
            last: None,
            seen: None,
            has_alpha: false,
            is_exact: false,
        }
    }

    /// Takes the canvas in RGBA as it is to be seen next, for so many milliseconds.
    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    pub async fn frame(
        &mut self,
        canvas: Raster,
        duration_ms: u32,
        pace: &Pace,
    ) -> Result<(), EncodeError> {
        pace.begin((canvas.data.len() as u64).saturating_mul(cost::CONVERTED_PIXEL / 4)).await;
        let part = if let Some(seen) = &self.seen {
            changed(seen, &canvas)
        } else {
            self.is_exact = pixel_art::size_within(&canvas, self.size).is_some();
            Some((0, 0, canvas.width, canvas.height))
        };
        let Some(part) = part else { return self.lengthen(duration_ms) };
        let pixels = cut(&canvas, part);
        let pixels = if pixels.is_opaque() { pixels.without_alpha() } else { pixels };
        self.has_alpha |= pixels.layout.has_alpha();
        let chunks = self.encode(&pixels, pace).await?;
        let (left, top, ..) = part;
        let mut frame = Vec::with_capacity(FRAME_HEADER + chunks.len());
        for number in [left / 2, top / 2, pixels.width - 1, pixels.height - 1] {
            frame.extend(three_bytes(number)?);
        }
        let [low, middle, high, _] = duration_ms.min(MAX_MS).to_le_bytes();
        frame.extend([low, middle, high, REPLACES]);
        frame.extend(chunks);
        let duration_at = self.frames.len() + 8 + FRAME_HEADER - 4;
        write(*b"ANMF", &frame, &mut self.frames);
        self.last = Some((duration_at, duration_ms));
        self.seen = Some(canvas);
        if self.frames.len() > self.limit { Err(EncodeError::TooLong) } else { Ok(()) }
    }

    /// The last frame is seen longer.
    fn lengthen(&mut self, more_ms: u32) -> Result<(), EncodeError> {
        let (at, duration_ms) = self.last.as_mut().ok_or(EncodeError::Unwritable)?;
        *duration_ms = duration_ms.saturating_add(more_ms).min(MAX_MS);
        let [low, middle, high, _] = duration_ms.to_le_bytes();
        let bytes = self.frames.get_mut(*at..*at + 3).ok_or(EncodeError::Unwritable)?;
        bytes.copy_from_slice(&[low, middle, high]);
        Ok(())
    }

    /// The chunks of a picture: without loss, or with loss if that at least halves them.
    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    async fn encode(&self, pixels: &Raster, pace: &Pace) -> Result<Vec<u8>, EncodeError> {
        let area = (pixels.width * pixels.height) as u64;
        pace.begin(area.saturating_mul(cost::LOSSLESS_WRITTEN_PIXEL)).await;
        let lossless = lossless_webp::encode(pixels, None, usize::MAX)?;
        if !self.is_exact {
            let limit = lossless.len() / 2;
            let settings = lossy_webp::Settings { quality: self.quality, icc: None, limit };
            match lossy_webp::encode_chunks(pixels, settings, pace).await {
                Err(EncodeError::TooLong) => {}
                lossy => return lossy,
            }
        }
        lossless.get(FILE_HEADER..).map(<[u8]>::to_vec).ok_or(EncodeError::Unwritable)
    }

    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        let mut file = b"WEBP".to_vec();
        let has_alpha = if self.has_alpha { flag::ALPHA } else { 0 };
        let mut header = alloc::vec![flag::ANIMATION | has_alpha, 0, 0, 0];
        for side in [self.size.0, self.size.1] {
            header.extend(three_bytes(side - 1)?);
        }
        write(*b"VP8X", &header, &mut file);
        let [low, high] = self.plays.to_le_bytes();
        write(*b"ANIM", &[0, 0, 0, 0, low, high], &mut file);
        file.extend(self.frames);
        let mut out = Vec::with_capacity(file.len() + 8);
        write(*b"RIFF", &file, &mut out);
        if out.len() > self.limit { Err(EncodeError::TooLong) } else { Ok(out) }
    }
}

fn three_bytes(number: usize) -> Result<[u8; 3], EncodeError> {
    let [low, middle, high, 0] =
        u32::try_from(number).map_err(|_| EncodeError::Unwritable)?.to_le_bytes()
    else {
        return Err(EncodeError::Unwritable);
    };
    Ok([low, middle, high])
}

/// Left, top, width and height.
type Part = (usize, usize, usize, usize);

/// The smallest part that has all differences; it begins at even pixels.
fn changed(seen: &Raster, canvas: &Raster) -> Option<Part> {
    let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
    for (y, (seen, row)) in seen.rows().zip(canvas.rows()).enumerate() {
        let mut pairs = seen.chunks_exact(4).zip(row.chunks_exact(4));
        let Some(first) = pairs.clone().position(|(seen, pixel)| seen != pixel) else { continue };
        let last = pairs.rposition(|(seen, pixel)| seen != pixel).unwrap_or(first);
        (left, right) = (left.min(first), right.max(last + 1));
        (top, bottom) = (top.min(y), y + 1);
    }
    let (left, top) = (left & !1, top & !1);
    (right > 0).then(|| (left, top, right - left, bottom - top))
}

fn cut(canvas: &Raster, (left, top, width, height): Part) -> Raster {
    let rows = canvas.rows().skip(top).take(height);
    let data = rows.flat_map(|row| row.get(left * 4..(left + width) * 4).unwrap_or_default());
    Raster { width, height, layout: Layout::Rgba, data: data.copied().collect() }
}

#[cfg(test)]
mod tests {
    use image_webp::{LoopCount, WebPDecoder};

    use super::*;
    use crate::pace::run;

    const SIZE: (usize, usize) = (61, 45);

    /// A ball in front of a slope; outside of `hole` all is opaque.
    fn canvas(at: usize, hole: bool) -> Raster {
        let mut raster = Raster::new(SIZE.0, SIZE.1, Layout::Rgba);
        for (index, pixel) in raster.data.chunks_exact_mut(4).enumerate() {
            let (x, y) = (index % SIZE.0, index / SIZE.0);
            let is_ball = x.abs_diff(at) + y.abs_diff(20) < 8;
            let slope = u8::try_from(x * 3 + y).expect("a byte");
            pixel.copy_from_slice(&if is_ball {
                [250, 30, 20, 255]
            } else {
                [slope, slope / 2, 90, 255]
            });
            if hole && x < 10 && y < 10 {
                pixel.copy_from_slice(&[0; 4]);
            }
        }
        raster
    }

    fn written(frames: &[(usize, bool, u32)], limit: usize) -> Result<Vec<u8>, EncodeError> {
        let mut animation = Animation::begin(SIZE, 3, 90, limit);
        for (at, hole, duration_ms) in frames {
            run!(animation.frame(canvas(*at, *hole), *duration_ms, &Pace::default()))?;
        }
        animation.finish()
    }

    #[test]
    fn decoders_see_every_canvas_for_its_time() {
        let frames =
            [(10, false, 40), (11, false, 50), (11, false, 60), (30, true, 70), (40, false, 80)];
        let bytes = written(&frames, usize::MAX).expect("written");
        let mut decoder = WebPDecoder::new(std::io::Cursor::new(&bytes)).expect("a WebP");
        assert_eq!(decoder.dimensions(), (61, 45));
        assert_eq!(decoder.num_frames(), 4, "equal frames are one");
        assert!(matches!(decoder.loop_count(), LoopCount::Times(times) if times.get() == 3));
        let shown = [(10, false, 40), (11, false, 110), (30, true, 70), (40, false, 80)];
        let mut pixels = alloc::vec![0; decoder.output_buffer_size().expect("small")];
        for (at, hole, duration_ms) in shown {
            assert_eq!(decoder.read_frame(&mut pixels).expect("whole"), duration_ms);
            let expected = canvas(at, hole);
            let pairs = || expected.data.chunks_exact(4).zip(pixels.chunks_exact(4));
            assert!(pairs().all(|(before, seen)| before[3] == seen[3]), "{at}");
            let lost = |(before, seen): (&[u8], &[u8])| -> u32 {
                before
                    .iter()
                    .zip(seen)
                    .map(|(before, seen)| u32::from(before.abs_diff(*seen)))
                    .sum()
            };
            let lost: u32 = pairs().filter(|(before, _)| before[3] > 0).map(lost).sum();
            let area = u32::try_from(SIZE.0 * SIZE.1).expect("small");
            assert!(lost < area * 3 * 6, "{at}: {lost}");
        }
    }

    #[test]
    fn too_many_bytes_are_refused() {
        let bytes = written(&[(10, false, 40), (50, true, 40)], usize::MAX).expect("written");
        let refused = written(&[(10, false, 40), (50, true, 40)], bytes.len() - 1);
        assert!(matches!(refused, Err(EncodeError::TooLong)));
    }
}
