//! Makes pictures smaller with Lanczos of three lobes, as the servers do that people compare with. Alpha is
//! premultiplied, so that invisible colours do not bleed into visible ones.
//!
//! Rows are summed and narrowed a few at a time, so that no second picture is in memory, and in integers, so that
//! every machine computes the same pixels. (`fast_image_resize` holds a copy of the source's width and the
//! target's height, has a path for each instruction set, and took minutes to compile where this takes seconds.)

use alloc::{vec, vec::Vec};
use core::{f64::consts::PI, ops::Range};

use wide::{bytemuck::cast, i16x8, i32x4, u8x16};

use super::{Layout, Plane, Planes, Raster};
use crate::{
    pace::{Pace, run},
    plan::work::cost,
};

/// Resizes luma and chroma, each to its own size.
#[cfg_attr(not(feature = "codec"), expect(dead_code, reason = "only decoders make planes"))]
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn planes(
    planes: Planes,
    luma: (usize, usize),
    chroma: (usize, usize),
    pace: &Pace,
) -> Planes {
    let axes = Axes::new((planes.luma.width, planes.luma.height), luma);
    let luma = resized(planes.luma, luma, &axes, pace).await;
    let Some([blue, red]) = planes.chroma else { return Planes { luma, chroma: None } };
    let axes = Axes::new((blue.width, blue.height), chroma);
    let blue = resized(blue, chroma, &axes, pace).await;
    Planes { luma, chroma: Some([blue, resized(red, chroma, &axes, pace).await]) }
}

/// A plane at another size.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn resized(from: Plane, size: (usize, usize), axes: &Axes, pace: &Pace) -> Plane {
    if (from.width, from.height) == size {
        return from.packed();
    }
    let mut to = Plane::new(size.0, size.1);
    let rows = Rows { data: &from.data, line: from.width, stride: from.stride };
    smooth(rows, Layout::Gray, axes, size.0, &mut to.data, pace).await;
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
    run!(raster_in_steps(from, size, method, &Pace::default()))
}

/// As [`raster`], and pends between steps.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn raster_in_steps(
    from: &Raster,
    size: (usize, usize),
    method: Method,
    pace: &Pace,
) -> Raster {
    let mut to = Raster::new(size.0, size.1, from.layout);
    if method == Method::Nearest {
        nearest(from, &mut to);
        return to;
    }
    let axes = Axes::new((from.width, from.height), size);
    let line = from.width * from.layout.channels();
    let rows = Rows { data: &from.data, line, stride: line };
    smooth(rows, from.layout, &axes, size.0, &mut to.data, pace).await;
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

/// The rows of a picture.
#[derive(Clone, Copy)]
struct Rows<'a> {
    data: &'a [u8],
    /// Samples of a row.
    line: usize,
    /// Samples from one row to the next.
    stride: usize,
}

impl<'a> Rows<'a> {
    /// Empty below the picture.
    fn get(&self, y: usize) -> &'a [u8] {
        let start = y.saturating_mul(self.stride);
        self.data.get(start..start.saturating_add(self.line)).unwrap_or_default()
    }
}

/// Resizes pixels: first down, as whole rows are summed fastest, then across, a block of rows at a time and turned
/// into columns, so that this is a sum of vectors, too.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn smooth(
    rows: Rows<'_>,
    layout: Layout,
    axes: &Axes,
    width: usize,
    out: &mut [u8],
    pace: &Pace,
) {
    let channels = layout.channels();
    let mut block = Block::new(rows, axes, channels, width, layout.has_alpha());
    let block_ps = block.work();
    let line = (width * channels).max(1);
    for (number, out) in out.chunks_mut(line * BLOCK).enumerate() {
        pace.begin(block_ps).await;
        let first = number * BLOCK;
        match layout {
            Layout::Gray => block.fill::<1>(first, out),
            Layout::GrayAlpha => block.fill::<2>(first, out),
            Layout::Rgb => block.fill::<3>(first, out),
            Layout::Rgba => block.fill::<4>(first, out),
        }
    }
}

