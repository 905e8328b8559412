//! Writes PNG: as palette where 256 colours do, as gray where colours are, else as it comes.

use alloc::{borrow::Cow, vec, vec::Vec};
use std::io::Write;

use png::{
    BitDepth, ColorType, Compression, DeflateCompression, Encoder, EncodingError, Filter, Info,
};

use super::{EncodeError, Sink};
use crate::{
    codec::{decode::png::Colors, palette::Indexed},
    limits::Effort,
    pace::Pace,
    plan::work::cost,
    raster::{Layout, Raster},
    sanitize::profile,
};

/// The signature and the first chunk (PNG 3rd edition, sections 5.2 and 11.2.1).
const HEADER_END: usize = 8 + 12 + 13;

#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub colors: &'a Colors,
    pub icc: Option<&'a [u8]>,
    pub effort: Effort,
}

/// The bytes of a picture, at most `limit` of them.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn encode(
    raster: &Raster,
    settings: Settings<'_>,
    limit: usize,
    pace: &Pace,
) -> Result<Vec<u8>, EncodeError> {
    // A profile of gray is none of a palette, which has colours, and one of colours none of gray (PNG 3rd
    // edition, section 11.3.2.3): readers would leave it out, and show others.
    let has_profile = settings.has_profile();
    let gray = matches!(raster.layout, Layout::Gray | Layout::GrayAlpha);
    let indexed = if gray && has_profile { None } else { Indexed::of(raster, pace).await };
    // Eight bits of gray need no palette; fewer than 17 shades are shorter with one.
    let indexed = indexed.filter(|it| raster.layout != Layout::Gray || it.bits() < 8);
    if let Some(indexed) = indexed {
        return encode_indexed(indexed, (raster.width, raster.height), settings, limit, pace).await;
    }
    let grayed = if has_profile { None } else { grayed(raster) };
    let raster = grayed.as_ref().unwrap_or(raster);
    let mut info = settings.info(raster.width, raster.height)?;
    info.color_type = match raster.layout {
        Layout::Gray => ColorType::Grayscale,
        Layout::GrayAlpha => ColorType::GrayscaleAlpha,
        Layout::Rgb => ColorType::Rgb,
        Layout::Rgba => ColorType::Rgba,
    };
    info.bit_depth = BitDepth::Eight;
    write(info, &raster.data, settings, limit, pace).await
}

/// The bytes of a picture that has a palette, at most `limit` of them.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn encode_indexed(
    indexed: Indexed,
    (width, height): (usize, usize),
    settings: Settings<'_>,
    limit: usize,
    pace: &Pace,
) -> Result<Vec<u8>, EncodeError> {
    let mut info = settings.info(width, height)?;
    info.color_type = ColorType::Indexed;
    info.bit_depth = BitDepth::from_u8(indexed.bits()).unwrap_or(BitDepth::Eight);
    info.palette = Some(indexed.colors.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect());
    let mut alphas: Vec<u8> = indexed.colors.iter().map(|&[.., a]| a).collect();
    // Those behind the last that is not opaque go without saying.
    alphas.truncate(alphas.iter().rposition(|&a| a < u8::MAX).map_or(0, |last| last + 1));
    info.trns = (!alphas.is_empty()).then_some(Cow::Owned(alphas));
    write(info, &packed(indexed, width), settings, limit, pace).await
}

impl Settings<'_> {
    /// Decoders of pictures with both believe sRGB.
    fn profile(&self) -> Option<&[u8]> {
        self.icc.filter(|_| self.colors.srgb.is_none())
    }

    fn has_profile(&self) -> bool {
        self.profile().is_some()
    }

    fn info(&self, width: usize, height: usize) -> Result<Info<'static>, EncodeError> {
        let mut info = Info::with_size(length(width)?, length(height)?);
        info.source_gamma = self.colors.gamma;
        info.source_chromaticities = self.colors.chromaticities;
        info.srgb = self.colors.srgb;
        Ok(info)
    }
}

const CHUNK_BYTES: usize = 64 * 1024;

#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn write(
    info: Info<'_>,
    data: &[u8],
    settings: Settings<'_>,
    limit: usize,
    pace: &Pace,
) -> Result<Vec<u8>, EncodeError> {
    let profile = settings.profile().map(profile::png).unwrap_or_default();
    let mut sink = Sink::new(limit.checked_sub(profile.len()).ok_or(EncodeError::TooLong)?);
    let written = write_to(&mut sink, info, data, settings.effort, pace).await;
    let mut out = sink.finish(written.is_ok())?;
    // Right behind the header, so before everything that it must stand before (PNG 3rd edition, table 7).
    out.splice(HEADER_END..HEADER_END, profile);
    Ok(out)
}

