//! The number of a registered image.

use serde::{Deserialize, Serialize};

/// The number of a registered image: the row id of the database.
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
}
