//! The segments of a JPEG that decoding needs: frame and scan headers, quantisation and Huffman
//! tables (T.81 annex B). Private data and what may be stored of it are `inspect`'s business.

use alloc::vec::Vec;

use super::huffman::Huffman;
use crate::error::Corrupt;

/// One component of the frame (T.81 §B.2.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Component {
    pub id: u8,
    /// Blocks of one MCU, across and down.
    pub sampling: (usize, usize),
    pub quantization: usize,
    /// Blocks that hold the component, across and down: what a scan of its own codes (§A.2.2).
    pub blocks: (usize, usize),
    /// The same, padded to whole MCUs: what an interleaved scan codes (§A.2.3).
    pub padded: (usize, usize),
}

/// The frame header.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub progressive: bool,
    pub width: usize,
    pub height: usize,
    pub components: Vec<Component>,
    /// The largest sampling factors.
    pub sampling: (usize, usize),
    pub mcus: (usize, usize),
}

impl Frame {
    /// From the body of a SOF segment with marker `code`.
    pub fn parse(code: u8, body: &[u8]) -> Result<Self, Corrupt> {
        let &[precision, h1, h0, w1, w0, count, ref list @ ..] = body else {
            return Err(Corrupt::BadLength);
        };
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        if precision != 8 {
            return Err(Corrupt::Unsupported);
        }
        if width == 0 || height == 0 {
            return Err(Corrupt::NoPixels);
        }
        if !matches!(count, 1 | 3 | 4) || list.len() < usize::from(count) * 3 {
            return Err(Corrupt::BadHeader);
        }
        let mut frame = Self {
            progressive: code == 0xC2,
            width: usize::from(width),
            height: usize::from(height),
            components: Vec::new(),
            sampling: (1, 1),
            mcus: (0, 0),
        };
        for entry in list.chunks_exact(3).take(usize::from(count)) {
            frame.components.push(component(entry)?);
        }
        frame.lay_out();
        Ok(frame)
    }

    /// Counts blocks and MCUs (§A.1.1, §A.2).
    fn lay_out(&mut self) {
        // A frame of one component is never interleaved; its sampling factors say nothing.
        if let [only] = self.components.as_mut_slice() {
            only.sampling = (1, 1);
        }
        let across = self.components.iter().map(|component| component.sampling.0).max();
        let down = self.components.iter().map(|component| component.sampling.1).max();
        self.sampling = (across.unwrap_or(1), down.unwrap_or(1));
        self.mcus =
            (self.width.div_ceil(8 * self.sampling.0), self.height.div_ceil(8 * self.sampling.1));
        for component in &mut self.components {
            let (h, v) = component.sampling;
            component.blocks = (
                (self.width * h).div_ceil(self.sampling.0).div_ceil(8),
                (self.height * v).div_ceil(self.sampling.1).div_ceil(8),
            );
            component.padded = (self.mcus.0 * h, self.mcus.1 * v);
        }
    }

    /// Width and height of a component when each block decodes to `side` samples across and down.
    pub fn scaled(&self, component: &Component, side: usize) -> (usize, usize) {
        let (h, v) = component.sampling;
        (
            (self.width * h * side).div_ceil(self.sampling.0 * 8),
            (self.height * v * side).div_ceil(self.sampling.1 * 8),
        )
    }
}

fn component(entry: &[u8]) -> Result<Component, Corrupt> {
    let &[id, sampling, quantization] = entry else { return Err(Corrupt::BadLength) };
    let sampling = (usize::from(sampling >> 4), usize::from(sampling & 15));
    let in_range = |factor: usize| (1..=4).contains(&factor);
    if !in_range(sampling.0) || !in_range(sampling.1) || quantization > 3 {
        return Err(Corrupt::BadHeader);
    }
    let quantization = usize::from(quantization);
    Ok(Component { id, sampling, quantization, blocks: (0, 0), padded: (0, 0) })
}

/// The part of a scan header that concerns one component.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScanComponent {
    /// Which component of the frame.
    pub index: usize,
    pub dc: usize,
    pub ac: usize,
}

