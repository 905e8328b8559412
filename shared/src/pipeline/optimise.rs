//! Makes a picture smaller, in steps: decode; resize and turn upright; encode. Which size and quality
//! is aimed for stands in the plan's target.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::{
    Format, Report,
    codec::{
        decode::{self, png::Colors},
        encode::{self, EncodeError},
        pixel_art, placeholder,
        quantise::Palette,
    },
    error::Corrupt,
    limits::Effort,
    plan::{Target, budget},
    raster::{
        Layout, Planes, Raster, orient,
        resize::{self, Method},
    },
    report::{Color, Orientation},
    sanitize::profile,
};

/// What optimising came to.
pub(crate) struct Optimised {
    /// Nothing when no encoding has as few bytes as the target wants.
    pub encoded: Option<Encoded>,
    pub placeholder: Vec<u8>,
}

/// An encoded picture, upright.
pub(crate) struct Encoded {
    pub format: Format,
    pub bytes: Vec<u8>,
    pub width: u32,
    pub height: u32,
}

/// How far it has come. From one stage to the next is a step that a page can do between two frames.
pub(crate) enum Stage {
    Begun,
    /// As large as it was decoded.
    Decoded(Picture),
    /// At the target's size, and upright.
    Sized(Picture),
}

/// Pixels on their way, with what is stored beside them.
pub(crate) enum Picture {
    Jpeg(Planes, Option<Vec<u8>>),
    Png(Raster, Colors, Option<Vec<u8>>),
    WebP(Raster, Option<Vec<u8>>),
}

/// Makes the next step. An animation is made smaller in one, frame after frame.
pub(crate) fn advance(
    stage: Stage,
    bytes: &[u8],
    report: &Report,
    target: &Target,
) -> Result<ControlFlow<Optimised, Stage>, Corrupt> {
    Ok(match stage {
        Stage::Begun if report.format == Format::Gif => {
            ControlFlow::Break(gif(bytes, report, target)?)
        }
        Stage::Begun => ControlFlow::Continue(Stage::Decoded(decode(bytes, report, target)?)),
        Stage::Decoded(picture) => {
            ControlFlow::Continue(Stage::Sized(sized(picture, report.orientation, target)))
        }
        Stage::Sized(Picture::Jpeg(planes, icc)) => {
            ControlFlow::Break(photo(&planes, icc.as_deref(), bytes.len(), target))
        }
        Stage::Sized(Picture::Png(raster, colors, icc)) => {
            let raster = Upright { raster: &raster, colors: &colors, icc: icc.as_deref() };
            ControlFlow::Break(drawing(raster, Format::Png, bytes.len(), target))
        }
        Stage::Sized(Picture::WebP(raster, icc)) => {
            if !report.lossless && !raster.layout.has_alpha() {
                let planes = subsampled(&raster, target);
                return Ok(ControlFlow::Break(photo(&planes, icc.as_deref(), bytes.len(), target)));
            }
            let (colors, icc) = (&Colors::default(), icc.as_deref());
            let raster = Upright { raster: &raster, colors, icc };
            ControlFlow::Break(drawing(raster, Format::WebP, bytes.len(), target))
        }
    })
}

fn decode(bytes: &[u8], report: &Report, target: &Target) -> Result<Picture, Corrupt> {
    let opaque = |raster: Raster| if raster.is_opaque() { raster.without_alpha() } else { raster };
    let size = (report.width, report.height);
    let icc = profile::profile(bytes, report);
    if report.format == Format::Jpeg {
        let decoded = decode::jpeg::decode(bytes, target.scale, size)?;
        let planes = decode::jpeg::planes(decoded)?;
        // That of inks speaks of inks, which are gone.
        let icc = icc.filter(|_| report.color != Color::Cmyk);
        return Ok(Picture::Jpeg(planes, icc));
    }
    if report.format == Format::Png {
        let (raster, colors) = decode::png::decode(bytes)?;
        return Ok(Picture::Png(opaque(raster), colors, icc));
    }
    let raster = decode::webp::decode(bytes, size)?;
    Ok(Picture::WebP(opaque(raster), icc))
}