/// Makes one block of rows after the other.
struct Block<'a> {
    rows: Rows<'a>,
    axes: &'a Axes,
    /// Samples of a row of the result.
    line: usize,
    /// With an alpha channel, which is the last.
    multiplied: Option<Multiplied>,
    columns: Vec<Column>,
    narrowed: Vec<Column>,
}

impl<'a> Block<'a> {
    fn new(rows: Rows<'a>, axes: &'a Axes, channels: usize, width: usize, alpha: bool) -> Self {
        let most_rows = 2 * axes.down.most_pairs();
        // A last pair may reach one pixel beyond the row, which then weighs nothing.
        let columns = (rows.line + channels).next_multiple_of(BLOCK);
        Self {
            rows,
            axes,
            line: (width * channels).max(1),
            multiplied: alpha.then(|| Multiplied::new(rows.line, most_rows)),
            columns: vec![[0; BLOCK]; columns],
            narrowed: vec![[0; BLOCK]; (width * channels).next_multiple_of(BLOCK)],
        }
    }

    /// What a block takes.
    fn work(&self) -> u64 {
        let blocks = self.axes.down.spans.len().div_ceil(BLOCK).max(1);
        let source = (self.rows.data.len() / blocks) as u64;
        let alpha = if self.multiplied.is_some() { cost::MULTIPLIED_SAMPLE } else { 0 };
        let narrowed = (self.columns.len() * BLOCK) as u64 * cost::NARROWED_SAMPLE;
        source.saturating_mul(cost::SUMMED_SAMPLE + alpha).saturating_add(narrowed)
    }

    /// Makes the rows from the `first`, of pixels of `C` channels.
    #[inline(never)]
    fn fill<const C: usize>(&mut self, first: usize, out: &mut [u8]) {
        let spans = self.axes.down.from(first);
        for (lane, (first, weights)) in spans.take(out.len() / self.line).enumerate() {
            let range = first..first + 2 * weights.len();
            match &mut self.multiplied {
                Some(multiplied) => {
                    multiplied.fill::<C>(range, &self.rows);
                    let pairs = pairs(|number| multiplied.row(number), first, weights);
                    sum(&pairs, lane, &mut self.columns);
                }
                None => sum(&pairs(|y| self.rows.get(y), first, weights), lane, &mut self.columns),
            }
        }
        self.columns.as_chunks_mut().0.iter_mut().for_each(|tile| *tile = transpose(*tile));
        narrow::<C>(&self.columns, &self.axes.across, &mut self.narrowed);
        write_rows(&self.narrowed, out, self.line);
        if self.multiplied.is_some() {
            out.chunks_exact_mut(self.line).for_each(divide::<C>);
        }
    }
}

/// Two rows with their weights, repeated to fill a vector.
type Pair<'r> = ([&'r [u8]; 2], i16x8);

/// The rows that one target row is made of.
fn pairs<'r>(row: impl Fn(usize) -> &'r [u8], first: usize, weights: &[[i16; 2]]) -> Vec<Pair<'r>> {
    let rows = (first..).step_by(2).map(|number| [row(number), row(number + 1)]);
    rows.zip(weights.iter().copied().map(repeated)).collect()
}

fn repeated(weights: [i16; 2]) -> i16x8 {
    cast(i32x4::splat(cast(weights)))
}

/// The weighted sum of rows, sixteen samples at a time: those of a row stand in slot `lane` of each tile
/// of sixteen by sixteen. Never inlined: an engine replaces its first, slow code of a wasm function only
/// when that is called again.
#[inline(never)]
fn sum(pairs: &[Pair<'_>], lane: usize, columns: &mut [Column]) {
    for (at, tile) in columns.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
        let samples = |row| vector(row, at * BLOCK);
        let sum = weigh(pairs.iter().map(|(rows, weights)| (rows.map(samples), *weights)));
        if let Some(slot) = tile.get_mut(lane % BLOCK) {
            *slot = sum;
        }
    }
}

