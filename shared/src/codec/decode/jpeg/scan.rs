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
    pub fn scan(
        &mut self,
        data: &[u8],
        at: usize,
        frame: &Frame,
        scan: &Scan,
        tables: &Tables<'_>,
    ) -> Result<usize, Corrupt> {
        for part in &scan.parts {
            let channel = self.list.get_mut(part.index).ok_or(Corrupt::BadHeader)?;
            if channel.steps.is_none() {
                let table = tables.quantisation(part.component.quantisation);
                let table = table.ok_or(Corrupt::BadStructure)?;
                channel.steps = Some(Box::new(steps(table, &self.places)));
            }
        }
        let walk = Walk { frame, scan, interval: usize::from(tables.restart_interval) };
        let bits = Bits::new(data, at);
        match (frame.progressive, scan.first, scan.high) {
            (false, ..) => match self.side {
                1 => self.sequential::<1>(&walk, bits, tables),
                2 => self.sequential::<2>(&walk, bits, tables),
                4 => self.sequential::<4>(&walk, bits, tables),
                _ => self.sequential::<8>(&walk, bits, tables),
            },
            (true, 0, 0) => self.dc_first(&walk, bits, tables),
            (true, 0, _) => self.dc_refine(&walk, bits),
            (true, _, 0) => self.ac_first(&walk, bits, tables),
            (true, ..) => self.ac_refine(&walk, bits, tables),
        }
    }

    /// A scan that says everything about its components (§F.2).
    fn sequential<const SIDE: usize>(
        &mut self,
        walk: &Walk<'_>,
        bits: Bits<'_>,
        tables: &Tables<'_>,
    ) -> Result<usize, Corrupt> {
        let mut channels: Vec<_> = self.list.iter_mut().map(Some).collect();
        let mut parts = Vec::new();
        let tables = ScanTables::new(walk.scan, tables, true, true)?;
        for part in &walk.scan.parts {
            let channel = channels.get_mut(part.index).and_then(Option::take);
            let channel = channel.ok_or(Corrupt::BadStructure)?;
            let (dc, ac) = (tables.dc(part)?, tables.ac(part)?);
            let strides = if SIDE < 8 { Some(Strides::new(ac)) } else { None };
            parts.push((channel, dc, ac, strides));
        }
        // Beyond the last coefficient lies a place that nobody reads.
        let mut places = [UNUSED; 128];
        places.iter_mut().zip(self.places).for_each(|(slot, place)| *slot = place);
        let mut block = [0i16; 128];
        walk.units(bits, &mut self.hidden, |bits, state, part, unit| {
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
                        skip_ac(1, ac, strides.as_ref(), bits)?;
                        true
                    } else {
                        read_ac::<SIDE>(ac, strides.as_ref(), bits, &places, &mut block)?
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
    fn dc_first(
        &mut self,
        walk: &Walk<'_>,
        bits: Bits<'_>,
        tables: &Tables<'_>,
    ) -> Result<usize, Corrupt> {
        let tables = ScanTables::new(walk.scan, tables, true, false)?;
        let parts = walk.scan.parts.iter().map(|part| Ok((part.index, tables.dc(part)?)));
        let parts = parts.collect::<Result<Vec<_>, Corrupt>>()?;
        let (list, hidden, stored) = (&mut self.list, &mut self.hidden, self.side * self.side);
        walk.blocks(bits, hidden, |bits, state, part, x, y| {
            let (Some((index, dc)), Some(predictor)) = (parts.get(part), state.dc.get_mut(part))
            else {
                return Err(Corrupt::BadStructure);
            };
            *predictor = predictor.wrapping_add(dc.coefficient(bits)?.value);
            let value = predictor.wrapping_shl(walk.scan.low.into());
            let (values, _) = block(list, *index, stored, (x, y))?;
            if let Some(first) = values.first_mut() {
                *first = saturate(value);
            }
            Ok(())
        })
    }

    /// One more bit of the DC coefficients (§G.1.2.1).
    fn dc_refine(&mut self, walk: &Walk<'_>, bits: Bits<'_>) -> Result<usize, Corrupt> {
        let (list, hidden, stored) = (&mut self.list, &mut self.hidden, self.side * self.side);
        walk.blocks(bits, hidden, |bits, _, part, x, y| {
            let index = walk.scan.parts.get(part).ok_or(Corrupt::BadStructure)?.index;
            let (values, _) = block(list, index, stored, (x, y))?;
            if bits.bit()
                && let Some(first) = values.first_mut()
            {
                *first |= 1 << walk.scan.low;
            }
            Ok(())
        })
    }

    /// The first bits of a band of AC coefficients (§G.1.2.2).
    fn ac_first(
        &mut self,
        walk: &Walk<'_>,
        bits: Bits<'_>,
        tables: &Tables<'_>,
    ) -> Result<usize, Corrupt> {
        let tables = ScanTables::new(walk.scan, tables, false, true)?;
        let part = walk.scan.parts.first().ok_or(Corrupt::BadStructure)?;
        let (index, ac) = (part.index, tables.ac(part)?);
        let (first, last) = (usize::from(walk.scan.first), usize::from(walk.scan.last));
        let (channels, hidden) = (&mut self.list, &mut self.hidden);
        let (stored, places) = (self.side * self.side, self.places);
        walk.blocks(bits, hidden, |bits, state, _, x, y| {
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
                let value = extend(bits.take(size), size).wrapping_shl(walk.scan.low.into());
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
    fn ac_refine(
        &mut self,
        walk: &Walk<'_>,
        bits: Bits<'_>,
        tables: &Tables<'_>,
    ) -> Result<usize, Corrupt> {
        let tables = ScanTables::new(walk.scan, tables, false, true)?;
        let part = walk.scan.parts.first().ok_or(Corrupt::BadStructure)?;
        let (index, ac) = (part.index, tables.ac(part)?);
        let (first, last) = (usize::from(walk.scan.first), usize::from(walk.scan.last));
        let (channels, hidden) = (&mut self.list, &mut self.hidden);
        let (stored, places) = (self.side * self.side, self.places);
        walk.blocks(bits, hidden, |bits, state, _, x, y| {
            let (values, nonzero) = block(channels, index, stored, (x, y))?;
            let mut refine = Refine { values, nonzero, places: &places, bit: 1 << walk.scan.low };
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
    pub fn finish(mut self) -> Result<Vec<Plane>, Corrupt> {
        for channel in &mut self.list {
            // A component that no scan described.
            let steps = channel.steps.take().ok_or(Corrupt::NoImageData)?;
            if let Some(Coefficients { values, .. }) = channel.coefficients.take() {
                match self.side {
                    1 => channel.render::<1>(&values, &steps),
                    2 => channel.render::<2>(&values, &steps),
                    4 => channel.render::<4>(&values, &steps),
                    _ => channel.render::<8>(&values, &steps),
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

    fn render<const SIDE: usize>(&mut self, values: &[i16], steps: &[i16; 64]) {
        for (index, values) in values.chunks_exact(SIDE * SIDE).enumerate() {
            let (x, y) = (index % self.across.max(1), index / self.across.max(1));
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
            if *self.nonzero >> k & 1 == 1 {
                if bits.bit() {
                    self.correct(k);
                }
            } else if zeros == 0 {
                return k;
            } else {
                zeros -= 1;
            }
            k += 1;
        }
        k
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
}

/// The blocks of one component in one MCU: the first, and how many there are.
#[derive(Clone, Copy)]
struct Unit {
    x: usize,
    y: usize,
    across: usize,
    down: usize,
}

impl Walk<'_> {
    /// Calls `block` with the scan's component, column and row of each block, in coding order; answers
    /// where the next marker is.
    fn blocks<'d>(
        &self,
        bits: Bits<'d>,
        hidden: &mut HiddenData,
        mut block: impl FnMut(&mut Bits<'d>, &mut State, usize, usize, usize) -> Result<(), Corrupt>,
    ) -> Result<usize, Corrupt> {
        self.units(bits, hidden, |bits, state, part, unit| {
            for y in unit.y..unit.y + unit.down {
                for x in unit.x..unit.x + unit.across {
                    block(bits, state, part, x, y)?;
                }
            }
            Ok(())
        })
    }

    /// Calls `unit` with each component of each MCU, in coding order; answers where the next marker is.
    fn units<'d>(
        &self,
        mut bits: Bits<'d>,
        hidden: &mut HiddenData,
        mut unit: impl FnMut(&mut Bits<'d>, &mut State, usize, Unit) -> Result<(), Corrupt>,
    ) -> Result<usize, Corrupt> {
        let parts = self.parts();
        let (across, down) = self.scan.units(self.frame);
        let mut state = State::default();
        let mut decode =
            |row| self.row(&mut bits, (&mut state, hidden), &parts, (row, across), &mut unit);
        // Engines run wasm unoptimised at first and replace a function only when it is called again: a
        // whole scan in one call would stay slow to its end. wasm-opt inlines a function that is called
        // from one place only, so there are two.
        decode(0)?;
        for row in 1..down {
            decode(row)?;
        }
        // Without a marker the data end here; the caller decides whether that is enough.
        let marker = bits.marker().unwrap_or(usize::MAX);
        bits.add_hidden(marker, hidden)?;
        Ok(marker)
    }

    /// One row of MCUs.
    #[inline(never)]
    fn row<'d>(
        &self,
        bits: &mut Bits<'d>,
        (state, hidden): (&mut State, &mut HiddenData),
        parts: &[(usize, usize)],
        (row, across): (usize, usize),
        unit: &mut impl FnMut(&mut Bits<'d>, &mut State, usize, Unit) -> Result<(), Corrupt>,
    ) -> Result<(), Corrupt> {
        // A copy, because what is never lent out stays in registers.
        let mut here = *bits;
        for column in 0..across {
            let mcus = row * across + column;
            if self.interval > 0 && mcus > 0 && mcus.is_multiple_of(self.interval) {
                here = here.restarted(mcus / self.interval - 1, hidden)?;
                *state = State::default();
            }
            for (part, &(across, down)) in parts.iter().enumerate() {
                let blocks = Unit { x: column * across, y: row * down, across, down };
                unit(&mut here, state, part, blocks)?;
            }
            here.check()?;
        }
        *bits = here;
        Ok(())
    }

    /// Blocks of one MCU of each component; one of a component alone (§A.2.2).
    fn parts(&self) -> Vec<(usize, usize)> {
        match self.scan.parts.as_slice() {
            [_] => vec![(1, 1)],
            parts => parts.iter().map(|part| part.component.factors()).collect(),
        }
    }
}

/// The look-up tables of a scan, each made once however many components use it. They are made for a scan and not for
/// a definition, because a file may define any number of tables and use none.
#[derive(Default)]
struct ScanTables {
    dc: [Option<Box<Lookup>>; 4],
    ac: [Option<Box<Lookup>>; 4],
}

impl ScanTables {
    fn new(
        scan: &Scan,
        tables: &Tables<'_>,
        dc_needed: bool,
        ac_needed: bool,
    ) -> Result<Self, Corrupt> {
        let mut scan_tables = Self::default();
        for part in &scan.parts {
            if dc_needed {
                add(&mut scan_tables.dc, &tables.dc, part.dc)?;
            }
            if ac_needed {
                add(&mut scan_tables.ac, &tables.ac, part.ac)?;
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
