//! What the walk through a PNG finds, allows and refuses.

use super::*;
use crate::{
    Format, Policy,
    error::Corrupt,
    inspect,
    report::{Coded, Color, Metadata, Orientation},
    scrub,
};
use alloc::{vec, vec::Vec};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/png/", $name))
    };
}

/// A fixture, the bytes that its pixels inflate to, and how else its report differs from [`plain`].
type Case = (&'static [u8], u64, fn(&mut Report));

/// What all fixtures share; each test says what differs.
fn plain(bytes: &[u8]) -> Report {
    Report {
        format: Format::Png,
        size_bytes: bytes.len() as u64,
        width: 24,
        height: 16,
        orientation: Orientation::UPRIGHT,
        frames: 1,
        has_alpha: false,
        bit_depth: 8,
        color: Color::Rgb,
        progressive: false,
        lossless: true,
        jpeg_quality: None,
        jpeg_blocks: 0,
        coded: Coded { pixels: 384, inflated_bytes: 1168, ..Coded::default() },
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
    let cases: [Case; 12] = [
        (fixture!("rgb8.png"), 1168, |_| {}),
        (fixture!("rgb16.png"), 2320, |it| it.bit_depth = 16),
        (fixture!("adam7.png"), 1182, |it| it.progressive = true),
        (fixture!("rgba8.png"), 1552, |it| it.has_alpha = true),
        (fixture!("gray1.png"), 64, |it| (it.bit_depth, it.color) = (1, Color::Gray)),
        (fixture!("gray8.png"), 400, |it| it.color = Color::Gray),
        (fixture!("gray16.png"), 784, |it| (it.bit_depth, it.color) = (16, Color::Gray)),
        (fixture!("gray-alpha.png"), 784, |it| (it.has_alpha, it.color) = (true, Color::Gray)),
        (fixture!("palette4.png"), 208, |it| (it.bit_depth, it.color) = (4, Color::Palette)),
        (fixture!("palette8-transparent.png"), 400, |it| {
            (it.has_alpha, it.color) = (true, Color::Palette);
        }),
        (fixture!("animated.png"), 4656, |it| {
            (it.frames, it.has_alpha, it.coded.pixels) = (3, true, 3 * 384);
        }),
        (fixture!("animated-hidden-still.png"), 3504, |it| {
            (it.frames, it.coded.pixels) = (2, 3 * 384);
        }),
    ];
    for (bytes, inflated_bytes, differs) in cases {
        let mut expected = plain(bytes);
        expected.coded.inflated_bytes = inflated_bytes;
        differs(&mut expected);
        assert_eq!(inspected(bytes), Ok(expected.clone()));
        assert_eq!(scrub(bytes, &expected).as_deref(), Ok(bytes), "a clean file stays as it is");
    }
}

#[test]
fn private_data_is_counted_by_kind_and_scrubbed() {
    let bytes = fixture!("private.png");
    let mut expected = plain(bytes);
    expected.orientation = Orientation::from_exif(6);
    expected.metadata = Metadata {
        exif: 78,
        gps: 102,
        xmp: 92,
        icc: 385,
        comment: 72,
        // tIME 19, prVt 29.
        vendor: 48,
        ..Metadata::default()
    };
    assert_eq!(inspected(bytes), Ok(expected.clone()));

    let clean = scrub(bytes, &expected).unwrap();
    let left = Metadata { icc: 385, ..Metadata::default() };
    let expected = Report { size_bytes: clean.len() as u64, metadata: left, ..expected };
    assert_eq!(inspected(&clean), Ok(expected));
    for private in [&b"Fixture Camera"[..], b"nobody", b"xmpmeta", b"tIME", b"prVt"] {
        assert!(!clean.windows(private.len()).any(|window| window == private));
    }
}

#[test]
fn exif_in_a_text_is_private_and_turns_nothing() {
    for (bytes, exif) in [
        (&fixture!("imagemagick-orientation.png")[..], 122),
        (fixture!("imagemagick-orientation-plain.png"), 171),
    ] {
        let mut expected = plain(bytes);
        expected.metadata.exif = exif;
        assert_eq!(inspected(bytes), Ok(expected.clone()));
        let clean = scrub(bytes, &expected).unwrap();
        assert_eq!(inspected(&clean), Ok(plain(&clean)));
    }
}

/// A gray pixel, from its parts.
fn gray(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut out = Vec::from(png::SIGNATURE);
    for (kind, data) in chunks {
        png::write(**kind, data, &mut out);
    }
    out
}

const HEADER: (&[u8; 4], &[u8]) = (b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
/// Filter 0 and one sample.
const PIXELS: (&[u8; 4], &[u8]) = (b"IDAT", &[0x78, 0x9C, 0x63, 0x60, 0, 0, 0, 2, 0, 1]);
const END: (&[u8; 4], &[u8]) = (b"IEND", &[]);

fn verdict(chunks: &[(&[u8; 4], &[u8])]) -> Result<Metadata, ImageError> {
    inspected(&gray(chunks)).map(|report| report.metadata)
}

#[test]
fn order_is_checked() {
    assert_eq!(verdict(&[HEADER, PIXELS, END]), Ok(Metadata::default()));
    let text = (b"tEXt", &b"a\0b"[..]);
    for (chunks, cause) in [
        (&[PIXELS, HEADER, END][..], Corrupt::BadStructure),
        (&[HEADER, HEADER, PIXELS, END], Corrupt::BadStructure),
        (&[(b"CgBI", &[0; 4]), HEADER, PIXELS, END], Corrupt::Unsupported),
        (&[HEADER, (b"XYZa", &[]), PIXELS, END], Corrupt::Unsupported),
        (&[HEADER, END], Corrupt::NoImageData),
        (&[HEADER, (b"IDAT", &[]), END], Corrupt::NoImageData),
        (&[HEADER], Corrupt::Truncated),
        (&[HEADER, PIXELS, text, PIXELS, END], Corrupt::BadStructure),
        (&[HEADER, (b"IDAT", &[0x78]), (b"IDAT", &[0x9D]), END], Corrupt::BadPixels),
        (&[HEADER, (b"IDAT", &[0x88, 0x1C]), END], Corrupt::BadPixels),
        (&[HEADER, (b"IDAT", &[0x78, 0xBB]), END], Corrupt::BadPixels),
    ] {
        assert_eq!(verdict(chunks), Err(cause.into()), "{chunks:?}");
    }
}

#[test]
fn palettes_are_checked() {
    let indexed = (b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, 0][..]);
    let palette = (b"PLTE", &[1, 2, 3, 4, 5, 6][..]);
    assert_eq!(verdict(&[indexed, palette, PIXELS, END]), Ok(Metadata::default()));
    for (chunks, cause) in [
        (&[indexed, PIXELS, END][..], Corrupt::BadStructure),
        (&[indexed, palette, palette, PIXELS, END], Corrupt::BadStructure),
        (&[indexed, (b"PLTE", &[1, 2]), PIXELS, END], Corrupt::BadLength),
        (&[indexed, (b"PLTE", &[0; 771]), PIXELS, END], Corrupt::BadLength),
    ] {
        assert_eq!(verdict(chunks), Err(cause.into()), "{chunks:?}");
    }
    let skipped = Metadata { vendor: 18, ..Metadata::default() };
    assert_eq!(verdict(&[HEADER, palette, PIXELS, END]), Ok(skipped));
}

#[test]
fn what_decoders_would_skip_is_dropped() {
    let gamma = (b"gAMA", &[0, 0, 0xB1, 0x8F][..]);
    let vendor = |chunks: &[(&[u8; 4], &[u8])]| verdict(chunks).map(|metadata| metadata.vendor);
    assert_eq!(vendor(&[HEADER, gamma, PIXELS, END]), Ok(0));
    assert_eq!(vendor(&[HEADER, gamma, gamma, PIXELS, END]), Ok(16), "said twice");
    assert_eq!(vendor(&[HEADER, PIXELS, gamma, END]), Ok(16), "after the pixels");
    assert_eq!(vendor(&[HEADER, (b"gAMA", &[0; 5]), PIXELS, END]), Ok(17), "too long");
    assert_eq!(vendor(&[HEADER, (b"iCCP", b"\0\0ab"), PIXELS, END]), Ok(16), "no name");
    assert_eq!(vendor(&[HEADER, (b"tRNS", &[0; 6]), PIXELS, END]), Ok(18), "not of gray");
    assert_eq!(vendor(&[HEADER, (b"sPLT", b"a\0"), PIXELS, END]), Ok(14));
}

#[test]
fn a_wrong_checksum_breaks_what_shapes_the_pixels_and_nothing_else() {
    for (kind, expected) in [
        (b"IDAT", Err(Corrupt::BadChecksum.into())),
        (b"tRNS", Err(Corrupt::BadChecksum.into())),
        (b"gAMA", Ok(16)),
    ] {
        let mut bytes = gray(&[HEADER, (b"gAMA", &[0; 4]), (b"tRNS", &[0; 2]), PIXELS, END]);
        let at = bytes.windows(4).position(|window| window == kind).unwrap();
        let length = usize::from(bytes[at - 1]);
        bytes[at + 4 + length] ^= 1;
        assert_eq!(inspected(&bytes).map(|report| report.metadata.vendor), expected, "{kind:?}");
    }
}

#[test]
fn a_payload_behind_the_end_is_trailing_and_scrubbed() {
    let clean = gray(&[HEADER, PIXELS, END]);
    let mut polyglot = clean.clone();
    polyglot.extend(b"PK\x03\x04 a whole archive <script>");
    let report = inspected(&polyglot).unwrap();
    assert_eq!(report.metadata, Metadata { trailing: 29, ..Metadata::default() });
    assert_eq!(scrub(&polyglot, &report), Ok(clean));
}

#[test]
fn an_end_mark_that_is_missing_or_broken_is_written_anew() {
    let clean = gray(&[HEADER, PIXELS, END]);
    let cut = gray(&[HEADER, PIXELS]);
    let mut wrong = clean.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let cases = [
        (cut.clone(), 0),
        ([&cut[..], b"\0\0\0\x05tEXta"].concat(), 9),
        (clean[..clean.len() - 1].to_vec(), 11),
        (wrong, 12),
        (gray(&[HEADER, PIXELS, (b"IEND", b"payload")]), 19),
    ];
    for (bytes, trailing) in cases {
        let report = inspected(&bytes).unwrap();
        assert!(report.unterminated && !report.is_clean());
        assert_eq!(report.metadata, Metadata { trailing, ..Metadata::default() });
        assert_eq!(scrub(&bytes, &report), Ok(clean.clone()));
    }
    let cut_pixels = &cut[..cut.len() - 1];
    assert_eq!(inspected(cut_pixels), Err(Corrupt::Truncated.into()));
}

#[test]
fn bombs_are_refused_by_their_header() {
    let huge = |edge: u32| {
        let [a, b, c, d] = edge.to_be_bytes();
        let header = [a, b, c, d, a, b, c, d, 8, 6, 0, 0, 0];
        verdict(&[(b"IHDR", &header), PIXELS, END])
    };
    let limit = Limits::MAX_PIXELS;
    assert_eq!(huge(65_535), Err(ImageError::TooManyPixels { pixels: 65_535 * 65_535, limit }));
    let pixels = 0x7FFF_FFFF * 0x7FFF_FFFF;
    assert_eq!(huge(0x7FFF_FFFF), Err(ImageError::TooManyPixels { pixels, limit }));
    // 49 MP of four samples from ten bytes: no deflate stream does that.
    assert_eq!(huge(7_000), Err(Corrupt::Truncated.into()));
}

/// fcTL of a frame that covers the pixel.
fn control(sequence: u8) -> [u8; 26] {
    let mut data = [0; 26];
    (data[3], data[7], data[11]) = (sequence, 1, 1);
    data
}

fn animated(frames: u8, parts: &[(&[u8; 4], Vec<u8>)]) -> Result<u32, ImageError> {
    let mut chunks = vec![HEADER, (b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0][..])];
    let promised = [0, 0, 0, frames, 0, 0, 0, 0];
    chunks[1].1 = &promised;
    chunks.extend(parts.iter().map(|(kind, data)| (*kind, data.as_slice())));
    chunks.push(END);
    inspected(&gray(&chunks)).map(|report| report.frames)
}

#[test]
fn animations_are_checked() {
    let pixels = || (PIXELS.0, PIXELS.1.to_vec());
    let frame = |sequence| (b"fcTL", control(sequence).to_vec());
    let data = |sequence: u8| (b"fdAT", [&[0, 0, 0, sequence], PIXELS.1].concat());
    assert_eq!(animated(2, &[frame(0), pixels(), frame(1), data(2)]), Ok(2));
    assert_eq!(animated(1, &[pixels(), frame(0), data(1), data(2)]), Ok(1));
    assert_eq!(animated(0, &[pixels()]), Ok(1), "browsers show it as a still picture");
    let with = |at: usize, value: u8| {
        let mut data = control(0).to_vec();
        data[at] = value;
        (b"fcTL", data)
    };
    for (frames, parts, cause) in [
        (2, vec![frame(0), pixels(), frame(2), data(3)], Corrupt::BadStructure),
        (2, vec![frame(0), pixels(), frame(1), data(3)], Corrupt::BadStructure),
        (2, vec![frame(0), pixels()], Corrupt::BadStructure),
        (1, vec![frame(0), pixels(), frame(1), data(2)], Corrupt::BadStructure),
        (2, vec![frame(0), pixels(), frame(1)], Corrupt::NoImageData),
        (2, vec![frame(0), frame(1), pixels()], Corrupt::NoImageData),
        (1, vec![frame(0), data(1), pixels()], Corrupt::BadStructure),
        (1, vec![pixels(), data(0)], Corrupt::BadStructure),
        (1, vec![with(7, 0), pixels()], Corrupt::NoPixels),
        (1, vec![with(11, 0), pixels()], Corrupt::NoPixels),
        (1, vec![with(15, 1), pixels()], Corrupt::BadHeader),
        (1, vec![with(12, 1), pixels()], Corrupt::BadHeader),
        (1, vec![(b"fcTL", vec![0; 25]), pixels()], Corrupt::BadLength),
    ] {
        assert_eq!(animated(frames, &parts), Err(cause.into()), "{parts:?}");
    }
    assert_eq!(animated(201, &[pixels()]), Err(ImageError::TooManyFrames { limit: 200 }));
}

const INDEXED: (&[u8; 4], &[u8]) = (b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, 0]);
const TWO_COLOURS: (&[u8; 4], &[u8]) = (b"PLTE", &[1, 2, 3, 4, 5, 6]);

