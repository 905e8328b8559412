//! Walks a jpeg container from its first byte to its last.

use crate::{ImageError, Limits, Report, error::Corrupt};

/// What the container says of the picture.
///
/// # Errors
/// The first rule of the format or the limits that the bytes break.
pub fn probe(_bytes: &[u8], _limits: &Limits) -> Result<Report, ImageError> {
    Err(Corrupt::Unsupported.into())
}
