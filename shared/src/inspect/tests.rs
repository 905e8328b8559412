//! What holds for all formats: types as declared, sizes, what is private, what is clean.

use super::*;
use crate::{Metadata, Orientation, format::ForeignType, plan::tests::report};

#[test]
fn the_declared_type_must_be_the_one_that_the_bytes_show() {
    let policy = Policy { limits: Limits { max_bytes: 16, ..Limits::EDGE }, ..Policy::EDGE };
    let declared = Format::Png;
    for (bytes, expected) in [
        (&b"GIF89a"[..], ImageError::DeclaredMismatch { declared, actual: Format::Gif }),
        (b"%PDF-1.7", ImageError::Disguised { declared, actual: ForeignType { name: "PDF" } }),
        (b"hello", ImageError::Unrecognised),
        (b"", ImageError::Empty),
        (&[0; 17], ImageError::TooManyBytes { size_bytes: 17, limit_bytes: 16 }),
    ] {
        assert_eq!(inspect_as(bytes, declared, &policy), Err(expected));
    }
    let own = inspect_as(b"GIF89a", Format::Gif, &policy);
    assert_eq!(own, inspect(b"GIF89a", &policy));
}

#[test]
fn as_many_bytes_as_may_be_are_looked_at() {
    let policy = Policy { limits: Limits { max_bytes: 16, ..Limits::EDGE }, ..Policy::EDGE };
    assert_eq!(inspect(&[b'x'; 16], &policy), Err(ImageError::Unrecognised));
    let refused = ImageError::TooManyBytes { size_bytes: 17, limit_bytes: 16 };
    assert_eq!(inspect(&[b'x'; 17], &policy), Err(refused));
}

#[test]
fn one_byte_of_any_private_data_is_reported_and_not_clean() {
    let none = Metadata::default();
    for (name, metadata) in [
        ("exif", Metadata { exif: 1, ..none }),
        ("gps", Metadata { gps: 1, ..none }),
        ("thumbnail", Metadata { thumbnail: 1, ..none }),
        ("xmp", Metadata { xmp: 1, ..none }),
        ("iptc", Metadata { iptc: 1, ..none }),
        ("comment", Metadata { comment: 1, ..none }),
        ("vendor", Metadata { vendor: 1, ..none }),
        ("trailing", Metadata { trailing: 1, ..none }),
    ] {
        assert!(metadata.kinds().eq([name]), "{name}");
        assert!(!metadata.is_clean(), "{name}");
    }
    assert!(none.is_clean() && none.kinds().next().is_none());
    let profile = Metadata { icc: 1, ..none };
    assert!(profile.is_clean() && profile.kinds().eq(["icc"]), "colours depend on it");
}

#[test]
fn a_picture_is_clean_when_nothing_is_private_and_nothing_is_missing() {
    let clean = report(Format::Png, 3, 2);
    assert!(clean.is_clean());
    assert!(!Report { unterminated: true, ..clean.clone() }.is_clean());
    let metadata = Metadata { gps: 1, ..Metadata::default() };
    assert!(!Report { metadata, ..clean }.is_clean());
}

#[test]
fn turned_by_a_quarter_width_and_height_change_places() {
    for (value, size) in [(1, (3, 2)), (4, (3, 2)), (5, (2, 3)), (8, (2, 3))] {
        let orientation = Orientation::from_exif(value);
        let report = Report { orientation, ..report(Format::Png, 3, 2) };
        assert_eq!(report.upright_size(), size, "{value}");
        assert_eq!(u8::from(orientation), orientation.exif());
    }
}

#[test]
fn an_orientation_out_of_range_is_upright() {
    for (value, expected) in [(0, 1), (1, 1), (5, 5), (8, 8), (9, 1), (0x0106, 1)] {
        assert_eq!(Orientation::from_exif(value).exif(), expected, "{value}");
    }
    assert_eq!(Orientation::default(), Orientation::UPRIGHT);
}