fn sized(picture: Picture, orientation: Orientation, target: &Target) -> Picture {
    let upright = |raster| orient::raster(resized(raster, size(target)), orientation);
    match picture {
        Picture::Jpeg(planes, icc) => {
            let luma = size(target);
            let chroma = encode::jpeg::chroma_size(luma, target.quality);
            let planes = resize::planes(planes, luma, chroma);
            Picture::Jpeg(orient::planes(planes, orientation), icc)
        }
        Picture::Png(raster, colors, icc) => Picture::Png(upright(raster), colors, icc),
        Picture::WebP(raster, icc) => Picture::WebP(upright(raster), icc),
    }
}

const fn size(target: &Target) -> (usize, usize) {
    (target.width as usize, target.height as usize)
}

/// A side of what was made: at most a side of the target, which has 32 bits.
fn length(side: usize) -> u32 {
    u32::try_from(side).unwrap_or(u32::MAX)
}

/// The raster within this size: smoothly, but enlarged pixel art exactly.
fn resized(raster: Raster, size: (usize, usize)) -> Raster {
    if (raster.width, raster.height) == size {
        return raster;
    }
    match pixel_art::size_within(&raster, size) {
        Some(size) => resize::raster(&raster, size, Method::Nearest),
        None => resize::raster(&raster, size, Method::Smooth),
    }
}

/// As a length of memory; beyond what there is means without limit.
fn memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Encodes upright planes as JPEG within the target's bytes and the source's.
fn photo(planes: &Planes, icc: Option<&[u8]>, source: usize, target: &Target) -> Optimised {
    let settings = encode::jpeg::Settings { quality: target.quality, effort: target.effort, icc };
    let limit = target.target_bytes.map_or(source, |aim| memory(aim).min(source));
    let bytes = encode::jpeg::best(planes, settings, encode::jpeg::MIN_QUALITY, limit)
        .or_else(|| {
            // The aim is out of reach: as few bytes as there can be, if they are fewer at all.
            let quality = encode::jpeg::MIN_QUALITY;
            let settings = encode::jpeg::Settings { quality, ..settings };
            encode::jpeg::encode(planes, settings, source).ok()
        })
        .or_else(|| {
            // Fewer than the source are out of reach, too: as it is meant to be, if it has to be smaller.
            let most = memory(budget::encoded_bytes(target, 3));
            encode::jpeg::encode(planes, settings, most).ok().filter(|_| target.is_oversize)
        });
    let encoded = bytes.map(|bytes| jpeg(planes, bytes));
    Optimised { encoded, placeholder: placeholder::of_planes(planes, Orientation::UPRIGHT) }
}

fn jpeg(planes: &Planes, bytes: Vec<u8>) -> Encoded {
    let (width, height) = (length(planes.luma.width), length(planes.luma.height));
    Encoded { format: Format::Jpeg, bytes, width, height }
}

fn gif(bytes: &[u8], report: &Report, target: &Target) -> Result<Optimised, Corrupt> {
    let (smooth, placeholder) = animation(bytes, report, target, Method::Smooth, bytes.len())?;
    let encoded = match smooth {
        Err(EncodeError::TooLong) => {
            animation(bytes, report, target, Method::Nearest, memory(target.most_bytes))?.0
        }
        done => done,
    };
    let encoded = encoded.ok().map(|bytes| Encoded {
        format: Format::Gif,
        bytes,
        width: target.width,
        height: target.height,
    });
    Ok(Optimised { encoded, placeholder })
}

type Written = (Result<Vec<u8>, EncodeError>, Vec<u8>);

