//! What the walk through a GIF finds, allows and refuses.

use super::*;
use crate::{
    Format, Policy, inspect,
    report::{Coded, Color, Metadata, Orientation},
    scrub,
};
use alloc::vec::Vec;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/gif/", $name))
    };
}

/// A fixture, and how its report differs from [`plain`].
type Case = (&'static [u8], fn(&mut Report));

/// What all fixtures share; each test says what differs.
fn plain(bytes: &[u8]) -> Report {
    Report {
        format: Format::Gif,
        size_bytes: bytes.len() as u64,
        width: 24,
        height: 16,
        orientation: Orientation::UPRIGHT,
        frames: 1,
        has_alpha: false,
        bit_depth: 5,
        color: Color::Palette,
        progressive: false,
        lossless: true,
        jpeg_quality: None,
        jpeg_blocks: 0,
        coded: Coded { pixels: 384, ..Coded::default() },
        unterminated: false,
        payload: None,
        metadata: Metadata::default(),
    }
}

fn inspected(bytes: &[u8]) -> Result<Report, ImageError> {
    inspect(bytes, &Policy::EDGE)
}

#[test]
fn every_variant_is_reported_exactly() {
    let cases: [Case; 4] = [
        (fixture!("still.gif"), |_| {}),
        (fixture!("interlaced.gif"), |it| it.progressive = true),
        (fixture!("animated.gif"), |it| {
            // Its later frames mark what has not changed as transparent.
            (it.frames, it.bit_depth, it.has_alpha) = (3, 4, true);
            it.coded.pixels = 3 * 384;
        }),
        (fixture!("animated-transparent.gif"), |it| {
            (it.frames, it.bit_depth, it.has_alpha) = (3, 2, true);
            it.coded.pixels = 384 + 2 * 6 * 8;
        }),
    ];
    for (bytes, differs) in cases {
        let mut expected = plain(bytes);
        differs(&mut expected);
        assert_eq!(inspected(bytes), Ok(expected.clone()));
        assert_eq!(scrub(bytes, &expected).as_deref(), Ok(bytes), "a clean file stays as it is");
    }
}

#[test]
fn a_comment_is_counted_and_scrubbed() {
    let bytes = fixture!("comment.gif");
    let mut expected = Report { progressive: true, ..plain(bytes) };
    expected.metadata.comment = 17;
    assert_eq!(inspected(bytes), Ok(expected.clone()));
    let clean = scrub(bytes, &expected).unwrap();
    assert_eq!(clean.len(), bytes.len() - 17);
    assert!(inspected(&clean).unwrap().is_clean());
}

const SCREEN: &[u8] = b"GIF89a\x04\0\x04\0\x80\0\0\0\0\0\xFF\xFF\xFF";
const TRAILER: &[u8] = b";";

/// A frame of 4 by 4, its codes cleared after each pixel.
fn frame_at(left: u8, top: u8) -> Vec<u8> {
    let mut out = Vec::from([0x2C, left, 0, top, 0, 4, 0, 4, 0, 0, 2, 13]);
    out.extend([0x04, 0x41, 0x10, 0x04, 0x41, 0x10, 0x04, 0x41, 0x10, 0x04, 0x41, 0x10, 0x05, 0]);
    out
}

fn gif(blocks: &[&[u8]]) -> Vec<u8> {
    blocks.concat()
}

fn verdict(blocks: &[&[u8]]) -> Result<Report, ImageError> {
    inspected(&gif(blocks))
}

#[test]
fn extensions_are_counted_by_kind_and_only_what_shows_is_kept() {
    let frame = frame_at(0, 0);
    let control = b"!\xF9\x04\x08\x05\0\0\0";
    let repeat = b"!\xFF\x0BNETSCAPE2.0\x03\x01\x07\0\0";
    let cases: [(&[u8], Metadata); 10] = [
        (b"!\xFE\x05hello\0", Metadata { comment: 9, ..Metadata::default() }),
        (b"!\x01\x0C............\x02hi\0", Metadata { comment: 19, ..Metadata::default() }),
        (b"!\xFF\x0BXMP DataXMP\x01x\0", Metadata { xmp: 17, ..Metadata::default() }),
        (b"!\xFF\x0BMGKIPTC0000\x01x\0", Metadata { iptc: 17, ..Metadata::default() }),
        (b"!\xFF\x0BMAGICDATA__\x01x\0", Metadata { vendor: 17, ..Metadata::default() }),
        (b"!\xFF\x0BICCRGBG1012\x02ab\0", Metadata { vendor: 18, ..Metadata::default() }),
        (b"!\xFF\x0BNETSCAPE2.0\0", Metadata { vendor: 15, ..Metadata::default() }),
        (b"!\xFF\0", Metadata { vendor: 3, ..Metadata::default() }),
        (b"!\x77\x02ab\0", Metadata { vendor: 6, ..Metadata::default() }),
        (b"!\xF9\x03abc\0", Metadata { vendor: 7, ..Metadata::default() }),
    ];
    let clean = gif(&[SCREEN, repeat, control, &frame, TRAILER]);
    for (extension, counted) in cases {
        let bytes = gif(&[SCREEN, repeat, extension, control, &frame, TRAILER]);
        let report = inspected(&bytes).unwrap();
        assert_eq!(report.metadata, counted, "{extension:?}");
        assert_eq!(scrub(&bytes, &report), Ok(clean.clone()), "{extension:?}");
    }
}

#[test]
fn slack_in_kept_extensions_is_cut_off() {
    let frame = frame_at(0, 0);
    let clean = gif(&[
        SCREEN,
        b"!\xFF\x0BNETSCAPE2.0\x03\x01\x07\0\0",
        b"!\xF9\x04\x08\x05\0\0\0",
        &frame,
        TRAILER,
    ]);
    let bytes = gif(&[
        SCREEN,
        b"!\xF9\x04\x01\x02\x03\x04\0",
        b"!\xFF\x0BNETSCAPE2.0\x06secret\x03\x01\x07\0\0",
        b"!\xF9\x06\x08\x05\0\0ab\x01c\0",
        &frame,
        b"!\xF9\x04\x01\x02\x03\x04\0",
        TRAILER,
    ]);
    let report = inspected(&bytes).unwrap();
    // An overridden control block, a secret, slack of four, a control block without a frame.
    assert_eq!(report.metadata, Metadata { vendor: 8 + 7 + 4 + 8, ..Metadata::default() });
    assert!(!report.has_alpha, "the overridden block said transparent");
    assert_eq!(scrub(&bytes, &report), Ok(clean));
}

#[test]
fn what_decoders_take_for_the_end_ends_it() {
    let frame = frame_at(0, 0);
    let clean = gif(&[SCREEN, &frame, TRAILER]);
    for rest in [&b""[..], b"\0", b"junk", b"!\xFE\x10cut", b"!"] {
        let bytes = gif(&[SCREEN, &frame, rest]);
        let report = inspected(&bytes).unwrap();
        assert!(report.unterminated && !report.is_clean());
        assert_eq!(report.metadata.trailing, rest.len() as u64);
        assert_eq!(scrub(&bytes, &report), Ok(clean.clone()));
    }
    let bytes = gif(&[&clean, b"<?php payload"]);
    let report = inspected(&bytes).unwrap();
    assert_eq!((report.unterminated, report.metadata.trailing), (false, 13));
    assert_eq!(scrub(&bytes, &report), Ok(clean));
}

#[test]
fn broken_files_are_refused_by_cause() {
    let frame = frame_at(0, 0);
    let patched = |at: usize, value: u8| {
        let mut frame = frame.clone();
        frame[at] = value;
        frame
    };
    for (blocks, cause) in [
        (&[SCREEN, TRAILER][..], Corrupt::NoImageData),
        (&[SCREEN], Corrupt::Truncated),
        (&[SCREEN, b"!\xFE\x10cut"], Corrupt::Truncated),
        (&[SCREEN, b"junk"], Corrupt::BadStructure),
        (&[&SCREEN[..12]], Corrupt::Truncated),
        (&[SCREEN, &frame[..20]], Corrupt::Truncated),
        (&[SCREEN, &frame, &frame[..20]], Corrupt::Truncated),
        (&[SCREEN, &patched(5, 0), TRAILER], Corrupt::NoPixels),
        (&[SCREEN, &patched(10, 9), TRAILER], Corrupt::BadHeader),
        (&[SCREEN, &frame[..11], b"\0", TRAILER], Corrupt::NoImageData),
        // A second frame with more pixels than the canvas.
        (&[SCREEN, &frame, &patched(5, 5), TRAILER], Corrupt::BadStructure),
    ] {
        assert_eq!(verdict(blocks), Err(cause.into()), "{blocks:?}");
    }
}

#[test]
fn the_canvas_grows_with_the_first_frame_only() {
    let size = |blocks: &[&[u8]]| verdict(blocks).map(|it| (it.width, it.height, it.has_alpha));
    let mut small = Vec::from(SCREEN);
    (small[6], small[8]) = (0, 2);
    assert_eq!(size(&[&small, &frame_at(0, 0), TRAILER]), Ok((4, 4, false)));
    assert_eq!(size(&[&small, &frame_at(1, 0), TRAILER]), Ok((5, 4, true)), "a clear edge");
    assert_eq!(size(&[SCREEN, &frame_at(0, 0), &frame_at(9, 9), TRAILER]), Ok((4, 4, false)));
}

#[test]
fn what_is_cleared_and_not_covered_again_is_transparent() {
    let cleared = b"!\xF9\x04\x08\x05\0\0\0";
    let alpha = |blocks: &[&[u8]]| verdict(blocks).map(|it| it.has_alpha);
    let (all, part) = (frame_at(0, 0), frame_at(2, 2));
    assert_eq!(alpha(&[SCREEN, cleared, &all, &all, TRAILER]), Ok(false));
    assert_eq!(alpha(&[SCREEN, cleared, &all, &part, TRAILER]), Ok(true));
    assert_eq!(alpha(&[SCREEN, &all, &part, TRAILER]), Ok(false));
    // Before the first frame there was nothing; before a later one, what that one covered.
    let restored = b"!\xF9\x04\x0C\x05\0\0\0";
    assert_eq!(alpha(&[SCREEN, restored, &all, &part, TRAILER]), Ok(true));
    assert_eq!(alpha(&[SCREEN, &all, restored, &all, &part, TRAILER]), Ok(false));
}

#[test]
fn bombs_are_refused_by_their_headers() {
    let mut wide = Vec::from(SCREEN);
    wide[6..10].fill(0xFF);
    let limit = Limits::MAX_PIXELS;
    let pixels = 65_535 * 65_535;
    assert_eq!(verdict(&[&wide]), Err(ImageError::TooManyPixels { pixels, limit }));

    let mut frame = frame_at(0, 0);
    frame[5..9].fill(0xFF);
    assert_eq!(
        verdict(&[SCREEN, &frame, TRAILER]),
        Err(ImageError::TooManyPixels { pixels, limit })
    );

    let frame = frame_at(0, 0);
    let many: Vec<&[u8]> = core::iter::once(SCREEN).chain((0..201).map(|_| &frame[..])).collect();
    assert_eq!(verdict(&many), Err(ImageError::TooManyFrames { limit: 200 }));
}

#[test]
fn the_pixels_of_all_frames_are_counted() {
    let (all, part) = (frame_at(0, 0), frame_at(2, 2));
    let report = verdict(&[SCREEN, &all, &part, &part, TRAILER]).expect("sound");
    assert_eq!((report.frames, report.coded.pixels), (3, 3 * 4 * 4));
}
