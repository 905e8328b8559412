//! What frame and scan headers amount to: blocks, units, and what a scan may carry.

use super::*;
use alloc::vec;

/// 17 pixels across and 9 down; a component is its name, its factors and its quantisation table.
fn frame(marker: u8, components: &[[u8; 3]]) -> Frame {
    let count = u8::try_from(components.len()).unwrap();
    let head = [8, 0, 9, 0, 17, count];
    Frame::parse(marker, &[&head[..], components.as_flattened()].concat()).unwrap()
}

/// Components with these factors, named from 1 on.
fn sampled(factors: &[u8]) -> Frame {
    let components: Vec<_> = (1..).zip(factors).map(|(id, factors)| [id, *factors, 0]).collect();
    frame(marker::SOF0, &components)
}

/// A sequential scan of these components, all with tables 0.
fn scan(frame: &Frame, ids: &[u8]) -> Result<Scan, Corrupt> {
    let parts = ids.iter().flat_map(|id| [*id, 0]);
    let count = u8::try_from(ids.len()).unwrap();
    let header: Vec<u8> = [count].into_iter().chain(parts).chain([0, 63, 0]).collect();
    Scan::parse(&header, frame)
}

#[test]
fn blocks_are_those_of_whole_units_of_all_components() {
    for (factors, blocks) in [
        (&[0x11][..], 3 * 2),
        (&[0x11, 0x11, 0x11], 3 * 2 * 3),
        (&[0x22, 0x11, 0x11], 2 * (4 + 1 + 1)),
        (&[0x11, 0x21, 0x11, 0x11], 2 * 2 * (1 + 2 + 1 + 1)),
    ] {
        assert_eq!(sampled(factors).total_blocks(), blocks, "{factors:X?}");
    }
}

#[test]
fn three_components_of_which_the_first_is_coarser_are_there_at_one_size_too() {
    for (factors, blocks) in [
        // Units, times blocks as coded and three times those of the finest factors.
        (&[0x11, 0x21, 0x11], 2 * 2 * (1 + 2 + 1 + 3 * 2)),
        (&[0x11, 0x12, 0x11], 3 * (1 + 2 + 1 + 3 * 2)),
        (&[0x11, 0x22, 0x11], 2 * (1 + 4 + 1 + 3 * 4)),
        (&[0x12, 0x21, 0x11], 2 * (2 + 2 + 1 + 3 * 4)),
    ] {
        assert_eq!(sampled(factors).total_blocks(), blocks, "{factors:X?}");
    }
}

/// Section A.2.2: a scan of one component stops at its own last block, one of several at whole units.
#[test]
fn a_component_alone_has_only_the_units_that_it_covers() {
    let frame = sampled(&[0x22, 0x11, 0x11]);
    let units = |ids: &[u8]| scan(&frame, ids).unwrap().units(&frame);
    assert_eq!(units(&[1, 2, 3]), (2, 1), "16 by 16");
    assert_eq!(units(&[1]), (3, 2), "all 17 by 9");
    assert_eq!(units(&[2]), (2, 1), "9 by 5");
}

/// Section B.2.3.
#[test]
fn a_unit_of_several_components_has_at_most_ten_blocks() {
    for (factors, ids, expected) in [
        (&[0x42, 0x11, 0x11][..], &[1, 2, 3][..], Ok(3)),
        (&[0x42, 0x21, 0x11], &[1, 2, 3], Err(Corrupt::BadHeader)),
        (&[0x42, 0x21, 0x11], &[1, 2], Ok(2)),
        (&[0x44], &[1], Ok(1)),
    ] {
        let parts = scan(&sampled(factors), ids).map(|scan| scan.parts.len());
        assert_eq!(parts, expected, "{factors:X?} {ids:?}");
    }
}

/// Section G.1.1.1.
#[test]
fn a_scan_sends_the_first_bits_or_one_more() {
    let frame = frame(marker::SOF2, &[[1, 0x11, 0]]);
    for (bits, expected) in [
        (0x00, Ok((0, 0))),
        (0x0D, Ok((0, 13))),
        (0x10, Ok((1, 0))),
        (0x21, Ok((2, 1))),
        (0xED, Ok((14, 13))),
        (0x0E, Err(Corrupt::BadHeader)),
        (0x11, Err(Corrupt::BadHeader)),
        (0x12, Err(Corrupt::BadHeader)),
        (0x20, Err(Corrupt::BadHeader)),
    ] {
        let scan = Scan::parse(&[1, 1, 0, 0, 0, bits], &frame);
        assert_eq!(scan.map(|scan| (scan.high, scan.low)), expected, "{bits:X}");
    }
}

#[test]
fn the_fewest_bits_of_a_unit_are_the_shortest_codes_of_all_its_blocks() {
    // The only DC code has one bit, the only AC code three.
    let dc = [&[0, 1][..], &[0; 16]].concat();
    let ac = [&[0x10, 0, 0, 1][..], &[0; 14]].concat();
    let mut tables = Tables::default();
    tables.define_huffman(&dc).unwrap();
    let frame = sampled(&[0x22, 0x11, 0x11]);
    let sequential = scan(&frame, &[1, 2, 3]).unwrap();
    assert_eq!(sequential.least_unit_bits(false, &tables), None, "no AC table");
    tables.define_huffman(&ac).unwrap();
    assert_eq!(sequential.least_unit_bits(false, &tables), Some(6 * (1 + 3)));
    let alone = scan(&frame, &[1]).unwrap();
    assert_eq!(alone.least_unit_bits(false, &tables), Some(1 + 3));

    let dc = Scan { last: 0, ..sequential };
    assert_eq!(dc.least_unit_bits(true, &tables), Some(6), "first bits");
    let refined = Scan { high: 1, ..dc };
    assert_eq!(refined.least_unit_bits(true, &Tables::default()), Some(6), "no codes at all");
    let band = Scan { first: 1, last: 63, ..alone };
    assert_eq!(band.least_unit_bits(true, &tables), Some(0), "ended in a unit before");
}

#[test]
fn there_are_four_quantisation_tables() {
    let expected = Component { id: 1, across: 1, down: 1, quantisation: 3 };
    assert_eq!(frame(marker::SOF0, &[[1, 0x11, 3]]).components, vec![expected]);
}
