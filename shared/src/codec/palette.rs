//! Few colours: finding out that a picture has at most 256, and painting one with given colours.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use crate::{
    pace::Pace,
    plan::work::cost,
    raster::{Layout, Raster},
};

/// What an index of one byte can name.
pub(crate) const MAX_COLORS: usize = 256;

pub(crate) struct Indexed {
    /// The colours with alpha, the least opaque first, so that a PNG's list of alphas is short.
    pub colors: Vec<[u8; 4]>,
    pub indices: Vec<u8>,
}

impl Indexed {
    /// The picture as indices, or nothing when it has more colours.
    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    pub async fn of(raster: &Raster, pace: &Pace) -> Option<Self> {
        let row_ps = (raster.width as u64).saturating_mul(cost::COUNTED_PIXEL);
        let mut found = Found::default();
        let mut last = None;
        for row in raster.rows() {
            pace.begin(row_ps).await;
            let changes = count(&mut found, &mut last, raster.layout, row)?;
            pace.add(changes.saturating_mul(cost::COUNTED_CHANGE));
        }
        for (index, place) in (0..=u8::MAX).zip(found.values_mut()) {
            *place = index;
        }
        let colors = found.keys().map(|&[a, r, g, b]| [r, g, b, a]).collect();
        let mut last = ([0; 4], found.get(&[0; 4]).copied().unwrap_or_default());
        let mut indices = Vec::with_capacity(raster.width * raster.height);
        for row in raster.rows() {
            pace.begin(row_ps).await;
            let changes = index(&found, &mut last, raster.layout, row, &mut indices);
            pace.add(changes.saturating_mul(cost::COUNTED_CHANGE));
        }
        Some(Self { colors, indices })
    }

    /// Bits that an index takes in a PNG.
    pub const fn bits(&self) -> u8 {
        match self.colors.len() {
            0..=2 => 1,
            3..=4 => 2,
            5..=16 => 4,
            _ => 8,
        }
    }
}

/// Colours and their indices, by alpha first: what is not opaque stands at the palette's head.
type Found = BTreeMap<[u8; 4], u8>;

const fn key([r, g, b, a]: [u8; 4]) -> [u8; 4] {
    [a, r, g, b]
}

/// Adds the colours of a row; returns how often they change, or nothing when they are too many.
#[inline(never)]
fn count(found: &mut Found, last: &mut Option<[u8; 4]>, layout: Layout, row: &[u8]) -> Option<u64> {
    let mut changes = 0;
    for color in pixels(layout, row) {
        if *last != Some(color) {
            changes += 1;
            found.entry(key(color)).or_default();
            if found.len() > MAX_COLORS {
                return None;
            }
            *last = Some(color);
        }
    }
    Some(changes)
}

/// Adds the indices of a row; returns how often they change. `last` has the last colour and its index.
#[inline(never)]
fn index(
    found: &Found,
    last: &mut ([u8; 4], u8),
    layout: Layout,
    row: &[u8],
    indices: &mut Vec<u8>,
) -> u64 {
    let mut changes = 0;
    for color in pixels(layout, row) {
        if last.0 != color {
            changes += 1;
            *last = (color, found.get(&key(color)).copied().unwrap_or_default());
        }
        indices.push(last.1);
    }
    changes
}

/// The colours of a row, pixel by pixel.
pub(crate) fn pixels(layout: Layout, row: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    row.chunks_exact(layout.channels()).map(move |pixel| match (layout, pixel) {
        (Layout::Gray, &[g]) => [g, g, g, u8::MAX],
        (Layout::GrayAlpha, &[g, a]) => [g, g, g, a],
        (Layout::Rgb, &[r, g, b]) => [r, g, b, u8::MAX],
        (Layout::Rgba, &[r, g, b, a]) => [r, g, b, a],
        _ => [0; 4],
    })
}

const fn opaque([r, g, b]: [u8; 3]) -> [u8; 4] {
    [u8::MAX, r, g, b]
}

/// Finds the nearest of given colours.
pub(crate) struct Nearest {
    colors: Vec<[u8; 3]>,
    /// The first index of each colour, by the opaque colour: a colour of the palette is found exactly.
    exact: BTreeMap<[u8; 4], u8>,
    /// What was found before, by five bits of red, six of green and five of blue: beyond that the
    /// distance to the next colour of a palette hardly changes.
    memo: Vec<Option<u8>>,
}

impl Nearest {
    pub fn new(colors: &[[u8; 3]]) -> Self {
        let mut exact = BTreeMap::new();
        for (color, index) in colors.iter().zip(0..=u8::MAX) {
            exact.entry(opaque(*color)).or_insert(index);
        }
        Self { colors: colors.to_vec(), exact, memo: vec![None; 1 << 16] }
    }

    /// Whether these are its colours.
    pub fn is_for(&self, colors: &[[u8; 3]]) -> bool {
        self.colors == colors
    }

    /// The index of the colour nearest to this one, `except` for one that is spoken for.
    pub fn find(&mut self, color: [u8; 3], except: Option<u8>) -> u8 {
        if let Some(index) = self.exact.get(&opaque(color))
            && Some(*index) != except
        {
            return *index;
        }
        let [r, g, b] = color.map(usize::from);
        let key = (r >> 3) << 11 | (g >> 2) << 5 | b >> 3;
        if let Some(Some(index)) = self.memo.get(key)
            && Some(*index) != except
        {
            return *index;
        }
        let candidates = (0..=u8::MAX).zip(&self.colors);
        let nearest = candidates
            .filter(|(index, _)| Some(*index) != except)
            .min_by_key(|(_, candidate)| distance(**candidate, color))
            .map_or(0, |(index, _)| index);
        if let Some(slot) = self.memo.get_mut(key) {
            *slot = Some(nearest);
        }
        nearest
    }
}

/// Squared, green counting most, as for the eye.
fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    let [r, g, blue] = [0, 1, 2].map(|channel: usize| {
        let at = |color: [u8; 3]| color.get(channel).copied().unwrap_or_default();
        u32::from(at(a).abs_diff(at(b))).pow(2)
    });
    2 * r + 4 * g + 3 * blue
}
