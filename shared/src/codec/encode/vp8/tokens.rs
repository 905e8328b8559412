//! Levels as tokens (RFC 6386 section 13): counted, priced and written.

use super::{bools::BoolWriter, price, transform::Levels};
use crate::container::webp::vp8::tables::{
    BANDS, CATEGORIES, Odds, TOKEN_UPDATES, TOKENS, TokenOdds,
};

/// The odds of tokens in one kind of block.
pub(super) type KindOdds = [[Odds; 3]; 8];

/// The kinds of blocks, in the order of the tables.
pub(super) mod kind {
    /// Luma whose means are in a block of their own.
    pub const WITHOUT_MEAN: usize = 0;
    pub const MEANS: usize = 1;
    pub const CHROMA: usize = 2;
    /// Luma with its mean.
    pub const SPLIT: usize = 3;
}

/// Takes the bools of tokens.
pub(super) trait Sink {
    /// A bool whose odds stand at this place of the tables.
    fn token(&mut self, band: usize, before: usize, node: usize, is_set: bool);
    /// A bool of fixed odds.
    fn extra(&mut self, odds: u8, is_set: bool);
}

/// The first level of each category of large levels; the number of extra bits grows with it.
const CATEGORY_STARTS: [u16; 6] = [5, 7, 11, 19, 35, 67];

/// The tokens of a block from `first` on, of whose neighbours so many had any. Whether it has any itself.
pub(super) fn walk(levels: &Levels, first: usize, neighbours: usize, sink: &mut impl Sink) -> bool {
    let end = levels.iter().rposition(|level| *level != 0).map_or(first, |last| last + 1);
    let (mut before, mut may_end) = (neighbours, true);
    for (band, level) in BANDS.iter().zip(levels).take(end).skip(first) {
        if may_end {
            sink.token(*band, before, 0, true);
        }
        let size = level.unsigned_abs();
        // A zero is never the last.
        may_end = size > 0;
        sink.token(*band, before, 1, may_end);
        if !may_end {
            before = 0;
            continue;
        }
        sink.token(*band, before, 2, size > 1);
        if size > 1 {
            magnitude(size, *band, before, sink);
        }
        sink.extra(128, *level < 0);
        before = usize::from(size.min(2));
    }
    if let Some(band) = BANDS.get(end) {
        sink.token(*band, before, 0, false);
    }
    end > first
}

/// The rest of the tree for two and more, and the bits behind it.
fn magnitude(size: u16, band: usize, before: usize, sink: &mut impl Sink) {
    let mut token = |node, is_set| sink.token(band, before, node, is_set);
    token(3, size > 4);
    if size <= 4 {
        token(4, size > 2);
        if size > 2 {
            token(5, size > 3);
        }
        return;
    }
    let category = CATEGORY_STARTS.iter().rposition(|start| size >= *start).unwrap_or_default();
    token(6, category > 1);
    if category < 2 {
        token(7, category == 1);
    } else {
        token(8, category > 3);
        if category < 4 {
            token(9, category == 3);
        } else {
            token(10, category == 5);
        }
    }
    let categories = CATEGORIES.iter().zip(CATEGORY_STARTS).nth(category);
    let Some((odds, start)) = categories else { return };
    let extra = size - start;
    for (at, odds) in (0..odds.len()).rev().zip(*odds) {
        sink.extra(*odds, extra >> at & 1 == 1);
    }
}

/// Adds up what tokens take, in 256ths of a bit.
pub(super) struct Price<'a> {
    pub odds: &'a KindOdds,
    pub sum: u32,
}

impl Sink for Price<'_> {
    #[inline]
    fn token(&mut self, band: usize, before: usize, node: usize, is_set: bool) {
        self.sum += price(odds_at(self.odds, band, before, node), is_set);
    }

    #[inline]
    fn extra(&mut self, odds: u8, is_set: bool) {
        self.sum += price(odds, is_set);
    }
}

#[inline]
fn odds_at(odds: &KindOdds, band: usize, before: usize, node: usize) -> u8 {
    let odds = odds.get(band).and_then(|odds| odds.get(before)).and_then(|odds| odds.get(node));
    odds.copied().unwrap_or(128)
}

/// Writes tokens.
pub(super) struct Writer<'a> {
    pub odds: &'a KindOdds,
    pub bools: &'a mut BoolWriter,
}

impl Sink for Writer<'_> {
    #[inline]
    fn token(&mut self, band: usize, before: usize, node: usize, is_set: bool) {
        self.bools.bit(is_set, odds_at(self.odds, band, before, node));
    }

    #[inline]
    fn extra(&mut self, odds: u8, is_set: bool) {
        self.bools.bit(is_set, odds);
    }
}

/// How often each bool of the tables was false and true.
type KindCounts = [[[[u32; 2]; 11]; 3]; 8];

/// Counts tokens.
pub(super) struct Counts([KindCounts; 4]);

/// Counts the tokens of one kind of block.
struct Counter<'a>(&'a mut KindCounts);

impl Sink for Counter<'_> {
    #[inline]
    fn token(&mut self, band: usize, before: usize, node: usize, is_set: bool) {
        let counts = self.0.get_mut(band).and_then(|counts| counts.get_mut(before));
        if let Some([unset, set]) = counts.and_then(|counts| counts.get_mut(node)) {
            *(if is_set { set } else { unset }) += 1;
        }
    }

    #[inline]
    fn extra(&mut self, _odds: u8, _is_set: bool) {}
}

impl Counts {
    pub const fn new() -> Self {
        Self([[[[[0; 2]; 11]; 3]; 8]; 4])
    }

    /// Counts a block as [`walk`] does.
    pub fn add(&mut self, kind: usize, levels: &Levels, first: usize, neighbours: usize) -> bool {
        match self.0.get_mut(kind) {
            Some(counts) => walk(levels, first, neighbours, &mut Counter(counts)),
            None => false,
        }
    }

    /// Writes the odds that are changed because that saves bits, and returns all (section 13.4).
    pub fn write_odds(&self, bools: &mut BoolWriter) -> TokenOdds {
        let mut tokens = TOKENS;
        let all = tokens.as_flattened_mut().as_flattened_mut().as_flattened_mut();
        let updates = TOKEN_UPDATES.as_flattened().as_flattened().as_flattened();
        let counts = self.0.as_flattened().as_flattened().as_flattened();
        for ((odds, update), [unset, set]) in all.iter_mut().zip(updates).zip(counts) {
            let counted = odds_of(*unset, *set);
            let total = |odds: u8| {
                let part = |count: u32, is_set| u64::from(count) * u64::from(price(odds, is_set));
                part(*unset, false) + part(*set, true)
            };
            let left = total(*odds) + u64::from(price(*update, false));
            let changed = total(counted) + u64::from(price(*update, true)) + 8 * 256;
            let is_changed = changed < left;
            bools.bit(is_changed, *update);
            if is_changed {
                bools.bits(counted.into(), 8);
                *odds = counted;
            }
        }
        tokens
    }
}

/// The odds in 256 of a bool that was so often false and true.
pub(super) fn odds_of(unset: u32, set: u32) -> u8 {
    let all = (u64::from(unset) + u64::from(set)).max(1);
    let odds = (u64::from(unset) * 255 + all / 2) / all;
    u8::try_from(odds.clamp(1, 255)).unwrap_or(255)
}
