//! The result of processing: each decision of the rules on one image.
#![cfg(feature = "codec")]
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod fixture;
mod picture;

use std::collections::BTreeSet;

use image_rules::{
    Action, AspectRatio, Bounds, Format, Formats, ImageError, Limits, Output, Pixels, Plan, Policy,
    Processed, error::Corrupt, inspect, pixels, plan::work, prepare, process, report::Color,
};

const SMALL: Policy = Policy { max_edge: 16, ..Policy::EDGE };

fn load(name: &str) -> Vec<u8> {
    let found = fixture::all().into_iter().find(|fixture| fixture.name == name);
    found.expect("the fixture is there").bytes
}

fn made(bytes: &[u8], policy: &Policy) -> Result<Processed<'static>, ImageError> {
    let report = inspect(bytes, policy)?;
    process(bytes.to_vec(), &Plan::new(&report, policy)?, &policy.limits)
}

fn seen(bytes: &[u8]) -> Pixels {
    pixels(bytes, &Policy::EDGE).expect("pixels that decode")
}

/// Mean difference of colours where both are of the same size.
fn difference(one: &Pixels, other: &Pixels) -> u64 {
    assert_eq!((one.width, one.height), (other.width, other.height));
    let sum: u64 = one.rgba.iter().zip(&other.rgba).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum / one.rgba.len() as u64
}

#[test]
fn the_best_quality_that_fits_is_found() {
    let source = picture::photo(800, 600).jpeg(92, false, false);
    let free = made(&source, &Policy { max_edge: 400, ..Policy::EDGE }).expect("sound");
    let target_bytes = free.bytes().len() as u64 / 2;
    let policy = Policy { max_edge: 400, target_bytes: Some(target_bytes), ..Policy::EDGE };
    let fitted = made(&source, &policy).expect("sound");
    let size_bytes = fitted.bytes().len() as u64;
    assert!(size_bytes <= target_bytes, "{size_bytes} of {target_bytes}");
    assert!(size_bytes * 10 >= target_bytes * 8, "{size_bytes} wastes much of {target_bytes}");
}

#[test]
fn an_image_within_the_size_never_grows_in_bytes() {
    for fixture in fixture::all() {
        let size_bytes = fixture.bytes.len() as u64;
        for target_bytes in [None, Some(size_bytes - 1), Some(size_bytes / 2)] {
            let policy = Policy { target_bytes, ..Policy::EDGE };
            let made = made(&fixture.bytes, &policy).expect("sound");
            assert!(made.bytes().len() <= fixture.bytes.len(), "{}", fixture.name);
        }
    }
}

#[test]
fn an_image_beyond_the_size_is_resized_even_if_its_bytes_grow() {
    let mut grown = 0;
    for fixture in fixture::all() {
        for max_edge in [39, 16] {
            let policy = Policy { max_edge, ..Policy::EDGE };
            if let Ok(made) = made(&fixture.bytes, &policy) {
                assert!(made.width().max(made.height()) <= max_edge, "{}", fixture.name);
                grown += u32::from(made.bytes().len() > fixture.bytes.len());
            }
        }
    }
    assert!(grown > 0, "no fixture shows the hard case");
}

/// The visible colours of an image.
fn colors(pixels: &Pixels) -> BTreeSet<[u8; 4]> {
    pixels.rgba.as_chunks::<4>().0.iter().copied().collect()
}

#[test]
fn a_screenshot_is_resized_smoothly_with_more_colours() {
    let source = picture::screenshot(1170, 800).opaque_png();
    for max_edge in [946, 400, 1169] {
        let made = made(&source, &Policy { max_edge, ..Policy::EDGE }).expect("sound");
        assert_eq!((made.format(), made.width()), (Format::Png, max_edge));
        let (before, after) = (colors(&seen(&source)), colors(&seen(made.bytes())));
        // Nearest-neighbour sampling adds no colours.
        assert!(after.len() > 2 * before.len(), "{} of {}", after.len(), before.len());
        // Flat areas keep their exact colour.
        assert!(after.contains(&[255; 4]) && after.contains(&[243, 244, 246, 255]));
        let all = seen(made.bytes()).rgba;
        let white = all.as_chunks::<4>().0.iter().filter(|it| **it == [255; 4]).count();
        assert!(white * 16 > all.len() / 3, "most of the background is white");
    }
}

