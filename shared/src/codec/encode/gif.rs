//! Writes animated GIF: each frame only where it differs from what is seen, in the colours of the
//! frame it was made from.

use alloc::{borrow::Cow, vec, vec::Vec};

use gif::{DisposalMethod, Encoder, EncodingError, Frame, Repeat};

use super::{EncodeError, Sink};
use crate::{
    codec::{
        decode::gif::{FrameInfo, Rect},
        palette::Nearest,
    },
    pace::Pace,
    plan::work::cost,
    raster::Raster,
};

/// GIF has no partial transparency: pixels below this alpha are transparent.
const VISIBLE: u8 = 128;

/// An animation while it is written.
pub(crate) struct Animation {
    encoder: Encoder<Sink>,
    width: usize,
    /// The frame that came last; how it is disposed of depends on the next.
    held: Option<(Raster, FrameInfo)>,
    /// What is seen before the held frame is painted, in RGBA.
    seen: Vec<u8>,
    /// The colours that the whole file shares: those of the first frame.
    shared: Vec<[u8; 3]>,
    nearest: Nearest,
}

impl Animation {
    /// Begins an animation with this canvas, and the colours of its first frame.
    pub fn begin(
        (width, height): (usize, usize),
        repeat: Repeat,
        colors: &[[u8; 3]],
        limit: usize,
    ) -> Result<Self, EncodeError> {
        let length = |value: usize| u16::try_from(value).map_err(|_| EncodeError::Unwritable);
        let (w, h) = (length(width)?, length(height)?);
        let shared = with_transparent(colors).0;
        let sink = Sink::new(limit);
        let mut encoder = Encoder::new(sink, w, h, shared.as_flattened()).map_err(refused)?;
        encoder.set_repeat(repeat).map_err(refused)?;
        Ok(Self {
            encoder,
            width,
            held: None,
            seen: vec![0; width * height * 4],
            nearest: Nearest::new(colors),
            shared,
        })
    }

    /// Takes the canvas as it is to be seen next.
    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    pub async fn frame(
        &mut self,
        canvas: Raster,
        info: FrameInfo,
        pace: &Pace,
    ) -> Result<(), EncodeError> {
        if let Some((held, held_shown)) = self.held.take() {
            let vanishes = held.data.chunks_exact(4).zip(canvas.data.chunks_exact(4));
            let clear = vanishes.into_iter().any(|(old, new)| visible(old) && !visible(new));
            self.write(&held, &held_shown, clear, pace).await?;
        }
        self.held = Some((canvas, info));
        Ok(())
    }

    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    pub async fn finish(mut self, pace: &Pace) -> Result<Vec<u8>, EncodeError> {
        if let Some((held, info)) = self.held.take() {
            self.write(&held, &info, false, pace).await?;
        }
        let sink = self.encoder.into_inner().map_err(refused_io)?;
        sink.finish(true)
    }

    /// Writes a frame; `clear` says that all of it is to vanish before the next.
    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    async fn write(
        &mut self,
        canvas: &Raster,
        info: &FrameInfo,
        clear: bool,
        pace: &Pace,
    ) -> Result<(), EncodeError> {
        let (colors, transparent) = with_transparent(&info.palette);
        if !self.nearest.is_for(&info.palette) {
            self.nearest = Nearest::new(&info.palette);
        }
        let whole = Rect { left: 0, top: 0, width: self.width, height: canvas.height };
        let (indices, changed) = self.paint(canvas, &info.palette, transparent, pace).await;
        // What vanishes has to be part of the frame; a frame without pixels is not allowed.
        let rect = if clear { whole } else { changed };
        let length = |value: usize| u16::try_from(value).map_err(|_| EncodeError::Unwritable);
        let part = cut(&indices, self.width, rect);
        pace.begin((part.len() as u64).saturating_mul(cost::GIF_ENCODED_PIXEL)).await;
        let dispose = if clear { DisposalMethod::Background } else { DisposalMethod::Keep };
        let frame = Frame {
            delay: info.delay,
            dispose,
            transparent: Some(transparent),
            needs_user_input: info.needs_user_input,
            left: length(rect.left)?,
            top: length(rect.top)?,
            width: length(rect.width)?,
            height: length(rect.height)?,
            interlaced: false,
            palette: (colors != self.shared).then(|| colors.as_flattened().to_vec()),
            buffer: Cow::Owned(part),
        };
        self.encoder.write_frame(&frame).map_err(refused)?;
        if clear {
            self.seen.fill(0);
        }
        Ok(())
    }

