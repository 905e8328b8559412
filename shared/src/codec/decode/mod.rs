//! From bytes to pixels, one file a format. Which scale, and whether at all, is `plan`'s business.

pub(crate) mod gif;
pub(crate) mod jpeg;
pub(crate) mod png;
pub(crate) mod stretch;
pub(crate) mod webp;
