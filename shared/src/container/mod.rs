//! Syntax of the containers: chunks, segments, headers and tables, parsed from bytes without judging a picture.

pub(crate) mod exif;
pub(crate) mod gif;
#[cfg(feature = "codec")]
pub(crate) mod icc;
pub(crate) mod jpeg;
pub(crate) mod png;
pub(crate) mod webp;
