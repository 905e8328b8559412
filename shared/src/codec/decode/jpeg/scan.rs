//! Decodes the scans of a JPEG: sequential ones straight to samples, progressive ones by way of
//! coefficients (T.81 annexes F and G). Only what the scale needs is kept, so that a progressive
//! picture decoded at 1/4 holds 16 bytes a block and not 128.

use alloc::{boxed::Box, vec, vec::Vec};

use super::{
    bits::Bits,
    huffman::{Lookup, extend},
    idct::{Corner, UNUSED, coefficients, inverse, inverse_flat, places},
    stride::Strides,
};
use crate::{
    container::jpeg::{
        frame::{Component, Frame, Part, Scan},
        tables::{Huffman, Tables},
    },
    error::Corrupt,
    hidden_data::HiddenData,
    pace::Pace,
    plan::{Scale, work::cost},
    raster::Plane,
};

/// One component while it is decoded.
struct Channel {
    /// Padded to whole blocks.
    plane: Plane,
    /// Blocks across.
    across: usize,
    /// Steps of quantisation as they stood at the component's first scan, where [`places`] says.
    steps: Option<Box<[i16; 64]>>,
    coefficients: Option<Coefficients>,
}

/// What progressive scans have said so far.
struct Coefficients {
    /// The coefficients that the scale uses, `side * side` a block.
    values: Vec<i16>,
    /// Which coefficients of a block are not zero, in zigzag order: refinement needs to know.
    nonzero: Vec<u64>,
}

/// All components while they are decoded.
pub(super) struct Channels {
    side: usize,
    places: [u8; 64],
    list: Vec<Channel>,
    /// What of the scans no bit was taken of.
    pub hidden: HiddenData,
}

impl Channels {
    /// Allocates for a frame whose blocks decode to `side` by `side` samples.
    pub fn new(frame: &Frame, side: usize) -> Self {
        let list = frame.components.iter().map(|component| channel(frame, *component, side));
        let list = list.collect();
        Self { side, places: places(side), list, hidden: HiddenData::default() }
    }

    /// Decodes one scan whose data begin at `at`; answers where the next marker is.
    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    pub async fn scan(
        &mut self,
        data: &[u8],
        at: usize,
        frame: &Frame,
        scan: &Scan,
        tables: &Tables<'_>,
        pace: &Pace,
    ) -> Result<usize, Corrupt> {
        for part in &scan.parts {
            let channel = self.list.get_mut(part.index).ok_or(Corrupt::BadHeader)?;
            if channel.steps.is_none() {
                let table = tables.quantisation(part.component.quantisation);
                let table = table.ok_or(Corrupt::BadStructure)?;
                channel.steps = Some(Box::new(steps(table, &self.places)));
            }
        }
        let interval = usize::from(tables.restart_interval);
        let scan_tables = ScanTables::new(frame.progressive, self.side, scan, tables)?;
        let mut walk = Walk::new(frame, scan, interval, Bits::new(data, at));
        let (block_ps, byte_ps) = self.costs(frame);
        // Engines run wasm unoptimised at first and replace a function only when it is called again: a
        // whole scan in one call would stay slow to its end. wasm-opt inlines a function that is called
        // from one place only, so there are two.
        self.decode(&mut walk, &scan_tables)?;
        while walk.row < walk.down {
            pace.begin(walk.next_blocks().saturating_mul(block_ps)).await;
            let before = walk.bits;
            self.decode(&mut walk, &scan_tables)?;
            pace.add(walk.bits.bytes_since(&before).saturating_mul(byte_ps));
        }
        // Without a marker the data end here; the caller decides whether that is enough.
        let marker = walk.bits.marker().unwrap_or(usize::MAX);
        walk.bits.add_hidden(marker, &mut self.hidden)?;
        Ok(marker)
    }

    /// What decoding a block and a byte of its codes takes.
    fn costs(&self, frame: &Frame) -> (u64, u64) {
        if frame.progressive {
            (cost::PROGRESSIVE_BLOCK, cost::PROGRESSIVE_BYTE)
        } else {
            (cost::SEQUENTIAL_BLOCK + cost::rendered_block(self.scale()), cost::SEQUENTIAL_BYTE)
        }
    }

    fn scale(&self) -> Scale {
        let is_of = |scale: &Scale| scale.side() as usize == self.side;
        Scale::ALL.into_iter().find(is_of).unwrap_or(Scale::Full)
    }

