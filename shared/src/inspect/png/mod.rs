//! Walks a PNG from its signature to its last byte: header, order, checksums, animation, metadata.
//!
//! The pixels' zlib stream is looked at only as far as its two header bytes and its length go;
//! whether it inflates to a picture is left to `codec`.

use ancillary::Ancillary;
use animation::Animation;

use crate::{
    Format, ImageError, Limits, Report,
    container::{
        exif,
        png::{self, Chunk, Header, Samples},
    },
    cursor::Cursor,
    error::Corrupt,
    format,
    report::{Coded, Metadata, Orientation},
};

mod ancillary;
mod animation;

/// Walks the chunks and passes to `keep`, as they stand in the file, those that are needed to show the
/// picture, all but IEND; orientation is in the report only.
pub(crate) fn walk<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    mut keep: impl FnMut(&Chunk<'a>),
) -> Result<Report, ImageError> {
    let mut cursor = Cursor::new(bytes);
    if cursor.array()? != png::SIGNATURE {
        return Err(ImageError::Unrecognised);
    }
    let first = Chunk::read(&mut cursor)?;
    let mut walk = Walk::begin(&first, limits)?;
    keep(&first);
    let unterminated = loop {
        let start = cursor;
        match Chunk::read(&mut cursor) {
            Ok(chunk) if chunk.kind == *b"IEND" => {
                let is_right = chunk.data.is_empty() && chunk.is_sound();
                cursor = if is_right { cursor } else { start };
                break !is_right;
            }
            Ok(chunk) => {
                if walk.step(&chunk, limits)? {
                    keep(&chunk);
                }
            }
            // Decoders that have the pixels do not miss the end mark.
            Err(Corrupt::Truncated) if walk.may_end_before(start.rest()) => {
                cursor = start;
                break true;
            }
            Err(cause) => return Err(cause.into()),
        }
    };
    let mut report = walk.finish(bytes.len() as u64)?;
    report.unterminated = unterminated;
    report.metadata.trailing = cursor.rest().len() as u64;
    report.payload = format::name(cursor.rest());
    Ok(report)
}

/// Deflate's best: 258 bytes from two bits.
const MAX_DEFLATE_RATIO: u64 = 258 * 8 / 2;

/// Where in the file the walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    BeforePixels,
    Pixels,
    AfterPixels,
}

#[derive(Debug)]
pub struct Walk {
    header: Header,
    place: Place,
    palette_len: Option<usize>,
    ancillary: Ancillary,
    animation: Option<Animation>,
    pixel_bytes: u64,
    zlib_header: [Option<u8>; 2],
    orientation: Option<Orientation>,
    metadata: Metadata,
}

impl Walk {
    /// The first chunk is IHDR.
    pub fn begin(first: &Chunk<'_>, limits: &Limits) -> Result<Self, ImageError> {
        if first.kind != *b"IHDR" {
            // Apple's variant for its own apps begins with CgBI; browsers do not show it.
            let cause =
                if first.kind == *b"CgBI" { Corrupt::Unsupported } else { Corrupt::BadStructure };
            return Err(cause.into());
        }
        let header = Header::parse(first.data)?;
        if !first.is_sound() {
            return Err(Corrupt::BadChecksum.into());
        }
        limits.canvas(header.width, header.height)?;
        Ok(Self {
            header,
            place: Place::BeforePixels,
            palette_len: None,
            ancillary: Ancillary::default(),
            animation: None,
            pixel_bytes: 0,
            zlib_header: [None; 2],
            orientation: None,
            metadata: Metadata::default(),
        })
    }

    /// Whether the picture can end before `rest`, a cut chunk or nothing: there are pixels, and it is
    /// not pixels that are cut. That they are whole is shown by decoding.
    pub fn may_end_before(&self, rest: &[u8]) -> bool {
        let is_cut_pixels = matches!(rest.get(4..8), Some(b"IDAT" | b"fdAT"));
        self.place != Place::BeforePixels && !is_cut_pixels
    }

