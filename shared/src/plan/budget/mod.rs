//! The peak memory of carrying out a plan, computed from the report with saturating arithmetic.
//!
//! Each sum lists what is allocated at one moment by decoders, resizer and encoders; the largest sum is the peak.
//! The file itself is not counted, because the caller holds it. A test measures the real peak of every fixture.

use crate::{
    Format, Report,
    container::png::most_inflated,
    limits::Effort,
    plan::{Output, Scale, Target},
    report::Color,
};

/// What does not grow with the picture: eight Huffman tables of a JPEG with what is made of them are
/// 90 KiB, inflate's window and buffers 100 KiB, deflate's 300 KiB, a memo of nearest colours 128 KiB.
const FIXED: u64 = 512 * 1024;

/// The peak for a plan with this target; without one the picture is kept or scrubbed.
#[must_use]
pub fn peak_bytes(report: &Report, target: Option<&Target>) -> u64 {
    let peak = match (report.format, target) {
        (Format::Jpeg, None) => verify_jpeg(report),
        (Format::Jpeg, Some(target)) => optimise_jpeg(report, target),
        (Format::Png, None) => verify_png(report),
        (Format::Png, Some(target)) => optimise_png(report, target),
        (Format::Gif, None) => verify_gif(report),
        (Format::Gif, Some(target)) => optimise_gif(report, target),
        (Format::WebP, None) => decode_webp(report),
        (Format::WebP, Some(target)) => optimise_webp(report, target),
    };
    let Some(target) = target else { return with_copies(report, peak, !report.is_clean()) };
    // What is encoded is counted above. A picture that stays as it came is decoded once more, and copied.
    let preserved = if target.is_oversize { 0 } else { peak_bytes(report, None) };
    beside_file(report, peak).max(preserved)
}

/// Bytes that a picture of so many channels is encoded to at most: deflate and the codes of JPEG make no
/// noise larger by half.
pub(crate) fn encoded_bytes(target: &Target, channels: u64) -> u64 {
    let samples = area(target.width, target.height).saturating_mul(channels);
    target.most_bytes.min((samples.saturating_mul(3) / 2).saturating_add(MIN_ENCODED))
}

/// Headers and tables of the smallest picture.
const MIN_ENCODED: u64 = 64 * 1024;

/// The best encoding so far, and the next while its buffer grows.
fn encodings(target: &Target, channels: u64) -> u64 {
    encoded_bytes(target, channels).saturating_mul(3)
}

/// The peak for [`crate::pixels`]: decoding at full size, and the picture as RGBA, twice while it is
/// turned or gets its alpha channel.
#[must_use]
#[cfg(feature = "codec")]
pub fn pixels_bytes(report: &Report) -> u64 {
    let decoding = match report.format {
        Format::Jpeg => {
            decode_jpeg(report, Scale::Full).1.saturating_add(converted(report, Scale::Full))
        }
        Format::Png => {
            canvas(report).saturating_mul(png_channels(report)).saturating_add(verify_png(report))
        }
        // The canvas, what it was before, and a frame's indices.
        Format::Gif => canvas(report).saturating_mul(4 + 4 + 1),
        Format::WebP => decode_webp(report),
    };
    let rgba = canvas(report).saturating_mul(4 * 2);
    with_copies(report, decoding.saturating_add(rgba), !report.is_clean())
}

/// The peak of making pixels of four channels smaller and encoding them: as what they were and what
/// they become; and, beside a smaller copy, as JPEG of the highest effort or without loss.
#[must_use]
#[cfg(feature = "codec")]
pub fn canvas_bytes(size: (u32, u32), target: &Target) -> u64 {
    let source = area(size.0, size.1).saturating_mul(4);
    let out = area(target.width, target.height).saturating_mul(4);
    let resizing = if size == (target.width, target.height) {
        source
    } else {
        source.saturating_add(out).saturating_add(resizer(size, target, 4))
    };
    let target = Target { effort: Effort::Small, ..*target };
    // Turned; or the smaller copy, of three quarters.
    let encoding = out.saturating_add(out.max(out / 16 * 9 + encode_drawing(&target, 4)));
    resizing.max(encoding).saturating_add(FIXED)
}

/// The peak of pixels, and what is there of the file beside them.
fn with_copies(report: &Report, peak: u64, is_scrubbed: bool) -> u64 {
    // A scrubbed copy, beside the profile. What is kept may turn out to have hidden data: then it is copied
    // without, when the pixels are gone, and once more when its profile is made anew.
    let copies = if report.metadata.icc == 0 { 1 } else { 2 };
    let peak = if is_scrubbed { peak } else { peak.max(report.size_bytes.saturating_mul(copies)) };
    let bytes = if is_scrubbed { report.size_bytes.saturating_mul(2) } else { 0 };
    beside_file(report, peak).saturating_add(bytes)
}

