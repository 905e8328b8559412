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
    pub fn frame(&mut self, canvas: Raster, info: FrameInfo) -> Result<(), EncodeError> {
        if let Some((held, held_shown)) = self.held.take() {
            let vanishes = held.data.chunks_exact(4).zip(canvas.data.chunks_exact(4));
            let clear = vanishes.into_iter().any(|(old, new)| visible(old) && !visible(new));
            self.write(&held, &held_shown, clear)?;
        }
        self.held = Some((canvas, info));
        Ok(())
    }

    pub fn finish(mut self) -> Result<Vec<u8>, EncodeError> {
        if let Some((held, info)) = self.held.take() {
            self.write(&held, &info, false)?;
        }
        let sink = self.encoder.into_inner().map_err(refused_io)?;
        sink.finish(true)
    }

    /// Writes a frame; `clear` says that all of it is to vanish before the next.
    fn write(&mut self, canvas: &Raster, info: &FrameInfo, clear: bool) -> Result<(), EncodeError> {
        let (colors, transparent) = with_transparent(&info.palette);
        if !self.nearest.is_for(&info.palette) {
            self.nearest = Nearest::new(&info.palette);
        }
        let whole = Rect { left: 0, top: 0, width: self.width, height: canvas.height };
        let (indices, changed) = self.paint(canvas, &info.palette, transparent);
        // What vanishes has to be part of the frame; a frame without pixels is not allowed.
        let rect = if clear { whole } else { changed };
        let length = |value: usize| u16::try_from(value).map_err(|_| EncodeError::Unwritable);
        let part = cut(&indices, self.width, rect);
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

    /// Finds the indices of a canvas, `spare` where what is seen stays; answers the part that
    /// changes, at least one pixel.
    #[expect(clippy::many_single_char_names, reason = "colours and places have letters for names")]
    fn paint(&mut self, canvas: &Raster, palette: &[[u8; 3]], transparent: u8) -> (Vec<u8>, Rect) {
        let mut indices = vec![transparent; canvas.width * canvas.height];
        let (mut left, mut right) = (usize::MAX, 0);
        let (mut top, mut bottom) = (usize::MAX, 0);
        let (pixels, _) = canvas.data.as_chunks::<4>();
        let (seen, _) = self.seen.as_chunks_mut::<4>();
        for (at, ((index, &[r, g, b, a]), seen)) in
            indices.iter_mut().zip(pixels).zip(seen).enumerate()
        {
            if a < VISIBLE {
                continue;
            }
            let found = self.nearest.find([r, g, b], Some(transparent));
            let [r, g, b] = palette.get(usize::from(found)).copied().unwrap_or_default();
            if *seen == [r, g, b, u8::MAX] {
                continue;
            }
            *seen = [r, g, b, u8::MAX];
            *index = found;
            let (x, y) = (at % self.width.max(1), at / self.width.max(1));
            (left, right) = (left.min(x), right.max(x + 1));
            (top, bottom) = (top.min(y), bottom.max(y + 1));
        }
        if right == 0 {
            return (indices, Rect { left: 0, top: 0, width: 1, height: 1 });
        }
        (indices, Rect { left, top, width: right - left, height: bottom - top })
    }
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
