//! Reads a lossless stream (RFC 9649 sections 4 to 6) up to its pixels, to count the Huffman codes. Each block of four by
//! four pixels may have five codes, so that a file of 5 MB could need a gigabyte for their tables.
//!
//! A stream that ends early or has invalid codes counts as far as it was read: decoders stop at the same place. Reading
//! takes time itself, which is counted, too, and ends when it takes too long ([`ReadingTime`]).

use alloc::{vec, vec::Vec};
use core::{iter, mem};

/// What decoding a stream needs besides its pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideData {
    /// Groups of five Huffman codes.
    pub groups: u64,
    /// Pixels of the images that hold transforms and choose groups.
    pub pixels: u64,
    /// Bytes that both need in memory, at most.
    pub size_bytes: u64,
}

/// The time that is left for reading, in picoseconds of the reference machine ([`work`](crate::plan::work)).
#[derive(Clone, Copy, Debug)]
pub struct ReadingTime {
    left_ps: u64,
    is_over: bool,
}

impl ReadingTime {
    pub const fn of_ms(ms: u64) -> Self {
        Self { left_ps: ms.saturating_mul(1_000_000_000), is_over: false }
    }

    /// Whether reading ended because there was no time left.
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    #[inline]
    fn spend(&mut self, ps: u64) -> Option<()> {
        if self.is_over || self.left_ps < ps {
            self.is_over = true;
            return None;
        }
        self.left_ps -= ps;
        Some(())
    }
}

/// Of the stream that follows the header, for a picture of this size. Reading ends above `most_bytes`, and when there is no
/// time left.
pub fn side_data(
    stream: &[u8],
    size: (u32, u32),
    most_bytes: u64,
    time: &mut ReadingTime,
) -> SideData {
    let bits = Bits { rest: stream, held: 0, count: 0 };
    let mut reader = Reader { bits, time, found: SideData::default() };
    // Without an end, it is what was found until then.
    let _ = reader.read(size, most_bytes);
    reader.found
}

/// Five codes of `image-webp`, while the vector of groups grows and is there three times.
const GROUP_BYTES: u64 = 3 * 5 * 56;
/// Two vectors for a code of several symbols, with what the allocator adds. Ten bits of a code are looked up in a table;
/// longer codes are also in a tree, with two nodes for each.
const CODE_BYTES: u64 = 2 * 16;
const MAX_TABLE_BITS: u8 = 10;
const TABLE_ENTRY_BYTES: u64 = 4;
const NODE_BYTES: u64 = 16;
/// Four channels, and the number of a group.
const PIXEL_BYTES: u64 = 4 + 2;

/// What reading takes, in picoseconds: a pixel of four symbols, or a copy; a code of one or two symbols; a longer code, and
/// each symbol of its alphabet; for each bit that its longest code has, a symbol that is looked for; an entry of a table.
const READ_PIXEL: u64 = 20_000;
const READ_SHORT_CODE: u64 = 100_000;
const READ_CODE: u64 = 500_000;
const READ_LENGTH: u64 = 2_000;
const SOUGHT_SYMBOL: u64 = 1_000;
const TABLE_ENTRY: u64 = 1_000;

struct Reader<'a, 't> {
    bits: Bits<'a>,
    time: &'t mut ReadingTime,
    found: SideData,
}

impl Reader<'_, '_> {
    fn read(&mut self, (width, height): (u32, u32), most_bytes: u64) -> Option<()> {
        let mut width = width;
        let mut is_used = [false; 4];
        // Section 4: each transform occurs once at most.
        while self.bits.flag()? {
            let kind = self.bits.take(2)?;
            if mem::replace(is_used.get_mut(kind as usize)?, true) {
                return None;
            }
            match kind {
                0 | 1 => drop(self.blocks((width, height))?),
                2 => {}
                _ => {
                    let colors = self.bits.take(8)? + 1;
                    self.image(u64::from(colors))?;
                    // Several pixels of few colours share a byte.
                    let shared = match colors {
                        ..=2 => 3,
                        3..=4 => 2,
                        5..=16 => 1,
                        _ => 0,
                    };
                    width = width.div_ceil(1 << shared);
                }
            }
        }
        let cache_size = self.cache_size()?;
        let last = if self.bits.flag()? { self.blocks((width, height))? } else { 0 };
        for _ in 0..=last {
            self.found.groups += 1;
            self.found.size_bytes += GROUP_BYTES;
            for symbols in alphabets(cache_size) {
                self.found.size_bytes += self.lengths(symbols)?.table_bytes();
            }
            if self.found.size_bytes > most_bytes {
                return None;
            }
        }
        Some(())
    }

    /// An image with a pixel for each block of the picture. Returns the largest number of a group, which is what red and
    /// green mean in an image that chooses groups (section 6.2.2).
    fn blocks(&mut self, (width, height): (u32, u32)) -> Option<u32> {
        let bits = self.bits.take(3)? + 2;
        let across = |side: u32| u64::from(side.div_ceil(1 << bits));
        self.image(across(width) * across(height))
    }

