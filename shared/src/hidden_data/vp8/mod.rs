//! Where the codes of a lossy WebP end: all bools of a key frame are read in their order (RFC 6386, section
//! 19), and nothing is made of them. `image-webp` reads each partition whole, so that its end does not show.
//!
//! The frame has been decoded before; what such a walk reads behind the end are zeros, not errors.

use alloc::{vec, vec::Vec};

use crate::{
    container::webp::vp8::{
        Bools, KeyFrame, Segments,
        tables::{BANDS, BLOCK_MODES, CATEGORIES, Odds, TOKEN_UPDATES, TOKENS},
    },
    error::Corrupt,
    pace::Pace,
    plan::work::cost,
};

/// Bytes behind the last code that an encoder may have flushed: that of section 7.3 writes four, of which
/// the decoder has read two ahead.
const FLUSHED: usize = 8;

/// Refuses what follows the codes of any partition. Zeros are padding.
///
/// # Errors
/// [`Corrupt::BadPixels`] when something follows.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
pub(super) async fn check(data: &[u8], pace: &Pace) -> Result<(), Corrupt> {
    let frame = KeyFrame::read(data)?;
    let rows = u64::from(frame.height.div_ceil(16)).max(1);
    let row_ps = (data.len() as u64 / rows).saturating_mul(cost::SEARCHED_BYTE);
    let (first, rest) = walk(&frame, row_ps, pace).await;
    let partitions = [frame.first].into_iter().chain(frame.rest.all().iter().copied());
    for (partition, bools) in partitions.zip([first].iter().chain(&rest)) {
        let mut tail = partition.iter().rev().take(bools.unread().saturating_sub(FLUSHED));
        if tail.any(|byte| *byte != 0) {
            return Err(Corrupt::BadPixels);
        }
    }
    Ok(())
}

/// The decoders of all partitions after the last macroblock. A row takes `row_ps`.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn walk<'a>(frame: &KeyFrame<'a>, row_ps: u64, pace: &Pace) -> (Bools<'a>, Vec<Bools<'a>>) {
    let mut modes = Modes { bools: frame.bools, segments: frame.segments, skip: None };
    let tokens = modes.read_header();
    let mut partitions: Vec<_> = frame.rest.all().iter().copied().map(Bools::new).collect();
    let mut above = vec![Edge::default(); usize::from(frame.width.div_ceil(16))];
    let rows = usize::from(frame.height.div_ceil(16));
    for at in 0..rows {
        pace.begin(row_ps).await;
        // Section 9.5: the rows go round the partitions.
        let index = at % partitions.len();
        let Some(partition) = partitions.get_mut(index) else { continue };
        read_row(&mut modes, &tokens, partition, &mut above);
    }
    (modes.bools, partitions)
}

/// A row of macroblocks.
#[inline(never)]
fn read_row(modes: &mut Modes<'_>, tokens: &Tokens, partition: &mut Bools<'_>, above: &mut [Edge]) {
    let mut left = Edge::default();
    for above in above {
        match modes.read(above, &mut left) {
            Blocks::None => {}
            Blocks::Whole => tokens.read_whole(partition, above, &mut left),
            Blocks::Split => tokens.read_split(partition, above, &mut left),
        }
    }
}

/// Context that a macroblock takes from the one above it or to its left.
#[derive(Clone, Copy, Default)]
struct Edge {
    /// Of blocks, as the tables count them; without a neighbour it is `mode::DC`.
    modes: [usize; 4],
    luma: Coded<4>,
    chroma: [Coded<2>; 2],
    /// The block of the luma blocks' means.
    means: usize,
}

/// For each block along an edge, one if it had any coefficients.
type Coded<const N: usize> = [usize; N];

/// Which blocks of a macroblock have codes.
enum Blocks {
    /// It is skipped.
    None,
    /// All, with the means in a block of their own.
    Whole,
    /// All, each with its mean.
    Split,
}

