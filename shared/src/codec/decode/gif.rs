//! Reads GIF: frames as they are coded, and the canvas as it is seen after each of them
//! (GIF89a §23: disposal). Blocks have been walked by `inspect`.

use alloc::{vec, vec::Vec};

use gif::{DecodeOptions, Decoder, DecodingError, DisposalMethod, MemoryLimit, Repeat};

use crate::{
    codec::placeholder::Thumbnail,
    error::Corrupt,
    hidden_data::{
        self, HiddenData,
        source::{ReadPosition, Source},
    },
    pace::Pace,
    plan::work::cost,
    raster::{Layout, Raster},
    report::Orientation,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rect {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

/// What an encoder needs of a frame beside its pixels.
pub(crate) struct FrameInfo {
    /// Hundredths of a second.
    pub delay: u16,
    pub needs_user_input: bool,
    /// The colours that its pixels come from.
    pub palette: Vec<[u8; 3]>,
}

/// Decodes every frame; returns the placeholder of the first, and the hidden data.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn verify(
    bytes: &[u8],
    size: (u32, u32),
    pace: &Pace,
) -> Result<(Vec<u8>, HiddenData), Corrupt> {
    let position = ReadPosition::default();
    let mut frames = Frames::open(bytes, size, &position)?;
    let (width, height) = (frames.width, frames.height);
    let mut thumbnail = Thumbnail::new(width, height);
    let first = frames.next(pace).await?.ok_or(Corrupt::NoImageData)?;
    for y in (0..height).filter(|&y| thumbnail.wants(y)).collect::<Vec<_>>() {
        let mut row = vec![0; width * 4];
        first.paint(&frames.indices, y, &mut row);
        thumbnail.row(y, Layout::Rgba, &row);
    }
    while frames.next(pace).await?.is_some() {}
    let hidden = if hidden_data::FINDS_HIDDEN_DATA {
        pace.begin((bytes.len() as u64).saturating_mul(cost::GIF_BYTE / 2)).await;
        hidden_data::gif::find(bytes)?
    } else {
        HiddenData::default()
    };
    Ok((thumbnail.hash(Orientation::UPRIGHT), hidden))
}

/// Decodes every frame; returns the canvas after the first.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn first(bytes: &[u8], size: (u32, u32), pace: &Pace) -> Result<Raster, Corrupt> {
    let position = ReadPosition::default();
    let mut animation = Animation::open(bytes, size, &position)?;
    animation.next(pace).await?.ok_or(Corrupt::NoImageData)?;
    let Animation { mut frames, canvas, .. } = animation;
    while frames.next(pace).await?.is_some() {}
    Ok(canvas)
}

struct Frames<'a> {
    decoder: Decoder<Source<'a>>,
    position: &'a ReadPosition,
    width: usize,
    height: usize,
    /// The indices of the frame that was read last.
    indices: Vec<u8>,
}

struct Frame {
    rect: Rect,
    dispose: DisposalMethod,
    transparent: Option<u8>,
    info: FrameInfo,
}

impl<'a> Frames<'a> {
    fn open(
        bytes: &'a [u8],
        size: (u32, u32),
        position: &'a ReadPosition,
    ) -> Result<Self, Corrupt> {
        let mut options = DecodeOptions::new();
        options.set_memory_limit(MemoryLimit::Unlimited);
        options.allow_unknown_blocks(true);
        let decoder = options.read_info(Source::new(bytes, position)).map_err(broken)?;
        // The canvas is what `inspect` says: a first frame that sticks out of the screen enlarges it.
        let (width, height) = (size.0 as usize, size.1 as usize);
        Ok(Self { decoder, position, width, height, indices: Vec::new() })
    }

    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    async fn next(&mut self, pace: &Pace) -> Result<Option<Frame>, Corrupt> {
        let Some(frame) = self.decoder.next_frame_info().map_err(broken)? else { return Ok(None) };
        let rect = Rect {
            left: usize::from(frame.left),
            top: usize::from(frame.top),
            width: usize::from(frame.width),
            height: usize::from(frame.height),
        };
        let (dispose, transparent) = (frame.dispose, frame.transparent);
        let (delay, needs_user_input) = (frame.delay, frame.needs_user_input);
        // Frames may stick out of the canvas, yet not be larger: that is what the plan counts on.
        if rect.width * rect.height > self.width * self.height {
            return Err(Corrupt::BadStructure);
        }
        let (palette, _) = self.decoder.palette().map_err(broken)?.as_chunks::<3>();
        let palette = palette.to_vec();
        let pixels = rect.width * rect.height;
        pace.begin((pixels as u64).saturating_mul(cost::GIF_PIXEL)).await;
        self.indices.resize(pixels, 0);
        let before = self.position.at();
        self.decoder.read_into_buffer(&mut self.indices).map_err(broken)?;
        let coded = self.position.at().saturating_sub(before) as u64;
        pace.add(coded.saturating_mul(cost::GIF_BYTE / 2));
        let info = FrameInfo { delay, needs_user_input, palette };
        Ok(Some(Frame { rect, dispose, transparent, info }))
    }
}