    /// Section 5.2.3: zero without a cache.
    fn cache_size(&mut self) -> Option<u16> {
        if !self.bits.flag()? {
            return Some(0);
        }
        match self.bits.take(4)? {
            bits @ 1..=11 => Some(1 << bits),
            _ => None,
        }
    }

    fn lengths(&mut self, symbols: u16) -> Option<Lengths> {
        let lengths = Lengths::read(&mut self.bits, symbols)?;
        self.time.spend(match lengths {
            Lengths::One(_) | Lengths::Two(_) => READ_SHORT_CODE,
            Lengths::All(_) => READ_CODE + u64::from(symbols) * READ_LENGTH,
        })?;
        Some(lengths)
    }

    fn code(&mut self, symbols: u16) -> Option<Code> {
        let lengths = self.lengths(symbols)?;
        let longest = lengths.longest();
        let sought = u64::from(symbols) * u64::from(longest) * SOUGHT_SYMBOL;
        self.time.spend(sought + (TABLE_ENTRY << longest))?;
        lengths.code()
    }

    /// The pixels are not kept: what is copied or comes from the cache has occurred before.
    fn image(&mut self, pixels: u64) -> Option<u32> {
        self.found.pixels += pixels;
        self.found.size_bytes += pixels * PIXEL_BYTES;
        let alphabets = alphabets(self.cache_size()?);
        let codes = alphabets.map(|symbols| self.code(symbols));
        let [Some(green), Some(red), Some(blue), Some(alpha), Some(distance)] = codes else {
            return None;
        };
        // Without any bits, all pixels are the same. Nothing has been copied before the first.
        if let Code::Single(symbol) = green {
            match (symbol, [&red, &blue, &alpha]) {
                (0..=255, [Code::Single(red), Code::Single(_), Code::Single(_)]) => {
                    return Some(u32::from(*red) << 8 | u32::from(symbol));
                }
                (0..=255, _) => {}
                (256..=279, _) => return None,
                _ => return Some(0),
            }
        }
        let (mut largest, mut at) = (0, 0);
        while at < pixels {
            self.time.spend(READ_PIXEL)?;
            let symbol = green.symbol(&mut self.bits)?;
            at += match symbol {
                0..=255 => {
                    let high = red.symbol(&mut self.bits)?;
                    blue.symbol(&mut self.bits)?;
                    alpha.symbol(&mut self.bits)?;
                    largest = largest.max(u32::from(high) << 8 | u32::from(symbol));
                    1
                }
                256..=279 => {
                    let length = self.bits.prefixed(symbol - 256)?;
                    let symbol = distance.symbol(&mut self.bits)?;
                    self.bits.prefixed(symbol)?;
                    length
                }
                _ => 1,
            };
        }
        Some(largest)
    }
}

/// Symbols of the codes of a group: green, lengths of copies and cached colours; the other channels; distances of copies.
const fn alphabets(cache_size: u16) -> [u16; 5] {
    [256 + 24 + cache_size, 256, 256, 256, 40]
}

/// Bits from the lowest of each byte.
struct Bits<'a> {
    rest: &'a [u8],
    held: u64,
    count: u32,
}

impl Bits<'_> {
    /// At least 32 bits, or all that are left.
    #[inline]
    fn fill(&mut self) {
        if self.count >= 32 {
            return;
        }
        let (bytes, rest) = self.rest.split_at(self.rest.len().min(4));
        for byte in bytes {
            self.held |= u64::from(*byte) << self.count;
            self.count += 8;
        }
        self.rest = rest;
    }

    /// At most 24.
    fn take(&mut self, count: u32) -> Option<u32> {
        self.fill();
        let value = self.held & ((1 << count) - 1);
        self.drop(count)?;
        u32::try_from(value).ok()
    }

    fn flag(&mut self) -> Option<bool> {
        self.take(1).map(|bit| bit == 1)
    }

    fn drop(&mut self, count: u32) -> Option<()> {
        self.count = self.count.checked_sub(count)?;
        self.held >>= count;
        Some(())
    }

    /// Section 5.2.2: a length or a distance.
    fn prefixed(&mut self, symbol: u16) -> Option<u64> {
        let symbol = u32::from(symbol);
        if symbol < 4 {
            return Some(u64::from(symbol) + 1);
        }
        let extra = (symbol - 2) >> 1;
        Some(u64::from((2 + (symbol & 1)) << extra) + u64::from(self.take(extra)?) + 1)
    }
}

/// The lengths of the codes of an alphabet (section 6.2.1).
enum Lengths {
    /// Of one symbol, which needs no bits.
    One(u16),
    /// Of two symbols, which need a bit each.
    Two([u16; 2]),
    All(Vec<u8>),
}

/// The order in which the lengths of the codes of lengths are stored.
const ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

