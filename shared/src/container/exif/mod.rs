//! Parses an EXIF block (a TIFF structure) for its orientation and the sizes of its parts.
//!
//! Offsets and counts are untrusted: every read is checked and no directory is followed twice. A broken block is no
//! error: it counts as private data and the picture as upright, as in viewers.

use crate::report::{Metadata, Orientation};

/// What stands before the TIFF structure in a JPEG, and by mistake in some WebP and PNG files.
pub const PREFIX: &[u8; 6] = b"Exif\0\0";

/// Bytes of [`minimal`]: header 8, entry count 2, one entry 12, no next directory 4.
pub const MINIMAL_LEN: usize = 8 + 2 + 12 + 4;

// TIFF 6.0 section 8, EXIF 2.32 sections 4.6.3 and 4.6.5.
const TAG_ORIENTATION: u16 = 0x0112;
const TAG_STRIP_OFFSETS: u16 = 0x0111;
const TAG_STRIP_BYTE_COUNTS: u16 = 0x0117;
const TAG_THUMBNAIL_OFFSET: u16 = 0x0201;
const TAG_THUMBNAIL_LENGTH: u16 = 0x0202;
const TAG_GPS_DIRECTORY: u16 = 0x8825;

/// A block with the orientation alone, so that a scrubbed picture stays upright.
pub const fn minimal(orientation: Orientation) -> [u8; MINIMAL_LEN] {
    [
        b'M',
        b'M',
        0,
        42,
        0,
        0,
        0,
        8, // big endian, the directory follows
        0,
        1, // one entry
        0x01,
        0x12,
        0,
        3,
        0,
        0,
        0,
        1, // orientation, one SHORT
        0,
        orientation.exif(),
        0,
        0, // left-justified value
        0,
        0,
        0,
        0, // no next directory
    ]
}

/// Counts a block into `metadata` and returns its orientation, if it has one. `stored_bytes` is the size of the block
/// in the file, headers included.
///
/// A [`minimal`] block of a turned picture counts nothing, because scrubbing writes it.
pub fn tally(block: &[u8], stored_bytes: u64, metadata: &mut Metadata) -> Option<Orientation> {
    let block = block.strip_prefix(PREFIX).unwrap_or(block);
    let found = parse(block);
    if let Some(orientation) = found.orientation
        && orientation != Orientation::UPRIGHT
        && block == minimal(orientation)
    {
        return found.orientation;
    }
    let gps = found.gps.min(stored_bytes);
    let thumbnail = found.thumbnail.min(stored_bytes - gps);
    metadata.gps += gps;
    metadata.thumbnail += thumbnail;
    metadata.exif += stored_bytes - gps - thumbnail;
    found.orientation
}

#[derive(Default)]
struct Found {
    orientation: Option<Orientation>,
    gps: u64,
    thumbnail: u64,
}

/// The first directory (the picture), the GPS directory it names, and the second (the thumbnail).
/// No further directory is followed, so offsets cannot loop.
fn parse(block: &[u8]) -> Found {
    let mut found = Found::default();
    let Some(tiff) = Tiff::new(block) else { return found };
    let Some(picture) = tiff.u32(4).and_then(|offset| tiff.directory(offset)) else { return found };
    found.orientation =
        picture.entry(TAG_ORIENTATION).and_then(Entry::small).map(Orientation::from_exif);
    if let Some(gps) = picture.entry(TAG_GPS_DIRECTORY).and_then(Entry::long) {
        found.gps = tiff.directory(gps).map_or(0, Directory::stored_bytes);
    }
    if let Some(thumbnail) = picture.next().and_then(|offset| tiff.directory(offset)) {
        found.thumbnail = thumbnail.thumbnail_bytes();
    }
    found
}

#[derive(Clone, Copy)]
struct Tiff<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Tiff<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..4)? {
            b"MM\0*" => true,
            b"II*\0" => false,
            _ => return None,
        };
        Some(Self { bytes, big_endian })
    }

    fn u16(self, at: u32) -> Option<u16> {
        let bytes = *self.tail(at)?.first_chunk()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(self, at: u32) -> Option<u32> {
        let bytes = *self.tail(at)?.first_chunk()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn tail(self, at: u32) -> Option<&'a [u8]> {
        self.bytes.get(usize::try_from(at).ok()?..)
    }

    fn directory(self, at: u32) -> Option<Directory<'a>> {
        let count = self.u16(at)?;
        Some(Directory { tiff: self, first: at.checked_add(2)?, count })
    }
}

#[derive(Clone, Copy)]
struct Directory<'a> {
    tiff: Tiff<'a>,
    first: u32,
    count: u16,
}

impl<'a> Directory<'a> {
    fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        (0..u32::from(self.count))
            .map_while(move |index| Entry::read(self.tiff, self.first.checked_add(index * 12)?))
    }

    fn entry(self, tag: u16) -> Option<Entry<'a>> {
        self.entries().find(|entry| entry.tag == tag)
    }

    fn next(self) -> Option<u32> {
        let at = self.first.checked_add(u32::from(self.count) * 12)?;
        self.tiff.u32(at).filter(|offset| *offset != 0)
    }

    /// The directory and the values that its entries keep elsewhere.
    fn stored_bytes(self) -> u64 {
        let values: u64 = self.entries().map(Entry::outside_bytes).sum();
        2 + 12 * u64::from(self.count) + 4 + values
    }

    /// The JPEG stream or the strips that the directory points at.
    fn thumbnail_bytes(self) -> u64 {
        let (offset, length) = if self.entry(TAG_THUMBNAIL_OFFSET).is_some() {
            (TAG_THUMBNAIL_OFFSET, TAG_THUMBNAIL_LENGTH)
        } else {
            (TAG_STRIP_OFFSETS, TAG_STRIP_BYTE_COUNTS)
        };
        if self.entry(offset).is_none() {
            return 0;
        }
        self.entry(length).and_then(Entry::long).map_or(0, u64::from)
    }
}

#[derive(Clone, Copy)]
struct Entry<'a> {
    tiff: Tiff<'a>,
    tag: u16,
    kind: u16,
    count: u32,
    value_at: u32,
}

impl<'a> Entry<'a> {
    fn read(tiff: Tiff<'a>, at: u32) -> Option<Self> {
        Some(Self {
            tiff,
            tag: tiff.u16(at)?,
            kind: tiff.u16(at.checked_add(2)?)?,
            count: tiff.u32(at.checked_add(4)?)?,
            value_at: at.checked_add(8)?,
        })
    }

    /// A first value that fits in 16 bits, of whichever integer type the writer chose.
    fn small(self) -> Option<u16> {
        self.long().and_then(|value| u16::try_from(value).ok())
    }

    fn long(self) -> Option<u32> {
        if self.count == 0 {
            return None;
        }
        match self.kind {
            1 => self.tiff.tail(self.value_at)?.first().copied().map(u32::from),
            3 => self.tiff.u16(self.value_at).map(u32::from),
            4 => self.tiff.u32(self.value_at),
            _ => None,
        }
    }

    /// Bytes of a value that does not fit in the entry's own four.
    fn outside_bytes(self) -> u64 {
        let unit = match self.kind {
            3 | 8 => 2,
            4 | 9 | 11 => 4,
            5 | 10 | 12 => 8,
            _ => 1,
        };
        let bytes = unit * u64::from(self.count);
        if bytes > 4 { bytes } else { 0 }
    }
}

#[cfg(test)]
mod tests;
