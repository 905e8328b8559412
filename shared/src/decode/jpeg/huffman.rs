//! Huffman tables of a JPEG (T.81 annex C and §F.2.2.3), made for looking codes up quickly.

use super::bits::Bits;
use crate::error::Corrupt;

/// Codes of up to nine bits are looked up at once: 9 bits cover 99 % of the codes of photos and
/// 512 entries stay in the first-level cache.
const LOOKUP_BITS: u32 = 9;
const LOOKUP_LEN: usize = 1 << LOOKUP_BITS;

/// One table of codes.
#[derive(Clone)]
pub(super) struct Huffman {
    /// Length in the high byte and symbol in the low, by the next bits; zero when longer.
    lookup: [u16; LOOKUP_LEN],
    /// The first code beyond each length, left-aligned to 16 bits.
    beyond: [u32; 17],
    /// What to add to a code of each length to find its symbol.
    offset: [i32; 17],
    symbols: [u8; 256],
}

impl Huffman {
    /// From the counts of each length and the symbols in order of code.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self, Corrupt> {
        let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
        if total == 0 || total > 256 || symbols.len() < total {
            return Err(Corrupt::BadHeader);
        }
        let mut table =
            Self { lookup: [0; LOOKUP_LEN], beyond: [0; 17], offset: [0; 17], symbols: [0; 256] };
        for (slot, &symbol) in table.symbols.iter_mut().zip(symbols) {
            *slot = symbol;
        }
        let (mut code, mut index) = (0u32, 0i32);
        for (length, &count) in (1u32..).zip(counts) {
            if let Some(offset) = table.offset.get_mut(length as usize) {
                *offset = index - i32::try_from(code).unwrap_or_default();
            }
            for _ in 0..count {
                let symbol = usize::try_from(index).ok().and_then(|index| symbols.get(index));
                table.enter(code, length, *symbol.ok_or(Corrupt::BadHeader)?);
                code += 1;
                index += 1;
            }
            // No code may be all ones (§C.2); libjpeg refuses it, too.
            if count > 0 && code >= 1 << length {
                return Err(Corrupt::BadHeader);
            }
            if let Some(beyond) = table.beyond.get_mut(length as usize) {
                *beyond = code << (16 - length);
            }
            code <<= 1;
        }
        Ok(table)
    }

    /// Fills every lookup entry that starts with this code.
    fn enter(&mut self, code: u32, length: u32, symbol: u8) {
        if length > LOOKUP_BITS {
            return;
        }
        let first = (code << (LOOKUP_BITS - length)) as usize;
        let len = 1usize << (LOOKUP_BITS - length);
        let entry = u16::from_be_bytes([u8::try_from(length).unwrap_or_default(), symbol]);
        for slot in self.lookup.iter_mut().skip(first).take(len) {
            *slot = entry;
        }
    }

    /// The largest symbol, to check that a DC table asks for no impossible difference.
    pub fn max_symbol(&self) -> u8 {
        self.symbols.iter().copied().max().unwrap_or_default()
    }

    /// The next symbol; the caller has refilled.
    #[inline]
    pub fn symbol(&self, bits: &mut Bits<'_>) -> Result<u8, Corrupt> {
        let peek = bits.peek16();
        let entry = self.lookup.get(usize::from(peek >> (16 - LOOKUP_BITS))).copied();
        let [length, symbol] = entry.unwrap_or_default().to_be_bytes();
        if length > 0 {
            bits.skip(u32::from(length));
            return Ok(symbol);
        }
        self.long_symbol(bits, peek)
    }

    #[cold]
    fn long_symbol(&self, bits: &mut Bits<'_>, peek: u16) -> Result<u8, Corrupt> {
        let longer = (1u32..).zip(self.beyond.iter().zip(&self.offset).skip(1));
        for (length, (&beyond, &offset)) in longer.skip(LOOKUP_BITS as usize) {
            if u32::from(peek) < beyond {
                let code = i32::from(peek >> (16 - length));
                bits.skip(length);
                let index = usize::try_from(code + offset).map_err(|_| Corrupt::BadPixels)?;
                return self.symbols.get(index).copied().ok_or(Corrupt::BadPixels);
            }
        }
        Err(Corrupt::BadPixels)
    }
}

/// The signed number that `bits` bits stand for (T.81 table F.1, "extend").
#[inline]
pub(super) fn extend(value: u16, bits: u32) -> i32 {
    let value = i32::from(value);
    if bits > 0 && value < 1 << (bits - 1) { value - (1 << bits) + 1 } else { value }
}
