//! Walks a whole container, without decoding a pixel, and returns a [`Report`].

use crate::{
    Format, ImageError, Limits, Policy, Report,
    format::{FileType, sniff},
};

pub(crate) mod gif;
pub(crate) mod jpeg;
pub(crate) mod png;
pub(crate) mod webp;

/// Inspects a file: parses its container to the last byte.
///
/// # Errors
/// The first rule of the policy or of the format that the bytes break.
pub fn inspect(bytes: &[u8], policy: &Policy) -> Result<Report, ImageError> {
    check_size(bytes, &policy.limits)?;
    let format = accepted(bytes)?;
    policy.check_format(format)?;
    let report = match format {
        Format::Jpeg => jpeg::inspect(bytes, &policy.limits)?,
        Format::Png => png::walk(bytes, &policy.limits, |_kept| {})?,
        Format::Gif => gif::walk(bytes, &policy.limits, |_kept| {})?,
        Format::WebP => webp::inspect(bytes, &policy.limits)?,
    };
    Ok(report)
}

/// Inspects bytes that came with a declared type, which must be the one that they show.
///
/// # Errors
/// [`ImageError::DeclaredMismatch`] and [`ImageError::Disguised`] when they show another, before
/// anything is walked; otherwise as [`inspect`].
pub fn inspect_as(bytes: &[u8], declared: Format, policy: &Policy) -> Result<Report, ImageError> {
    check_size(bytes, &policy.limits)?;
    match accepted(bytes) {
        Ok(actual) if actual != declared => Err(ImageError::DeclaredMismatch { declared, actual }),
        Err(ImageError::Foreign(actual)) => Err(ImageError::Disguised { declared, actual }),
        _ => inspect(bytes, policy),
    }
}

fn accepted(bytes: &[u8]) -> Result<Format, ImageError> {
    match sniff(bytes) {
        FileType::Accepted(format) => Ok(format),
        FileType::Foreign(foreign) => Err(ImageError::Foreign(foreign)),
        FileType::Unknown if bytes.is_empty() => Err(ImageError::Empty),
        FileType::Unknown => Err(ImageError::Unrecognised),
    }
}

fn check_size(bytes: &[u8], limits: &Limits) -> Result<(), ImageError> {
    let (size_bytes, limit_bytes) = (bytes.len() as u64, limits.max_bytes);
    if size_bytes > limit_bytes {
        return Err(ImageError::TooManyBytes { size_bytes, limit_bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
