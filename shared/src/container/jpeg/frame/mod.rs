//! The frame header: size, components and how they are sampled; and the scan header, which says
//! what a scan carries. The caller checks that the tables exist that they name.

use alloc::vec::Vec;

use super::{segment::marker, tables::Tables};
use crate::error::Corrupt;

/// One colour component (section B.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its name in scan headers.
    pub id: u8,
    /// Blocks across in one unit.
    pub across: u8,
    /// Blocks down in one unit.
    pub down: u8,
    /// Its quantisation table.
    pub quantisation: u8,
}

/// The frame header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Progressive, not sequential.
    pub progressive: bool,
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// One, three or four of them.
    pub components: Vec<Component>,
}

impl Frame {
    /// Reads an SOF segment.
    ///
    /// # Errors
    /// `Unsupported` for lossless, hierarchical, arithmetic and 12-bit coding and for two components,
    /// which no browser shows; otherwise what the format forbids.
    pub fn parse(marker: u8, payload: &[u8]) -> Result<Self, Corrupt> {
        if !matches!(marker, marker::SOF0 | marker::SOF1 | marker::SOF2) {
            return Err(Corrupt::Unsupported);
        }
        let (head, rest) = payload.split_first_chunk::<6>().ok_or(Corrupt::BadLength)?;
        let [precision, h0, h1, w0, w1, count] = *head;
        if rest.len() != usize::from(count) * 3 {
            return Err(Corrupt::BadLength);
        }
        let components: Vec<_> =
            rest.as_chunks::<3>().0.iter().copied().map(Component::parse).collect();
        let frame = Self {
            progressive: marker == marker::SOF2,
            width: u16::from_be_bytes([w0, w1]),
            height: u16::from_be_bytes([h0, h1]),
            components,
        };
        frame.check(precision)?;
        Ok(frame)
    }

    fn check(&self, precision: u8) -> Result<(), Corrupt> {
        // A height of zero announces a DNL segment (section B.2.5), which decoders do not read.
        if self.width == 0 || self.height == 0 {
            return Err(Corrupt::NoPixels);
        }
        if precision != 8 || !matches!(self.components.len(), 1 | 3 | 4) {
            return Err(Corrupt::Unsupported);
        }
        let (most_across, most_down) = self.most();
        for (index, component) in self.components.iter().enumerate() {
            let Component { id, across, down, quantisation } = *component;
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) || quantisation > 3 {
                return Err(Corrupt::BadHeader);
            }
            if self.components.iter().skip(index + 1).any(|other| other.id == id) {
                return Err(Corrupt::BadHeader);
            }
            // libjpeg and all that build on it scale components by whole factors only.
            if most_across % across != 0 || most_down % down != 0 {
                return Err(Corrupt::Unsupported);
            }
        }
        Ok(())
    }

    /// Pixels of the picture.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// The largest sampling factors, across and down.
    #[must_use]
    pub fn most(&self) -> (u8, u8) {
        let across = self.components.iter().map(|component| component.across).max();
        let down = self.components.iter().map(|component| component.down).max();
        (across.unwrap_or(1), down.unwrap_or(1))
    }

    /// Units of a scan over all of `components` (section A.2), across and down.
    #[must_use]
    pub fn units(&self, components: &[Component]) -> (usize, usize) {
        let (most_across, most_down) = self.most();
        let (width, height) = (usize::from(self.width), usize::from(self.height));
        let (most_across, most_down) = (usize::from(most_across), usize::from(most_down));
        match components {
            [alone] => {
                let width = (width * usize::from(alone.across)).div_ceil(most_across);
                let height = (height * usize::from(alone.down)).div_ceil(most_down);
                (width.div_ceil(8), height.div_ceil(8))
            }
            _ => (width.div_ceil(8 * most_across), height.div_ceil(8 * most_down)),
        }
    }

    /// MCUs across and down: the units of a scan over all components.
    #[must_use]
    pub fn mcus(&self) -> (usize, usize) {
        self.units(&self.components)
    }

    /// Blocks that decoding holds of a component, across and down: those of whole MCUs.
    #[must_use]
    pub fn blocks(&self, component: Component) -> (usize, usize) {
        let (across, down) = self.mcus();
        match self.components.len() {
            // Never interleaved: its sampling factors have no meaning (section A.2.2).
            1 => (across, down),
            _ => (across * component.factors().0, down * component.factors().1),
        }
    }

    /// Blocks that decoding holds: whole units of all components, padding included.
    #[must_use]
    pub fn total_blocks(&self) -> u64 {
        let blocks = |component: &Component| {
            let (across, down) = self.blocks(*component);
            across as u64 * down as u64
        };
        let (across, down) = self.mcus();
        let evened = across as u64 * down as u64 * self.evened();
        self.components.iter().map(blocks).sum::<u64>() + evened
    }

    /// Three components of which the first is the coarser (T.81 allows it, nobody writes it) are made
    /// anew at one size while the old ones are there.
    fn evened(&self) -> u64 {
        let most = |factor: fn(&Component) -> u8| self.components.iter().map(factor).max();
        let (across, down) = (most(|it| it.across), most(|it| it.down));
        match self.components.as_slice() {
            [first, _, _] if Some(first.across) < across || Some(first.down) < down => {
                3 * u64::from(across.unwrap_or_default()) * u64::from(down.unwrap_or_default())
            }
            _ => 0,
        }
    }
}

impl Component {
    const fn parse(bytes: [u8; 3]) -> Self {
        let [id, factors, quantisation] = bytes;
        Self { id, across: factors >> 4, down: factors & 15, quantisation }
    }

    /// Its sampling factors: blocks across and down in one unit of a scan of several.
    #[must_use]
    pub fn factors(self) -> (usize, usize) {
        (usize::from(self.across), usize::from(self.down))
    }