mod mode {
    pub const DC: usize = 0;
    pub const TM: usize = 1;
    pub const VE: usize = 2;
    pub const HE: usize = 3;
    pub const LD: usize = 4;
    pub const RD: usize = 5;
    pub const VR: usize = 6;
    pub const VL: usize = 7;
    pub const HD: usize = 8;
    pub const HU: usize = 9;
}

struct Modes<'a> {
    bools: Bools<'a>,
    segments: Segments,
    /// Odds that a macroblock is not skipped, if any may be.
    skip: Option<u8>,
}

impl Modes<'_> {
    /// The rest of the header (sections 9.6 to 9.11), which has the odds of tokens.
    fn read_header(&mut self) -> Tokens {
        let bools = &mut self.bools;
        // Quantizer; five deltas with a sign; whether later frames, of which there are none, keep the odds.
        bools.bits(7);
        bools.optional(5, 4 + 1);
        bools.bits(1);
        let mut tokens = TOKENS;
        let all = tokens.as_flattened_mut().as_flattened_mut().as_flattened_mut();
        let updates = TOKEN_UPDATES.as_flattened().as_flattened().as_flattened();
        for (odds, update) in all.iter_mut().zip(updates) {
            if bools.bit(*update) {
                *odds = bools.byte();
            }
        }
        self.skip = bools.flag().then(|| bools.byte());
        let by_place = |[b0, b1, b2, b3, b4, b5, b6, b7]: [[Odds; 3]; 8]| {
            BANDS.map(|band| match band {
                0 => b0,
                1 => b1,
                2 => b2,
                3 => b3,
                4 => b4,
                5 => b5,
                6 => b6,
                _ => b7,
            })
        };
        let [luma, means, chroma, split] = tokens.map(by_place);
        Tokens { luma, means, chroma, split }
    }

    /// A macroblock (sections 10, 11 and 19.3).
    #[inline]
    fn read(&mut self, above: &mut Edge, left: &mut Edge) -> Blocks {
        // A copy stays in registers.
        let mut bools = self.bools;
        if let Some([root, low, high]) = self.segments {
            let odds = if bools.bit(root) { high } else { low };
            bools.bit(odds);
        }
        let is_skipped = self.skip.is_some_and(|odds| bools.bit(odds));
        let is_whole = bools.bit(145);
        if is_whole {
            let mode = if bools.bit(156) {
                if bools.bit(128) { mode::TM } else { mode::HE }
            } else if bools.bit(163) {
                mode::VE
            } else {
                mode::DC
            };
            (above.modes, left.modes) = ([mode; 4], [mode; 4]);
        } else {
            for left in &mut left.modes {
                for above in &mut above.modes {
                    let odds = BLOCK_MODES.get(*above).and_then(|lefts| lefts.get(*left));
                    let mode = odds.map_or(mode::DC, |odds| block_mode(&mut bools, odds));
                    (*above, *left) = (mode, mode);
                }
            }
        }
        // The mode of chroma.
        let _ = bools.bit(142) && bools.bit(114) && bools.bit(183);
        self.bools = bools;
        match (is_skipped, is_whole) {
            (false, true) => Blocks::Whole,
            (false, false) => Blocks::Split,
            (true, _) => {
                for edge in [above, left] {
                    (edge.luma, edge.chroma) = Default::default();
                    // A macroblock without such a block leaves what is known of the last.
                    edge.means = if is_whole { 0 } else { edge.means };
                }
                Blocks::None
            }
        }
    }
}