    /// Decodes the next MCUs of a scan: a row of them, or a part of a long row.
    #[inline(never)]
    fn decode(&mut self, walk: &mut Walk<'_>, tables: &ScanTables) -> Result<(), Corrupt> {
        match (walk.frame.progressive, walk.scan.first, walk.scan.high) {
            (false, ..) => match self.side {
                1 => self.sequential::<1>(walk, tables),
                2 => self.sequential::<2>(walk, tables),
                4 => self.sequential::<4>(walk, tables),
                _ => self.sequential::<8>(walk, tables),
            },
            (true, 0, 0) => self.dc_first(walk, tables),
            (true, 0, _) => self.dc_refine(walk),
            (true, _, 0) => self.ac_first(walk, tables),
            (true, ..) => self.ac_refine(walk, tables),
        }
    }

    /// A scan that says everything about its components (§F.2).
    fn sequential<const SIDE: usize>(
        &mut self,
        walk: &mut Walk<'_>,
        tables: &ScanTables,
    ) -> Result<(), Corrupt> {
        let mut channels: Vec<_> = self.list.iter_mut().map(Some).collect();
        let mut parts = Vec::with_capacity(walk.scan.parts.len());
        for part in &walk.scan.parts {
            let channel = channels.get_mut(part.index).and_then(Option::take);
            let channel = channel.ok_or(Corrupt::BadStructure)?;
            parts.push((channel, tables.dc(part)?, tables.ac(part)?, tables.strides(part)));
        }
        // Beyond the last coefficient lies a place that nobody reads.
        let mut places = [UNUSED; 128];
        places.iter_mut().zip(self.places).for_each(|(slot, place)| *slot = place);
        let mut block = [0i16; 128];
        walk.units(&mut self.hidden, |bits, state, part, unit| {
            let (Some((channel, dc, ac, strides)), Some(predictor)) =
                (parts.get_mut(part), state.dc.get_mut(part))
            else {
                return Err(Corrupt::BadStructure);
            };
            let Channel { plane, steps: Some(steps), .. } = channel else {
                return Err(Corrupt::BadStructure);
            };
            for y in unit.y..unit.y + unit.down {
                for x in unit.x..unit.x + unit.across {
                    *predictor = predictor.wrapping_add(dc.coefficient(bits)?.value);
                    let flat = if SIDE == 1 {
                        skip_ac(1, ac, *strides, bits)?;
                        true
                    } else {
                        read_ac::<SIDE>(ac, *strides, bits, &places, &mut block)?
                    };
                    let corner = corner(plane, SIDE, x, y);
                    if flat {
                        inverse_flat::<SIDE>(low_half(*predictor), steps, corner);
                    } else {
                        let (block, _) = block.split_at_mut(SIDE * SIDE);
                        if let Some(first) = block.first_mut() {
                            *first = low_half(*predictor);
                        }
                        inverse::<SIDE>(block, steps, corner);
                        block.fill(0);
                    }
                }
            }
            Ok(())
        })
    }

    /// The first bits of the DC coefficients (§G.1.2.1).
    fn dc_first(&mut self, walk: &mut Walk<'_>, tables: &ScanTables) -> Result<(), Corrupt> {
        let scan = walk.scan;
        let parts = scan.parts.iter().map(|part| Ok((part.index, tables.dc(part)?)));
        let parts = parts.collect::<Result<Vec<_>, Corrupt>>()?;
        let (list, hidden, stored) = (&mut self.list, &mut self.hidden, self.side * self.side);
        walk.blocks(hidden, |bits, state, part, x, y| {
            let (Some((index, dc)), Some(predictor)) = (parts.get(part), state.dc.get_mut(part))
            else {
                return Err(Corrupt::BadStructure);
            };
            *predictor = predictor.wrapping_add(dc.coefficient(bits)?.value);
            let value = predictor.wrapping_shl(scan.low.into());
            let (values, _) = block(list, *index, stored, (x, y))?;
            if let Some(first) = values.first_mut() {
                *first = saturate(value);
            }
            Ok(())
        })
    }