/// The peak of pixels, the colour profile, and the scrubbed copy from which all but JPEG are decoded.
fn beside_file(report: &Report, peak: u64) -> u64 {
    let is_copied = report.format != Format::Jpeg && !report.is_clean();
    let source = if is_copied { report.size_bytes } else { 0 };
    peak.saturating_add(profiles(report)).saturating_add(source).saturating_add(FIXED)
}

/// A colour profile as it came, its parts made anew, put together, and as it is written.
fn profiles(report: &Report) -> u64 {
    let stored = report.metadata.icc;
    let profile = match report.format {
        Format::Png if stored > 0 => most_inflated(stored),
        _ => stored,
    };
    profile.saturating_mul(4)
}

const fn area(width: u32, height: u32) -> u64 {
    (width as u64).saturating_mul(height as u64)
}

const fn canvas(report: &Report) -> u64 {
    area(report.width, report.height)
}

/// Bytes of a decoded JPEG's planes and, while it is progressive, of its coefficients.
fn decode_jpeg(report: &Report, scale: Scale) -> (u64, u64) {
    let samples = u64::from(scale.side()).pow(2);
    let planes = report.jpeg_blocks.saturating_mul(samples);
    if !report.progressive {
        return (planes, planes);
    }
    // Two bytes for each kept coefficient and eight for which of all are not zero, beside the planes.
    let coefficients = report.jpeg_blocks.saturating_mul(2 * samples + 8);
    (planes, planes.saturating_add(coefficients))
}

fn verify_jpeg(report: &Report) -> u64 {
    // Turned for the placeholder, the planes are there twice; inks are converted to three planes.
    let (planes, peak) = decode_jpeg(report, Scale::Eighth);
    peak.max(planes.saturating_mul(2)).saturating_add(converted(report, Scale::Eighth))
}

/// Four inks become luma and chroma in planes of their own; red, green and blue where they lie.
fn converted(report: &Report, scale: Scale) -> u64 {
    if report.color == Color::Cmyk {
        area(scale.of(report.width), scale.of(report.height)).saturating_mul(3)
    } else {
        0
    }
}

fn optimise_jpeg(report: &Report, target: &Target) -> u64 {
    let (planes, decoding) = decode_jpeg(report, target.scale);
    let converted = converted(report, target.scale);
    let decoded = (target.scale.of(report.width), target.scale.of(report.height));
    let planes = if converted > 0 { converted } else { planes };
    let resizing = planes
        .saturating_add(area(target.width, target.height))
        .saturating_add(resizer(decoded, target, 1));
    let out = jpeg_planes(target, report.color != Color::Gray);
    // Turned, each plane is there twice for a moment.
    // Narrower planes, and levels.
    let lossy = if target.output() == Output::WebP {
        area(target.width, target.height).saturating_mul(8)
    } else {
        0
    };
    let encoded = encode_jpeg(target, out).max(lossy).saturating_add(encodings(target, 3));
    let encoding = out.saturating_add(out.max(encoded));
    decoding.saturating_add(converted).max(resizing).max(encoding)
}

/// Planes as they are encoded, before padding.
fn jpeg_planes(target: &Target, color: bool) -> u64 {
    let luma = area(target.width, target.height);
    let chroma = if target.chroma_quality() >= 90 {
        luma
    } else {
        area(target.width.div_ceil(2), target.height.div_ceil(2))
    };
    if color { luma.saturating_add(chroma.saturating_mul(2)) } else { luma }
}

/// mozjpeg-rs pads each plane to whole MCUs in a copy; above the fastest effort it also holds every
/// block's coefficients (128 bytes for 64 samples) and what it knows of each block's end (16).
fn encode_jpeg(target: &Target, planes: u64) -> u64 {
    // Up to 15 rows and columns of padding.
    let edges = (u64::from(target.width) + u64::from(target.height)).saturating_mul(3 * 16);
    let padded = planes.saturating_add(edges);
    match target.effort {
        Effort::Fast => padded,
        Effort::Balanced | Effort::Small => {
            padded.saturating_add(padded.saturating_mul(128 + 16) / 64)
        }
    }
}

/// A block of sixteen rows turned into columns before and after it is narrowed, their padding, the rows
/// that one target row is made of when alpha is premultiplied, and the weights: two bytes for each of
/// six samples a lobe and some for rounding, and their spans.
fn resizer(source: (u32, u32), target: &Target, channels: u64) -> u64 {
    let (width, height) = (u64::from(source.0), u64::from(source.1));
    let (new_width, new_height) = (u64::from(target.width), u64::from(target.height));
    let columns = width.saturating_add(new_width).saturating_mul(16 * channels);
    let rows =
        if channels.is_multiple_of(2) { 3 + 6 * height.div_ceil(new_height.max(1)) } else { 1 };
    let weights = (width + height).saturating_mul(2 * 6) + (new_width + new_height) * (2 * 3 + 16);
    columns.saturating_add(rows.saturating_mul(width * channels)).saturating_add(weights)
}

