//! Writes lossy WebP: pixels as VP8, and beside them the profile and, without loss, alpha (RFC 9649 section 2).

use alloc::{vec, vec::Vec};

use super::{EncodeError, vp8, webp as lossless_webp};
use crate::{
    container::webp::{flag, write},
    pace::Pace,
    plan::work::cost,
    raster::{Layout, Plane, Planes, Raster},
};

/// Bytes of a file, and of a `VP8L` chunk, before the codes of its pixels.
const FILE_HEADER: usize = 20;
const LOSSLESS_HEADER: usize = 5;
/// Alpha as lossless codes, unfiltered.
const ALPHA_HEADER: u8 = 1;

/// How a picture is written.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    /// From 1 to 100.
    pub quality: u8,
    pub icc: Option<&'a [u8]>,
    /// At most so many bytes.
    pub limit: usize,
}

/// The bytes of a photo.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn encode_planes(
    planes: &Planes,
    settings: Settings<'_>,
    pace: &Pace,
) -> Result<Vec<u8>, EncodeError> {
    pace.begin((planes.luma.data.len() as u64).saturating_mul(cost::CONVERTED_PIXEL)).await;
    let frame = narrowed(planes);
    let lossy = vp8::encode(&frame, index_of(settings.quality), pace).await?;
    let mut chunks = Vec::new();
    write(*b"VP8 ", &lossy, &mut chunks);
    file((planes.luma.width, planes.luma.height), false, &chunks, settings)
}

/// The bytes of a picture, with its alpha.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn encode(
    raster: &Raster,
    settings: Settings<'_>,
    pace: &Pace,
) -> Result<Vec<u8>, EncodeError> {
    let chunks = encode_chunks(raster, settings, pace).await?;
    file((raster.width, raster.height), raster.layout.has_alpha(), &chunks, settings)
}

/// The chunks of a picture: `ALPH` if it has alpha, and `VP8 `.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn encode_chunks(
    raster: &Raster,
    settings: Settings<'_>,
    pace: &Pace,
) -> Result<Vec<u8>, EncodeError> {
    let pixels = (raster.width * raster.height) as u64;
    pace.begin(pixels.saturating_mul(cost::CONVERTED_PIXEL)).await;
    let frame = frame(raster);
    let lossy = vp8::encode(&frame, index_of(settings.quality), pace).await?;
    drop(frame);
    let mut chunks = Vec::new();
    if raster.layout.has_alpha() {
        pace.begin(pixels.saturating_mul(cost::LOSSLESS_WRITTEN_PIXEL)).await;
        write(*b"ALPH", &alpha(raster)?, &mut chunks);
    }
    write(*b"VP8 ", &lossy, &mut chunks);
    if chunks.len() > settings.limit { Err(EncodeError::TooLong) } else { Ok(chunks) }
}

fn file(
    (width, height): (usize, usize),
    has_alpha: bool,
    chunks: &[u8],
    Settings { icc, limit, .. }: Settings<'_>,
) -> Result<Vec<u8>, EncodeError> {
    let mut file = b"WEBP".to_vec();
    if has_alpha || icc.is_some() {
        let has_alpha = if has_alpha { flag::ALPHA } else { 0 };
        let has_profile = if icc.is_some() { flag::ICC } else { 0 };
        let mut header = vec![has_alpha | has_profile, 0, 0, 0];
        for side in [width, height] {
            let side = u32::try_from(side - 1).map_err(|_| EncodeError::Unwritable)?;
            let [low, middle, high, _] = side.to_le_bytes();
            header.extend([low, middle, high]);
        }
        write(*b"VP8X", &header, &mut file);
    }
    if let Some(profile) = icc {
        write(*b"ICCP", profile, &mut file);
    }
    file.extend(chunks);
    let mut out = Vec::with_capacity(file.len() + 8);
    write(*b"RIFF", &file, &mut out);
    if out.len() > limit { Err(EncodeError::TooLong) } else { Ok(out) }
}

