//! Texts in a PNG (tEXt, zTXt, iTXt): what each is, told by its keyword.
//!
//! Nothing is unpacked. ImageMagick keeps a whole EXIF block as digits in such a text and XMP may name
//! an orientation too; neither turns the picture, because browsers and libvips do not look there, and
//! what is stored is to look as it did before.

use super::chunk::Chunk;
use crate::probe::Metadata;

/// Counts a text by the keywords that ImageMagick, exiftool and Adobe write.
pub fn tally(chunk: &Chunk<'_>, metadata: &mut Metadata) {
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
mod tests {
    use super::*;

    #[test]
    fn keywords_tell() {
        let cases: [(&[u8], Metadata); 5] = [
            (b"XML:com.adobe.xmp\0\0", Metadata { xmp: 19, ..Metadata::default() }),
            (b"Raw profile type iptc\0", Metadata { iptc: 22, ..Metadata::default() }),
            (b"Raw profile type exif\0", Metadata { exif: 22, ..Metadata::default() }),
            (b"Software\0x", Metadata { comment: 10, ..Metadata::default() }),
            (b"", Metadata::default()),
        ];
        for (data, expected) in cases {
            let mut metadata = Metadata::default();
            tally(&Chunk { kind: *b"iTXt", data, raw: data }, &mut metadata);
            assert_eq!(metadata, expected);
        }
    }
}
