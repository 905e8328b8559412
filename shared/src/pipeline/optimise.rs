//! Makes a picture smaller: decode; resize and turn upright; encode. Size and quality come from the
//! plan's [`Target`].

use alloc::vec::Vec;

use gif::Repeat;

use crate::{
    Format, Report,
    codec::{
        decode::{self, png::Colors},
        encode::{self, EncodeError},
        pixel_art, placeholder,
        quantise::Palette,
    },
    error::Corrupt,
    hidden_data::source::ReadPosition,
    limits::Effort,
    pace::{Pace, Pause, wait},
    plan::{Output, Target, budget, work::cost},
    raster::{
        Layout, Planes, Raster, crop, orient,
        resize::{self, Method},
    },
    report::{Color, Orientation},
    sanitize::profile,
};

pub(crate) struct Optimised {
    /// Nothing when every encoding has more bytes than the target allows.
    pub encoded: Option<Encoded>,
    pub placeholder: Vec<u8>,
}

pub(crate) struct Encoded {
    pub format: Format,
    pub bytes: Vec<u8>,
    pub width: u32,
    pub height: u32,
}

/// Pixels on their way, with what is stored beside them.
pub(crate) enum Picture {
    Jpeg(Planes, Option<Vec<u8>>),
    Png(Raster, Colors, Option<Vec<u8>>),
    WebP(Raster, Option<Vec<u8>>),
}

/// Makes a picture smaller.
pub(crate) async fn optimise(
    bytes: &[u8],
    report: &Report,
    target: &Target,
    pace: &Pace,
) -> Result<Optimised, Corrupt> {
    if report.format == Format::Gif {
        return wait!(gif(bytes, report, target, pace));
    }
    let decoded = wait!(decode(bytes, report, target, pace))?;
    pace.end_stage().await;
    let sized = wait!(resized_and_turned(decoded, report.orientation, target, pace));
    pace.end_stage().await;
    Ok(wait!(encode(sized, report, bytes.len(), target, pace)))
}

/// Encodes what is upright and at the target's size.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn encode(
    picture: Picture,
    report: &Report,
    source: usize,
    target: &Target,
    pace: &Pace,
) -> Optimised {
    match picture {
        #[cfg(feature = "derive")]
        Picture::Jpeg(planes, icc) if target.output() == Output::WebP => {
            encode_small_photo(&planes, icc.as_deref(), source, target, pace).await
        }
        Picture::Jpeg(planes, icc) => {
            encode_photo(&planes, icc.as_deref(), source, target, pace).await
        }
        Picture::Png(raster, colors, icc) => {
            let picture = UprightPicture { raster: &raster, colors: &colors, icc: icc.as_deref() };
            encode_raster(picture, report, source, target, pace).await
        }
        Picture::WebP(raster, icc) => {
            let (colors, icc) = (&Colors::default(), icc.as_deref());
            let picture = UprightPicture { raster: &raster, colors, icc };
            encode_raster(picture, report, source, target, pace).await
        }
    }
}

/// Encodes what was decoded to a raster.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn encode_raster(
    picture: UprightPicture<'_>,
    report: &Report,
    source: usize,
    target: &Target,
    pace: &Pace,
) -> Optimised {
    let has_alpha = picture.raster.layout.has_alpha();
    let is_photo = report.format == Format::WebP && !report.lossless;
    if !has_alpha && (is_photo || target.output() == Output::Jpeg) {
        // A drawing has no quality that it must keep within its bytes.
        let source = if is_photo { source } else { to_usize(target.most_bytes) };
        let planes = subsampled(picture.raster, target, pace).await;
        return encode_photo(&planes, picture.icc, source, target, pace).await;
    }
    let format = match target.output() {
        Output::Source | Output::Preview => report.format,
        Output::WebP => Format::WebP,
        Output::Compatible | Output::Jpeg | Output::Png => Format::Png,
    };
    encode_drawing(picture, format, source, target, pace).await
}

