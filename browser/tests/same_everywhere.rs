//! The same bytes and policy make the same picture everywhere: natively (`cargo test`), in Chromium
//! (wasm-bindgen-test) and, with the same table, in workerd (`tests/conformance`).

use image_rules::{Plan, Policy, inspect, process};
use sha2::{Digest, Sha256};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

/// `path digest` or `path CODE` for each fixture, made smaller than it is.
const EXPECTED: &str = include_str!("../../tests/fixtures/processed.txt");
/// So small that every fixture must be decoded, resized and encoded again.
const MAX_EDGE: u32 = 16;

macro_rules! fixtures {
    ($($path:literal,)*) => {
        &[$(($path, include_bytes!(concat!("../../tests/fixtures/", $path))),)*]
    };
}

const FIXTURES: &[(&str, &[u8])] = fixtures![
    "gif/animated-transparent.gif",
    "gif/animated.gif",
    "gif/comment.gif",
    "gif/interlaced.gif",
    "gif/still.gif",
    "jpeg/baseline-420.jpg",
    "jpeg/baseline-444.jpg",
    "jpeg/cmyk-large.jpg",
    "jpeg/cmyk.jpg",
    "jpeg/gray.jpg",
    "jpeg/orientation-1.jpg",
    "jpeg/orientation-2.jpg",
    "jpeg/orientation-3.jpg",
    "jpeg/orientation-4.jpg",
    "jpeg/orientation-5.jpg",
    "jpeg/orientation-6.jpg",
    "jpeg/orientation-7.jpg",
    "jpeg/orientation-8.jpg",
    "jpeg/pair.jpg",
    "jpeg/private.jpg",
    "jpeg/profile.jpg",
    "jpeg/progressive-gray.jpg",
    "jpeg/progressive.jpg",
    "jpeg/restarts.jpg",
    "jpeg/rgb.jpg",
    "png/adam7.png",
    "png/animated-hidden-still.png",
    "png/animated.png",
    "png/gray-alpha.png",
    "png/gray1.png",
    "png/gray16.png",
    "png/gray8.png",
    "png/imagemagick-orientation-plain.png",
    "png/imagemagick-orientation.png",
    "png/palette4.png",
    "png/palette8-transparent.png",
    "png/private.png",
    "png/rgb16.png",
    "png/rgb8.png",
    "png/rgba8.png",
    "webp/animated-lossless.webp",
    "webp/animated.webp",
    "webp/lossless-alpha.webp",
    "webp/lossless.webp",
    "webp/lossy-alpha.webp",
    "webp/lossy-large.webp",
    "webp/lossy-partitions.webp",
    "webp/lossy.webp",
    "webp/private.webp",
];

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn every_fixture_becomes_the_same_picture_everywhere() {
    let made: String = FIXTURES.iter().map(|(path, bytes)| line(path, bytes)).collect();
    assert_eq!(made, EXPECTED, "made here:\n{made}");
}

fn line(path: &str, bytes: &[u8]) -> String {
    let policy = Policy { max_edge: MAX_EDGE, ..Policy::EDGE };
    let outcome = inspect(bytes, &policy)
        .and_then(|report| Plan::new(&report, &policy))
        .and_then(|plan| process(bytes, &plan, &policy.limits))
        .map(|processed| format!("{:x}", Sha256::digest(processed.bytes())));
    match outcome {
        Ok(digest) => format!("{path} {digest}\n"),
        Err(refusal) => format!("{path} {}\n", refusal.code().name()),
    }
}