#[test]
fn what_stands_at_the_wrong_place_is_dropped_unread() {
    let odd = (b"PLTE", &[1, 2][..]);
    let control = (b"acTL", &[0, 0, 0, 1, 0, 0, 0, 0][..]);
    let no_frame = (b"acTL", &[0; 8][..]);
    for (chunks, vendor) in [
        (&[HEADER, odd, PIXELS, END][..], 14),
        (&[INDEXED, TWO_COLOURS, PIXELS, TWO_COLOURS, END], 18),
        (&[HEADER, PIXELS, control, END], 20),
        (&[HEADER, no_frame, PIXELS, END], 20),
        (&[INDEXED, TWO_COLOURS, (b"tRNS", &[0; 2]), PIXELS, END], 0),
        // More entries than the palette has.
        (&[INDEXED, TWO_COLOURS, (b"tRNS", &[0; 3]), PIXELS, END], 15),
    ] {
        let expected = Metadata { vendor, ..Metadata::default() };
        assert_eq!(verdict(chunks), Ok(expected), "{chunks:?}");
    }
}

#[test]
fn the_first_orientation_counts() {
    let [left, right] = [6, 8].map(Orientation::from_exif).map(crate::container::exif::minimal);
    let bytes = gray(&[HEADER, (b"eXIf", &left), (b"eXIf", &right), PIXELS, END]);
    let report = inspected(&bytes).unwrap();
    assert_eq!(report.orientation.exif(), 6);
    assert_eq!(report.metadata, Metadata { vendor: 12 + 26, ..Metadata::default() });
}