    /// One more bit of the DC coefficients (§G.1.2.1).
    fn dc_refine(&mut self, walk: &mut Walk<'_>) -> Result<(), Corrupt> {
        let scan = walk.scan;
        let (list, hidden, stored) = (&mut self.list, &mut self.hidden, self.side * self.side);
        walk.blocks(hidden, |bits, _, part, x, y| {
            let index = scan.parts.get(part).ok_or(Corrupt::BadStructure)?.index;
            let (values, _) = block(list, index, stored, (x, y))?;
            if bits.bit()
                && let Some(first) = values.first_mut()
            {
                *first |= 1 << scan.low;
            }
            Ok(())
        })
    }

    /// The first bits of a band of AC coefficients (§G.1.2.2).
    fn ac_first(&mut self, walk: &mut Walk<'_>, tables: &ScanTables) -> Result<(), Corrupt> {
        let scan = walk.scan;
        let part = scan.parts.first().ok_or(Corrupt::BadStructure)?;
        let (index, ac) = (part.index, tables.ac(part)?);
        let (first, last) = (usize::from(scan.first), usize::from(scan.last));
        let (channels, hidden) = (&mut self.list, &mut self.hidden);
        let (stored, places) = (self.side * self.side, self.places);
        walk.blocks(hidden, |bits, state, _, x, y| {
            if state.end_of_band > 0 {
                state.end_of_band -= 1;
                return Ok(());
            }
            let (values, nonzero) = block(channels, index, stored, (x, y))?;
            let mut k = first;
            while k <= last {
                bits.refill();
                let symbol = ac.symbol(bits)?;
                let (zeros, size) = (symbol >> 4, u32::from(symbol & 15));
                if size == 0 {
                    if zeros == 15 {
                        k += 16;
                        continue;
                    }
                    state.end_of_band = run_of_bands(zeros, bits) - 1;
                    break;
                }
                k += usize::from(zeros);
                let value = extend(bits.take(size), size).wrapping_shl(scan.low.into());
                if let Some(&place) = places.get(k) {
                    *nonzero |= 1 << k;
                    if let Some(slot) = values.get_mut(usize::from(place)) {
                        *slot = saturate(value);
                    }
                }
                k += 1;
            }
            Ok(())
        })
    }

    /// One more bit of a band of AC coefficients (§G.1.2.3).
    fn ac_refine(&mut self, walk: &mut Walk<'_>, tables: &ScanTables) -> Result<(), Corrupt> {
        let scan = walk.scan;
        let part = scan.parts.first().ok_or(Corrupt::BadStructure)?;
        let (index, ac) = (part.index, tables.ac(part)?);
        let (first, last) = (usize::from(scan.first), usize::from(scan.last));
        let (channels, hidden) = (&mut self.list, &mut self.hidden);
        let (stored, places) = (self.side * self.side, self.places);
        walk.blocks(hidden, |bits, state, _, x, y| {
            let (values, nonzero) = block(channels, index, stored, (x, y))?;
            let mut refine = Refine { values, nonzero, places: &places, bit: 1 << scan.low };
            let mut k = first;
            if state.end_of_band == 0 {
                while k <= last {
                    bits.refill();
                    let symbol = ac.symbol(bits)?;
                    let (zeros, size) = (symbol >> 4, symbol & 15);
                    let fresh = match size {
                        0 if zeros < 15 => {
                            state.end_of_band = run_of_bands(zeros, bits);
                            break;
                        }
                        0 => None,
                        // libjpeg warns of sizes above one and takes them for one.
                        _ => Some(bits.take(1) == 1),
                    };
                    k = refine.run(bits, k, last, usize::from(zeros));
                    if let Some(positive) = fresh {
                        refine.set(k, positive);
                    }
                    k += 1;
                }
            }
            if state.end_of_band > 0 {
                refine.run(bits, k, last, usize::MAX);
                state.end_of_band -= 1;
            }
            Ok(())
        })
    }

    /// The planes: of progressive pictures made now from the coefficients.
    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    pub async fn finish(mut self, pace: &Pace) -> Result<Vec<Plane>, Corrupt> {
        let block_ps = cost::rendered_block(self.scale());
        for channel in &mut self.list {
            // A component that no scan described.
            let steps = channel.steps.take().ok_or(Corrupt::NoImageData)?;
            let Some(Coefficients { values, .. }) = channel.coefficients.take() else { continue };
            let row = channel.across * self.side * self.side;
            for (y, values) in values.chunks_exact(row.max(1)).enumerate() {
                pace.begin(block_ps.saturating_mul(channel.across as u64)).await;
                match self.side {
                    1 => channel.render::<1>(y, values, &steps),
                    2 => channel.render::<2>(y, values, &steps),
                    4 => channel.render::<4>(y, values, &steps),
                    _ => channel.render::<8>(y, values, &steps),
                }
            }
        }
        Ok(self.list.into_iter().map(|channel| channel.plane).collect())
    }
}