#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn decode(
    bytes: &[u8],
    report: &Report,
    target: &Target,
    pace: &Pace,
) -> Result<Picture, Corrupt> {
    let opaque = |raster: Raster| if raster.is_opaque() { raster.without_alpha() } else { raster };
    let size = (report.width, report.height);
    let icc = profile::profile(bytes, report);
    if report.format == Format::Jpeg {
        let decoded = decode::jpeg::decode(bytes, target.scale, size, pace).await?;
        let planes = decode::jpeg::planes(decoded, pace).await?;
        // That of inks speaks of inks, which are gone.
        let icc = icc.filter(|_| report.color != Color::Cmyk);
        return Ok(Picture::Jpeg(planes, icc));
    }
    if report.format == Format::Png {
        let (raster, colors) = decode::png::decode(bytes, pace).await?;
        return Ok(Picture::Png(opaque(raster), colors, icc));
    }
    let raster = decode::webp::decode(bytes, size, pace).await?;
    Ok(Picture::WebP(opaque(raster), icc))
}

#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn resized_and_turned(
    picture: Picture,
    orientation: Orientation,
    target: &Target,
    pace: &Pace,
) -> Picture {
    match picture {
        Picture::Jpeg(planes, icc) => {
            let luma = size(target);
            let chroma = encode::jpeg::chroma_size(luma, target.chroma_quality());
            let planes = resize::planes(planes, luma, chroma, pace).await;
            let samples = if planes.chroma.is_some() { 3 } else { 1 };
            turn(orientation, target, samples, pace).await;
            let planes = orient::planes(planes, orientation);
            let planes = match target.crop() {
                Some(size) => crop::planes(planes, to_usizes(size)),
                None => planes,
            };
            Picture::Jpeg(planes, icc)
        }
        Picture::Png(raster, colors, icc) => {
            let raster = upright(raster, orientation, target, pace).await;
            Picture::Png(raster, colors, icc)
        }
        Picture::WebP(raster, icc) => {
            Picture::WebP(upright(raster, orientation, target, pace).await, icc)
        }
    }
}

#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn upright(raster: Raster, orientation: Orientation, target: &Target, pace: &Pace) -> Raster {
    let raster = resized(raster, size(target), pace).await;
    turn(orientation, target, raster.layout.channels() as u64, pace).await;
    cropped(orient::raster(raster, orientation), target)
}

fn cropped(raster: Raster, target: &Target) -> Raster {
    match target.crop() {
        Some(size) => crop::raster(raster, to_usizes(size)),
        None => raster,
    }
}

/// Before a picture of so many samples a pixel is turned, by a single call.
fn turn(orientation: Orientation, target: &Target, samples: u64, pace: &Pace) -> Pause {
    let turned = if orientation == Orientation::UPRIGHT { 0 } else { samples };
    let pixels = u64::from(target.width) * u64::from(target.height);
    pace.begin(pixels.saturating_mul(turned).saturating_mul(cost::TURNED_SAMPLE))
}

const fn size(target: &Target) -> (usize, usize) {
    to_usizes((target.width, target.height))
}

const fn to_usizes((width, height): (u32, u32)) -> (usize, usize) {
    (width as usize, height as usize)
}

/// At most a side of the target, which has 32 bits.
fn length(side: usize) -> u32 {
    u32::try_from(side).unwrap_or(u32::MAX)
}

/// The raster within this size: smoothly, but enlarged pixel art exactly.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn resized(raster: Raster, size: (usize, usize), pace: &Pace) -> Raster {
    if (raster.width, raster.height) == size {
        return raster;
    }
    match pixel_art::size_within(&raster, size) {
        Some(size) => resize::raster_in_steps(&raster, size, Method::Nearest, pace).await,
        None => resize::raster_in_steps(&raster, size, Method::Smooth, pace).await,
    }
}

/// Saturates: more than the address space means no limit.
fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Encodes upright planes as JPEG within the target's bytes and the source's.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn encode_photo(
    planes: &Planes,
    icc: Option<&[u8]>,
    source: usize,
    target: &Target,
    pace: &Pace,
) -> Optimised {
    let settings = encode::jpeg::Settings { quality: target.quality, effort: target.effort, icc };
    let limit = target.target_bytes.map_or(source, |aim| to_usize(aim).min(source));
    let least = encode::jpeg::MIN_QUALITY;
    let mut bytes = encode::jpeg::best(planes, settings, least, limit, pace).await;
    let encoding_ps = encode::jpeg::work(planes, target.effort);
    if bytes.is_none() {
        // The target bytes are out of reach: the lowest quality, if it has fewer bytes than the source.
        pace.begin(encoding_ps).await;
        let settings = encode::jpeg::Settings { quality: least, ..settings };
        bytes = encode::jpeg::encode(planes, settings, source).ok();
    }
    if bytes.is_none() {
        // Fewer than the source are out of reach, too: the quality of the policy, if the source is too large.
        pace.begin(encoding_ps).await;
        let most = to_usize(budget::encoded_bytes(target, 3));
        bytes = encode::jpeg::encode(planes, settings, most).ok().filter(|_| target.is_oversize);
    }
    let encoded = bytes.map(|bytes| jpeg(planes, bytes));
    Optimised { encoded, placeholder: placeholder::of_planes(planes, Orientation::UPRIGHT) }
}

