//! Decides what is done with a picture (keep, scrub or optimise) from the report alone, before a pixel is decoded.

pub mod budget;
pub mod work;

use core::time::Duration;

use crate::{Format, ImageError, Policy, Report, limits::Effort, report::Color};

/// What is done with a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Action {
    /// Stored byte for byte.
    Keep,
    /// Stored without its private data, its pixels untouched.
    Scrub,
    /// Decoded, turned upright, resized and encoded anew.
    Optimise,
}

/// How much smaller a JPEG is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// As it is.
    Full,
    /// Half as wide and high.
    Half,
    /// A quarter.
    Quarter,
    /// An eighth: one sample a block.
    Eighth,
}

impl Scale {
    /// From coarse to fine.
    pub const ALL: [Self; 4] = [Self::Eighth, Self::Quarter, Self::Half, Self::Full];

    /// Samples across and down that a block of eight decodes to.
    #[must_use]
    pub const fn side(self) -> u32 {
        match self {
            Self::Full => 8,
            Self::Half => 4,
            Self::Quarter => 2,
            Self::Eighth => 1,
        }
    }

    /// What a width or height becomes.
    #[must_use]
    pub const fn of(self, length: u32) -> u32 {
        // The product fits: JPEG lengths have 16 bits, and others are not scaled.
        length.saturating_mul(self.side()).div_ceil(8)
    }
}

/// Which format a picture becomes. An animation keeps its format, a picture with transparent pixels never becomes a JPEG,
/// and a photo that was coded with loss never becomes a PNG.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// That of the source.
    #[default]
    Source,
    /// That of the source, or JPEG for an opaque picture that was coded without loss, if that has at most half the bytes.
    Preview,
    /// As [`Self::Preview`], but never WebP, which old programs cannot show.
    Compatible,
    /// As [`Self::Preview`], and WebP where it has fewer bytes: without loss, or with loss for a picture with transparent
    /// pixels if that has at most half the bytes. A JPEG always becomes lossy WebP, which is worth asking for where the
    /// result is small.
    WebP,
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
}

impl Output {
    /// Whether an opaque picture that was coded without loss becomes a JPEG where that has at most half the bytes.
    pub(crate) const fn is_preview(self) -> bool {
        matches!(self, Self::Preview | Self::Compatible | Self::WebP)
    }

    /// Whether a picture that is not resized is encoded anew for its format.
    fn converts(self, report: &Report) -> bool {
        let still = cfg!(feature = "derive") && report.frames == 1;
        match self {
            Self::Source | Self::Preview => false,
            Self::Compatible => still && report.format == Format::WebP,
            Self::WebP => still && report.format == Format::Png,
            Self::Jpeg => still && report.format != Format::Jpeg && !report.has_alpha,
            Self::Png => {
                still && report.format == Format::WebP && (report.lossless || report.has_alpha)
            }
        }
    }
}

/// The size of a picture that is derived from a stored one. It is never larger than the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// As [`Policy::max_edge`].
    Edge(u32),
    /// The whole picture within this width and height, as seen; `u32::MAX` for a side without a bound.
    Contain {
        /// The largest width.
        width: u32,
        /// The largest height.
        height: u32,
    },
    /// The middle of the picture, which fills this width and height.
    Cover {
        /// The width.
        width: u32,
        /// The height.
        height: u32,
    },
}

/// The size to make, as coded, and as seen what is left of it.
#[derive(Clone, Copy)]
struct Aim {
    size: (u32, u32),
    crop: Option<(u32, u32)>,
    output: Output,
}

impl Bounds {
    fn aim(self, report: &Report, output: Output) -> Aim {
        let seen = report.upright_size();
        let (size, crop) = match self {
            Self::Edge(edge) => (fitted(seen, edge), None),
            Self::Contain { width, height } => (contained(seen, (width, height)), None),
            Self::Cover { width, height } => covered(seen, (width.max(1), height.max(1))),
        };
        Aim { size: upright(size, report), crop: crop.filter(|crop| *crop != size), output }
    }
}

