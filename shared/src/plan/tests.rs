//! What is decided, at the very sizes where the decision changes.

use super::*;
use crate::{
    Limits,
    report::{Coded, Metadata, Orientation},
};

/// A clean picture of this size, eight bits a channel, in 10,000 bytes.
pub(crate) fn report(format: Format, width: u32, height: u32) -> Report {
    Report {
        format,
        size_bytes: 10_000,
        width,
        height,
        orientation: Orientation::UPRIGHT,
        frames: 1,
        has_alpha: false,
        bit_depth: 8,
        color: Color::Rgb,
        progressive: false,
        lossless: format != Format::Jpeg,
        jpeg_quality: None,
        // Luma in whole blocks, and chroma of half its size.
        jpeg_blocks: u64::from(width.div_ceil(8)) * u64::from(height.div_ceil(8)) * 3 / 2,
        coded: Coded { pixels: u64::from(width) * u64::from(height), ..Coded::default() },
        unterminated: false,
        metadata: Metadata::default(),
        payload: None,
    }
}

const POLICY: Policy =
    Policy { limits: Limits { max_peak_bytes: u64::MAX, ..Limits::EDGE }, ..Policy::EDGE };

fn plan(report: &Report) -> Plan {
    Plan::new(report, &POLICY).expect("admitted")
}

fn aim(report: &Report) -> Target {
    *plan(report).target().expect("to be made smaller")
}

#[test]
fn what_fits_is_kept_and_what_is_too_wide_or_too_high_is_made_smaller() {
    for (width, height, action) in
        [(2048, 2048, Action::Keep), (2049, 2000, Action::Optimise), (2000, 2049, Action::Optimise)]
    {
        for format in Format::ALL {
            let report = report(format, width, height);
            assert_eq!(plan(&report).action(), action, "{format:?} {width} {height}");
            assert_eq!(plan(&report).report(), &report);
        }
    }
    let mut private = report(Format::Jpeg, 10, 10);
    private.metadata.gps = 1;
    assert_eq!(plan(&private).action(), Action::Scrub);
    assert_eq!(plan(&private).target(), None);
}

#[test]
fn what_has_more_bytes_than_are_aimed_for_is_encoded_anew_but_not_an_animation() {
    let policy = Policy { target_bytes: Some(9_999), ..POLICY };
    let action =
        |report: &Report, policy: &Policy| Plan::new(report, policy).expect("admitted").action();
    for format in Format::ALL {
        let still = report(format, 100, 100);
        assert_eq!(action(&still, &policy), Action::Optimise, "{format:?}");
        let enough = Policy { target_bytes: Some(10_000), ..POLICY };
        assert_eq!(action(&still, &enough), Action::Keep, "{format:?}");
        let animated = Report { frames: 2, ..still };
        assert_eq!(action(&animated, &policy), Action::Keep, "{format:?}");
    }
}

#[test]
fn of_animations_only_a_gif_is_made_smaller() {
    for format in [Format::Png, Format::WebP] {
        let animated = Report { frames: 2, ..report(format, 3000, 1000) };
        assert_eq!(Plan::new(&animated, &POLICY), Err(ImageError::AnimationTooLarge));
    }
    assert_eq!(aim(&Report { frames: 2, ..report(Format::Gif, 4096, 2000) }).width, 2048);
}

#[test]
fn a_jpeg_is_decoded_at_the_coarsest_scale_that_is_near_enough() {
    for (width, height, scale, size) in [
        (4032, 3024, Scale::Half, (2016, 1512)),
        (3840, 3000, Scale::Half, (1920, 1500)),
        // Half of it is a sixteenth less than aimed for, and a pixel.
        (3838, 3000, Scale::Full, (2048, 1601)),
        (3000, 3838, Scale::Full, (1601, 2048)),
        (8192, 4096, Scale::Quarter, (2048, 1024)),
        (16_384, 8192, Scale::Eighth, (2048, 1024)),
    ] {
        let aim = aim(&report(Format::Jpeg, width, height));
        assert_eq!((aim.scale, (aim.width, aim.height)), (scale, size), "{width} {height}");
    }
}

