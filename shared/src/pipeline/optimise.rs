//! Makes a picture smaller in steps: decode; resize and turn upright; encode. Size and quality come from the
//! plan's [`Target`].

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

/// The state between two steps.
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

/// Makes the next step. An animation takes one step for all its frames.
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
        Stage::Decoded(picture) => ControlFlow::Continue(Stage::Sized(resized_and_turned(
            picture,
            report.orientation,
            target,
        ))),
        Stage::Sized(Picture::Jpeg(planes, icc)) => {
            ControlFlow::Break(encode_photo(&planes, icc.as_deref(), bytes.len(), target))
        }
        Stage::Sized(Picture::Png(raster, colors, icc)) => {
            let raster = UprightPicture { raster: &raster, colors: &colors, icc: icc.as_deref() };
            ControlFlow::Break(encode_drawing(raster, Format::Png, bytes.len(), target))
        }
        Stage::Sized(Picture::WebP(raster, icc)) => {
            if !report.lossless && !raster.layout.has_alpha() {
                let planes = subsampled(&raster, target);
                return Ok(ControlFlow::Break(encode_photo(
                    &planes,
                    icc.as_deref(),
                    bytes.len(),
                    target,
                )));
            }
            let (colors, icc) = (&Colors::default(), icc.as_deref());
            let raster = UprightPicture { raster: &raster, colors, icc };
            ControlFlow::Break(encode_drawing(raster, Format::WebP, bytes.len(), target))
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

fn resized_and_turned(picture: Picture, orientation: Orientation, target: &Target) -> Picture {
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

/// At most a side of the target, which has 32 bits.
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

/// Saturates: more than the address space means no limit.
fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Encodes upright planes as JPEG within the target's bytes and the source's.
fn encode_photo(planes: &Planes, icc: Option<&[u8]>, source: usize, target: &Target) -> Optimised {
    let settings = encode::jpeg::Settings { quality: target.quality, effort: target.effort, icc };
    let limit = target.target_bytes.map_or(source, |aim| to_usize(aim).min(source));
    let bytes = encode::jpeg::best(planes, settings, encode::jpeg::MIN_QUALITY, limit)
        .or_else(|| {
            // The target bytes are out of reach: the lowest quality, if it has fewer bytes than the source.
            let quality = encode::jpeg::MIN_QUALITY;
            let settings = encode::jpeg::Settings { quality, ..settings };
            encode::jpeg::encode(planes, settings, source).ok()
        })
        .or_else(|| {
            // Fewer than the source are out of reach, too: the quality of the policy, if the source is too large.
            let most = to_usize(budget::encoded_bytes(target, 3));
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
            animation(bytes, report, target, Method::Nearest, to_usize(target.most_bytes))?.0
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

/// Planes with the chroma size of a JPEG of the target's quality.
fn subsampled(raster: &Raster, target: &Target) -> Planes {
    let planes = decode::jpeg::from_raster(raster);
    let luma = (planes.luma.width, planes.luma.height);
    resize::planes(planes, luma, encode::jpeg::chroma_size(luma, target.quality))
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
/// - in 256 colours in any case when it would have more bytes than the source or than are aimed for.
///
/// A source in WebP stays one where that is the smallest; one in PNG stays PNG.
fn encode_drawing(
    picture: UprightPicture<'_>,
    format: Format,
    source: usize,
    target: &Target,
) -> Optimised {
    let placeholder = placeholder::of_raster(picture.raster, Orientation::UPRIGHT);
    Optimised { encoded: smallest(picture, format, source, target), placeholder }
}

fn smallest(
    picture: UprightPicture<'_>,
    format: Format,
    source: usize,
    target: &Target,
) -> Option<Encoded> {
    let UprightPicture { raster, icc, .. } = picture;
    let most = to_usize(budget::encoded_bytes(target, raster.layout.channels() as u64));
    let palette = if target.may_reduce_colors { palette(picture) } else { None };
    let close = palette.as_ref().filter(|palette| palette.is_close);
    let best = encode_lossless(picture, format, close, target.effort, most);
    let size_bytes = best.as_ref().map_or(usize::MAX, |best| best.bytes.len());
    let aim = target.target_bytes.map_or(most, to_usize);
    let may_be_jpeg =
        !raster.layout.has_alpha() && target.policy.accepted_types.contains(Format::Jpeg);
    if may_be_jpeg && (size_bytes > aim || target.is_preview) {
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
    palette
        .and_then(|palette| encode_palette(picture, &palette, target.effort, most.min(size_bytes)))
        .or(best)
}

/// At most 256 colours for a picture that has more; none for gray with a profile, as that of gray is none
/// of a palette, and none for pixel art, which stays exact.
fn palette(picture: UprightPicture<'_>) -> Option<Palette> {
    let gray = matches!(picture.raster.layout, Layout::Gray | Layout::GrayAlpha);
    let size = (picture.raster.width, picture.raster.height);
    let is_pixel_art = pixel_art::size_within(picture.raster, size).is_some();
    if is_pixel_art || (gray && picture.icc.is_some()) { None } else { Palette::of(picture.raster) }
}

/// The smallest within `limit`: in close colours, if there are, in all colours, and as WebP if it was one.
fn encode_lossless(
    picture: UprightPicture<'_>,
    format: Format,
    close: Option<&Palette>,
    effort: Effort,
    mut limit: usize,
) -> Option<Encoded> {
    let UprightPicture { raster, colors, icc } = picture;
    let mut best = close.and_then(|palette| encode_palette(picture, palette, effort, limit));
    limit = best.as_ref().map_or(limit, |best| best.bytes.len() - 1);
    let settings = encode::png::Settings { colors, icc, effort };
    if let Ok(bytes) = encode::png::encode(raster, settings, limit) {
        limit = bytes.len() - 1;
        best = Some(encoded(picture, Format::Png, bytes));
    }
    if format == Format::WebP
        && let Ok(bytes) = encode::webp::encode(raster, icc, limit)
    {
        best = Some(encoded(picture, Format::WebP, bytes));
    }
    best
}

fn encode_palette(
    picture: UprightPicture<'_>,
    palette: &Palette,
    effort: Effort,
    limit: usize,
) -> Option<Encoded> {
    let UprightPicture { raster, colors, icc } = picture;
    let settings = encode::png::Settings { colors, icc, effort };
    let size = (raster.width, raster.height);
    let bytes = encode::png::encode_indexed(palette.paint(raster), size, settings, limit);
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
    let whole = encode_within(&raster, is_drawn, usize::MAX, target);
    let has_grown = whole.as_ref().is_none_or(|whole| whole.bytes.len() > source);
    let smaller = || {
        let target = Target { effort: Effort::Small, ..*target };
        encode_within(&raster, is_drawn, source, &target).or_else(|| {
            let steps: &[usize] = if source < MIN_RESIZED_SOURCE { &[] } else { &[3, 2] };
            steps.iter().find_map(|quarters| {
                let part = |side: usize| (side * quarters / 4).max(1);
                let size = (part(raster.width), part(raster.height));
                target.policy.check_dimensions((length(size.0), length(size.1))).ok()?;
                let raster = resize::raster(&raster, size, Method::Smooth);
                encode_within(&raster, is_drawn, source, &target)
            })
        })
    };
    let smaller = if has_grown { smaller() } else { None };
    Optimised { encoded: smaller.or(whole), placeholder }
}

/// Encodes within the target's bytes and within `limit`, at lower quality if necessary.
fn encode_within(
    raster: &Raster,
    is_drawn: bool,
    limit: usize,
    target: &Target,
) -> Option<Encoded> {
    let most = to_usize(target.most_bytes).min(limit);
    let target = Target { most_bytes: most as u64, target_bytes: Some(most as u64), ..*target };
    let picture = UprightPicture { raster, colors: &Colors::default(), icc: None };
    let accepted = target.policy.accepted_types;
    let lossless = if accepted.contains(Format::WebP) { Format::WebP } else { Format::Png };
    if raster.layout.has_alpha() {
        return smallest(picture, lossless, most, &target);
    }
    let planes = subsampled(raster, &target);
    let settings =
        encode::jpeg::Settings { quality: target.quality, effort: target.effort, icc: None };
    let least = if limit == usize::MAX { encode::jpeg::MIN_QUALITY } else { MIN_FOREIGN_QUALITY };
    let made = encode::jpeg::best(&planes, settings, least.min(target.quality), most);
    let made = made.map(|bytes| jpeg(&planes, bytes));
    if !is_drawn || !accepted.contains(Format::Png) {
        return made;
    }
    let fewer = made.as_ref().map_or(most, |made| made.bytes.len());
    let palette = palette(picture).filter(|palette| palette.is_close);
    encode_lossless(picture, lossless, palette.as_ref(), target.effort, fewer).or(made)
}
