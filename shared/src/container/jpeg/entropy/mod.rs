//! Follows the Huffman codes of a sequential scan to its last unit without making a pixel of them.
//!
//! Used where a file has no end mark, to tell a picture that lost only the mark from one that lost
//! its lower half. Progressive scans are not followed: they would need every coefficient kept.

use alloc::vec::Vec;

use super::{
    frame::{Frame, Scan},
    segment::marker,
    tables::{Huffman, Tables},
};
use crate::error::Corrupt;

/// Bits looked up at once; longer codes are searched. 9 covers nearly all codes of photos in 1 KiB.
const LOOKUP_BITS: u32 = 9;

/// How many of `data`'s bytes the scan takes, to its last unit.
///
/// # Errors
/// `Truncated` when the data ends before the last unit, `BadPixels` for a code that no table has,
/// `BadStructure` for restarts that are not where they belong.
pub fn follow(
    data: &[u8],
    frame: &Frame,
    scan: &Scan,
    tables: &Tables<'_>,
) -> Result<usize, Corrupt> {
    let coders = coders(scan, tables).ok_or(Corrupt::BadStructure)?;
    let (across, down) = scan.units(frame);
    let interval = u64::from(tables.restart_interval);
    let mut bits = Bits { data, at: 0, held: 0, count: 0 };
    for unit in 0..(across * down) as u64 {
        if interval > 0 && unit > 0 && unit % interval == 0 {
            bits.restart(unit / interval - 1)?;
        }
        for coder in &coders {
            for _ in 0..coder.blocks {
                coder.skip_block(&mut bits)?;
            }
        }
    }
    Ok(bits.taken())
}

struct Coder {
    blocks: u64,
    dc: Codes,
    ac: Codes,
}

fn coders(scan: &Scan, tables: &Tables<'_>) -> Option<Vec<Coder>> {
    let alone = scan.parts.len() == 1;
    let coder = |part: &super::frame::Part| {
        Some(Coder {
            blocks: if alone { 1 } else { part.component.blocks() },
            dc: Codes::new(tables.dc.get(usize::from(part.dc)).copied().flatten()?),
            ac: Codes::new(tables.ac.get(usize::from(part.ac)).copied().flatten()?),
        })
    };
    scan.parts.iter().map(coder).collect()
}

impl Coder {
    /// Section F.2.2: one DC difference, then runs and sizes until the end of the block.
    fn skip_block(&self, bits: &mut Bits<'_>) -> Result<(), Corrupt> {
        let size = self.dc.decode(bits)?;
        bits.skip(u32::from(size))?;
        let mut coefficient = 1;
        while coefficient < 64 {
            let run_and_size = self.ac.decode(bits)?;
            let (run, size) = (run_and_size >> 4, run_and_size & 15);
            match (run, size) {
                (15, 0) => coefficient += 16,
                (_, 0) => break,
                _ => {
                    coefficient += run + 1;
                    bits.skip(u32::from(size))?;
                }
            }
        }
        Ok(())
    }
}

/// A Huffman table made for decoding.
struct Codes {
    /// Length and symbol by the next [`LOOKUP_BITS`]; length 0 where the code is longer.
    lookup: Vec<(u8, u8)>,
    /// For each length: the first code beyond it, left-justified to 16 bits, and what to add to a
    /// code to find its symbol.
    ends: [(u32, i32); 16],
    symbols: Vec<u8>,
}

