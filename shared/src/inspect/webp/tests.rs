//! What the walk through a WebP finds, allows and refuses.

use super::*;
use crate::{
    Format, Policy,
    container::webp,
    inspect,
    report::{Coded, Color, Metadata, Orientation},
    scrub,
};
use alloc::vec::Vec;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/webp/", $name))
    };
}

/// A fixture, and how its report differs from [`plain`].
type Case = (&'static [u8], fn(&mut Report));

/// What all fixtures share; each test says what differs.
fn plain(bytes: &[u8]) -> Report {
    Report {
        format: Format::WebP,
        size_bytes: bytes.len() as u64,
        width: 24,
        height: 16,
        orientation: Orientation::UPRIGHT,
        frames: 1,
        has_alpha: false,
        bit_depth: 8,
        color: Color::Rgb,
        progressive: false,
        lossless: false,
        jpeg_quality: None,
        jpeg_blocks: 0,
        coded: Coded { pixels: 384, lossy_pixels: 384, ..Coded::default() },
        unterminated: false,
        payload: None,
        metadata: Metadata::default(),
    }
}

fn set_side_data(it: &mut Report, groups: u64, pixels: u64, size_bytes: u64) {
    let coded = &mut it.coded;
    (coded.code_groups, coded.side_pixels, coded.largest_side_bytes) = (groups, pixels, size_bytes);
}

fn inspected(bytes: &[u8]) -> Result<Report, ImageError> {
    inspect(bytes, &Policy::EDGE)
}

#[test]
fn every_variant_is_reported_exactly() {
    let cases: [Case; 6] = [
        (fixture!("lossy.webp"), |_| {}),
        (fixture!("lossy-alpha.webp"), |it| {
            (it.has_alpha, it.coded.alpha_pixels) = (true, 384);
            set_side_data(it, 1, 1, 1182);
        }),
        (fixture!("lossless.webp"), |it| {
            (it.lossless, it.coded.lossy_pixels) = (true, 0);
            set_side_data(it, 1, 12, 1352);
        }),
        (fixture!("lossless-alpha.webp"), |it| {
            (it.lossless, it.has_alpha, it.coded.lossy_pixels) = (true, true, 0);
            set_side_data(it, 1, 12, 1384);
        }),
        (fixture!("animated.webp"), |it| {
            let pixels = 2 * 384 + 17 * 16;
            (it.frames, it.coded.pixels, it.coded.lossy_pixels) = (3, pixels, pixels);
            it.coded.largest_frame_bytes = 208;
        }),
        (fixture!("animated-lossless.webp"), |it| {
            (it.frames, it.lossless, it.has_alpha) = (3, true, true);
            (it.coded.pixels, it.coded.lossy_pixels) = (3 * 384, 0);
            it.coded.largest_frame_bytes = 160;
            set_side_data(it, 3, 3, 1550);
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
fn private_data_is_counted_by_kind_and_scrubbed() {
    let bytes = fixture!("private.webp");
    let mut expected = plain(bytes);
    expected.orientation = Orientation::from_exif(6);
    expected.metadata = Metadata { exif: 74, gps: 102, xmp: 66, icc: 596, ..Metadata::default() };
    assert_eq!(inspected(bytes), Ok(expected.clone()));

    let clean = scrub(bytes, &expected).unwrap();
    let left = Metadata { icc: 596, ..Metadata::default() };
    let expected = Report { size_bytes: clean.len() as u64, metadata: left, ..expected };
    assert_eq!(inspected(&clean), Ok(expected));
    for private in [&b"Fixture Camera"[..], b"xmpmeta"] {
        assert!(!clean.windows(private.len()).any(|window| window == private));
    }
    assert_eq!(clean[20], flag::ICC | flag::EXIF, "what is announced is there");
}

type Part<'a> = (&'a [u8; 4], &'a [u8]);

fn riff(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::from(*b"WEBP");
    for (kind, data) in parts {
        webp::write(**kind, data, &mut body);
    }
    let mut out = Vec::new();
    webp::write(*b"RIFF", &body, &mut out);
    out
}

fn verdict(parts: &[Part<'_>]) -> Result<Report, ImageError> {
    inspected(&riff(parts))
}

fn cause(parts: &[Part<'_>]) -> Option<Corrupt> {
    match verdict(parts) {
        Err(ImageError::Corrupt(cause)) => Some(cause),
        _ => None,
    }
}

/// 2 by 3, no alpha; the codes behind the header are not looked at here.
const LOSSLESS: Part<'_> = (b"VP8L", &[0x2F, 0x01, 0x80, 0, 0, 0]);
/// 2 by 3, a first partition of one byte.
const LOSSY: Part<'_> = (b"VP8 ", &[0x30, 0, 0, 0x9D, 0x01, 0x2A, 2, 0, 3, 0, 0]);
const ALPHA: Part<'_> = (b"ALPH", &[0, 0]);

/// VP8X of a canvas of 2 by 3.
const fn canvas(flags: u8) -> [u8; 10] {
    [flags, 0, 0, 0, 1, 0, 0, 2, 0, 0]
}

#[test]
fn bitstream_headers_are_checked() {
    assert_eq!(verdict(&[LOSSY]).map(|it| (it.width, it.height, it.lossless)), Ok((2, 3, false)));
    assert_eq!(verdict(&[LOSSLESS]).map(|it| (it.width, it.height, it.lossless)), Ok((2, 3, true)));
    for (at, value, expected) in [
        (0, 0x31, Corrupt::BadHeader), // not a key frame
        (0, 0x38, Corrupt::BadHeader), // version 4
        (0, 0x20, Corrupt::BadHeader), // not shown
        (0, 0x50, Corrupt::BadLength), // a first partition of two bytes
        (3, 0x9C, Corrupt::BadHeader), // start code
        (6, 0, Corrupt::NoPixels),
        (8, 0, Corrupt::NoPixels),
    ] {
        let mut data = LOSSY.1.to_vec();
        data[at] = value;
        assert_eq!(cause(&[(b"VP8 ", &data)]), Some(expected), "byte {at}");
    }
    assert_eq!(cause(&[(b"VP8 ", &LOSSY.1[..9])]), Some(Corrupt::BadLength));
    assert_eq!(cause(&[(b"VP8L", &[0x2E, 1, 0, 0, 0])]), Some(Corrupt::BadHeader));
    assert_eq!(cause(&[(b"VP8L", &[0x2F, 1, 0, 0, 0x20])]), Some(Corrupt::BadHeader));
    assert_eq!(cause(&[(b"VP8L", &[0x2F, 1, 0, 0])]), Some(Corrupt::BadLength));
}

#[test]
fn order_and_sizes_are_checked() {
    let (still, clear) = (canvas(0), canvas(flag::ALPHA));
    let (still, clear): (Part<'_>, Part<'_>) = ((b"VP8X", &still), (b"VP8X", &clear));
    assert_eq!(verdict(&[still, LOSSY]).map(|it| it.has_alpha), Ok(false));
    assert_eq!(verdict(&[clear, ALPHA, LOSSY]).map(|it| it.has_alpha), Ok(true));
    let packed: Part<'_> = (b"ALPH", &[0x11, 0]);
    assert_eq!(verdict(&[clear, packed, LOSSY]).map(|it| it.has_alpha), Ok(true));
    for (parts, expected) in [
        (&[ALPHA, LOSSY][..], Corrupt::BadStructure),
        (&[(b"JUNK", b"")], Corrupt::BadStructure),
        (&[still], Corrupt::NoImageData),
        (&[still, still, LOSSY], Corrupt::BadStructure),
        (&[still, LOSSY, LOSSY], Corrupt::BadStructure),
        (&[clear, LOSSY, ALPHA], Corrupt::BadStructure),
        (&[clear, ALPHA, LOSSLESS], Corrupt::BadStructure),
        (&[clear, ALPHA, (b"JUNK", b""), LOSSY], Corrupt::BadStructure),
        (&[clear, (b"ALPH", &[2, 0]), LOSSY], Corrupt::BadHeader),
        (&[clear, (b"ALPH", &[0x20, 0]), LOSSY], Corrupt::BadHeader),
        (&[clear, (b"ALPH", &[0]), LOSSY], Corrupt::BadLength),
        (&[(b"VP8X", &still.1[..9]), LOSSY], Corrupt::BadLength),
        (&[(b"VP8X", &[0, 0, 0, 0, 2, 0, 0, 2, 0, 0]), LOSSY], Corrupt::BadHeader),
    ] {
        assert_eq!(cause(parts), Some(expected), "{parts:?}");
    }
}

#[test]
fn the_riff_size_decides_where_the_picture_ends() {
    let whole = riff(&[LOSSLESS]);
    let with_size = |size: u8| {
        let mut bytes = whole.clone();
        bytes[4] = size;
        inspected(&bytes)
    };
    let size = whole[4];
    assert_eq!(with_size(size + 1), Err(Corrupt::Truncated.into()));
    assert_eq!(with_size(size - 1), Err(Corrupt::BadLength.into()));
    assert_eq!(with_size(3), Err(Corrupt::BadLength.into()));

    let mut polyglot = whole.clone();
    polyglot.extend(b"PK\x03\x04");
    let report = inspected(&polyglot).unwrap();
    assert_eq!(report.metadata, Metadata { trailing: 4, ..Metadata::default() });
    assert_eq!(scrub(&polyglot, &report), Ok(whole));
}

#[test]
fn what_no_decoder_looks_at_is_dropped() {
    let mut header = Vec::from(canvas(!flag::ANIMATION));
    header.extend(b"slack!");
    let bytes = riff(&[
        (b"VP8X", &header),
        (b"prVt", b"odd"),
        LOSSY,
        (b"ANIM", &[0; 20]),
        (b"EXIF", b"first"),
        (b"EXIF", b"second"),
        (b"XMP ", b"<x/>"),
    ]);
    let report = inspected(&bytes).unwrap();
    let expected = Metadata { exif: 14 + 14, xmp: 12, vendor: 6 + 12 + 28, ..Metadata::default() };
    assert_eq!(report.metadata, expected);
    let kept = canvas(flag::ALPHA);
    assert_eq!(scrub(&bytes, &report), Ok(riff(&[(b"VP8X", &kept), LOSSY])));

    let bytes = riff(&[LOSSY, (b"EXIF", b"unannounced")]);
    let report = inspected(&bytes).unwrap();
    assert_eq!(report.metadata, Metadata { vendor: 20, ..Metadata::default() });
    assert_eq!(scrub(&bytes, &report), Ok(riff(&[LOSSY])));
}

#[test]
fn an_unannounced_alpha_plane_is_dropped() {
    let head = canvas(0);
    let bytes = riff(&[(b"VP8X", &head), ALPHA, LOSSY]);
    let report = inspected(&bytes).unwrap();
    assert!(!report.has_alpha);
    assert_eq!(report.metadata, Metadata { vendor: 10, ..Metadata::default() });
    assert_eq!(scrub(&bytes, &report), Ok(riff(&[(b"VP8X", &head), LOSSY])));
}

#[test]
fn an_unannounced_profile_or_orientation_is_not_looked_at() {
    let turned = crate::container::exif::minimal(Orientation::from_exif(6));
    let parts = |flags: u8| {
        verdict(&[(b"VP8X", &canvas(flags)), (b"ICCP", b"icc!"), LOSSY, (b"EXIF", &turned)])
            .map(|it| (it.orientation.exif(), it.metadata))
    };
    let ignored = Metadata { vendor: 12, exif: 34, ..Metadata::default() };
    assert_eq!(parts(0), Ok((1, ignored)));
    assert_eq!(parts(flag::ICC | flag::EXIF), Ok((6, Metadata { icc: 12, ..Metadata::default() })));
}

#[test]
fn of_two_profiles_the_first_counts() {
    let profile: Part<'_> = (b"ICCP", b"icc!");
    let twice = verdict(&[(b"VP8X", &canvas(flag::ICC)), profile, profile, LOSSY]);
    let expected = Metadata { icc: 12, vendor: 12, ..Metadata::default() };
    assert_eq!(twice.map(|it| it.metadata), Ok(expected));
}

/// A frame of 2 by 3 at the canvas's corner.
fn frame(patch: impl Fn(&mut [u8]), parts: &[Part<'_>]) -> Vec<u8> {
    let mut out = Vec::from([0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 50, 0, 0, 0]);
    patch(&mut out);
    for (kind, data) in parts {
        webp::write(**kind, data, &mut out);
    }
    out
}

#[test]
fn animations_are_checked() {
    let head = canvas(flag::ANIMATION);
    let still = frame(|_| {}, &[LOSSLESS]);
    let (head, anim, good): (Part<'_>, Part<'_>, Part<'_>) =
        ((b"VP8X", &head), (b"ANIM", &[0; 6]), (b"ANMF", &still));
    assert_eq!(
        verdict(&[head, anim, good, good]).map(|it| (it.frames, it.lossless)),
        Ok((2, true))
    );
    for (name, body, expected) in [
        ("beside", frame(|it| it[0] = 1, &[LOSSLESS]), Corrupt::BadHeader),
        ("below", frame(|it| it[3] = 1, &[LOSSLESS]), Corrupt::BadHeader),
        ("size", frame(|it| it[6] = 0, &[LOSSLESS]), Corrupt::BadHeader),
        ("empty", frame(|_| {}, &[]), Corrupt::BadLength),
        ("short", still[..15].to_vec(), Corrupt::BadLength),
        ("twice", frame(|_| {}, &[LOSSLESS, LOSSLESS]), Corrupt::BadStructure),
        ("none", frame(|_| {}, &[(b"JUNK", b"")]), Corrupt::BadStructure),
    ] {
        assert_eq!(cause(&[head, anim, (b"ANMF", &body)]), Some(expected), "{name}");
    }
    assert_eq!(cause(&[head, anim]), Some(Corrupt::NoImageData));
    assert_eq!(cause(&[head, (b"ANIM", &[0; 5]), good]), Some(Corrupt::BadLength));
    let unannounced = canvas(0);
    assert_eq!(cause(&[(b"VP8X", &unannounced), anim, good]), Some(Corrupt::BadStructure));
    assert_eq!(cause(&[head, good]), Some(Corrupt::BadStructure));
    assert_eq!(cause(&[head, anim, LOSSLESS]), Some(Corrupt::BadStructure));
    assert_eq!(cause(&[head, anim, LOSSLESS, good]), Some(Corrupt::BadStructure));
    assert_eq!(cause(&[head, anim, good, LOSSLESS]), Some(Corrupt::BadStructure));
}

#[test]
fn an_animation_is_as_large_as_its_canvas_and_lossless_when_all_its_frames_are() {
    // A canvas of 4 by 5, of which each frame covers a part; the second lies two rows lower.
    let head = [flag::ANIMATION, 0, 0, 0, 3, 0, 0, 4, 0, 0];
    let exact = frame(|_| {}, &[LOSSLESS]);
    let lossy = frame(|it| it[3] = 1, &[LOSSY]);
    let told = |second: &[u8]| {
        verdict(&[(b"VP8X", &head), (b"ANIM", &[0; 6]), (b"ANMF", &exact), (b"ANMF", second)]).map(
            |it| (it.width, it.height, it.lossless, it.coded.lossy_pixels * 2 == it.coded.pixels),
        )
    };
    assert_eq!(told(&exact), Ok((4, 5, true, false)));
    assert_eq!(told(&lossy), Ok((4, 5, false, true)), "half of the pixels are lossy");
}

/// A VP8 frame header says that it is a key frame, one of four versions, and how large it is.
#[test]
fn versions_and_sides_of_a_key_frame_are_checked() {
    let key_frame = |tag: u8, width: u8, height: u8| {
        verdict(&[(b"VP8 ", &[tag, 0, 0, 0x9D, 0x01, 0x2A, width, 0, height, 0, 0])])
            .map(|it| (it.width, it.height))
    };
    let refused = |cause: Corrupt| Err(ImageError::Corrupt(cause));
    assert_eq!(key_frame(0x36, 2, 3), Ok((2, 3)), "version 3");
    assert_eq!(key_frame(0x38, 2, 3), refused(Corrupt::BadHeader), "version 4");
    assert_eq!(key_frame(0x30, 0, 3), refused(Corrupt::NoPixels));
    assert_eq!(key_frame(0x30, 2, 0), refused(Corrupt::NoPixels));
}

#[test]
fn foreign_parts_of_a_frame_are_dropped_and_its_size_follows() {
    let head = canvas(flag::ANIMATION);
    let (head, anim): (Part<'_>, Part<'_>) = ((b"VP8X", &head), (b"ANIM", &[0; 6]));
    let dirty = frame(|_| {}, &[ALPHA, LOSSY, (b"prVt", b"odd")]);
    let clean = frame(|_| {}, &[ALPHA, LOSSY]);
    let bytes = riff(&[head, (b"ANIM", &[0; 8]), anim, (b"ANMF", &dirty), (b"ANMF", &dirty)]);
    let report = inspected(&bytes).unwrap();
    assert_eq!(report.metadata, Metadata { vendor: 2 + 14 + 12 + 12, ..Metadata::default() });
    assert!(report.has_alpha);
    let expected = riff(&[head, anim, (b"ANMF", &clean), (b"ANMF", &clean)]);
    assert_eq!(scrub(&bytes, &report), Ok(expected));
}

#[test]
fn what_no_frame_covers_is_transparent() {
    let alpha = |first: [u8; 2]| {
        // A canvas of 4 by 3, so a frame covers half of it.
        let head = [flag::ANIMATION, 0, 0, 0, 3, 0, 0, 2, 0, 0];
        let whole: Part<'_> = (b"VP8L", &[0x2F, 0x03, 0x80, 0, 0, 0]);
        let whole = frame(|it| (it[6], it[15]) = (first[0], first[1]), &[whole]);
        let half = frame(|_| {}, &[LOSSLESS]);
        verdict(&[(b"VP8X", &head), (b"ANIM", &[0; 6]), (b"ANMF", &whole), (b"ANMF", &half)])
            .map(|it| it.has_alpha)
    };
    assert_eq!(alpha([3, 0]), Ok(false));
    assert_eq!(alpha([3, 1]), Ok(true), "the first is cleared away");
}

#[test]
fn bombs_are_refused_by_their_headers() {
    let limit = Limits::MAX_PIXELS;
    let mut wide = LOSSY.1.to_vec();
    wide[6..10].fill(0xFF);
    let pixels = 16_383 * 16_383;
    assert_eq!(verdict(&[(b"VP8 ", &wide)]), Err(ImageError::TooManyPixels { pixels, limit }));
    let pixels = (1 << 24) * (1 << 24);
    let head = [0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
    assert_eq!(verdict(&[(b"VP8X", &head)]), Err(ImageError::TooManyPixels { pixels, limit }));

    let head = canvas(flag::ANIMATION);
    let body = frame(|_| {}, &[LOSSLESS]);
    let mut parts: Vec<Part<'_>> = Vec::from([(b"VP8X", &head[..]), (b"ANIM", &[0; 6])]);
    parts.extend((0..201).map(|_| -> Part<'_> { (b"ANMF", &body) }));
    assert_eq!(verdict(&parts), Err(ImageError::TooManyFrames { limit: 200 }));
}
