//! Scrubs a JPEG: copies frame, scans and the tables that they use, and of the rest only what says how to show them.

use alloc::vec::Vec;

use crate::{
    ImageError, Report,
    container::{
        exif,
        jpeg::{
            app::{ADOBE_BYTES, App, JFIF_BYTES},
            frame::{Frame, Scan},
            segment::{Piece, Pieces, marker},
            uses::{Uses, tables},
        },
    },
    report::Orientation,
};

/// Marker, length, prefix and block of the EXIF segment that keeps a turned picture upright.
const ORIENTATION_BYTES: usize = 2 + 2 + exif::PREFIX.len() + exif::MINIMAL_LEN;

/// The picture without its private data.
///
/// # Errors
/// As probing, when the bytes are not those of the report.
pub fn scrub(bytes: &[u8], report: &Report) -> Result<Vec<u8>, ImageError> {
    let mut out = Vec::with_capacity(bytes.len() + ORIENTATION_BYTES);
    out.extend([0xFF, marker::SOI]);
    write_head(bytes, report.orientation, &mut out);
    let Needs { adobe_at, unused } = Needs::of(bytes)?;
    let mut table = 0;
    for (at, piece) in Pieces::new(bytes).enumerate() {
        match piece {
            Ok(Piece::Segment { marker, whole, payload }) => match App::of(marker, payload) {
                Some(App::Adobe(payload)) if adobe_at == Some(at) => {
                    write_segment(marker, payload, &mut out);
                }
                Some(App::Icc(_)) if report.metadata.icc > 0 => out.extend_from_slice(whole),
                None if matches!(marker, marker::DHT | marker::DQT) => {
                    let tables: Vec<_> = tables(marker, payload).collect();
                    let is_used = |index: usize| unused.binary_search(&(table + index)).is_err();
                    write_tables(whole, &tables, is_used, &mut out);
                    table += tables.len();
                }
                None if shows_pixels(marker) => out.extend_from_slice(whole),
                Some(_) | None => {}
            },
            Ok(Piece::Entropy(data)) => out.extend_from_slice(data.bytes),
            Ok(Piece::Stray(_) | Piece::End { .. }) => {}
            Err(_) if report.unterminated => break,
            Err(cause) => return Err(cause.into()),
        }
    }
    out.extend([0xFF, marker::EOI]);
    Ok(out)
}

/// What has to be known of the whole file before the first byte of it is written.
#[derive(Default)]
struct Needs {
    /// Which piece is the Adobe segment that decoders believe: the last.
    adobe_at: Option<usize>,
    /// The numbers of the tables that no scan uses, in order.
    unused: Vec<usize>,
}

impl Needs {
    fn of(bytes: &[u8]) -> Result<Self, ImageError> {
        let (mut needs, mut uses, mut frame) = (Self::default(), Uses::default(), None);
        for (at, piece) in Pieces::new(bytes).enumerate() {
            let Ok(Piece::Segment { marker, payload, .. }) = piece else { continue };
            match (marker, &frame) {
                (marker::DHT | marker::DQT, _) => {
                    uses.define(marker, payload, |unused| needs.unused.push(unused.number));
                }
                (marker::SOF0..=marker::SOF2, _) => frame = Some(Frame::parse(marker, payload)?),
                (marker::SOS, Some(frame)) => {
                    uses.scan(&Scan::parse(payload, frame)?, frame.progressive);
                }
                _ if matches!(App::of(marker, payload), Some(App::Adobe(_))) => {
                    needs.adobe_at = Some(at);
                }
                _ => {}
            }
        }
        uses.finish(|unused| needs.unused.push(unused.number));
        needs.unused.sort_unstable();
        Ok(needs)
    }
}

/// The segment with those of its tables that are used; as it stands where all are.
fn write_tables(
    whole: &[u8],
    tables: &[&[u8]],
    is_used: impl Fn(usize) -> bool,
    out: &mut Vec<u8>,
) {
    let used = || tables.iter().enumerate().filter(|(index, _)| is_used(*index)).map(|(_, it)| *it);
    if used().count() == tables.len() {
        return out.extend_from_slice(whole);
    }
    let [mark, marker, ..] = *whole else { return };
    let length = 2 + used().map(<[u8]>::len).sum::<usize>();
    // No longer than it was, which fits.
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    if length > 2 {
        out.extend([mark, marker]);
        out.extend(length.to_be_bytes());
        out.extend(used().flatten());
    }
}

/// JFIF stands first (JFIF 1.02), EXIF next, wherever they stood before.
fn write_head(bytes: &[u8], orientation: Orientation, out: &mut Vec<u8>) {
    let header = Pieces::new(bytes).find_map(|piece| match piece {
        Ok(Piece::Segment { marker, payload, .. }) => match App::of(marker, payload) {
            Some(App::Jfif(header)) => Some(header),
            _ => None,
        },
        _ => None,
    });
    if let Some([said @ .., _, _]) = header {
        // The last two bytes are the size of the thumbnail, which is gone.
        write_segment(marker::APP0, &[&said[..], &[0, 0]].concat(), out);
    }
    if orientation != Orientation::UPRIGHT {
        let payload = [&exif::PREFIX[..], &exif::minimal(orientation)].concat();
        write_segment(marker::APP1, &payload, out);
    }
}

const fn shows_pixels(marker: u8) -> bool {
    matches!(marker, marker::SOF0 | marker::SOF1 | marker::SOF2 | marker::DRI | marker::SOS)
}

