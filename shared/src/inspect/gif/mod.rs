//! Walks a GIF from its header to its last byte: screen, frames, extensions, what follows the end.
//!
//! LZW codes are skipped by their sub-blocks; whether they decode to a picture is left to `codec`.
//! Where files break GIF89a in ways that decoders agree to forgive, so do we: a missing trailer, a
//! screen smaller than its first frame, junk after the last frame.

use crate::{
    Format, ImageError, Limits, Report,
    container::gif::{self, Extension, Image, Screen},
    cursor::Cursor,
    error::Corrupt,
    format,
    report::{Coded, Color, Metadata, Orientation},
};

/// Walks the blocks and passes to `keep`, piece by piece, what is needed to show the picture, all but the
/// trailer.
pub(crate) fn walk(
    bytes: &[u8],
    limits: &Limits,
    mut keep: impl FnMut(&[u8]),
) -> Result<Report, ImageError> {
    let mut cursor = Cursor::new(bytes);
    let mut walk = Walk::begin(&mut cursor, limits)?;
    keep(cursor.since(&Cursor::new(bytes)));
    let unterminated = loop {
        let start = cursor;
        match cursor.byte() {
            Ok(gif::TRAILER) => break false,
            Ok(gif::IMAGE) => walk.image(&mut cursor, &start, limits, &mut keep)?,
            Ok(gif::EXTENSION) if walk.extension(&mut cursor, &mut keep).is_ok() => {}
            // Decoders take a cut extension, an unknown block or nothing at all for the end.
            _ if walk.has_frames() => {
                cursor = start;
                break true;
            }
            Ok(gif::EXTENSION) | Err(_) => return Err(Corrupt::Truncated.into()),
            Ok(_) => return Err(Corrupt::BadStructure.into()),
        }
    };
    let mut report = walk.finish(bytes.len() as u64)?;
    report.unterminated = unterminated;
    report.metadata.trailing = cursor.rest().len() as u64;
    report.payload = format::name(cursor.rest());
    Ok(report)
}

/// Disposal methods of section 23 that uncover what was below a frame.
const RESTORE_BACKGROUND: u8 = 2;
const RESTORE_PREVIOUS: u8 = 3;

#[derive(Debug)]
pub struct Walk {
    width: u32,
    height: u32,
    frames: u32,
    /// Of all frames together.
    pixels: u64,
    bit_depth: u8,
    interlaced: bool,
    has_alpha: bool,
    /// The control extension that waits for its frame.
    control: Option<[u8; 4]>,
    /// Whether an earlier frame was cleared away, so that nothing lies under the next.
    uncovered: bool,
    metadata: Metadata,
}

impl Walk {
    /// Header and screen.
    pub fn begin(cursor: &mut Cursor<'_>, limits: &Limits) -> Result<Self, ImageError> {
        let screen = Screen::read(cursor)?;
        let (width, height) = (u32::from(screen.width), u32::from(screen.height));
        if width != 0 && height != 0 {
            limits.canvas(width, height)?;
        }
        Ok(Self {
            width,
            height,
            frames: 0,
            pixels: 0,
            bit_depth: screen.table_bits.max(1),
            interlaced: false,
            has_alpha: false,
            control: None,
            uncovered: true,
            metadata: Metadata::default(),
        })
    }

    /// Whether there is a picture already.
    pub fn has_frames(&self) -> bool {
        self.frames > 0
    }

    /// A frame, the separator (at `start`) already read.
    pub fn image(
        &mut self,
        cursor: &mut Cursor<'_>,
        start: &Cursor<'_>,
        limits: &Limits,
        keep: &mut impl FnMut(&[u8]),
    ) -> Result<(), ImageError> {
        let image = Image::read(cursor)?;
        self.frames = self.frames.saturating_add(1);
        let (right, bottom) = (
            u32::from(image.left) + u32::from(image.width),
            u32::from(image.top) + u32::from(image.height),
        );
        if self.frames == 1 {
            self.width = self.width.max(right);
            self.height = self.height.max(bottom);
        }
        let canvas_pixels = limits.canvas(self.width, self.height)?;
        let pixels = u64::from(image.width) * u64::from(image.height);
        if pixels > canvas_pixels {
            return Err(Corrupt::BadStructure.into());
        }
        self.pixels = self.pixels.saturating_add(pixels);
        limits.frames(self.frames)?;
        let covers =
            image.left == 0 && image.top == 0 && right >= self.width && bottom >= self.height;
        self.transparency(covers);
        self.bit_depth = self.bit_depth.max(image.table_bits);
        self.interlaced |= image.interlaced;
        if let Some(kept) = self.control.take().and_then(|it| Extension::Control(&it).kept()) {
            keep(&kept);
        }
        keep(cursor.since(start));
        Ok(())
    }

    fn transparency(&mut self, covers: bool) {
        let [flags, ..] = self.control.unwrap_or_default();
        let disposal = flags >> 2 & 7;
        self.has_alpha |= flags & 1 != 0 || (self.uncovered && !covers);
        self.uncovered =
            disposal == RESTORE_BACKGROUND || (disposal == RESTORE_PREVIOUS && self.frames == 1);
    }

    /// An extension, the introducer already read.
    pub fn extension(
        &mut self,
        cursor: &mut Cursor<'_>,
        keep: &mut impl FnMut(&[u8]),
    ) -> Result<(), Corrupt> {
        let start = *cursor;
        let extension = Extension::read(cursor)?;
        let body = cursor.since(&start);
        // The introducer was read before.
        let bytes = body.len() as u64 + 1;
        let kept = extension.kept();
        let slack = bytes.saturating_sub(kept.as_ref().map_or(0, |kept| kept.len() as u64));
        match extension {
            Extension::Control(fields) => {
                // One per frame (section 23); decoders use the last.
                let replaced = self.control.replace(*fields).map_or(0, |_| 8);
                self.metadata.vendor += slack + replaced;
            }
            Extension::Loop(..) => {
                self.metadata.vendor += slack;
                keep(&kept.unwrap_or_default());
            }
            Extension::Xmp => self.metadata.xmp += bytes,
            Extension::Iptc => self.metadata.iptc += bytes,
            Extension::Comment => self.metadata.comment += bytes,
            Extension::Vendor => self.metadata.vendor += bytes,
        }
        Ok(())
    }

    /// What the file says, all in all.
    pub fn finish(mut self, size_bytes: u64) -> Result<Report, ImageError> {
        if self.frames == 0 {
            return Err(Corrupt::NoImageData.into());
        }
        // A control extension whose frame never came.
        self.metadata.vendor += self.control.map_or(0, |_| 8);
        Ok(Report {
            format: Format::Gif,
            size_bytes,
            width: self.width,
            height: self.height,
            orientation: Orientation::UPRIGHT,
            frames: self.frames,
            has_alpha: self.has_alpha,
            bit_depth: self.bit_depth,
            color: Color::Palette,
            progressive: self.interlaced,
            lossless: true,
            jpeg_quality: None,
            jpeg_blocks: 0,
            coded: Coded { pixels: self.pixels, ..Coded::default() },
            unterminated: false,
            payload: None,
            metadata: self.metadata,
        })
    }
}

#[cfg(test)]
mod tests;
