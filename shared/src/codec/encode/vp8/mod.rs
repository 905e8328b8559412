//! Writes key frames of VP8 (RFC 6386), the pixels of lossy WebP.
//!
//! For each macroblock the prediction is chosen that has the least distortion for its bits. The levels of all are kept, and
//! written at the end with odds that were counted from them. It computes with integers only, so that every machine writes
//! the same bytes, and pauses between rows of macroblocks.

use alloc::{vec, vec::Vec};

use bools::BoolWriter;
use predict::{ABOVE, Border, LEFT, Pixels, Square, blocks, byte, mode};
use tokens::{Counts, Price, Writer, kind, odds_of, walk};
use transform::{
    Block, Levels, Quantised, Step, Steps, forward, forward_means, inverse, inverse_means,
};

use super::EncodeError;
use crate::{
    container::webp::vp8::tables::{AC_STEPS, BLOCK_MODES, DC_STEPS, TOKENS, TokenOdds},
    pace::Pace,
    plan::work::cost,
    raster::Plane,
};

mod bools;
mod predict;
mod tokens;
mod transform;

/// The largest width and height.
const MOST_SIDE: usize = 0x3FFF;

/// A picture as VP8 has it: luma of 16 to 235, and chroma of half the width and height, of 16 to 240.
pub(crate) struct Frame {
    pub luma: Plane,
    pub chroma: [Plane; 2],
}

/// What a bool takes at these odds, in 256ths of a bit.
#[inline]
fn price(odds: u8, is_set: bool) -> u32 {
    /// Of a bool that is false, by its odds.
    const PRICES: [u32; 257] = prices();
    let odds = usize::from(odds);
    let index = if is_set { 256 - odds } else { odds };
    PRICES.get(index).copied().unwrap_or(8 * 256)
}

/// 256 times the binary logarithm of 256 divided by the index.
#[expect(clippy::indexing_slicing, reason = "computed when this is compiled")]
const fn prices() -> [u32; 257] {
    let mut prices = [8 * 256; 257];
    let mut odds = 1;
    while odds <= 256 {
        // The logarithm bit by bit: its square is twice as large.
        let mut value = (odds as u64) << 32;
        let mut whole = 0;
        while value >= 2 << 32 {
            value >>= 1;
            whole += 1;
        }
        let mut part = 0;
        let mut bit = 0;
        while bit < 10 {
            value = (value * (value >> 16)) >> 16;
            part <<= 1;
            if value >= 2 << 32 {
                value >>= 1;
                part |= 1;
            }
            bit += 1;
        }
        let log = whole * 256 + (part + 2) / 4;
        prices[odds] = 8 * 256 - log;
        odds += 1;
    }
    prices
}

/// How a macroblock is coded.
struct Macroblock {
    luma: LumaModes,
    /// Of luma without means.
    means: Levels,
    blocks: [[Levels; 4]; 4],
    chroma_mode: usize,
    chroma: [[[Levels; 2]; 2]; 2],
}

/// Predictions of luma.
enum LumaModes {
    /// The macroblock as a whole.
    Whole(usize),
    /// Each of its blocks.
    Split([[usize; 4]; 4]),
}

impl Macroblock {
    fn is_skipped(&self) -> bool {
        let is_empty = |levels: &Levels| levels.iter().all(|level| *level == 0);
        is_empty(&self.means)
            && self.blocks.as_flattened().iter().all(is_empty)
            && self.chroma.as_flattened().as_flattened().iter().all(is_empty)
    }
}

/// What macroblocks need to know of the one above or to the left.
#[derive(Clone, Copy)]
struct Edge {
    pixels: [[u8; 4]; 4],
    chroma: [[[u8; 4]; 2]; 2],
    modes: [usize; 4],
    coded: Coded,
}

/// For each block along an edge, one if it has tokens.
#[derive(Clone, Copy, Default)]
struct Coded {
    luma: [usize; 4],
    chroma: [[usize; 2]; 2],
    means: usize,
}

