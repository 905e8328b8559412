//! Reduces a picture to at most 256 colours, for screenshots and drawings: a palette by median cut,
//! refined by k-means, and error diffusion (Floyd and Steinberg) for the colours between.
//!
//! Everything is integer arithmetic over tables of a fixed size, so that every machine makes the same
//! bytes and memory does not grow with the number of colours.

use alloc::{vec, vec::Vec};

use crate::{
    codec::palette::{Indexed, MAX_COLORS, pixels},
    pace::Pace,
    plan::work::cost,
    raster::{Layout, Raster},
};

/// Slots of the histogram: a power of two. Twelve bytes each.
const SLOTS: usize = 1 << 16;
/// Colours that the histogram holds before it becomes coarser: a fuller table is slow to search.
const MAX_BINS: usize = SLOTS / 4 * 3;
/// Rounds of k-means: the error hardly falls after the third.
const ROUNDS: usize = 3;
/// Mean squared error, in the weights of [`distance`], below which palette and picture look
/// the same: 45 dB. Screenshots have 0.1 to 0.5, photos 5 and more.
const CLOSE: u64 = 9 * 2;

/// Squared error of a single colour, in the same weights, for which nothing is made up for in its
/// neighbours: some 1.4 levels a channel.
const UNSEEN: u32 = 9 * 2;

/// A colour with alpha.
type Color = [i32; 4];

/// Colours that look nearly alike, and how many pixels have them.
#[derive(Clone, Copy, Default)]
struct Bin {
    /// The colour that most pixels of the bin have, by the vote of Boyer and Moore.
    color: [u8; 4],
    votes: u32,
    count: u32,
}

/// Counts colours: exactly, until there are too many, then without their lowest bits.
struct Histogram {
    slots: Vec<Bin>,
    used: usize,
    mask: u32,
}

impl Histogram {
    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    async fn of(raster: &Raster, pace: &Pace) -> Self {
        let mut histogram = Self { slots: vec![Bin::default(); SLOTS], used: 0, mask: u32::MAX };
        let mut run = Bin::default();
        for row in raster.rows() {
            pace.begin((raster.width as u64).saturating_mul(cost::COUNTED_PIXEL)).await;
            histogram.count(&mut run, raster.layout, row);
        }
        histogram.add(run);
        histogram
    }

    /// Counts the colours of a row; `run` is that of equal pixels so far.
    #[inline(never)]
    fn count(&mut self, run: &mut Bin, layout: Layout, row: &[u8]) {
        for color in pixels(layout, row) {
            if color != run.color {
                self.add(*run);
                *run = Bin { color, votes: 0, count: 0 };
            }
            run.votes += 1;
            run.count += 1;
        }
    }

    fn add(&mut self, bin: Bin) {
        if bin.count == 0 {
            return;
        }
        if self.used == MAX_BINS {
            self.coarsen();
        }
        let key = u32::from_le_bytes(bin.color) & self.mask;
        // Fibonacci hashing; the next free slot on a collision.
        let mut at = (key.wrapping_mul(0x9E37_79B1) >> 16) as usize;
        while let Some(slot) = self.slots.get_mut(at % SLOTS) {
            if slot.count == 0 {
                *slot = bin;
                self.used += 1;
                return;
            }
            if u32::from_le_bytes(slot.color) & self.mask == key {
                slot.count = slot.count.saturating_add(bin.count);
                if slot.color == bin.color {
                    slot.votes = slot.votes.saturating_add(bin.votes);
                } else if slot.votes >= bin.votes {
                    slot.votes -= bin.votes;
                } else {
                    (slot.color, slot.votes) = (bin.color, bin.votes - slot.votes);
                }
                return;
            }
            at += 1;
        }
    }

    /// Drops the lowest bit of each channel that still counts.
    fn coarsen(&mut self) {
        while self.used == MAX_BINS {
            self.mask = self.mask << 1 & 0xFEFE_FEFE;
            let bins = core::mem::replace(&mut self.slots, vec![Bin::default(); SLOTS]);
            self.used = 0;
            for bin in bins {
                self.add(bin);
            }
        }
    }
}

/// At most 256 colours that stand for those of a picture.
pub(crate) struct Palette {
    /// By green, so that the nearest is found among neighbours.
    colors: Vec<Color>,
    /// Whether they are so near that nobody sees a difference.
    pub is_close: bool,
}

