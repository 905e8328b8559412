//! Decodes the scans of a JPEG: sequential ones straight to samples, progressive ones by way of
//! coefficients (T.81 annexes F and G). Only what the scale needs is kept, so that a progressive
//! picture decoded at 1/4 holds 16 bytes a block and not 128.

use alloc::{boxed::Box, vec, vec::Vec};

use super::{
    bits::Bits,
    frame::{Component, Frame, Scan, Tables},
    huffman::{Coefficient, Huffman, extend},
    idct::{Corner, inverse},
    stride::Strides,
};
use crate::{error::Corrupt, hidden_data::HiddenData, raster::Plane};

mod refine;
mod run;

use refine::Refine;
use run::{Run, codes};

/// From zigzag order to rows (T.81 figure A.6).
#[rustfmt::skip]
const NATURAL: [u8; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// A coefficient that the scale has no use for.
const UNUSED: u8 = 64;

/// Where each coefficient, in zigzag order, goes in a block of `side` by `side`.
fn places(side: usize) -> [u8; 64] {
    NATURAL.map(|natural| {
        let (row, column) = (usize::from(natural / 8), usize::from(natural % 8));
        let place = row * side + column;
        if row < side && column < side { u8::try_from(place).unwrap_or(UNUSED) } else { UNUSED }
    })
}

/// One component while it is decoded.
pub(super) struct Channel {
    /// Padded to whole blocks.
    plane: Plane,
    /// Blocks across.
    across: usize,
    /// Factors in zigzag order, as they stood at the component's first scan.
    factors: Option<Box<[u16; 64]>>,
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
    pub slack: HiddenData,
}

impl Channels {
    /// Allocates for a frame whose blocks decode to `side` by `side` samples.
    pub fn new(frame: &Frame, side: usize) -> Self {
        let list = frame.components.iter().map(|component| channel(frame, component, side));
        Self { side, places: places(side), list: list.collect(), slack: HiddenData::default() }
    }

    /// Decodes one scan whose data begin at `at`; answers where the next marker is.
    pub fn scan(
        &mut self,
        data: &[u8],
        at: usize,
        frame: &Frame,
        scan: &Scan,
        tables: &Tables,
        interval: usize,
    ) -> Result<usize, Corrupt> {
        for part in &scan.components {
            let component = frame.components.get(part.index).ok_or(Corrupt::BadHeader)?;
            let factors = tables.quantization.get(component.quantization);
            let channel = self.list.get_mut(part.index).ok_or(Corrupt::BadHeader)?;
            if channel.factors.is_none() {
                let factors = factors.copied().flatten().ok_or(Corrupt::BadStructure)?;
                channel.factors = Some(Box::new(factors));
            }
        }
        let run = Run { frame, scan, interval };
        let bits = Bits::new(data, at);
        match (frame.progressive, scan.first, scan.high) {
            (false, ..) => self.sequential(&run, bits, tables),
            (true, 0, 0) => self.dc_first(&run, bits, tables),
            (true, 0, _) => self.dc_refine(&run, bits),
            (true, _, 0) => self.ac_first(&run, bits, tables),
            (true, ..) => self.ac_refine(&run, bits, tables),
        }
    }

    /// A scan that says everything about its components (§F.2).
    fn sequential(
        &mut self,
        run: &Run<'_>,
        bits: Bits<'_>,
        tables: &Tables,
    ) -> Result<usize, Corrupt> {
        let codes = codes(run.scan, tables, true, true)?;
        let (side, places) = (self.side, self.places);
        let (list, slack) = (&mut self.list, &mut self.slack);
        let strides: Vec<_> = if side == 1 {
            codes.iter().map(|(.., ac)| ac.map(Strides::new)).collect()
        } else {
            Vec::new()
        };
        let mut block = [0i32; 64];
        run.blocks(bits, slack, |bits, state, part, x, y| {
            let Some((index, Some(dc), Some(ac))) = codes.get(part) else {
                return Err(Corrupt::BadStructure);
            };
            let channel = list.get_mut(*index).ok_or(Corrupt::BadStructure)?;
            let factors = channel.factors.as_deref().ok_or(Corrupt::BadStructure)?;
            let dc = state.dc(part, dc, bits)?;
            let flat = if let Some(Some(strides)) = strides.get(part) {
                strides.skip_block(ac, bits)?;
                true
            } else {
                read_ac(ac, bits, &places, factors, &mut block)?
            };
            let ([first, ..], [factor, ..]) = (&mut block, factors);
            *first = dc.wrapping_mul(i32::from(*factor));
            inverse(side, &block, flat, channel.corner(side, x, y));
            if !flat {
                block.fill(0);
            }
            Ok(())
        })
    }

    /// The first bits of the DC coefficients (§G.1.2.1).
    fn dc_first(
        &mut self,
        run: &Run<'_>,
        bits: Bits<'_>,
        tables: &Tables,
    ) -> Result<usize, Corrupt> {
        let codes = codes(run.scan, tables, true, false)?;
        let (list, slack, stored) = (&mut self.list, &mut self.slack, self.side * self.side);
        run.blocks(bits, slack, |bits, state, part, x, y| {
            let Some((index, Some(dc), _)) = codes.get(part) else {
                return Err(Corrupt::BadStructure);
            };
            let value = state.dc(part, dc, bits)?.wrapping_shl(run.scan.low);
            let (values, _) = block(list, *index, stored, (x, y))?;
            if let Some(first) = values.first_mut() {
                *first = saturate(value);
            }
            Ok(())
        })
    }

    /// One more bit of the DC coefficients (§G.1.2.1).
    fn dc_refine(&mut self, run: &Run<'_>, bits: Bits<'_>) -> Result<usize, Corrupt> {
        let (list, slack, stored) = (&mut self.list, &mut self.slack, self.side * self.side);
        run.blocks(bits, slack, |bits, _, part, x, y| {
            let index = run.scan.components.get(part).ok_or(Corrupt::BadStructure)?.index;
            let (values, _) = block(list, index, stored, (x, y))?;
            if bits.bit()
                && let Some(first) = values.first_mut()
            {
                *first |= 1 << run.scan.low;
            }
            Ok(())
        })
    }

    /// The first bits of a band of AC coefficients (§G.1.2.2).
    fn ac_first(
        &mut self,
        run: &Run<'_>,
        bits: Bits<'_>,
        tables: &Tables,
    ) -> Result<usize, Corrupt> {
        let codes = codes(run.scan, tables, false, true)?;
        let Some((index, _, Some(ac))) = codes.first() else { return Err(Corrupt::BadStructure) };
        let (list, slack) = (&mut self.list, &mut self.slack);
        let (stored, places) = (self.side * self.side, self.places);
        run.blocks(bits, slack, |bits, state, _, x, y| {
            if state.end_of_band > 0 {
                state.end_of_band -= 1;
                return Ok(());
            }
            let (values, nonzero) = block(list, *index, stored, (x, y))?;
            let mut k = run.scan.first;
            while k <= run.scan.last {
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
                let value = extend(bits.take(size), size).wrapping_shl(run.scan.low);
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
        run: &Run<'_>,
        bits: Bits<'_>,
        tables: &Tables,
    ) -> Result<usize, Corrupt> {
        let codes = codes(run.scan, tables, false, true)?;
        let Some((index, _, Some(ac))) = codes.first() else { return Err(Corrupt::BadStructure) };
        let (list, slack) = (&mut self.list, &mut self.slack);
        let (stored, places) = (self.side * self.side, self.places);
        run.blocks(bits, slack, |bits, state, _, x, y| {
            let (values, nonzero) = block(list, *index, stored, (x, y))?;
            let mut refine = Refine { values, nonzero, places: &places, bit: 1 << run.scan.low };
            let mut k = run.scan.first;
            if state.end_of_band == 0 {
                while k <= run.scan.last {
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
                    k = refine.run(bits, k, run.scan.last, usize::from(zeros));
                    if let Some(positive) = fresh {
                        refine.set(k, positive);
                    }
                    k += 1;
                }
            }
            if state.end_of_band > 0 {
                refine.run(bits, k, run.scan.last, usize::MAX);
                state.end_of_band -= 1;
            }
            Ok(())
        })
    }

    /// The planes: of progressive pictures made now from the coefficients.
    pub fn finish(mut self) -> Result<Vec<Plane>, Corrupt> {
        let (side, places) = (self.side, self.places);
        for channel in &mut self.list {
            // A component that no scan described.
            let factors = channel.factors.take().ok_or(Corrupt::NoImageData)?;
            if let Some(coefficients) = channel.coefficients.take() {
                channel.render(&coefficients, side, &places, &factors);
            }
        }
        Ok(self.list.into_iter().map(|channel| channel.plane).collect())
    }
}

fn channel(frame: &Frame, component: &Component, side: usize) -> Channel {
    let (across, down) = component.padded;
    let (width, height) = frame.scaled(component, side);
    let stride = across * side;
    let coefficients = frame.progressive.then(|| Coefficients {
        values: vec![0; across * down * side * side],
        nonzero: vec![0; across * down],
    });
    let plane = Plane { width, height, stride, data: vec![0; stride * down * side] };
    Channel { plane, across, factors: None, coefficients }
}

impl Channel {
    #[inline]
    fn corner(&mut self, side: usize, x: usize, y: usize) -> Corner<'_> {
        let stride = self.plane.stride;
        let start = y * side * stride + x * side;
        Corner { samples: self.plane.data.get_mut(start..).unwrap_or_default(), stride }
    }

    /// The kept coefficients of a block, and which of all are not zero.
    #[inline]
    fn block(&mut self, stored: usize, x: usize, y: usize) -> Option<(&mut [i16], &mut u64)> {
        let index = y * self.across + x;
        let coefficients = self.coefficients.as_mut()?;
        let values = coefficients.values.get_mut(index * stored..(index + 1) * stored)?;
        Some((values, coefficients.nonzero.get_mut(index)?))
    }

    fn render(&mut self, from: &Coefficients, side: usize, places: &[u8; 64], factors: &[u16; 64]) {
        let mut steps = [0i32; 64];
        for (&place, &factor) in places.iter().zip(factors) {
            if let Some(slot) = steps.get_mut(usize::from(place)) {
                *slot = i32::from(factor);
            }
        }
        let mut block = [0i32; 64];
        for (index, values) in from.values.chunks_exact(side * side).enumerate() {
            let mut flat = true;
            for (position, ((slot, &value), &factor)) in
                block.iter_mut().zip(values).zip(&steps).enumerate()
            {
                *slot = i32::from(value).wrapping_mul(factor);
                flat &= position == 0 || value == 0;
            }
            let (x, y) = (index % self.across.max(1), index / self.across.max(1));
            inverse(side, &block, flat, self.corner(side, x, y));
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

/// Reads the AC coefficients of a block, dequantised; answers whether all that count are zero.
#[inline]
fn read_ac(
    table: &Huffman,
    bits: &mut Bits<'_>,
    places: &[u8; 64],
    factors: &[u16; 64],
    block: &mut [i32; 64],
) -> Result<bool, Corrupt> {
    let mut flat = true;
    let mut k = 1usize;
    while k < 64 {
        let Coefficient { zeros, value } = table.coefficient(bits)?;
        k += zeros;
        // A run beyond the block is ignored, as libjpeg does.
        if let (Some(&place), Some(&factor)) = (places.get(k), factors.get(k))
            && let Some(slot) = block.get_mut(usize::from(place))
        {
            *slot = value.wrapping_mul(i32::from(factor));
            flat &= value == 0;
        }
        k += 1;
    }
    Ok(flat)
}

fn saturate(value: i32) -> i16 {
    i16::try_from(value).unwrap_or(if value < 0 { i16::MIN } else { i16::MAX })
}