impl Edge {
    /// Outside of the frame.
    fn outside(pixel: u8) -> Self {
        let (pixels, chroma) = ([[pixel; 4]; 4], [[[pixel; 4]; 2]; 2]);
        Self { pixels, chroma, modes: [mode::DC; 4], coded: Coded::default() }
    }
}

/// The pixels diagonally above a macroblock: of luma, and of both planes of chroma.
#[derive(Clone, Copy)]
struct Corners {
    luma: u8,
    chroma: [u8; 2],
}

impl Corners {
    /// The last pixels of a row.
    fn of(above: &Edge) -> Self {
        let [.., [.., luma]] = above.pixels;
        Self { luma, chroma: above.chroma.map(|[_, [.., last]]| last) }
    }
}

/// Chooses predictions and quantises.
struct Encoder {
    luma: Steps,
    means: Steps,
    chroma: Steps,
    /// What a 256th of a bit is worth in 256ths of a distortion.
    lambda: u64,
}

/// A way to code something, and what it costs.
struct Choice<T> {
    cost: u64,
    what: T,
}

impl<T> Choice<T> {
    /// The cheaper one.
    fn or(self, other: Self) -> Self {
        if other.cost < self.cost { other } else { self }
    }
}

/// Luma that was coded.
struct CodedLuma {
    modes: LumaModes,
    means: Levels,
    blocks: [[Levels; 4]; 4],
    pixels: Square<4>,
}

const fn steps((dc, dc_bias): (i32, i32), (ac, ac_bias): (i32, i32)) -> Steps {
    Steps { dc: Step::new(dc, dc_bias), ac: Step::new(ac, ac_bias) }
}

impl Encoder {
    /// For a quantiser index of 0, the finest, to 127.
    fn new(index: u8) -> Self {
        let at = usize::from(index.min(127));
        let dc = DC_STEPS.get(at).copied().map_or(157, i32::from);
        let ac = AC_STEPS.get(at).copied().map_or(284, i32::from);
        Self {
            luma: steps((dc, 96), (ac, 110)),
            means: steps((dc * 2, 96), ((ac * 155 / 100).max(8), 108)),
            chroma: steps((dc.min(132), 110), (ac, 115)),
            lambda: u64::from((ac * ac).unsigned_abs()) * 3 / 32,
        }
    }

    fn cost(&self, distortion: u64, price: u32) -> u64 {
        distortion * 256 + u64::from(price) * self.lambda
    }

    /// Luma as a whole by its best mode.
    fn whole(
        &self,
        source: &Square<4>,
        border: &Border<4>,
        edges: (&Coded, &Coded),
    ) -> Choice<CodedLuma> {
        let modes = [(mode::DC, 0), (mode::TM, 1), (mode::VE, 2), (mode::HE, 3)];
        let [first, rest @ ..] = modes;
        let code = |(mode, _)| self.whole_by(mode, source, border, edges);
        rest.into_iter().fold(code(first), |best, next| best.or(code(next)))
    }

