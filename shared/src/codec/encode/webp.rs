//! Writes lossless WebP.

use alloc::vec::Vec;

use image_webp::{ColorType, WebPEncoder};

use super::{EncodeError, Sink};
use crate::raster::{Layout, Raster};

/// The bytes of a picture, at most `limit` of them.
pub(crate) fn encode(
    raster: &Raster,
    icc: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<u8>, EncodeError> {
    let length = |value: usize| u32::try_from(value).map_err(|_| EncodeError::Unwritable);
    let (width, height) = (length(raster.width)?, length(raster.height)?);
    let color = match raster.layout {
        Layout::Gray => ColorType::L8,
        Layout::GrayAlpha => ColorType::La8,
        Layout::Rgb => ColorType::Rgb8,
        Layout::Rgba => ColorType::Rgba8,
    };
    let mut sink = Sink::new(limit);
    let mut encoder = WebPEncoder::new(&mut sink);
    if let Some(profile) = icc {
        encoder.set_icc_profile(profile.to_vec());
    }
    let written = encoder.encode(&raster.data, width, height, color);
    sink.finish(written.is_ok())
}