impl Lengths {
    fn read(bits: &mut Bits<'_>, symbols: u16) -> Option<Self> {
        if bits.flag()? {
            let has_two = bits.flag()?;
            let width = if bits.flag()? { 8 } else { 1 };
            let mut symbol = |width| {
                let symbol = u16::try_from(bits.take(width)?).ok()?;
                (symbol < symbols).then_some(symbol)
            };
            let first = symbol(width)?;
            return Some(if has_two { Self::Two([first, symbol(8)?]) } else { Self::One(first) });
        }
        let mut lengths = vec![0; ORDER.len()];
        let count = 4 + bits.take(4)? as usize;
        for at in ORDER.get(..count)? {
            *lengths.get_mut(*at)? = u8::try_from(bits.take(3)?).ok()?;
        }
        Self::of(lengths)?.code()?.lengths(bits, usize::from(symbols))
    }

    fn of(lengths: Vec<u8>) -> Option<Self> {
        let mut used = lengths.iter().zip(0..).filter(|(length, _)| **length > 0);
        let (_, first) = used.next()?;
        if used.next().is_none() { Some(Self::One(first)) } else { Some(Self::All(lengths)) }
    }

    /// How many bits the longest code has.
    fn longest(&self) -> u8 {
        match self {
            Self::One(_) => 0,
            Self::Two(_) => 1,
            Self::All(lengths) => lengths.iter().max().copied().unwrap_or_default(),
        }
    }

    /// What the tables of a decoder need.
    fn table_bytes(&self) -> u64 {
        match self {
            Self::One(_) => 0,
            Self::Two(_) => CODE_BYTES + 2 * TABLE_ENTRY_BYTES + 3 * NODE_BYTES,
            Self::All(lengths) => {
                let longest = self.longest();
                let long = lengths.iter().filter(|length| **length > MAX_TABLE_BITS).count() as u64;
                let table_bytes = TABLE_ENTRY_BYTES << longest.min(MAX_TABLE_BITS);
                CODE_BYTES + table_bytes + 2 * NODE_BYTES * long
            }
        }
    }

    /// The canonical code, which must be complete.
    fn code(self) -> Option<Code> {
        let lengths = match self {
            Self::One(symbol) => return Some(Code::Single(symbol)),
            Self::Two([first, second]) => {
                return Some(Code::Table(vec![first << 4 | 1, second << 4 | 1]));
            }
            Self::All(lengths) => lengths,
        };
        let longest = *lengths.iter().max()?;
        let mut table = vec![0; 1 << longest];
        let mut next = 0_u32;
        for length in 1..=longest {
            for (_, symbol) in lengths.iter().zip(0_u16..).filter(|(used, _)| **used == length) {
                // The first bit of a code is the lowest that is read.
                let start = next.reverse_bits() >> (32 - longest);
                next += 1 << (longest - length);
                if next > 1 << longest {
                    return None;
                }
                let slots = table.iter_mut().skip(start as usize).step_by(1 << length);
                slots.for_each(|slot| *slot = symbol << 4 | u16::from(length));
            }
        }
        (next == 1 << longest).then_some(Code::Table(table))
    }
}

/// A Huffman code.
enum Code {
    Single(u16),
    /// By the next bits, as many as the longest code has: a symbol, and below it the length of its code in four bits.
    Table(Vec<u16>),
}

impl Code {
    #[inline]
    fn symbol(&self, bits: &mut Bits<'_>) -> Option<u16> {
        match self {
            Self::Single(symbol) => Some(*symbol),
            Self::Table(table) => {
                bits.fill();
                let low = usize::try_from(bits.held & 0xFFFF).ok()?;
                let entry = *table.get(low & (table.len() - 1))?;
                bits.drop(u32::from(entry & 15))?;
                Some(entry >> 4)
            }
        }
    }

    /// The lengths of the codes of so many symbols, in this code.
    fn lengths(&self, bits: &mut Bits<'_>, symbols: usize) -> Option<Lengths> {
        let mut left = symbols;
        if bits.flag()? {
            let width = 2 + 2 * bits.take(3)?;
            left = 2 + bits.take(width)? as usize;
            if left > symbols {
                return None;
            }
        }
        let mut lengths = Vec::with_capacity(symbols);
        let mut last = 8;
        while lengths.len() < symbols && left > 0 {
            left -= 1;
            let (repeated, minimum, extra) = match self.symbol(bits)? {
                16 => (last, 3, 2),
                17 => (0, 3, 3),
                18 => (0, 11, 7),
                length => {
                    let length = u8::try_from(length).ok()?;
                    last = if length == 0 { last } else { length };
                    lengths.push(length);
                    continue;
                }
            };
            let count = minimum + bits.take(extra)? as usize;
            if lengths.len() + count > symbols {
                return None;
            }
            lengths.extend(iter::repeat_n(repeated, count));
        }
        lengths.resize(symbols, 0);
        Lengths::of(lengths)
    }
}
