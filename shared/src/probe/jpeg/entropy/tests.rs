//! Codes made by hand, bit by bit: where they end and what they miss.

use super::*;

/// One DC code (`0`, no bits) and two AC codes (`0` ends the block, `10` is one coefficient).
fn tables() -> Tables<'static> {
    let mut tables = Tables::default();
    let dc = b"\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let ac = b"\x10\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01";
    tables.define_huffman(dc).unwrap();
    tables.define_huffman(ac).unwrap();
    tables
}

/// Gray, 8 pixels wide: one block in a row.
fn gray(height: u8) -> (Frame, Scan) {
    let frame = [8, 0, height, 0, 8, 1, 1, 0x11, 0];
    let frame = Frame::parse(marker::SOF0, &frame).unwrap();
    let scan = Scan::parse(&[1, 1, 0, 0, 63, 0], &frame).unwrap();
    (frame, scan)
}

fn followed(data: &[u8], height: u8, interval: u16) -> Result<usize, Corrupt> {
    let (frame, scan) = gray(height);
    let mut tables = tables();
    tables.restart_interval = interval;
    follow(data, &frame, &scan, &tables)
}

#[test]
fn codes_are_read_that_are_longer_than_the_lookup() {
    // One code of each length: `0`, `10`, `110`, …
    let mut counts = [1; 16];
    counts[12..].fill(0);
    let symbols: Vec<u8> = (100..112).collect();
    let codes = Codes::new(Huffman { counts: &counts, symbols: &symbols });
    for (ones, symbol) in (0..).zip(&symbols) {
        let bits = !(u16::MAX >> ones);
        let stuffed = |byte| if byte == 0xFF { [0xFF, 0].to_vec() } else { [byte].to_vec() };
        let data: Vec<u8> = bits.to_be_bytes().into_iter().flat_map(stuffed).collect();
        let mut bits = Bits { data: &data, at: 0, held: 0, count: 0 };
        assert_eq!(codes.decode(&mut bits), Ok(*symbol));
        assert_eq!(bits.count, 16 - (ones + 1), "of {ones} ones and a zero");
    }
}

#[test]
fn it_stops_after_the_last_unit() {
    // Two blocks of `0 0`, then padding.
    assert_eq!(followed(&[0b0000_1111, 1, 2, 3], 16, 0), Ok(1));
    // `0 10x 10x 0` twice fills a byte and a half; stuffing counts.
    assert_eq!(followed(&[0b0101_1011, 0xFF, 0, 9], 8, 0), Err(Corrupt::BadPixels));
    assert_eq!(followed(&[0b0101_1010, 0xFF, 0, 9], 8, 0), Ok(1));
}

#[test]
fn it_knows_what_is_missing() {
    assert_eq!(followed(&[], 8, 0), Err(Corrupt::Truncated));
    assert_eq!(followed(&[0], 48, 0), Err(Corrupt::Truncated));
    assert_eq!(followed(&[0b0011_1111, 0xFF, 0xD0], 16, 1), Err(Corrupt::Truncated));
}

#[test]
fn restarts_must_stand_where_they_belong() {
    let two = [0b0011_1111, 0xFF, 0xD0, 0b0011_1111];
    assert_eq!(followed(&two, 16, 1), Ok(4));
    assert_eq!(followed(&two, 16, 0), Err(Corrupt::BadPixels));
    assert_eq!(followed(&[0b0011_1111, 0xFF, 0xD1, 0], 16, 1), Err(Corrupt::BadStructure));
    assert_eq!(followed(&[0b0011_1111, 0, 0, 0], 16, 1), Err(Corrupt::BadStructure));
}
