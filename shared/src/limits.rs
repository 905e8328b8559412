//! Limits and policy: [`Limits`] refuse pictures, [`Policy`] also sets the target of optimising and what a form asks of
//! its pictures.

use crate::{AspectRatio, Format, Formats, ImageError, error::Corrupt};

/// Pictures above any of these are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Limits {
    /// Bytes of the file.
    pub max_bytes: u64,
    /// Pixels of one frame's canvas.
    pub max_pixels: u64,
    /// Frames of an animation.
    pub max_frames: u32,
    /// Milliseconds that carrying out a plan may take, as [`Plan::work`](crate::Plan::work) estimates them.
    pub max_work_ms: u64,
    /// Bytes that a decode may need at its peak, beside the file itself.
    pub max_peak_bytes: u64,
}

impl Limits {
    /// 5 MiB holds a 12 MP phone photo as phones write it (2.8 to 4.5 MB).
    pub const EDGE_MAX_BYTES: u64 = 5 * 1024 * 1024;
    /// 50 MiB: the browser shrinks before it sends, so it may take what no edge should.
    pub const BROWSER_MAX_BYTES: u64 = 50 * 1024 * 1024;
    /// 50 MP: a 48 MP phone photo passes.
    pub const MAX_PIXELS: u64 = 50_000_000;
    /// 200 MP: the largest sensors of phones. As JPEG they are decoded at a quarter (19 MB of planes);
    /// what cannot be decoded smaller is bounded by its memory.
    pub const BROWSER_MAX_PIXELS: u64 = 200_000_000;
    /// 200 frames: a ten-second animation at 20 frames a second.
    pub const MAX_FRAMES: u32 = 200;
    /// Two seconds: everything else in the isolate waits for a decode. The platform allows a request 30 s
    /// (`cpu_ms` in `wrangler.toml`), and an isolate of another machine may be slower than the reference.
    pub const EDGE_MAX_WORK_MS: u64 = 2_000;
    /// Half a minute in the worker of a page.
    pub const BROWSER_MAX_WORK_MS: u64 = 30_000;
    /// An isolate has 128 MB for all it does; half of it is for pixels.
    pub const EDGE_MAX_PEAK_BYTES: u64 = 64 * 1024 * 1024;
    /// A phone's tab survives 512 MiB; 50 MP of RGBA at full size need 200 MB.
    pub const BROWSER_MAX_PEAK_BYTES: u64 = 512 * 1024 * 1024;

    /// What the edge takes by default.
    pub const EDGE: Self = Self {
        max_bytes: Self::EDGE_MAX_BYTES,
        max_pixels: Self::MAX_PIXELS,
        max_frames: Self::MAX_FRAMES,
        max_work_ms: Self::EDGE_MAX_WORK_MS,
        max_peak_bytes: Self::EDGE_MAX_PEAK_BYTES,
    };

    /// What may come in where a picture is made smaller before it is sent. Frames stay the edge's,
    /// as no frame is left out.
    #[must_use]
    pub const fn before_sending(self) -> Self {
        Self {
            max_bytes: larger(self.max_bytes, Self::BROWSER_MAX_BYTES),
            max_pixels: larger(self.max_pixels, Self::BROWSER_MAX_PIXELS),
            max_work_ms: larger(self.max_work_ms, Self::BROWSER_MAX_WORK_MS),
            max_peak_bytes: larger(self.max_peak_bytes, Self::BROWSER_MAX_PEAK_BYTES),
            ..self
        }
    }

    /// Refuses nothing: for walking again what has been admitted.
    pub(crate) const NONE: Self = Self {
        max_bytes: u64::MAX,
        max_pixels: u64::MAX,
        max_frames: u32::MAX,
        max_work_ms: u64::MAX,
        max_peak_bytes: u64::MAX,
    };