/// Sixteen samples of a row; zeros beyond its end.
#[inline]
fn vector(row: &[u8], at: usize) -> u8x16 {
    match row.get(at..).and_then(<[u8]>::first_chunk) {
        Some(samples) => u8x16::new(*samples),
        None => last_vector(row, at),
    }
}

#[cold]
#[inline(never)]
fn last_vector(row: &[u8], at: usize) -> u8x16 {
    let mut samples = [0; BLOCK];
    samples.iter_mut().zip(row.iter().skip(at)).for_each(|(slot, sample)| *slot = *sample);
    u8x16::new(samples)
}

/// Columns made fewer; never inlined, like [`sum`].
#[inline(never)]
fn narrow<const C: usize>(columns: &[Column], taps: &Taps, out: &mut [Column]) {
    let (pixels, _) = columns.as_chunks::<C>();
    let (out, _) = out.as_chunks_mut::<C>();
    for (target, (first, weights)) in out.iter_mut().zip(taps.each()) {
        let pixels = pixels.get(first..first + 2 * weights.len()).unwrap_or_default();
        for (channel, target) in target.iter_mut().enumerate() {
            let sample =
                |pixel: &[Column; C]| u8x16::new(pixel.get(channel).copied().unwrap_or_default());
            let pairs = pixels.as_chunks::<2>().0.iter().zip(weights);
            *target = weigh(
                pairs.map(|(pair, weights)| (pair.each_ref().map(sample), repeated(*weights))),
            );
        }
    }
}

/// The weighted sum of pairs of vectors.
#[inline]
fn weigh(pairs: impl Iterator<Item = ([u8x16; 2], i16x8)>) -> [u8; BLOCK] {
    // Interleaved with zeros, bytes are the lanes that are multiplied and summed by twos.
    let widened = |bytes: u8x16| {
        let zeros = u8x16::splat(0);
        [u8x16::unpack_low(bytes, zeros), u8x16::unpack_high(bytes, zeros)].map(cast)
    };
    let mut sums = [i32x4::splat(ONE / 2); 4];
    for ([first, second], weights) in pairs {
        let [a, b]: [i16x8; 2] = widened(u8x16::unpack_low(first, second));
        let [c, d]: [i16x8; 2] = widened(u8x16::unpack_high(first, second));
        for (sum, samples) in sums.iter_mut().zip([a, b, c, d]) {
            *sum += samples.dot(weights);
        }
    }
    let [a, b, c, d] = sums.map(|sum| sum >> SHIFT);
    let narrow = |low, high| i16x8::from_i32x8_saturate(cast([low, high]));
    u8x16::narrow_i16x8(narrow(a, b), narrow(c, d)).to_array()
}

/// Turns columns back into the rows of a block.
#[inline(never)]
fn write_rows(columns: &[Column], block: &mut [u8], line: usize) {
    for (at, tile) in columns.as_chunks().0.iter().enumerate() {
        for (samples, row) in transpose(*tile).iter().zip(block.chunks_exact_mut(line)) {
            let row = row.get_mut(at * BLOCK..).unwrap_or_default();
            match row.first_chunk_mut() {
                Some(slots) => *slots = *samples,
                None => row.iter_mut().zip(samples).for_each(|(slot, sample)| *slot = *sample),
            }
        }
    }
}

