//! The fixed parts of a GIF: header, screen, image descriptor, sub-blocks (GIF89a sections 15 to 22).

use crate::{ImageError, cursor::Cursor, error::Corrupt};

/// Begins an image descriptor.
pub const IMAGE: u8 = 0x2C;
/// Begins an extension.
pub const EXTENSION: u8 = 0x21;
/// Ends the file.
pub const TRAILER: u8 = 0x3B;

/// The logical screen.
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
    ///
    /// # Errors
    /// No GIF, or cut.
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
    /// Distance from the canvas's left edge.
    pub left: u16,
    /// Distance from the canvas's top edge.
    pub top: u16,
    /// Not zero.
    pub width: u16,
    /// Not zero.
    pub height: u16,
    /// Lines in four passes.
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
