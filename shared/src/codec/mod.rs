//! Pixels from bytes and back: decoders, encoders, and what reduces colours between them.

pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod palette;
pub(crate) mod pixel_art;
pub(crate) mod placeholder;
pub(crate) mod quantise;
pub(crate) mod ycbcr;
