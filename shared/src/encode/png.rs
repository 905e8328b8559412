//! Writes PNG: as palette where 256 colours do, as gray where colours are, else as it comes.

use alloc::{borrow::Cow, vec, vec::Vec};

use png::{BitDepth, ColorType, Compression, Encoder, Filter, Info};

use super::{EncodeError, Sink};
use crate::{
    decode::png::Colors,
    icc,
    limits::Effort,
    palette::Indexed,
    raster::{Layout, Raster},
};

/// The signature and the first chunk (PNG 3rd edition, sections 5.2 and 11.2.1).
const HEADER_END: usize = 8 + 12 + 13;

/// The bytes of a picture, at most `limit` of them.
pub(crate) fn encode(
    raster: &Raster,
    (colors, icc): (&Colors, Option<&[u8]>),
    effort: Effort,
    limit: usize,
) -> Result<Vec<u8>, EncodeError> {
    // Decoders of pictures with both believe sRGB.
    let profile = icc.filter(|_| colors.srgb.is_none()).map(icc::embedded::png);
    let profile = profile.unwrap_or_default();
    let limit = limit.checked_sub(profile.len()).ok_or(EncodeError::TooLong)?;
    let mut out = pixels(raster, colors, effort, limit)?;
    // Right behind the header, so before everything that it must stand before (PNG 3rd edition, table 7).
    out.splice(HEADER_END..HEADER_END, profile);
    Ok(out)
}

fn pixels(
    raster: &Raster,
    colors: &Colors,
    effort: Effort,
    limit: usize,
) -> Result<Vec<u8>, EncodeError> {
    let mut info = Info::with_size(length(raster.width)?, length(raster.height)?);
    info.source_gamma = colors.gamma;
    info.source_chromaticities = colors.chromaticities;
    info.srgb = colors.srgb;
    // Eight bits of gray need no palette; fewer than 17 shades are shorter with one.
    let gray = raster.layout == Layout::Gray;
    let indexed = Indexed::of(raster).filter(|indexed| !gray || indexed.bits() < 8);
    let Some(indexed) = indexed else {
        let grayed = grayed(raster);
        let raster = grayed.as_ref().unwrap_or(raster);
        info.color_type = match raster.layout {
            Layout::Gray => ColorType::Grayscale,
            Layout::GrayAlpha => ColorType::GrayscaleAlpha,
            Layout::Rgb => ColorType::Rgb,
            Layout::Rgba => ColorType::Rgba,
        };
        info.bit_depth = BitDepth::Eight;
        return write(info, &raster.data, Filter::Adaptive, effort, limit);
    };
    info.color_type = ColorType::Indexed;
    info.bit_depth = BitDepth::from_u8(indexed.bits()).unwrap_or(BitDepth::Eight);
    info.palette = Some(indexed.colors.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect());
    let alphas: Vec<u8> =
        indexed.colors.iter().map(|&[.., a]| a).filter(|a| *a < u8::MAX).collect();
    info.trns = (!alphas.is_empty()).then_some(Cow::Owned(alphas));
    let data = packed(&indexed, raster.width);
    // Neighbouring indices say nothing of each other, so filtering them only adds noise.
    write(info, &data, Filter::NoFilter, effort, limit)
}

fn write(
    info: Info<'_>,
    data: &[u8],
    filter: Filter,
    effort: Effort,
    limit: usize,
) -> Result<Vec<u8>, EncodeError> {
    let mut sink = Sink::new(limit);
    let written = (|| {
        let mut encoder = Encoder::with_info(&mut sink, info)?;
        encoder.set_compression(match effort {
            Effort::Fast => Compression::Fast,
            Effort::Balanced => Compression::Balanced,
            Effort::Small => Compression::High,
        });
        encoder.set_filter(filter);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(data)?;
        writer.finish()
    })();
    sink.finish(written.is_ok())
}

/// Indices in as few bits as they need, each row from a byte of its own (PNG §7.2).
fn packed(indexed: &Indexed, width: usize) -> Vec<u8> {
    let bits = usize::from(indexed.bits());
    let per_byte = 8 / bits;
    if per_byte == 1 {
        return indexed.indices.clone();
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
    let keep = |pixel: &[u8]| {
        let alpha = pixel.get(3).copied();
        pixel.first().copied().into_iter().chain(alpha).collect::<Vec<_>>()
    };
    let data = pixels().flat_map(keep).collect();
    Some(Raster { width: raster.width, height: raster.height, layout, data })
}

fn length(value: usize) -> Result<u32, EncodeError> {
    u32::try_from(value).map_err(|_| EncodeError::Unwritable)
}