    /// Finds the indices of a canvas, `transparent` where what is seen stays; answers the part that
    /// changes, at least one pixel.
    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    async fn paint(
        &mut self,
        canvas: &Raster,
        palette: &[[u8; 3]],
        transparent: u8,
        pace: &Pace,
    ) -> (Vec<u8>, Rect) {
        let width = self.width.max(1);
        let row_ps =
            (width as u64).saturating_mul(cost::GIF_WRITTEN_PIXEL - cost::GIF_ENCODED_PIXEL);
        let mut indices = vec![transparent; canvas.width * canvas.height];
        let (mut left, mut right) = (usize::MAX, 0);
        let (mut top, mut bottom) = (usize::MAX, 0);
        let rows =
            indices.chunks_mut(width).zip(canvas.rows()).zip(self.seen.chunks_mut(4 * width));
        for (y, ((indices, row), seen)) in rows.enumerate() {
            pace.begin(row_ps).await;
            let changed = paint_row(&mut self.nearest, (palette, transparent), row, seen, indices);
            if let Some((first, end)) = changed {
                (left, right) = (left.min(first), right.max(end));
                (top, bottom) = (top.min(y), y + 1);
            }
        }
        if right == 0 {
            return (indices, Rect { left: 0, top: 0, width: 1, height: 1 });
        }
        (indices, Rect { left, top, width: right - left, height: bottom - top })
    }
}

/// Finds the indices of a row; returns the first and the end of those that change.
#[inline(never)]
fn paint_row(
    nearest: &mut Nearest,
    (palette, transparent): (&[[u8; 3]], u8),
    row: &[u8],
    seen: &mut [u8],
    indices: &mut [u8],
) -> Option<(usize, usize)> {
    let mut changed = None;
    let (pixels, _) = row.as_chunks::<4>();
    let (seen, _) = seen.as_chunks_mut::<4>();
    for (x, ((index, &[r, g, b, a]), seen)) in indices.iter_mut().zip(pixels).zip(seen).enumerate()
    {
        if a < VISIBLE {
            continue;
        }
        let found = nearest.find([r, g, b], Some(transparent));
        let [r, g, b] = palette.get(usize::from(found)).copied().unwrap_or_default();
        if *seen == [r, g, b, u8::MAX] {
            continue;
        }
        *seen = [r, g, b, u8::MAX];
        *index = found;
        let (first, _) = changed.unwrap_or((x, x));
        changed = Some((first, x + 1));
    }
    changed
}

fn visible(pixel: &[u8]) -> bool {
    pixel.last().is_some_and(|&alpha| alpha >= VISIBLE)
}

/// The palette with an index for transparent pixels, which replaces the last of 256 colours.
fn with_transparent(colors: &[[u8; 3]]) -> (Vec<[u8; 3]>, u8) {
    let mut colors: Vec<_> = colors.iter().copied().take(255).collect();
    let transparent = u8::try_from(colors.len()).unwrap_or(u8::MAX);
    colors.push([0; 3]);
    (colors, transparent)
}

fn cut(indices: &[u8], width: usize, rect: Rect) -> Vec<u8> {
    let rows = indices.chunks_exact(width.max(1)).skip(rect.top).take(rect.height);
    rows.flat_map(|row| row.iter().skip(rect.left).take(rect.width).copied()).collect()
}

/// The only error is a full sink.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn refused(error: EncodingError) -> EncodeError {
    match error {
        EncodingError::Io(_) => EncodeError::TooLong,
        _ => EncodeError::Unwritable,
    }
}

fn refused_io<E>(_: E) -> EncodeError {
    EncodeError::TooLong
}
