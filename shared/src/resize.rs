//! Fewer pixels: Lanczos with three lobes, as the servers use that people compare with. Alpha is
//! premultiplied, so that invisible colours do not bleed into visible ones. How small is `plan`'s
//! business.

use fast_image_resize::{
    FilterType, MulDiv, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{CroppedImage, Image, ImageRef},
};

use crate::{
    error::Corrupt,
    raster::{Layout, Plane, Planes, Raster},
};

/// The planes at another size; chroma gets the size that the encoder wants of it.
pub(crate) fn planes(
    planes: Planes,
    luma: (usize, usize),
    chroma: (usize, usize),
) -> Result<Planes, Corrupt> {
    let Planes { luma: y, chroma: colors } = planes;
    let y = plane(y, luma)?;
    let colors = match colors {
        Some([blue, red]) => Some([plane(blue, chroma)?, plane(red, chroma)?]),
        None => None,
    };
    Ok(Planes { luma: y, chroma: colors })
}

fn plane(from: Plane, (width, height): (usize, usize)) -> Result<Plane, Corrupt> {
    if (from.width, from.height) == (width, height) {
        return Ok(from.packed());
    }
    let mut to = Plane::new(width, height);
    let whole =
        source(&from.data, from.stride, from.data.len() / from.stride.max(1), PixelType::U8)?;
    let view =
        CroppedImage::new(&whole, 0, 0, size(from.width), size(from.height)).map_err(impossible)?;
    let mut target = Image::from_slice_u8(size(width), size(height), &mut to.data, PixelType::U8)
        .map_err(impossible)?;
    Resizer::new().resize(&view, &mut target, &options()).map_err(impossible)?;
    Ok(to)
}

/// The raster at another size.
pub(crate) fn raster(mut from: Raster, (width, height): (usize, usize)) -> Result<Raster, Corrupt> {
    if (from.width, from.height) == (width, height) {
        return Ok(from);
    }
    let pixels = pixel_type(from.layout);
    let alpha = MulDiv::new();
    if from.layout.has_alpha() {
        let (w, h) = (size(from.width), size(from.height));
        let mut image = Image::from_slice_u8(w, h, &mut from.data, pixels).map_err(impossible)?;
        alpha.multiply_alpha_inplace(&mut image).map_err(impossible)?;
    }
    let mut to = Raster::new(width, height, from.layout);
    let view = source(&from.data, from.width, from.height, pixels)?;
    let mut target = Image::from_slice_u8(size(width), size(height), &mut to.data, pixels)
        .map_err(impossible)?;
    Resizer::new().resize(&view, &mut target, &options()).map_err(impossible)?;
    if from.layout.has_alpha() {
        alpha.divide_alpha_inplace(&mut target).map_err(impossible)?;
    }
    Ok(to)
}

fn options() -> ResizeOptions {
    // Alpha is multiplied in place by us: the library would take a second copy of the source.
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).use_alpha(false)
}

const fn pixel_type(layout: Layout) -> PixelType {
    match layout {
        Layout::Gray => PixelType::U8,
        Layout::GrayAlpha => PixelType::U8x2,
        Layout::Rgb => PixelType::U8x3,
        Layout::Rgba => PixelType::U8x4,
    }
}

fn source(
    data: &[u8],
    width: usize,
    height: usize,
    pixels: PixelType,
) -> Result<ImageRef<'_>, Corrupt> {
    let len = width.saturating_mul(height).saturating_mul(pixels.size());
    let data = data.get(..len).ok_or(Corrupt::BadLength)?;
    ImageRef::new(size(width), size(height), data, pixels).map_err(impossible)
}

/// Sizes come from `u32` headers; one that does not fit becomes zero and is refused below.
fn size(value: usize) -> u32 {
    u32::try_from(value).unwrap_or_default()
}

/// Buffers are made to measure, so the library has nothing to object to.
fn impossible<E>(_: E) -> Corrupt {
    Corrupt::BadLength
}