    fn whole_by(
        &self,
        mode: usize,
        source: &Square<4>,
        border: &Border<4>,
        (above, left): (&Coded, &Coded),
    ) -> Choice<CodedLuma> {
        let predicted = border.predict(mode);
        let mut coefficients = [[[[0; 4]; 4]; 4]; 4];
        let mut dcs = [[0; 4]; 4];
        let rows = source.iter().zip(&predicted).zip(&mut coefficients).zip(&mut dcs);
        for (((source, predicted), coefficients), dcs) in rows {
            let blocks = source.iter().zip(predicted).zip(coefficients).zip(dcs);
            for (((source, predicted), coefficients), mean) in blocks {
                *coefficients = forward(&residual(source, predicted));
                let [[dc, ..], ..] = coefficients;
                (*mean, *dc) = (*dc, 0);
            }
        }
        let means = self.means.quantise(&forward_means(&dcs));
        let reconstructed = inverse_means(&means.coefficients);
        let (odds, plain) = (&TOKENS, kind::WITHOUT_MEAN);
        let mut price = whole_mode_price(mode);
        price += tokens_price(odds, kind::MEANS, &means.levels, 0, above.means + left.means).0;
        let mut distortion = 0;
        let mut blocks = [[[0; 16]; 4]; 4];
        let mut pixels = predicted;
        let mut above = above.luma;
        let mut left = left.luma;
        let rows = coefficients
            .iter()
            .zip(&dcs)
            .zip(&reconstructed)
            .zip(&mut blocks)
            .zip(&mut pixels)
            .zip(&mut left);
        for (((((coefficients, dcs), means), blocks), pixels), left) in rows {
            let row =
                coefficients.iter().zip(dcs).zip(means).zip(blocks).zip(pixels).zip(&mut above);
            for (((((coefficients, dc), mean), levels), pixels), above) in row {
                let mut quantised = self.luma.quantise(coefficients);
                let (added_price, is_coded) =
                    tokens_price(odds, plain, &quantised.levels, 1, *above + *left);
                price += added_price;
                (*above, *left) = (usize::from(is_coded), usize::from(is_coded));
                let lost = u64::from((dc - mean).unsigned_abs());
                distortion += quantised.distortion + lost * lost;
                let [[dc, ..], ..] = &mut quantised.coefficients;
                *dc = *mean;
                *pixels = added(pixels, &inverse(&quantised.coefficients));
                *levels = quantised.levels;
            }
        }
        let cost = self.cost(distortion, price);
        let modes = LumaModes::Whole(mode);
        Choice { cost, what: CodedLuma { modes, means: means.levels, blocks, pixels } }
    }

    /// Luma block by block, if that costs less than `most`.
    fn split(
        &self,
        source: &Square<4>,
        border: &Border<4>,
        right: [u8; 4],
        (above, left): (&Edge, &Edge),
        most: u64,
    ) -> Option<Choice<CodedLuma>> {
        let mut cost = self.cost(0, price(145, false));
        let mut modes = [[mode::DC; 4]; 4];
        let mut blocks = [[[0; 16]; 4]; 4];
        let mut pixels = *source;
        let [a0, a1, a2, a3] = border.above;
        let mut above_pixels = [a0, a1, a2, a3, right];
        let (mut above_modes, mut above_coded) = (above.modes, above.coded.luma);
        let mut row_corner = border.corner;
        let rows = source.iter().zip(&mut modes).zip(&mut blocks).zip(&mut pixels);
        let lefts = border.left.iter().zip(left.modes).zip(left.coded.luma);
        for ((((source, modes), blocks), pixels), ((left, left_mode), left_coded)) in
            rows.zip(lefts)
        {
            let (mut left, mut left_mode, mut left_coded, mut corner) =
                (*left, left_mode, left_coded, row_corner);
            let [.., next_corner] = left;
            let pairs =
                above_pixels.windows(2).filter_map(|pair| <[[u8; 4]; 2]>::try_from(pair).ok());
            let contexts = above_modes.iter_mut().zip(&mut above_coded).zip(pairs);
            let row =
                source.iter().zip(modes.iter_mut()).zip(blocks.iter_mut()).zip(pixels.iter_mut());
            for ((((source, mode), levels), pixels), ((above_mode, above_coded), pair)) in
                row.zip(contexts)
            {
                let odds = BLOCK_MODES.get(*above_mode).and_then(|odds| odds.get(left_mode));
                let odds = odds.copied().unwrap_or([128; 9]);
                let best = self.block(
                    source,
                    &blocks_of(pair, left, corner),
                    &odds,
                    *above_coded + left_coded,
                );
                cost += best.cost;
                if cost >= most {
                    return None;
                }
                (*mode, *levels, *pixels) = (best.what.mode, best.what.levels, best.what.pixels);
                (*above_mode, left_mode) = (*mode, *mode);
                let is_coded = usize::from(levels.iter().any(|level| *level != 0));
                (*above_coded, left_coded) = (is_coded, is_coded);
                left = pixels.map(|[.., last]| last);
                let [[.., last], _] = pair;
                corner = last;
            }
            let [.., [b0, b1, b2, b3]] = [pixels.map(|[.., bottom]| bottom)];
            above_pixels = [b0, b1, b2, b3, right];
            row_corner = next_corner;
        }
        let modes = LumaModes::Split(modes);
        Some(Choice { cost, what: CodedLuma { modes, means: [0; 16], blocks, pixels } })
    }

