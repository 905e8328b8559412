//! One more bit for the coefficients of a block (T.81 §G.1.2.3).

use super::super::bits::Bits;

/// A block whose band is refined.
pub(super) struct Refine<'a> {
    pub values: &'a mut [i16],
    pub nonzero: &'a mut u64,
    pub places: &'a [u8; 64],
    /// The bit that is added.
    pub bit: i16,
}

impl Refine<'_> {
    /// Reads a correction bit for each known coefficient from `k`, past `zeros` unknown ones;
    /// answers where the next unknown one is, or one past `last`.
    pub fn run(
        &mut self,
        bits: &mut Bits<'_>,
        mut k: usize,
        last: usize,
        mut zeros: usize,
    ) -> usize {
        while k <= last {
            if *self.nonzero >> k & 1 == 1 {
                if bits.bit() {
                    self.correct(k);
                }
            } else if zeros == 0 {
                return k;
            } else {
                zeros -= 1;
            }
            k += 1;
        }
        k
    }

    fn correct(&mut self, k: usize) {
        let place = self.places.get(k).map_or(usize::MAX, |&place| usize::from(place));
        if let Some(value) = self.values.get_mut(place)
            && *value & self.bit == 0
        {
            let step = if *value < 0 { -self.bit } else { self.bit };
            *value = value.saturating_add(step);
        }
    }

    /// A coefficient that is known from now on.
    pub fn set(&mut self, k: usize, positive: bool) {
        let Some(&place) = self.places.get(k) else { return };
        *self.nonzero |= 1 << k;
        if let Some(value) = self.values.get_mut(usize::from(place)) {
            *value = if positive { self.bit } else { -self.bit };
        }
    }
}