/// The quantiser index of about the quality that a JPEG has.
fn index_of(quality: u8) -> u8 {
    // Fitted to the SSIMULACRA2 of six photos at 160 to 640 px and a quality of 65 to 88.
    let lost = u16::from(100 - quality.clamp(1, 100));
    u8::try_from(lost * 6 / 7).unwrap_or(127)
}

/// The data of an `ALPH` chunk.
fn alpha(raster: &Raster) -> Result<Vec<u8>, EncodeError> {
    let channels = raster.layout.channels();
    let data =
        raster.data.chunks_exact(channels).filter_map(|pixel| pixel.last().copied()).collect();
    let plane = Raster { width: raster.width, height: raster.height, layout: Layout::Gray, data };
    let file = lossless_webp::encode(&plane, None, usize::MAX)?;
    let codes = file.get(FILE_HEADER + LOSSLESS_HEADER..).ok_or(EncodeError::Unwritable)?;
    let mut data = Vec::with_capacity(codes.len() + 1);
    data.push(ALPHA_HEADER);
    data.extend(codes);
    Ok(data)
}

/// Planes as VP8 has them: luma of 16 to 235, and chroma of 16 to 240 and half the width and height.
fn narrowed(planes: &Planes) -> vp8::Frame {
    let plane = |plane: &Plane, offset: i32, range: i32| {
        let scaled: [u8; 256] =
            core::array::from_fn(|value| clamped(offset + (scale(value) * range + 127) / 255));
        let mut narrow = Plane::new(plane.width, plane.height);
        for (y, row) in narrow.data.chunks_mut(plane.width.max(1)).enumerate() {
            for (narrow, value) in row.iter_mut().zip(plane.row(y)) {
                *narrow = scaled.get(usize::from(*value)).copied().unwrap_or_default();
            }
        }
        narrow
    };
    let chroma = if let Some(chroma) = &planes.chroma {
        chroma.each_ref().map(|chroma| plane(chroma, 16, 224))
    } else {
        let half = |length: usize| length.div_ceil(2);
        let (width, height) = (half(planes.luma.width), half(planes.luma.height));
        [(); 2].map(|()| Plane { data: vec![128; width * height], ..Plane::new(width, height) })
    };
    vp8::Frame { luma: plane(&planes.luma, 16, 219), chroma }
}

fn scale(value: usize) -> i32 {
    i32::try_from(value).unwrap_or_default()
}

/// The pixels as VP8 has them. What nobody sees has the mean colour of what is seen around it.
fn frame(raster: &Raster) -> vp8::Frame {
    let (width, height) = (raster.width, raster.height);
    let mut pixels = opaque(raster);
    if raster.layout.has_alpha() {
        fill_invisible(raster, &mut pixels);
    }
    let mut luma = Plane::new(width, height);
    for (luma, pixel) in luma.data.iter_mut().zip(&pixels) {
        *luma = luma_of(*pixel);
    }
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut chroma = [Plane::new(half_width, half_height), Plane::new(half_width, half_height)];
    let [blue, red] = &mut chroma;
    let samples =
        blue.data.chunks_mut(half_width.max(1)).zip(red.data.chunks_mut(half_width.max(1)));
    for (rows, (blue, red)) in pixels.chunks((width * 2).max(1)).zip(samples) {
        let (upper, lower) = rows.split_at(width.min(rows.len()));
        let lower = if lower.is_empty() { upper } else { lower };
        let pairs = upper.chunks(2).zip(lower.chunks(2));
        for ((upper, lower), (blue, red)) in pairs.zip(blue.iter_mut().zip(red)) {
            let mut sum = [0; 3];
            let mut count = 0;
            for pixel in upper.iter().chain(lower) {
                for (sum, value) in sum.iter_mut().zip(pixel) {
                    *sum += i32::from(*value);
                }
                count += 1;
            }
            (*blue, *red) = chroma_of(sum, count.max(1));
        }
    }
    vp8::Frame { luma, chroma }
}

