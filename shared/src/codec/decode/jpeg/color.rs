//! From what a JPEG's components mean to luma and chroma, which is what everything after works on.
//!
//! Most pictures are that already and pass untouched. Inks become what a press would print with
//! them: their colour profile speaks of inks and is dropped with them.

use super::{Decoded, Inks, Model};
use crate::{
    codec::ycbcr::{rgb, ycbcr},
    error::Corrupt,
    pace::Pace,
    plan::work::cost,
    raster::{Layout, Plane, Planes, Raster},
};

/// The picture as luma and chroma.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn planes(decoded: Decoded, pace: &Pace) -> Result<Planes, Corrupt> {
    let Decoded { model, planes, .. } = decoded;
    let mut planes = planes.into_iter();
    let mut next = || planes.next().ok_or(Corrupt::BadStructure);
    let first = next()?;
    match model {
        Model::Gray => Ok(Planes { luma: first, chroma: None }),
        Model::YCbCr => {
            let chroma = [next()?, next()?];
            // Luma coarser than chroma is absurd and allowed; the probe counts what this makes.
            if chroma.iter().any(|plane| plane.width > first.width || plane.height > first.height) {
                let [blue, red] = chroma;
                return Ok(convert(&[first, blue, red], |stored| stored, pace).await);
            }
            Ok(Planes { luma: first, chroma: Some(chroma) })
        }
        Model::Rgb => recolor([first, next()?, next()?], pace).await,
        Model::Inks(inks) => {
            let channels = [first, next()?, next()?, next()?];
            Ok(convert(&channels, |stored| ycbcr(printed(stored, inks)), pace).await)
        }
    }
}

/// An opaque raster as luma and chroma.
pub(crate) fn from_raster(raster: &Raster) -> Planes {
    let (width, height) = (raster.width, raster.height);
    if raster.layout == Layout::Gray {
        let luma = Plane { width, height, stride: width, data: raster.data.clone() };
        return Planes { luma, chroma: None };
    }
    let mut out = [(); 3].map(|()| Plane::new(width, height));
    let [luma, blue, red] = &mut out;
    let channels = raster.layout.channels();
    let samples = luma.data.iter_mut().zip(&mut blue.data).zip(&mut red.data);
    for (((y, b), r), pixel) in samples.zip(raster.data.chunks_exact(channels)) {
        if let Some(rgb) = pixel.first_chunk::<3>() {
            [*y, *b, *r] = ycbcr(*rgb);
        }
    }
    let [luma, blue, red] = out;
    Planes { luma, chroma: Some([blue, red]) }
}

/// Red, green and blue become luma and chroma where they lie, so that no second picture is in memory.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn recolor(
    [mut red, mut green, mut blue]: [Plane; 3],
    pace: &Pace,
) -> Result<Planes, Corrupt> {
    let size = (red.width, red.height);
    if (green.width, green.height) != size || (blue.width, blue.height) != size {
        // Subsampled red, green and blue: allowed, and written by nobody.
        return Err(Corrupt::Unsupported);
    }
    let line = red.stride.max(1);
    let rows = green.data.chunks_mut(line).zip(blue.data.chunks_mut(line));
    for (red, (green, blue)) in red.data.chunks_mut(line).zip(rows) {
        pace.begin((line as u64).saturating_mul(cost::CONVERTED_PIXEL)).await;
        for (first, (second, third)) in red.iter_mut().zip(green.iter_mut().zip(blue)) {
            [*first, *second, *third] = ycbcr([*first, *second, *third]);
        }
    }
    Ok(Planes { luma: red, chroma: Some([green, blue]) })
}

/// Converts pixel by pixel; a channel that is coarser than the first repeats its samples.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn convert<const N: usize>(
    channels: &[Plane; N],
    pixel: impl Fn([u8; N]) -> [u8; 3],
    pace: &Pace,
) -> Planes {
    let width = channels.iter().map(|channel| channel.width).max().unwrap_or_default();
    let height = channels.iter().map(|channel| channel.height).max().unwrap_or_default();
    let mut out = [(); 3].map(|()| Plane::new(width, height));
    for y in 0..height {
        pace.begin((width as u64).saturating_mul(cost::INK_PIXEL)).await;
        convert_row(channels, &pixel, y, &mut out);
    }
    let [luma, blue, red] = out;
    Planes { luma, chroma: Some([blue, red]) }
}

#[inline(never)]
fn convert_row<const N: usize>(
    channels: &[Plane; N],
    pixel: &impl Fn([u8; N]) -> [u8; 3],
    y: usize,
    out: &mut [Plane; 3],
) {
    let [a, b, c] = out;
    let (width, height) = (a.width, a.height);
    let rows = channels.each_ref().map(|channel| {
        let row = channel.row(y * channel.height / height);
        (row, row.len())
    });
    let range = y * width..(y + 1) * width;
    let lines =
        (a.data.get_mut(range.clone()), b.data.get_mut(range.clone()), c.data.get_mut(range));
    let (Some(a), Some(b), Some(c)) = lines else { return };
    for (x, ((a, b), c)) in a.iter_mut().zip(b).zip(c).enumerate() {
        let stored = rows.map(|(row, len)| row.get(x * len / width).copied().unwrap_or(0));
        [*a, *b, *c] = pixel(stored);
    }
}

/// The light that paper with these inks throws back.
fn printed([c, m, y, k]: [u8; 4], inks: Inks) -> [u8; 3] {
    // libjpeg turns YCCK into CMYK as RGB and inverts it (jdcolor.c, `ycck_cmyk_convert`).
    let [c, m, y] = if inks.luma { rgb([c, m, y]).map(|light| 255 - light) } else { [c, m, y] };
    let inks = if inks.inverted { [c, m, y, k].map(|ink| 255 - ink) } else { [c, m, y, k] };
    swop(inks.map(|ink| f32::from(ink) / 255.0))
}

/// Inks on coated paper (US Web Coated SWOP), fitted by polynomials of second degree: those of
/// pdf.js (`DeviceCmykCS`). Multiplying light instead gives colours that no press prints.
#[rustfmt::skip]
#[expect(clippy::many_single_char_names, reason = "inks and lights have letters for names")]
fn swop([c, m, y, k]: [f32; 4]) -> [u8; 3] {
    let r = 255.0
        + c * (-4.387_332 * c + 54.486_15 * m + 18.822_905 * y + 212.256_62 * k - 285.233_1)
        + m * (1.714_976_3 * m - 5.609_673_7 * y - 17.873_87 * k - 5.497_006_4)
        + y * (-2.521_734 * y - 21.248_923 * k + 17.511_927)
        + k * (-21.861_221 * k - 189.481_8);
    let g = 255.0
        + c * (8.841_04 * c + 60.118_027 * m + 6.871_425_6 * y + 31.159_1 * k - 79.297_08)
        + m * (-15.310_361 * m + 17.575_25 * y + 131.352_5 * k - 190.945_33)
        + y * (4.444_339 * y + 9.863_286 * k - 24.867_416)
        + k * (-20.737_325 * k - 187.804_54);
    let b = 255.0
        + c * (0.884_252_24 * c + 8.078_677 * m + 30.899_782 * y - 0.238_832_39 * k - 14.183_577)
        + m * (10.495_933 * m + 63.023_785 * y + 50.606_957 * k - 112.238_84)
        + y * (0.032_960_41 * y + 115.603_84 * k - 193.582_1)
        + k * (-22.338_168 * k - 180.126_14);
    [r, g, b].map(light)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` clamps floats")]
fn light(value: f32) -> u8 {
    (value + 0.5) as u8
}
