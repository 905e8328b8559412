//! Compares the measured peak memory of processing (by a counting allocator) with the computed one: the measured peak is never
//! larger, and at least a third.
//!
//! This is one test, because the allocator counts for the whole process. `cargo test --features codec --test budget --
//! --nocapture` prints the figures.
#![cfg(feature = "codec")]
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod fixture;
mod many_codes;
mod picture;

use image_rules::{Bounds, Limits, Output, Plan, Policy, inspect, limits::Effort, process};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The policy of the edge with a larger limit of bytes.
const POLICY: Policy =
    Policy { limits: Limits { max_bytes: u64::MAX, ..Limits::EDGE }, ..Policy::EDGE };

/// Measured and computed peak.
fn peaks(bytes: &[u8], policy: &Policy) -> (u64, u64) {
    let report = inspect(bytes, policy).expect("a sound picture");
    peaks_of(bytes, &Plan::new(&report, policy).expect("within the limits"), policy)
}

fn peaks_of(bytes: &[u8], plan: &Plan, policy: &Policy) -> (u64, u64) {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let made = process(bytes, plan, &policy.limits).expect("pixels that decode");
    let measured = ALLOCATOR.peak_usage().saturating_sub(before) as u64;
    drop(made);
    (measured, plan.peak_bytes())
}

fn check(name: &str, bytes: &[u8], policy: &Policy) {
    let (measured, computed) = peaks(bytes, policy);
    let what = format!("{name}, edge {}, {:?}", policy.max_edge, policy.effort);
    println!("{what}: measured {measured}, computed {computed}");
    assert!(measured <= computed, "{what}: {measured} is more than {computed}");
    // About two megabytes do not grow with the image (mostly the histogram of colours), and a file with hidden data would have
    // been copied. The part that grows is computed within a factor of three.
    let spare = (5 << 19) + bytes.len() as u64;
    assert!(computed <= 3 * measured + spare, "{what}: {measured} is far below {computed}");
}

#[test]
fn the_computed_peak_holds() {
    for fixture in fixture::all() {
        for effort in [Effort::Fast, Effort::Balanced, Effort::Small] {
            for max_edge in [2048, 20] {
                let policy = Policy { max_edge, effort, ..POLICY };
                let report = inspect(&fixture.bytes, &policy).expect("a sound fixture");
                if Plan::new(&report, &policy).is_ok() {
                    check(&fixture.name, &fixture.bytes, &policy);
                }
            }
        }
    }
    let photo = picture::photo(4032, 3024);
    for (name, bytes) in [
        ("12 MP 4:2:0", photo.jpeg(92, false, false)),
        ("12 MP 4:4:4", photo.jpeg(92, false, true)),
        ("12 MP progressive", photo.jpeg(92, true, false)),
    ] {
        check(name, &bytes, &Policy { max_edge: 1600, ..POLICY });
        check(name, &bytes, &POLICY);
    }
    check(
        "12 MP RGB",
        &stored_as_rgb(&photo.jpeg(92, false, true)),
        &Policy { max_edge: 1600, ..POLICY },
    );
    drop(photo);
    let small = picture::photo(1600, 1200);
    for effort in [Effort::Fast, Effort::Balanced, Effort::Small] {
        check("2 MP", &small.jpeg(92, false, false), &Policy { max_edge: 1200, effort, ..POLICY });
    }
    check("2 MP kept", &small.jpeg(80, true, false), &POLICY);
    for max_edge in [2048, 1024] {
        check("2 MP PNG", &small.png(), &Policy { max_edge, ..POLICY });
        check("2 MP WebP", &small.webp(), &Policy { max_edge, ..POLICY });
    }
    for groups in [1, 500, 1500] {
        check("WebP with many codes", &many_codes::webp(1024, 1024, groups), &POLICY);
    }
    let lossy = include_bytes!("../../tests/fixtures/large/lossy-alpha.webp");
    for max_edge in [2048, 1024] {
        check("2 MP lossy WebP with alpha", lossy, &Policy { max_edge, ..POLICY });
    }
    // Encoded losslessly, with a palette, and as JPEG where those are too large.
    let screenshot = picture::screenshot(1170, 2532).opaque_png();
    let page = picture::screenshot(1080, 6000).opaque_png();
    let (opaque, webp) = (small.opaque_png(), small.opaque_webp());
    for effort in [Effort::Fast, Effort::Balanced, Effort::Small] {
        for target_bytes in [None, Some(100_000)] {
            let policy = Policy { max_edge: 1500, effort, target_bytes, ..POLICY };
            // Which encoding is used is known only after encoding, so the budget covers each.
            for picture in [&screenshot, &page, &opaque, &webp] {
                let (measured, computed) = peaks(picture, &policy);
                println!("without loss, {effort:?}: measured {measured}, computed {computed}");
                assert!(measured <= computed, "{measured} is more than {computed}");
            }
        }
    }
    let animation = picture::animation(600, 400, 6);
    for max_edge in [2048, 300] {
        check("animated GIF", &animation, &Policy { max_edge, ..POLICY });
    }
    let colored = picture::photo(1600, 1200);
    for (name, bytes) in
        [("JPEG", colored.jpeg(92, false, false)), ("PNG", colored.png()), ("GIF", animation)]
    {
        for width in [320, 500] {
            let report = inspect(&bytes, &POLICY).expect("a sound picture");
            let bounds = Bounds::Contain { width, height: u32::MAX };
            let plan =
                Plan::derive(&report, &POLICY, bounds, Output::WebP).expect("within the limits");
            let (measured, computed) = peaks_of(&bytes, &plan, &POLICY);
            println!("{name} as WebP, {width} px: measured {measured}, computed {computed}");
            assert!(measured <= computed, "{name}: {measured} is more than {computed}");
        }
    }
}

/// The same JPEG with an Adobe segment, instead of JFIF's, which says that its components are red, green
/// and blue.
fn stored_as_rgb(jpeg: &[u8]) -> Vec<u8> {
    let adobe = b"\xFF\xEE\x00\x0EAdobe\x00\x64\x00\x00\x00\x00\x00";
    let (start, jfif) = jpeg.split_at(2);
    assert_eq!(jfif[..4], [0xFF, 0xE0, 0, 16], "starts with JFIF's segment");
    [start, adobe, &jfif[18..]].concat()
}

/// Photos of common phone cameras fit into the memory of the edge.
#[test]
#[ignore = "the allocator counts for the whole process; run it alone"]
fn phone_photos_pass_at_the_edge() {
    let photo = picture::photo(8064, 6048);
    for progressive in [false, true] {
        check("48 MP", &photo.jpeg(60, progressive, false), &POLICY);
    }
}