fn channel(frame: &Frame, component: Component, side: usize) -> Channel {
    let (across, down) = frame.blocks(component);
    let (width, height) = scaled(frame, component, side);
    let stride = across * side;
    let coefficients = frame.progressive.then(|| Coefficients {
        values: vec![0; across * down * side * side],
        nonzero: vec![0; across * down],
    });
    let plane = Plane { width, height, stride, data: vec![0; stride * down * side] };
    Channel { plane, across, steps: None, coefficients }
}

/// Width and height of a component when each block decodes to `side` samples across and down.
fn scaled(frame: &Frame, component: Component, side: usize) -> (usize, usize) {
    let ((across, down), (most_across, most_down)) = (component.factors(), frame.most());
    (
        (usize::from(frame.width) * across * side).div_ceil(usize::from(most_across) * 8),
        (usize::from(frame.height) * down * side).div_ceil(usize::from(most_down) * 8),
    )
}

/// A table of quantisation, from zigzag order to places; as vectors multiply it, modulo 2^16.
fn steps(table: &[u16; 64], places: &[u8; 64]) -> [i16; 64] {
    let mut steps = [0; 64];
    for (&place, &step) in places.iter().zip(table) {
        if let Some(slot) = steps.get_mut(usize::from(place)) {
            *slot = step.cast_signed();
        }
    }
    steps
}

#[inline]
fn corner(plane: &mut Plane, side: usize, x: usize, y: usize) -> Corner<'_> {
    let stride = plane.stride;
    let start = y * side * stride + x * side;
    Corner { samples: plane.data.get_mut(start..).unwrap_or_default(), stride }
}

impl Channel {
    /// The kept coefficients of a block, and which of all are not zero.
    #[inline]
    fn block(&mut self, stored: usize, x: usize, y: usize) -> Option<(&mut [i16], &mut u64)> {
        let index = y * self.across + x;
        let coefficients = self.coefficients.as_mut()?;
        let values = coefficients.values.get_mut(index * stored..(index + 1) * stored)?;
        Some((values, coefficients.nonzero.get_mut(index)?))
    }

    /// Makes a row of blocks.
    #[inline(never)]
    fn render<const SIDE: usize>(&mut self, y: usize, values: &[i16], steps: &[i16; 64]) {
        for (x, values) in values.chunks_exact(SIDE * SIDE).enumerate() {
            let corner = corner(&mut self.plane, SIDE, x, y);
            match values {
                [dc, ac @ ..] if ac.iter().all(|&value| value == 0) => {
                    inverse_flat::<SIDE>(*dc, steps, corner);
                }
                values => inverse::<SIDE>(values, steps, corner),
            }
        }
    }
}

/// The kept coefficients of one block, and which of all are not zero.
#[inline]
fn block(
    list: &mut [Channel],
    index: usize,
    stored: usize,
    (x, y): (usize, usize),
) -> Result<(&mut [i16], &mut u64), Corrupt> {
    let channel = list.get_mut(index).ok_or(Corrupt::BadStructure)?;
    channel.block(stored, x, y).ok_or(Corrupt::BadStructure)
}

/// Blocks, this one included, whose band ends here: `EOBn` of table G.1.
#[inline]
fn run_of_bands(exponent: u8, bits: &mut Bits<'_>) -> u32 {
    let exponent = u32::from(exponent);
    (1 << exponent) + u32::from(bits.take(exponent))
}

/// Reads the AC coefficients of a block to where they belong; answers whether none is coded.
#[inline(always)]
#[expect(clippy::inline_always, reason = "the innermost loop of decoding")]
fn read_ac<const SIDE: usize>(
    table: &Lookup,
    strides: Option<&Strides>,
    bits: &mut Bits<'_>,
    places: &[u8; 128],
    block: &mut [i16; 128],
) -> Result<bool, Corrupt> {
    let mut k = 1;
    while k < coefficients(SIDE) {
        let coefficient = table.coefficient(bits)?;
        if k == 1 && coefficient.zeros > 62 {
            return Ok(true);
        }
        k += coefficient.zeros;
        // A run beyond the block is ignored, as libjpeg does.
        if let Some(&place) = places.get(k & 127)
            && let Some(slot) = block.get_mut(usize::from(place & 127))
        {
            *slot = low_half(coefficient.value);
        }
        k += 1;
    }
    skip_ac(k, table, strides, bits)?;
    Ok(false)
}