    /// A block by the best of the modes whose predictions are nearest to it.
    fn block(
        &self,
        source: &Pixels,
        predictions: &[Pixels; 10],
        odds: &[u8; 9],
        neighbours: usize,
    ) -> Choice<CodedBlock> {
        let mut distances = [0; 10];
        for (distance, predicted) in distances.iter_mut().zip(predictions) {
            *distance = difference(source, predicted);
        }
        let mut sorted = distances;
        sorted.sort_unstable();
        let [_, _, _, most, ..] = sorted;
        let near = predictions
            .iter()
            .zip(distances)
            .enumerate()
            .filter(|(_, (_, distance))| *distance <= most);
        let mut best: Option<Choice<CodedBlock>> = None;
        for (mode, (predicted, _)) in near.take(4) {
            let Quantised { levels, coefficients, distortion } =
                self.luma.quantise(&forward(&residual(source, predicted)));
            let (tokens, _) = tokens_price(&TOKENS, kind::SPLIT, &levels, 0, neighbours);
            let cost = self.cost(distortion, tokens + block_mode_price(mode, odds));
            if best.as_ref().is_none_or(|best| cost < best.cost) {
                let pixels = *predicted;
                best =
                    Some(Choice { cost, what: CodedBlock { mode, levels, pixels, coefficients } });
            }
        }
        let mut best = best.unwrap_or(Choice {
            cost: u64::MAX / 64,
            what: CodedBlock {
                mode: mode::DC,
                levels: [0; 16],
                pixels: *source,
                coefficients: [[0; 4]; 4],
            },
        });
        best.what.pixels = added(&best.what.pixels, &inverse(&best.what.coefficients));
        best
    }

    /// Both planes of chroma by one mode.
    fn chroma(
        &self,
        sources: &[Square<2>; 2],
        borders: &[Border<2>; 2],
        edges: (&Coded, &Coded),
    ) -> Choice<CodedChroma> {
        let code = |mode| self.chroma_by(mode, sources, borders, edges);
        [mode::VE, mode::HE, mode::TM]
            .into_iter()
            .fold(code(mode::DC), |best, next| best.or(code(next)))
    }

    fn chroma_by(
        &self,
        mode: usize,
        sources: &[Square<2>; 2],
        borders: &[Border<2>; 2],
        (above, left): (&Coded, &Coded),
    ) -> Choice<CodedChroma> {
        let (mut price, mut distortion) = (chroma_mode_price(mode), 0);
        let mut levels = [[[[0; 16]; 2]; 2]; 2];
        let mut pixels = *sources;
        let contexts = above.chroma.into_iter().zip(left.chroma);
        let planes = sources.iter().zip(borders).zip(&mut levels).zip(&mut pixels).zip(contexts);
        for ((((source, border), levels), pixels), (mut above, left)) in planes {
            let predicted = border.predict(mode);
            let rows = source.iter().zip(&predicted).zip(levels).zip(pixels).zip(left);
            for ((((source, predicted), levels), pixels), mut left) in rows {
                let row = source.iter().zip(predicted).zip(levels).zip(pixels).zip(&mut above);
                for ((((source, predicted), levels), pixels), above) in row {
                    let quantised = self.chroma.quantise(&forward(&residual(source, predicted)));
                    let (added_price, is_coded) =
                        tokens_price(&TOKENS, kind::CHROMA, &quantised.levels, 0, *above + left);
                    (*above, left) = (usize::from(is_coded), usize::from(is_coded));
                    price += added_price;
                    distortion += quantised.distortion;
                    *levels = quantised.levels;
                    *pixels = added(predicted, &inverse(&quantised.coefficients));
                }
            }
        }
        Choice { cost: self.cost(distortion, price), what: CodedChroma { mode, levels, pixels } }
    }

