//! Looks up the Huffman codes of a JPEG (T.81 annex C and §F.2.2.3).

use super::bits::Bits;
use crate::{container::jpeg::tables::Huffman, error::Corrupt};

/// Codes of up to ten bits are looked up at once, in AC tables with the value that follows where
/// there is room: that is nine in ten coefficients of a photo, and 1024 entries of four bytes stay
/// in the first-level cache.
const LOOKUP_BITS: u32 = 10;
const LOOKUP_LEN: usize = 1 << LOOKUP_BITS;

/// One table of codes, made for looking them up quickly.
pub(super) struct Lookup {
    /// Length in the high byte and symbol in the low, by the next bits; zero when longer.
    short_codes: [u16; LOOKUP_LEN],
    /// A whole coefficient by the next bits, as [`Coefficient::pack`] has it; zero when longer.
    coefficients: [u32; LOOKUP_LEN],
    /// The first code beyond each length, left-aligned to 16 bits.
    beyond: [u32; 17],
    /// What to add to a code of each length to find its symbol.
    offset: [i32; 17],
    symbols: [u8; 256],
}

impl Lookup {
    /// From a table that was found to be sound.
    pub fn new(Huffman { counts, symbols }: Huffman<'_>) -> Self {
        let mut table = Self {
            short_codes: [0; LOOKUP_LEN],
            coefficients: [0; LOOKUP_LEN],
            beyond: [0; 17],
            offset: [0; 17],
            symbols: [0; 256],
        };
        for (slot, &symbol) in table.symbols.iter_mut().zip(symbols) {
            *slot = symbol;
        }
        let (mut code, mut index) = (0u32, 0i32);
        let mut symbols = symbols.iter();
        for (length, &count) in (1u32..).zip(counts) {
            if let Some(offset) = table.offset.get_mut(length as usize) {
                *offset = index - i32::try_from(code).unwrap_or_default();
            }
            for &symbol in symbols.by_ref().take(usize::from(count)) {
                table.enter(code, length, symbol);
                code += 1;
            }
            index += i32::from(count);
            if let Some(beyond) = table.beyond.get_mut(length as usize) {
                *beyond = code << (16 - length);
            }
            code <<= 1;
        }
        table.join_values();
        table
    }

    /// Joins codes with the values that follow them, for AC tables.
    fn join_values(&mut self) {
        let entries = self.coefficients.iter_mut().zip(&self.short_codes);
        for (next, (entry, symbol)) in (0u32..).zip(entries) {
            let [length, symbol] = symbol.to_be_bytes();
            let (length, size) = (u32::from(length), u32::from(symbol & 15));
            if length == 0 || length + size > LOOKUP_BITS {
                continue;
            }
            let value = next >> (LOOKUP_BITS - length - size) & ((1 << size) - 1);
            let value = extend(u16::try_from(value).unwrap_or_default(), size);
            *entry = Coefficient::of(symbol, value).pack(length + size);
        }
    }

    /// Fills every lookup entry that starts with this code.
    fn enter(&mut self, code: u32, length: u32, symbol: u8) {
        if length > LOOKUP_BITS {
            return;
        }
        let first = (code << (LOOKUP_BITS - length)) as usize;
        let len = 1usize << (LOOKUP_BITS - length);
        let entry = u16::from_be_bytes([u8::try_from(length).unwrap_or_default(), symbol]);
        for slot in self.short_codes.iter_mut().skip(first).take(len) {
            *slot = entry;
        }
    }

    /// The next symbol; the caller has refilled.
    #[inline]
    pub fn symbol(&self, bits: &mut Bits<'_>) -> Result<u8, Corrupt> {
        let peek = bits.peek16();
        let entry = self.short_codes.get(usize::from(peek >> (16 - LOOKUP_BITS))).copied();
        let [length, symbol] = entry.unwrap_or_default().to_be_bytes();
        if length > 0 {
            bits.skip(u32::from(length));
            return Ok(symbol);
        }
        let (length, symbol) = self.long_symbol(peek)?;
        bits.skip(length);
        Ok(symbol)
    }

