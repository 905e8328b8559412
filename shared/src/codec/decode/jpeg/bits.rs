//! The bit reader of a JPEG's entropy-coded segments (T.81 §F.2.2.5), which knows when a decoder
//! asks for bits that the file does not have.

use crate::{error::Corrupt, hidden_data::HiddenData};

/// Bits of one entropy-coded segment, most significant first.
///
/// Small and copied about: what is never lent out stays in registers.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, left-aligned.
    window: u64,
    /// How many of the window's bits count; fewer than eight more may be there.
    count: u32,
    /// Zero bits that were appended because a marker or the end was met.
    padding: u64,
}

impl<'a> Bits<'a> {
    pub const fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at, window: 0, count: 0, padding: 0 }
    }

    /// Makes at least 33 bits readable: one code of 16 bits and its value of 15 need 31.
    #[inline]
    pub fn refill(&mut self) {
        if self.count > 32 {
            return;
        }
        let next = self.data.get(self.at..).and_then(<[u8]>::first_chunk);
        if let Some(word) = next.copied().map(u64::from_be_bytes)
            // A byte is 0xFF where a byte of the complement is zero.
            && (!word).wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080 == 0
        {
            // The bits of a byte that is not wholly taken are written again, the same, next time.
            self.window |= word >> self.count;
            let bytes = (63 - self.count) / 8;
            self.count += bytes * 8;
            self.at += bytes as usize;
            return;
        }
        *self = self.refilled_bytewise();
    }

    #[cold]
    #[inline(never)]
    fn refilled_bytewise(mut self) -> Self {
        while self.count <= 56 {
            let Some(byte) = self.next_byte() else {
                // What follows is a marker or nothing: zeros keep the decoder going until it asks
                // whether it went too far.
                let zeros = 64 - self.count;
                self.padding += u64::from(zeros);
                self.count = 64;
                break;
            };
            self.window |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        self
    }

    /// The next byte of the segment with stuffing removed (T.81 §B.1.1.5).
    fn next_byte(&mut self) -> Option<u8> {
        let byte = *self.data.get(self.at)?;
        if byte != 0xFF {
            self.at += 1;
            return Some(byte);
        }
        // Fill bytes may precede a marker (§B.1.1.2); some encoders put them before stuffing, too.
        let fill = self.data.get(self.at..)?.iter().take_while(|&&byte| byte == 0xFF).count();
        if self.data.get(self.at + fill) == Some(&0) {
            self.at += fill + 1;
            return Some(0xFF);
        }
        None
    }

    /// The next 16 bits, without taking them.
    #[inline]
    pub const fn peek16(&self) -> u16 {
        (self.window >> 48) as u16
    }

    /// Takes `bits` of what [`Self::refill`] made readable, so there are that many.
    #[inline]
    pub const fn skip(&mut self, bits: u32) {
        self.window <<= bits;
        self.count = self.count.wrapping_sub(bits);
    }

    /// Takes `bits` (at most 16) as a number.
    #[inline]
    pub fn take(&mut self, bits: u32) -> u16 {
        let value = u32::from(self.peek16()) >> (16 - bits);
        self.skip(bits);
        u16::try_from(value).unwrap_or_default()
    }

    /// Takes one bit; refills by itself, as refinement reads bit after bit.
    #[inline]
    pub fn bit(&mut self) -> bool {
        self.refill();
        let set = self.window >> 63 == 1;
        self.skip(1);
        set
    }

    /// Refuses when more bits were taken than the segment has.
    #[inline]
    pub fn check(&self) -> Result<(), Corrupt> {
        if self.padding > u64::from(self.count) { Err(Corrupt::Truncated) } else { Ok(()) }
    }

    /// Bytes that were read since this was a copy.
    pub const fn bytes_since(&self, before: &Self) -> u64 {
        self.at.saturating_sub(before.at) as u64
    }

    /// Where the bytes end of which a bit was taken.
    pub fn taken(&self) -> usize {
        let unread = u64::from(self.count).saturating_sub(self.padding) / 8;
        (0..unread).fold(self.at, |at, _| {
            let before = at.saturating_sub(1);
            match self.data.get(before) {
                // A stuffed zero belongs to what stands before it.
                Some(0) => {
                    let head = self.data.get(..before).unwrap_or_default();
                    before - head.iter().rev().take_while(|&&byte| byte == 0xFF).count()
                }
                _ => before,
            }
        })
    }

    /// Where the marker after this segment starts; bytes before it that nobody needed are skipped,
    /// as every decoder does.
    pub fn marker(&self) -> Option<usize> {
        let mut at = self.at;
        loop {
            at += self.data.get(at..)?.iter().position(|&byte| byte == 0xFF)?;
            let fill = self.data.get(at..)?.iter().take_while(|&&byte| byte == 0xFF).count();
            match self.data.get(at + fill) {
                Some(0) => at += fill + 1,
                Some(_) => return Some(at + fill - 1),
                None => return None,
            }
        }
    }

    /// Adds what lies between the bits that were taken and the marker. Fill bytes (§B.1.1.2) say
    /// nothing and stay.
    pub fn add_hidden(&self, marker: usize, hidden: &mut HiddenData) -> Result<(), Corrupt> {
        let unread = self.taken()..marker.min(self.data.len());
        let bytes = self.data.get(unread.clone()).unwrap_or_default();
        if bytes.iter().all(|&byte| byte == 0xFF) { Ok(()) } else { hidden.push(unread) }
    }

    /// Goes on after the restart marker `number` (T.81 §F.1.2.3 counts them modulo 8). Takes and gives a
    /// value, as do the other rare ways: see the type.
    #[cold]
    #[inline(never)]
    pub fn restarted(self, number: usize, hidden: &mut HiddenData) -> Result<Self, Corrupt> {
        let marker = self.marker().ok_or(Corrupt::Truncated)?;
        self.add_hidden(marker, hidden)?;
        match self.data.get(marker + 1).map(|&code| usize::from(code)) {
            Some(code) if code == 0xD0 | (number & 7) => Ok(Self::new(self.data, marker + 2)),
            // The picture ends early.
            Some(0xD9) => Err(Corrupt::Truncated),
            _ => Err(Corrupt::BadPixels),
        }
    }
}
