//! Fewer pixels: Lanczos with three lobes, as the servers use that people compare with. Alpha is
//! premultiplied, so that invisible colours do not bleed into visible ones. How small is `plan`'s
//! business.
//!
//! Rows are made narrower one by one and summed as soon as there are enough of them, so that no
//! second picture is in memory, and in integers, so that every machine gets the same pixels.
//! (`fast_image_resize` differs between instruction sets, holds a copy, and takes minutes to
//! compile, as it makes each pixel type and precision anew in ours.)

use alloc::{vec, vec::Vec};

use crate::{
    error::Corrupt,
    raster::{Layout, Plane, Planes, Raster},
};

mod taps;

use taps::{ONE, SHIFT, Taps};

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
    let rows = |y| from.row(y);
    smooth::<1>((from.width, from.height), rows, (width, height), &mut to.data, false)?;
    Ok(to)
}

/// How the pixels between pixels are found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// By weighing neighbours.
    Smooth,
    /// By taking the nearest one, which adds no colours.
    Nearest,
}

/// The raster at another size.
pub(crate) fn raster(
    from: &Raster,
    size: (usize, usize),
    method: Method,
) -> Result<Raster, Corrupt> {
    let mut to = Raster::new(size.0, size.1, from.layout);
    let stride = from.width * from.layout.channels();
    let rows = |y: usize| from.data.get(y * stride..(y + 1) * stride).unwrap_or_default();
    let from_size = (from.width, from.height);
    if method == Method::Nearest {
        nearest(from, &mut to);
        return Ok(to);
    }
    match from.layout {
        Layout::Gray => smooth::<1>(from_size, rows, size, &mut to.data, false)?,
        Layout::GrayAlpha => smooth::<2>(from_size, rows, size, &mut to.data, true)?,
        Layout::Rgb => smooth::<3>(from_size, rows, size, &mut to.data, false)?,
        Layout::Rgba => smooth::<4>(from_size, rows, size, &mut to.data, true)?,
    }
    Ok(to)
}

fn nearest(from: &Raster, to: &mut Raster) {
    let channels = from.layout.channels();
    let (width, height) = (to.width, to.height);
    // The middle of each target pixel, in source pixels.
    let middle = |at: usize, to: usize, from: usize| (2 * at + 1) * from / (2 * to);
    for (y, row) in to.data.chunks_exact_mut((width * channels).max(1)).enumerate() {
        let start = middle(y, height, from.height) * from.width;
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let at = (start + middle(x, width, from.width)) * channels;
            if let Some(source) = from.data.get(at..at + channels) {
                pixel.copy_from_slice(source);
            }
        }
    }
}

/// Resizes pixels of `C` channels, of which with `alpha` the last is one.
fn smooth<'a, const C: usize>(
    from: (usize, usize),
    rows: impl Fn(usize) -> &'a [u8],
    to: (usize, usize),
    out: &mut [u8],
    alpha: bool,
) -> Result<(), Corrupt> {
    let across = Taps::new(from.0, to.0);
    let down = Taps::new(from.1, to.1);
    let line = to.0 * C;
    // As many narrowed rows as one target row is made of, each in the slot of its number.
    let slots = down.longest().max(1);
    let mut ring = vec![0u8; slots * line];
    let mut multiplied = vec![0u8; if alpha { from.0 * C } else { 0 }];
    let mut ready = 0;
    for (target, (first, weights)) in out.chunks_exact_mut(line.max(1)).zip(down.each()) {
        ready = ready.max(first);
        while ready < first + weights.len() {
            let mut row = rows(ready);
            if alpha {
                multiply::<C>(row, &mut multiplied);
                row = &multiplied;
            }
            let slot = (ready % slots) * line;
            let slot = ring.get_mut(slot..slot + line).ok_or(Corrupt::BadLength)?;
            narrow::<C>(row, &across, slot);
            ready += 1;
        }
        let slot = |number: usize| {
            let start = (number % slots) * line;
            ring.get(start..start + line).unwrap_or_default()
        };
        let lines: Vec<(&[u8], i16)> = (first..).map(slot).zip(weights.iter().copied()).collect();
        sum(&lines, target);
        if alpha {
            divide::<C>(target);
        }
    }
    Ok(())
}

