//! Files with tables that no scan uses, or that are defined anew between scans.

use super::*;

const STEPS: usize = 64;

/// A quantisation table whose steps are all the same.
fn quantisation(number: u8, step: u8) -> Vec<u8> {
    segment(0xDB, &[&[number][..], &[step; STEPS]].concat())
}

/// A Huffman table of one code, `0`.
fn huffman(class_and_number: u8) -> Vec<u8> {
    segment(0xC4, &[&[class_and_number, 1][..], &[0; 16]].concat())
}

/// A table counts from the byte that names it: 65 bytes, or 16 lengths and one symbol after it.
#[test]
fn tables_that_no_scan_uses_are_counted() {
    for (before, after, vendor) in [
        (quantisation(0, 2), vec![], 65), // replaced
        (huffman(0x00), vec![], 18),
        (huffman(0x10), vec![], 18),
        (vec![], quantisation(1, 2), 65), // never named
        (vec![], [huffman(0x01), huffman(0x13)].concat(), 18 + 18),
        (huffman(0x00), quantisation(3, 2), 18 + 65),
    ] {
        let gray = File::gray();
        let file = File { tables: [before, gray.tables, after].concat(), ..File::gray() };
        assert_eq!(file.metadata(), Metadata { vendor, ..Metadata::default() });
    }
}

#[test]
fn of_a_progressive_picture_only_scans_of_ac_use_an_ac_table() {
    let dc = scan(&[1, 1, 0, 0, 0, 1], &ONE_UNIT);
    let refined = scan(&[1, 1, 0, 0, 0, 0x10], &ONE_UNIT);
    let ac = scan(&[1, 1, 0, 1, 63, 0], &ONE_UNIT);
    for (scans, vendor) in [(&[dc.clone(), refined][..], 18), (&[dc, ac], 0)] {
        let file = File::progressive(scans);
        assert_eq!(file.metadata(), Metadata { vendor, ..Metadata::default() });
    }
}

#[test]
fn the_quality_is_that_of_the_table_at_the_first_scan() {
    let dc = scan(&[1, 1, 0, 0, 0, 0], &ONE_UNIT);
    let ac = scan(&[1, 1, 0, 1, 63, 0], &ONE_UNIT);
    let report = File::progressive(&[dc, quantisation(0, 255), ac]).report().unwrap();
    // Steps of 1; what came later is not used.
    assert_eq!((report.jpeg_quality, report.metadata.vendor), (Some(100), 65));
}
