//! GIF syntax: header, screen, image descriptor, sub-blocks and extensions (GIF89a sections 15 to 26).

use crate::{ImageError, cursor::Cursor, error::Corrupt};

pub const IMAGE: u8 = 0x2C;
pub const EXTENSION: u8 = 0x21;
pub const TRAILER: u8 = 0x3B;

#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// May be zero: then the first frame says.
    pub width: u16,
    /// May be zero: then the first frame says.
    pub height: u16,
    /// Bits of an index into the global colour table, 0 without one.
    pub table_bits: u8,
}

impl Screen {
    /// Header, screen descriptor and global colour table.
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, ImageError> {
        if !matches!(&cursor.array()?, b"GIF87a" | b"GIF89a") {
            return Err(ImageError::Unrecognised);
        }
        let [w0, w1, h0, h1, flags, _backdrop, _aspect] = cursor.array()?;
        let table_bits = read_table(flags, cursor)?;
        let (width, height) = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
        Ok(Self { width, height, table_bits })
    }
}

/// Where a frame lies and how its pixels are coded.
#[derive(Clone, Copy, Debug)]
pub struct Image {
    pub left: u16,
    pub top: u16,
    pub width: u16,
    pub height: u16,
    pub interlaced: bool,
    /// Bits of an index into the local colour table, 0 without one.
    pub table_bits: u8,
}

impl Image {
    /// Descriptor, local colour table and pixel data, the separator already read.
    ///
    /// # Errors
    /// Cut, empty, or with a code size that no decoder takes.
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Corrupt> {
        let (image, _) = Self::read_head(cursor)?;
        if skip_sub_blocks(cursor)? == 0 {
            return Err(Corrupt::NoImageData);
        }
        Ok(image)
    }

    /// The same up to the pixel data, and the bits of an index in them.
    ///
    /// # Errors
    /// Cut, empty, or with a code size that no decoder takes.
    pub fn read_head(cursor: &mut Cursor<'_>) -> Result<(Self, u8), Corrupt> {
        let [l0, l1, t0, t1, w0, w1, h0, h1, flags] = cursor.array()?;
        let image = Self {
            left: u16::from_le_bytes([l0, l1]),
            top: u16::from_le_bytes([t0, t1]),
            width: u16::from_le_bytes([w0, w1]),
            height: u16::from_le_bytes([h0, h1]),
            interlaced: flags & 0x40 != 0,
            table_bits: read_table(flags, cursor)?,
        };
        if image.width == 0 || image.height == 0 {
            return Err(Corrupt::NoPixels);
        }
        // Appendix F: an index has at most 8 bits.
        let index_bits = cursor.byte()?;
        if index_bits > 8 {
            return Err(Corrupt::BadHeader);
        }
        Ok((image, index_bits))
    }
}

/// A colour table of 2 to 256 entries of three bytes, when the flags announce one; its index bits.
fn read_table(flags: u8, cursor: &mut Cursor<'_>) -> Result<u8, Corrupt> {
    if flags & 0x80 == 0 {
        return Ok(0);
    }
    let bits = (flags & 7) + 1;
    cursor.take(3 << bits)?;
    Ok(bits)
}

/// The next sub-block's data; nothing at the terminator.
pub fn sub_block<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, Corrupt> {
    match cursor.byte()? {
        0 => Ok(None),
        len => cursor.take(usize::from(len)).map(Some),
    }
}

/// Steps behind the terminator; says how many bytes of data were stepped over.
pub fn skip_sub_blocks(cursor: &mut Cursor<'_>) -> Result<u64, Corrupt> {
    let mut data_bytes = 0;
    while let Some(data) = sub_block(cursor)? {
        data_bytes += data.len() as u64;
    }
    Ok(data_bytes)
}

/// What an extension is; what is kept of it is written anew, so nothing hides in its slack.
#[derive(Debug, PartialEq, Eq)]
pub enum Extension<'a> {
    /// Timing, disposal and transparency of the next frame.
    Control(&'a [u8; 4]),
    /// How often the animation runs: the application's name and the count.
    Loop(&'a [u8; 11], [u8; 2]),
    Xmp,
    /// IPTC data, as ImageMagick keeps it.
    Iptc,
    /// A comment, or a plain text, which no decoder draws.
    Comment,
    Vendor,
}

impl<'a> Extension<'a> {
    /// One extension to its terminator, the introducer already read.
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Corrupt> {
        let label = cursor.byte()?;
        let extension = match label {
            0xF9 => sub_block(cursor)?
                .map(|fields| fields.first_chunk().map_or(Self::Vendor, Self::Control)),
            0xFF => sub_block(cursor)?.map(|name| Self::application(name, *cursor)),
            0x01 | 0xFE => return skip_sub_blocks(cursor).map(|_| Self::Comment),
            _ => return skip_sub_blocks(cursor).map(|_| Self::Vendor),
        };
        // The first sub-block was the terminator: an extension without anything.
        let Some(extension) = extension else { return Ok(Self::Vendor) };
        skip_sub_blocks(cursor)?;
        Ok(extension)
    }

    /// By the eight letters of the application and the three of its code.
    fn application(name: &'a [u8], data: Cursor<'a>) -> Self {
        let Ok(name) = <&[u8; 11]>::try_from(name) else { return Self::Vendor };
        match name {
            b"NETSCAPE2.0" | b"ANIMEXTS1.0" => {
                loop_count(data).map_or(Self::Vendor, |count| Self::Loop(name, count))
            }
            b"XMP DataXMP" => Self::Xmp,
            b"MGKIPTC0000" | b"MGK8BIM0000" => Self::Iptc,
            _ => Self::Vendor,
        }
    }

    pub fn kept(&self) -> Option<alloc::vec::Vec<u8>> {
        match self {
            Self::Control([flags, d0, d1, transparent]) => {
                Some([0x21, 0xF9, 4, *flags, *d0, *d1, *transparent, 0].into())
            }
            Self::Loop(name, [c0, c1]) => {
                Some([&[0x21, 0xFF, 11], name.as_slice(), &[3, 1, *c0, *c1, 0]].concat())
            }
            _ => None,
        }
    }
}

/// The first sub-block with the number 1 and a count.
fn loop_count(mut data: Cursor<'_>) -> Option<[u8; 2]> {
    while let Ok(Some(block)) = sub_block(&mut data) {
        if let [1, c0, c1] = *block {
            return Some([c0, c1]);
        }
    }
    None
}