/// Red, green and blue.
fn opaque(raster: &Raster) -> Vec<[u8; 3]> {
    let pixels = raster.data.chunks_exact(raster.layout.channels());
    let rgb = |pixel: &[u8]| match *pixel {
        [r, g, b, ..] => [r, g, b],
        [gray, ..] => [gray; 3],
        [] => [0; 3],
    };
    pixels.map(rgb).collect()
}

/// Macroblock by macroblock: its mean takes the fewest bits.
fn fill_invisible(raster: &Raster, pixels: &mut [[u8; 3]]) {
    const SIDE: usize = 16;
    let channels = raster.layout.channels();
    let width = raster.width.max(1);
    let alphas = raster.data.chunks(width * channels * SIDE);
    let mut mean = [0; 3];
    for (pixels, alphas) in pixels.chunks_mut(width * SIDE).zip(alphas) {
        for at in 0..width.div_ceil(SIDE) {
            let mut sum = [0_u32; 3];
            let mut seen = 0;
            let visible = |pixel: &[u8]| pixel.last().is_some_and(|alpha| *alpha > 0);
            for (row, alphas) in pixels.chunks_mut(width).zip(alphas.chunks(width * channels)) {
                let row = row.chunks_mut(SIDE).nth(at).unwrap_or_default();
                let alphas = alphas.chunks(SIDE * channels).nth(at).unwrap_or_default();
                for (pixel, alpha) in row.iter().zip(alphas.chunks_exact(channels)) {
                    if visible(alpha) {
                        seen += 1;
                        for (sum, value) in sum.iter_mut().zip(pixel) {
                            *sum += u32::from(*value);
                        }
                    }
                }
            }
            if seen > 0 {
                mean = sum.map(|sum| u8::try_from(sum / seen).unwrap_or(u8::MAX));
            }
            for (row, alphas) in pixels.chunks_mut(width).zip(alphas.chunks(width * channels)) {
                let row = row.chunks_mut(SIDE).nth(at).unwrap_or_default();
                let alphas = alphas.chunks(SIDE * channels).nth(at).unwrap_or_default();
                for (pixel, alpha) in row.iter_mut().zip(alphas.chunks_exact(channels)) {
                    if !visible(alpha) {
                        *pixel = mean;
                    }
                }
            }
        }
    }
}

/// ITU-R BT.601 in 16 fractional bits: luma of 16 to 235.
fn luma_of([r, g, b]: [u8; 3]) -> u8 {
    let sum = 16_839 * i32::from(r) + 33_059 * i32::from(g) + 6_420 * i32::from(b);
    clamped((sum + (16 << 16) + (1 << 15)) >> 16)
}

/// Chroma of 16 to 240, blue and red, of a sum of so many pixels.
fn chroma_of([r, g, b]: [i32; 3], count: i32) -> (u8, u8) {
    let half = 1 << 15;
    let chroma = |sum: i32| clamped((sum / count + (128 << 16) + half) >> 16);
    (chroma(-9_719 * r - 19_081 * g + 28_800 * b), chroma(28_800 * r - 24_116 * g - 4_684 * b))
}

