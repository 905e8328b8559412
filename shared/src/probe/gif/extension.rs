//! GIF extensions: what each is, and what of it is needed (GIF89a sections 23 to 26).

use super::block::{skip_sub_blocks, sub_block};
use crate::{cursor::Cursor, error::Corrupt};

/// What an extension is; what is kept of it is written anew, so nothing hides in its slack.
#[derive(Debug, PartialEq, Eq)]
pub enum Extension<'a> {
    /// Timing, disposal and transparency of the next frame.
    Control(&'a [u8; 4]),
    /// How often the animation runs: the application's name and the count.
    Loop(&'a [u8; 11], [u8; 2]),
    /// An XMP packet.
    Xmp,
    /// IPTC data, as ImageMagick keeps it.
    Iptc,
    /// A comment, or a plain text, which no decoder draws.
    Comment,
    /// Anything else.
    Vendor,
}

impl<'a> Extension<'a> {
    /// One extension to its terminator, the introducer already read.
    ///
    /// # Errors
    /// [`Corrupt::Truncated`].
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

    /// What is kept of it.
    #[must_use]
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
