//! Data after the LZW codes of a GIF frame, in the frame's sub-blocks.
//!
//! The decoder reads some kilobytes ahead and does not report where the codes end. They are counted here, which
//! needs the number of pixels of each code, not the pixels.

use alloc::{vec, vec::Vec};
use core::ops::Range;

use super::HiddenData;
use crate::{
    container::gif::{self as block, Image, Screen},
    cursor::Cursor,
    error::Corrupt,
};

/// Codes of twelve bits (GIF89a appendix F).
const CODES: usize = 4096;

pub(crate) fn find(bytes: &[u8]) -> Result<HiddenData, Corrupt> {
    let mut hidden = HiddenData::default();
    for_each_frame(bytes, |frame| {
        let mut length = frame.code_bytes();
        for block in frame.blocks() {
            let taken = length.min(block.len());
            length -= taken;
            hidden.push(block.start + taken..block.end)?;
        }
        Ok(())
    })?;
    Ok(hidden)
}

/// Removes hidden data and shortens the sub-blocks.
pub(crate) fn remove(bytes: &[u8], hidden: &HiddenData) -> Result<Vec<u8>, Corrupt> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for_each_frame(bytes, |frame| {
        for block in frame.blocks() {
            let Some(end) = hidden.starts_in(&block) else { continue };
            // Up to the length byte of the block.
            out.extend_from_slice(bytes.get(at..block.start - 1).unwrap_or_default());
            if let kept @ [_, ..] = bytes.get(block.start..end).unwrap_or_default() {
                // As long as it was, or shorter.
                out.push(u8::try_from(kept.len()).unwrap_or(u8::MAX));
                out.extend_from_slice(kept);
            }
            at = block.end;
        }
        Ok(())
    })?;
    out.extend_from_slice(bytes.get(at..).unwrap_or_default());
    Ok(out)
}

struct Frame<'a> {
    bytes: &'a [u8],
    /// Position of the length byte of the first sub-block.
    at: usize,
    pixels: u64,
    /// Bits of an index (appendix F: the code size is one more).
    index_bits: u32,
}

/// Calls `each` with every frame of a file that has been walked by `inspect`.
fn for_each_frame<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(&Frame<'a>) -> Result<(), Corrupt>,
) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(bytes);
    Screen::read(&mut cursor).map_err(|_| Corrupt::BadHeader)?;
    loop {
        match cursor.byte()? {
            block::IMAGE => {
                let (image, index_bits) = Image::read_head(&mut cursor)?;
                let pixels = u64::from(image.width) * u64::from(image.height);
                let at = bytes.len() - cursor.rest().len();
                each(&Frame { bytes, at, pixels, index_bits: index_bits.into() })?;
            }
            block::EXTENSION => drop(cursor.byte()?),
            _ => return Ok(()),
        }
        block::skip_sub_blocks(&mut cursor)?;
    }
}

impl Frame<'_> {
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<'_> {
        let mut at = self.at;
        core::iter::from_fn(move || {
            let length = usize::from(*self.bytes.get(at)?);
            let start = at + 1;
            at = start + length;
            (length > 0).then_some(start..at)
        })
    }

    /// How many bytes the codes take to the last pixel, and to the end code when it follows.
    fn code_bytes(&self) -> usize {
        let data = self.blocks().flat_map(|block| self.bytes.get(block).unwrap_or_default());
        let (clear, end) = (1_usize << self.index_bits, (1 << self.index_bits) + 1);
        // Pixels that each code stands for.
        let mut lengths = vec![1_u64; CODES];
        let (mut next, mut width, mut last) = (end + 1, self.index_bits + 1, None);
        let (mut held, mut count, mut taken, mut pixels) = (0_u32, 0, 0, 0);
        // Bytes that were read when the last pixel was complete.
        let mut whole = None;
        for byte in data {
            held |= u32::from(*byte) << count;
            count += 8;
            taken += 1;
            while count >= width {
                let code = (held & ((1 << width) - 1)) as usize;
                held >>= width;
                count -= width;
                if code == end {
                    return taken;
                }
                if code == clear {
                    (next, width, last) = (end + 1, self.index_bits + 1, None);
                    continue;
                }
                if let Some(whole) = whole {
                    return whole;
                }
                // A new code stands for the pixels of the code before it and one more.
                if let (Some(last), Some(length)) = (last, lengths.get_mut(next)) {
                    *length = last + 1;
                    next += 1;
                    if next == 1 << width && width < 12 {
                        width += 1;
                    }
                }
                let length = lengths.get(code).copied().unwrap_or(1);
                last = Some(length);
                pixels += length;
                if pixels >= self.pixels {
                    whole = Some(taken);
                }
            }
        }
        whole.unwrap_or(usize::MAX)
    }
}
