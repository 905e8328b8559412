//! Counts the work of each step. Times are compared with it by `make bench-work`.
#![cfg(feature = "steps")]

use alloc::{borrow::Cow, vec::Vec};
use core::time::Duration;

use super::carry_out;
use crate::{
    Limits, Plan, Policy,
    codec::{
        decode::png::Colors,
        encode::{jpeg, png, webp},
    },
    inspect,
    limits::Effort,
    pace::{Pace, run, run_to_end},
    raster::{Layout, Plane, Planes, Raster},
};

/// Waves with some noise, as many bytes as are asked for.
fn samples(count: usize, line: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let sample = |at: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wave = (at % line) / 7 % 97 + at / line / 5 % 89;
        u8::try_from(wave + (state >> 27) as usize).unwrap_or(u8::MAX)
    };
    (0..count).map(sample).collect()
}

fn plane(width: usize, height: usize) -> Plane {
    Plane { width, height, stride: width, data: samples(width * height, width) }
}

/// A JPEG, progressive with the effort `Small`, 4:4:4 with a quality of 90.
fn photo(width: usize, height: usize, quality: u8, effort: Effort) -> Vec<u8> {
    let (across, down) = jpeg::chroma_size((width, height), quality);
    let chroma = [plane(across, down), plane(across, down)];
    let planes = Planes { luma: plane(width, height), chroma: Some(chroma) };
    jpeg::encode(&planes, jpeg::Settings { quality, effort, icc: None }, usize::MAX)
        .expect("a JPEG")
}

fn raster(width: usize, height: usize, layout: Layout) -> Raster {
    let line = width * layout.channels();
    Raster { width, height, layout, data: samples(line * height, line) }
}

fn drawing(width: usize, height: usize, layout: Layout) -> Vec<u8> {
    let settings = png::Settings { colors: &Colors::default(), icc: None, effort: Effort::Fast };
    let (raster, pace) = (raster(width, height, layout), Pace::default());
    run!(png::encode(&raster, settings, usize::MAX, &pace)).expect("a PNG")
}

/// The work of a plan, and that of each of its steps.
fn steps(bytes: &[u8], max_edge: u32) -> (Duration, Vec<Duration>) {
    let limits = Limits { max_bytes: u64::MAX, ..Limits::EDGE };
    let policy = Policy { limits, max_edge, ..Policy::EDGE };
    let report = inspect(bytes, &policy).expect("a picture");
    let plan = Plan::new(&report, &policy).expect("within the limits");
    let pace = Pace::default();
    run_to_end(carry_out(Cow::Borrowed(bytes), &plan, &limits, &pace)).expect("a result");
    let steps = pace.steps().into_iter().map(|ps| Duration::from_nanos(ps / 1000));
    (plan.work(), steps.collect())
}

/// Beyond a step: the rows of a picture are done one by one, and the work of a row of codes is known when it is done.
const MOST: Duration = Duration::from_millis(35);

#[test]
fn all_work_is_counted_and_divided_into_short_steps() {
    let cases = [
        ("JPEG", photo(2000, 1500, 80, Effort::Fast)),
        ("JPEG 4:4:4", photo(2000, 1500, 90, Effort::Fast)),
        ("progressive JPEG 4:4:4", photo(2000, 1500, 90, Effort::Small)),
        ("PNG", drawing(1500, 1000, Layout::Rgb)),
        ("PNG with alpha", drawing(1500, 1000, Layout::Rgba)),
    ];
    for (name, bytes) in cases {
        for max_edge in [2048, 1000, 500, 250] {
            let (work, steps) = steps(&bytes, max_edge);
            let counted: Duration = steps.iter().sum();
            let longest = steps.iter().max().copied().unwrap_or_default();
            let what = std::format!("{name} to {max_edge}: {work:?}, counted {counted:?}");
            assert!(counted * 4 >= work * 3 && counted <= work, "{what}");
            assert!(longest <= MOST, "{what}, a step of {longest:?}");
            assert!(steps.len() as u128 > counted.as_nanos() / MOST.as_nanos(), "{what}");
        }
    }
}

/// A single call of another crate is a step by itself.
#[test]
fn a_webp_is_decoded_in_one_step() {
    let raster = raster(1000, 800, Layout::Rgb);
    let bytes = webp::encode(&raster, None, usize::MAX).expect("a WebP");
    let (_, steps) = steps(&bytes, 500);
    let long = steps.iter().filter(|step| **step > MOST).count();
    assert!(long == 1 && steps.len() > 2, "{steps:?}");
}