/// One row made narrower.
#[inline]
fn narrow<const C: usize>(row: &[u8], taps: &Taps, out: &mut [u8]) {
    if C == 1 {
        return narrow_plane(row, taps, out);
    }
    let (pixels, _) = row.as_chunks::<C>();
    let (out, _) = out.as_chunks_mut::<C>();
    for (target, (first, weights)) in out.iter_mut().zip(taps.each()) {
        let mut sums = [ONE / 2; C];
        for (pixel, &weight) in pixels.get(first..).unwrap_or_default().iter().zip(weights) {
            for (sum, &sample) in sums.iter_mut().zip(pixel) {
                *sum += i32::from(sample) * i32::from(weight);
            }
        }
        *target = sums.map(byte);
    }
}

/// The same for one channel, eight neighbours at a time.
fn narrow_plane(row: &[u8], taps: &Taps, out: &mut [u8]) {
    for (target, (first, weights)) in out.iter_mut().zip(taps.each()) {
        let samples = row.get(first..first + weights.len()).unwrap_or_default();
        let (eights, rest) = samples.as_chunks::<8>();
        let (eight_weights, rest_weights) = weights.as_chunks::<8>();
        let mut sums = [0i32; 8];
        for (samples, weights) in eights.iter().zip(eight_weights) {
            for ((sum, &sample), &weight) in sums.iter_mut().zip(samples).zip(weights) {
                *sum += i32::from(sample) * i32::from(weight);
            }
        }
        let mut sum = ONE / 2 + sums.iter().sum::<i32>();
        for (&sample, &weight) in rest.iter().zip(rest_weights) {
            sum += i32::from(sample) * i32::from(weight);
        }
        *target = byte(sum);
    }
}

/// The weighted sum of rows.
fn sum(lines: &[(&[u8], i16)], out: &mut [u8]) {
    /// Sums that fit in the registers of a vector unit.
    const LANES: usize = 32;
    let (chunks, tail) = out.as_chunks_mut::<LANES>();
    let done = chunks.len() * LANES;
    for (at, chunk) in chunks.iter_mut().enumerate() {
        let mut sums = [ONE / 2; LANES];
        for (line, weight) in lines {
            let (line, _) = line.as_chunks::<LANES>();
            let Some(samples) = line.get(at) else { continue };
            for (sum, &sample) in sums.iter_mut().zip(samples) {
                *sum += i32::from(sample) * i32::from(*weight);
            }
        }
        *chunk = sums.map(byte);
    }
    for (at, target) in tail.iter_mut().enumerate() {
        let products = lines.iter().map(|(line, weight)| {
            i32::from(line.get(done + at).copied().unwrap_or_default()) * i32::from(*weight)
        });
        *target = byte(ONE / 2 + products.sum::<i32>());
    }
}

#[inline]
#[expect(clippy::cast_sign_loss, reason = "clamped to a byte")]
fn byte(sum: i32) -> u8 {
    (sum >> SHIFT).clamp(0, 255) as u8
}

/// Colours weighed by their alpha.
fn multiply<const C: usize>(row: &[u8], out: &mut [u8]) {
    let (out, _) = out.as_chunks_mut::<C>();
    for (target, pixel) in out.iter_mut().zip(row.as_chunks::<C>().0) {
        let alpha = u16::from(pixel.last().copied().unwrap_or_default());
        *target = pixel.map(|color| {
            // Divides by 255, rounding to nearest, without a division.
            let product = u16::from(color) * alpha + 128;
            product.wrapping_add(product >> 8).to_be_bytes()[0]
        });
        if let (Some(to), Some(from)) = (target.last_mut(), pixel.last()) {
            *to = *from;
        }
    }
}

/// The inverse of [`multiply`].
fn divide<const C: usize>(row: &mut [u8]) {
    for pixel in row.as_chunks_mut::<C>().0 {
        let alpha = pixel.last().copied().unwrap_or_default();
        if alpha == 0 {
            *pixel = [0; C];
        } else if alpha < u8::MAX {
            let whole = u32::from(alpha);
            *pixel =
                pixel.map(|color| ((u32::from(color) * 255 + whole / 2) / whole).min(255) as u8);
            if let Some(last) = pixel.last_mut() {
                *last = alpha;
            }
        }
    }
}

#[cfg(test)]
mod tests;