    /// A macroblock; the edges become those of its neighbours to the right and below.
    fn macroblock(
        &self,
        source: &Source,
        place: &Place,
        above: &mut Edge,
        left: &mut Edge,
    ) -> Macroblock {
        let Place { corners, right, has_above, has_left } = *place;
        let border = Border {
            above: above.pixels,
            left: left.pixels,
            corner: corners.luma,
            has_above,
            has_left,
        };
        let edges = (&above.coded, &left.coded);
        let whole = self.whole(&source.luma, &border, edges);
        let luma = match self.split(&source.luma, &border, right, (above, left), whole.cost) {
            Some(split) => split.what,
            None => whole.what,
        };
        let ([a0, a1], [l0, l1], [c0, c1]) = (above.chroma, left.chroma, corners.chroma);
        let borders = [(a0, l0, c0), (a1, l1, c1)].map(|(above, left, corner)| Border {
            above,
            left,
            corner,
            has_above,
            has_left,
        });
        let chroma = self.chroma(&source.chroma, &borders, edges).what;
        let [.., bottom] = luma.pixels;
        above.pixels = bottom.map(|[.., row]| row);
        left.pixels = luma.pixels.map(|[.., block]| block.map(|[.., last]| last));
        above.chroma = chroma.pixels.map(|[_, bottom]| bottom.map(|[.., row]| row));
        left.chroma = chroma.pixels.map(|rows| rows.map(|[_, block]| block.map(|[.., last]| last)));
        (above.modes, left.modes) = match &luma.modes {
            LumaModes::Whole(mode) => ([*mode; 4], [*mode; 4]),
            LumaModes::Split(modes) => {
                let [.., bottom] = *modes;
                (bottom, modes.map(|[.., last]| last))
            }
        };
        let macroblock = Macroblock {
            luma: luma.modes,
            means: luma.means,
            blocks: luma.blocks,
            chroma_mode: chroma.mode,
            chroma: chroma.levels,
        };
        // Contexts as the writing of the tokens leaves them.
        macroblock.visit(&mut above.coded, &mut left.coded, &mut |_, levels, first, _| {
            levels.iter().skip(first).any(|level| *level != 0)
        });
        macroblock
    }
}

struct CodedBlock {
    mode: usize,
    levels: Levels,
    pixels: Pixels,
    coefficients: Block,
}

struct CodedChroma {
    mode: usize,
    levels: [[[Levels; 2]; 2]; 2],
    pixels: [Square<2>; 2],
}

/// Where a macroblock is.
struct Place {
    corners: Corners,
    /// Above the macroblock to the right.
    right: [u8; 4],
    has_above: bool,
    has_left: bool,
}

/// The pixels of a macroblock.
struct Source {
    luma: Square<4>,
    chroma: [Square<2>; 2],
}

impl Source {
    fn of(frame: &Frame, x: usize, y: usize) -> Self {
        Self {
            luma: square(&frame.luma, x * 16, y * 16),
            chroma: frame.chroma.each_ref().map(|plane| square(plane, x * 8, y * 8)),
        }
    }
}

/// Blocks from here on; the last row and column go on beyond the plane.
fn square<const N: usize>(plane: &Plane, x: usize, y: usize) -> Square<N> {
    let mut rows = (y..).map(|y| plane.row(y.min(plane.height.saturating_sub(1))));
    let mut blocks = [[[[0; 4]; 4]; N]; N];
    for blocks in &mut blocks {
        for at in 0..4 {
            let row = rows.next().unwrap_or_default();
            let last = row.last().copied().unwrap_or_default();
            let mut pixels = row.iter().skip(x).copied().chain(core::iter::repeat(last));
            for block in &mut *blocks {
                if let Some(block) = block.get_mut(at) {
                    *block = [(); 4].map(|()| pixels.next().unwrap_or_default());
                }
            }
        }
    }
    blocks
}

fn blocks_of(above: [[u8; 4]; 2], left: [u8; 4], corner: u8) -> [Pixels; 10] {
    blocks(above, left, corner)
}