    /// Takes the next chunk, not IEND; says whether it is needed to show the picture.
    pub fn step(&mut self, chunk: &Chunk<'_>, limits: &Limits) -> Result<bool, ImageError> {
        if self.place == Place::Pixels && chunk.kind != *b"IDAT" {
            self.place = Place::AfterPixels;
        }
        let is_sound = chunk.is_sound();
        let shapes_pixels = matches!(&chunk.kind, b"tRNS" | b"acTL" | b"fcTL" | b"fdAT");
        if !is_sound && (chunk.is_critical() || shapes_pixels) {
            return Err(Corrupt::BadChecksum.into());
        }
        match &chunk.kind {
            b"IDAT" => Ok(self.pixels(chunk).map(|()| true)?),
            b"PLTE" => self.palette(chunk),
            b"acTL" => self.animation_control(chunk, limits),
            b"fcTL" | b"fdAT" => self.animation_part(chunk),
            b"IHDR" => Err(Corrupt::BadStructure.into()),
            // Section 13.3: a critical chunk that is not known cannot be skipped.
            _ if chunk.is_critical() => Err(Corrupt::Unsupported.into()),
            // Decoders skip an ancillary chunk with a wrong checksum.
            _ if !is_sound => Ok(self.drop_as_vendor(chunk)),
            _ => Ok(self.ancillary(chunk)),
        }
    }

    /// What the file says, all in all.
    pub fn finish(mut self, size_bytes: u64) -> Result<Report, ImageError> {
        if self.pixel_bytes == 0 {
            return Err(Corrupt::NoImageData.into());
        }
        if self.header.raw_bytes() > self.pixel_bytes.saturating_mul(MAX_DEFLATE_RATIO) {
            return Err(Corrupt::Truncated.into());
        }
        if let Some(animation) = &mut self.animation {
            animation.finish()?;
        }
        let coded = self.coded();
        let Header { width, height, depth, samples, interlaced } = self.header;
        Ok(Report {
            format: Format::Png,
            size_bytes,
            width,
            height,
            orientation: self.orientation.unwrap_or_default(),
            frames: self.animation.map_or(1, |animation| animation.frames),
            has_alpha: samples.has_alpha() || self.ancillary.has_transparency(),
            bit_depth: depth,
            color: samples.color(),
            progressive: interlaced,
            lossless: true,
            jpeg_quality: None,
            jpeg_blocks: 0,
            coded,
            unterminated: false,
            payload: None,
            metadata: self.metadata,
        })
    }

    /// The still picture, and the frames of the animation beside it.
    fn coded(&self) -> Coded {
        let header = &self.header;
        let still = u64::from(header.width).saturating_mul(header.height.into());
        let frames = self.animation.map_or_else(Coded::default, |animation| animation.coded);
        Coded {
            pixels: still.saturating_add(frames.pixels),
            inflated_bytes: header.filtered_bytes().saturating_add(frames.inflated_bytes),
            ..frames
        }
    }

    fn pixels(&mut self, chunk: &Chunk<'_>) -> Result<(), Corrupt> {
        if self.place == Place::AfterPixels {
            // Section 5.6: IDAT chunks are consecutive.
            return Err(Corrupt::BadStructure);
        }
        if self.header.samples == Samples::Palette && self.palette_len.is_none() {
            return Err(Corrupt::BadStructure);
        }
        self.place = Place::Pixels;
        if let Some(animation) = &mut self.animation {
            animation.still_data();
        }
        self.pixel_bytes += chunk.data.len() as u64;
        self.zlib(chunk.data)
    }

    /// RFC 1950 section 2.2, over however many chunks the two bytes are spread.
    fn zlib(&mut self, data: &[u8]) -> Result<(), Corrupt> {
        if self.zlib_header.last() != Some(&None) {
            return Ok(());
        }
        let mut bytes = data.iter().copied();
        for slot in self.zlib_header.iter_mut().filter(|slot| slot.is_none()) {
            *slot = bytes.next();
        }
        let [Some(method), Some(flags)] = self.zlib_header else { return Ok(()) };
        let is_deflate = method & 0x0F == 8 && method >> 4 <= 7;
        let has_dictionary = flags & 0x20 != 0;
        let is_checked = u16::from_be_bytes([method, flags]).is_multiple_of(31);
        if is_deflate && is_checked && !has_dictionary { Ok(()) } else { Err(Corrupt::BadPixels) }
    }

