//! Bytes inside a pixel stream that no decoder reads, where whole files can hide. The decoders report where each
//! stream ends; this module collects the byte ranges after it and removes them from the file.

use alloc::{borrow::Cow, vec::Vec};
use core::ops::Range;

use crate::{Format, error::Corrupt};

pub(crate) mod gif;
pub(crate) mod png;
pub(crate) mod source;
mod vp8;
pub(crate) mod webp;

/// Whether the formats are searched whose decoders do not report the end of a stream. The browser package is built
/// without: the edge searches, and an attacker would not use the package.
pub(crate) const FINDS_HIDDEN_DATA: bool = cfg!(feature = "disarm");

/// 64 KiB of ranges at 16 bytes each, and as much again while the list grows. A JPEG can have one at each restart
/// marker; encoders leave none.
const MAX_RANGES: usize = 4096;

/// Ranges without overlap, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HiddenData(Vec<Range<usize>>);

impl HiddenData {
    /// Adds a range after the last one.
    pub fn push(&mut self, range: Range<usize>) -> Result<(), Corrupt> {
        if self.0.len() == MAX_RANGES {
            return Err(Corrupt::BadStructure);
        }
        if !range.is_empty() {
            self.0.push(range);
        }
        Ok(())
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn size_bytes(&self) -> u64 {
        self.0.iter().map(|range| range.len() as u64).sum()
    }

    /// Removes the ranges from the file.
    pub fn remove<'a>(
        &self,
        bytes: Cow<'a, [u8]>,
        format: Format,
    ) -> Result<Cow<'a, [u8]>, Corrupt> {
        if self.is_empty() {
            return Ok(bytes);
        }
        Ok(Cow::Owned(match format {
            Format::Png => png::remove(&bytes, self)?,
            Format::Gif => gif::remove(&bytes, self)?,
            // JPEG scans have no length field; a WebP with hidden data was refused.
            Format::Jpeg | Format::WebP => self.without(&bytes),
        }))
    }

    fn without(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        for range in &self.0 {
            out.extend_from_slice(bytes.get(at..range.start).unwrap_or_default());
            at = range.end;
        }
        out.extend_from_slice(bytes.get(at..).unwrap_or_default());
        out
    }

    /// Where hidden data begins inside `part`; it reaches to the end of the part.
    fn starts_in(&self, part: &Range<usize>) -> Option<usize> {
        let next = self.0.partition_point(|range| range.end <= part.start);
        let start = self.0.get(next)?.start.max(part.start);
        (start < part.end).then_some(start)
    }
}
