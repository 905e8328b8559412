//! Copies screen, frames, their control blocks and the loop count of a GIF; comments, texts and other extensions are
//! left out. A new trailer is written.

use crate::{ImageError, Limits, inspect::gif};
use alloc::vec::Vec;

/// One byte, the trailer (GIF89a section 27).
const TRAILER: u8 = 0x3B;

/// The picture without its private data.
///
/// # Errors
/// As [`crate::inspect`].
pub fn scrub(bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
    // One more than came, when the trailer was missing.
    let mut out = Vec::with_capacity(bytes.len().saturating_add(1));
    gif::walk(bytes, &Limits::NONE, |kept| out.extend_from_slice(kept))?;
    out.push(TRAILER);
    Ok(out)
}