#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn write_to(
    sink: &mut Sink,
    info: Info<'_>,
    data: &[u8],
    effort: Effort,
    pace: &Pace,
) -> Result<(), EncodingError> {
    let has_palette = info.color_type == ColorType::Indexed;
    let channels = info.color_type.samples() as u64;
    let pixel_ps = if has_palette { cost::WRITTEN_INDEX } else { cost::drawn_pixel(effort, true) };
    let mut encoder = Encoder::with_info(sink, info)?;
    if has_palette {
        // Neighbouring indices say nothing of each other, so filtering them only adds noise; and what
        // is fast for filtered colours finds nothing among them that repeats.
        encoder.set_deflate_compression(DeflateCompression::Level(match effort {
            Effort::Fast | Effort::Balanced => 6,
            Effort::Small => 9,
        }));
        encoder.set_filter(Filter::NoFilter);
    } else {
        encoder.set_compression(match effort {
            Effort::Fast => Compression::Fast,
            Effort::Balanced => Compression::Balanced,
            Effort::Small => Compression::High,
        });
        encoder.set_filter(Filter::Adaptive);
    }
    let mut writer = encoder.write_header()?;
    // As a stream: so it ends as soon as there is too much.
    let mut stream = writer.stream_writer_with_size(CHUNK_BYTES)?;
    for part in data.chunks(CHUNK_BYTES) {
        pace.begin((part.len() as u64).saturating_mul(pixel_ps) / channels).await;
        stream.write_all(part)?;
    }
    stream.finish()?;
    writer.finish()
}

/// Indices in as few bits as they need, each row from a byte of its own (PNG §7.2).
fn packed(indexed: Indexed, width: usize) -> Vec<u8> {
    let bits = usize::from(indexed.bits());
    let per_byte = 8 / bits;
    if per_byte == 1 {
        return indexed.indices;
    }
    let line = width.div_ceil(per_byte);
    let mut out = vec![0u8; line * (indexed.indices.len() / width.max(1))];
    for (to, from) in
        out.chunks_exact_mut(line.max(1)).zip(indexed.indices.chunks_exact(width.max(1)))
    {
        for (byte, group) in to.iter_mut().zip(from.chunks(per_byte)) {
            let joined = group.iter().fold(0u8, |byte, index| byte << bits | index);
            *byte = joined << ((per_byte - group.len()) * bits);
        }
    }
    out
}

/// The picture without colour, when it has none.
fn grayed(raster: &Raster) -> Option<Raster> {
    let layout = match raster.layout {
        Layout::Rgb => Layout::Gray,
        Layout::Rgba => Layout::GrayAlpha,
        Layout::Gray | Layout::GrayAlpha => return None,
    };
    let pixels = || raster.data.chunks_exact(raster.layout.channels());
    if !pixels().all(|pixel| matches!(pixel, [r, g, b, ..] if r == g && g == b)) {
        return None;
    }
    let mut data = Vec::with_capacity(raster.width * raster.height * layout.channels());
    for pixel in pixels() {
        data.extend(pixel.first());
        data.extend(pixel.get(3));
    }
    Some(Raster { width: raster.width, height: raster.height, layout, data })
}

fn length(value: usize) -> Result<u32, EncodeError> {
    u32::try_from(value).map_err(|_| EncodeError::Unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::run;

    /// The colour type of what becomes of a picture of so many shades, with and without a profile (PNG 3rd
    /// edition, section 11.2.1).
    fn color_types(layout: Layout, shades: usize) -> [u8; 2] {
        let pixels = (0..400).map(|at| u8::try_from(at % shades).unwrap_or_default());
        let pixel = |shade| vec![shade; layout.channels()];
        let data = pixels.flat_map(pixel).collect();
        let raster = Raster { width: 20, height: 20, layout, data };
        [None, Some(&b"a profile"[..])].map(|icc| {
            let settings = Settings { colors: &Colors::default(), icc, effort: Effort::Fast };
            let png =
                run!(encode(&raster, settings, 100_000, &Pace::default())).expect("a picture");
            assert_eq!(png.windows(4).any(|name| name == b"iCCP"), icc.is_some());
            png[25]
        })
    }

    #[test]
    fn a_profile_of_colours_is_never_that_of_gray_nor_the_other_way_round() {
        const GRAY: u8 = 0;
        const PALETTE: u8 = 3;
        const GRAY_ALPHA: u8 = 4;
        assert_eq!(color_types(Layout::Gray, 3), [PALETTE, GRAY]);
        assert_eq!(color_types(Layout::Gray, 200), [GRAY, GRAY]);
        assert_eq!(color_types(Layout::GrayAlpha, 3), [PALETTE, GRAY_ALPHA]);
        assert_eq!(color_types(Layout::Rgb, 3), [PALETTE, PALETTE]);
        assert_eq!(color_types(Layout::Rgba, 3), [PALETTE, PALETTE]);
    }

    #[test]
    fn what_has_no_colour_is_written_as_gray_unless_a_profile_speaks_of_colours() {
        let shades = (0..600_usize).map(|at| u8::try_from(at % 256).unwrap_or_default());
        let alphas = (0..600_usize).map(|at| u8::try_from(at / 3).unwrap_or_default());
        let data = shades.zip(alphas).flat_map(|(shade, alpha)| [shade, shade, shade, alpha]);
        let (layout, data) = (Layout::Rgba, data.collect());
        let raster = Raster { width: 20, height: 30, layout, data };
        let types = [None, Some(&b"a profile"[..])].map(|icc| {
            let settings = Settings { colors: &Colors::default(), icc, effort: Effort::Fast };
            run!(encode(&raster, settings, 100_000, &Pace::default())).expect("a picture")[25]
        });
        assert_eq!(types, [4, 6], "gray with alpha, colours with alpha");
    }
}