#[test]
fn where_memory_is_short_a_jpeg_becomes_smaller_by_one_step_and_no_more() {
    let photo = report(Format::Jpeg, 4032, 3024);
    let within = |report: &Report, max_peak_bytes: u64, target_bytes| {
        let limits = Limits { max_peak_bytes, ..Limits::EDGE };
        Plan::new(report, &Policy { limits, target_bytes, ..POLICY })
    };
    let peak_bytes = plan(&photo).peak_bytes();
    let exact = within(&photo, peak_bytes, None).expect("as much as it needs");
    let aim = exact.target().expect("an aim");
    assert_eq!((exact.peak_bytes(), aim.scale, aim.width), (peak_bytes, Scale::Half, 2016));
    let coarser = within(&photo, peak_bytes - 1, None).expect("a quarter needs less");
    let aim = coarser.target().expect("an aim");
    assert_eq!((aim.scale, aim.width, aim.height), (Scale::Quarter, 1008, 756));
    assert!(coarser.peak_bytes() < peak_bytes);
    // The error has what would have been enough, not what the coarser scale needs.
    let refused = ImageError::TooMuchMemory { peak_bytes, limit_bytes: 1 };
    assert_eq!(within(&photo, 1, None), Err(refused));
    assert!(within(&report(Format::Jpeg, 16_384, 8192), 1, None).is_err(), "there is no coarser");

    // Too heavy only: as it is, and where that is too much, half as large.
    let heavy = report(Format::Jpeg, 2000, 1600);
    let whole = within(&heavy, u64::MAX, Some(1)).expect("admitted");
    assert_eq!(whole.target().map(|aim| (aim.scale, aim.width)), Some((Scale::Full, 2000)));
    let half = within(&heavy, whole.peak_bytes() - 1, Some(1)).expect("half of it needs less");
    assert_eq!(half.target().map(|aim| (aim.scale, aim.width)), Some((Scale::Half, 1000)));
}

#[test]
fn proportions_are_kept_to_the_nearest_pixel_and_no_side_vanishes() {
    for (width, height, expected) in [
        (3000, 1000, (2048, 683)),
        (3000, 1001, (2048, 683)),
        (3001, 1000, (2048, 682)),
        (1000, 3000, (683, 2048)),
        (60_000, 1, (16_383, 1)),
    ] {
        let aim = aim(&report(Format::Png, width, height));
        assert_eq!((aim.width, aim.height), expected, "{width} {height}");
    }
}

#[test]
fn long_pictures_stay_legible() {
    for format in [Format::Png, Format::Jpeg] {
        for (size, expected) in [
            // As many pixels as the square.
            ((1080, 12_000), (614, 6826)),
            ((12_000, 1080), (6826, 614)),
            // A third of the edge.
            ((1170, 5000), (682, 2917)),
            ((1080, 3241), (682, 2048)),
            // No more than 1:3: within the square.
            ((1080, 3240), (683, 2048)),
            ((1170, 2532), (946, 2048)),
            // Eight times the edge.
            ((400, 40_000), (163, 16_383)),
        ] {
            let aim = aim(&report(format, size.0, size.1));
            let is_near = aim.width.abs_diff(expected.0) * 16 <= expected.0
                && aim.height.abs_diff(expected.1) * 16 <= expected.1;
            // A JPEG may be decoded at a scale that is a little coarser.
            let is_as_expected =
                (aim.width, aim.height) == expected || (format == Format::Jpeg && is_near);
            assert!(is_as_expected, "{format:?} {size:?} {} {}", aim.width, aim.height);
        }
        for (width, height) in [(682, 6144), (600, 5000), (10, 16_383)] {
            let kept = report(format, width, height);
            assert_eq!(plan(&kept).action(), Action::Keep, "{width} {height}");
        }
    }
}