/// Resizes frame after frame, or the first alone, which may have any number of bytes. Decoding goes on to
/// the last frame when the bytes are too many, so that a broken end is found in any case.
fn animation(
    bytes: &[u8],
    report: &Report,
    target: &Target,
    method: Method,
    limit: usize,
) -> Result<Written, Corrupt> {
    let mut source = decode::gif::Animation::open(bytes, (report.width, report.height))?;
    let limit = if target.first_frame { usize::MAX } else { limit };
    let mut hash = Vec::new();
    let mut out = None;
    while let Some(shown) = source.next()? {
        if let Some(Err(_)) = out {
            continue;
        }
        let canvas = resize::raster(source.canvas(), size(target), method);
        if hash.is_empty() {
            hash = placeholder::of_raster(&canvas, Orientation::UPRIGHT);
        }
        let begun = out.unwrap_or_else(|| {
            let (size, repeat) = (size(target), source.repeat());
            encode::gif::Animation::begin(size, repeat, &shown.palette, limit)
        });
        out = Some(begun.and_then(|mut animation| {
            animation.frame(canvas, shown)?;
            Ok(animation)
        }));
        if target.first_frame {
            break;
        }
    }
    let out = out.ok_or(Corrupt::NoImageData)?;
    Ok((out.and_then(encode::gif::Animation::finish), hash))
}

/// As a JPEG of the target's quality holds it.
fn subsampled(raster: &Raster, target: &Target) -> Planes {
    let planes = decode::jpeg::from_raster(raster);
    let luma = (planes.luma.width, planes.luma.height);
    resize::planes(planes, luma, encode::jpeg::chroma_size(luma, target.quality))
}

/// What is to be encoded, with what is stored beside it.
#[derive(Clone, Copy)]
struct Upright<'a> {
    raster: &'a Raster,
    colors: &'a Colors,
    icc: Option<&'a [u8]>,
}

/// Encodes an upright raster of a source that was coded without loss:
/// - in all its colours or, where nobody sees the difference, in 256: whichever has fewer bytes;
/// - as a JPEG when it is opaque and has more bytes than are aimed for, or for a preview when that at
///   least halves them;
/// - in 256 colours in any case when it would have more bytes than the source or than are aimed for.
///
/// A source in WebP stays one where that is the smallest; one in PNG stays PNG.
fn drawing(it: Upright<'_>, format: Format, source: usize, target: &Target) -> Optimised {
    let placeholder = placeholder::of_raster(it.raster, Orientation::UPRIGHT);
    Optimised { encoded: smallest(it, format, source, target), placeholder }
}

fn smallest(it: Upright<'_>, format: Format, source: usize, target: &Target) -> Option<Encoded> {
    let Upright { raster, icc, .. } = it;
    let most = memory(budget::encoded_bytes(target, raster.layout.channels() as u64));
    let palette = palette(it);
    let close = palette.as_ref().filter(|palette| palette.is_close);
    let best = without_loss(it, format, close, target.effort, most);
    let size_bytes = best.as_ref().map_or(usize::MAX, |best| best.bytes.len());
    let aim = target.target_bytes.map_or(most, memory);
    if !raster.layout.has_alpha() && (size_bytes > aim || target.is_preview) {
        let Target { quality, effort, .. } = *target;
        let settings = encode::jpeg::Settings { quality, effort, icc };
        let planes = subsampled(raster, target);
        let bytes = if size_bytes > aim {
            encode::jpeg::best(&planes, settings, encode::jpeg::MIN_QUALITY, aim.min(most))
        } else {
            encode::jpeg::encode(&planes, settings, size_bytes / 2).ok()
        };
        if let Some(bytes) = bytes {
            return Some(jpeg(&planes, bytes));
        }
    }
    let palette = palette.filter(|palette| !palette.is_close && size_bytes > aim.min(source));
    palette.and_then(|palette| few(it, &palette, target.effort, most.min(size_bytes))).or(best)
}

/// At most 256 colours for a picture that has more; none for gray with a profile, as that of gray is none
/// of a palette, and none for pixel art, which stays exact.
fn palette(it: Upright<'_>) -> Option<Palette> {
    let gray = matches!(it.raster.layout, Layout::Gray | Layout::GrayAlpha);
    let size = (it.raster.width, it.raster.height);
    let is_pixel_art = pixel_art::size_within(it.raster, size).is_some();
    if is_pixel_art || (gray && it.icc.is_some()) { None } else { Palette::of(it.raster) }
}