    /// Blocks of this component in one unit of a scan of several.
    #[must_use]
    pub fn blocks(self) -> u64 {
        u64::from(self.across) * u64::from(self.down)
    }
}

/// The scan header (section B.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// What it carries, with the numbers of the DC and the AC table of each.
    pub parts: Vec<Part>,
    /// The first coefficient.
    pub first: u8,
    /// The last coefficient.
    pub last: u8,
    /// Bits of precision before this scan; 0 in the first.
    pub high: u8,
    /// Bits of precision still missing after it.
    pub low: u8,
}

/// One component in a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which component of the frame.
    pub index: usize,
    /// The component.
    pub component: Component,
    /// The number of its DC table.
    pub dc: u8,
    /// The number of its AC table.
    pub ac: u8,
}

impl Scan {
    /// Most blocks in one unit (section B.2.3).
    const MAX_BLOCKS: u64 = 10;

    /// Reads an SOS segment.
    ///
    /// # Errors
    /// What the format forbids.
    pub fn parse(payload: &[u8], frame: &Frame) -> Result<Self, Corrupt> {
        let (&count, rest) = payload.split_first().ok_or(Corrupt::BadLength)?;
        let (parts, tail) =
            rest.split_at_checked(usize::from(count) * 2).ok_or(Corrupt::BadLength)?;
        let [first, last, approximation] = *tail else { return Err(Corrupt::BadLength) };
        let parts = parts.as_chunks::<2>().0.iter().map(|part| Part::parse(*part, frame));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let scan = Self { parts, first, last, high: approximation >> 4, low: approximation & 15 };
        scan.check(frame)?;
        Ok(scan)
    }

    fn check(&self, frame: &Frame) -> Result<(), Corrupt> {
        let blocks: u64 = self.parts.iter().map(|part| part.component.blocks()).sum();
        if !(1..=4).contains(&self.parts.len()) || self.parts.len() > 1 && blocks > Self::MAX_BLOCKS
        {
            return Err(Corrupt::BadHeader);
        }
        for (index, part) in self.parts.iter().enumerate() {
            if self.parts.iter().skip(index + 1).any(|other| other.index == part.index) {
                return Err(Corrupt::BadHeader);
            }
        }
        if frame.progressive { self.check_progression() } else { self.check_sequence() }
    }

    /// Section B.2.3: a sequential scan carries everything. libjpeg only warns; a file that says
    /// otherwise has been damaged.
    fn check_sequence(&self) -> Result<(), Corrupt> {
        match (self.first, self.last, self.high, self.low) {
            (0, 63, 0, 0) => Ok(()),
            _ => Err(Corrupt::BadHeader),
        }
    }

    /// Section G.1.1.1: DC and AC apart, AC of one component at a time, one bit at a time. 13 is
    /// libjpeg's bound: coefficients of 8-bit samples have no more bits.
    fn check_progression(&self) -> Result<(), Corrupt> {
        let spectral = if self.first == 0 {
            self.last == 0
        } else {
            self.first <= self.last && self.last <= 63 && self.parts.len() == 1
        };
        let successive = self.high == 0 || self.high == self.low + 1;
        if spectral && successive && self.low <= 13 { Ok(()) } else { Err(Corrupt::BadHeader) }
    }

    /// Whether it carries the first bits of the DC coefficients.
    #[must_use]
    pub const fn starts_components(&self) -> bool {
        self.first == 0 && self.high == 0
    }

    /// Whether it carries bits of DC coefficients and no others, as far as the picture is progressive.
    #[must_use]
    pub const fn is_of_dc(&self) -> bool {
        self.first == 0
    }

    /// Units across and down.
    #[must_use]
    pub fn units(&self, frame: &Frame) -> (usize, usize) {
        let components: Vec<_> = self.parts.iter().map(|part| part.component).collect();
        frame.units(&components)
    }

    /// Blocks that decoding it visits.
    #[must_use]
    pub fn blocks(&self, frame: &Frame) -> u64 {
        let (across, down) = self.units(frame);
        let each = match self.parts.as_slice() {
            [_] => 1,
            parts => parts.iter().map(|part| part.component.blocks()).sum(),
        };
        across as u64 * down as u64 * each
    }

    /// The fewest bits that one unit can take: the shortest code of every table it needs. Nothing
    /// when a table is missing.
    #[must_use]
    pub fn least_unit_bits(&self, progressive: bool, tables: &Tables<'_>) -> Option<u64> {
        let mut bits = 0;
        for part in &self.parts {
            let blocks = if self.parts.len() == 1 { 1 } else { part.component.blocks() };
            let dc = || tables.dc.get(usize::from(part.dc)).copied().flatten();
            let ac = || tables.ac.get(usize::from(part.ac)).copied().flatten();
            let block_bits = match (progressive, self.first, self.high) {
                (false, ..) => dc()?.shortest_code_bits() + ac()?.shortest_code_bits(),
                (true, 0, 0) => dc()?.shortest_code_bits(),
                (true, 0, _) => 1,
                // One code may end the band for 32,767 blocks (section G.1.2.2).
                (true, ..) => ac().map(|_| 0)?,
            };
            bits += blocks * block_bits;
        }
        Some(bits)
    }
}

impl Part {
    fn parse(bytes: [u8; 2], frame: &Frame) -> Result<Self, Corrupt> {
        let [id, tables] = bytes;
        let mut components = frame.components.iter().enumerate();
        let found = components.find(|(_, component)| component.id == id);
        let (index, component) = found.ok_or(Corrupt::BadHeader)?;
        Ok(Self { index, component: *component, dc: tables >> 4, ac: tables & 15 })
    }
}

#[cfg(test)]
mod tests;
