//! What is counted for pictures of one size. `tests/budget.rs` shows that these sums are what processing
//! really takes; here they are held, so that what is admitted changes only when somebody means it to.

use super::*;
use crate::{
    Policy,
    plan::{Output, tests::report},
};

const SIZE: (u32, u32) = (1000, 800);

fn jpeg() -> Report {
    report(Format::Jpeg, SIZE.0, SIZE.1)
}

fn half(quality: u8, effort: Effort) -> Target {
    Target {
        width: 500,
        height: 400,
        scale: Scale::Half,
        quality,
        effort,
        target_bytes: None,
        first_frame: false,
        most_bytes: 10_000,
        is_oversize: true,
        output: Output::Source,
        crop: None,
        may_reduce_colors: true,
        policy: Policy::EDGE,
    }
}

#[test]
fn what_is_kept_needs_its_pixels_once() {
    let kept = |report: &Report| peak_bytes(report, None) - FIXED;
    // 18,750 blocks, a sample of each twice.
    assert_eq!(kept(&jpeg()), 37_500);
    let progressive = Report { progressive: true, ..jpeg() };
    // Ten bytes a block, and its sample.
    assert_eq!(kept(&progressive), 187_500 + 18_750);
    let inks = Report { color: Color::Cmyk, ..jpeg() };
    assert_eq!(kept(&inks), 37_500 + 3 * 12_500);
    assert_eq!(kept(&report(Format::Png, SIZE.0, SIZE.1)), 48_000);
    // Indices, and the first frame in colour.
    assert_eq!(kept(&report(Format::Gif, SIZE.0, SIZE.1)), 5 * 800_000);
    let webp = report(Format::WebP, SIZE.0, SIZE.1);
    assert_eq!(kept(&webp), (3 + 5) * 800_000);
    assert_eq!(kept(&Report { has_alpha: true, ..webp.clone() }), (4 + 5) * 800_000);
    // A lossy stream is copied four times at most; planes have 32 bytes more for each row and column.
    let stream = 4 * 10_000 + 1_800 * 32;
    let lossy = Report { lossless: false, ..webp.clone() };
    assert_eq!(kept(&lossy), (3 + 3) * 800_000 + stream);
    assert_eq!(kept(&Report { has_alpha: true, ..lossy.clone() }), (4 + 3) * 800_000 + stream);
    assert_eq!(kept(&Report { frames: 2, ..lossy }), (3 + 8 + 4) * 800_000 + stream);
    assert_eq!(kept(&Report { frames: 2, ..webp }), (3 + 8 + 5) * 800_000);
}

#[test]
fn what_is_rewritten_is_there_as_a_copy_and_beside_its_profile() {
    for format in Format::ALL {
        let clean = report(format, SIZE.0, SIZE.1);
        let kept = peak_bytes(&clean, None);
        let mut profiled = clean.clone();
        profiled.metadata.icc = 3_000;
        // As it came, its parts, put together, as written; that of a PNG may inflate to 64 KiB at least.
        let profile = if format == Format::Png { 65_536 } else { 3_000 };
        assert_eq!(peak_bytes(&profiled, None), kept + 4 * profile, "{format:?}");
        let mut private = clean;
        private.metadata.gps = 1;
        // A JPEG is scrubbed after decoding; the others are decoded from the copy.
        let copies = if format == Format::Jpeg { 2 } else { 3 };
        assert_eq!(peak_bytes(&private, None), kept + copies * 10_000, "{format:?}");
    }
}

#[test]
fn what_is_kept_may_be_copied_when_its_pixels_are_gone() {
    // 4,800 bytes of pixels are less than the file.
    let heavy = Report { size_bytes: 1_000_000, ..report(Format::Png, 100, 100) };
    assert_eq!(peak_bytes(&heavy, None) - FIXED, 1_000_000);
    let mut profiled = heavy.clone();
    profiled.metadata.icc = 1;
    assert_eq!(
        peak_bytes(&profiled, None) - FIXED,
        2 * 1_000_000 + 4 * 65_536,
        "with its profile anew"
    );
    assert_eq!(peak_bytes(&Report { size_bytes: 4_799, ..heavy }, None) - FIXED, 4_800);
}

#[test]
fn a_profile_is_taken_to_inflate_sixteenfold_within_bounds() {
    assert_eq!(most_inflated(1), 65_536);
    assert_eq!(most_inflated(100_000), 1_600_000);
    assert_eq!(most_inflated(1_000_000), 4_194_304);
    assert_eq!(FIXED, 524_288, "beside whatever grows with the picture");
}