/// `payload` is one of the three fixed heads above: at most [`ORIENTATION_BYTES`], so its length
/// fits in a byte.
fn write_segment(marker: u8, payload: &[u8], out: &mut Vec<u8>) {
    const { assert!(ORIENTATION_BYTES < 256 && ADOBE_BYTES < 256 && JFIF_BYTES < 256) };
    let [.., low] = (payload.len() + 2).to_be_bytes();
    out.extend([0xFF, marker, 0, low]);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, inspect};

    fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
        [&[0xFF, marker][..], &length, payload].concat()
    }

    /// Gray, 8 x 8, from its tables to its data.
    fn picture() -> Vec<u8> {
        [
            segment(0xDB, &[&[0][..], &[1; 64]].concat()),
            segment(0xC4, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            segment(0xC4, &[0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            segment(0xC0, &[8, 0, 8, 0, 8, 1, 1, 0x11, 0]),
            segment(0xDA, &[1, 1, 0, 0, 63, 0]),
            b"?".to_vec(),
        ]
        .concat()
    }

    fn icc() -> Vec<u8> {
        segment(0xE2, &[&b"ICC_PROFILE\0\x01\x01"[..], &[0; 36], b"acsp"].concat())
    }

    fn scrubbed(file: &[u8]) -> Vec<u8> {
        let report = inspect(file, &Policy::EDGE).unwrap();
        let out = scrub(file, &report).unwrap();
        let after = inspect(&out, &Policy::EDGE).unwrap();
        assert!(after.is_clean(), "{after:?}");
        assert_eq!(
            (after.orientation, after.metadata.icc),
            (report.orientation, report.metadata.icc)
        );
        assert_eq!(scrub(&out, &after).unwrap(), out, "scrubbing twice changes nothing");
        out
    }

    #[test]
    fn used_tables_of_a_segment_stay_with_a_new_length() {
        let (first, second, third) = (&[1, 2, 3][..], &[4, 5][..], &[6][..]);
        let whole = [&[0xFF, marker::DHT, 0, 8][..], first, second, third].concat();
        let written = |used: &[usize]| {
            let mut out = Vec::new();
            write_tables(&whole, &[first, second, third], |at| used.contains(&at), &mut out);
            out
        };
        assert_eq!(written(&[0, 1, 2]), whole);
        assert_eq!(written(&[0, 2]), [0xFF, marker::DHT, 0, 6, 1, 2, 3, 6]);
        assert_eq!(written(&[1]), [0xFF, marker::DHT, 0, 4, 4, 5]);
        assert!(written(&[]).is_empty());
    }

    #[test]
    fn only_the_last_adobe_segment_stays() {
        let [hidden, last] =
            [b"Adobe\0dPK\x03\x04\x01", b"Adobe\0d\0\0\0\0\0"].map(|it| segment(0xEE, it));
        let file = [b"\xFF\xD8", &hidden[..], &hidden, &last, &picture(), b"\xFF\xD9"].concat();
        let expected = [b"\xFF\xD8", &last[..], &picture(), b"\xFF\xD9"].concat();
        assert_eq!(scrubbed(&file), expected);
    }

    #[test]
    fn only_segments_that_decoding_needs_stay() {
        let turned = exif::minimal(Orientation::from_exif(6));
        let exif_block = [&exif::PREFIX[..], &turned, b"GPS"].concat();
        let file = [
            b"\xFF\xD8".to_vec(),
            segment(0xE1, &exif_block),
            segment(0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\x01\x01rgb"),
            segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
            icc(),
            segment(0xED, b"Photoshop 3.0\0"),
            segment(0xEE, b"Adobe\0\x64\0\0\0\0\0!"),
            segment(0xFE, b"<?php"),
            picture(),
            b"\xFF\xD9PK\x03\x04".to_vec(),
        ];
        let expected = [
            b"\xFF\xD8".to_vec(),
            segment(0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"),
            segment(0xE1, &[&exif::PREFIX[..], &turned].concat()),
            icc(),
            segment(0xEE, b"Adobe\0\x64\0\0\0\0\0"),
            picture(),
            b"\xFF\xD9".to_vec(),
        ];
        assert_eq!(scrubbed(&file.concat()), expected.concat());
    }

    #[test]
    fn a_clean_file_stays_as_it_is() {
        let file = [&b"\xFF\xD8"[..], &picture(), b"\xFF\xD9"].concat();
        assert_eq!(scrubbed(&file), file);
    }

    #[test]
    fn a_missing_end_mark_is_added() {
        let expected = [&b"\xFF\xD8"[..], &picture(), b"\xFF\xD9"].concat();
        for end in [&b""[..], b"\xFF", b"\xFF\xDB", b"\xFF\xDB\0\x40"] {
            let file = [&b"\xFF\xD8"[..], &picture(), end].concat();
            assert_eq!(scrubbed(&file), expected);
        }
    }

    #[test]
    fn an_invalid_profile_is_removed() {
        let false_icc = segment(0xE2, b"ICC_PROFILE\0\x01\x01<script>");
        let file = [&b"\xFF\xD8"[..], &false_icc, &picture(), b"\xFF\xD9"].concat();
        assert_eq!(scrubbed(&file), [&b"\xFF\xD8"[..], &picture(), b"\xFF\xD9"].concat());
    }
}
