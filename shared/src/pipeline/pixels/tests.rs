//! Compares our pixels with those of the crate `jpeg-decoder`, and the eight turns with each other.

use alloc::{format, vec::Vec};
use std::{fs, path::PathBuf};

use jpeg_decoder::{ColorTransform, Decoder, PixelFormat};

use super::{Pixels, pixels};
use crate::{Policy, codec::decode, plan::Scale};

fn fixture(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(path);
    fs::read(path).expect("a fixture")
}

fn seen(path: &str) -> Pixels {
    pixels(&fixture(path), &Policy::EDGE).expect(path)
}

/// What the other decoder makes of a picture, as RGBA.
fn reference(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(bytes);
    let samples = decoder.decode().expect("a picture");
    match decoder.info().expect("a header").pixel_format {
        PixelFormat::L8 => samples.iter().flat_map(|&y| [y, y, y, 255]).collect(),
        PixelFormat::RGB24 => {
            samples.as_chunks().0.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect()
        }
        other => panic!("{other:?} has no colours"),
    }
}

/// The mean difference in thousandths, and the largest.
fn difference(ours: &[u8], theirs: &[u8]) -> (u64, u8) {
    assert_eq!(ours.len(), theirs.len());
    let apart = || ours.iter().zip(theirs).map(|(a, b)| a.abs_diff(*b));
    let sum: u64 = apart().map(u64::from).sum();
    (sum * 1000 / ours.len() as u64, apart().max().expect("a pixel"))
}

/// Both round the cosine transform in their own way, by one level in luma and in chroma, and a level of
/// chroma is up to 1.8 of a colour.
#[test]
fn jpeg_pixels_are_those_of_another_decoder() {
    for name in [
        "baseline-420",
        "baseline-444",
        "gray",
        "profile",
        "progressive",
        "progressive-gray",
        "restarts",
        "rgb",
    ] {
        let path = format!("jpeg/{name}.jpg");
        let (mean, worst) = difference(&seen(&path).rgba, &reference(&fixture(&path)));
        assert!(mean <= 300 && worst <= 3, "{name}: mean {mean}/1000, worst {worst}");
    }
}

/// Inks become colours in our own way, so that they are compared as they are stored.
#[test]
fn inks_are_those_of_another_decoder() {
    let bytes = fixture("jpeg/cmyk.jpg");
    let mut decoder = Decoder::new(&*bytes);
    decoder.set_color_transform(ColorTransform::None);
    let theirs = decoder.decode().expect("a picture");
    let size =
        decoder.info().map(|info| (info.width.into(), info.height.into())).expect("a header");
    let planes = crate::pace::run!(decode::jpeg::decode(
        &bytes,
        Scale::Full,
        size,
        &crate::pace::Pace::default(),
    ))
    .expect("a picture")
    .planes;
    assert_eq!(planes.len(), 4);
    for (ink, plane) in planes.into_iter().enumerate() {
        // Unconverted, it answers a line of the first ink, then one of the second, and so on.
        let theirs: Vec<u8> =
            theirs.chunks_exact(plane.width).skip(ink).step_by(4).flatten().copied().collect();
        let (mean, worst) = difference(&plane.packed().data, &theirs);
        assert!(mean <= 1000 && worst <= 1, "ink {ink}: mean {mean}/1000, worst {worst}");
    }
}

/// The stored pictures were compressed one by one, so they differ a little, and not by a turn.
#[test]
fn all_eight_orientations_are_seen_upright() {
    let first = seen("jpeg/orientation-1.jpg");
    let turned: Vec<u8> = first.rgba.as_chunks::<4>().0.iter().rev().flatten().copied().collect();
    assert!(difference(&first.rgba, &turned).0 > 30_000, "a wrong turn would not be seen");
    for orientation in 2..=8 {
        let other = seen(&format!("jpeg/orientation-{orientation}.jpg"));
        assert_eq!((other.width, other.height), (first.width, first.height), "{orientation}");
        let (mean, _) = difference(&first.rgba, &other.rgba);
        assert!(mean <= 3000, "{orientation}: mean {mean}/1000");
    }
}