#[test]
fn a_screenshot_of_a_whole_page_stays_legible() {
    let source = picture::screenshot(1080, 12_000).opaque_png();
    let made = made(&source, &Policy::EDGE).expect("within the limits of the edge");
    assert_eq!((made.format(), made.width(), made.height()), (Format::Png, 614, 6826));
    // Dark letters on white have not become uniformly gray: in many lines of text the darkest and the brightest pixel differ by
    // more than half the range.
    let seen = seen(made.bytes());
    let rows = seen.rgba.chunks_exact(614 * 4).skip(60);
    let greens = |row: &[u8]| row.iter().skip(1).step_by(4).copied().collect::<Vec<_>>();
    let contrast = |row: &[u8]| {
        let greens = greens(row);
        greens.iter().max().copied().unwrap_or(0) - greens.iter().min().copied().unwrap_or(0)
    };
    let legible = rows.filter(|row| contrast(row) > 128).count();
    assert!(legible > 6826 / 3, "{legible} rows show letters");
}

#[test]
fn pixel_art_stays_exact() {
    let art = picture::photo(60, 40);
    let source = art.enlarged(50).opaque_png();
    let made = made(&source, &Policy::EDGE).expect("sound");
    // Blocks of 34 pixels: with 35 the image would not fit.
    assert_eq!((made.format(), made.width(), made.height()), (Format::Png, 2040, 1360));
    assert!(seen(made.bytes()) == seen(&art.enlarged(34).opaque_png()), "each pixel is unchanged");

    // With one block of another size it is an ordinary image.
    let mut torn = art.enlarged(50);
    torn.pixels.rotate_left(3 * 7);
    let made = self::made(&torn.opaque_png(), &Policy::EDGE).expect("sound");
    assert_eq!((made.width(), made.height()), (2048, 1365));
}

#[test]
fn an_opaque_photo_in_png_that_does_not_fit_becomes_jpeg_before_sending() {
    let photo = picture::photo(900, 600);
    let limits = Limits { max_bytes: 100_000, ..Limits::EDGE };
    let policy = Policy { limits, max_edge: 600, ..Policy::EDGE };
    let prepared = |bytes: &[u8]| {
        let (_, processed) = prepare(bytes, Format::Png, &policy)?;
        assert!(processed.bytes().len() <= 100_000);
        assert_eq!(processed.width(), 600);
        Ok::<_, ImageError>(processed.format())
    };
    assert!(photo.opaque_png().len() > 500_000);
    assert_eq!(prepared(&photo.opaque_png()), Ok(Format::Jpeg));
    // A transparent image cannot become JPEG, and a screenshot need not.
    let alpha = prepared(&photo.png());
    assert_ne!(alpha, Ok(Format::Jpeg));
    assert_eq!(prepared(&picture::screenshot(900, 600).opaque_png()), Ok(Format::Png));

    // It is within the limit of pixels and above that of bytes.
    let policy = Policy { max_edge: 900, ..policy };
    let source = photo.opaque_png();
    let (_, processed) = prepare(&source, Format::Png, &policy).expect("fits");
    assert_eq!((processed.format(), processed.width()), (Format::Jpeg, 900));
}

#[test]
fn a_photo_in_png_that_fits_keeps_all_its_colours() {
    let made =
        made(&picture::photo(900, 600).opaque_png(), &Policy { max_edge: 600, ..Policy::EDGE });
    let made = made.expect("sound");
    assert_eq!(made.format(), Format::Png);
    assert!(colors(&seen(made.bytes())).len() > 256);
}

#[test]
fn previews_of_lossless_photos_are_jpeg_and_those_of_drawings_are_not() {
    let policy = Policy { max_edge: 200, ..Policy::EDGE };
    let preview = |bytes: &[u8]| {
        let report = inspect(bytes, &policy).expect("sound");
        let bounds = Bounds::Edge(policy.max_edge);
        let plan = Plan::derive(&report, &policy, bounds, Output::Preview);
        let plan = plan.expect("within the limits");
        process(bytes.to_vec(), &plan, &policy.limits).expect("pixels that decode")
    };
    let photo = picture::photo(900, 600);
    let stored = made(&photo.opaque_png(), &policy).expect("sound");
    let small = preview(&photo.opaque_png());
    assert_eq!((stored.format(), small.format()), (Format::Png, Format::Jpeg));
    assert!(small.bytes().len() * 2 <= stored.bytes().len());
    assert_eq!(preview(&photo.opaque_webp()).format(), Format::Jpeg);
    for alpha in [photo.png(), photo.webp()] {
        assert_ne!(preview(&alpha).format(), Format::Jpeg);
    }
    let mut flat = picture::screenshot(900, 600);
    flat.pixels.fill(200);
    assert_eq!(preview(&flat.opaque_png()).format(), Format::Png);
}