impl Palette {
    /// The colours for a picture; nothing when it has no more than those anyway.
    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    pub async fn of(raster: &Raster, pace: &Pace) -> Option<Self> {
        let mut bins = Histogram::of(raster, pace).await.slots;
        bins.retain(|bin| bin.count > 0);
        pace.begin((bins.len() as u64).saturating_mul(cost::BIN)).await;
        if bins.len() <= MAX_COLORS {
            return None;
        }
        let mut palette = Self { colors: cut(&mut bins), is_close: false };
        for _ in 0..ROUNDS {
            palette.refine(&bins);
        }
        let (mut error, mut pixels) = (0u64, 0u64);
        for bin in &bins {
            let (_, apart) = palette.nearest(wide(bin.color));
            error += u64::from(apart) * u64::from(bin.count);
            pixels += u64::from(bin.count);
        }
        palette.is_close = error <= pixels * CLOSE;
        Some(palette)
    }

    /// Moves each colour to the mean of those that it stands for; onto one that most of them have, so
    /// that flat areas keep their exact colour.
    fn refine(&mut self, bins: &[Bin]) {
        let mut clusters = vec![(Sums::default(), Bin::default()); self.colors.len()];
        for bin in bins {
            if let Some((sums, most)) = clusters.get_mut(self.nearest(wide(bin.color)).0) {
                sums.add(bin);
                if bin.votes > most.votes {
                    *most = *bin;
                }
            }
        }
        let colors = clusters.iter().filter(|(sums, _)| sums.count > 0).map(|(sums, most)| {
            let is_flat = u64::from(most.votes) * 2 > sums.count;
            if is_flat { wide(most.color) } else { sums.mean() }
        });
        self.colors = sorted(colors);
    }

    /// The index of the nearest colour, and how far it is.
    fn nearest(&self, color: Color) -> (usize, u32) {
        let [_, green, ..] = color;
        let start = self.colors.partition_point(|&[_, g, ..]| g < green);
        let (mut found, mut least) = (0, u32::MAX);
        let mut visit = |at: usize, candidate: &Color| {
            let [_, g, ..] = *candidate;
            if 4 * (g - green).unsigned_abs().pow(2) >= least {
                return false;
            }
            let apart = distance(*candidate, color);
            if apart < least {
                (found, least) = (at, apart);
            }
            true
        };
        let (below, above) = self.colors.split_at(start);
        let _ = (start..).zip(above).all(|(at, candidate)| visit(at, candidate));
        let _ = below.iter().enumerate().rev().all(|(at, candidate)| visit(at, candidate));
        (found, least)
    }

    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    pub async fn paint(&self, raster: &Raster, pace: &Pace) -> Indexed {
        let mixed_ps =
            if raster.layout.has_alpha() { cost::REDUCED_ALPHA_PIXEL } else { cost::REDUCED_PIXEL };
        let mut painter = Painter {
            memo: Memo::new(self),
            now: vec![[0; 4]; raster.width + 2],
            next: vec![[0; 4]; raster.width + 2],
            indices: Vec::with_capacity(raster.width * raster.height),
        };
        for row in raster.rows() {
            pace.begin((raster.width as u64).saturating_mul(cost::COUNTED_PIXEL)).await;
            let mixed = painter.row(raster.layout, row);
            pace.add(mixed.saturating_mul(mixed_ps));
        }
        let colors = self.colors.iter().map(|color| color.map(narrow)).collect();
        Indexed { colors, indices: painter.indices }
    }
}

/// Paints with a palette, row by row.
struct Painter<'a> {
    memo: Memo<'a>,
    /// What this row and the next are to make up for, in sixteenths, with a pixel more at each end.
    now: Vec<[i32; 4]>,
    next: Vec<[i32; 4]>,
    indices: Vec<u8>,
}

impl Painter<'_> {
    /// Returns how many pixels have a colour that is mixed of others.
    #[inline(never)]
    fn row(&mut self, layout: Layout, row: &[u8]) -> u64 {
        let Self { memo, now, next, indices } = self;
        let mut right = [0; 4];
        let mut mixed = 0;
        for (x, color) in pixels(layout, row).enumerate() {
            let color = wide(color);
            let (exact, apart) = memo.nearest(color);
            if apart <= UNSEEN {
                // No noise in flat areas and around letters.
                indices.push(exact);
                right = [0; 4];
                continue;
            }
            mixed += 1;
            let owed = now.get(x + 1).copied().unwrap_or_default();
            let mut wanted = color;
            for ((value, owed), right) in wanted.iter_mut().zip(owed).zip(right) {
                *value = (*value + ((owed + 7 * right + 8) >> 4)).clamp(0, 255);
            }
            let (index, _) = memo.nearest(wanted);
            let painted = memo.palette.colors.get(usize::from(index)).copied().unwrap_or_default();
            right = wanted;
            right.iter_mut().zip(painted).for_each(|(value, painted)| *value -= painted);
            for (slot, share) in next.iter_mut().skip(x).zip([3, 5, 1]) {
                slot.iter_mut().zip(right).for_each(|(owed, error)| *owed += share * error);
            }
            indices.push(index);
        }
        core::mem::swap(now, next);
        next.fill([0; 4]);
        mixed
    }
}