/// Reads past the AC coefficients of a block from the `k`th.
#[inline(always)]
#[expect(clippy::inline_always, reason = "an inner loop of decoding")]
fn skip_ac(
    k: usize,
    table: &Lookup,
    strides: Option<&Strides>,
    bits: &mut Bits<'_>,
) -> Result<(), Corrupt> {
    strides.map_or(Ok(()), |strides| strides.skip_from(k, table, bits))
}

/// What 16 bits hold of a number: no encoder writes more.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "meant to")]
const fn low_half(value: i32) -> i16 {
    value as i16
}

fn saturate(value: i32) -> i16 {
    i16::try_from(value).unwrap_or(if value < 0 { i16::MIN } else { i16::MAX })
}

/// A block whose band is refined (T.81 §G.1.2.3).
struct Refine<'a> {
    values: &'a mut [i16],
    nonzero: &'a mut u64,
    places: &'a [u8; 64],
    /// The bit that is added.
    bit: i16,
}

impl Refine<'_> {
    /// Reads a correction bit for each known coefficient from `k`, past `zeros` unknown ones;
    /// answers where the next unknown one is, or one past `last`.
    fn run(&mut self, bits: &mut Bits<'_>, mut k: usize, last: usize, mut zeros: usize) -> usize {
        while k <= last {
            // Most blocks have few known ones, so the unknown ones between them are passed at once.
            let unknown = (*self.nonzero >> k).trailing_zeros() as usize;
            let unknown = unknown.min(last + 1 - k);
            if zeros < unknown {
                return k + zeros;
            }
            zeros -= unknown;
            k += unknown;
            if k <= last && bits.bit() {
                self.correct(k);
            }
            k += 1;
        }
        last + 1
    }

    fn correct(&mut self, k: usize) {
        let place = self.places.get(k).map_or(usize::MAX, |&place| usize::from(place));
        if let Some(value) = self.values.get_mut(place)
            && *value & self.bit == 0
        {
            let step = if *value < 0 { -self.bit } else { self.bit };
            *value = value.saturating_add(step);
        }
    }

    /// A coefficient that is known from now on.
    fn set(&mut self, k: usize, positive: bool) {
        let Some(&place) = self.places.get(k) else { return };
        *self.nonzero |= 1 << k;
        if let Some(value) = self.values.get_mut(usize::from(place)) {
            *value = if positive { self.bit } else { -self.bit };
        }
    }
}

/// What decoding one block leaves for the next (reset at restart markers).
#[derive(Default)]
struct State {
    /// The last DC coefficient of each component of the scan.
    dc: [i32; 4],
    /// Blocks of the band that are still to be left as they are.
    end_of_band: u32,
}

/// The walk over the blocks of one scan, in coding order, from restart marker to restart marker.
struct Walk<'a> {
    frame: &'a Frame,
    scan: &'a Scan,
    /// MCUs between restart markers; 0 for none.
    interval: usize,
    /// Blocks across and down that an MCU has of each component.
    parts: Vec<(usize, usize)>,
    /// MCUs across and down.
    across: usize,
    down: usize,
    /// The next MCU.
    row: usize,
    column: usize,
    bits: Bits<'a>,
    state: State,
}

/// The blocks of one component in one MCU: the first, and how many there are.
#[derive(Clone, Copy)]
struct Unit {
    x: usize,
    y: usize,
    across: usize,
    down: usize,
}

/// MCUs that are decoded in one go: some milliseconds even if each of their coefficients is coded. Few rows are longer.
const MAX_UNITS: usize = 1024;

impl<'a> Walk<'a> {
    fn new(frame: &'a Frame, scan: &'a Scan, interval: usize, bits: Bits<'a>) -> Self {
        let parts = match scan.parts.as_slice() {
            // One block of a component alone (§A.2.2).
            [_] => vec![(1, 1)],
            parts => parts.iter().map(|part| part.component.factors()).collect(),
        };
        let (across, down) = scan.units(frame);
        let state = State::default();
        Self { frame, scan, interval, parts, across, down, row: 0, column: 0, bits, state }
    }

