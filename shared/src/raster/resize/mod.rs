//! Makes pictures smaller with Lanczos of three lobes, as the servers do that people compare with. Alpha is
//! premultiplied, so that invisible colours do not bleed into visible ones.
//!
//! Rows are summed and narrowed a few at a time, so that no second picture is in memory, and in integers, so that
//! every machine computes the same pixels. (`fast_image_resize` holds a copy of the source's width and the
//! target's height, has a path for each instruction set, and took minutes to compile where this takes seconds.)

use alloc::{vec, vec::Vec};
use core::{f64::consts::PI, ops::Range};

use super::{Layout, Plane, Planes, Raster};

/// Resizes luma and chroma, each to its own size.
#[must_use]
pub fn planes(planes: Planes, luma: (usize, usize), chroma: (usize, usize)) -> Planes {
    let Planes { luma: y, chroma: colors } = planes;
    let y = plane(y, luma);
    let chroma = colors.map(|[blue, red]| [plane(blue, chroma), plane(red, chroma)]);
    Planes { luma: y, chroma }
}

fn plane(from: Plane, (width, height): (usize, usize)) -> Plane {
    if (from.width, from.height) == (width, height) {
        return from.packed();
    }
    let mut to = Plane::new(width, height);
    let rows = |y| from.row(y);
    smooth::<1>((from.width, from.height), rows, (width, height), &mut to.data, false);
    to
}

/// How target pixels are computed from source pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Weighted sums of neighbours.
    Smooth,
    /// The nearest pixel, which adds no colours.
    Nearest,
}

/// Resizes a raster.
///
/// ```
/// use image_rules::raster::{Layout, Raster, resize::{self, Method}};
///
/// let mut gray = Raster::new(100, 60, Layout::Gray);
/// gray.data.fill(77);
/// let small = resize::raster(&gray, (50, 30), Method::Smooth);
/// assert_eq!((small.width, small.height), (50, 30));
/// assert!(small.data.iter().all(|sample| *sample == 77));
/// ```
#[must_use]
pub fn raster(from: &Raster, size: (usize, usize), method: Method) -> Raster {
    let mut to = Raster::new(size.0, size.1, from.layout);
    let stride = from.width * from.layout.channels();
    let rows = |y: usize| from.data.get(y * stride..(y + 1) * stride).unwrap_or_default();
    let from_size = (from.width, from.height);
    if method == Method::Nearest {
        nearest(from, &mut to);
        return to;
    }
    match from.layout {
        Layout::Gray => smooth::<1>(from_size, rows, size, &mut to.data, false),
        Layout::GrayAlpha => smooth::<2>(from_size, rows, size, &mut to.data, true),
        Layout::Rgb => smooth::<3>(from_size, rows, size, &mut to.data, false),
        Layout::Rgba => smooth::<4>(from_size, rows, size, &mut to.data, true),
    }
    to
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

/// Rows that are narrowed together: as many as there are bytes in a vector register.
const BLOCK: usize = 16;

/// One sample of each row of a block.
type Column = [u8; BLOCK];

/// Resizes pixels of `C` channels, of which with `alpha` the last is one: first down, as whole rows
/// are summed fastest, then across, a block of rows at a time and turned into columns, so that this
/// is a sum of vectors, too.
fn smooth<'a, const C: usize>(
    from: (usize, usize),
    rows: impl Fn(usize) -> &'a [u8],
    to: (usize, usize),
    out: &mut [u8],
    alpha: bool,
) {
    let across = Taps::new(from.0, to.0);
    let down = Taps::new(from.1, to.1);
    let mut multiplied = alpha.then(|| Multiplied::new(from.0 * C, down.longest()));
    let mut columns: Vec<Column> = vec![[0; BLOCK]; from.0 * C];
    let mut narrowed: Vec<Column> = vec![[0; BLOCK]; to.0 * C];
    let mut row = vec![0u8; from.0 * C];
    let line = (to.0 * C).max(1);
    let mut spans = down.each();
    for block in out.chunks_mut(line * BLOCK) {
        for (lane, (first, weights)) in spans.by_ref().take(block.len() / line).enumerate() {
            match &mut multiplied {
                Some(multiplied) => {
                    multiplied.fill::<C>(first..first + weights.len(), &rows);
                    sum(&lines(|number| multiplied.row(number), first, weights), &mut row);
                }
                None => sum(&lines(&rows, first, weights), &mut row),
            }
            put_lane(&row, lane, &mut columns);
        }
        narrow::<C>(&columns, &across, &mut narrowed);
        for (lane, target) in block.chunks_exact_mut(line).enumerate() {
            take_lane(&narrowed, lane, target);
            if alpha {
                divide::<C>(target);
            }
        }
    }
}

