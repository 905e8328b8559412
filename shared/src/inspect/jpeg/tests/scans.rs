//! Files whose scans are more than one, of several components, or not whole.

use super::*;

#[test]
fn progressive_scans_follow_the_rules() {
    let dc = scan(&[1, 1, 0, 0, 0, 1], &ONE_UNIT);
    let report = File::progressive(core::slice::from_ref(&dc)).report().unwrap();
    assert!(report.progressive);
    for header in [
        [1, 1, 0, 0, 5, 0],    // DC and AC together
        [1, 1, 0, 5, 4, 0],    // backwards
        [1, 1, 0, 1, 64, 0],   // beyond the last
        [1, 1, 0, 0, 0, 0x31], // two bits at once
        [1, 1, 0, 1, 63, 14],  // more bits than there are
    ] {
        let file = File::progressive(&[dc.clone(), scan(&header, &ONE_UNIT)]);
        assert_eq!(file.corrupt(), Corrupt::BadHeader, "{header:?}");
    }
    let only_ac = File::progressive(&[scan(&[1, 1, 0, 1, 63, 0], &ONE_UNIT)]);
    assert_eq!(only_ac.corrupt(), Corrupt::NoImageData);
    let mut scans = vec![scan(&[1, 1, 0, 1, 63, 0], &ONE_UNIT); 100];
    scans[0] = dc;
    assert!(File::progressive(&scans).report().is_ok());
    scans.push(scans[1].clone());
    let expected = ImageError::TooManyScans { limit: 100 };
    assert_eq!(File::progressive(&scans).report(), Err(expected));
}

#[test]
fn the_blocks_of_all_scans_are_counted() {
    let dc = scan(&[1, 1, 0, 0, 0, 1], &ONE_UNIT);
    let ac = scan(&[1, 1, 0, 1, 63, 0], &ONE_UNIT);
    let mut file = File::progressive(&[dc, ac.clone(), ac.clone(), ac]);
    let counted = |file: &File| file.report().map(|report| report.coded.scan_blocks);
    assert_eq!(counted(&file), Ok(4), "one block, four times");
    file.frame = segment(0xC2, &[8, 0, 9, 0, 17, 1, 1, 0x11, 0]);
    assert_eq!(counted(&file), Ok(24), "three across and two down, four times");
}

#[test]
fn few_bytes_cannot_claim_many_pixels() {
    let claim = File::framed(&[8, 0x1B, 0x58, 0x1B, 0x58, 1, 1, 0x11, 0]);
    assert_eq!(claim.corrupt(), Corrupt::Truncated);
    let mut progressive = File::progressive(&[scan(&[1, 1, 0, 0, 0, 1], &[0; 8])]);
    progressive.frame = segment(0xC2, &[8, 0, 64, 0, 64, 1, 1, 0x11, 0]);
    assert!(progressive.report().is_ok());
    progressive.scans = scan(&[1, 1, 0, 0, 0, 1], &[0; 7]);
    assert_eq!(progressive.corrupt(), Corrupt::Truncated);
}

#[test]
fn restarts_are_counted() {
    let mut file = File::framed(&[8, 0, 24, 0, 8, 1, 1, 0x11, 0]);
    file.tables.extend(segment(0xDD, &[0, 1]));
    for (data, expected) in [
        (&b"?\xFF\xD0?\xFF\xD1?"[..], Ok(())),
        (b"?\xFF\xD0?\xFF\xD1?\xFF\xD2", Ok(())),
        (b"?\xFF\xD0?", Err(Corrupt::Truncated)),
        (b"?\xFF\xD0?\xFF\xD2?", Err(Corrupt::BadStructure)),
        (b"?\xFF\xD0?\xFF\xD1?\xFF\xD2?\xFF\xD3", Err(Corrupt::BadStructure)),
    ] {
        file.scans = scan(&GRAY_SCAN, data);
        let expected = expected.map_err(ImageError::Corrupt);
        assert_eq!(file.report().map(|_| ()), expected, "{data:?}");
    }
}

#[test]
fn four_components_in_one_scan_are_inks() {
    let factors = [1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0];
    let mut file = File::framed(&[&[8, 0, 8, 0, 8, 4][..], &factors].concat());
    // A block of each, of two bits.
    file.scans = scan(&[4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0], &[0]);
    let report = file.report().unwrap();
    assert_eq!((report.color, report.jpeg_blocks), (Color::Cmyk, 4));
    file.scans = scan(&[4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0], &[]);
    assert_eq!(file.corrupt(), Corrupt::Truncated);
}