/// The smallest within `limit`: in close colours, if there are, in all colours, and as WebP if it was one.
fn without_loss(
    it: Upright<'_>,
    format: Format,
    close: Option<&Palette>,
    effort: Effort,
    mut limit: usize,
) -> Option<Encoded> {
    let Upright { raster, colors, icc } = it;
    let mut best = close.and_then(|palette| few(it, palette, effort, limit));
    limit = best.as_ref().map_or(limit, |best| best.bytes.len() - 1);
    let settings = encode::png::Settings { colors, icc, effort };
    if let Ok(bytes) = encode::png::encode(raster, settings, limit) {
        limit = bytes.len() - 1;
        best = Some(encoded(it, Format::Png, bytes));
    }
    if format == Format::WebP
        && let Ok(bytes) = encode::webp::encode(raster, icc, limit)
    {
        best = Some(encoded(it, Format::WebP, bytes));
    }
    best
}

/// In the colours of a palette.
fn few(it: Upright<'_>, palette: &Palette, effort: Effort, limit: usize) -> Option<Encoded> {
    let Upright { raster, colors, icc } = it;
    let settings = encode::png::Settings { colors, icc, effort };
    let size = (raster.width, raster.height);
    let bytes = encode::png::encode_indexed(palette.paint(raster), size, settings, limit);
    bytes.ok().map(|bytes| encoded(it, Format::Png, bytes))
}

fn encoded(it: Upright<'_>, format: Format, bytes: Vec<u8>) -> Encoded {
    let (width, height) = (length(it.raster.width), length(it.raster.height));
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
pub(crate) fn pixels(
    raster: Raster,
    orientation: Orientation,
    is_drawn: bool,
    source: usize,
    target: &Target,
) -> Optimised {
    let raster = if raster.is_opaque() { raster.without_alpha() } else { raster };
    let raster = orient::raster(resized(raster, size(target)), orientation);
    let placeholder = placeholder::of_raster(&raster, Orientation::UPRIGHT);
    let whole = foreign(&raster, is_drawn, usize::MAX, target);
    let has_grown = whole.as_ref().is_none_or(|whole| whole.bytes.len() > source);
    let smaller = || {
        let target = Target { effort: Effort::Small, ..*target };
        foreign(&raster, is_drawn, source, &target).or_else(|| {
            let steps: &[usize] = if source < MIN_RESIZED_SOURCE { &[] } else { &[3, 2] };
            steps.iter().find_map(|quarters| {
                let part = |side: usize| (side * quarters / 4).max(1);
                let size = (part(raster.width), part(raster.height));
                let raster = resize::raster(&raster, size, Method::Smooth);
                foreign(&raster, is_drawn, source, &target)
            })
        })
    };
    let smaller = if has_grown { smaller() } else { None };
    Optimised { encoded: smaller.or(whole), placeholder }
}

/// Within the target's bytes; and within `limit`, for which quality is given up.
fn foreign(raster: &Raster, is_drawn: bool, limit: usize, target: &Target) -> Option<Encoded> {
    let most = memory(target.most_bytes).min(limit);
    let target = Target { most_bytes: most as u64, target_bytes: Some(most as u64), ..*target };
    let it = Upright { raster, colors: &Colors::default(), icc: None };
    if raster.layout.has_alpha() {
        return smallest(it, Format::WebP, most, &target);
    }
    let planes = subsampled(raster, &target);
    let settings =
        encode::jpeg::Settings { quality: target.quality, effort: target.effort, icc: None };
    let least = if limit == usize::MAX { encode::jpeg::MIN_QUALITY } else { MIN_FOREIGN_QUALITY };
    let made = encode::jpeg::best(&planes, settings, least.min(target.quality), most);
    let made = made.map(|bytes| jpeg(&planes, bytes));
    if !is_drawn {
        return made;
    }
    let fewer = made.as_ref().map_or(most, |made| made.bytes.len());
    let palette = palette(it).filter(|palette| palette.is_close);
    without_loss(it, Format::WebP, palette.as_ref(), target.effort, fewer).or(made)
}