    fn palette(&mut self, chunk: &Chunk<'_>) -> Result<bool, ImageError> {
        let is_gray = matches!(self.header.samples, Samples::Gray | Samples::GrayAlpha);
        // Section 11.2.2 forbids both; decoders skip them.
        if is_gray || self.place != Place::BeforePixels {
            return Ok(self.drop_as_vendor(chunk));
        }
        let len = chunk.data.len();
        if !(3..=256 * 3).contains(&len) || !len.is_multiple_of(3) {
            return Err(Corrupt::BadLength.into());
        }
        if self.palette_len.replace(len / 3).is_some() {
            return Err(Corrupt::BadStructure.into());
        }
        if self.header.samples != Samples::Palette {
            // A suggestion for screens of 256 colours (section 11.2.2), which nobody follows.
            return Ok(self.drop_as_vendor(chunk));
        }
        Ok(true)
    }

    fn animation_control(
        &mut self,
        chunk: &Chunk<'_>,
        limits: &Limits,
    ) -> Result<bool, ImageError> {
        let promised = Animation::promised(chunk);
        // After the pixels browsers have already taken the picture for a still one.
        if promised.is_none() || self.place != Place::BeforePixels {
            return Ok(self.drop_as_vendor(chunk));
        }
        if self.animation.is_some() {
            return Err(Corrupt::BadStructure.into());
        }
        let frames = promised.map_or(0, |animation| animation.frames);
        limits.frames(frames)?;
        self.animation = promised;
        Ok(true)
    }

    fn animation_part(&mut self, chunk: &Chunk<'_>) -> Result<bool, ImageError> {
        let before_pixels = self.place == Place::BeforePixels;
        let Some(animation) = &mut self.animation else {
            return Ok(self.drop_as_vendor(chunk));
        };
        if chunk.kind == *b"fcTL" {
            animation.frame(chunk, &self.header, before_pixels)?;
        } else if before_pixels {
            return Err(Corrupt::BadStructure.into());
        } else {
            animation.frame_data(chunk)?;
        }
        Ok(true)
    }

    fn ancillary(&mut self, chunk: &Chunk<'_>) -> bool {
        if self.place == Place::BeforePixels
            && self.ancillary.keeps(chunk, &self.header, self.palette_len)
        {
            if chunk.kind == *b"iCCP" {
                self.metadata.icc += chunk.stored_bytes();
            }
            return true;
        }
        match &chunk.kind {
            b"eXIf" if self.orientation.is_none() => self.exif(chunk),
            b"tEXt" | b"zTXt" | b"iTXt" => tally_text(chunk, &mut self.metadata),
            _ => self.metadata.vendor += chunk.stored_bytes(),
        }
        false
    }

    fn exif(&mut self, chunk: &Chunk<'_>) {
        let found = exif::tally(chunk.data, chunk.stored_bytes(), &mut self.metadata);
        self.orientation = Some(found.unwrap_or_default());
    }

    fn drop_as_vendor(&mut self, chunk: &Chunk<'_>) -> bool {
        self.metadata.vendor += chunk.stored_bytes();
        false
    }
}

/// Counts a text (tEXt, zTXt, iTXt) by the keywords that ImageMagick, exiftool and Adobe write.
///
/// Nothing is unpacked. ImageMagick keeps a whole EXIF block as digits in such a text and XMP may name
/// an orientation too; neither turns the picture, because browsers and libvips do not look there, and
/// what is stored is to look as it did before.
fn tally_text(chunk: &Chunk<'_>, metadata: &mut Metadata) {
    let keyword = chunk.data.split(|byte| *byte == 0).next().unwrap_or_default();
    let kind = match keyword {
        b"XML:com.adobe.xmp" | b"Raw profile type xmp" => &mut metadata.xmp,
        b"Raw profile type iptc" | b"Raw profile type 8bim" => &mut metadata.iptc,
        b"Raw profile type exif" | b"Raw profile type APP1" => &mut metadata.exif,
        _ => &mut metadata.comment,
    };
    *kind += chunk.stored_bytes();
}

#[cfg(test)]
mod tests;