    #[cold]
    fn long_symbol(&self, peek: u16) -> Result<(u32, u8), Corrupt> {
        let longer = (1u32..).zip(self.beyond.iter().zip(&self.offset).skip(1));
        for (length, (&beyond, &offset)) in longer.skip(LOOKUP_BITS as usize) {
            if u32::from(peek) < beyond {
                let code = i32::from(peek >> (16 - length));
                let index = usize::try_from(code + offset).map_err(|_| Corrupt::BadPixels)?;
                let symbol = self.symbols.get(index).copied().ok_or(Corrupt::BadPixels)?;
                return Ok((length, symbol));
            }
        }
        Err(Corrupt::BadPixels)
    }

    /// The next AC coefficient of a sequential scan, or the end of the block.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "the innermost loop of decoding: a quarter of its time"
    )]
    pub fn coefficient(&self, bits: &mut Bits<'_>) -> Result<Coefficient, Corrupt> {
        bits.refill();
        let next = usize::from(bits.peek16() >> (16 - LOOKUP_BITS));
        let entry = self.coefficients.get(next).copied().unwrap_or_default();
        if entry != 0 {
            bits.skip(entry & 0xFF);
            return Ok(Coefficient::unpack(entry));
        }
        let (coefficient, after) = self.long_coefficient(*bits)?;
        *bits = after;
        Ok(coefficient)
    }

    /// How many bits the first code of these takes with its value, and the zeros before that value;
    /// nothing when they are more than are looked up at once.
    pub fn whole(&self, next: u32, width: u32) -> Option<(u32, usize)> {
        let entry = self.coefficients.get((next >> (width - LOOKUP_BITS)) as usize).copied()?;
        (entry != 0).then(|| (entry & 0xFF, Coefficient::unpack(entry).zeros))
    }

    #[cold]
    #[inline(never)]
    fn long_coefficient<'d>(&self, mut bits: Bits<'d>) -> Result<(Coefficient, Bits<'d>), Corrupt> {
        let symbol = self.symbol(&mut bits)?;
        let size = u32::from(symbol & 15);
        Ok((Coefficient::of(symbol, extend(bits.take(size), size)), bits))
    }
}

/// What one code says of the coefficients of a block (T.81 §F.1.2.2.1).
#[derive(Clone, Copy)]
pub(super) struct Coefficient {
    /// Zeros before the value; beyond the block at its end.
    pub zeros: usize,
    /// Zero after the longest run of zeros and at the end of the block.
    pub value: i32,
}

impl Coefficient {
    /// At the end of a block.
    const END: u8 = 64;

    #[inline]
    fn of(symbol: u8, value: i32) -> Self {
        let zeros = match symbol {
            // EOB; in sequential scans the other runs without a value mean it, too, as libjpeg has it.
            _ if symbol.trailing_zeros() >= 4 && symbol != 0xF0 => Self::END,
            _ => symbol >> 4,
        };
        Self { zeros: usize::from(zeros), value }
    }

    /// The value in the high half, the zeros above the bits to skip in the low.
    fn pack(self, bits: u32) -> u32 {
        let [.., high, low] = self.value.to_be_bytes();
        let zeros = u8::try_from(self.zeros).unwrap_or(Self::END);
        u32::from_be_bytes([high, low, zeros, u8::try_from(bits).unwrap_or_default()])
    }

    #[inline]
    const fn unpack(entry: u32) -> Self {
        // An arithmetic shift keeps the sign.
        Self { zeros: (entry >> 8 & 0xFF) as usize, value: entry.cast_signed() >> 16 }
    }
}

/// The signed number that `bits` bits stand for (T.81 table F.1, "extend").
#[inline]
pub(super) fn extend(value: u16, bits: u32) -> i32 {
    let value = i32::from(value);
    if bits > 0 && value < 1 << (bits - 1) { value - (1 << bits) + 1 } else { value }
}