    /// Where the next MCUs end in their row.
    fn end(&self) -> usize {
        self.across.min(self.column + MAX_UNITS)
    }

    /// How many blocks the next MCUs have.
    fn next_blocks(&self) -> u64 {
        let blocks: usize = self.parts.iter().map(|(across, down)| across * down).sum();
        (blocks * (self.end() - self.column)) as u64
    }

    /// Calls `block` with the scan's component, column and row of each block of the next MCUs, in coding order.
    fn blocks(
        &mut self,
        hidden: &mut HiddenData,
        mut block: impl FnMut(&mut Bits<'a>, &mut State, usize, usize, usize) -> Result<(), Corrupt>,
    ) -> Result<(), Corrupt> {
        self.units(hidden, |bits, state, part, unit| {
            for y in unit.y..unit.y + unit.down {
                for x in unit.x..unit.x + unit.across {
                    block(bits, state, part, x, y)?;
                }
            }
            Ok(())
        })
    }

    /// Calls `unit` with each component of each of the next MCUs, in coding order.
    fn units(
        &mut self,
        hidden: &mut HiddenData,
        mut unit: impl FnMut(&mut Bits<'a>, &mut State, usize, Unit) -> Result<(), Corrupt>,
    ) -> Result<(), Corrupt> {
        // A copy, because what is never lent out stays in registers.
        let mut here = self.bits;
        let end = self.end();
        for column in self.column..end {
            let mcus = self.row * self.across + column;
            if self.interval > 0 && mcus > 0 && mcus.is_multiple_of(self.interval) {
                here = here.restarted(mcus / self.interval - 1, hidden)?;
                self.state = State::default();
            }
            for (part, &(across, down)) in self.parts.iter().enumerate() {
                let blocks = Unit { x: column * across, y: self.row * down, across, down };
                unit(&mut here, &mut self.state, part, blocks)?;
            }
            here.check()?;
        }
        self.bits = here;
        (self.row, self.column) =
            if end < self.across { (self.row, end) } else { (self.row + 1, 0) };
        Ok(())
    }
}

/// The look-up tables of a scan, each made once however many components use it. They are made for a scan and not for
/// a definition, because a file may define any number of tables and use none.
#[derive(Default)]
struct ScanTables {
    dc: [Option<Box<Lookup>>; 4],
    ac: [Option<Box<Lookup>>; 4],
    /// Where coefficients are skipped.
    strides: [Option<Strides>; 4],
}

impl ScanTables {
    fn new(
        progressive: bool,
        side: usize,
        scan: &Scan,
        tables: &Tables<'_>,
    ) -> Result<Self, Corrupt> {
        let mut scan_tables = Self::default();
        for part in &scan.parts {
            if !progressive || scan.starts_components() {
                add(&mut scan_tables.dc, &tables.dc, part.dc)?;
            }
            if !progressive || !scan.is_of_dc() {
                add(&mut scan_tables.ac, &tables.ac, part.ac)?;
            }
            if !progressive
                && side < 8
                && let Some(slot) = scan_tables.strides.get_mut(usize::from(part.ac))
                && let Some(Some(ac)) = scan_tables.ac.get(usize::from(part.ac))
            {
                slot.get_or_insert_with(|| Strides::new(ac));
            }
        }
        Ok(scan_tables)
    }

    fn dc(&self, part: &Part) -> Result<&Lookup, Corrupt> {
        let table = self.dc.get(usize::from(part.dc)).and_then(Option::as_deref);
        table.ok_or(Corrupt::BadStructure)
    }

    fn ac(&self, part: &Part) -> Result<&Lookup, Corrupt> {
        let table = self.ac.get(usize::from(part.ac)).and_then(Option::as_deref);
        table.ok_or(Corrupt::BadStructure)
    }

    fn strides(&self, part: &Part) -> Option<&Strides> {
        self.strides.get(usize::from(part.ac)).and_then(Option::as_ref)
    }
}

fn add(
    made: &mut [Option<Box<Lookup>>; 4],
    tables: &[Option<Huffman<'_>>; 4],
    number: u8,
) -> Result<(), Corrupt> {
    let number = usize::from(number);
    let (Some(slot), Some(Some(table))) = (made.get_mut(number), tables.get(number)) else {
        return Err(Corrupt::BadStructure);
    };
    slot.get_or_insert_with(|| Box::new(Lookup::new(*table)));
    Ok(())
}
