//! Blocks written by hand: of phones, of scrubbing, of strangers.

use super::*;
use alloc::vec::Vec;

/// Little endian: orientation 6, a GPS directory with one 24-byte value, a 5-byte thumbnail.
fn phone_block() -> Vec<u8> {
    let mut block = Vec::from(*b"II*\0\x08\0\0\0");
    block.extend([2, 0]); // at 8
    block.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]);
    block.extend([0x25, 0x88, 4, 0, 1, 0, 0, 0, 38, 0, 0, 0]);
    block.extend([80, 0, 0, 0]); // next directory, this one ends at 38
    block.extend([1, 0]); // GPS, at 38
    block.extend([2, 0, 5, 0, 3, 0, 0, 0, 56, 0, 0, 0]);
    block.extend([0, 0, 0, 0]);
    block.extend([7; 24]); // latitude, at 56
    block.extend([2, 0]); // thumbnail, at 80
    block.extend([0x01, 0x02, 4, 0, 1, 0, 0, 0, 110, 0, 0, 0]);
    block.extend([0x02, 0x02, 4, 0, 1, 0, 0, 0, 5, 0, 0, 0]);
    block.extend([0, 0, 0, 0]);
    block.extend([9; 5]); // at 110
    block
}

#[test]
fn a_phones_block_is_counted_by_kind() {
    let block = phone_block();
    let mut metadata = Metadata::default();
    let orientation = tally(&block, block.len() as u64, &mut metadata);
    assert_eq!(orientation.map(Orientation::exif), Some(6));
    let expected = Metadata { exif: 115 - 42 - 5, gps: 42, thumbnail: 5, ..Metadata::default() };
    assert_eq!(metadata, expected);
}

#[test]
fn blocks_add_up_and_never_to_more_than_they_take_in_the_file() {
    let block = phone_block();
    let mut metadata = Metadata::default();
    tally(&block, 44, &mut metadata);
    assert_eq!((metadata.gps, metadata.thumbnail, metadata.exif), (42, 2, 0));
    tally(&block, 115, &mut metadata);
    assert_eq!((metadata.gps, metadata.thumbnail, metadata.exif), (84, 7, 68));
}

/// Little endian, one directory of one entry, and perhaps another after it.
fn directory(entry: [u16; 2], count: u32, value: u32, next: &[[u32; 3]]) -> Vec<u8> {
    let mut block = Vec::from(*b"II*\0\x08\0\0\0\x01\0");
    block.extend(entry.iter().flat_map(|half| half.to_le_bytes()));
    block.extend([count, value].iter().flat_map(|word| word.to_le_bytes()));
    block.extend(if next.is_empty() { 0_u32 } else { 26 }.to_le_bytes());
    if !next.is_empty() {
        block.extend(u16::try_from(next.len()).expect("few").to_le_bytes());
        for [tag, count, value] in next {
            block.extend([*tag | 4 << 16, *count, *value].iter().flat_map(|it| it.to_le_bytes()));
        }
        block.extend([0; 4]);
    }
    block
}

#[test]
fn an_orientation_is_read_from_whichever_integer_it_was_written_as() {
    let read = |kind, count, value| {
        let block = directory([TAG_ORIENTATION, kind], count, value, &[]);
        tally(&block, 26, &mut Metadata::default()).map(Orientation::exif)
    };
    for kind in [1, 3, 4] {
        assert_eq!(read(kind, 1, 6), Some(6), "kind {kind}");
        assert_eq!(read(kind, 0, 6), None, "no value at all");
    }
    assert_eq!(read(4, 1, 0x0001_0006), None, "none of 16 bits");
    assert_eq!(read(2, 1, 6), None, "a text");
    assert_eq!(read(5, 1, 6), None, "a fraction");
}

/// EXIF 2.32 section 4.6.2: bytes of each type; what has more than four stands elsewhere.
#[test]
fn values_that_stand_elsewhere_are_counted_by_their_type() {
    for (kind, count, outside) in [
        (1, 4, 0),
        (1, 5, 5),
        (2, 5, 5),
        (7, 6, 6),
        (3, 2, 0),
        (3, 3, 6),
        (8, 3, 6),
        (4, 1, 0),
        (4, 2, 8),
        (9, 2, 8),
        (11, 2, 8),
        (5, 1, 8),
        (10, 2, 16),
        (12, 1, 8),
    ] {
        let mut block = directory([TAG_GPS_DIRECTORY, 4], 1, 26, &[]);
        block.extend([1, 0, 2, 0]);
        block.extend(u16::to_le_bytes(kind));
        block.extend(u32::to_le_bytes(count));
        block.extend([0; 8]);
        let mut metadata = Metadata::default();
        tally(&block, 1000, &mut metadata);
        assert_eq!(metadata.gps, 2 + 12 + 4 + outside, "{count} of kind {kind}");
    }
}

#[test]
fn a_thumbnail_is_a_stream_or_strips_and_both_say_where_and_how_long() {
    let thumbnail = |entries: &[[u32; 3]]| {
        let mut metadata = Metadata::default();
        let block = directory([0x0100, 4], 1, 1, entries);
        tally(&block, 1000, &mut metadata);
        metadata.thumbnail
    };
    assert_eq!(thumbnail(&[[0x0201, 1, 90], [0x0202, 1, 40]]), 40);
    assert_eq!(thumbnail(&[[0x0111, 1, 90], [0x0117, 1, 50]]), 50);
    assert_eq!(thumbnail(&[[0x0202, 1, 40]]), 0, "nowhere");
    assert_eq!(thumbnail(&[[0x0201, 1, 90]]), 0, "of no length");
    assert_eq!(thumbnail(&[]), 0);
}

#[test]
fn the_minimal_block_counts_nothing_unless_it_is_needless() {
    for value in 1..=8 {
        let block = minimal(Orientation::from_exif(value));
        let mut metadata = Metadata::default();
        let orientation = tally(&block, 26, &mut metadata);
        assert_eq!(orientation.map(|it| u16::from(it.exif())), Some(value));
        assert_eq!(metadata.is_clean(), value != 1, "{value}");
    }
}

#[test]
fn a_broken_block_is_private_and_upright() {
    let block = phone_block();
    let loops = b"II*\0\x08\0\0\0\x01\0\x25\x88\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0";
    let huge = b"MM\0*\xFF\xFF\xFF\xFF";
    let many = b"II*\0\x08\0\0\0\xFF\xFF\x12\x01\x05\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
    for hostile in [&block[..9], &block[2..], loops, huge, many, b"", b"Exif\0\0", b"MM"] {
        let mut metadata = Metadata::default();
        let orientation = tally(hostile, hostile.len() as u64, &mut metadata);
        assert_eq!(orientation, None);
        let counted = metadata.exif + metadata.gps + metadata.thumbnail;
        assert_eq!(counted, hostile.len() as u64);
    }
}

#[test]
fn an_orientation_out_of_range_is_upright() {
    let mut block = minimal(Orientation::from_exif(6));
    for value in [0, 9, 255] {
        block[19] = value;
        let mut metadata = Metadata::default();
        assert_eq!(tally(&block, 26, &mut metadata), Some(Orientation::UPRIGHT));
        assert_eq!(metadata.exif, 26);
    }
}
