//! Reads PNG, row by row where the whole picture is not needed. Chunks, their order and checksums
//! have been walked by `inspect`; here the pixels are inflated and unfiltered to their end.

use alloc::vec::Vec;

use png::{
    ColorType, Decoder, DecodingError, Info, InterlaceInfo, Limits, Reader, Transformations,
    expand_interlaced_row,
};

use crate::{
    codec::placeholder::Thumbnail,
    error::Corrupt,
    hidden_data::{
        self, HiddenData,
        source::{ReadPosition, Source},
    },
    pace::{Pace, Pause},
    plan::work::cost,
    raster::{Layout, Raster},
    report::Orientation,
};

/// Bytes that the decoder may hold for rows: what grows with the picture is in `budget`.
const MAX_DECODER_BYTES: usize = 64 * 1024 * 1024;

type Rows<'a> = Reader<Source<'a>>;

/// The colour information of a PNG that is written again, apart from the profile.
#[derive(Default)]
pub(crate) struct Colors {
    pub gamma: Option<png::ScaledFloat>,
    pub chromaticities: Option<png::SourceChromaticities>,
    pub srgb: Option<png::SrgbRenderingIntent>,
}

/// Decodes every frame to its last row; returns the placeholder of the first, and the hidden data.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn verify(
    bytes: &[u8],
    orientation: Orientation,
    pace: &Pace,
) -> Result<(Vec<u8>, HiddenData), Corrupt> {
    let position = ReadPosition::default();
    let mut reader = open(bytes, &position)?;
    // Where the decoder was when it had the last row of each frame.
    let mut ends = Vec::new();
    let mut end = 0;
    let layout = layout(&reader);
    let (width, height) = size(reader.info());
    let mut thumbnail = Thumbnail::new(width, height);
    let mut y = 0;
    while let Some(row) = reader.next_interlaced_row().map_err(broken)? {
        match row.interlace() {
            InterlaceInfo::Null(_) => {
                if thumbnail.wants(y) {
                    thumbnail.row(y, layout, row.data());
                }
                y += 1;
            }
            // The first six passes hold every other row; the last all columns of the rest, so they
            // alone show the picture. The first is a small picture by itself.
            InterlaceInfo::Adam7(_) => {
                let (across, down) = (width.div_ceil(8), height.div_ceil(8));
                if y == 0 {
                    thumbnail = Thumbnail::new(across, down);
                }
                if y < down && thumbnail.wants(y) {
                    thumbnail.row(y, layout, row.data());
                }
                y += 1;
            }
        }
        paced(&reader, &position, end, pace).await;
        end = position.at();
    }
    ends.push(end);
    for _ in 1..frames(&reader) {
        reader.next_frame_info().map_err(broken)?;
        while reader.next_interlaced_row().map_err(broken)?.is_some() {
            paced(&reader, &position, end, pace).await;
            end = position.at();
        }
        ends.push(end);
    }
    reader.finish().map_err(broken)?;
    let hidden = if hidden_data::FINDS_HIDDEN_DATA {
        hidden_data::png::find(bytes, &ends, pace).await?
    } else {
        HiddenData::default()
    };
    Ok((thumbnail.hash(orientation), hidden))
}

/// After a row: counts it, and what was read since `before`.
fn paced(reader: &Rows<'_>, position: &ReadPosition, before: usize, pace: &Pace) -> Pause {
    let coded = position.at().saturating_sub(before) as u64;
    let row = reader.info().raw_row_length() as u64;
    pace.add(coded.saturating_mul(cost::DEFLATED_BYTE));
    pace.begin(row.saturating_mul(cost::INFLATED_BYTE + cost::UNPACKED_BYTE))
}

#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn decode(bytes: &[u8], pace: &Pace) -> Result<(Raster, Colors), Corrupt> {
    let position = ReadPosition::default();
    let mut reader = open(bytes, &position)?;
    let (width, height) = size(reader.info());
    let mut raster = Raster::new(width, height, layout(&reader));
    if reader.output_buffer_size() != Some(raster.data.len()) {
        return Err(Corrupt::BadStructure);
    }
    let channels = raster.layout.channels();
    let mut before = 0;
    if reader.info().interlaced {
        let bits = u8::try_from(8 * channels).unwrap_or(u8::MAX);
        while let Some(row) = reader.next_interlaced_row().map_err(broken)? {
            if let InterlaceInfo::Adam7(place) = row.interlace() {
                expand_interlaced_row(&mut raster.data, width * channels, row.data(), place, bits);
            }
            paced(&reader, &position, before, pace).await;
            before = position.at();
        }
    } else {
        for row in raster.data.chunks_exact_mut((width * channels).max(1)) {
            reader.read_row(row).map_err(broken)?;
            paced(&reader, &position, before, pace).await;
            before = position.at();
        }
        // There is none; this looks for the end of the pixels.
        reader.read_row(&mut []).map_err(broken)?;
    }
    let info = reader.info();
    let colors =
        Colors { gamma: info.gama_chunk, chromaticities: info.chrm_chunk, srgb: info.srgb };
    reader.finish().map_err(broken)?;
    Ok((raster, colors))
}

fn open<'a>(bytes: &'a [u8], position: &'a ReadPosition) -> Result<Rows<'a>, Corrupt> {
    let limits = Limits { bytes: MAX_DECODER_BYTES };
    let mut decoder = Decoder::new_with_limits(Source::new(bytes, position), limits);
    // Palettes are looked up, small grays widened, transparent colours made alpha, 16 bits made 8.
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    // `icc` reads it, with a limit of its own.
    decoder.set_ignore_iccp_chunk(true);
    decoder.read_info().map_err(broken)
}

/// Images in the file: an animation's frames, and a still one that is not among them.
fn frames(reader: &Rows<'_>) -> u32 {
    let info = reader.info();
    match info.animation_control {
        None => 1,
        Some(control) if info.frame_control.is_some() => control.num_frames,
        Some(control) => control.num_frames.saturating_add(1),
    }
}

fn layout(reader: &Rows<'_>) -> Layout {
    match reader.output_color_type().0 {
        ColorType::Grayscale => Layout::Gray,
        ColorType::GrayscaleAlpha => Layout::GrayAlpha,
        ColorType::Rgba => Layout::Rgba,
        // Palettes have been looked up.
        ColorType::Rgb | ColorType::Indexed => Layout::Rgb,
    }
}

const fn size(info: &Info<'_>) -> (usize, usize) {
    (info.width as usize, info.height as usize)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn broken(error: DecodingError) -> Corrupt {
    match error {
        DecodingError::IoError(_) => Corrupt::Truncated,
        _ => Corrupt::BadPixels,
    }
}