/// Otherwise what a browser has made smaller would be made smaller once more at the edge.
#[test]
fn what_was_made_smaller_fits() {
    for edge in [8, 16, 200, 2047, 2048, 16_384] {
        for shorter in [1, 2, 7, 163, 682, 683, 684, 1080, 1365, 5000] {
            for longer in (shorter..60_000).step_by(97) {
                let size = fitted((longer, shorter), edge);
                assert_eq!(fitted(size, edge), size, "{longer} {shorter} to {edge}");
                assert!(size.0 <= edge.saturating_mul(8).min(16_383).max(edge));
                let pixels = u64::from(size.0) * u64::from(size.1);
                assert!(pixels <= u64::from(edge).pow(2));
            }
        }
    }
}

#[test]
fn the_quality_is_what_the_source_needs_unless_its_tables_are_for_inks() {
    let photo = report(Format::Jpeg, 4096, 4096);
    let coarse = Report { jpeg_quality: Some(30), ..photo };
    assert_eq!(aim(&coarse).quality, 59, "half as large, half the errors");
    assert_eq!(aim(&Report { color: Color::Cmyk, ..coarse.clone() }).quality, 80);
    assert_eq!(aim(&Report { jpeg_quality: Some(95), ..coarse }).quality, 80, "the policy's");
}

#[test]
fn a_picture_of_the_same_size_needs_the_same_quality() {
    for source in 1..=100 {
        assert_eq!(needed_quality(source, 1000, 1000), source);
    }
}

#[test]
fn a_smaller_picture_needs_more() {
    for (source, from, to, expected) in [
        (50, 4000, 2000, 75),
        (75, 4000, 1000, 94),
        (10, 1000, 500, 20),
        (100, 8, 1, 100),
        (1, 65535, 1, 100),
    ] {
        assert_eq!(needed_quality(source, from, to), expected, "{source} {from} {to}");
    }
}

#[test]
fn the_size_that_is_stored_is_the_one_that_must_be_large_enough() {
    let wide = |min_width| Policy { max_edge: 2048, min_width: Some(min_width), ..POLICY };
    let photo = report(Format::Jpeg, 4032, 3024);
    // A half of 4032 would do for the edge, but not for the form.
    let size = |policy: &Policy| {
        let target = *Plan::new(&photo, policy)?.target().expect("too large");
        Ok::<_, ImageError>((target.width, target.height))
    };
    assert_eq!(size(&wide(2016)), Ok((2016, 1512)));
    assert_eq!(size(&wide(2017)), Ok((2048, 1536)));
    let refused = |policy: &Policy, report: &Report| Plan::new(report, policy).err();
    let (min_width, min_height) = (Some(2049), None);
    let small = ImageError::TooSmall { width: 2048, height: 1536, min_width, min_height };
    assert_eq!(size(&wide(2049)), Err(small));

    // Turned: what is coded as width is seen as height.
    let turned = Report { orientation: Orientation::from_exif(6), ..report(Format::Png, 300, 200) };
    assert_eq!(refused(&wide(200), &turned), None);
    let (min_width, min_height) = (Some(201), None);
    let small = ImageError::TooSmall { width: 200, height: 300, min_width, min_height };
    assert_eq!(refused(&wide(201), &turned), Some(small));
    let high = Policy { min_height: Some(300), ..POLICY };
    assert_eq!(refused(&high, &turned), None);
    let portrait = Policy { aspect_ratio: crate::AspectRatio::parse("2:3"), ..POLICY };
    assert_eq!(refused(&portrait, &turned), None);
    let flat = report(Format::Png, 300, 200);
    let ratio = crate::AspectRatio::parse("2:3").expect("a ratio");
    let wrong = ImageError::WrongRatio { width: 300, height: 200, ratio };
    assert_eq!(refused(&portrait, &flat), Some(wrong));
    // Of a photo the size that was chosen is named, not the one that would be stored.
    let wrong = ImageError::WrongRatio { width: 4032, height: 3024, ratio };
    assert_eq!(refused(&portrait, &photo), Some(wrong));
}
