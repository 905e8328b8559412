//! Reads WebP, lossy and lossless, still and animated. RIFF chunks have been walked by `probe`.

use alloc::{vec, vec::Vec};
use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use crate::{
    error::Corrupt,
    placeholder,
    probe::Orientation,
    raster::{Layout, Raster},
};

/// Decodes every frame; answers the placeholder of the first.
pub(crate) fn verify(
    bytes: &[u8],
    size: (u32, u32),
    orientation: Orientation,
) -> Result<Vec<u8>, Corrupt> {
    let mut decoder = open(bytes, size)?;
    let mut raster = canvas(&decoder);
    if !decoder.is_animated() {
        decoder.read_image(&mut raster.data).map_err(broken)?;
        return Ok(placeholder::of_raster(&raster, orientation));
    }
    let mut hash = vec![];
    for frame in 0..decoder.num_frames() {
        decoder.read_frame(&mut raster.data).map_err(broken)?;
        if frame == 0 {
            hash = placeholder::of_raster(&raster, orientation);
        }
    }
    Ok(hash)
}

/// Decodes a still picture; answers its colour profile, too.
pub(crate) fn decode(bytes: &[u8], size: (u32, u32)) -> Result<(Raster, Option<Vec<u8>>), Corrupt> {
    let mut decoder = open(bytes, size)?;
    let mut raster = canvas(&decoder);
    decoder.read_image(&mut raster.data).map_err(broken)?;
    let icc = decoder.icc_profile().map_err(broken)?;
    Ok((raster, icc))
}

/// The plan's memory was computed for the size that `probe` saw.
fn open(bytes: &[u8], size: (u32, u32)) -> Result<WebPDecoder<Cursor<&[u8]>>, Corrupt> {
    let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(broken)?;
    if decoder.dimensions() == size { Ok(decoder) } else { Err(Corrupt::BadStructure) }
}

fn canvas(decoder: &WebPDecoder<Cursor<&[u8]>>) -> Raster {
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
