//! Data after the pixels and the alpha plane of a WebP, in their chunks.
//!
//! The position of the decoder shows where a lossless stream ends, apart from the eight bytes that it reads ahead;
//! `vp8` finds the end of a lossy one. No encoder leaves more, so the file is refused instead of repaired.

use alloc::vec::Vec;
use core::ops::Range;

use super::vp8;
use crate::{
    Limits,
    container::webp::Chunk,
    error::Corrupt,
    inspect::webp::{self, Piece},
    pace::Pace,
};

/// The streams of one picture, which has lossless or lossy pixels.
#[derive(Default)]
pub(crate) struct Streams {
    alpha: Option<Range<usize>>,
    lossless: Option<Range<usize>>,
    lossy: Option<Range<usize>>,
}

/// The streams of a still picture, or of each frame.
pub(crate) fn streams(bytes: &[u8]) -> Result<Vec<Streams>, Corrupt> {
    let mut all = Vec::new();
    let mut open = Streams::default();
    let mut take = |chunk: Chunk<'_>| {
        let place = place(bytes, chunk.data);
        match &chunk.kind {
            b"ALPH" => open.alpha = Some(place),
            b"VP8L" => all.push(Streams { lossless: Some(place), ..core::mem::take(&mut open) }),
            b"VP8 " => all.push(Streams { lossy: Some(place), ..core::mem::take(&mut open) }),
            _ => {}
        }
    };
    let walked = webp::walk(bytes, &Limits::NONE, |piece| match piece {
        Piece::Chunk(chunk) | Piece::Part(chunk) => take(chunk),
        Piece::Frame(_) => {}
    });
    walked.map_err(|_| Corrupt::BadStructure)?;
    Ok(all)
}

impl Streams {
    /// Where the chunk of the alpha plane begins.
    pub fn alpha_start(&self) -> usize {
        self.alpha.as_ref().map_or(0, |alpha| alpha.start)
    }

    /// `alpha_end` and `end` are the positions of the decoder after the alpha plane and after the pixels.
    ///
    /// # Errors
    /// [`Corrupt::BadPixels`] when something follows a stream.
    #[cfg_attr(not(feature = "steps"), paced::without_pauses)]
    pub async fn check(
        &self,
        bytes: &[u8],
        alpha_end: usize,
        end: usize,
        pace: &Pace,
    ) -> Result<(), Corrupt> {
        check(bytes, self.alpha.as_ref(), alpha_end)?;
        if let Some(lossy) = &self.lossy {
            vp8::check(bytes.get(lossy.clone()).unwrap_or_default(), pace).await?;
        }
        check(bytes, self.lossless.as_ref(), end)
    }
}

/// Zeros are padding.
fn check(bytes: &[u8], stream: Option<&Range<usize>>, read_to: usize) -> Result<(), Corrupt> {
    let Some(stream) = stream else { return Ok(()) };
    let left = bytes.get(read_to.max(stream.start)..stream.end).unwrap_or_default();
    if left.iter().all(|&byte| byte == 0) { Ok(()) } else { Err(Corrupt::BadPixels) }
}

/// Where a part of the file lies in it.
fn place(bytes: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
    start..start + part.len()
}
