//! Reads WebP, lossy and lossless, still and animated. RIFF chunks have been walked by `inspect`.

use alloc::{vec, vec::Vec};

use image_webp::{DecodingError, WebPDecoder};

use crate::{
    codec::placeholder,
    error::Corrupt,
    hidden_data::{
        self,
        source::{ReadPosition, Source},
    },
    raster::{Layout, Raster},
    report::Orientation,
};

/// Decodes every frame and refuses hidden data; returns the placeholder of the first.
pub(crate) fn verify(
    bytes: &[u8],
    size: (u32, u32),
    orientation: Orientation,
) -> Result<Vec<u8>, Corrupt> {
    let position = ReadPosition::default();
    let mut decoder = open(bytes, size, &position)?;
    let mut raster = canvas(&decoder);
    let mut streams =
        if hidden_data::FINDS_HIDDEN_DATA { hidden_data::webp::streams(bytes)? } else { vec![] }
            .into_iter();
    if !decoder.is_animated() {
        decoder.read_image(&mut raster.data).map_err(broken)?;
        if hidden_data::FINDS_HIDDEN_DATA {
            streams.next().ok_or(Corrupt::NoImageData)?.check_still(bytes, &position)?;
        }
        return Ok(placeholder::of_raster(&raster, orientation));
    }
    let mut hash = vec![];
    for frame in 0..decoder.num_frames() {
        decoder.read_frame(&mut raster.data).map_err(broken)?;
        if hidden_data::FINDS_HIDDEN_DATA {
            streams.next().ok_or(Corrupt::NoImageData)?.check_frame(bytes, &position)?;
        }
        if frame == 0 {
            hash = placeholder::of_raster(&raster, orientation);
        }
    }
    Ok(hash)
}

pub(crate) fn decode(bytes: &[u8], size: (u32, u32)) -> Result<Raster, Corrupt> {
    let position = ReadPosition::default();
    let mut decoder = open(bytes, size, &position)?;
    let mut raster = canvas(&decoder);
    decoder.read_image(&mut raster.data).map_err(broken)?;
    Ok(raster)
}

/// The plan's memory was computed for the size that `inspect` saw.
fn open<'a>(
    bytes: &'a [u8],
    size: (u32, u32),
    position: &'a ReadPosition,
) -> Result<WebPDecoder<Source<'a>>, Corrupt> {
    let decoder = WebPDecoder::new(Source::new(bytes, position)).map_err(broken)?;
    if decoder.dimensions() == size { Ok(decoder) } else { Err(Corrupt::BadStructure) }
}

fn canvas(decoder: &WebPDecoder<Source<'_>>) -> Raster {
    let (width, height) = decoder.dimensions();
    let layout = if decoder.has_alpha() { Layout::Rgba } else { Layout::Rgb };
    Raster::new(width as usize, height as usize, layout)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn broken(error: DecodingError) -> Corrupt {
    match error {
        DecodingError::IoError(_) => Corrupt::Truncated,
        _ => Corrupt::BadPixels,
    }
}