/// The scan header (T.81 §B.2.3).
#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub components: Vec<ScanComponent>,
    /// The first and last coefficient, in zigzag order.
    pub first: usize,
    pub last: usize,
    /// Successive approximation: the bit position of the scan before, and of this one.
    pub high: u32,
    pub low: u32,
}

impl Scan {
    /// From the body of a SOS segment.
    pub fn parse(frame: &Frame, body: &[u8]) -> Result<Self, Corrupt> {
        let (&count, rest) = body.split_first().ok_or(Corrupt::BadLength)?;
        let count = usize::from(count);
        if count == 0 || count > frame.components.len() {
            return Err(Corrupt::BadHeader);
        }
        let (entries, rest) = rest.split_at_checked(count * 2).ok_or(Corrupt::BadLength)?;
        let &[first, last, approximation, ..] = rest else { return Err(Corrupt::BadLength) };
        let mut scan = Self {
            components: Vec::new(),
            first: usize::from(first),
            last: usize::from(last),
            high: u32::from(approximation >> 4),
            low: u32::from(approximation & 15),
        };
        for entry in entries.chunks_exact(2) {
            let &[id, tables] = entry else { return Err(Corrupt::BadLength) };
            let found = frame.components.iter().position(|component| component.id == id);
            let index = found.ok_or(Corrupt::BadHeader)?;
            if scan.components.iter().any(|earlier| earlier.index == index) {
                return Err(Corrupt::BadHeader);
            }
            let (dc, ac) = (usize::from(tables >> 4), usize::from(tables & 15));
            scan.components.push(ScanComponent { index, dc, ac });
        }
        scan.checked(frame)
    }

    /// Checks the spectral selection (§G.1.1.1.1); baseline codes everything at once, and many
    /// baseline files carry nonsense there, which nobody reads.
    fn checked(mut self, frame: &Frame) -> Result<Self, Corrupt> {
        if !frame.progressive {
            (self.first, self.last, self.high, self.low) = (0, 63, 0, 0);
            return Ok(self);
        }
        let dc_only = self.first == 0 && self.last == 0;
        let one_band = self.first > 0 && self.last <= 63 && self.components.len() == 1;
        if (dc_only || (one_band && self.first <= self.last)) && self.low <= 13 {
            Ok(self)
        } else {
            Err(Corrupt::BadHeader)
        }
    }
}

/// Quantisation and Huffman tables in force.
#[derive(Clone, Default)]
pub(super) struct Tables {
    /// In zigzag order.
    pub quantization: [Option<[u16; 64]>; 4],
    pub dc: [Option<Huffman>; 4],
    pub ac: [Option<Huffman>; 4],
}

impl Tables {
    /// Takes the tables of a DQT segment (T.81 §B.2.4.1).
    pub fn quantization(&mut self, mut body: &[u8]) -> Result<(), Corrupt> {
        while let Some((&head, rest)) = body.split_first() {
            let wide = head >> 4 != 0;
            let len = if wide { 128 } else { 64 };
            let (values, rest) = rest.split_at_checked(len).ok_or(Corrupt::BadLength)?;
            let mut table = [0u16; 64];
            for (slot, value) in table.iter_mut().zip(values.chunks_exact(len / 64)) {
                *slot = value.iter().fold(0, |sum, &byte| sum << 8 | u16::from(byte));
            }
            let slot = self.quantization.get_mut(usize::from(head & 15));
            *slot.ok_or(Corrupt::BadHeader)? = Some(table);
            body = rest;
        }
        Ok(())
    }

    /// Takes the tables of a DHT segment (T.81 §B.2.4.2).
    pub fn huffman(&mut self, mut body: &[u8]) -> Result<(), Corrupt> {
        while let Some((&head, rest)) = body.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(Corrupt::BadLength)?;
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(total).ok_or(Corrupt::BadLength)?;
            let table = Huffman::new(counts, symbols)?;
            let slots = match head >> 4 {
                // A difference of more than 15 bits cannot be (table F.1 ends at 11).
                0 if table.max_symbol() > 15 => return Err(Corrupt::BadHeader),
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(Corrupt::BadHeader),
            };
            let slot = slots.get_mut(usize::from(head & 15)).ok_or(Corrupt::BadHeader)?;
            *slot = Some(table);
            body = rest;
        }
        Ok(())
    }
}