#[test]
fn what_is_made_smaller_needs_what_its_largest_moment_does() {
    let needed = |report: &Report, target: Target| peak_bytes(report, Some(&target)) - FIXED;
    // The best encoding so far, and the next, which grows.
    let encodings = 3 * 10_000;
    let fast = half(80, Effort::Fast);
    let balanced = half(80, Effort::Balanced);
    // Encoding: planes of 300,000 samples, the same again with the padding of 900 rows and columns.
    let padding = 900 * 48;
    assert_eq!(needed(&jpeg(), fast), 2 * 300_000 + padding + encodings);
    assert_eq!(needed(&jpeg(), half(89, Effort::Fast)), 2 * 300_000 + padding + encodings);
    let whole_chroma = 2 * 600_000 + padding + encodings;
    assert_eq!(needed(&jpeg(), half(90, Effort::Fast)), whole_chroma);
    // 144 bytes more for each 64 samples.
    let coefficients = 300_000 + 343_200 + 343_200 * 144 / 64;
    assert_eq!(needed(&jpeg(), balanced), coefficients + encodings);
    let gray = Report { color: Color::Gray, ..jpeg() };
    let coefficients = 200_000 + 243_200 + 243_200 * 144 / 64;
    assert_eq!(needed(&gray, balanced), coefficients + encodings);
    // Decoding: coefficients beside the planes; planes, and what inks become.
    let progressive = Report { progressive: true, ..jpeg() };
    assert_eq!(needed(&progressive, fast), 18_750 * (2 * 16 + 8) + 18_750 * 16);
    let inks = Report { color: Color::Cmyk, ..jpeg() };
    assert_eq!(needed(&inks, fast), 18_750 * 16 + 3 * 200_000);
    // Resizing: planes, the new luma, columns, a row, weights.
    let full = Target { scale: Scale::Full, ..fast };
    let weights = 1800 * 12 + 900 * 22;
    assert_eq!(needed(&jpeg(), full), 1_200_000 + 200_000 + 1500 * 16 + 1000 + weights);
    let tiny = Report { color: Color::Cmyk, jpeg_blocks: 4, ..report(Format::Jpeg, 8, 8) };
    let tiny_target = Target { width: 4, height: 4, most_bytes: 0, ..full };
    assert_eq!(needed(&tiny, tiny_target), 192 + 16 + 12 * 16 + 8 + 16 * 12 + 8 * 22);

    let png = report(Format::Png, SIZE.0, SIZE.1);
    let resized = |channels: u64, rows: u64| {
        1_000_000 * channels + (1500 * 16 + rows * 1000) * channels + weights
    };
    assert_eq!(needed(&png, fast), resized(3, 1) + 48_000);
    // Premultiplied by alpha, a row is made of the fifteen that it averages.
    assert_eq!(needed(&Report { has_alpha: true, ..png.clone() }, fast), resized(4, 15) + 48_000);
    // Encoding: planes while chroma is halved, the encodings, the histogram of colours.
    let drawing = |area: u64| 2 * area + area * 3 / 2 + encodings + QUANTISER;
    let gray = Report { color: Color::Gray, ..png.clone() };
    assert_eq!(needed(&gray, fast), 200_000 + drawing(200_000) + 48_000);
    let same = Target { width: SIZE.0, height: SIZE.1, ..fast };
    assert_eq!(needed(&png, same), 3 * 800_000 + drawing(800_000) + 48_000, "nothing is resized");

    let gif = report(Format::Gif, SIZE.0, SIZE.1);
    let rows = (1500 * 16 + 15 * 1000) * 4 + weights;
    assert_eq!(needed(&gif, fast), 9 * 800_000 + 16 * 200_000 + rows + 2 * 10_000);
    let webp = report(Format::WebP, SIZE.0, SIZE.1);
    assert_eq!(needed(&webp, half(80, Effort::Small)), 8 * 800_000, "decoding");
    let lossy = Report { lossless: false, ..webp };
    let stream = 4 * 10_000 + 1_800 * 32;
    assert_eq!(needed(&lossy, half(80, Effort::Fast)), 6 * 800_000 + stream);
}

#[cfg(feature = "codec")]
#[test]
fn pixels_for_a_page_are_there_as_rgba_beside_what_decoding_takes() {
    let pixels = |report: &Report| pixels_bytes(report) - FIXED;
    let rgba = 2 * 4 * 800_000;
    assert_eq!(pixels(&jpeg()) - rgba, 18_750 * 64);
    assert_eq!(pixels(&Report { color: Color::Cmyk, ..jpeg() }) - rgba, 18_750 * 64 + 3 * 800_000);
    assert_eq!(pixels(&report(Format::Png, SIZE.0, SIZE.1)) - rgba, 3 * 800_000 + 48_000);
    assert_eq!(pixels(&report(Format::Gif, SIZE.0, SIZE.1)) - rgba, 9 * 800_000);
    assert_eq!(pixels(&report(Format::WebP, SIZE.0, SIZE.1)) - rgba, 8 * 800_000);
}

#[cfg(feature = "codec")]
#[test]
fn pixels_of_a_page_are_there_as_what_they_were_and_what_they_become() {
    let weights = 3600 * 12 + 900 * 22;
    let resizing = 4 * 3_200_000 + 4 * 200_000 + 2500 * 64 + 27 * 8000 + weights;
    assert_eq!(canvas_bytes((2000, 1600), &half(80, Effort::Fast)) - FIXED, resizing);
    // Beside a copy of three quarters of each side: planes, coefficients, the rest of encoding.
    let encoding = |area: u64, edges: u64| {
        let padded = area * 3 / 2 + edges * 48;
        let photo = area * 3 / 2 + padded + padded * 144 / 64;
        4 * area + 4 * area / 16 * 9 + photo + 3 * 10_000 + QUANTISER
    };
    for effort in [Effort::Fast, Effort::Balanced] {
        assert_eq!(canvas_bytes(SIZE, &half(80, effort)) - FIXED, encoding(200_000, 900));
    }
    let same = Target { width: SIZE.0, height: SIZE.1, ..half(80, Effort::Fast) };
    assert_eq!(canvas_bytes(SIZE, &same) - FIXED, encoding(800_000, 1800));
}
