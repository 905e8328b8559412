//! Finds the colour profile of a picture in its file, and replaces it with the rebuilt one.

use alloc::{borrow::Cow, vec::Vec};
use core::{iter, ops::Range};

use miniz_oxide::deflate::compress_to_vec_zlib;

use crate::{
    Format, Report,
    container::{
        icc::rebuilt,
        jpeg::{
            app::{self, App, ICC_HEAD_BYTES},
            segment::{Piece, Pieces, marker},
        },
        png as png_syntax,
        webp::{self as webp_syntax, flag},
    },
    cursor::Cursor,
    report::Color,
};

/// Bytes of a profile in an APP2 segment: the largest length, without the length field and the header.
const MOST_IN_PART: usize = 65535 - 2 - ICC_HEAD_BYTES;

/// Default compression level of miniz.
const LEVEL: u8 = 6;

/// The profile of a picture as it stands in the file.
struct Embedded<'a> {
    /// Inflated and in one piece; nothing when that cannot be done.
    profile: Option<Cow<'a, [u8]>>,
    ranges: Vec<Range<usize>>,
}

/// A profile that has to be replaced, because more than colours is in it.
pub(crate) struct Rewrite {
    ranges: Vec<Range<usize>>,
    /// Empty where the profile was invalid.
    replacement: Vec<u8>,
}

/// The rebuilt profile of the picture.
pub(crate) fn profile(bytes: &[u8], report: &Report) -> Option<Vec<u8>> {
    let found = find(bytes, report)?;
    rebuilt(found.profile.as_deref()?, report.color == Color::Cmyk)
}

impl Rewrite {
    /// Nothing when the profile is clean already. The bytes must be scrubbed, unless they are a JPEG.
    pub fn of(bytes: &[u8], report: &Report) -> Option<Self> {
        let Embedded { profile, ranges } = find(bytes, report)?;
        let profile = profile.and_then(|old| rebuilt(&old, report.color == Color::Cmyk));
        let replacement = profile.map_or_else(Vec::new, |new| written(&new, report.format));
        let stored = ranges.iter().filter_map(|range| bytes.get(range.clone())).flatten();
        (!stored.eq(&replacement)).then_some(Self { ranges, replacement })
    }

    /// At least one: a profile that was replaced by one of the same size has lost something, too.
    pub fn removed_bytes(&self) -> u64 {
        let stored: u64 = self.ranges.iter().map(|range| range.len() as u64).sum();
        stored.saturating_sub(self.replacement.len() as u64).max(1)
    }

    /// Replaces the profile in the file.
    pub fn apply(&self, bytes: &[u8], format: Format) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + self.replacement.len());
        let mut at = 0;
        for (number, range) in self.ranges.iter().enumerate() {
            out.extend_from_slice(bytes.get(at..range.start).unwrap_or_default());
            if number == 0 {
                out.extend_from_slice(&self.replacement);
            }
            at = range.end;
        }
        out.extend_from_slice(bytes.get(at..).unwrap_or_default());
        if format == Format::WebP {
            self.update_header(&mut out);
        }
        out
    }

    /// Updates the size in RIFF and the profile flag in VP8X.
    fn update_header(&self, out: &mut [u8]) {
        // It has not grown but by a few texts, and was below 2^32 before.
        let size = u32::try_from(out.len().saturating_sub(8)).unwrap_or(u32::MAX);
        if let Some(field) = out.get_mut(4..8) {
            field.copy_from_slice(&size.to_le_bytes());
        }
        if let Some(flags) = out.get_mut(20).filter(|_| self.replacement.is_empty()) {
            *flags &= !flag::ICC;
        }
    }
}

fn find<'a>(bytes: &'a [u8], report: &Report) -> Option<Embedded<'a>> {
    if report.metadata.icc == 0 {
        return None;
    }
    match report.format {
        Format::Jpeg => Some(in_jpeg(bytes)),
        Format::Png => in_png(bytes),
        Format::WebP => in_webp(bytes),
        Format::Gif => None,
    }
}

fn in_jpeg(bytes: &[u8]) -> Embedded<'_> {
    let (mut parts, mut ranges) = (Vec::new(), Vec::new());
    let mut pieces = Pieces::new(bytes);
    while let Some(Ok(piece)) = pieces.next() {
        if let Piece::Segment { marker, whole, payload } = piece
            && let Some(App::Icc(part)) = App::of(marker, payload)
        {
            let end = bytes.len() - pieces.rest().len();
            parts.push(part);
            ranges.push(end - whole.len()..end);
        }
    }
    Embedded { profile: app::profile(&parts).map(Cow::Owned), ranges }
}

fn in_png(bytes: &[u8]) -> Option<Embedded<'_>> {
    let mut cursor = Cursor::new(bytes);
    cursor.take(png_syntax::SIGNATURE.len()).ok()?;
    let chunk = loop {
        let chunk = png_syntax::Chunk::read(&mut cursor).ok()?;
        if chunk.kind == *b"iCCP" {
            break chunk;
        }
    };
    let end = bytes.len() - cursor.rest().len();
    let most = usize::try_from(png_syntax::most_inflated(chunk.stored_bytes())).ok()?;
    // The name ends with a zero; the method behind it can only be zlib.
    let name = chunk.data.iter().position(|byte| *byte == 0)?;
    let deflated = chunk.data.get(name + 2..)?;
    let profile = fdeflate::decompress_to_vec_bounded(deflated, most).ok().map(Cow::Owned);
    Some(Embedded { profile, ranges: iter::once(end - chunk.raw.len()..end).collect() })
}

fn in_webp(bytes: &[u8]) -> Option<Embedded<'_>> {
    let mut cursor = Cursor::new(bytes);
    cursor.take(b"RIFF....WEBP".len()).ok()?;
    loop {
        let start = bytes.len() - cursor.rest().len();
        let chunk = webp_syntax::Chunk::read(&mut cursor).ok()?;
        if chunk.kind == *b"ICCP" {
            let end = bytes.len() - cursor.rest().len();
            return Some(Embedded {
                profile: Some(chunk.data.into()),
                ranges: iter::once(start..end).collect(),
            });
        }
    }
}

/// The segments or the chunk of a profile.
fn written(profile: &[u8], format: Format) -> Vec<u8> {
    let mut out = Vec::with_capacity(profile.len() + 64);
    match format {
        Format::Jpeg => {
            let parts = profile.chunks(MOST_IN_PART);
            // A profile that came in 255 full parts may have grown by a text: then it goes.
            let Ok(count) = u8::try_from(parts.len()) else { return out };
            for (number, part) in (1..=count).zip(parts) {
                let length = u16::try_from(2 + ICC_HEAD_BYTES + part.len()).unwrap_or(u16::MAX);
                out.extend([0xFF, marker::APP2]);
                out.extend(length.to_be_bytes());
                out.extend(b"ICC_PROFILE\0");
                out.extend([number, count]);
                out.extend_from_slice(part);
            }
        }
        Format::Png => out = png(profile),
        Format::WebP => webp_syntax::write(*b"ICCP", profile, &mut out),
        Format::Gif => {}
    }
    out
}

/// The chunk of a profile in a PNG; its name is the shortest.
pub(crate) fn png(profile: &[u8]) -> Vec<u8> {
    let mut data = Vec::from(*b"_\0\0");
    data.extend(compress_to_vec_zlib(profile, LEVEL));
    let mut out = Vec::new();
    png_syntax::write(*b"iCCP", &data, &mut out);
    out
}
