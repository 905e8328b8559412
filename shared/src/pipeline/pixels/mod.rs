//! Decodes a picture to upright RGBA of eight bits, for conformance tests: of an animation the first frame, of an
//! APNG the still picture, as programs without animation show it.
//!
//! A colour profile is not applied: the numbers are those of the file. Inks are converted, as they have no
//! numbers in RGB.

use alloc::{vec, vec::Vec};

use crate::{
    Format, ImageError, Policy, Report,
    codec::{
        decode::{self, stretch::stretch},
        ycbcr,
    },
    error::Corrupt,
    inspect,
    pace::{Pace, run},
    pipeline::storable,
    plan::{Scale, budget},
    raster::{Layout, Planes, Raster, orient},
};

#[cfg(test)]
mod tests;

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Width as seen.
    pub width: u32,
    /// Height as seen.
    pub height: u32,
    /// Four bytes a pixel, row by row from the top; colours are not premultiplied.
    pub rgba: Vec<u8>,
}

/// Decodes a picture: for conformance tests and thumbnails.
///
/// # Errors
/// What [`inspect`] refuses, [`ImageError::TooMuchMemory`] above the policy's limits, and
/// [`ImageError::Corrupt`] when the pixels do not decode to their end.
pub fn pixels(bytes: &[u8], policy: &Policy) -> Result<Pixels, ImageError> {
    let report = inspect(bytes, policy)?;
    let (peak_bytes, limit_bytes) = (budget::pixels_bytes(&report), policy.limits.max_peak_bytes);
    if peak_bytes > limit_bytes {
        return Err(ImageError::TooMuchMemory { peak_bytes, limit_bytes });
    }
    let bytes = storable(bytes.into(), &report)?;
    let raster = run!(raster(&bytes, &report, &Pace::default()))?;
    let (width, height) = report.upright_size();
    Ok(Pixels { width, height, rgba: raster.data })
}

#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn raster(bytes: &[u8], report: &Report, pace: &Pace) -> Result<Raster, Corrupt> {
    let size = (report.width, report.height);
    let raster = match report.format {
        Format::Jpeg => {
            let decoded = decode::jpeg::decode(bytes, Scale::Full, size, pace).await?;
            of_planes(&decode::jpeg::planes(decoded, pace).await?)
        }
        Format::Png => decode::png::decode(bytes, pace).await?.0,
        Format::Gif => decode::gif::first(bytes, size, pace).await?,
        Format::WebP => decode::webp::decode(bytes, size, pace).await?,
    };
    Ok(with_alpha(orient::raster(raster, report.orientation)))
}

/// The same pixels with all four channels.
fn with_alpha(from: Raster) -> Raster {
    if from.layout == Layout::Rgba {
        return from;
    }
    let mut to = Raster::new(from.width, from.height, Layout::Rgba);
    let (pixels, _) = to.data.as_chunks_mut::<4>();
    for (pixel, source) in pixels.iter_mut().zip(from.data.chunks_exact(from.layout.channels())) {
        *pixel = match *source {
            [gray] => [gray, gray, gray, u8::MAX],
            [gray, alpha] => [gray, gray, gray, alpha],
            [r, g, b] => [r, g, b, u8::MAX],
            // There is no other layout.
            _ => continue,
        };
    }
    to
}

/// Luma and chroma as colours.
fn of_planes(planes: &Planes) -> Raster {
    let luma = &planes.luma;
    let (width, height) = (luma.width, luma.height);
    let Some([blue, red]) = &planes.chroma else {
        return Raster { width, height, layout: Layout::Gray, data: luma.clone().packed().data };
    };
    let mut raster = Raster::new(width, height, Layout::Rgb);
    let mut lines = [vec![0; width], vec![0; width]];
    for (y, row) in raster.data.chunks_exact_mut((width * 3).max(1)).enumerate() {
        let [blues, reds] = &mut lines;
        stretch(blue, (width, height), y, blues);
        stretch(red, (width, height), y, reds);
        let (pixels, _) = row.as_chunks_mut::<3>();
        let samples = luma.row(y).iter().zip(&*blues).zip(&*reds);
        for (pixel, ((&y, &blue), &red)) in pixels.iter_mut().zip(samples) {
            *pixel = ycbcr::rgb([y, blue, red]);
        }
    }
    raster
}