    /// Pixels of a canvas.
    ///
    /// # Errors
    /// [`Corrupt::NoPixels`] without any, [`ImageError::TooManyPixels`] above the limit.
    pub(crate) fn canvas(&self, width: u32, height: u32) -> Result<u64, ImageError> {
        let pixels = u64::from(width) * u64::from(height);
        match pixels {
            0 => Err(Corrupt::NoPixels.into()),
            _ if pixels > self.max_pixels => {
                Err(ImageError::TooManyPixels { pixels, limit: self.max_pixels })
            }
            _ => Ok(pixels),
        }
    }

    /// Whether an animation may have that many frames.
    ///
    /// # Errors
    /// [`ImageError::TooManyFrames`].
    pub(crate) const fn frames(&self, frames: u32) -> Result<(), ImageError> {
        if frames > self.max_frames {
            return Err(ImageError::TooManyFrames { limit: self.max_frames });
        }
        Ok(())
    }
}

/// `Ord::max` is not const.
const fn larger(one: u64, other: u64) -> u64 {
    if one > other { one } else { other }
}

/// How much time encoding may take to save bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub enum Effort {
    /// The least time: what the edge uses.
    #[default]
    Fast,
    /// About a tenth fewer bytes for four times the encoding time.
    Balanced,
    /// Fewer bytes again, as a progressive picture.
    Small,
}

/// Limits, the target size and quality of optimised pictures, and what is asked of stored ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Policy {
    /// What is refused above.
    pub limits: Limits,
    /// Stored pictures fit in a square of this edge. A picture longer than 1:3 (a screenshot of a whole
    /// page) may be longer than that, up to eight times and 16,383 pixels: its shorter side has at most a
    /// third of the edge, and it has no more pixels than the square.
    pub max_edge: u32,
    /// JPEG quality of what is encoded anew, 1 to 100.
    pub quality: u8,
    /// How much time to spend on making the bytes fewer.
    pub effort: Effort,
    /// Bytes that the result should not exceed: the best quality that fits is looked for.
    pub target_bytes: Option<u64>,
    /// The formats that are taken and stored. A set with WebP has JPEG and PNG as well: large WebP
    /// pictures become one of them.
    pub accepted_types: Formats,
    /// The least width of the upright stored picture.
    pub min_width: Option<u32>,
    /// The least height of the upright stored picture.
    pub min_height: Option<u32>,
    /// The ratio of the upright stored picture, within 1 %.
    pub aspect_ratio: Option<AspectRatio>,
}

impl Policy {
    /// What the edge does by default.
    pub const EDGE: Self = Self {
        limits: Limits::EDGE,
        max_edge: 2048,
        quality: 80,
        effort: Effort::Fast,
        target_bytes: None,
        accepted_types: Formats::ALL,
        min_width: None,
        min_height: None,
        aspect_ratio: None,
    };

    /// What the browser does by default.
    pub const BROWSER: Self = Self::EDGE.before_sending();

    /// The same aims with wider limits: what is done before sending to an edge of this policy. The
    /// bytes are aimed below the edge's limit, where that needs more than the pixels' size.
    #[must_use]
    pub const fn before_sending(self) -> Self {
        let most = self.limits.max_bytes;
        let target_bytes = match self.target_bytes {
            Some(target) if target < most => Some(target),
            _ => Some(most),
        };
        Self { limits: self.limits.before_sending(), target_bytes, ..self }
    }

    /// Whether a picture of this format is taken, to be sent or to be stored.
    ///
    /// # Errors
    /// [`ImageError::FormatNotAccepted`].
    pub(crate) const fn check_format(&self, format: Format) -> Result<(), ImageError> {
        let accepted = self.accepted_types;
        if accepted.contains(format) {
            Ok(())
        } else {
            Err(ImageError::FormatNotAccepted { format, accepted })
        }
    }

