//! Texts in a PNG (tEXt, zTXt, iTXt): what they are, and the EXIF that ImageMagick hides in them.

use super::chunk::Chunk;
use alloc::{borrow::Cow, vec::Vec};
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

/// What a text is.
#[derive(Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// An XMP packet.
    Xmp,
    /// IPTC or Photoshop data.
    Iptc,
    /// An EXIF block as hexadecimal digits, still packed.
    Exif(&'a [u8]),
    /// Anything else.
    Comment,
}

/// Tells by the keyword; the list is the one that ImageMagick, exiftool and Adobe write.
#[must_use]
pub fn classify<'a>(chunk: &Chunk<'a>) -> Text<'a> {
    let keyword_len = chunk.data.iter().position(|byte| *byte == 0).unwrap_or(chunk.data.len());
    let (keyword, rest) = chunk.data.split_at_checked(keyword_len).unwrap_or_default();
    let value = rest.get(1..).unwrap_or_default();
    match keyword {
        b"XML:com.adobe.xmp" | b"Raw profile type xmp" => Text::Xmp,
        b"Raw profile type iptc" | b"Raw profile type 8bim" => Text::Iptc,
        b"Raw profile type exif" | b"Raw profile type APP1" => Text::Exif(value),
        _ => Text::Comment,
    }
}

/// EXIF blocks come from JPEG segments of at most 64 KiB; as digits with line ends that is below 136 KiB.
const MAX_DIGITS: usize = 136 * 1024;

/// The EXIF block behind the digits, as far as they go.
///
/// The layout is a line end, the profile's name, its length in decimal, then lines of digits.
#[must_use]
pub fn exif_block(chunk: &Chunk<'_>, packed: &[u8]) -> Vec<u8> {
    let text = if chunk.kind == *b"zTXt" { inflate(packed) } else { Cow::Borrowed(packed) };
    let digits = text.splitn(4, |byte| *byte == b'\n').nth(3).unwrap_or_default();
    let mut block = Vec::new();
    let mut high = None;
    let nibbles =
        digits.iter().take(MAX_DIGITS).filter_map(|digit| char::from(*digit).to_digit(16));
    for nibble in nibbles.filter_map(|nibble| u8::try_from(nibble).ok()) {
        match high.take() {
            None => high = Some(nibble << 4),
            Some(high) => block.push(high | nibble),
        }
    }
    block
}

/// zTXt: a method byte, then a zlib stream; what can be unpacked of a broken one counts.
fn inflate(packed: &[u8]) -> Cow<'static, [u8]> {
    let stream = packed.get(1..).unwrap_or_default();
    Cow::Owned(
        decompress_to_vec_zlib_with_limit(stream, MAX_DIGITS)
            .unwrap_or_else(|broken| broken.output),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: [u8; 4], data: &[u8]) -> Chunk<'_> {
        Chunk { kind, data, raw: data }
    }

    #[test]
    fn keywords_tell() {
        let kind_of = |data: &'static [u8]| classify(&chunk(*b"iTXt", data));
        assert_eq!(kind_of(b"XML:com.adobe.xmp\0\0\0\0\0<x/>"), Text::Xmp);
        assert_eq!(kind_of(b"Raw profile type iptc\0x"), Text::Iptc);
        assert_eq!(kind_of(b"Raw profile type exif\0x"), Text::Exif(b"x"));
        assert_eq!(kind_of(b"Software\0x"), Text::Comment);
        assert_eq!(kind_of(b""), Text::Comment);
    }

    #[test]
    fn digits_become_bytes_and_nothing_else_does() {
        let unpack = |text: &[u8]| exif_block(&chunk(*b"tEXt", text), text);
        assert_eq!(unpack(b"\nexif\n       6\n457869\n660000\n"), b"Exif\0\0");
        assert_eq!(unpack(b"\nexif\n 2\n4d4"), b"M");
        assert_eq!(unpack(b"\nexif"), b"");
    }

    #[test]
    fn a_text_that_unpacks_to_megabytes_is_cut() {
        let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&alloc::vec![b'\n'; 8_000_000], 6);
        let mut packed = alloc::vec![0];
        packed.extend(bomb);
        assert_eq!(inflate(&packed).len(), MAX_DIGITS);
        assert!(exif_block(&chunk(*b"zTXt", &packed), &packed).is_empty());
    }
}
