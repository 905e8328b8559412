//! From bytes to pixels, one file a format. Which scale, and whether at all, is `plan`'s business.

pub(crate) mod jpeg;
