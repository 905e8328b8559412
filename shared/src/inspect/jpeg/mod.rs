//! Walks a JPEG from its first byte to its last (ISO/IEC 10918-1).
//!
//! It proves that every table, header and scan is there and can be what it says, and counts what
//! else is in the file. Whether the codes decode to pixels is left to the decoder.

use crate::{
    Format, ImageError, Limits, Report,
    container::{
        exif,
        jpeg::{
            app::{self, App, IccSet},
            entropy,
            frame::{Frame, Scan},
            segment::{Entropy, Piece, Pieces, marker},
            tables::Tables,
            uses::Uses,
        },
    },
    error::Corrupt,
    format,
    report::{Coded, Color, Metadata, Orientation},
};

/// libjpeg's script for progressive files has 10 scans, mozjpeg's at most 12. A few bytes make a scan, and each
/// sends the decoder over every block once more; the work of that is counted in the report.
const MAX_SCANS: u32 = 100;

/// What the container says of the picture.
///
/// # Errors
/// The first rule of the format or the limits that the bytes break.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Report, ImageError> {
    let mut walk = Walk::default();
    let mut pieces = Pieces::new(bytes);
    loop {
        let before = pieces.rest();
        match pieces.next() {
            Some(Ok(Piece::End { trailing })) => {
                walk.metadata.trailing += trailing.len() as u64;
                walk.payload = format::name(trailing);
                break;
            }
            Some(Ok(piece)) => walk.take(piece, limits)?,
            Some(Err(Corrupt::Truncated)) | None => {
                walk.end_without_mark(before)?;
                break;
            }
            Some(Err(cause)) => return Err(cause.into()),
        }
    }
    walk.report(bytes.len() as u64)
}

#[derive(Default)]
struct Walk<'a> {
    frame: Option<Frame>,
    tables: Tables<'a>,
    uses: Uses,
    scan: Option<Scan>,
    data: Option<Entropy<'a>>,
    scans: u32,
    /// Blocks that all scans together visit.
    scan_blocks: u64,
    /// Names of the components that have been started.
    started: alloc::vec::Vec<u8>,
    jfif: bool,
    adobe: bool,
    icc: IccSet,
    quality: Option<u8>,
    orientation: Option<Orientation>,
    metadata: Metadata,
    unterminated: bool,
    payload: Option<&'static str>,
}

impl<'a> Walk<'a> {
    fn take(&mut self, piece: Piece<'a>, limits: &Limits) -> Result<(), ImageError> {
        match piece {
            Piece::Segment { marker, whole, payload } => match App::of(marker, payload) {
                Some(app) => self.count(app, whole.len() as u64),
                None => self.handle_segment(marker, whole, payload, limits)?,
            },
            Piece::Entropy(data) => self.check_data(data)?,
            Piece::Stray(bytes) | Piece::End { trailing: bytes } => {
                self.metadata.trailing += bytes.len() as u64;
            }
        }
        Ok(())
    }

    fn handle_segment(
        &mut self,
        marker: u8,
        whole: &[u8],
        payload: &'a [u8],
        limits: &Limits,
    ) -> Result<(), ImageError> {
        match marker {
            marker::DHT => {
                self.tables.define_huffman(payload)?;
                self.define(marker, payload);
            }
            marker::DQT => {
                self.tables.define_quantisation(payload)?;
                self.define(marker, payload);
            }
            marker::DRI => self.tables.define_restart_interval(payload)?,
            marker::SOS => self.start_scan(payload)?,
            marker::DAC => return Err(Corrupt::Unsupported.into()),
            marker::SOF0..=marker::SOF15 if marker != marker::JPG => {
                self.start_frame(marker, payload, limits)?;
            }
            // DNL, DHP, EXP and the reserved ones: decoders skip them, scrubbing drops them.
            _ => self.metadata.vendor += whole.len() as u64,
        }
        Ok(())
    }

    fn define(&mut self, marker: u8, payload: &[u8]) {
        let vendor = &mut self.metadata.vendor;
        self.uses.define(marker, payload, |unused| *vendor += unused.bytes);
    }

    fn start_frame(
        &mut self,
        marker: u8,
        payload: &[u8],
        limits: &Limits,
    ) -> Result<(), ImageError> {
        if self.frame.is_some() {
            return Err(Corrupt::BadStructure.into());
        }
        let frame = Frame::parse(marker, payload)?;
        let pixels = frame.pixels();
        if pixels > limits.max_pixels {
            return Err(ImageError::TooManyPixels { pixels, limit: limits.max_pixels });
        }
        self.frame = Some(frame);
        Ok(())
    }

