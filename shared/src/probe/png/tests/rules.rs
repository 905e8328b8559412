//! Chunks at a place or of a number that decoders do not expect, and the least bytes of many pixels.

use super::*;

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
    let [left, right] = [6, 8].map(Orientation::from_exif).map(crate::exif::minimal);
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
    let within = |max_animation_pixels| {
        probe(&bytes, &Limits { max_animation_pixels, ..Limits::EDGE }).map(|it| it.frames)
    };
    assert_eq!(within(12), Ok(2));
    assert_eq!(within(11), Err(ImageError::TooManyAnimationPixels { limit: 11 }));
}
