//! A policy as it crosses the boundary: as numbers, because reading JSON in wasm would cost the page
//! twenty kilobytes.

use image_rules::{Limits, Policy, limits::Effort};

/// The policy whose numbers these are, in the order of `numbers` in `browser/js/policy.ts`. What is
/// not said (NaN), or makes no sense, is as the default has it: the edge has the last word anyway, and
/// nobody should be kept from sending because one answer was lost.
pub fn read(numbers: &[f64]) -> Policy {
    let said = |index: usize| numbers.get(index).copied().and_then(whole);
    let small = |index: usize| said(index).and_then(|number| u32::try_from(number).ok());
    let default = Policy::EDGE;
    Policy {
        limits: Limits {
            max_bytes: said(0).unwrap_or(default.limits.max_bytes),
            max_pixels: said(1).unwrap_or(default.limits.max_pixels),
            max_frames: small(2).unwrap_or(default.limits.max_frames),
            max_animation_pixels: said(3).unwrap_or(default.limits.max_animation_pixels),
            max_resize_pixels: said(4).unwrap_or(default.limits.max_resize_pixels),
            max_peak_bytes: said(5).unwrap_or(default.limits.max_peak_bytes),
        },
        max_edge: small(6).unwrap_or(default.max_edge),
        quality: small(7).and_then(|number| number.try_into().ok()).unwrap_or(default.quality),
        effort: match said(8) {
            Some(0) => Effort::Fast,
            Some(1) => Effort::Balanced,
            Some(2) => Effort::Small,
            _ => default.effort,
        },
        target_bytes: said(9).or(default.target_bytes),
    }
}

/// A whole number; JavaScript's are exact below 2^53.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
pub fn whole(number: f64) -> Option<u64> {
    const TOO_MUCH: f64 = 9_007_199_254_740_992.0;
    (0.0..TOO_MUCH).contains(&number).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_the_default_has_it() {
        for nonsense in [f64::NAN, -1.0, f64::INFINITY, 9_007_199_254_740_992.0] {
            assert_eq!(read(&[nonsense; 10]), Policy::EDGE);
        }
        assert_eq!(read(&[]), Policy::EDGE);
        let limits = Limits { max_bytes: 10, ..Limits::EDGE };
        assert_eq!(read(&[10.0]), Policy { limits, ..Policy::EDGE });
    }

    #[test]
    fn every_number_has_its_place() {
        let policy = read(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 2.0, 10.0]);
        let limits = Limits {
            max_bytes: 1,
            max_pixels: 2,
            max_frames: 3,
            max_animation_pixels: 4,
            max_resize_pixels: 5,
            max_peak_bytes: 6,
        };
        let (effort, target_bytes) = (Effort::Small, Some(10));
        assert_eq!(policy, Policy { limits, max_edge: 7, quality: 8, effort, target_bytes });
    }
}