/// The largest size in the same proportions within `most`.
fn contained((width, height): (u32, u32), most: (u32, u32)) -> (u32, u32) {
    if width <= most.0 && height <= most.1 {
        return (width, height);
    }
    // Whichever side is bounded more.
    if u64::from(most.0) * u64::from(height) <= u64::from(most.1) * u64::from(width) {
        (most.0.max(1), share(height, most.0, width))
    } else {
        (share(width, most.1, height), most.1.max(1))
    }
}

/// The smallest size in the same proportions that covers `area`, and the part of it that is left. The area of a small
/// picture shrinks, because nothing is enlarged.
fn covered((width, height): (u32, u32), area: (u32, u32)) -> ((u32, u32), Option<(u32, u32)>) {
    let is_wider = u64::from(width) * u64::from(area.1) > u64::from(area.0) * u64::from(height);
    let size = if is_wider {
        (share(width, area.1, height).max(area.0), area.1)
    } else {
        (area.0, share(height, area.0, width).max(area.1))
    };
    if size.0 <= width && size.1 <= height {
        return (size, Some(area));
    }
    ((width, height), Some(contained(area, (width, height))))
}

/// `side` times `by` over `of`, to the nearest pixel, and at least one.
fn share(side: u32, by: u32, of: u32) -> u32 {
    let of = u64::from(of.max(1));
    u32::try_from((u64::from(side) * u64::from(by) + of / 2) / of).unwrap_or(u32::MAX).max(1)
}

/// What [`Action::Optimise`] aims for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Width as coded, before the orientation is applied.
    pub width: u32,
    /// Height as coded, before the orientation is applied.
    pub height: u32,
    /// How much smaller a JPEG is decoded; other formats are decoded as they are.
    pub scale: Scale,
    /// JPEG quality, 1 to 100: that of the policy, yet not above what the source needs.
    pub quality: u8,
    /// How much time to spend on making the bytes fewer.
    pub effort: Effort,
    /// Bytes that the result should not exceed: what is aimed for.
    pub target_bytes: Option<u64>,
    /// Whether the first frame of an animation is all that is wanted of it.
    pub first_frame: bool,
    /// Bytes that the result may have at most.
    pub most_bytes: u64,
    /// Whether the source is larger than pictures may be. Then the smaller picture is taken also when it
    /// has more bytes.
    pub is_oversize: bool,
    /// Which format the result has.
    pub output: Output,
    /// The width and height as seen of the middle that is left of the resized picture, when its edges are cut off.
    pub crop: Option<(u32, u32)>,
    /// Whether a picture that was coded without loss may be painted in 256 colours, or become lossy WebP, to have fewer
    /// bytes. That takes more time than all else.
    pub may_reduce_colors: bool,
    /// Which formats the result may have, and how small it may be.
    pub policy: Policy,
}

impl Target {
    /// [`Self::output`], where pictures are derived at all.
    pub fn output(&self) -> Output {
        if cfg!(feature = "derive") { self.output } else { Output::Source }
    }

    /// The quality that decides whether the chroma of a JPEG source is halved; lossy WebP always has half.
    pub(crate) fn chroma_quality(&self) -> u8 {
        if self.output() == Output::WebP { 0 } else { self.quality }
    }

    /// Whether a picture with transparent pixels may become lossy WebP.
    pub(crate) fn may_be_lossy_with_alpha(&self) -> bool {
        self.may_reduce_colors && self.output() == Output::WebP
    }

    /// [`Self::first_frame`], where pictures are derived at all.
    pub fn first_frame(&self) -> bool {
        cfg!(feature = "derive") && self.first_frame
    }

    /// [`Self::crop`], where pictures are derived at all.
    pub fn crop(&self) -> Option<(u32, u32)> {
        self.crop.filter(|_| cfg!(feature = "derive"))
    }
}