/// Turns rows into columns.
fn transpose(tile: [Column; BLOCK]) -> [Column; BLOCK] {
    // Each round moves the highest bit of the row's number to the lowest of the column's.
    let round = |[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]: [u8x16; BLOCK]| {
        let low = u8x16::unpack_low;
        let high = u8x16::unpack_high;
        [
            low(a, i),
            high(a, i),
            low(b, j),
            high(b, j),
            low(c, k),
            high(c, k),
            low(d, l),
            high(d, l),
            low(e, m),
            high(e, m),
            low(f, n),
            high(f, n),
            low(g, o),
            high(g, o),
            low(h, p),
            high(h, p),
        ]
    };
    round(round(round(round(tile.map(u8x16::new))))).map(u8x16::to_array)
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
    fn fill<const C: usize>(&mut self, range: Range<usize>, rows: &Rows<'_>) {
        for number in self.ready.max(range.start)..range.end {
            let start = number % self.slots.max(1) * self.line;
            let slot = self.samples.get_mut(start..start + self.line).unwrap_or_default();
            multiply::<C>(rows.get(number), slot);
        }
        self.ready = self.ready.max(range.end);
    }

    fn row(&self, number: usize) -> &[u8] {
        let start = number % self.slots.max(1) * self.line;
        self.samples.get(start..start + self.line).unwrap_or_default()
    }
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

/// The weights along both axes.
struct Axes {
    across: Taps,
    down: Taps,
}

impl Axes {
    fn new(from: (usize, usize), to: (usize, usize)) -> Self {
        Self { across: Taps::new(from.0, to.0), down: Taps::new(from.1, to.1) }
    }
}

/// The weights of all target samples along one axis.
struct Taps {
    /// The first source sample, and where the weights end.
    spans: Vec<(usize, usize)>,
    /// Those of two neighbours together, as a multiplication of vectors takes them.
    weights: Vec<[i16; 2]>,
}

impl Taps {
    /// From `from` samples to `to`.
    fn new(from: usize, to: usize) -> Self {
        let mut taps = Self { spans: Vec::with_capacity(to), weights: Vec::new() };
        let scale = real(from) / real(to.max(1));
        let reach = LOBES * scale.max(1.0);
        taps.weights.reserve_exact(to.saturating_mul(whole(reach) + 2));
        let (mut exact, mut fixed) = (Vec::new(), Vec::new());
        for target in 0..to {
            let center = (real(target) + 0.5) * scale;
            let first = whole(center - reach + 0.5);
            let end = whole(center + reach + 0.5).min(from).max(first + 1);
            exact.clear();
            let weigh = |source: usize| lanczos((real(source) + 0.5 - center) / scale.max(1.0));
            exact.extend((first..end).map(weigh));
            round(&exact, &mut fixed);
            taps.weights.extend(fixed.as_chunks().0);
            taps.spans.push((first, taps.weights.len()));
        }
        taps
    }

    /// The most pairs of source samples that one target sample is made of.
    fn most_pairs(&self) -> usize {
        self.each().map(|(_, weights)| weights.len()).max().unwrap_or_default()
    }

    /// The first source sample and the weights of each target sample.
    #[inline]
    fn each(&self) -> impl Iterator<Item = (usize, &[[i16; 2]])> {
        self.from(0)
    }

    /// The same from the target sample `at`.
    #[inline]
    fn from(&self, at: usize) -> impl Iterator<Item = (usize, &[[i16; 2]])> {
        let (before, spans) = self.spans.split_at_checked(at).unwrap_or_default();
        let mut start = before.last().map_or(0, |(_, end)| *end);
        spans.iter().map(move |&(first, end)| {
            let weights = self.weights.get(start..end).unwrap_or_default();
            start = end;
            (first, weights)
        })
    }
}

/// Weights that together are exactly one, so that what is flat stays flat, and even in number.
fn round(exact: &[f64], fixed: &mut Vec<i16>) {
    let total: f64 = exact.iter().sum();
    let total = if total == 0.0 { 1.0 } else { total };
    fixed.clear();
    fixed.extend(exact.iter().map(|weight| fixed_point(weight / total)));
    let sum: i32 = fixed.iter().map(|&weight| i32::from(weight)).sum();
    if let Some(largest) = fixed.iter_mut().max_by_key(|weight| **weight) {
        let rest = i32::from(*largest) + ONE - sum;
        *largest = i16::try_from(rest).unwrap_or(i16::MAX);
    }
    if !fixed.len().is_multiple_of(2) {
        fixed.push(0);
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
fn fixed_point(weight: f64) -> i16 {
    rounded(weight * f64::from(ONE)) as i16
}

#[cfg(test)]
mod tests;
