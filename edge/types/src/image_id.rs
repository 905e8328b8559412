//! The number of an image.

use serde::{Deserialize, Serialize};

/// The number of an image: the row id of the database, or, while it is pending, a number that is derived from its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageId(pub u64);

/// 2^53 - 1: the largest integer that JavaScript, and so D1, represents exactly.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

impl ImageId {
    /// From its canonical decimal form: no sign, no leading zero, at most [`MAX_SAFE_INTEGER`].
    pub fn parse(text: &str) -> Option<Self> {
        let id: u64 = text.parse().ok()?;
        (id <= MAX_SAFE_INTEGER && id.to_string() == text).then_some(Self(id))
    }

    /// The number of a pending image that was admitted in this millisecond, with three more digits. [`None`] after the year
    /// 2255. No row id is that large.
    pub fn of_pending(admitted_ms: u64, digits: u64) -> Option<Self> {
        let id = admitted_ms.checked_mul(PENDING_FACTOR)?.checked_add(digits % PENDING_FACTOR)?;
        (FIRST_PENDING..=MAX_SAFE_INTEGER).contains(&id).then_some(Self(id))
    }

    /// When the pending image was admitted; [`None`] for the number of a registered one.
    pub fn pending_since_ms(self) -> Option<u64> {
        (self.0 >= FIRST_PENDING).then_some(self.0 / PENDING_FACTOR)
    }
}

const PENDING_FACTOR: u64 = 1_000;
/// The year 2001.
const FIRST_PENDING: u64 = 1_000_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_image_has_a_number_that_no_registered_one_has() {
        let id = ImageId::of_pending(1_763_114_400_000, 65_007).expect("a number");
        assert_eq!(id, ImageId(1_763_114_400_000_007));
        assert_eq!(id.pending_since_ms(), Some(1_763_114_400_000));
        assert_eq!(ImageId::parse(&id.0.to_string()), Some(id));
        assert_eq!(ImageId(1 << 40).pending_since_ms(), None);
        for ms in [0, 1, u64::MAX, MAX_SAFE_INTEGER] {
            assert_eq!(ImageId::of_pending(ms, 0), None, "{ms}");
        }
    }
}