#[inline]
fn residual(source: &Pixels, predicted: &Pixels) -> Block {
    let mut block = [[0; 4]; 4];
    let pixels = source.as_flattened().iter().zip(predicted.as_flattened());
    for (left, (source, predicted)) in block.as_flattened_mut().iter_mut().zip(pixels) {
        *left = i32::from(*source) - i32::from(*predicted);
    }
    block
}

#[inline]
fn added(predicted: &Pixels, left: &Block) -> Pixels {
    let mut pixels = *predicted;
    for (pixel, left) in pixels.as_flattened_mut().iter_mut().zip(left.as_flattened()) {
        *pixel = byte(i32::from(*pixel) + left);
    }
    pixels
}

/// The sum of the differences.
#[inline]
fn difference(source: &Pixels, predicted: &Pixels) -> u32 {
    let pixels = source.as_flattened().iter().zip(predicted.as_flattened());
    pixels.map(|(source, predicted)| u32::from(source.abs_diff(*predicted))).sum()
}

/// What the tokens of a block take, and whether it has any.
#[inline]
fn tokens_price(
    odds: &TokenOdds,
    kind: usize,
    levels: &Levels,
    first: usize,
    neighbours: usize,
) -> (u32, bool) {
    let Some(odds) = odds.get(kind) else { return (0, false) };
    let mut sink = Price { odds, sum: 0 };
    let is_coded = walk(levels, first, neighbours, &mut sink);
    (sink.sum, is_coded)
}

/// The bools of a mode of a whole macroblock (section 8.2), with their odds.
const fn whole_mode_bools(mode: usize) -> [(u8, bool); 3] {
    match mode {
        mode::DC => [(145, true), (156, false), (163, false)],
        mode::VE => [(145, true), (156, false), (163, true)],
        mode::HE => [(145, true), (156, true), (128, false)],
        _ => [(145, true), (156, true), (128, true)],
    }
}

fn whole_mode_price(mode: usize) -> u32 {
    whole_mode_bools(mode).into_iter().map(|(odds, is_set)| price(odds, is_set)).sum()
}

/// The bools of a mode of chroma.
const fn chroma_mode_bools(mode: usize) -> &'static [(u8, bool)] {
    match mode {
        mode::DC => &[(142, false)],
        mode::VE => &[(142, true), (114, false)],
        mode::HE => &[(142, true), (114, true), (183, false)],
        _ => &[(142, true), (114, true), (183, true)],
    }
}

fn chroma_mode_price(mode: usize) -> u32 {
    chroma_mode_bools(mode).iter().map(|(odds, is_set)| price(*odds, *is_set)).sum()
}

/// The way to a block's mode in its tree (section 11.2): nodes and turns.
const fn block_mode_path(mode: usize) -> &'static [(usize, bool)] {
    match mode {
        mode::DC => &[(0, false)],
        mode::TM => &[(0, true), (1, false)],
        mode::VE => &[(0, true), (1, true), (2, false)],
        mode::HE => &[(0, true), (1, true), (2, true), (3, false), (4, false)],
        mode::RD => &[(0, true), (1, true), (2, true), (3, false), (4, true), (5, false)],
        mode::VR => &[(0, true), (1, true), (2, true), (3, false), (4, true), (5, true)],
        mode::LD => &[(0, true), (1, true), (2, true), (3, true), (6, false)],
        mode::VL => &[(0, true), (1, true), (2, true), (3, true), (6, true), (7, false)],
        mode::HD => &[(0, true), (1, true), (2, true), (3, true), (6, true), (7, true), (8, false)],
        _ => &[(0, true), (1, true), (2, true), (3, true), (6, true), (7, true), (8, true)],
    }
}

fn block_mode_price(mode: usize, odds: &[u8; 9]) -> u32 {
    let nodes = block_mode_path(mode).iter();
    nodes.map(|(node, is_set)| price(odds.get(*node).copied().unwrap_or(128), *is_set)).sum()
}