/// A cache of lookups, direct-mapped by hash.
struct Memo<'a> {
    palette: &'a Palette,
    slots: Vec<(Color, u8, u32)>,
}

impl<'a> Memo<'a> {
    const SLOTS: usize = 1 << 12;

    fn new(palette: &'a Palette) -> Self {
        // No colour is negative, so this one is asked for by nobody.
        Self { palette, slots: vec![([-1; 4], 0, 0); Self::SLOTS] }
    }

    fn nearest(&mut self, color: Color) -> (u8, u32) {
        let hash = u32::from_le_bytes(color.map(narrow)).wrapping_mul(0x9E37_79B1) >> 20;
        let Some(slot) = self.slots.get_mut(hash as usize) else { return (0, u32::MAX) };
        if slot.0 != color {
            let (index, apart) = self.palette.nearest(color);
            *slot = (color, u8::try_from(index).unwrap_or(u8::MAX), apart);
        }
        (slot.1, slot.2)
    }
}

/// Sums over the pixels of some bins.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: u64,
    values: [u64; 4],
    squares: [u64; 4],
}

impl Sums {
    fn of(bins: &[Bin]) -> Self {
        let mut sums = Self::default();
        for bin in bins {
            sums.add(bin);
        }
        sums
    }

    fn add(&mut self, bin: &Bin) {
        let count = u64::from(bin.count);
        self.count += count;
        let totals = self.values.iter_mut().zip(&mut self.squares);
        for ((sum, squares), value) in totals.zip(bin.color.map(u64::from)) {
            *sum += count * value;
            *squares += count * value * value;
        }
    }

    fn mean(&self) -> Color {
        let count = self.count.max(1);
        self.values.map(|sum| i32::try_from((sum + count / 2) / count).unwrap_or(255))
    }

    /// The channel that varies most, and the squared error of all pixels from its rounded mean.
    fn widest(&self) -> (usize, u64) {
        let means = self.mean().map(|mean| u64::from(mean.unsigned_abs()));
        let sums = self.values.iter().zip(&self.squares).zip(means).zip(WEIGHTS);
        let errors = sums.map(|(((sum, squares), mean), weight)| {
            let squares = squares + mean * mean * self.count;
            squares.saturating_sub(2 * mean * sum) * u64::from(weight)
        });
        errors.enumerate().max_by_key(|(_, error)| *error).unwrap_or_default()
    }
}

/// Median cut: splits, again and again, the part with the largest error at the mean of the channel
/// that varies most; returns the mean of each part.
fn cut(bins: &mut [Bin]) -> Vec<Color> {
    let mut parts = vec![(Sums::of(bins), bins)];
    while parts.len() < MAX_COLORS {
        let errors = parts.iter().map(|(sums, _)| sums.widest());
        let largest = errors.enumerate().max_by_key(|(_, (_, error))| *error);
        let Some((index, (channel, 1..))) = largest else { break };
        let (sums, part) = parts.swap_remove(index);
        // Rounded down, so that there is something on either side.
        let mean = sums.values.get(channel).map_or(0, |sum| sum / sums.count.max(1));
        let value = |bin: &Bin| bin.color.get(channel).copied().map_or(0, u64::from);
        let mut end = 0;
        for place in 0..part.len() {
            if part.get(place).is_some_and(|bin| value(bin) <= mean) {
                part.swap(place, end);
                end += 1;
            }
        }
        let (low, high) = part.split_at_mut(end);
        parts.extend([low, high].map(|part| (Sums::of(part), part)));
    }
    sorted(parts.iter().map(|(sums, _)| sums.mean()))
}

/// By green and each once. (Inserted one by one: sorting would bring several kilobytes of code.)
fn sorted(colors: impl Iterator<Item = Color>) -> Vec<Color> {
    let mut sorted: Vec<Color> = Vec::with_capacity(MAX_COLORS);
    for color in colors {
        let key = |[r, g, b, a]: Color| [g, r, b, a];
        let place = sorted.partition_point(|other| key(*other) < key(color));
        if sorted.get(place) != Some(&color) {
            sorted.insert(place, color);
        }
    }
    sorted
}

fn wide(color: [u8; 4]) -> Color {
    color.map(i32::from)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
fn narrow(value: i32) -> u8 {
    value as u8
}

/// How much an error in each channel counts: green most, as for the eye.
const WEIGHTS: [u32; 4] = [2, 4, 3, 4];

/// Squared.
fn distance(one: Color, other: Color) -> u32 {
    let apart = one.iter().zip(other).map(|(one, other)| one.abs_diff(other).pow(2));
    apart.zip(WEIGHTS).map(|(apart, weight)| apart * weight).sum()
}