    fn start_scan(&mut self, payload: &[u8]) -> Result<(), ImageError> {
        let frame = self.frame.as_ref().ok_or(Corrupt::BadStructure)?;
        self.scans += 1;
        if self.scans > MAX_SCANS {
            return Err(ImageError::TooManyScans { limit: MAX_SCANS });
        }
        let scan = Scan::parse(payload, frame)?;
        self.scan_blocks = self.scan_blocks.saturating_add(scan.blocks(frame));
        for part in &scan.parts {
            if self.tables.quantisation(part.component.quantisation).is_none() {
                return Err(Corrupt::BadStructure.into());
            }
            // Decoders take a component's table at its first scan.
            if self.quality.is_none() && part.index == 0 {
                self.quality = self.tables.quality(part.component.quantisation);
            }
            if scan.starts_components() && !self.started.contains(&part.component.id) {
                self.started.push(part.component.id);
            }
        }
        self.uses.scan(&scan, frame.progressive);
        self.scan = Some(scan);
        Ok(())
    }

    /// Whether the scan can be whole: as many restarts as it needs, and as many bits as the shortest
    /// codes would take. So a few bytes cannot claim to be fifty megapixels.
    fn check_data(&mut self, data: Entropy<'a>) -> Result<(), Corrupt> {
        let frame = self.frame.as_ref().ok_or(Corrupt::BadStructure)?;
        let scan = self.scan.as_ref().ok_or(Corrupt::BadStructure)?;
        let unit_bits = scan.least_unit_bits(frame.progressive, &self.tables);
        let unit_bits = unit_bits.ok_or(Corrupt::BadStructure)?;
        let (across, down) = scan.units(frame);
        let units = (across * down) as u64;
        let restarts = match u64::from(self.tables.restart_interval) {
            0 => 0,
            interval => units.div_ceil(interval) - 1,
        };
        if data.restarts < restarts || data.code_bytes * 8 < units * unit_bits {
            return Err(Corrupt::Truncated);
        }
        // One restart more at the very end is written by some cameras and skipped by decoders.
        if !data.restarts_in_order || data.restarts > restarts + 1 {
            return Err(Corrupt::BadStructure);
        }
        self.data = Some(data);
        Ok(())
    }

    /// The file ended without its mark, `rest` being what did not make a piece. Decoders show it, if
    /// it was sequential and its last scan is whole; all else has lost pixels.
    fn end_without_mark(&mut self, rest: &[u8]) -> Result<(), Corrupt> {
        let (Some(frame), Some(scan), Some(data)) = (&self.frame, &self.scan, &self.data) else {
            return Err(Corrupt::Truncated);
        };
        if frame.progressive || self.started.len() != frame.components.len() {
            return Err(Corrupt::Truncated);
        }
        entropy::follow(data.bytes, frame, scan, &self.tables)?;
        self.metadata.trailing += rest.len() as u64;
        self.unterminated = true;
        Ok(())
    }

    fn count(&mut self, app: App<'_>, bytes: u64) {
        let metadata = &mut self.metadata;
        match app {
            App::Jfif(_) if core::mem::replace(&mut self.jfif, true) => metadata.vendor += bytes,
            // Marker and length take 4 more bytes than the payload.
            App::Jfif(_) => metadata.thumbnail += bytes - (4 + app::JFIF_BYTES as u64),
            App::Adobe(_) => {
                let kept = 4 + app::ADOBE_BYTES as u64;
                // The last one counts, so the one before has been kept for nothing.
                let before = if core::mem::replace(&mut self.adobe, true) { kept } else { 0 };
                metadata.vendor += bytes - kept + before;
            }
            App::Icc(part) => {
                self.icc.add(part);
                metadata.icc += bytes;
            }
            App::Exif(block) => {
                let orientation = exif::tally(block, bytes, metadata);
                self.orientation = self.orientation.or(orientation);
            }
            App::Thumbnail => metadata.thumbnail += bytes,
            App::Xmp => metadata.xmp += bytes,
            App::Iptc => metadata.iptc += bytes,
            App::Comment => metadata.comment += bytes,
            App::Vendor => metadata.vendor += bytes,
        }
    }

    fn report(mut self, size_bytes: u64) -> Result<Report, ImageError> {
        if self.data.is_none() {
            return Err(Corrupt::NoImageData.into());
        }
        let frame = self.frame.ok_or(Corrupt::NoImageData)?;
        if self.started.len() != frame.components.len() {
            return Err(Corrupt::NoImageData.into());
        }
        if !self.icc.is_whole() {
            self.metadata.vendor += core::mem::take(&mut self.metadata.icc);
        }
        let vendor = &mut self.metadata.vendor;
        self.uses.finish(|unused| *vendor += unused.bytes);
        let color = match frame.components.len() {
            1 => Color::Gray,
            4 => Color::Cmyk,
            _ => Color::Rgb,
        };
        Ok(Report {
            format: Format::Jpeg,
            size_bytes,
            width: u32::from(frame.width),
            height: u32::from(frame.height),
            orientation: self.orientation.unwrap_or_default(),
            frames: 1,
            has_alpha: false,
            bit_depth: 8,
            color,
            progressive: frame.progressive,
            lossless: false,
            jpeg_quality: self.quality,
            jpeg_blocks: frame.total_blocks(),
            coded: Coded {
                pixels: frame.pixels(),
                scan_blocks: self.scan_blocks,
                ..Coded::default()
            },
            unterminated: self.unterminated,
            metadata: self.metadata,
            payload: self.payload,
        })
    }
}

#[cfg(test)]
mod tests;
