//! Walks a WebP from RIFF to its last byte: chunks, canvas, frames, metadata.
//!
//! Bitstreams are looked at only as far as their headers go; whether their partitions and codes
//! decode to a picture is left to `codec`. Where RFC 9649 leaves a choice we refuse and accept what
//! libwebp's demuxer does, which Pillow, libvips and the browsers stand on.

use crate::{
    ImageError, Limits, Report,
    container::{
        exif,
        webp::{
            Bitstream, Chunk, check_alpha, flag,
            vp8l::{ReadingTime, side_data},
        },
    },
    cursor::Cursor,
    error::Corrupt,
    format,
    report::{Coded, Metadata, Orientation},
};

/// A piece of the file that is needed to show the picture.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece<'a> {
    Chunk(Chunk<'a>),
    /// A frame of an animation begins; its parts follow.
    Frame(&'a [u8; 16]),
    Part(Chunk<'a>),
}

/// The part of the time for all work that reading lossless streams may take: 100 ms at the edge.
const READING: u64 = 20;

/// Walks the chunks, and counts what lossless streams hold besides their pixels.
pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Report, ImageError> {
    let limit_ms = limits.max_work_ms / READING;
    let mut time = ReadingTime::of_ms(limit_ms);
    let mut plane = None;
    let mut coded = Coded::default();
    let report = walk(bytes, limits, |piece| {
        let (Piece::Chunk(chunk) | Piece::Part(chunk)) = piece else { return };
        let stream = match (&chunk.kind, chunk.data, plane.take()) {
            (b"ALPH", [info, stream @ ..], _) => {
                plane = (info & 3 == 1).then_some(stream);
                return;
            }
            (b"VP8L", [_, _, _, _, _, stream @ ..], _) | (b"VP8 ", _, Some(stream)) => stream,
            _ => return,
        };
        // A plane has the size of the pixels that follow it.
        let Ok(Bitstream { width, height, .. }) = Bitstream::read(&chunk) else { return };
        let side = side_data(stream, (width, height), limits.max_peak_bytes, &mut time);
        coded.code_groups += side.groups;
        coded.side_pixels += side.pixels;
        coded.largest_side_bytes = coded.largest_side_bytes.max(side.size_bytes);
    })?;
    if time.is_over() {
        let is_animated = report.frames > 1;
        return Err(ImageError::TooMuchWork { work_ms: limit_ms + 1, limit_ms, is_animated });
    }
    let Coded { code_groups, side_pixels, largest_side_bytes, .. } = coded;
    Ok(Report {
        coded: Coded { code_groups, side_pixels, largest_side_bytes, ..report.coded },
        ..report
    })
}

/// Walks the chunks and passes to `keep` those that are needed to show the picture; orientation is in the
/// report only.
pub(crate) fn walk<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    mut keep: impl FnMut(Piece<'a>),
) -> Result<Report, ImageError> {
    let mut cursor = Cursor::new(bytes);
    let (b"RIFF", riff_size, b"WEBP") = (&cursor.array()?, cursor.array()?, &cursor.array()?)
    else {
        return Err(ImageError::Unrecognised);
    };
    // RFC 9649 section 2.4: the size counts what follows it, so also the four letters just read.
    let body_size = u32::from_le_bytes(riff_size).checked_sub(4).ok_or(Corrupt::BadLength)?;
    let body = cursor.take(usize::try_from(body_size).map_err(|_| Corrupt::Truncated)?)?;
    let mut body = Cursor::new(body);
    let first = Chunk::read(&mut body)?;
    let mut report = match &first.kind {
        b"VP8X" => Extended::walk(&first, &mut body, limits, &mut keep)?,
        b"VP8 " | b"VP8L" => simple(&first, &mut body, limits, &mut keep)?,
        _ => return Err(Corrupt::BadStructure.into()),
    };
    report.size_bytes = bytes.len() as u64;
    report.metadata.trailing = cursor.rest().len() as u64;
    report.payload = format::name(cursor.rest());
    Ok(report)
}

/// Section 2.5 and 2.6: one bitstream; decoders do not look at what follows it.
fn simple<'a>(
    first: &Chunk<'a>,
    body: &mut Cursor<'a>,
    limits: &Limits,
    keep: &mut impl FnMut(Piece<'a>),
) -> Result<Report, ImageError> {
    let bitstream = Bitstream::read(first)?;
    limits.canvas(bitstream.width, bitstream.height)?;
    keep(Piece::Chunk(*first));
    let mut report = bitstream.report();
    while !body.is_empty() {
        report.metadata.vendor += Chunk::read(body)?.stored_bytes();
    }
    Ok(report)
}

struct Extended {
    flags: u8,
    canvas: (u32, u32),
    frames: u32,
    has_animation_header: bool,
    has_profile: bool,
    /// Whether an earlier frame left part of the canvas clear.
    uncovered: bool,
    orientation: Option<Orientation>,
    report: Option<Report>,
    metadata: Metadata,
}

impl Extended {
    /// All chunks of the file, `first` being VP8X.
    fn walk<'a>(
        first: &Chunk<'a>,
        body: &mut Cursor<'a>,
        limits: &Limits,
        keep: &mut impl FnMut(Piece<'a>),
    ) -> Result<Report, ImageError> {
        let mut walk = Self::begin(first, limits)?;
        keep(Piece::Chunk(Chunk { data: first.data.get(..10).unwrap_or_default(), ..*first }));
        while !body.is_empty() {
            let chunk = Chunk::read(body)?;
            match &chunk.kind {
                b"VP8X" => return Err(Corrupt::BadStructure.into()),
                b"VP8 " | b"VP8L" | b"ALPH" => walk.still(chunk, body, keep)?,
                b"ANIM" if walk.is_animated() => walk.animation_header(chunk, keep)?,
                b"ANMF" => walk.frame(&chunk, limits, keep)?,
                b"ICCP" if walk.flags & flag::ICC != 0 => walk.profile(chunk, keep),
                b"EXIF" => walk.exif(&chunk),
                b"XMP " => walk.metadata.xmp += chunk.stored_bytes(),
                _ => walk.metadata.vendor += chunk.stored_bytes(),
            }
        }
        walk.finish()
    }

    fn begin(first: &Chunk<'_>, limits: &Limits) -> Result<Self, ImageError> {
        let [flags, _, _, _, w0, w1, w2, h0, h1, h2] =
            *first.data.first_chunk::<10>().ok_or(Corrupt::BadLength)?;
        let canvas = (1 + u24([w0, w1, w2]), 1 + u24([h0, h1, h2]));
        limits.canvas(canvas.0, canvas.1)?;
        let mut walk = Self {
            flags,
            canvas,
            frames: 0,
            has_animation_header: false,
            has_profile: false,
            uncovered: true,
            orientation: None,
            report: None,
            metadata: Metadata::default(),
        };
        walk.metadata.vendor = first.data.len().saturating_sub(10) as u64;
        Ok(walk)
    }

    fn is_animated(&self) -> bool {
        self.flags & flag::ANIMATION != 0
    }

    /// One picture that fills the canvas.
    fn still<'a>(
        &mut self,
        chunk: Chunk<'a>,
        body: &mut Cursor<'a>,
        keep: &mut impl FnMut(Piece<'a>),
    ) -> Result<(), ImageError> {
        if self.is_animated() || self.report.is_some() {
            return Err(Corrupt::BadStructure.into());
        }
        // Decoders look at an alpha plane only when VP8X announces it.
        let has_alpha = self.flags & flag::ALPHA != 0;
        let picture = Picture::read(chunk, body, &mut |part| {
            if has_alpha || part.kind != *b"ALPH" {
                keep(Piece::Chunk(part));
            } else {
                self.metadata.vendor += part.stored_bytes();
            }
        })?;
        if (picture.bitstream.width, picture.bitstream.height) != self.canvas {
            return Err(Corrupt::BadHeader.into());
        }
        let mut coded = picture.coded();
        if !has_alpha {
            coded.alpha_pixels = 0;
        }
        self.report = Some(Report { has_alpha, coded, ..picture.bitstream.report() });
        Ok(())
    }

    fn animation_header<'a>(
        &mut self,
        chunk: Chunk<'a>,
        keep: &mut impl FnMut(Piece<'a>),
    ) -> Result<(), ImageError> {
        let slack = (chunk.data.len() as u64).checked_sub(6).ok_or(Corrupt::BadLength)?;
        if self.has_animation_header {
            self.metadata.vendor += chunk.stored_bytes();
        } else {
            self.has_animation_header = true;
            self.metadata.vendor += slack;
            keep(Piece::Chunk(Chunk { data: chunk.data.get(..6).unwrap_or_default(), ..chunk }));
        }
        Ok(())
    }

    fn frame<'a>(
        &mut self,
        chunk: &Chunk<'a>,
        limits: &Limits,
        keep: &mut impl FnMut(Piece<'a>),
    ) -> Result<(), ImageError> {
        if !self.has_animation_header {
            return Err(Corrupt::BadStructure.into());
        }
        self.frames = self.frames.saturating_add(1);
        limits.frames(self.frames)?;
        let frame = Frame::read(chunk, self.canvas, limits, keep)?;
        self.metadata.vendor += frame.foreign_bytes;
        // What no frame covers is transparent: browsers do not paint the background colour.
        let has_alpha = self.flags & flag::ALPHA != 0
            || frame.picture.has_alpha
            || (self.uncovered && !frame.covers);
        self.uncovered = frame.is_disposed;
        let coded = frame.picture.coded();
        let first = || Report { coded: Coded::default(), ..frame.picture.bitstream.report() };
        let report = self.report.get_or_insert_with(first);
        report.frames = self.frames;
        let sum = &mut report.coded;
        sum.pixels = sum.pixels.saturating_add(coded.pixels);
        sum.lossy_pixels = sum.lossy_pixels.saturating_add(coded.lossy_pixels);
        sum.alpha_pixels = sum.alpha_pixels.saturating_add(coded.alpha_pixels);
        sum.largest_frame_bytes = sum.largest_frame_bytes.max(chunk.data.len() as u64);
        report.has_alpha |= has_alpha;
        report.lossless &= frame.picture.bitstream.lossless;
        Ok(())
    }

    fn profile<'a>(&mut self, chunk: Chunk<'a>, keep: &mut impl FnMut(Piece<'a>)) {
        if self.has_profile {
            self.metadata.vendor += chunk.stored_bytes();
        } else {
            self.has_profile = true;
            self.metadata.icc += chunk.stored_bytes();
            keep(Piece::Chunk(chunk));
        }
    }

    /// Decoders look at the first, and only when VP8X announces it.
    fn exif(&mut self, chunk: &Chunk<'_>) {
        let is_read = self.flags & flag::EXIF != 0 && self.orientation.is_none();
        if is_read {
            let found = exif::tally(chunk.data, chunk.stored_bytes(), &mut self.metadata);
            self.orientation = Some(found.unwrap_or_default());
        } else {
            self.metadata.exif += chunk.stored_bytes();
        }
    }

    fn finish(self) -> Result<Report, ImageError> {
        let report = self.report.ok_or(Corrupt::NoImageData)?;
        Ok(Report {
            width: self.canvas.0,
            height: self.canvas.1,
            orientation: self.orientation.unwrap_or_default(),
            metadata: self.metadata,
            ..report
        })
    }
}

/// A bitstream with the alpha plane that may go before it.
#[derive(Clone, Copy, Debug)]
struct Picture {
    bitstream: Bitstream,
    has_plane: bool,
    has_alpha: bool,
}

impl Picture {
    /// The bitstream of `chunk`, or the alpha plane in `chunk` and the bitstream right after it.
    ///
    /// # Errors
    /// Something else between the two, alpha twice, or a header that libwebp refuses.
    fn read<'a>(
        chunk: Chunk<'a>,
        cursor: &mut Cursor<'a>,
        keep: &mut impl FnMut(Chunk<'a>),
    ) -> Result<Self, Corrupt> {
        let mut picture_chunk = chunk;
        let has_plane = chunk.kind == *b"ALPH";
        if has_plane {
            check_alpha(&chunk)?;
            keep(chunk);
            picture_chunk = Chunk::read(cursor)?;
        }
        match (&picture_chunk.kind, has_plane) {
            // VP8L has alpha of its own.
            (b"VP8 ", _) | (b"VP8L", false) => {}
            _ => return Err(Corrupt::BadStructure),
        }
        let bitstream = Bitstream::read(&picture_chunk)?;
        keep(picture_chunk);
        Ok(Self { bitstream, has_plane, has_alpha: has_plane || bitstream.has_alpha })
    }

    fn coded(&self) -> Coded {
        let coded = self.bitstream.report().coded;
        Coded { alpha_pixels: if self.has_plane { coded.pixels } else { 0 }, ..coded }
    }
}

/// A frame and the rectangle that it covers.
#[derive(Clone, Copy, Debug)]
struct Frame {
    pub picture: Picture,
    pub covers: bool,
    /// Whether its rectangle is cleared before the next.
    pub is_disposed: bool,
    /// Bytes in it that no decoder needs.
    pub foreign_bytes: u64,
}

impl Frame {
    /// An `ANMF` chunk on a canvas of `width` times `height`.
    fn read<'a>(
        chunk: &Chunk<'a>,
        (width, height): (u32, u32),
        limits: &Limits,
        keep: &mut impl FnMut(Piece<'a>),
    ) -> Result<Self, ImageError> {
        let mut body = Cursor::new(chunk.data);
        let (head, rest) = chunk.data.split_first_chunk::<16>().ok_or(Corrupt::BadLength)?;
        body.take(chunk.data.len() - rest.len())?;
        let [x0, x1, x2, y0, y1, y2, w0, w1, w2, h0, h1, h2, _, _, _, flags] = *head;
        // Offsets are stored halved, sizes less one.
        let (left, top) = (2 * u24([x0, x1, x2]), 2 * u24([y0, y1, y2]));
        let size = (1 + u24([w0, w1, w2]), 1 + u24([h0, h1, h2]));
        if left + size.0 > width || top + size.1 > height {
            return Err(Corrupt::BadHeader.into());
        }
        limits.canvas(size.0, size.1)?;
        keep(Piece::Frame(head));
        let first = Chunk::read(&mut body)?;
        let picture = Picture::read(first, &mut body, &mut |part| keep(Piece::Part(part)))?;
        if (picture.bitstream.width, picture.bitstream.height) != size {
            return Err(Corrupt::BadHeader.into());
        }
        let mut foreign_bytes = 0;
        while !body.is_empty() {
            let part = Chunk::read(&mut body)?;
            if matches!(&part.kind, b"VP8 " | b"VP8L" | b"ALPH") {
                return Err(Corrupt::BadStructure.into());
            }
            foreign_bytes += part.stored_bytes();
        }
        let covers = size == (width, height);
        Ok(Self { picture, covers, is_disposed: flags & 1 == 1, foreign_bytes })
    }
}

/// Three bytes, the least first.
const fn u24([b0, b1, b2]: [u8; 3]) -> u32 {
    u32::from_le_bytes([b0, b1, b2, 0])
}

#[cfg(test)]
mod tests;
