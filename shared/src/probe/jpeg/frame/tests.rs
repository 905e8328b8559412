//! What frame and scan headers amount to: blocks, units, and what a scan may carry.

use super::*;

#[test]
fn blocks_are_those_of_whole_units_of_all_components() {
    let blocks = |components: &[[u8; 3]]| {
        let count = u8::try_from(components.len()).unwrap();
        let head = [8, 0, 9, 0, 17, count];
        let payload = [&head[..], components.as_flattened()].concat();
        Frame::parse(marker::SOF0, &payload).unwrap().total_blocks()
    };
    assert_eq!(blocks(&[[1, 0x11, 0]]), 3 * 2);
    assert_eq!(blocks(&[[1, 0x11, 0], [2, 0x11, 0], [3, 0x11, 0]]), 3 * 2 * 3);
    assert_eq!(blocks(&[[1, 0x22, 0], [2, 0x11, 0], [3, 0x11, 0]]), 2 * (4 + 1 + 1));
}
