//! File types that are known by name and not taken, so that the sentence can say what came.
//!
//! A wrong guess here costs only a word: whatever is not one of the four formats is refused anyway.
//! Ordered from the specific to the general; names are what people call the files.

use super::ForeignType;

/// The type's name, when the bytes show one.
#[must_use]
pub fn foreign(bytes: &[u8]) -> Option<ForeignType> {
    let name = signature(bytes)
        .or_else(|| iso_media(bytes))
        .or_else(|| riff(bytes))
        .or_else(|| bitmap(bytes))
        .or_else(|| text(bytes));
    name.map(|name| ForeignType { name })
}

/// Where a signature stands, what it is, and whose it is.
#[rustfmt::skip]
const SIGNATURES: &[(usize, &[u8], &str)] = &[
    // Pictures.
    (0, b"\0\0\0\x0CjP  \r\n\x87\n", "JPEG 2000"), (0, b"\xFF\x4F\xFF\x51", "JPEG 2000"),
    (0, b"\0\0\0\x0CJXL \r\n\x87\n", "JPEG XL"), (0, b"\xFF\x0A", "JPEG XL"),
    (0, b"II\xBC\x01", "JPEG XR"), (8, b"CR\x02\0", "camera raw"), (0, b"IIU\0", "camera raw"),
    (0, b"IIRO", "camera raw"), (0, b"FUJIFILMCCD-RAW", "camera raw"),
    (0, b"II*\0", "TIFF"), (0, b"MM\0*", "TIFF"), (0, b"II+\0", "TIFF"), (0, b"MM\0+", "TIFF"),
    (0, b"\0\0\x01\0", "ICO"), (0, b"\0\0\x02\0", "CUR"), (0, b"icns", "ICNS"),
    (0, b"8BPS", "PSD"), (0, b"qoif", "QOI"), (0, b"BPG\xFB", "BPG"), (0, b"FLIF", "FLIF"),
    (0, b"\xCF\x84", "Lepton"), (0, b"v/1\x01", "OpenEXR"), (0, b"#?RADIANCE", "HDR"),
    (0, b"DDS ", "DDS"), (0, b"\xABKTX", "KTX"), (0, b"AT&TFORM", "DjVu"), (128, b"DICM", "DICOM"),
    (0, b"\x8AMNG\r\n\x1A\n", "MNG"), (0, b"\x8BJNG\r\n\x1A\n", "JNG"),
    // Documents and text.
    (0, b"%PDF-", "PDF"), (0, b"%!PS", "PostScript"), (0, b"\xC5\xD0\xD3\xC6", "PostScript"),
    (0, b"{\\rtf", "RTF"), (0, b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "Office document"),
    (0, b"SQLite format 3\0", "SQLite"), (0, b"-----BEGIN ", "PEM"), (0, b"#!", "script"),
    // Programs.
    (0, b"MZ", "executable"), (0, b"\x7FELF", "executable"), (0, b"\0asm", "WebAssembly"),
    (0, b"\xCA\xFE\xBA\xBE", "Java class"), (0, b"dex\n", "executable"),
    (0, b"\xFE\xED\xFA\xCE", "executable"), (0, b"\xFE\xED\xFA\xCF", "executable"),
    (0, b"\xCE\xFA\xED\xFE", "executable"), (0, b"\xCF\xFA\xED\xFE", "executable"),
    (0, b"FWS", "Flash"), (0, b"CWS", "Flash"), (0, b"ZWS", "Flash"),
    // Archives.
    (0, b"PK\x03\x04", "ZIP"), (0, b"PK\x05\x06", "ZIP"), (0, b"PK\x07\x08", "ZIP"),
    (0, b"7z\xBC\xAF\x27\x1C", "7-Zip"), (0, b"Rar!\x1A\x07", "RAR"), (0, b"RE~^", "RAR"),
    (0, b"\x1F\x8B", "gzip"), (0, b"BZh", "bzip2"), (0, b"\xFD7zXZ\0", "xz"),
    (0, b"\x28\xB5\x2F\xFD", "Zstandard"), (0, b"MSCF", "CAB"), (0, b"!<arch>\n", "ar"),
    (0, b"\x60\xEA", "ARJ"), (0, b"0707", "cpio"), (0, b"\xC7\x71", "cpio"),
    (257, b"ustar", "TAR"), (0, b"IWAD", "WAD"), (0, b"PWAD", "WAD"),
    // Sound and film.
    (0, b"\x1A\x45\xDF\xA3", "Matroska"), (0, b"FLV\x01", "FLV"), (0, b"YUV4MPEG2", "Y4M"),
    (0, b"\0\0\x01\xBA", "MPEG"), (0, b"\0\0\x01\xB3", "MPEG"), (0, b"\x30\x26\xB2\x75", "WMV"),
    (0, b"OggS", "Ogg"), (0, b"fLaC", "FLAC"), (0, b"ID3", "MP3"), (0, b"\xFF\xFB", "MP3"),
    (0, b"\xFF\xF3", "MP3"), (0, b"\xFF\xF2", "MP3"), (0, b"\xFF\xF1", "AAC"), (0, b"\xFF\xF9", "AAC"),
    (0, b"MThd", "MIDI"), (8, b"AIFF", "AIFF"),
    // Fonts and captures.
    (0, b"wOFF", "font"), (0, b"wOF2", "font"), (0, b"OTTO", "font"), (0, b"\0\x01\0\0\0", "font"),
    (0, b"\xD4\xC3\xB2\xA1", "pcap"), (0, b"\xA1\xB2\xC3\xD4", "pcap"), (0, b"\n\r\r\n", "pcap"),
];