/// The rows that one target row is made of, with their weights.
fn lines<'r>(
    row: impl Fn(usize) -> &'r [u8],
    first: usize,
    weights: &[i16],
) -> Vec<(&'r [u8], i16)> {
    (first..).map(row).zip(weights.iter().copied()).collect()
}

fn put_lane(row: &[u8], lane: usize, columns: &mut [Column]) {
    for (column, &sample) in columns.iter_mut().zip(row) {
        if let Some(slot) = column.get_mut(lane % BLOCK) {
            *slot = sample;
        }
    }
}

fn take_lane(columns: &[Column], lane: usize, row: &mut [u8]) {
    for (sample, column) in row.iter_mut().zip(columns) {
        *sample = column.get(lane % BLOCK).copied().unwrap_or_default();
    }
}

/// Columns made fewer. Never inlined: an engine replaces its first, slow code of a wasm function only
/// when that is called again.
#[inline(never)]
fn narrow<const C: usize>(columns: &[Column], taps: &Taps, out: &mut [Column]) {
    let (pixels, _) = columns.as_chunks::<C>();
    let (out, _) = out.as_chunks_mut::<C>();
    for (target, (first, weights)) in out.iter_mut().zip(taps.each()) {
        let mut sums = [[ONE / 2; BLOCK]; C];
        for (pixel, &weight) in pixels.get(first..).unwrap_or_default().iter().zip(weights) {
            for (sums, column) in sums.iter_mut().zip(pixel) {
                for (sum, &sample) in sums.iter_mut().zip(column) {
                    *sum += i32::from(i16::from(sample)) * i32::from(weight);
                }
            }
        }
        *target = sums.map(|sums| sums.map(byte));
    }
}

/// The last few rows with colours weighed by their alpha, each in the slot of its number.
struct Multiplied {
    line: usize,
    slots: usize,
    samples: Vec<u8>,
    ready: usize,
}

impl Multiplied {
    fn new(line: usize, slots: usize) -> Self {
        Self { line, slots, samples: vec![0; line * slots], ready: 0 }
    }

    /// Makes sure that these rows are there; they never go back.
    fn fill<'a, const C: usize>(&mut self, range: Range<usize>, rows: impl Fn(usize) -> &'a [u8]) {
        for number in self.ready.max(range.start)..range.end {
            let start = number % self.slots.max(1) * self.line;
            let slot = self.samples.get_mut(start..start + self.line).unwrap_or_default();
            multiply::<C>(rows(number), slot);
        }
        self.ready = self.ready.max(range.end);
    }

    fn row(&self, number: usize) -> &[u8] {
        let start = number % self.slots.max(1) * self.line;
        self.samples.get(start..start + self.line).unwrap_or_default()
    }
}

/// The weighted sum of rows; never inlined, like [`narrow`].
#[inline(never)]
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
                *sum += i32::from(i16::from(sample)) * i32::from(*weight);
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

/// Fractional bits of a weight: as many as leave room for a sum of Lanczos weights, whose largest
/// is a little above one, in sixteen bits.
const SHIFT: u32 = 14;

/// One, as a weight.
const ONE: i32 = 1 << SHIFT;

/// Lobes of the filter to each side.
const LOBES: f64 = 3.0;

/// The weights of all target samples along one axis.
struct Taps {
    /// The first source sample, and where the weights end.
    spans: Vec<(usize, usize)>,
    weights: Vec<i16>,
}