/// Deflate's longest match is 258 bytes, and its shortest codes for length and distance are a bit each.
#[test]
fn two_bytes_hold_eight_matches_of_deflate_at_most() {
    for (width, expected) in [(8 * 258, Ok(())), (8 * 258 + 1, Err(Corrupt::Truncated.into()))] {
        let [high, low] = u16::to_be_bytes(width);
        let header = [0, 0, high, low, 0, 0, 0, 1, 8, 0, 0, 0, 0];
        let chunks = [(b"IHDR", &header[..]), (b"IDAT", &[0x78, 0x9C]), END];
        assert_eq!(verdict(&chunks).map(|_| ()), expected, "{width}");
    }
}

#[test]
fn the_pixels_of_all_frames_are_counted() {
    let header = [0, 0, 0, 3, 0, 0, 0, 2, 8, 0, 0, 0, 0];
    let mut still = [0; 26];
    (still[7], still[11]) = (3, 2);
    let (mut next, data) = (still, [&[0, 0, 0, 2], PIXELS.1].concat());
    next[3] = 1;
    let bytes = gray(&[
        (b"IHDR", &header),
        (b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]),
        (b"fcTL", &still),
        PIXELS,
        (b"fcTL", &next),
        (b"fdAT", &data),
        END,
    ]);
    let report = inspected(&bytes).expect("sound");
    // Two rows of three pixels and the byte of the filter, twice.
    let coded = Coded { pixels: 12, inflated_bytes: 16, ..Coded::default() };
    assert_eq!((report.frames, report.coded), (2, coded));
}

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
        tally_text(&Chunk { kind: *b"iTXt", data, raw: data }, &mut metadata);
        assert_eq!(metadata, expected);
    }
}