/// Encodes upright planes as lossy WebP, if that has fewer bytes than the source.
#[cfg(feature = "derive")]
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn encode_small_photo(
    planes: &Planes,
    icc: Option<&[u8]>,
    source: usize,
    target: &Target,
    pace: &Pace,
) -> Optimised {
    let settings = encode::lossy_webp::Settings { quality: target.quality, icc, limit: source };
    let bytes = encode::lossy_webp::encode_planes(planes, settings, pace).await;
    let encoded = bytes.ok().map(|bytes| Encoded { format: Format::WebP, ..jpeg(planes, bytes) });
    Optimised { encoded, placeholder: placeholder::of_planes(planes, Orientation::UPRIGHT) }
}

fn jpeg(planes: &Planes, bytes: Vec<u8>) -> Encoded {
    let (width, height) = (length(planes.luma.width), length(planes.luma.height));
    Encoded { format: Format::Jpeg, bytes, width, height }
}

#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn gif(
    bytes: &[u8],
    report: &Report,
    target: &Target,
    pace: &Pace,
) -> Result<Optimised, Corrupt> {
    let (smooth, placeholder) =
        animation(bytes, report, target, (Method::Smooth, bytes.len()), pace).await?;
    let encoded = match smooth {
        Err(EncodeError::TooLong) if target.output() != Output::WebP => {
            let method = (Method::Nearest, to_usize(target.most_bytes));
            animation(bytes, report, target, method, pace).await?.0
        }
        done => done,
    };
    let is_webp = target.output() == Output::WebP && !target.first_frame();
    let encoded = encoded.ok().map(|bytes| Encoded {
        format: if is_webp { Format::WebP } else { Format::Gif },
        bytes,
        width: target.crop().map_or(target.width, |(width, _)| width),
        height: target.crop().map_or(target.height, |(_, height)| height),
    });
    Ok(Optimised { encoded, placeholder })
}

type Written = (Result<Vec<u8>, EncodeError>, Vec<u8>);

/// Resizes frame after frame, or the first alone, which may have any number of bytes. Decoding goes on to
/// the last frame when the bytes are too many, so that a broken end is found in any case.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn animation(
    bytes: &[u8],
    report: &Report,
    target: &Target,
    (method, limit): (Method, usize),
    pace: &Pace,
) -> Result<Written, Corrupt> {
    let position = ReadPosition::default();
    let size_before = (report.width, report.height);
    let mut source = decode::gif::Animation::open(bytes, size_before, &position)?;
    let limit = if target.first_frame() { usize::MAX } else { limit };
    let mut hash = Vec::new();
    let mut out = None;
    while let Some(shown) = source.next(pace).await? {
        if let Some(Err(_)) = out {
            continue;
        }
        let canvas = resize::raster_in_steps(source.canvas(), size(target), method, pace).await;
        let canvas = cropped(canvas, target);
        if hash.is_empty() {
            hash = placeholder::of_raster(&canvas, Orientation::UPRIGHT);
        }
        let begun = out.unwrap_or_else(|| {
            AnimationWriter::begin(&canvas, source.repeat(), &shown, target, limit)
        });
        out = Some(match begun {
            Ok(mut animation) => animation.frame(canvas, shown, pace).await.map(|()| animation),
            Err(error) => Err(error),
        });
        if target.first_frame() {
            break;
        }
    }
    let written = match out.ok_or(Corrupt::NoImageData)? {
        Ok(animation) => animation.finish(pace).await,
        Err(error) => Err(error),
    };
    Ok((written, hash))
}

