//! The JPEG fixtures, each with its exact report and the result of scrubbing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use image_rules::{
    Format, Policy, Report, inspect,
    report::{Coded, Color, Metadata, Orientation},
    scrub,
};

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/../tests/fixtures/jpeg/{name}.jpg", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

/// The pixels of a fixture, and the blocks that its scans visit.
fn scans(scan_blocks: u64) -> Coded {
    Coded { pixels: 960, scan_blocks, ..Coded::default() }
}

/// The report of most fixtures; each test lists its differences.
fn plain(size_bytes: u64) -> Report {
    Report {
        format: Format::Jpeg,
        size_bytes,
        width: 40,
        height: 24,
        orientation: Orientation::UPRIGHT,
        frames: 1,
        has_alpha: false,
        bit_depth: 8,
        color: Color::Rgb,
        progressive: false,
        lossless: false,
        jpeg_quality: Some(80),
        jpeg_blocks: 36,
        coded: scans(36),
        unterminated: false,
        payload: None,
        metadata: Metadata::default(),
    }
}

fn check(name: &str, expected: &Report) {
    let bytes = fixture(name);
    let report = inspect(&bytes, &Policy::EDGE).unwrap();
    assert_eq!(&report, expected, "{name}");
    let scrubbed = scrub(&bytes, &report).unwrap();
    let after = inspect(&scrubbed, &Policy::EDGE).unwrap();
    let kept = Metadata { icc: expected.metadata.icc, ..Metadata::default() };
    let size_bytes = scrubbed.len() as u64;
    assert_eq!(
        after,
        Report { metadata: kept, payload: None, size_bytes, ..report.clone() },
        "{name} scrubbed"
    );
    assert_eq!(scrub(&scrubbed, &after).unwrap(), scrubbed, "{name} scrubbed twice");
    if report.is_clean() {
        assert_eq!(scrubbed, bytes, "{name} was clean");
    }
}

#[test]
fn every_kind_of_coding() {
    check("baseline-420", &plain(813));
    check(
        "baseline-444",
        &Report { jpeg_quality: Some(92), jpeg_blocks: 45, coded: scans(45), ..plain(996) },
    );
    check("gray", &Report { color: Color::Gray, jpeg_blocks: 15, coded: scans(15), ..plain(427) });
    check("cmyk", &Report { color: Color::Cmyk, jpeg_blocks: 60, coded: scans(60), ..plain(666) });
    check("rgb", &Report { jpeg_blocks: 45, coded: scans(45), ..plain(648) });
    check("progressive", &Report { progressive: true, coded: scans(156), ..plain(718) });
    let gray = Report {
        color: Color::Gray,
        progressive: true,
        jpeg_blocks: 15,
        coded: scans(90),
        ..plain(378)
    };
    check("progressive-gray", &gray);
    check("restarts", &plain(824));
}

#[test]
fn every_orientation() {
    let sizes = [849, 861, 858, 850, 853, 861, 860, 852];
    for (value, size_bytes) in (1..).zip(sizes) {
        let orientation = Orientation::from_exif(value);
        // An upright image needs no EXIF block; the others have the smallest one already.
        let exif = if value == 1 { 36 } else { 0 };
        let (width, height) = if orientation.swaps_axes() { (24, 40) } else { (40, 24) };
        let metadata = Metadata { exif, ..Metadata::default() };
        let expected = Report { width, height, orientation, metadata, ..plain(size_bytes) };
        check(&format!("orientation-{value}"), &expected);
        assert_eq!(expected.upright_size(), (40, 24));
    }
}

#[test]
fn every_kind_of_private_data() {
    let metadata = Metadata { icc: 606, ..Metadata::default() };
    check("profile", &Report { metadata, ..plain(1419) });
    let metadata = Metadata { vendor: 106, trailing: 669, ..Metadata::default() };
    let payload = Some("JPEG");
    check("pair", &Report { jpeg_quality: Some(75), metadata, payload, ..plain(1572) });
    let metadata = Metadata {
        exif: 106,
        gps: 102,
        thumbnail: 344,
        xmp: 147,
        iptc: 40,
        icc: 606,
        comment: 9,
        vendor: 17,
        trailing: 23,
    };
    let orientation = Orientation::from_exif(6);
    let payload = Some("ZIP");
    let expected = Report { width: 24, height: 40, orientation, metadata, payload, ..plain(2219) };
    check("private", &expected);
}

#[cfg(feature = "codec")]
mod processed {
    use super::{fixture, inspect};
    use image_rules::{Action, ImageError, Plan, Policy, error::Corrupt, process};

    fn made(bytes: &[u8]) -> Result<(Action, Vec<u8>), ImageError> {
        let report = inspect(bytes, &Policy::EDGE)?;
        let plan = Plan::new(&report, &Policy::EDGE)?;
        let processed = process(bytes, &plan, &Policy::EDGE.limits)?;
        Ok((processed.action(), processed.into_bytes().into_owned()))
    }

    #[test]
    fn a_file_that_lost_only_its_end_mark_gets_it_back() {
        for name in ["baseline-420", "gray", "cmyk", "restarts"] {
            let whole = fixture(name);
            for end in [&b""[..], b"\xFF", b"\xFF\xDB", b"\xFF\xE9\0\x40?"] {
                let file = [&whole[..whole.len() - 2], end].concat();
                assert_eq!(made(&file), Ok((Action::Scrub, whole.clone())), "{name} {end:?}");
            }
            let half = &whole[..whole.len() - 40];
            assert_eq!(made(half), Err(Corrupt::Truncated.into()), "{name}");
        }
    }

    #[test]
    fn half_a_picture_with_an_end_mark_is_refused() {
        for name in ["baseline-420", "baseline-444", "cmyk", "progressive"] {
            let whole = fixture(name);
            let half = [&whole[..whole.len() - 40], b"\xFF\xD9"].concat();
            assert_eq!(made(&half), Err(Corrupt::Truncated.into()), "{name}");
        }
    }
}
