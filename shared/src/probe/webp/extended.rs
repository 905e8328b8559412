//! WebP with a VP8X header (RFC 9649 section 2.7): still with alpha or metadata, or animated.

use super::{
    Piece,
    bitstream::Bitstream,
    chunk::Chunk,
    frame::{Frame, Picture, u24},
};
use crate::{ImageError, Limits, Report, cursor::Cursor, error::Corrupt, exif, probe::Orientation};

/// Flags of VP8X: which of these chunks decoders look at.
pub mod flag {
    /// `ICCP`.
    pub const ICC: u8 = 0x20;
    /// `ALPH` or VP8L with alpha.
    pub const ALPHA: u8 = 0x10;
    /// `EXIF`.
    pub const EXIF: u8 = 0x08;
    /// `ANIM` and `ANMF`.
    pub const ANIMATION: u8 = 0x02;
}

/// What has been seen so far.
pub struct Extended {
    flags: u8,
    canvas: (u32, u32),
    frames: u32,
    /// Of all frames together, by the work of decoding them.
    pixels: u64,
    has_animation_header: bool,
    has_profile: bool,
    /// Whether an earlier frame left part of the canvas clear.
    uncovered: bool,
    orientation: Option<Orientation>,
    report: Option<Report>,
    metadata: crate::probe::Metadata,
}

impl Extended {
    /// All chunks of the file, `first` being VP8X.
    ///
    /// # Errors
    /// The first rule of the format or the limits that the chunks break.
    pub fn walk<'a>(
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
            pixels: 0,
            has_animation_header: false,
            has_profile: false,
            uncovered: true,
            orientation: None,
            report: None,
            metadata: crate::probe::Metadata::default(),
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
        self.report = Some(Report { has_alpha, ..picture.bitstream.report() });
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
        limits.animation(self.frames, self.pixels)?;
        let frame = Frame::read(chunk, self.canvas, limits, keep)?;
        let Bitstream { width, height, lossless, .. } = frame.picture.bitstream;
        let weight = if lossless { 1 } else { Limits::LOSSY_WEBP_WEIGHT };
        let pixels = u64::from(width) * u64::from(height) * weight;
        self.pixels = self.pixels.saturating_add(pixels);
        limits.animation(self.frames, self.pixels)?;
        self.metadata.vendor += frame.foreign_bytes;
        // What no frame covers is transparent: browsers do not paint the background colour.
        let has_alpha = self.flags & flag::ALPHA != 0
            || frame.picture.has_alpha
            || (self.uncovered && !frame.covers);
        self.uncovered = frame.is_disposed;
        let report = self.report.get_or_insert_with(|| frame.picture.bitstream.report());
        report.frames = self.frames;
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