/// What is to be done with one picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    report: Report,
    target: Option<Target>,
    peak_bytes: u64,
    work: Duration,
}

impl Plan {
    /// Decides what is to be done with a picture.
    ///
    /// # Errors
    /// [`ImageError::TooMuchWork`] and [`ImageError::TooMuchMemory`] when it needs more than the policy's
    /// limits allow, [`ImageError::AnimationTooLarge`] for an animation that would have to be made
    /// smaller in a format where that is not done, and [`ImageError::TooSmall`] and
    /// [`ImageError::WrongRatio`] when the stored picture would have another size than is asked for.
    pub fn new(report: &Report, policy: &Policy) -> Result<Self, ImageError> {
        Self::decide(report, policy, Bounds::Edge(policy.max_edge).aim(report, Output::Source))
    }

    /// Decides what is to be done with a stored picture to get one of another size or format for lists and pages.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn derive(
        report: &Report,
        policy: &Policy,
        bounds: Bounds,
        output: Output,
    ) -> Result<Self, ImageError> {
        Self::decide(report, policy, bounds.aim(report, output))
    }

    fn decide(report: &Report, policy: &Policy, aim: Aim) -> Result<Self, ImageError> {
        let animated = report.frames > 1;
        let fits = aim.fits(report);
        // An animation is not encoded anew for its bytes alone: it would only lose.
        let heavy = !animated && policy.target_bytes.is_some_and(|most| report.size_bytes > most);
        if fits && !heavy && !aim.output.converts(report) {
            return Self::admit(report, None, policy);
        }
        if animated && report.format != Format::Gif {
            return Err(ImageError::AnimationTooLarge);
        }
        if report.format == Format::Jpeg {
            return Self::scaled(report, policy, aim);
        }
        let target = target(report, policy, Scale::Full, aim);
        match Self::admit(report, Some(target), policy) {
            // What only saves bytes is left out where there is no time for it.
            Err(ImageError::TooMuchWork { .. }) => {
                let target = Target { may_reduce_colors: false, ..target };
                Self::admit(report, Some(target), policy)
            }
            decided => decided,
        }
    }

    /// Makes a still picture of the first frame of a GIF.
    ///
    /// # Errors
    /// [`ImageError::TooMuchWork`] and [`ImageError::TooMuchMemory`] when it needs more than the policy's
    /// limits allow.
    pub fn still(report: &Report, policy: &Policy, bounds: Bounds) -> Result<Self, ImageError> {
        let report = Report { frames: 1, ..report.clone() };
        let aim = bounds.aim(&report, Output::Source);
        let target = Target { first_frame: true, ..target(&report, policy, Scale::Full, aim) };
        Self::admit(&report, Some(target), policy)
    }

    /// The coarsest scale that decodes to the target, or to at most a sixteenth less: the 4032 pixels
    /// of a phone's photo then become 2016 and not 2048, in a third of the time and memory. When
    /// that still needs too much of either, one step coarser: a picture smaller than asked for is
    /// better than none. A picture whose edges are cut off has exactly the size that is asked for.
    fn scaled(report: &Report, policy: &Policy, aim: Aim) -> Result<Self, ImageError> {
        let enough = |scale: &Scale| {
            // Not below the size that is asked for, unless the aim is.
            let (least_width, least_height) = least_size(report, policy);
            let near = |length: u32, least: u32| match aim.crop {
                Some(_) if cfg!(feature = "derive") => length,
                _ => (length - length / 16).max(least.min(length)),
            };
            scale.of(report.width) >= near(aim.size.0, least_width)
                && scale.of(report.height) >= near(aim.size.1, least_height)
        };
        // A picture that is only to lose bytes keeps its size.
        let fine = Scale::ALL.iter().position(enough).filter(|_| !aim.fits(report));
        let fine = fine.unwrap_or(Scale::ALL.len() - 1);
        let try_scale = |index: usize| {
            let scale = Scale::ALL.get(index).copied().unwrap_or(Scale::Full);
            Self::admit(report, Some(target(report, policy, scale, aim)), policy)
        };
        match try_scale(fine) {
            Err(refusal) if fine > 0 && aim.crop.is_none() => {
                try_scale(fine - 1).map_err(|_| refusal)
            }
            decided => decided,
        }
    }

    fn admit(report: &Report, target: Option<Target>, policy: &Policy) -> Result<Self, ImageError> {
        check_dimensions(report, target.as_ref(), policy)?;
        let limits = &policy.limits;
        let work = work::estimate(report, target.as_ref());
        work::check(report, work, limits)?;
        let peak_bytes = budget::peak_bytes(report, target.as_ref());
        let limit_bytes = limits.max_peak_bytes;
        if peak_bytes > limit_bytes {
            return Err(ImageError::TooMuchMemory { peak_bytes, limit_bytes });
        }
        Ok(Self { report: report.clone(), target, peak_bytes, work })
    }

    /// What is done. A picture that was to lose only bytes and does not is kept or scrubbed after all, and
    /// a kept one that turns out to hide something is scrubbed, so what was done stands in [`crate::pipeline::Processed`].
    #[must_use]
    pub const fn action(&self) -> Action {
        match self.target {
            Some(_) => Action::Optimise,
            None if self.report.is_clean() => Action::Keep,
            None => Action::Scrub,
        }
    }

    /// Bytes that carrying it out needs at its peak, beside the file itself.
    #[must_use]
    pub const fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    /// The time that carrying it out takes on one core of the reference machine, as [`work::estimate`] counts it.
    #[must_use]
    pub const fn work(&self) -> Duration {
        self.work
    }

    /// What the picture is.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// What optimising aims for.
    #[must_use]
    pub const fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }
}