impl Taps {
    /// From `from` samples to `to`.
    fn new(from: usize, to: usize) -> Self {
        let mut taps = Self { spans: Vec::with_capacity(to), weights: Vec::new() };
        let scale = real(from) / real(to.max(1));
        let reach = LOBES * scale.max(1.0);
        taps.weights.reserve_exact(to.saturating_mul(whole(2.0 * reach) + 2));
        let mut exact = Vec::new();
        for target in 0..to {
            let center = (real(target) + 0.5) * scale;
            let first = whole(center - reach + 0.5);
            let end = whole(center + reach + 0.5).min(from).max(first + 1);
            exact.clear();
            let weigh = |source: usize| lanczos((real(source) + 0.5 - center) / scale.max(1.0));
            exact.extend((first..end).map(weigh));
            taps.push(first, &exact);
        }
        taps
    }

    /// Adds weights that together are exactly one, so that what is flat stays flat.
    fn push(&mut self, first: usize, exact: &[f64]) {
        let start = self.weights.len();
        let total: f64 = exact.iter().sum();
        let total = if total == 0.0 { 1.0 } else { total };
        self.weights.extend(exact.iter().map(|weight| fixed(weight / total)));
        let fresh = self.weights.get_mut(start..).unwrap_or_default();
        let sum: i32 = fresh.iter().map(|&weight| i32::from(weight)).sum();
        if let Some(largest) = fresh.iter_mut().max_by_key(|weight| **weight) {
            let rounded = i32::from(*largest) + ONE - sum;
            *largest = i16::try_from(rounded).unwrap_or(i16::MAX);
        }
        self.spans.push((first, self.weights.len()));
    }

    /// The most source samples that one target sample is made of.
    fn longest(&self) -> usize {
        self.each().map(|(_, weights)| weights.len()).max().unwrap_or_default()
    }

    /// The first source sample and the weights of each target sample.
    #[inline]
    fn each(&self) -> impl Iterator<Item = (usize, &[i16])> {
        let mut start = 0;
        self.spans.iter().map(move |&(first, end)| {
            let weights = self.weights.get(start..end).unwrap_or_default();
            start = end;
            (first, weights)
        })
    }
}

/// A windowed sinc.
fn lanczos(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else if x.abs() < LOBES {
        sinc(x) * sinc(x / LOBES)
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    sine(x) / (PI * x)
}

/// The sine of `x` half turns, by its series: exact to 1e-9 where weights have 14 bits. It is the same on
/// every machine, and a tenth of the code that reduces arguments of any size.
fn sine(x: f64) -> f64 {
    let halves = rounded(x);
    let angle = PI * (x - halves);
    let square = angle * angle;
    let mut term = angle;
    let mut sum = angle;
    for odd in [3.0, 5.0, 7.0, 9.0, 11.0, 13.0] {
        term *= -square / (odd * (odd - 1.0));
        sum += term;
    }
    if halves % 2.0 == 0.0 { sum } else { -sum }
}

/// As `f64::round`, which needs std: to the nearest, halves away from zero. For numbers of 32 bits, whose distance
/// to the truncated number is exact.
#[expect(clippy::cast_possible_truncation, reason = "weights and arguments are small")]
fn rounded(x: f64) -> f64 {
    let truncated = f64::from(x as i32);
    match x - truncated {
        rest if rest >= 0.5 => truncated + 1.0,
        rest if rest <= -0.5 => truncated - 1.0,
        _ => truncated,
    }
}

#[expect(clippy::cast_precision_loss, reason = "lengths have 32 bits at most")]
fn real(length: usize) -> f64 {
    length as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounds down and clamps at zero"
)]
fn whole(length: f64) -> usize {
    length as usize
}

#[expect(clippy::cast_possible_truncation, reason = "`as` clamps floats")]
fn fixed(weight: f64) -> i16 {
    rounded(weight * f64::from(ONE)) as i16
}

#[cfg(test)]
mod tests;
