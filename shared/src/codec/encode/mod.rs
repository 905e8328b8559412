//! Encoders: one file a format.

pub(crate) mod gif;
pub(crate) mod jpeg;
pub(crate) mod png;
mod sink;
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
