//! The walk over the blocks of one scan, in coding order, from restart marker to restart marker.

use alloc::vec::Vec;

use super::super::{
    bits::Bits,
    frame::{Frame, Scan, Tables},
    huffman::{Huffman, extend},
};
use crate::{error::Corrupt, hidden_data::HiddenData};

/// What decoding one block leaves for the next (reset at restart markers).
#[derive(Default)]
pub(super) struct State {
    dc: [i32; 4],
    /// Blocks of the band that are still to be left as they are.
    pub end_of_band: u32,
}

impl State {
    /// The DC coefficient: the last one of the component and a difference.
    #[inline]
    pub fn dc(
        &mut self,
        part: usize,
        table: &Huffman,
        bits: &mut Bits<'_>,
    ) -> Result<i32, Corrupt> {
        bits.refill();
        let size = u32::from(table.symbol(bits)?);
        let difference = extend(bits.take(size.min(16)), size);
        let last = self.dc.get_mut(part).ok_or(Corrupt::BadStructure)?;
        *last = last.wrapping_add(difference);
        Ok(*last)
    }
}

/// One scan's walk over its blocks.
pub(super) struct Run<'a> {
    pub frame: &'a Frame,
    pub scan: &'a Scan,
    /// MCUs between restart markers; 0 for none.
    pub interval: usize,
}

impl Run<'_> {
    /// Calls `block` with the scan's component, column and row of each block, in coding order; answers
    /// where the next marker is.
    pub fn blocks<'d>(
        &self,
        mut bits: Bits<'d>,
        slack: &mut HiddenData,
        mut block: impl FnMut(&mut Bits<'d>, &mut State, usize, usize, usize) -> Result<(), Corrupt>,
    ) -> Result<usize, Corrupt> {
        let parts = self.parts()?;
        let (across, down) = self.mcus()?;
        let mut state = State::default();
        for row in 0..down {
            bits = self.row(bits, (&mut state, slack), &parts, (row, across), &mut block)?;
        }
        // Without a marker the data end here; the caller decides whether that is enough.
        let marker = bits.marker().unwrap_or(usize::MAX);
        bits.note_slack(marker, slack)?;
        Ok(marker)
    }

    /// The blocks of one row of MCUs. A function of its own, never inlined: engines run wasm unoptimised
    /// at first and replace a function only when it is called again, so that a whole scan in one call
    /// would stay slow to its end.
    #[inline(never)]
    fn row<'d>(
        &self,
        mut bits: Bits<'d>,
        (state, slack): (&mut State, &mut HiddenData),
        parts: &[(usize, usize)],
        (row, across): (usize, usize),
        block: &mut impl FnMut(&mut Bits<'d>, &mut State, usize, usize, usize) -> Result<(), Corrupt>,
    ) -> Result<Bits<'d>, Corrupt> {
        let mut here = core::mem::take(state);
        for column in 0..across {
            let mcus = row * across + column;
            if self.interval > 0 && mcus > 0 && mcus.is_multiple_of(self.interval) {
                let number = (mcus / self.interval - 1) % 8;
                bits.restart(u8::try_from(number).unwrap_or_default(), slack)?;
                here = State::default();
            }
            for (part, &(h, v)) in parts.iter().enumerate() {
                for y in 0..v {
                    for x in 0..h {
                        block(&mut bits, &mut here, part, column * h + x, row * v + y)?;
                    }
                }
            }
            bits.check()?;
        }
        *state = here;
        Ok(bits)
    }

    /// Blocks of one MCU of each component; one of a component alone (§A.2.2).
    fn parts(&self) -> Result<Vec<(usize, usize)>, Corrupt> {
        let alone = self.scan.components.len() == 1;
        let sampling = |index: usize| {
            let component = self.frame.components.get(index).ok_or(Corrupt::BadHeader)?;
            Ok(if alone { (1, 1) } else { component.sampling })
        };
        let parts: Result<Vec<_>, Corrupt> =
            self.scan.components.iter().map(|part| sampling(part.index)).collect();
        let parts = parts?;
        // §B.2.3: an MCU holds at most ten blocks. Decoders that allow more still agree on the
        // picture, so this is not checked.
        Ok(parts)
    }

    fn mcus(&self) -> Result<(usize, usize), Corrupt> {
        match self.scan.components.as_slice() {
            [only] => Ok(self.frame.components.get(only.index).ok_or(Corrupt::BadHeader)?.blocks),
            _ => Ok(self.frame.mcus),
        }
    }
}

/// The component and tables of each part of a scan; tables only where they are `needed`.
#[expect(clippy::type_complexity, reason = "one row of a table")]
pub(super) fn codes<'t>(
    scan: &Scan,
    tables: &'t Tables,
    dc_needed: bool,
    ac_needed: bool,
) -> Result<Vec<(usize, Option<&'t Huffman>, Option<&'t Huffman>)>, Corrupt> {
    let find = |list: &'t [Option<Huffman>; 4], index: usize, needed: bool| {
        let table = list.get(index).and_then(Option::as_ref);
        if needed && table.is_none() { Err(Corrupt::BadStructure) } else { Ok(table) }
    };
    let parts = scan.components.iter();
    parts
        .map(|part| {
            let dc = find(&tables.dc, part.dc, dc_needed)?;
            Ok((part.index, dc, find(&tables.ac, part.ac, ac_needed)?))
        })
        .collect()
}