impl Target {
    /// For pixels that are decoded already.
    #[cfg(feature = "codec")]
    pub(crate) fn of_pixels(size: (u32, u32), policy: &Policy) -> Self {
        let (width, height) = fitted(size, policy.max_edge);
        Self {
            width,
            height,
            scale: Scale::Full,
            quality: policy.quality.clamp(1, 100),
            effort: policy.effort,
            target_bytes: policy.target_bytes,
            first_frame: false,
            most_bytes: policy.target_bytes.unwrap_or(policy.limits.max_bytes),
            is_oversize: true,
            output: Output::Source,
            crop: None,
            may_reduce_colors: true,
            policy: *policy,
        }
    }
}

/// Bytes by which a GIF or JPEG may grow while it is made smaller. The memory budget counts them, so there
/// are few of them.
const MAX_GROWTH: u64 = 1024 * 1024;

/// Checks the upright size that the stored picture will have. A refusal names the size of the picture that was sent, if
/// that breaks the rule as well.
fn check_dimensions(
    report: &Report,
    target: Option<&Target>,
    policy: &Policy,
) -> Result<(), ImageError> {
    let stored =
        target.map_or((report.width, report.height), |target| (target.width, target.height));
    let outcome = policy.check_dimensions(upright(stored, report));
    outcome.map_err(|error| policy.check_dimensions(report.upright_size()).err().unwrap_or(error))
}

/// Width and height of the coded picture as seen; also the other way round.
const fn upright((width, height): (u32, u32), report: &Report) -> (u32, u32) {
    if report.orientation.swaps_axes() { (height, width) } else { (width, height) }
}

/// The least size that is asked for, as coded.
fn least_size(report: &Report, policy: &Policy) -> (u32, u32) {
    let least = (policy.min_width.unwrap_or_default(), policy.min_height.unwrap_or_default());
    upright(least, report)
}

impl Aim {
    /// Whether the picture has this size already.
    fn fits(&self, report: &Report) -> bool {
        self.size == (report.width, report.height) && self.crop.is_none()
    }
}