#[test]
fn a_colour_profile_is_kept_when_an_image_is_resized() {
    let source = picture::photo(300, 200).jpeg(95, false, false);
    let profile = load("jpeg/profile.jpg");
    let start = profile.windows(12).position(|it| it == b"ICC_PROFILE\0").expect("has one") - 4;
    let length = usize::from(u16::from_be_bytes([profile[start + 2], profile[start + 3]])) + 2;
    let with_profile = [&source[..2], &profile[start..start + length], &source[2..]].concat();
    let before = inspect(&with_profile, &Policy::EDGE).expect("sound");
    assert!(before.metadata.icc > 0);
    let made = made(&with_profile, &Policy { max_edge: 150, ..Policy::EDGE }).expect("sound");
    assert_eq!(made.action(), Action::Optimise);
    let after = inspect(made.bytes(), &Policy::EDGE).expect("sound");
    assert!(after.metadata.icc > 0, "the profile is kept");
    assert_eq!(made.removed().icc, before.metadata.icc - after.metadata.icc);
}

#[test]
fn cmyk_decodes_to_the_printed_colours() {
    let (inks, colours) = (load("jpeg/cmyk.jpg"), load("jpeg/baseline-444.jpg"));
    assert!(difference(&seen(&inks), &seen(&colours)) < 40, "not a negative, not black");
    let report = inspect(&inks, &Policy::EDGE).expect("sound");
    assert_eq!(report.color, Color::Cmyk);
    let made = made(&load("jpeg/cmyk-large.jpg"), &SMALL).expect("sound");
    assert_eq!(made.action(), Action::Optimise);
    assert_eq!(inspect(made.bytes(), &SMALL).expect("sound").color, Color::Rgb);
}

#[test]
fn all_eight_orientations_end_upright() {
    let policy = Policy { max_edge: 30, ..Policy::EDGE };
    let upright = made(&load("jpeg/orientation-1.jpg"), &policy).expect("sound");
    let upright = seen(upright.bytes());
    for turn in 2..=8 {
        let made = made(&load(&format!("jpeg/orientation-{turn}.jpg")), &policy).expect("sound");
        let turned = seen(made.bytes());
        assert!(difference(&upright, &turned) < 8, "orientation {turn}");
    }
}

#[test]
fn an_animation_keeps_its_frames_and_their_times() {
    let source = picture::animation(120, 80, 5);
    let times = |bytes: &[u8]| {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(bytes).expect("a GIF");
        let mut times = Vec::new();
        while let Some(frame) = decoder.read_next_frame().expect("frames that decode") {
            times.push(frame.delay);
        }
        times
    };
    let made = made(&source, &Policy { max_edge: 60, ..Policy::EDGE }).expect("sound");
    assert_eq!((made.format(), made.width(), made.height()), (Format::Gif, 60, 40));
    assert_eq!(times(made.bytes()), times(&source));
}

#[test]
fn transparency_is_never_turned_black() {
    for name in ["png/rgba8.png", "webp/lossless-alpha.webp", "gif/animated-transparent.gif"] {
        let source = load(name);
        let made = made(&source, &SMALL).expect("sound");
        let least = |pixels: &Pixels| pixels.rgba.iter().skip(3).step_by(4).min().copied();
        assert!(least(&seen(&source)) < Some(255), "{name} has alpha");
        assert!(least(&seen(made.bytes())) < Some(255), "{name} lost it");
    }
}

#[test]
fn a_lossy_webp_that_must_shrink_becomes_jpeg_only_when_opaque() {
    let photo = picture::photo(64, 48);
    let opaque = made(&load("webp/lossy-large.webp"), &SMALL).expect("sound");
    assert_eq!((opaque.format(), opaque.width()), (Format::Jpeg, 16));
    let alpha = made(&load("webp/lossy-alpha.webp"), &SMALL).expect("sound");
    assert_ne!(alpha.format(), Format::Jpeg);
    let lossless = made(&photo.webp(), &Policy { max_edge: 32, ..Policy::EDGE }).expect("sound");
    assert_ne!(lossless.format(), Format::Jpeg, "a lossless image stays lossless");
}

#[test]
fn sixteen_bits_become_eight_when_reencoded() {
    let made = made(&load("png/rgb16.png"), &SMALL).expect("sound");
    assert_eq!(made.action(), Action::Optimise);
    assert_eq!(inspect(made.bytes(), &SMALL).expect("sound").bit_depth, 8);
}

