//! Where the walk says that the codes of real frames end, and what it lets pass behind them.

use super::*;
use crate::pace::run;

fn check(data: &[u8]) -> Result<(), Corrupt> {
    run!(super::check(data, &Pace::default()))
}

/// Of libwebp: a few macroblocks, segments, eight partitions, and one whose alpha lies beside it.
const PICTURES: [(&[u8], usize); 4] = [
    (include_bytes!("../../../../tests/fixtures/webp/lossy.webp"), 1),
    (include_bytes!("../../../../tests/fixtures/webp/lossy-large.webp"), 1),
    (include_bytes!("../../../../tests/fixtures/webp/lossy-partitions.webp"), 8),
    (include_bytes!("../../../../tests/fixtures/webp/lossy-alpha.webp"), 1),
];

/// The frame of a picture.
fn frame(picture: &[u8]) -> &[u8] {
    let at = picture.windows(4).position(|window| window == b"VP8 ").unwrap();
    let size = u32::from_le_bytes(picture[at + 4..at + 8].try_into().unwrap());
    &picture[at + 8..at + 8 + size as usize]
}

/// The frame with something behind one of its partitions.
fn followed(data: &[u8], at: usize, tail: &[u8]) -> Vec<u8> {
    let frame = KeyFrame::read(data).unwrap();
    let mut partitions: Vec<_> =
        [frame.first].iter().chain(frame.rest.all()).map(|bytes| bytes.to_vec()).collect();
    partitions[at].extend(tail);
    let u24 = |number: usize| u32::try_from(number).unwrap().to_le_bytes()[..3].to_vec();
    let tag = u24(usize::from(data[0] & 0x1F) | partitions[0].len() << 5);
    let [first, inner @ .., _] = &partitions[..] else { unreachable!() };
    let sizes = inner.iter().flat_map(|partition| u24(partition.len()));
    let head = tag.into_iter().chain(data[3..10].iter().copied());
    let rest = partitions[1..].iter().flatten().copied();
    head.chain(first.iter().copied()).chain(sizes).chain(rest).collect()
}

/// Bytes of each partition that the walk has not read.
fn unread(data: &[u8]) -> Vec<usize> {
    let (first, rest) = run!(walk(&KeyFrame::read(data).unwrap(), 0, &Pace::default()));
    [first].iter().chain(&rest).map(Bools::unread).collect()
}

#[test]
fn the_data_ends_with_the_last_partition() {
    for (picture, count) in PICTURES {
        let data = frame(picture);
        assert_eq!(check(data), Ok(()));
        let plain = unread(data);
        assert_eq!(plain.len(), 1 + count);
        for at in 0..=count {
            // Lengthened, so that neither an early end nor one behind the partition would be missed.
            let mut expected = plain.clone();
            expected[at] = 0;
            let mut left = unread(&followed(data, at, &[0xA5; 40]));
            let behind = core::mem::take(&mut left[at]);
            assert!((39..=42).contains(&behind), "partition {at}: {behind} bytes");
            assert_eq!(left, expected, "partition {at}");
        }
        assert!(plain.into_iter().all(|left| left <= 2));
    }
}

#[test]
fn only_padding_may_follow() {
    for (picture, count) in PICTURES {
        let data = frame(picture);
        for at in 0..=count {
            let check = |tail: &[u8]| check(&followed(data, at, tail));
            assert_eq!(check(&[0; 100]), Ok(()), "partition {at}");
            assert_eq!(check(&[0xA5; 6]), Ok(()), "partition {at}");
            assert_eq!(check(&[0xA5; 10]), Err(Corrupt::BadPixels), "partition {at}");
            let far = [&[0; 100][..], &[1]].concat();
            assert_eq!(check(&far), Err(Corrupt::BadPixels), "partition {at}");
        }
    }
}

#[test]
fn reads_past_the_end_are_zeros() {
    for (picture, _) in PICTURES {
        let data = frame(picture);
        let length = 10 + KeyFrame::read(data).unwrap().first.len();
        for end in length..data.len() {
            // Shorter partitions, where their sizes still fit.
            let _ = check(&data[..end]);
        }
        for at in 10..data.len() {
            let mut broken = data.to_vec();
            broken[at] ^= 0xFF;
            let _ = check(&broken);
        }
        let mut ones = data.to_vec();
        ones[length..].fill(0xFF);
        let _ = check(&ones);
    }
}