    /// Whether a stored picture may have this upright size.
    ///
    /// # Errors
    /// [`ImageError::TooSmall`], [`ImageError::WrongRatio`].
    pub(crate) fn check_dimensions(&self, (width, height): (u32, u32)) -> Result<(), ImageError> {
        let Self { min_width, min_height, aspect_ratio, .. } = *self;
        if min_width.is_some_and(|min| width < min) || min_height.is_some_and(|min| height < min) {
            return Err(ImageError::TooSmall { width, height, min_width, min_height });
        }
        match aspect_ratio {
            Some(ratio) if !ratio.allows((width, height)) => {
                Err(ImageError::WrongRatio { width, height, ratio })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        max_bytes: 1000,
        max_pixels: 100,
        max_frames: 5,
        max_work_ms: 50,
        max_peak_bytes: 10_000,
    };

    #[test]
    fn the_sizes_that_are_promised_are_these() {
        assert_eq!(Limits::EDGE.max_bytes, 5_242_880);
        assert_eq!(Limits::EDGE.max_peak_bytes, 67_108_864);
        assert_eq!(Policy::BROWSER.limits.max_bytes, 52_428_800);
        assert_eq!(Policy::BROWSER.limits.max_peak_bytes, 536_870_912);
        assert_eq!((Limits::EDGE.max_work_ms, Policy::BROWSER.limits.max_work_ms), (2_000, 30_000));
    }

    #[test]
    fn a_canvas_has_pixels_and_no_more_than_may_be() {
        assert_eq!(LIMITS.canvas(20, 5), Ok(100));
        let refused = ImageError::TooManyPixels { pixels: 102, limit: 100 };
        assert_eq!(LIMITS.canvas(51, 2), Err(refused));
        let most = ImageError::TooManyPixels { pixels: 0xFFFF_FFFE_0000_0001, limit: 100 };
        assert_eq!(LIMITS.canvas(u32::MAX, u32::MAX), Err(most), "and none is lost in counting");
        for nothing in [(0, 5), (5, 0), (0, 0)] {
            assert_eq!(LIMITS.canvas(nothing.0, nothing.1), Err(Corrupt::NoPixels.into()));
        }
    }

    #[test]
    fn frames_are_counted() {
        assert_eq!(LIMITS.frames(5), Ok(()));
        assert_eq!(LIMITS.frames(6), Err(ImageError::TooManyFrames { limit: 5 }));
    }

    #[test]
    fn before_sending_more_may_come_in_and_never_less() {
        let wide = Limits { max_bytes: u64::MAX, max_pixels: 1, ..LIMITS }.before_sending();
        assert_eq!(wide.max_bytes, u64::MAX);
        assert_eq!(wide.max_pixels, Limits::BROWSER_MAX_PIXELS);
        assert_eq!(wide.max_peak_bytes, Limits::BROWSER_MAX_PEAK_BYTES);
        assert_eq!((wide.max_frames, wide.max_work_ms), (5, Limits::BROWSER_MAX_WORK_MS));
    }

    #[test]
    fn what_is_sent_is_aimed_below_what_the_edge_takes() {
        let aim = |target_bytes| {
            let policy = Policy { limits: LIMITS, target_bytes, ..Policy::EDGE };
            policy.before_sending().target_bytes
        };
        assert_eq!(aim(None), Some(1000));
        assert_eq!(aim(Some(999)), Some(999), "an aim of its own stays");
        assert_eq!(aim(Some(1001)), Some(1000));
    }

    #[test]
    fn a_size_is_compared_with_what_is_asked() {
        let ratio = AspectRatio::parse("1:1");
        let policy = Policy {
            min_width: Some(200),
            min_height: Some(100),
            aspect_ratio: ratio,
            ..Policy::EDGE
        };
        assert_eq!(policy.check_dimensions((200, 200)), Ok(()));
        for (width, height) in [(199, 199), (300, 99)] {
            let expected =
                ImageError::TooSmall { width, height, min_width: Some(200), min_height: Some(100) };
            assert_eq!(policy.check_dimensions((width, height)), Err(expected));
        }
        let ratio = ratio.expect("a ratio");
        let expected = ImageError::WrongRatio { width: 300, height: 200, ratio };
        assert_eq!(policy.check_dimensions((300, 200)), Err(expected));
        assert_eq!(Policy::EDGE.check_dimensions((1, 1)), Ok(()));
    }
}
