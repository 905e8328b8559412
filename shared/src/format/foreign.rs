//! Names of file types that are not accepted, so that the refusal can say what the file is.
//!
//! A wrong name does no harm, because every type but the four formats is refused. Types that browsers decode
//! (HEIC, AVIF, BMP, TIFF) and markup are recognised here, by the first bytes of a file; `infer` names the rest.

use infer::{Matcher, app, archive, audio, doc, font, image, text, video};

use super::ForeignType;

/// The type's name, when the bytes show one.
pub fn foreign(bytes: &[u8]) -> Option<ForeignType> {
    let name = signature(bytes)
        .or_else(|| iso_media(bytes))
        .or_else(|| bitmap(bytes))
        .or_else(|| markup(bytes))
        .or_else(|| OTHERS.iter().find(|(matches, _)| matches(bytes)).map(|(_, name)| *name));
    name.map(|name| ForeignType { name })
}

/// Offset, magic bytes and name of types that `infer` does not know, or only from more bytes.
#[rustfmt::skip]
const SIGNATURES: &[(usize, &[u8], &str)] = &[
    (8, b"CR\x02\0", "camera raw"), (0, b"IIU\0", "camera raw"), (0, b"IIRO", "camera raw"),
    (0, b"FUJIFILMCCD-RAW", "camera raw"), (0, b"II*\0", "TIFF"), (0, b"MM\0*", "TIFF"), (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"), (0, b"\xFF\x4F\xFF\x51", "JPEG 2000"), (0, b"\0\0\x02\0", "CUR"), (8, b"ACON", "ANI"),
    (0, b"icns", "ICNS"), (0, b"qoif", "QOI"), (0, b"BPG\xFB", "BPG"), (0, b"FLIF", "FLIF"), (0, b"\xCF\x84", "Lepton"),
    (0, b"v/1\x01", "OpenEXR"), (0, b"#?RADIANCE", "HDR"), (0, b"DDS ", "DDS"), (0, b"\xABKTX", "KTX"),
    (0, b"\x8AMNG\r\n\x1A\n", "MNG"), (0, b"\x8BJNG\r\n\x1A\n", "JNG"), (0, b"\xC5\xD0\xD3\xC6", "PostScript"),
    (0, b"\xCA\xFE\xBA\xBE", "Java class"), (0, b"ZWS", "Flash"), (0, b"RE~^", "RAR"), (0, b"\x60\xEA", "ARJ"),
    (0, b"0707", "cpio"), (0, b"IWAD", "WAD"), (0, b"PWAD", "WAD"), (0, b"YUV4MPEG2", "Y4M"),
    (0, b"\xD4\xC3\xB2\xA1", "pcap"), (0, b"\xA1\xB2\xC3\xD4", "pcap"), (0, b"\n\r\r\n", "pcap"),
];

/// What `infer` recognises. Left out are the matchers of two or three bytes that other data begins with, too, and
/// those of ISO media, BMP and markup, which find less than the ones below.
#[rustfmt::skip]
const OTHERS: &[(Matcher, &str)] = &[
    (image::is_jpeg2000, "JPEG 2000"), (image::is_jxl, "JPEG XL"), (image::is_jxr, "JPEG XR"), (image::is_psd, "PSD"),
    (image::is_ico, "ICO"), (image::is_djvu, "DjVu"), (archive::is_dcm, "DICOM"), (archive::is_pdf, "PDF"),
    (archive::is_ps, "PostScript"), (archive::is_rtf, "RTF"), (doc::is_doc, "Office document"),
    (archive::is_sqlite, "SQLite"), (app::is_pem, "PEM"), (text::is_shellscript, "script"),
    (app::is_exe, "executable"), (app::is_elf, "executable"), (app::is_mach, "executable"), (app::is_dex, "executable"),
    (app::is_wasm, "WebAssembly"), (archive::is_swf, "Flash"), (archive::is_zip, "ZIP"), (archive::is_7z, "7-Zip"),
    (archive::is_rar, "RAR"), (archive::is_gz, "gzip"), (archive::is_bz2, "bzip2"), (archive::is_xz, "xz"),
    (archive::is_zst, "Zstandard"), (archive::is_cab, "CAB"), (archive::is_ar, "ar"), (archive::is_cpio, "cpio"),
    (archive::is_tar, "TAR"), (video::is_mkv, "Matroska"), (video::is_webm, "Matroska"), (video::is_flv, "FLV"),
    (video::is_mpeg, "MPEG"), (video::is_wmv, "WMV"), (video::is_avi, "AVI"), (video::is_mov, "QuickTime"),
    (audio::is_wav, "WAV"), (audio::is_ogg, "Ogg"), (audio::is_flac, "FLAC"), (audio::is_mp3, "MP3"),
    (audio::is_aac, "AAC"), (audio::is_midi, "MIDI"), (audio::is_aiff, "AIFF"), (font::is_woff, "font"),
    (font::is_woff2, "font"), (font::is_otf, "font"), (font::is_ttf, "font"),
];

fn signature(bytes: &[u8]) -> Option<&'static str> {
    let matches = |(at, magic, _): &&(usize, &[u8], _)| {
        bytes.get(*at..).is_some_and(|tail| tail.starts_with(magic))
    };
    SIGNATURES.iter().find(matches).map(|(.., name)| *name)
}

/// ISO/IEC 14496-12 section 4.3: the major brand, a version, and the brands it is compatible with.
/// HEIC and AVIF share the container and often the major brand `mif1`, so all brands are compared.
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

/// Many texts begin with `BM`, so the length of the second header is checked as well.
fn bitmap(bytes: &[u8]) -> Option<&'static str> {
    let header = bytes.strip_prefix(b"BM")?.get(12..16)?;
    matches!(header, [12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]).then_some("BMP")
}

/// Bytes of a text that are searched for elements.
const TEXT_BYTES: usize = 4096;

/// Recognises markup by its first element, or by an `svg`, `script` or `html` element after comments and the like.
fn markup(bytes: &[u8]) -> Option<&'static str> {
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
    fn common_wrong_types_are_named() {
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
    fn similar_bytes_have_no_name() {
        for bytes in [&b"BMW is a car maker in Munich"[..], b"a < b", b"RIFF", b"\0\0", b"< x"] {
            assert_eq!(foreign(bytes), None, "{bytes:?}");
        }
    }
}
