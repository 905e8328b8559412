//! Decoders: one file a format.

pub(crate) mod gif;
pub(crate) mod jpeg;
pub(crate) mod png;
pub(crate) mod stretch;
pub(crate) mod webp;