/// An animation in the format of the target.
enum AnimationWriter {
    Gif(encode::gif::Animation),
    #[cfg(feature = "derive")]
    WebP(encode::animated_webp::Animation),
}

impl AnimationWriter {
    #[cfg_attr(not(feature = "derive"), expect(unused_variables, reason = "one format only"))]
    fn begin(
        canvas: &Raster,
        repeat: Repeat,
        first: &decode::gif::FrameInfo,
        target: &Target,
        limit: usize,
    ) -> Result<Self, EncodeError> {
        let size = (canvas.width, canvas.height);
        #[cfg(feature = "derive")]
        if target.output() == Output::WebP && !target.first_frame() {
            // GIF counts what is played again, WebP what is played.
            let plays = match repeat {
                Repeat::Infinite => 0,
                Repeat::Finite(again) => again.saturating_add(1),
            };
            let animation =
                encode::animated_webp::Animation::begin(size, plays, target.quality, limit);
            return Ok(Self::WebP(animation));
        }
        encode::gif::Animation::begin(size, repeat, &first.palette, limit).map(Self::Gif)
    }

    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    async fn frame(
        &mut self,
        canvas: Raster,
        info: decode::gif::FrameInfo,
        pace: &Pace,
    ) -> Result<(), EncodeError> {
        match self {
            Self::Gif(animation) => animation.frame(canvas, info, pace).await,
            #[cfg(feature = "derive")]
            Self::WebP(animation) => {
                animation.frame(canvas, u32::from(info.delay) * 10, pace).await
            }
        }
    }

    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    async fn finish(self, pace: &Pace) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Gif(animation) => animation.finish(pace).await,
            #[cfg(feature = "derive")]
            Self::WebP(animation) => animation.finish(),
        }
    }
}

/// Planes with the chroma size of a JPEG of the target's quality.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn subsampled(raster: &Raster, target: &Target, pace: &Pace) -> Planes {
    let pixels = (raster.width * raster.height) as u64;
    pace.begin(pixels.saturating_mul(cost::CONVERTED_PIXEL)).await;
    let planes = decode::jpeg::from_raster(raster);
    let luma = (planes.luma.width, planes.luma.height);
    resize::planes(planes, luma, encode::jpeg::chroma_size(luma, target.quality), pace).await
}

/// An upright raster with the colour information that is stored with it.
#[derive(Clone, Copy)]
struct UprightPicture<'a> {
    raster: &'a Raster,
    colors: &'a Colors,
    icc: Option<&'a [u8]>,
}

/// Encodes an upright raster of a source that was coded without loss:
/// - in all its colours or, where nobody sees the difference, in 256: whichever has fewer bytes;
/// - as a JPEG when it is opaque and has more bytes than are aimed for, or for a preview when that at
///   least halves them;
/// - as lossy WebP when it is not opaque, WebP is asked for and that has at most half the bytes;
/// - in 256 colours in any case when it would have more bytes than the source or than are aimed for.
///
/// A source in WebP stays one where that is the smallest; one in PNG stays PNG.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn encode_drawing(
    picture: UprightPicture<'_>,
    format: Format,
    source: usize,
    target: &Target,
    pace: &Pace,
) -> Optimised {
    let placeholder = placeholder::of_raster(picture.raster, Orientation::UPRIGHT);
    Optimised { encoded: smallest(picture, format, source, target, pace).await, placeholder }
}