/// Channels of a PNG once palettes are looked up and sixteen bits are eight.
const fn png_channels(report: &Report) -> u64 {
    let color = if matches!(report.color, Color::Gray) { 1 } else { 3 };
    color + report.has_alpha as u64
}

fn verify_png(report: &Report) -> u64 {
    // Some rows of up to eight bytes a pixel.
    u64::from(report.width).saturating_mul(8 * 6)
}

fn optimise_png(report: &Report, target: &Target) -> u64 {
    let channels = png_channels(report);
    let source = canvas(report).saturating_mul(channels);
    rasters(report, target, source, channels).saturating_add(verify_png(report))
}

/// Decoded, resized, turned and encoded as interleaved channels.
fn rasters(report: &Report, target: &Target, source: u64, channels: u64) -> u64 {
    let out = area(target.width, target.height).saturating_mul(channels);
    let resizing = if (report.width, report.height) == (target.width, target.height) {
        source
    } else {
        let rows = resizer((report.width, report.height), target, channels);
        source.saturating_add(out).saturating_add(rows)
    };
    // Turned; or encoded.
    resizing.max(out.saturating_add(out.max(encode_drawing(target, channels))))
}

/// The histogram that a palette is made from, twice while it becomes coarser, and its bins.
const QUANTISER: u64 = 2 * (12 << 16);

/// What encoding without loss takes beside the pixels: these in gray, or as indices of a palette, which
/// may be packed; or planes and what is encoded of them as JPEG.
fn encode_drawing(target: &Target, channels: u64) -> u64 {
    let area = area(target.width, target.height);
    let indices = area.saturating_mul(2);
    // Errors of two rows, of sixteen bytes a pixel.
    let rows = u64::from(target.width.max(target.height)).saturating_mul(2 * 16);
    // Three planes while chroma is halved, or as they are encoded.
    let planes = jpeg_planes(target, true);
    let halving = area.saturating_mul(2).saturating_add(planes);
    let photo = halving.max(planes.saturating_add(encode_jpeg(target, planes)));
    // Opaque pixels and planes; levels; alpha as four channels and its codes.
    let lossy = if target.may_be_lossy_with_alpha() { area.saturating_mul(12) } else { 0 };
    let largest = indices.saturating_add(rows).max(photo).max(lossy);
    largest.saturating_add(encodings(target, channels)).saturating_add(QUANTISER)
}

fn verify_gif(report: &Report) -> u64 {
    // One frame's indices and, for the placeholder, the first frame's colours.
    canvas(report).saturating_mul(5)
}

fn optimise_gif(report: &Report, target: &Target) -> u64 {
    let out = area(target.width, target.height);
    // The canvas, what it was before, and a frame's indices.
    let source = canvas(report).saturating_mul(4 + 4 + 1);
    // The frame that is held, the one that comes, what is seen; indices, a part of them, and that
    // compressed, which can take half as much again.
    let frames = if target.output() == Output::WebP {
        // What is seen, what comes, the part of it, and what encodes that; the codes without loss, which may be longer than the pixels.
        out.saturating_mul(4 + 4 + 4 + 12 + 5)
    } else {
        out.saturating_mul(4 + 4 + 4 + 1 + 1 + 2)
    };
    let rows = resizer((report.width, report.height), target, 4);
    let encoded = target.most_bytes.saturating_mul(2);
    source.saturating_add(frames).saturating_add(rows).saturating_add(encoded)
}

fn decode_webp(report: &Report) -> u64 {
    let pixels = canvas(report);
    let channels = if report.has_alpha { 4 } else { 3 };
    let animation = if report.frames > 1 { 4 + 4 } else { 0 };
    // Lossy: planes, what is known of each macroblock, the alpha plane. Lossless: four channels.
    let coded = match (report.lossless, report.frames) {
        (true, _) => 5,
        (false, 1) => 3,
        (false, _) => 4,
    };
    // A lossy stream is copied, read into a buffer that grows, and copied once more.
    // Planes are padded to macroblocks.
    let edges = (u64::from(report.width) + u64::from(report.height)).saturating_mul(2 * 16);
    let streams = report.size_bytes.saturating_mul(4).saturating_add(edges);
    let streams = if report.lossless { 0 } else { streams };
    let side = report.coded.largest_side_bytes;
    pixels.saturating_mul(channels + animation + coded).saturating_add(streams).saturating_add(side)
}

fn optimise_webp(report: &Report, target: &Target) -> u64 {
    let channels = if report.has_alpha { 4 } else { 3 };
    let source = canvas(report).saturating_mul(channels);
    decode_webp(report).max(rasters(report, target, source, channels))
}

#[cfg(test)]
mod tests;