impl Macroblock {
    /// Goes over the blocks in the order of their tokens (section 13). `visit` gets the kind, the levels, the first of them, and how
    /// many neighbours have tokens, and tells whether the block has any.
    fn visit(
        &self,
        above: &mut Coded,
        left: &mut Coded,
        visit: &mut impl FnMut(usize, &Levels, usize, usize) -> bool,
    ) {
        let is_whole = matches!(self.luma, LumaModes::Whole(_));
        if self.is_skipped() {
            for edge in [above, left] {
                // A macroblock without such a block leaves what is known of the last.
                let means = if is_whole { 0 } else { edge.means };
                *edge = Coded { means, ..Coded::default() };
            }
            return;
        }
        let (kind, first) = if is_whole { (kind::WITHOUT_MEAN, 1) } else { (kind::SPLIT, 0) };
        if is_whole {
            let is_coded =
                usize::from(visit(kind::MEANS, &self.means, 0, above.means + left.means));
            (above.means, left.means) = (is_coded, is_coded);
        }
        for (row, left) in self.blocks.iter().zip(&mut left.luma) {
            for (levels, above) in row.iter().zip(&mut above.luma) {
                let is_coded = usize::from(visit(kind, levels, first, *above + *left));
                (*above, *left) = (is_coded, is_coded);
            }
        }
        for ((rows, above), left) in self.chroma.iter().zip(&mut above.chroma).zip(&mut left.chroma)
        {
            for (row, left) in rows.iter().zip(left) {
                for (levels, above) in row.iter().zip(&mut *above) {
                    let is_coded = usize::from(visit(kind::CHROMA, levels, 0, *above + *left));
                    (*above, *left) = (is_coded, is_coded);
                }
            }
        }
    }

    fn write_modes(
        &self,
        bools: &mut BoolWriter,
        skip_odds: u8,
        above: &mut [usize; 4],
        left: &mut [usize; 4],
    ) {
        bools.bit(self.is_skipped(), skip_odds);
        match &self.luma {
            LumaModes::Whole(mode) => {
                for (odds, is_set) in whole_mode_bools(*mode) {
                    bools.bit(is_set, odds);
                }
                (*above, *left) = ([*mode; 4], [*mode; 4]);
            }
            LumaModes::Split(modes) => {
                bools.bit(false, 145);
                for (row, left) in modes.iter().zip(left) {
                    for (mode, above) in row.iter().zip(&mut *above) {
                        let odds = BLOCK_MODES.get(*above).and_then(|odds| odds.get(*left));
                        let odds = odds.copied().unwrap_or([128; 9]);
                        for (node, is_set) in block_mode_path(*mode) {
                            bools.bit(*is_set, odds.get(*node).copied().unwrap_or(128));
                        }
                        (*above, *left) = (*mode, *mode);
                    }
                }
            }
        }
        for (odds, is_set) in chroma_mode_bools(self.chroma_mode) {
            bools.bit(*is_set, *odds);
        }
    }
}

/// A `VP8 ` chunk for a quantiser index of 0, the finest, to 127.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(crate) async fn encode(frame: &Frame, index: u8, pace: &Pace) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = (frame.luma.width, frame.luma.height);
    if width == 0 || height == 0 || width > MOST_SIDE || height > MOST_SIDE {
        return Err(EncodeError::Unwritable);
    }
    let (columns, rows) = (width.div_ceil(16), height.div_ceil(16));
    let row_ps = (columns as u64 * 256).saturating_mul(cost::VP8_WRITTEN_PIXEL);
    let encoder = Encoder::new(index);
    let mut above = vec![Edge::outside(ABOVE); columns];
    let mut macroblocks = Vec::with_capacity(columns * rows);
    for y in 0..rows {
        pace.begin(row_ps).await;
        encode_row(&encoder, frame, y, &mut above, &mut macroblocks);
    }
    pace.begin((columns as u64 * rows as u64 * 256).saturating_mul(cost::VP8_TOKEN_PIXEL)).await;
    write(frame, index, &macroblocks, columns)
}