#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn smallest(
    picture: UprightPicture<'_>,
    format: Format,
    source: usize,
    target: &Target,
    pace: &Pace,
) -> Option<Encoded> {
    let UprightPicture { raster, icc, .. } = picture;
    let most = to_usize(budget::encoded_bytes(target, raster.layout.channels() as u64));
    let palette = if target.may_reduce_colors { palette(picture, pace).await } else { None };
    let close = palette.as_ref().filter(|palette| palette.is_close);
    let best = encode_lossless(picture, format, close, (target.effort, most), pace).await;
    let size_bytes = best.as_ref().map_or(usize::MAX, |best| best.bytes.len());
    #[cfg(feature = "derive")]
    if let Some(lossy) = lossy_with_alpha(picture, size_bytes / 2, target, pace).await {
        return Some(lossy);
    }
    let aim = target.target_bytes.map_or(most, to_usize);
    let may_be_jpeg = !raster.layout.has_alpha()
        && target.policy.accepted_types.contains(Format::Jpeg)
        && target.output() != Output::Png;
    if may_be_jpeg && (size_bytes > aim || target.output().is_preview()) {
        let Target { quality, effort, .. } = *target;
        let settings = encode::jpeg::Settings { quality, effort, icc };
        let planes = subsampled(raster, target, pace).await;
        let bytes = if size_bytes > aim {
            let least = encode::jpeg::MIN_QUALITY;
            encode::jpeg::best(&planes, settings, least, aim.min(most), pace).await
        } else {
            pace.begin(encode::jpeg::work(&planes, effort)).await;
            encode::jpeg::encode(&planes, settings, size_bytes / 2).ok()
        };
        if let Some(bytes) = bytes {
            return Some(jpeg(&planes, bytes));
        }
    }
    let palette = palette.filter(|palette| !palette.is_close && size_bytes > aim.min(source));
    let few = match palette {
        Some(palette) => {
            let limit = most.min(size_bytes);
            encode_palette(picture, &palette, target.effort, limit, pace).await
        }
        None => None,
    };
    few.or(best)
}

/// A picture with transparent pixels as lossy WebP, where that is asked for and has at most so many bytes. Pixel art
/// stays exact.
#[cfg(feature = "derive")]
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn lossy_with_alpha(
    picture: UprightPicture<'_>,
    limit: usize,
    target: &Target,
    pace: &Pace,
) -> Option<Encoded> {
    let UprightPicture { raster, icc, .. } = picture;
    let is_wanted = target.may_be_lossy_with_alpha() && raster.layout.has_alpha();
    if !is_wanted || pixel_art::size_within(raster, (raster.width, raster.height)).is_some() {
        return None;
    }
    let settings = encode::lossy_webp::Settings { quality: target.quality, icc, limit };
    let bytes = encode::lossy_webp::encode(raster, settings, pace).await;
    bytes.ok().map(|bytes| encoded(picture, Format::WebP, bytes))
}

/// At most 256 colours for a picture that has more; none for gray with a profile, as that of gray is none
/// of a palette, and none for pixel art, which stays exact.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn palette(picture: UprightPicture<'_>, pace: &Pace) -> Option<Palette> {
    let gray = matches!(picture.raster.layout, Layout::Gray | Layout::GrayAlpha);
    let size = (picture.raster.width, picture.raster.height);
    let is_pixel_art = pixel_art::size_within(picture.raster, size).is_some();
    if is_pixel_art || (gray && picture.icc.is_some()) {
        return None;
    }
    Palette::of(picture.raster, pace).await
}

/// The smallest within `limit`: in close colours, if there are, in all colours, and as WebP if it was one.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn encode_lossless(
    picture: UprightPicture<'_>,
    format: Format,
    close: Option<&Palette>,
    (effort, mut limit): (Effort, usize),
    pace: &Pace,
) -> Option<Encoded> {
    let UprightPicture { raster, colors, icc } = picture;
    let mut best = match close {
        Some(palette) => encode_palette(picture, palette, effort, limit, pace).await,
        None => None,
    };
    limit = best.as_ref().map_or(limit, |best| best.bytes.len() - 1);
    let settings = encode::png::Settings { colors, icc, effort };
    if let Ok(bytes) = encode::png::encode(raster, settings, limit, pace).await {
        limit = bytes.len() - 1;
        best = Some(encoded(picture, Format::Png, bytes));
    }
    if format == Format::WebP {
        let pixels = (raster.width * raster.height) as u64;
        pace.begin(pixels.saturating_mul(cost::LOSSLESS_WRITTEN_PIXEL)).await;
        if let Ok(bytes) = encode::webp::encode(raster, icc, limit) {
            best = Some(encoded(picture, Format::WebP, bytes));
        }
    }
    best
}

#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn encode_palette(
    picture: UprightPicture<'_>,
    palette: &Palette,
    effort: Effort,
    limit: usize,
    pace: &Pace,
) -> Option<Encoded> {
    let UprightPicture { raster, colors, icc } = picture;
    let settings = encode::png::Settings { colors, icc, effort };
    let size = (raster.width, raster.height);
    let indexed = palette.paint(raster, pace).await;
    let bytes = encode::png::encode_indexed(indexed, size, settings, limit, pace).await;
    bytes.ok().map(|bytes| encoded(picture, Format::Png, bytes))
}

