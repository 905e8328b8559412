//! Encoders: one file a format.

#[cfg(feature = "derive")]
pub(crate) mod animated_webp;
pub(crate) mod gif;
pub(crate) mod jpeg;
#[cfg(feature = "derive")]
pub(crate) mod lossy_webp;
pub(crate) mod png;
mod sink;
#[cfg(feature = "derive")]
mod vp8;
pub(crate) mod webp;

pub(crate) use sink::Sink;

/// Why there are no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EncodeError {
    /// More than the sink takes: the picture as it came is the better one.
    TooLong,
    /// The encoder cannot write this picture.
    Unwritable,
}
