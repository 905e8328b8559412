//! Properties of every image, tested on random variations of the fixtures.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod fixture;

use fixture::Fixture;
use image_rules::{Format, Policy, Report, inspect, scrub};
use proptest::{collection::vec, prelude::*, sample::Index};

/// Fixtures without private data, which scrubbing leaves unchanged.
fn clean_fixtures() -> Vec<(Fixture, Report)> {
    fixture::all()
        .into_iter()
        .filter_map(|fixture| {
            let report = inspect(&fixture.bytes, &Policy::EDGE).expect("a sound fixture");
            let is_bare = report.is_clean() && report.orientation.exif() == 1;
            is_bare.then_some((fixture, report))
        })
        .collect()
}

/// A block of private data in the syntax of each format.
fn private_block(format: Format, kind: Index, data: &[u8]) -> Vec<u8> {
    match format {
        Format::Jpeg => {
            let marker = [0xFE, 0xE3, 0xE5, 0xED, 0xEF][kind.index(5)];
            let size = u16::try_from(data.len() + 2).expect("a short block").to_be_bytes();
            [&[0xFF, marker], &size[..], data].concat()
        }
        Format::Png => {
            let letters = [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"prVt"][kind.index(6)];
            let covered = [&letters[..], data].concat();
            let size = u32::try_from(data.len()).expect("a short block").to_be_bytes();
            [&size[..], &covered, &crc32fast::hash(&covered).to_be_bytes()].concat()
        }
        Format::Gif => {
            let head = [&b"!\xFE"[..], b"!\x01", b"!\xFF\x0BMADE BY ME!", b"!\x42"][kind.index(4)];
            let mut out = head.to_vec();
            for block in data.chunks(255) {
                out.push(u8::try_from(block.len()).expect("at most 255"));
                out.extend(block);
            }
            out.push(0);
            out
        }
        Format::WebP => {
            let letters = [b"EXIF", b"XMP ", b"JUNK"][kind.index(3)];
            let size = u32::try_from(data.len()).expect("a short block").to_le_bytes();
            [&letters[..], &size, data, &vec![0; data.len() % 2]].concat()
        }
    }
}

/// The offsets at which a block may be inserted.
fn places(bytes: &[u8], format: Format) -> Vec<usize> {
    match format {
        // After the start mark; after the header; after the screen's colours; at the end.
        Format::Jpeg => vec![2],
        Format::Png => vec![33, bytes.len() - 12],
        Format::Gif => {
            let table = if bytes[10] & 0x80 == 0 { 0 } else { 6 << (bytes[10] & 7) };
            vec![13 + table, bytes.len() - 1]
        }
        Format::WebP => vec![bytes.len()],
    }
}

fn with_block(bytes: &[u8], format: Format, place: Index, block: &[u8]) -> Vec<u8> {
    let places = places(bytes, format);
    let at = places[place.index(places.len())];
    let mut out = [&bytes[..at], block, &bytes[at..]].concat();
    if format == Format::WebP {
        let size = u32::try_from(out.len() - 8).expect("a small file").to_le_bytes();
        out[4..8].copy_from_slice(&size);
    }
    out
}

/// The first bytes of each format, so that random bytes reach the parsers.
const MAGIC: [&[u8]; 8] = [
    b"\xFF\xD8\xFF",
    b"\xFF\xD8\xFF\xC0\0\x11\x08\0\x08\0\x08\x03\x01\x22\0\x02\x11\x01\x03\x11\x01",
    b"\x89PNG\r\n\x1a\n",
    b"\x89PNG\r\n\x1a\n\0\0\0\x0DIHDR\0\0\0\x08\0\0\0\x08\x08\x06\0\0\0\xC4\x0F\xBE\x8B",
    b"GIF89a\x08\0\x08\0\0\0\0",
    b"GIF89a\x08\0\x08\0\0\0\0,\0\0\0\0\x08\0\x08\0\0\x02",
    b"RIFF\x40\0\0\0WEBP",
    b"RIFF\x40\0\0\0WEBPVP8X\x0A\0\0\0\x1E\0\0\0\x07\0\0\x07\0\0",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn scrubbing_removes_inserted_private_data(
        which: Index,
        blocks in vec((any::<Index>(), any::<Index>(), vec(any::<u8>(), 0..700)), 1..6),
        tail in vec(any::<u8>(), 0..50),
    ) {
        let fixtures = clean_fixtures();
        let (fixture, report) = which.get(&fixtures);
        let mut dirty = fixture.bytes.clone();
        for (kind, place, data) in &blocks {
            let block = private_block(report.format, *kind, data);
            dirty = with_block(&dirty, report.format, *place, &block);
        }
        dirty.extend(&tail);

        let seen = inspect(&dirty, &Policy::EDGE).expect("private data breaks nothing");
        prop_assert!(!seen.is_clean());
        prop_assert_eq!((seen.width, seen.height), (report.width, report.height));
        let counted = seen.metadata;
        let private_bytes = counted.exif + counted.gps + counted.thumbnail + counted.xmp
            + counted.iptc + counted.comment + counted.vendor + counted.trailing;
        prop_assert_eq!(private_bytes, (dirty.len() - fixture.bytes.len()) as u64);
        if seen.orientation.exif() == 1 {
            prop_assert_eq!(scrub(&dirty, &seen).expect("accepted"), fixture.bytes.clone(), "{}", fixture.name);
        }
    }

    #[test]
    fn noise_after_a_valid_beginning_causes_no_panic(
        magic in prop::sample::select(&MAGIC[..]),
        noise in vec(any::<u8>(), 0..400),
    ) {
        let bytes = [magic, &noise].concat();
        if let Ok(report) = inspect(&bytes, &Policy::EDGE) {
            let clean = scrub(&bytes, &report).expect("accepted");
            let again = inspect(&clean, &Policy::EDGE).expect("scrubbed");
            prop_assert!(again.is_clean());
            prop_assert_eq!(scrub(&clean, &again).expect("accepted"), clean);
        }
    }

    #[test]
    fn the_verdict_does_not_depend_on_unused_limits(
        which: Index,
        spare in 0_u64..1_000_000_000,
    ) {
        let fixtures = fixture::all();
        let fixture = which.get(&fixtures);
        let report = inspect(&fixture.bytes, &Policy::EDGE).expect("a sound fixture");
        let mut policy = Policy::EDGE;
        let pixels = u64::from(report.width) * u64::from(report.height);
        policy.limits.max_bytes = report.size_bytes + spare;
        policy.limits.max_pixels = pixels + spare;
        policy.limits.max_frames = report.frames;
        prop_assert_eq!(inspect(&fixture.bytes, &policy), Ok(report));
        policy.limits.max_pixels = pixels - 1;
        prop_assert!(inspect(&fixture.bytes, &policy).is_err());
    }
}
