//! What becomes of a picture: each choice of the rules, shown on one.
#![cfg(feature = "codec")]
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod fixture;
mod picture;

use image_rules::{
    Action, Format, ImageError, Limits, Pixels, Plan, Policy, Processed, error::Corrupt, inspect,
    pixels, probe::Color, process,
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
fn nothing_becomes_larger() {
    for fixture in fixture::all() {
        for max_edge in [2048, 39, 16] {
            let policy = Policy { max_edge, ..Policy::EDGE };
            if let Ok(made) = made(&fixture.bytes, &policy) {
                assert!(
                    made.bytes().len() <= fixture.bytes.len(),
                    "{} to {max_edge}",
                    fixture.name
                );
            }
        }
    }
}

#[test]
fn a_profile_is_carried_and_that_of_inks_is_not_needed() {
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
    assert!(after.metadata.icc > 0, "its colours are there");
    assert_eq!(made.removed().icc, before.metadata.icc - after.metadata.icc);
}

#[test]
fn inks_look_like_the_colours_they_print() {
    let (inks, colours) = (load("jpeg/cmyk.jpg"), load("jpeg/baseline-444.jpg"));
    assert!(difference(&seen(&inks), &seen(&colours)) < 40, "not a negative, not black");
    let report = inspect(&inks, &Policy::EDGE).expect("sound");
    assert_eq!(report.color, Color::Cmyk);
    let made = made(&load("jpeg/cmyk-large.jpg"), &SMALL).expect("sound");
    assert_eq!(made.action(), Action::Optimise);
    assert_eq!(inspect(made.bytes(), &SMALL).expect("sound").color, Color::Rgb);
}

#[test]
fn all_eight_turns_end_upright() {
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
    assert_ne!(lossless.format(), Format::Jpeg, "what was lossless stays so");
}

#[test]
fn sixteen_bits_become_eight_when_encoded_anew() {
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
fn an_animation_with_too_much_work_is_not_made_smaller_and_has_a_first_frame() {
    let bytes = load("gif/animated.gif");
    let report = inspect(&bytes, &SMALL).expect("sound");
    let limits = Limits { max_resize_pixels: 1, ..SMALL.limits };
    let bounded = Policy { limits, ..SMALL };
    assert_eq!(made(&bytes, &bounded), Err(ImageError::AnimationTooLong));
    let whole = made(&bytes, &SMALL).expect("sound");
    let plan = Plan::still(&report, &bounded).expect("fits in memory");
    let still = process(bytes, &plan, &bounded.limits).expect("sound");
    assert_eq!((still.width(), still.height()), (whole.width(), whole.height()));
    assert_eq!(still.action(), Action::Optimise);
    let frames = |made: &Processed<'_>| inspect(made.bytes(), &SMALL).expect("sound").frames;
    assert_eq!((frames(&still), frames(&whole)), (1, report.frames));
    assert_eq!(seen(still.bytes()), seen(whole.bytes()), "the first frame is what is seen first");
}

#[test]
fn pixels_that_are_missing_are_noticed_behind_a_sound_container() {
    let source = picture::photo(320, 240).jpeg(80, false, false);
    let scan = source.windows(2).position(|it| it == [0xFF, 0xDA]).expect("a scan");
    let middle = scan + (source.len() - scan) / 2;
    let middle = if source[middle - 1] == 0xFF { middle - 1 } else { middle };
    let cut = [&source[..middle], &[0xFF, 0xD9]].concat();
    let refusal = made(&cut, &Policy::EDGE).map(|made| made.action());
    assert!(matches!(refusal, Err(ImageError::Corrupt(_))), "{refusal:?}");
    assert_ne!(refusal, Err(Corrupt::Unsupported.into()));
}
