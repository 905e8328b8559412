//! Makes a picture smaller, in steps: decode; resize and turn upright; encode. Which size and quality
//! is aimed for stands in the plan's target.

use alloc::vec::Vec;

use crate::{
    Format, Report,
    decode::{self, png::Colors},
    encode::{self, EncodeError},
    error::Corrupt,
    icc, orient, placeholder,
    plan::Target,
    probe::{Color, Orientation},
    raster::{Planes, Raster},
    resize::{self, Method},
};

/// What optimising came to.
pub(crate) struct Optimised {
    /// Nothing when no encoding has fewer bytes than the source.
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

/// What a step came to.
pub(crate) enum Progress {
    Further(Stage),
    Done(Optimised),
}

/// Makes the next step. An animation is made smaller in one, frame after frame.
pub(crate) fn advance(
    stage: Stage,
    bytes: &[u8],
    report: &Report,
    target: &Target,
) -> Result<Progress, Corrupt> {
    Ok(match stage {
        Stage::Begun if report.format == Format::Gif => Progress::Done(gif(bytes, report, target)?),
        Stage::Begun => Progress::Further(Stage::Decoded(decode(bytes, report, target)?)),
        Stage::Decoded(picture) => {
            Progress::Further(Stage::Sized(sized(picture, report.orientation, target)))
        }
        Stage::Sized(Picture::Jpeg(planes, icc)) => {
            Progress::Done(photo(&planes, icc.as_deref(), bytes.len(), target))
        }
        Stage::Sized(Picture::Png(raster, colors, icc)) => {
            let colors = (&colors, icc.as_deref());
            Progress::Done(png(raster, colors, bytes, report, target)?)
        }
        Stage::Sized(Picture::WebP(raster, icc)) => {
            Progress::Done(webp(&raster, icc.as_deref(), bytes, report, target))
        }
    })
}

fn decode(bytes: &[u8], report: &Report, target: &Target) -> Result<Picture, Corrupt> {
    let opaque = |raster: Raster| if raster.is_opaque() { raster.without_alpha() } else { raster };
    let size = (report.width, report.height);
    let icc = icc::embedded::profile(bytes, report);
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
    let upright = |raster| orient::raster(resized(raster, target, Method::Smooth), orientation);
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

/// The raster at the target's size.
fn resized(raster: Raster, target: &Target, method: Method) -> Raster {
    if (raster.width, raster.height) == size(target) {
        return raster;
    }
    resize::raster(&raster, size(target), method)
}

/// The size as seen.
const fn upright(target: &Target, orientation: Orientation) -> (u32, u32) {
    if orientation.swaps_axes() {
        (target.height, target.width)
    } else {
        (target.width, target.height)
    }
}

/// Encodes upright planes as JPEG within the target's bytes and the source's.
fn photo(planes: &Planes, icc: Option<&[u8]>, source: usize, target: &Target) -> Optimised {
    let settings = encode::jpeg::Settings { quality: target.quality, effort: target.effort, icc };
    let aim = target.target_bytes.and_then(|most| usize::try_from(most).ok());
    let limit = aim.map_or(source, |aim| aim.min(source));
    let bytes = encode::jpeg::best(planes, settings, limit).or_else(|| {
        // The aim is out of reach: as few bytes as there can be, if they are fewer at all.
        let settings = encode::jpeg::Settings { quality: encode::jpeg::MIN_QUALITY, ..settings };
        encode::jpeg::encode(planes, settings, source).ok()
    });
    let (width, height) = (length(planes.luma.width), length(planes.luma.height));
    let encoded = bytes.map(|bytes| Encoded { format: Format::Jpeg, bytes, width, height });
    Optimised { encoded, placeholder: placeholder::of_planes(planes, Orientation::UPRIGHT) }
}

fn png(
    raster: Raster,
    colors: (&Colors, Option<&[u8]>),
    bytes: &[u8],
    report: &Report,
    target: &Target,
) -> Result<Optimised, Corrupt> {
    let placeholder = placeholder::of_raster(&raster, Orientation::UPRIGHT);
    let encoded = match encode::png::encode(&raster, colors, target.effort, bytes.len()) {
        Err(EncodeError::TooLong) => {
            drop(raster);
            // Smoothing adds colours, and a drawing of few colours grows by that.
            let raster = resized(decode::png::decode(bytes)?.0, target, Method::Nearest);
            let raster = orient::raster(raster, report.orientation);
            encode::png::encode(&raster, colors, target.effort, bytes.len())
        }
        done => done,
    };
    let (width, height) = upright(target, report.orientation);
    let encoded = encoded.ok().map(|bytes| Encoded { format: Format::Png, bytes, width, height });
    Ok(Optimised { encoded, placeholder })
}

fn gif(bytes: &[u8], report: &Report, target: &Target) -> Result<Optimised, Corrupt> {
    let (smooth, placeholder) = animation(bytes, report, target, Method::Smooth)?;
    let encoded = match smooth {
        Err(EncodeError::TooLong) => animation(bytes, report, target, Method::Nearest)?.0,
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

/// Resizes frame after frame, or the first alone, which may have any number of bytes. Decoding goes on to the last frame when the bytes are too many, so
/// that a broken end is found in any case.
fn animation(
    bytes: &[u8],
    report: &Report,
    target: &Target,
    method: Method,
) -> Result<Written, Corrupt> {
    let mut source = decode::gif::Animation::open(bytes, (report.width, report.height))?;
    let limit = if target.first_frame { usize::MAX } else { bytes.len() };
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

fn webp(
    raster: &Raster,
    icc: Option<&[u8]>,
    bytes: &[u8],
    report: &Report,
    target: &Target,
) -> Optimised {
    if report.lossless || raster.layout.has_alpha() {
        return drawing(raster, icc, bytes.len(), target);
    }
    photo(&subsampled(raster, target), icc, bytes.len(), target)
}

/// As a JPEG of the target's quality holds it.
fn subsampled(raster: &Raster, target: &Target) -> Planes {
    let planes = decode::jpeg::from_raster(raster);
    let luma = (planes.luma.width, planes.luma.height);
    resize::planes(planes, luma, encode::jpeg::chroma_size(luma, target.quality))
}

/// Pixels that somebody else has decoded: a JPEG when they are opaque, and without loss when they are
/// not, or when that takes fewer bytes of what may be a drawing. Of the source's bytes they need not
/// be fewer: nobody takes those.
pub(crate) fn pixels(
    raster: Raster,
    orientation: Orientation,
    is_drawn: bool,
    target: &Target,
) -> Optimised {
    let most = target.target_bytes.and_then(|most| usize::try_from(most).ok());
    let most = most.unwrap_or(usize::MAX);
    let raster = if raster.is_opaque() { raster.without_alpha() } else { raster };
    let raster = resized(raster, target, Method::Smooth);
    let raster = orient::raster(raster, orientation);
    if raster.layout.has_alpha() {
        return drawing(&raster, None, most, target);
    }
    let made = photo(&subsampled(&raster, target), None, most, target);
    if !is_drawn {
        return made;
    }
    let fewer = made.encoded.as_ref().map_or(most, |encoded| encoded.bytes.len());
    let drawn = drawing(&raster, None, fewer, target);
    if drawn.encoded.is_some() { drawn } else { made }
}

/// Encodes an upright raster without loss, as PNG or WebP, whichever is smaller.
fn drawing(raster: &Raster, icc: Option<&[u8]>, limit: usize, target: &Target) -> Optimised {
    let placeholder = placeholder::of_raster(raster, Orientation::UPRIGHT);
    let webp = encode::webp::encode(raster, icc, limit).ok();
    let limit = webp.as_ref().map_or(limit, Vec::len);
    let colors = (&Colors::default(), icc);
    let png = encode::png::encode(raster, colors, target.effort, limit).ok();
    let bytes = match (png, webp) {
        (Some(png), _) => Some((Format::Png, png)),
        (None, webp) => webp.map(|webp| (Format::WebP, webp)),
    };
    let (width, height) = (length(raster.width), length(raster.height));
    let encoded = bytes.map(|(format, bytes)| Encoded { format, bytes, width, height });
    Optimised { encoded, placeholder }
}