impl Frame {
    /// Paints what the frame has of row `y` of the canvas over `row`, in RGBA.
    fn paint(&self, indices: &[u8], y: usize, row: &mut [u8]) {
        let Rect { left, top, width, height } = self.rect;
        let Some(line) = y.checked_sub(top).filter(|line| *line < height) else { return };
        let Some(indices) = indices.get(line * width..(line + 1) * width) else { return };
        let (pixels, _) = row.as_chunks_mut::<4>();
        for (pixel, &index) in pixels.iter_mut().skip(left).zip(indices) {
            // An index beyond the palette shows nothing, as browsers have it.
            if Some(index) != self.transparent
                && let Some(&[r, g, b]) = self.info.palette.get(usize::from(index))
            {
                *pixel = [r, g, b, u8::MAX];
            }
        }
    }
}

/// The canvas, frame after frame.
pub(crate) struct Animation<'a> {
    frames: Frames<'a>,
    canvas: Raster,
    /// What is to happen to the last frame's part before the next is painted.
    pending: Option<(DisposalMethod, Rect)>,
    /// The canvas before the last frame, when it is to be restored.
    before: Vec<u8>,
}

impl<'a> Animation<'a> {
    pub fn open(
        bytes: &'a [u8],
        size: (u32, u32),
        position: &'a ReadPosition,
    ) -> Result<Self, Corrupt> {
        let frames = Frames::open(bytes, size, position)?;
        let canvas = Raster::new(frames.width, frames.height, Layout::Rgba);
        Ok(Self { frames, canvas, pending: None, before: Vec::new() })
    }

    /// How often it plays.
    pub fn repeat(&self) -> Repeat {
        self.frames.decoder.repeat()
    }

    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    pub async fn next(&mut self, pace: &Pace) -> Result<Option<FrameInfo>, Corrupt> {
        self.dispose();
        let Some(frame) = self.frames.next(pace).await? else { return Ok(None) };
        if frame.dispose == DisposalMethod::Previous {
            self.before.clone_from(&self.canvas.data);
        }
        let pixels = (self.canvas.width * self.canvas.height) as u64;
        pace.begin(pixels.saturating_mul(cost::PAINTED_PIXEL)).await;
        let stride = self.canvas.width * 4;
        for (y, row) in self.canvas.data.chunks_exact_mut(stride.max(1)).enumerate() {
            frame.paint(&self.frames.indices, y, row);
        }
        self.pending = Some((frame.dispose, frame.rect));
        Ok(Some(frame.info))
    }

    /// What is seen now.
    pub const fn canvas(&self) -> &Raster {
        &self.canvas
    }

    fn dispose(&mut self) {
        match self.pending.take() {
            // The background is transparent: browsers ignore the colour that the header names.
            Some((DisposalMethod::Background, rect)) => {
                let stride = (self.canvas.width * 4).max(1);
                let rows = self.canvas.data.chunks_exact_mut(stride).skip(rect.top);
                for row in rows.take(rect.height) {
                    let (pixels, _) = row.as_chunks_mut::<4>();
                    for pixel in pixels.iter_mut().skip(rect.left).take(rect.width) {
                        *pixel = [0; 4];
                    }
                }
            }
            Some((DisposalMethod::Previous, _)) => self.canvas.data.copy_from_slice(&self.before),
            Some((DisposalMethod::Any | DisposalMethod::Keep, _)) | None => {}
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn broken(error: DecodingError) -> Corrupt {
    match error {
        DecodingError::Io(_) => Corrupt::Truncated,
        _ => Corrupt::BadPixels,
    }
}
