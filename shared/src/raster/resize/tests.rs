//! The resizer beside its formula.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small numbers, of our own making"
)]

use super::*;

fn raster(width: usize, height: usize, layout: Layout, data: Vec<u8>) -> Raster {
    Raster { width, height, layout, data }
}

#[test]
fn a_flat_image_stays_flat() {
    for (layout, pixel) in [
        (Layout::Gray, vec![77]),
        (Layout::GrayAlpha, vec![200, 255]),
        (Layout::Rgb, vec![1, 128, 254]),
        (Layout::Rgba, vec![9, 99, 199, 255]),
    ] {
        let from = raster(101, 67, layout, pixel.repeat(101 * 67));
        let to = super::raster(&from, (64, 33), Method::Smooth);
        assert_eq!(to.data, pixel.repeat(64 * 33), "{layout:?}");
    }
}

#[test]
fn invisible_colours_do_not_bleed() {
    // Red and opaque beside green and invisible.
    let row = [[255, 0, 0, 255].repeat(8), [0, 255, 0, 0].repeat(8)].concat();
    let from = raster(16, 16, Layout::Rgba, row.repeat(16));
    let to = super::raster(&from, (8, 8), Method::Smooth);
    for pixel in to.data.chunks(4) {
        assert_eq!(pixel[1], 0, "{pixel:?}");
        assert!(pixel[3] == 0 || pixel[0] > 250, "{pixel:?}");
    }
}

#[test]
fn nearest_adds_no_colours() {
    let data: Vec<u8> = (0..100).map(|index| if index % 3 == 0 { 10 } else { 200 }).collect();
    let to = super::raster(&raster(10, 10, Layout::Gray, data), (7, 5), Method::Nearest);
    assert!(to.data.iter().all(|sample| [10, 200].contains(sample)));
    assert_eq!(to.data.len(), 35);
}

/// The same sums in floating point, over the whole picture.
#[test]
fn a_ramp_is_resampled_by_the_formula() {
    let wave = |x: usize, y: usize| {
        (127.0 + 100.0 * (x as f64 / 5.0).sin() * (y as f64 / 7.0).cos()) as u8
    };
    let (w, h, tw, th) = (90, 70, 41, 29);
    let data: Vec<u8> = (0..w * h).map(|at| wave(at % w, at / w)).collect();
    let from = raster(w, h, Layout::Gray, data.clone());
    let to = super::raster(&from, (tw, th), Method::Smooth);
    let lanczos = |x: f64| {
        let sinc = |x: f64| {
            if x == 0.0 {
                1.0
            } else {
                (core::f64::consts::PI * x).sin() / (core::f64::consts::PI * x)
            }
        };
        if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
    };
    let weights = |at: usize, from: usize, to: usize| -> Vec<f64> {
        let scale = from as f64 / to as f64;
        let raw: Vec<f64> = (0..from)
            .map(|s| lanczos((s as f64 + 0.5 - (at as f64 + 0.5) * scale) / scale))
            .collect();
        let sum: f64 = raw.iter().sum();
        raw.iter().map(|weight| weight / sum).collect()
    };
    for y in 0..th {
        let down = weights(y, h, th);
        for x in 0..tw {
            let across = weights(x, w, tw);
            let exact: f64 = (0..h)
                .map(|sy| {
                    down[sy]
                        * (0..w).map(|sx| across[sx] * f64::from(data[sy * w + sx])).sum::<f64>()
                })
                .sum();
            let got = f64::from(to.data[y * tw + x]);
            assert!((got - exact.clamp(0.0, 255.0)).abs() < 1.2, "{x},{y}: {got} {exact}");
        }
    }
}

#[test]
fn numbers_are_rounded_as_std_rounds_them() {
    let steps = (-70_000..70_000).map(|step| f64::from(step) / 4096.0);
    let below_a_half =
        [0.499_999_999_999_999_94, -0.499_999_999_999_999_94, 2.499_999_999_999_999_6];
    for x in steps.chain(below_a_half) {
        assert!((rounded(x) - x.round()).abs() < f64::MIN_POSITIVE, "{x}");
    }
}