/// The tree of section 11.2.
#[inline]
fn block_mode(bools: &mut Bools<'_>, odds: &[u8; 9]) -> usize {
    let [dc, tm, ve, side, he, rd, ld, vl, hd] = *odds;
    if !bools.bit(dc) {
        mode::DC
    } else if !bools.bit(tm) {
        mode::TM
    } else if !bools.bit(ve) {
        mode::VE
    } else if !bools.bit(side) {
        if !bools.bit(he) {
            mode::HE
        } else if !bools.bit(rd) {
            mode::RD
        } else {
            mode::VR
        }
    } else if !bools.bit(ld) {
        mode::LD
    } else if !bools.bit(vl) {
        mode::VL
    } else if !bools.bit(hd) {
        mode::HD
    } else {
        mode::HU
    }
}

/// Odds of tokens by the place of a coefficient in its block, and how large the one before was.
type ByPlace = [[Odds; 3]; 16];

/// The odds of tokens in each kind of block.
struct Tokens {
    /// Without their means.
    luma: ByPlace,
    means: ByPlace,
    chroma: ByPlace,
    /// With their means.
    split: ByPlace,
}

impl Tokens {
    #[inline]
    fn read_whole(&self, bools: &mut Bools<'_>, above: &mut Edge, left: &mut Edge) {
        let coded = block(bools, &self.means, above.means + left.means);
        (above.means, left.means) = (coded, coded);
        let [_, without_mean @ ..] = &self.luma;
        square(bools, without_mean, &mut above.luma, &mut left.luma);
        self.read_chroma(bools, above, left);
    }

    #[inline]
    fn read_split(&self, bools: &mut Bools<'_>, above: &mut Edge, left: &mut Edge) {
        square(bools, &self.split, &mut above.luma, &mut left.luma);
        self.read_chroma(bools, above, left);
    }

    #[inline]
    fn read_chroma(&self, bools: &mut Bools<'_>, above: &mut Edge, left: &mut Edge) {
        for (above, left) in above.chroma.iter_mut().zip(&mut left.chroma) {
            square(bools, &self.chroma, above, left);
        }
    }
}

/// Blocks of one kind, row by row.
#[inline]
fn square<const N: usize>(
    bools: &mut Bools<'_>,
    odds: &[[Odds; 3]],
    above: &mut Coded<N>,
    left: &mut Coded<N>,
) {
    for left in left {
        for above in &mut *above {
            let coded = block(bools, odds, *above + *left);
            (*above, *left) = (coded, coded);
        }
    }
}

/// The tokens of a block (section 13), of whose neighbours so many had coefficients; one if it has, too.
fn block(reader: &mut Bools<'_>, odds: &[[Odds; 3]], neighbours: usize) -> usize {
    // A copy stays in registers.
    let mut bools = *reader;
    let (mut before, mut may_end, mut coded) = (neighbours, true, 0);
    for odds in odds {
        let Some([end, zero, one, large @ ..]) = odds.get(before) else { break };
        if may_end && !bools.bit(*end) {
            break;
        }
        coded = 1;
        // A zero is never the last.
        may_end = bools.bit(*zero);
        before = match may_end {
            false => 0,
            true if bools.bit(*one) => {
                magnitude(&mut bools, *large);
                2
            }
            true => 1,
        };
        if may_end {
            // Its sign.
            bools.flag();
        }
    }
    *reader = bools;
    coded
}

/// The rest of the tree for two and more, and the bits behind it (section 13.2).
#[inline]
fn magnitude(bools: &mut Bools<'_>, odds: [u8; 8]) {
    let [small, three, four, ten, one_or_two, high, three_or_four, five_or_six] = odds;
    if !bools.bit(small) {
        let _ = bools.bit(three) && bools.bit(four);
        return;
    }
    let [c1, c2, c3, c4, c5, c6] = CATEGORIES;
    let category = if !bools.bit(ten) {
        if bools.bit(one_or_two) { c2 } else { c1 }
    } else if !bools.bit(high) {
        if bools.bit(three_or_four) { c4 } else { c3 }
    } else if bools.bit(five_or_six) {
        c6
    } else {
        c5
    };
    for odds in category {
        bools.bit(*odds);
    }
}

#[cfg(test)]
mod tests;