fn target(report: &Report, policy: &Policy, scale: Scale, aim: Aim) -> Target {
    let decoded = (scale.of(report.width), scale.of(report.height));
    let (width, height) = aim.size;
    // A scale coarser than the aim decides the size.
    let (width, height) = (width.min(decoded.0), height.min(decoded.1));
    // Higher than the source needs costs bytes and brings nothing back. CMYK tables are made for
    // inks and say little.
    let source = report.jpeg_quality.filter(|_| report.color != Color::Cmyk);
    let needed = source
        .map(|source| needed_quality(source, report.width.max(report.height), width.max(height)));
    let is_oversize = !aim.fits(report) || aim.output.converts(report);
    let most_bytes = match report.format {
        _ if !is_oversize => report.size_bytes,
        // Fewer pixels in the same palettes, or of the same quality, grow only in small files.
        Format::Gif | Format::Jpeg => {
            report.size_bytes.saturating_add(report.size_bytes.min(MAX_GROWTH))
        }
        _ => report.size_bytes.max(policy.limits.max_bytes),
    };
    Target {
        width,
        height,
        scale,
        quality: needed.map_or(policy.quality, |needed| needed.min(policy.quality)).clamp(1, 100),
        effort: policy.effort,
        target_bytes: policy.target_bytes,
        first_frame: false,
        most_bytes,
        is_oversize,
        output: aim.output,
        crop: aim.crop,
        may_reduce_colors: true,
        policy: *policy,
    }
}

/// The quality whose steps are as fine as the source's errors still are at the new size: making a
/// picture smaller averages its errors, so the steps shrink with its edge. The steps of a quality
/// are libjpeg's (`jpeg_quality_scaling`), in percent of the tables of annex K.
fn needed_quality(source: u8, from_edge: u32, to_edge: u32) -> u8 {
    let source = u64::from(source.clamp(1, 100));
    let percent = if source < 50 { 5000 / source } else { 200 - 2 * source };
    let percent = percent * u64::from(to_edge) / u64::from(from_edge.max(1));
    let needed = if percent > 100 { 5000 / percent } else { 100 - percent / 2 };
    u8::try_from(needed).unwrap_or(100).max(1)
}

/// The size that a picture may have, in the same proportions; never larger.
///
/// Up to a ratio of 1:3 it fits in a square of `edge`. Of longer pictures that would leave strips that
/// nobody can read, so their shorter side may have a third of `edge`, as far as they have no more pixels
/// than the square and their longer side is within [`longest`]'s bounds. At 1:3 both rules say the same.
fn fitted((width, height): (u32, u32), edge: u32) -> (u32, u32) {
    let (longer, edge) = (u64::from(width.max(height)), u64::from(edge.max(1)));
    let most = longest(longer, u64::from(width.min(height).max(1)), edge);
    if longer <= most {
        return (width, height);
    }
    // To the nearest pixel within the square. Beyond it down, so that what was made fits when it comes again.
    let half = if most > edge { 0 } else { longer / 2 };
    let fit = |side: u32| {
        let fitted = (u64::from(side) * most + half) / longer;
        // At most `side`, which has 32 bits.
        u32::try_from(fitted).unwrap_or(u32::MAX).max(1)
    };
    (fit(width), fit(height))
}

/// The longest side of any picture: what a WebP can have.
const MAX_LONGER: u64 = 16_383;

/// What the longer side may have of a picture with these proportions.
fn longest(longer: u64, shorter: u64, edge: u64) -> u64 {
    let by_shorter = longer.saturating_mul(edge) / shorter.saturating_mul(3);
    let by_area = (edge.saturating_mul(edge).saturating_mul(longer) / shorter).isqrt();
    by_shorter.min(by_area).min(8 * edge).min(MAX_LONGER).max(edge)
}

#[cfg(test)]
pub(crate) mod tests;