#[test]
fn animations_that_cannot_be_made_smaller_are_refused() {
    for name in ["webp/animated.webp", "png/animated.png"] {
        assert_eq!(made(&load(name), &SMALL), Err(ImageError::AnimationTooLarge), "{name}");
    }
}

#[test]
fn an_animation_with_too_many_pixels_is_not_resized_and_has_a_still() {
    let bytes = load("gif/animated.gif");
    let report = inspect(&bytes, &SMALL).expect("sound");
    let work_ms = work::whole_ms(Plan::new(&report, &SMALL).expect("fits").work());
    let limits = Limits { max_work_ms: work_ms - 1, ..SMALL.limits };
    let bounded = Policy { limits, ..SMALL };
    let (limit_ms, is_animated) = (work_ms - 1, true);
    let refusal = ImageError::TooMuchWork { work_ms, limit_ms, is_animated };
    assert_eq!(made(&bytes, &bounded), Err(refusal));
    let whole = made(&bytes, &SMALL).expect("sound");
    let plan = Plan::still(&report, &SMALL, Bounds::Edge(16)).expect("within the limits");
    let still = process(bytes, &plan, &SMALL.limits).expect("sound");
    assert_eq!((still.width(), still.height()), (whole.width(), whole.height()));
    assert_eq!(still.action(), Action::Optimise);
    let frames = |made: &Processed<'_>| inspect(made.bytes(), &SMALL).expect("sound").frames;
    assert_eq!((frames(&still), frames(&whole)), (1, report.frames));
    assert_eq!(seen(still.bytes()), seen(whole.bytes()), "the first frame is what is seen first");
}

#[test]
fn missing_pixels_are_detected_in_a_valid_container() {
    let source = picture::photo(320, 240).jpeg(80, false, false);
    let scan = source.windows(2).position(|it| it == [0xFF, 0xDA]).expect("a scan");
    let middle = scan + (source.len() - scan) / 2;
    let middle = if source[middle - 1] == 0xFF { middle - 1 } else { middle };
    let cut = [&source[..middle], &[0xFF, 0xD9]].concat();
    let refusal = made(&cut, &Policy::EDGE).map(|made| made.action());
    assert!(matches!(refusal, Err(ImageError::Corrupt(_))), "{refusal:?}");
    assert_ne!(refusal, Err(Corrupt::Unsupported.into()));
}

#[test]
fn what_a_form_asks_is_checked_before_and_after_sending() {
    let of = |types: &[&'static str]| Formats::from_media_types(types.iter().copied());
    let only_png = of(&["image/png"]).expect("types");
    let source = picture::photo(900, 600).opaque_png();
    let policy = Policy { accepted_types: only_png, max_edge: 300, ..Policy::EDGE };
    // Too many bytes as a PNG, and a JPEG is not taken.
    let limits = Limits { max_bytes: 40_000, ..Limits::EDGE };
    let tight = Policy { limits, ..policy };
    let (_, png) = prepare(&source, Format::Png, &policy).expect("fits");
    assert_eq!((png.format(), png.width()), (Format::Png, 300));
    let any = Policy { accepted_types: Formats::ALL, ..tight };
    let (_, jpeg) = prepare(&source, Format::Png, &any).expect("fits");
    assert_eq!(jpeg.format(), Format::Jpeg);
    let made_of = prepare(&source, Format::Png, &tight).map(|(_, made)| made.format());
    assert_ne!(made_of, Ok(Format::Jpeg));

    let photo = picture::photo(900, 600).jpeg(90, false, false);
    let refused = ImageError::FormatNotAccepted { format: Format::Jpeg, accepted: only_png };
    assert_eq!(prepare(&photo, Format::Jpeg, &policy).err(), Some(refused.clone()));
    assert_eq!(inspect(&photo, &policy).err(), Some(refused));

    let square = Policy { aspect_ratio: AspectRatio::parse("1:1"), ..Policy::EDGE };
    let ratio = AspectRatio::parse("1:1").expect("a ratio");
    let refused = ImageError::WrongRatio { width: 900, height: 600, ratio };
    assert_eq!(prepare(&photo, Format::Jpeg, &square).err(), Some(refused.clone()));
    assert_eq!(made(&photo, &square).err(), Some(refused));
    let wide = Policy { aspect_ratio: AspectRatio::parse("3:2"), max_edge: 200, ..Policy::EDGE };
    let (_, sent) = prepare(&photo, Format::Jpeg, &wide).expect("a picture of this ratio");
    let kept = made(sent.bytes(), &wide).expect("the edge takes what the browser has prepared");
    assert_eq!((kept.width(), kept.height(), kept.action()), (200, 133, Action::Keep));
}