impl Codes {
    fn new(table: Huffman<'_>) -> Self {
        let mut lookup = alloc::vec![(0, 0); 1 << LOOKUP_BITS];
        let mut ends = [(0, 0); 16];
        let (mut code, mut index) = (0_i32, 0_i32);
        for ((count, end), length) in table.counts.iter().zip(&mut ends).zip(1_u8..) {
            let after = code + i32::from(*count);
            *end = (after.cast_unsigned() << (16 - length), index - code);
            if u32::from(length) <= LOOKUP_BITS {
                let spread = 1_usize << (LOOKUP_BITS - u32::from(length));
                let codes = usize::try_from(code).unwrap_or(0)..usize::try_from(after).unwrap_or(0);
                let symbols = table.symbols.iter().skip(usize::try_from(index).unwrap_or(0));
                for (code, symbol) in codes.zip(symbols) {
                    for slot in lookup.iter_mut().skip(code * spread).take(spread) {
                        *slot = (length, *symbol);
                    }
                }
            }
            index += i32::from(*count);
            code = after << 1;
        }
        Self { lookup, ends, symbols: table.symbols.to_vec() }
    }

    fn decode(&self, bits: &mut Bits<'_>) -> Result<u8, Corrupt> {
        bits.fill();
        let next = bits.peek16();
        let short = usize::try_from(next >> (16 - LOOKUP_BITS)).unwrap_or(0);
        if let Some(&(length @ 1.., symbol)) = self.lookup.get(short) {
            return bits.skip(u32::from(length)).map(|()| symbol);
        }
        let found = self.ends.iter().zip(1..).find(|((end, _), _)| next < *end);
        let ((_, to_symbol), length) = found.ok_or(Corrupt::BadPixels)?;
        let code = (next >> (16 - length)).cast_signed();
        let symbol = usize::try_from(code + to_symbol).ok().and_then(|at| self.symbols.get(at));
        let symbol = *symbol.ok_or(Corrupt::BadPixels)?;
        bits.skip(length).map(|()| symbol)
    }
}

/// The bits of the data, highest first, without the zero bytes stuffed after `FF`.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// Left-justified; zeros beyond `count`.
    held: u64,
    count: u32,
}

impl Bits<'_> {
    /// Takes bytes while there is room, up to a marker.
    fn fill(&mut self) {
        while self.count <= 56 {
            let byte = match self.data.get(self.at..) {
                Some([0xFF, 0, ..]) => {
                    self.at += 2;
                    0xFF
                }
                Some([0xFF, ..] | []) | None => return,
                Some([byte, ..]) => {
                    self.at += 1;
                    *byte
                }
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn peek16(&self) -> u32 {
        let [high, low, ..] = self.held.to_be_bytes();
        u32::from(u16::from_be_bytes([high, low]))
    }

    /// Takes bits that are held: decoding a code fills up, and a code of 16 bits with the 15 that follow it
    /// is less than that.
    fn skip(&mut self, bits: u32) -> Result<(), Corrupt> {
        self.count = self.count.checked_sub(bits).ok_or(Corrupt::Truncated)?;
        self.held <<= bits;
        Ok(())
    }

    /// Drops the padding and takes the restart marker that must stand here.
    fn restart(&mut self, index: u64) -> Result<(), Corrupt> {
        self.fill();
        if self.count >= 8 {
            return Err(Corrupt::BadStructure);
        }
        (self.held, self.count) = (0, 0);
        while let Some([0xFF, 0xFF, ..]) = self.data.get(self.at..) {
            self.at += 1;
        }
        match self.data.get(self.at..) {
            Some([0xFF, mark, ..]) if u64::from(mark.wrapping_sub(marker::RST0)) == index % 8 => {
                self.at += 2;
                Ok(())
            }
            Some([0xFF, _, ..]) => Err(Corrupt::BadStructure),
            _ => Err(Corrupt::Truncated),
        }
    }

    /// Bytes read, without those that are still held whole.
    fn taken(&self) -> usize {
        let mut held = self.count / 8;
        let mut at = self.at;
        while held > 0 {
            let stuffed = at >= 2 && matches!(self.data.get(at - 2..at), Some([0xFF, 0]));
            at = at.saturating_sub(if stuffed { 2 } else { 1 });
            held -= 1;
        }
        at
    }
}

#[cfg(test)]
mod tests;
