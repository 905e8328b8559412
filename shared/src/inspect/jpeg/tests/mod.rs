//! Files built byte by byte: one sound picture, and one change for each rule.

use super::*;
use crate::{Policy, inspect};
use alloc::{vec, vec::Vec};

mod scans;
mod tables;

/// A marker and its payload.
fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, marker][..], &length, payload].concat()
}

/// Gray, 8 x 8, one unit of data: the parts in order, to be changed by each test.
struct File {
    apps: Vec<u8>,
    tables: Vec<u8>,
    frame: Vec<u8>,
    scans: Vec<u8>,
    end: Vec<u8>,
}

fn scan(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&segment(0xDA, header)[..], data].concat()
}

const GRAY_FRAME: [u8; 9] = [8, 0, 8, 0, 8, 1, 1, 0x11, 0];
const GRAY_SCAN: [u8; 6] = [1, 1, 0, 0, 63, 0];
/// DC code `0`; AC code `0` ends the block; the rest is padding.
const ONE_UNIT: [u8; 1] = [0b0011_1111];

impl File {
    fn gray() -> Self {
        let quantisation = [&[0][..], &[1; 64]].concat();
        let dc = [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let ac = [0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Self {
            apps: vec![],
            tables: [segment(0xDB, &quantisation), segment(0xC4, &dc), segment(0xC4, &ac)].concat(),
            frame: segment(0xC0, &GRAY_FRAME),
            scans: scan(&GRAY_SCAN, &ONE_UNIT),
            end: vec![0xFF, 0xD9],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let parts = [&self.apps, &self.tables, &self.frame, &self.scans, &self.end];
        parts.iter().fold(vec![0xFF, 0xD8], |file, part| [&file[..], part].concat())
    }

    fn report(&self) -> Result<Report, ImageError> {
        inspect(&self.bytes(), &Policy::EDGE)
    }

    fn metadata(&self) -> Metadata {
        self.report().unwrap().metadata
    }

    fn corrupt(&self) -> Corrupt {
        match self.report() {
            Err(ImageError::Corrupt(cause)) => cause,
            other => panic!("{other:?}"),
        }
    }

    fn framed(payload: &[u8]) -> Self {
        Self { frame: segment(0xC0, payload), ..Self::gray() }
    }

    fn scanned(scans: Vec<u8>) -> Self {
        Self { scans, ..Self::gray() }
    }

    /// Three progressive scans of one component: DC, its last bit, all AC.
    fn progressive(scans: &[Vec<u8>]) -> Self {
        Self { frame: segment(0xC2, &GRAY_FRAME), scans: scans.concat(), ..Self::gray() }
    }
}

#[test]
fn a_sound_file_is_reported_exactly() {
    let expected = Report {
        format: Format::Jpeg,
        size_bytes: 141,
        width: 8,
        height: 8,
        orientation: Orientation::UPRIGHT,
        frames: 1,
        has_alpha: false,
        bit_depth: 8,
        color: Color::Gray,
        progressive: false,
        lossless: false,
        jpeg_quality: Some(100),
        jpeg_blocks: 1,
        coded: Coded { pixels: 64, scan_blocks: 1, ..Coded::default() },
        unterminated: false,
        payload: None,
        metadata: Metadata::default(),
    };
    assert_eq!(File::gray().report(), Ok(expected));
}

#[test]
fn every_prefix_is_refused() {
    let bytes = File::gray().bytes();
    // The last two lengths miss only (part of) the end mark.
    for length in 3..bytes.len() - 2 {
        let verdict = inspect(&bytes[..length], &Policy::EDGE);
        assert_eq!(verdict, Err(Corrupt::Truncated.into()), "{length}");
    }
}

#[test]
fn a_whole_picture_without_its_end_mark_is_unterminated() {
    let mut file = File::gray();
    for (end, trailing) in [(&[][..], 0), (&[0xFF], 1), (&[0xFF, 0xDB], 2)] {
        file.end = end.to_vec();
        let report = file.report().unwrap();
        assert!(report.unterminated && !report.is_clean());
        assert_eq!(report.metadata.trailing, trailing);
    }
    file.end.clear();
    file.frame = segment(0xC0, &[8, 0, 16, 0, 8, 1, 1, 0x11, 0]);
    file.scans = scan(&GRAY_SCAN, &[0b0010_1111]);
    assert_eq!(file.corrupt(), Corrupt::BadPixels);
    file.frame = segment(0xC2, &GRAY_FRAME);
    file.scans = scan(&[1, 1, 0, 0, 0, 0], &ONE_UNIT);
    assert_eq!(file.corrupt(), Corrupt::Truncated);
}

#[test]
fn what_the_frame_may_not_say_is_refused() {
    for (payload, expected) in [
        (&[12, 0, 8, 0, 8, 1, 1, 0x11, 0][..], Corrupt::Unsupported),
        (&[8, 0, 8, 0, 8, 2, 1, 0x11, 0, 2, 0x11, 0], Corrupt::Unsupported),
        (&[8, 0, 8, 0, 8, 3, 1, 0x31, 0, 2, 0x21, 0, 3, 0x11, 0], Corrupt::Unsupported),
        (&[8, 0, 0, 0, 8, 1, 1, 0x11, 0], Corrupt::NoPixels),
        (&[8, 0, 8, 0, 0, 1, 1, 0x11, 0], Corrupt::NoPixels),
        (&[8, 0, 8, 0, 8, 1, 1, 0x01, 0], Corrupt::BadHeader),
        (&[8, 0, 8, 0, 8, 1, 1, 0x15, 0], Corrupt::BadHeader),
        (&[8, 0, 8, 0, 8, 1, 1, 0x11, 4], Corrupt::BadHeader),
        (&[8, 0, 8, 0, 8, 3, 1, 0x11, 0, 1, 0x11, 0, 3, 0x11, 0], Corrupt::BadHeader),
        (&[8, 0, 8, 0, 8, 1, 1, 0x11], Corrupt::BadLength),
        (&[8, 0, 8, 0, 8], Corrupt::BadLength),
    ] {
        assert_eq!(File::framed(payload).corrupt(), expected, "{payload:?}");
    }
    for marker in [0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCC, 0xCD, 0xCE, 0xCF] {
        let file = File { frame: segment(marker, &GRAY_FRAME), ..File::gray() };
        assert_eq!(file.corrupt(), Corrupt::Unsupported, "{marker:X}");
    }
    let arithmetic = [segment(0xC0, &GRAY_FRAME), segment(0xCC, &[0, 0x10])].concat();
    let conditioned = File { frame: arithmetic, ..File::gray() };
    assert_eq!(
        conditioned.corrupt(),
        Corrupt::Unsupported,
        "also after a frame that said nothing of it"
    );
    let twice = segment(0xC0, &GRAY_FRAME).repeat(2);
    assert_eq!(File { frame: twice, ..File::gray() }.corrupt(), Corrupt::BadStructure);
}

#[test]
fn more_pixels_than_allowed_are_refused_before_the_data() {
    let file = File { scans: vec![], ..File::framed(&[8, 0xFF, 0xFF, 0xFF, 0xFF, 1, 1, 0x11, 0]) };
    let expected = ImageError::TooManyPixels { pixels: 65535 * 65535, limit: 50_000_000 };
    assert_eq!(file.report(), Err(expected));
    let within =
        |max_pixels| super::inspect(&File::gray().bytes(), &Limits { max_pixels, ..Limits::EDGE });
    assert!(within(64).is_ok(), "8 by 8");
    assert_eq!(within(63), Err(ImageError::TooManyPixels { pixels: 64, limit: 63 }));
}

#[test]
fn what_a_scan_may_not_say_is_refused() {
    for (header, expected) in [
        (&[1, 2, 0, 0, 63, 0][..], Corrupt::BadHeader), // no such component
        (&[0, 0, 63, 0], Corrupt::BadHeader),
        (&[2, 1, 0, 1, 0, 0, 63, 0], Corrupt::BadHeader),
        (&[1, 1, 0, 0, 63], Corrupt::BadLength),
        (&[1, 1, 0, 0, 63, 0, 0], Corrupt::BadLength),
        (&[], Corrupt::BadLength),
        (&[1, 1, 0, 0, 62, 0], Corrupt::BadHeader),
        (&[1, 1, 0x10, 0, 63, 0], Corrupt::BadStructure), // no such table
        (&[1, 1, 0x01, 0, 63, 0], Corrupt::BadStructure),
    ] {
        let file = File::scanned(scan(header, &ONE_UNIT));
        assert_eq!(file.corrupt(), expected, "{header:?}");
    }
    let no_frame = File { frame: vec![], ..File::gray() };
    assert_eq!(no_frame.corrupt(), Corrupt::BadStructure);
    let no_quantisation = File::framed(&[8, 0, 8, 0, 8, 1, 1, 0x11, 1]);
    assert_eq!(no_quantisation.corrupt(), Corrupt::BadStructure);
    assert_eq!(File::scanned(vec![]).corrupt(), Corrupt::NoImageData);
}

#[test]
fn a_component_without_data_is_refused() {
    let mut file = File::framed(&[8, 0, 8, 0, 8, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    file.scans = [scan(&GRAY_SCAN, &ONE_UNIT), scan(&[1, 3, 0, 0, 63, 0], &ONE_UNIT)].concat();
    assert_eq!(file.corrupt(), Corrupt::NoImageData);
    file.scans.extend(scan(&[1, 2, 0, 0, 63, 0], &ONE_UNIT));
    assert_eq!(file.report().map(|report| report.color), Ok(Color::Rgb));
}

#[test]
fn every_kind_of_private_data_is_counted() {
    let mut exif = Vec::from(*exif::PREFIX);
    exif.extend(exif::minimal(Orientation::from_exif(6)));
    exif.push(0); // no longer minimal
    let mut icc = Vec::from(*b"ICC_PROFILE\0\x01\x01");
    icc.extend([0; 36]);
    icc.extend(*b"acsp");
    let file = File {
        apps: [
            segment(0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\x01\x01rgb"),
            segment(0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"),
            segment(0xE0, b"JFXX\0\x10"),
            segment(0xE1, &exif),
            segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
            segment(0xE2, &icc),
            segment(0xE2, b"MPF\0"),
            segment(0xED, b"Photoshop 3.0\0"),
            segment(0xEE, b"Adobe\0\x64\0\0\0\0\0!"),
            segment(0xFE, b"hi"),
            segment(0xDC, &[0, 8]),
            segment(0xC8, b"reserved"),
            b"stray".to_vec(),
        ]
        .concat(),
        end: b"\xFF\xD9PK\x03\x04".to_vec(),
        ..File::gray()
    };
    let expected = Metadata {
        exif: 37,
        gps: 0,
        thumbnail: 3 + 10,
        xmp: 37,
        iptc: 18,
        icc: 58,
        comment: 6,
        vendor: 18 + 8 + 1 + 6 + 12,
        trailing: 9,
    };
    assert_eq!(file.metadata(), expected);
    assert_eq!(file.report().unwrap().orientation.exif(), 6);
}

#[test]
fn a_broken_profile_is_no_profile() {
    let file = File { apps: segment(0xE2, b"ICC_PROFILE\0\x01\x01<?php"), ..File::gray() };
    assert_eq!(file.metadata(), Metadata { vendor: 23, ..Metadata::default() });
}

#[test]
fn a_header_alone_leaves_the_file_clean() {
    let apps = [
        segment(0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"),
        segment(0xE1, &[&exif::PREFIX[..], &exif::minimal(Orientation::from_exif(8))].concat()),
        segment(0xEE, b"Adobe\0\x64\0\0\0\0\0"),
    ];
    let report = File { apps: apps.concat(), ..File::gray() }.report().unwrap();
    assert!(report.is_clean());
    assert_eq!(report.orientation.exif(), 8);
}