#[inline(never)]
fn encode_row(
    encoder: &Encoder,
    frame: &Frame,
    y: usize,
    above: &mut [Edge],
    macroblocks: &mut Vec<Macroblock>,
) {
    let mut left = Edge::outside(LEFT);
    let first = if y == 0 { ABOVE } else { LEFT };
    let mut corners = Corners { luma: first, chroma: [first; 2] };
    let mut rights: Vec<[u8; 4]> =
        above.iter().skip(1).map(|Edge { pixels: [first, ..], .. }| *first).collect();
    // To the right of the frame the last pixel goes on.
    rights.extend(above.last().map(|Edge { pixels: [.., [.., last]], .. }| [*last; 4]));
    for (x, (above, right)) in above.iter_mut().zip(rights).enumerate() {
        let next = Corners::of(above);
        let place = Place { corners, right, has_above: y > 0, has_left: x > 0 };
        macroblocks.push(encoder.macroblock(&Source::of(frame, x, y), &place, above, &mut left));
        corners = next;
    }
}

fn write(
    frame: &Frame,
    index: u8,
    macroblocks: &[Macroblock],
    columns: usize,
) -> Result<Vec<u8>, EncodeError> {
    let mut counts = Counts::new();
    visit_all(macroblocks, columns, &mut |kind, levels, first, neighbours| {
        counts.add(kind, levels, first, neighbours)
    });
    let skipped = macroblocks.iter().filter(|macroblock| macroblock.is_skipped()).count();
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let skip_odds = odds_of(count(macroblocks.len() - skipped), count(skipped));

    let mut modes = BoolWriter::new();
    // Section 19.2: colours and clamping as usual, no segments, the normal filter and its level and sharpness, no
    // deltas, one partition, the quantiser and no deltas, odds for this frame.
    modes.bits(0, 3);
    modes.bit(false, 128);
    modes.bits(filter_level(index), 6);
    modes.bits(0, 3 + 1 + 2);
    modes.bits(index.min(127).into(), 7);
    modes.bits(0, 5 + 1);
    let odds = counts.write_odds(&mut modes);
    modes.flag(true);
    modes.bits(skip_odds.into(), 8);
    let mut above = vec![[mode::DC; 4]; columns];
    for row in macroblocks.chunks(columns.max(1)) {
        let mut left = [mode::DC; 4];
        for (macroblock, above) in row.iter().zip(&mut above) {
            macroblock.write_modes(&mut modes, skip_odds, above, &mut left);
        }
    }
    let modes = modes.finish();

    let mut tokens = BoolWriter::new();
    visit_all(macroblocks, columns, &mut |kind, levels, first, neighbours| {
        let Some(odds) = odds.get(kind) else { return false };
        walk(levels, first, neighbours, &mut Writer { odds, bools: &mut tokens })
    });
    let tokens = tokens.finish();

    let length = u32::try_from(modes.len()).ok().filter(|length| *length < 1 << 19);
    let [t0, t1, t2, _] = (length.ok_or(EncodeError::Unwritable)? << 5 | 0x10).to_le_bytes();
    let side = |side: usize| u16::try_from(side).unwrap_or_default().to_le_bytes();
    let mut out = Vec::with_capacity(10 + modes.len() + tokens.len());
    out.extend([t0, t1, t2, 0x9D, 0x01, 0x2A]);
    out.extend(side(frame.luma.width));
    out.extend(side(frame.luma.height));
    out.extend(modes);
    out.extend(tokens);
    Ok(out)
}

fn visit_all(
    macroblocks: &[Macroblock],
    columns: usize,
    visit: &mut impl FnMut(usize, &Levels, usize, usize) -> bool,
) {
    let mut above = vec![Coded::default(); columns];
    for row in macroblocks.chunks(columns.max(1)) {
        let mut left = Coded::default();
        for (macroblock, above) in row.iter().zip(&mut above) {
            macroblock.visit(above, &mut left, visit);
        }
    }
}

/// How strongly decoders smooth the borders of blocks: the coarser the steps, the more.
fn filter_level(index: u8) -> u32 {
    let ac = AC_STEPS.get(usize::from(index.min(127))).copied().map_or(0, u32::from);
    (ac / 4 * 300 / 256).min(63)
}
