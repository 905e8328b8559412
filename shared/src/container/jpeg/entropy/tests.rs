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

/// Zeros and ones as bytes, padded with ones; neither spaces nor bars count.
fn packed(codes: &str) -> Vec<u8> {
    let bits: Vec<u8> = codes.bytes().filter(u8::is_ascii_digit).map(|bit| bit & 1).collect();
    let byte = |bits: &[u8]| (0..8).fold(0, |byte, at| byte << 1 | bits.get(at).unwrap_or(&1));
    bits.chunks(8).map(byte).collect()
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
fn a_code_is_known_by_its_first_bits_whatever_follows() {
    let mut counts = [0; 16];
    counts[1] = 3;
    let codes = Codes::new(Huffman { counts: &counts, symbols: &[7, 8, 9] });
    for (code, symbol) in (0_u16..).zip([7, 8, 9]) {
        for after in (0..14).map(|bit| 1 << bit) {
            let data = (code << 14 | after).to_be_bytes();
            let mut bits = Bits { data: &data, at: 0, held: 0, count: 0 };
            assert_eq!(codes.decode(&mut bits), Ok(symbol), "{code} {after:b}");
        }
    }
}

/// Section F.2.2.2: `F0` passes over sixteen coefficients, `E1` over fourteen and one that has a bit.
#[test]
fn a_block_ends_where_it_says_so_or_with_its_last_coefficient() {
    let (frame, scan) = gray(16);
    let mut tables = tables();
    // `0` ends the block, `10` is `F0`, `110` is `E1`, `1110` is one coefficient of one bit.
    let ac = b"\x10\x01\x01\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\xF0\xE1\x01";
    tables.define_huffman(ac).unwrap();
    let full = "0 10 10 10 110 1";
    let single = ["0 ", &"1110 1 ".repeat(63)].concat();
    for (blocks, bits) in [
        (["0 10 110 1 0", "0 0"], 8 + 2),
        ([full, "0 10 0"], 11 + 4),
        (["0 10 10 10 0", full], 8 + 11),
        ([&single, &single], 2 * (1 + 63 * 5)),
    ] {
        let data = packed(&blocks.join("|"));
        let and_more = [&data[..], &[9, 9]].concat();
        let taken = follow(&and_more, &frame, &scan, &tables);
        assert_eq!(taken, Ok(usize::div_ceil(bits, 8)), "{blocks:?}");
    }
}

#[test]
fn a_unit_has_all_blocks_of_its_components() {
    let frame = [8, 0, 16, 0, 16, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0];
    let frame = Frame::parse(marker::SOF0, &frame).unwrap();
    // A block is two bits.
    for (header, bits) in [
        (&[3, 1, 0, 2, 0, 3, 0, 0, 63, 0][..], 2 * (4 + 1 + 1)),
        (&[2, 2, 0, 3, 0, 0, 63, 0], 2 * (1 + 1)),
        (&[1, 1, 0, 0, 63, 0], 2 * 4),
    ] {
        let scan = Scan::parse(header, &frame).unwrap();
        let taken = follow(&[0; 9], &frame, &scan, &tables());
        assert_eq!(taken, Ok(usize::div_ceil(bits, 8)), "{header:?}");
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

/// Section B.2.1: they count from 0 to 7 and again; section B.1.1.2: fill bytes may stand before each.
#[test]
fn restarts_count_to_eight_at_their_interval() {
    let restarted = |data: u8, marks: &[u8]| {
        let units = marks.iter().flat_map(|mark| [data, 0xFF, 0xD0 + mark]);
        units.chain([data]).collect::<Vec<_>>()
    };
    let each = restarted(0b0011_1111, &[0, 1, 2, 3, 4, 5, 6, 7, 0, 1]);
    assert_eq!(followed(&each, 11 * 8, 1), Ok(each.len()));
    let every_second = restarted(0b0000_1111, &[0, 1]);
    assert_eq!(followed(&every_second, 6 * 8, 2), Ok(every_second.len()));
    let filled = [0b0011_1111, 0xFF, 0xFF, 0xFF, 0xD0, 0b0011_1111];
    assert_eq!(followed(&filled, 16, 1), Ok(filled.len()));
}