fn clamped(value: i32) -> u8 {
    u8::try_from(value.clamp(0, 255)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use image_webp::WebPDecoder;

    use super::*;
    use crate::pace::run;

    fn decoded(bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut decoder = WebPDecoder::new(std::io::Cursor::new(bytes)).expect("a WebP");
        let mut pixels = vec![0; decoder.output_buffer_size().expect("small")];
        decoder.read_image(&mut pixels).expect("whole");
        (pixels, decoder.has_alpha())
    }

    /// Waves of colour, with a round hole.
    fn picture(width: usize, height: usize, layout: Layout) -> Raster {
        let mut raster = Raster::new(width, height, layout);
        let channels = layout.channels();
        for (at, pixel) in raster.data.chunks_exact_mut(channels).enumerate() {
            let (x, y) = (at % width, at / width);
            for (channel, value) in pixel.iter_mut().enumerate() {
                let wave = ((x * (channel + 2) + y * 3) % 256).abs_diff(128) * 2;
                *value = u8::try_from(wave.min(255)).expect("a byte");
            }
            if layout.has_alpha() {
                let middle = (x.abs_diff(width / 2)).pow(2) + (y.abs_diff(height / 2)).pow(2);
                let alpha = if middle < width * height / 16 { 0 } else { 255 - x % 7 };
                *pixel.last_mut().expect("alpha") = u8::try_from(alpha).expect("a byte");
            }
        }
        raster
    }

    fn settings(quality: u8) -> Settings<'static> {
        Settings { quality, icc: None, limit: usize::MAX }
    }

    /// The mean square of what the first channel of the seen pixels has lost.
    fn lost(raster: &Raster, pixels: &[u8], channels: usize) -> f64 {
        let before = raster.data.chunks_exact(raster.layout.channels());
        let pairs = before.zip(pixels.chunks_exact(channels));
        let seen =
            pairs.filter(|(pixel, _)| !raster.layout.has_alpha() || pixel.last() != Some(&0));
        let squares: Vec<f64> =
            seen.map(|(pixel, shown)| f64::from(pixel[0].abs_diff(shown[0])).powi(2)).collect();
        squares.iter().sum::<f64>() / f64::from(u32::try_from(squares.len().max(1)).expect("few"))
    }

    #[test]
    fn decoders_see_nearly_what_was_written_and_alpha_exactly() {
        for (width, height) in [(1, 1), (15, 17), (16, 16), (33, 50), (200, 121)] {
            for layout in [Layout::Rgb, Layout::Rgba, Layout::Gray, Layout::GrayAlpha] {
                let raster = picture(width, height, layout);
                for (quality, most) in [(100, 60.0), (80, 300.0), (30, 1_000.0)] {
                    let bytes = run!(encode(&raster, settings(quality), &Pace::default()));
                    let (pixels, has_alpha) = decoded(&bytes.expect("written"));
                    assert_eq!(has_alpha, layout.has_alpha());
                    let channels = if has_alpha { 4 } else { 3 };
                    let lost = lost(&raster, &pixels, channels);
                    assert!(lost < most, "{width}x{height} {layout:?} {quality}: {lost}");
                    if has_alpha {
                        let before = raster.data.chunks_exact(layout.channels()).map(<[u8]>::last);
                        assert!(before.eq(pixels.chunks_exact(channels).map(<[u8]>::last)));
                    }
                }
            }
        }
    }

    #[test]
    fn planes_of_a_jpeg_keep_their_range_and_their_profile() {
        let luma = |value| Plane { data: vec![value; 40 * 30], ..Plane::new(40, 30) };
        for value in [0, 1, 128, 254, 255] {
            let planes = Planes { luma: luma(value), chroma: None };
            let icc = Some([7; 9].as_slice());
            let settings = Settings { icc, ..settings(90) };
            let bytes = run!(encode_planes(&planes, settings, &Pace::default())).expect("written");
            let (pixels, _) = decoded(&bytes);
            assert!(
                pixels.iter().all(|shown| shown.abs_diff(value) < 3),
                "{value}: {:?}",
                &pixels[..3]
            );
            let mut decoder = WebPDecoder::new(std::io::Cursor::new(&bytes)).expect("a WebP");
            assert_eq!(decoder.icc_profile().expect("whole").as_deref(), icc);
            let limit = bytes.len() - 1;
            let too_long =
                run!(encode_planes(&planes, Settings { limit, ..settings }, &Pace::default()));
            assert!(matches!(too_long, Err(EncodeError::TooLong)));
        }
    }
}
