//! Hidden data: bytes inside a pixel stream of which no decoder takes a bit, where whole files can hide. Decoding
//! says where a stream ends; here it is said which bytes are left over, and they are cut out. How the
//! container around them is mended is each format's own affair.

use alloc::{borrow::Cow, vec::Vec};
use core::ops::Range;

use crate::{Format, error::Corrupt};

pub(crate) mod gif;
pub(crate) mod png;
pub(crate) mod source;
mod vp8;
pub(crate) mod webp;

/// Whether what decoders do not tell by themselves is looked for, too. A browser need not: the edge does, and
/// whoever hides something does not send it through our browser package.
pub(crate) const FINDS_HIDDEN_DATA: bool = cfg!(feature = "disarm");

/// Places in one file, at most: 64 KiB of them at 16 bytes each, and as much again while the list grows. A
/// JPEG could have one at each of its restarts; who leaves more has made it on purpose.
const MAX_PLACES: usize = 4096;

/// Where the slack lies, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HiddenData(Vec<Range<usize>>);

impl HiddenData {
    /// Takes a place behind the last one.
    pub fn note(&mut self, place: Range<usize>) -> Result<(), Corrupt> {
        if self.0.len() == MAX_PLACES {
            return Err(Corrupt::BadStructure);
        }
        if !place.is_empty() {
            self.0.push(place);
        }
        Ok(())
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes it has.
    pub fn size_bytes(&self) -> u64 {
        self.0.iter().map(|place| place.len() as u64).sum()
    }

    /// The file without it.
    pub fn cut<'a>(&self, bytes: Cow<'a, [u8]>, format: Format) -> Result<Cow<'a, [u8]>, Corrupt> {
        if self.is_empty() {
            return Ok(bytes);
        }
        Ok(Cow::Owned(match format {
            Format::Png => png::cut(&bytes, self)?,
            Format::Gif => gif::cut(&bytes, self)?,
            // Scans know nothing of their length; a WebP with slack is refused.
            Format::Jpeg | Format::WebP => self.without(&bytes),
        }))
    }

    fn without(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        for place in &self.0 {
            out.extend_from_slice(bytes.get(at..place.start).unwrap_or_default());
            at = place.end;
        }
        out.extend_from_slice(bytes.get(at..).unwrap_or_default());
        out
    }

    /// Where the slack begins that lies in a part of the file: it reaches to the end of the part.
    fn starts_in(&self, part: &Range<usize>) -> Option<usize> {
        let next = self.0.partition_point(|place| place.end <= part.start);
        let start = self.0.get(next)?.start.max(part.start);
        (start < part.end).then_some(start)
    }
}
