//! Tables by the dozen: where one ends and the next begins, and which scan uses which.

use super::{super::frame::Frame, *};
use alloc::vec;

/// Section B.2.4: a byte of name, then 64 steps of one or two bytes, or 16 counts and as many symbols.
#[test]
fn a_segment_is_cut_where_its_tables_end() {
    let lengths =
        |marker, payload: &[u8]| tables(marker, payload).map(<[u8]>::len).collect::<Vec<_>>();
    let table = |head: u8, len: usize| [&[head][..], &vec![1; len]].concat();
    let steps = [table(0x00, 64), table(0x02, 64), table(0x11, 128)].concat();
    assert_eq!(lengths(marker::DQT, &steps), [65, 65, 129]);
    // One symbol for each of the 16 lengths, then three symbols of one length.
    let three = [&[0x11, 0, 3][..], &[0; 14], &[7; 3]].concat();
    let codes = [table(0x00, 16 + 16), three].concat();
    assert_eq!(lengths(marker::DHT, &codes), [33, 20]);
}

#[test]
fn each_table_has_a_place_of_its_own() {
    let mut uses = Uses::default();
    for head in 0..4 {
        uses.define(marker::DQT, &[&[head][..], &[1; 64]].concat(), |it| panic!("{it:?}"));
    }
    for head in [0x00, 0x01, 0x02, 0x03, 0x10, 0x11, 0x12, 0x13] {
        uses.define(marker::DHT, &[&[head, 1][..], &[0; 16]].concat(), |it| panic!("{it:?}"));
    }
    let unused = |uses: &Uses| {
        let mut numbers = vec![];
        uses.finish(|it| numbers.push(it.number));
        numbers
    };
    assert_eq!(unused(&uses), (0..12).collect::<Vec<_>>());

    // Quantisation 1; DC 2 and AC 3 in the scan.
    let scan = |marker, [first, last, bits]: [u8; 3]| {
        let frame = Frame::parse(marker, &[8, 0, 8, 0, 8, 1, 1, 0x11, 1]).unwrap();
        let scan = Scan::parse(&[1, 1, 0x23, first, last, bits], &frame).unwrap();
        let mut uses = uses.clone();
        uses.scan(&scan, frame.progressive);
        unused(&uses)
    };
    let but = |used: &[usize]| (0..12).filter(|it| !used.contains(it)).collect::<Vec<_>>();
    assert_eq!(scan(marker::SOF0, [0, 63, 0]), but(&[1, 4 + 2, 8 + 3]));
    assert_eq!(scan(marker::SOF0 + 2, [0, 0, 1]), but(&[1, 4 + 2]));
    assert_eq!(scan(marker::SOF0 + 2, [0, 0, 0x10]), but(&[1]), "bits without codes");
    assert_eq!(scan(marker::SOF0 + 2, [1, 63, 0]), but(&[1, 8 + 3]));
}