fn encoded(picture: UprightPicture<'_>, format: Format, bytes: Vec<u8>) -> Encoded {
    let (width, height) = (length(picture.raster.width), length(picture.raster.height));
    Encoded { format, bytes, width, height }
}

/// The lowest quality that is tried to get fewer bytes than the source of pixels that a browser decoded.
const MIN_FOREIGN_QUALITY: u8 = 60;

/// Sources with fewer bytes are not resized below the target: there is little to save, and the page asked for
/// that size.
const MIN_RESIZED_SOURCE: usize = 64 * 1024;

/// Encodes pixels that a browser decoded: as JPEG when they are opaque; without loss when they are not, or when
/// a drawing (`is_drawn`) has fewer bytes that way.
///
/// Newer codecs need fewer bytes than JPEG and PNG. A picture that would grow is therefore encoded with more
/// effort and lower quality, down to 60; then, from [`MIN_RESIZED_SOURCE`] on, at three quarters and at half its
/// size. If every attempt has more bytes than the source, the size and quality of the policy stay.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn pixels(
    raster: Raster,
    orientation: Orientation,
    is_drawn: bool,
    source: usize,
    target: &Target,
    pace: &Pace,
) -> Optimised {
    let raster = if raster.is_opaque() { raster.without_alpha() } else { raster };
    let raster = orient::raster(resized(raster, size(target), pace).await, orientation);
    let placeholder = placeholder::of_raster(&raster, Orientation::UPRIGHT);
    let whole = encode_within(&raster, is_drawn, usize::MAX, target, pace).await;
    if whole.as_ref().is_some_and(|whole| whole.bytes.len() <= source) {
        return Optimised { encoded: whole, placeholder };
    }
    let small = &Target { effort: Effort::Small, ..*target };
    let mut smaller = encode_within(&raster, is_drawn, source, small, pace).await;
    let steps: &[usize] = if source < MIN_RESIZED_SOURCE { &[] } else { &[3, 2] };
    for quarters in steps {
        let part = |side: usize| (side * quarters / 4).max(1);
        let size = (part(raster.width), part(raster.height));
        let is_allowed = target.policy.check_dimensions((length(size.0), length(size.1))).is_ok();
        if smaller.is_none() && is_allowed {
            let raster = resize::raster_in_steps(&raster, size, Method::Smooth, pace).await;
            smaller = encode_within(&raster, is_drawn, source, small, pace).await;
        }
    }
    Optimised { encoded: smaller.or(whole), placeholder }
}

/// Encodes within the target's bytes and within `limit`, at lower quality if necessary.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn encode_within(
    raster: &Raster,
    is_drawn: bool,
    limit: usize,
    target: &Target,
    pace: &Pace,
) -> Option<Encoded> {
    let most = to_usize(target.most_bytes).min(limit);
    let target = Target { most_bytes: most as u64, target_bytes: Some(most as u64), ..*target };
    let picture = UprightPicture { raster, colors: &Colors::default(), icc: None };
    let accepted = target.policy.accepted_types;
    let lossless = if accepted.contains(Format::WebP) { Format::WebP } else { Format::Png };
    if raster.layout.has_alpha() {
        return smallest(picture, lossless, most, &target, pace).await;
    }
    let planes = subsampled(raster, &target, pace).await;
    let settings =
        encode::jpeg::Settings { quality: target.quality, effort: target.effort, icc: None };
    let least = if limit == usize::MAX { encode::jpeg::MIN_QUALITY } else { MIN_FOREIGN_QUALITY };
    let least = least.min(target.quality);
    let made = encode::jpeg::best(&planes, settings, least, most, pace).await;
    let made = made.map(|bytes| jpeg(&planes, bytes));
    if !is_drawn || !accepted.contains(Format::Png) {
        return made;
    }
    let fewer = made.as_ref().map_or(most, |made| made.bytes.len());
    let palette = palette(picture, pace).await.filter(|palette| palette.is_close);
    let limits = (target.effort, fewer);
    encode_lossless(picture, lossless, palette.as_ref(), limits, pace).await.or(made)
}