fn signature(bytes: &[u8]) -> Option<&'static str> {
    let stands = |(at, magic, _): &&(usize, &[u8], _)| {
        bytes.get(*at..).is_some_and(|tail| tail.starts_with(magic))
    };
    SIGNATURES.iter().find(stands).map(|(.., name)| *name)
}

/// ISO/IEC 14496-12 section 4.3: the major brand, a version, and the brands it is compatible with.
/// HEIC and AVIF share the container and often the major brand `mif1`, so all brands are asked.
fn iso_media(bytes: &[u8]) -> Option<&'static str> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let brands = rest.strip_prefix(b"ftyp")?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?.saturating_sub(8);
    let brands = brands.get(..length.min(brands.len()))?.as_chunks::<4>().0;
    let has = |wanted: &[&[u8; 4]]| brands.iter().any(|brand| wanted.contains(&brand));
    let name = if has(&[b"avif", b"avis"]) {
        "AVIF"
    } else if has(&[b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"]) {
        "HEIC"
    } else if has(&[b"crx "]) {
        "camera raw"
    } else if has(&[b"qt  "]) {
        "QuickTime"
    } else {
        "MP4"
    };
    Some(name)
}

fn riff(bytes: &[u8]) -> Option<&'static str> {
    let kind = bytes.strip_prefix(b"RIFF")?.get(4..8)?;
    match kind {
        b"WAVE" => Some("WAV"),
        b"AVI " => Some("AVI"),
        b"ACON" => Some("ANI"),
        _ => None,
    }
}

/// `BM` alone begins many a text; the length of the second header makes it a bitmap.
fn bitmap(bytes: &[u8]) -> Option<&'static str> {
    let header = bytes.strip_prefix(b"BM")?.get(12..16)?;
    matches!(header, [12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]).then_some("BMP")
}

/// How far a text is searched for the element that names it.
const TEXT_BYTES: usize = 4096;

/// Markup: by its first element, or by an `svg` or `html` element soon after comments and the like.
fn text(bytes: &[u8]) -> Option<&'static str> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    let bytes = bytes.get(..TEXT_BYTES).unwrap_or(bytes);
    let has = |element: &[u8]| {
        bytes.windows(element.len()).any(|window| window.eq_ignore_ascii_case(element))
    };
    match bytes {
        [b'<', b'?', b'p' | b'P' | b'=', ..] => Some("PHP"),
        [b'<', ..] if has(b"<svg") => Some("SVG"),
        [b'<', b'?', b'x' | b'X', ..] => Some("XML"),
        [b'<', b'!' | b'a'..=b'z' | b'A'..=b'Z', ..] => Some("HTML"),
        _ if has(b"<script") || has(b"<html") => Some("HTML"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_send_by_mistake_is_named() {
        for (bytes, expected) in [
            (&b"\0\0\0\x1Cftypheic\0\0\0\0mif1heic"[..], "HEIC"),
            (b"\0\0\0\x1Cftypmif1\0\0\0\0mif1avif", "AVIF"),
            (b"\0\0\0\x14ftypmif1\0\0\0\0mif1avif", "HEIC"), // a brand beyond the box is none
            (b"\0\0\0\x18ftypisom\0\0\0\0mp42", "MP4"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "QuickTime"),
            (b"\0\0\0\x0Cftyp", "MP4"),
            (b"\0\0\0\x0Cftypcrx ", "camera raw"),
            (b"RIFF\0\0\0\0WAVEfmt ", "WAV"),
            (b"RIFF\0\0\0\0AVI LIST", "AVI"),
            (b"RIFF\0\0\0\0ACONanih", "ANI"),
            (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "BMP"),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "SVG"),
            (b"\xEF\xBB\xBF \n<?xml version=\"1.0\"?><!-- a --><SVG>", "SVG"),
            (b"<?xml version=\"1.0\"?><note/>", "XML"),
            (b"<!-- hidden --><svg onload=alert(1)>", "SVG"),
            (b"<!DOCTYPE html><html>", "HTML"),
            (b"<p>Dear customer", "HTML"),
            (b"<BODY bgcolor=white>", "HTML"),
            (b"<!-- saved from a page -->", "HTML"),
            (b"-->\n<script>alert(1)</script>", "HTML"),
            (b"-->\n<HTML lang=ko>", "HTML"),
            (b"<?php system($_GET[0]);", "PHP"),
            (b"%PDF-1.7", "PDF"),
            (b"PK\x03\x04\x14\0", "ZIP"),
            (b"MZ\x90\0", "executable"),
            (b"II*\0\x10\0\0\0CR\x02\0", "camera raw"),
            (b"II*\0\x08\0\0\0", "TIFF"),
        ] {
            assert_eq!(foreign(bytes), Some(ForeignType { name: expected }), "{bytes:?}");
        }
    }

    #[test]
    fn what_only_looks_alike_has_no_name() {
        for bytes in [&b"BMW is a car maker in Munich"[..], b"a < b", b"RIFF", b"\0\0", b"< x"] {
            assert_eq!(foreign(bytes), None, "{bytes:?}");
        }
    }
}
