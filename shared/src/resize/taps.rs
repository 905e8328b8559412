//! The weights of a resampling: which source samples make a target sample, and how much each counts.

use alloc::vec::Vec;
use core::f64::consts::PI;

/// Fractional bits of a weight: as many as leave room for a sum of Lanczos weights, whose largest
/// is a little above one, in sixteen bits.
pub(super) const SHIFT: u32 = 14;

/// One, as a weight.
pub(super) const ONE: i32 = 1 << SHIFT;

/// Lobes of the filter to each side.
const LOBES: f64 = 3.0;

/// The weights of all target samples along one axis.
pub(super) struct Taps {
    /// The first source sample, and where the weights end.
    spans: Vec<(usize, usize)>,
    weights: Vec<i16>,
}

impl Taps {
    /// From `from` samples to `to`.
    pub fn new(from: usize, to: usize) -> Self {
        let mut taps = Self { spans: Vec::with_capacity(to), weights: Vec::new() };
        let scale = real(from) / real(to.max(1));
        let reach = LOBES * scale.max(1.0);
        taps.weights.reserve_exact(to.saturating_mul(whole(2.0 * reach) + 2));
        let mut exact = Vec::new();
        for target in 0..to {
            let center = (real(target) + 0.5) * scale;
            let first = whole(center - reach + 0.5);
            let end = whole(center + reach + 0.5).min(from).max(first + 1);
            exact.clear();
            let weigh = |source: usize| lanczos((real(source) + 0.5 - center) / scale.max(1.0));
            exact.extend((first..end).map(weigh));
            taps.push(first, &exact);
        }
        taps
    }

    /// Adds weights that together are exactly one, so that what is flat stays flat.
    fn push(&mut self, first: usize, exact: &[f64]) {
        let start = self.weights.len();
        let total: f64 = exact.iter().sum();
        let total = if total == 0.0 { 1.0 } else { total };
        self.weights.extend(exact.iter().map(|weight| fixed(weight / total)));
        let fresh = self.weights.get_mut(start..).unwrap_or_default();
        let sum: i32 = fresh.iter().map(|&weight| i32::from(weight)).sum();
        if let Some(largest) = fresh.iter_mut().max_by_key(|weight| **weight) {
            let rounded = i32::from(*largest) + ONE - sum;
            *largest = i16::try_from(rounded).unwrap_or(i16::MAX);
        }
        self.spans.push((first, self.weights.len()));
    }

    /// The most source samples that one target sample is made of.
    pub fn longest(&self) -> usize {
        self.each().map(|(_, weights)| weights.len()).max().unwrap_or_default()
    }

    /// The first source sample and the weights of each target sample.
    #[inline]
    pub fn each(&self) -> impl Iterator<Item = (usize, &[i16])> {
        let mut start = 0;
        self.spans.iter().map(move |&(first, end)| {
            let weights = self.weights.get(start..end).unwrap_or_default();
            start = end;
            (first, weights)
        })
    }
}

/// A windowed sinc.
fn lanczos(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else if x.abs() < LOBES {
        sinc(x) * sinc(x / LOBES)
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    sine(x) / (PI * x)
}

/// The sine of `x` half turns, by its series: exact to 1e-9 where weights have 14 bits. It is the same on
/// every machine, and a tenth of the code that reduces arguments of any size.
fn sine(x: f64) -> f64 {
    let halves = x.round();
    let angle = PI * (x - halves);
    let square = angle * angle;
    let mut term = angle;
    let mut sum = angle;
    for odd in [3.0, 5.0, 7.0, 9.0, 11.0, 13.0] {
        term *= -square / (odd * (odd - 1.0));
        sum += term;
    }
    if halves % 2.0 == 0.0 { sum } else { -sum }
}

#[expect(clippy::cast_precision_loss, reason = "lengths have 32 bits at most")]
fn real(length: usize) -> f64 {
    length as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounds down and clamps at zero"
)]
fn whole(length: f64) -> usize {
    length as usize
}

#[expect(clippy::cast_possible_truncation, reason = "`as` clamps floats")]
fn fixed(weight: f64) -> i16 {
    (weight * f64::from(ONE)).round() as i16
}
