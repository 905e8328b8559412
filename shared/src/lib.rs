//! The image rules: what is a picture, is it safe, how big may it get, how is it made smaller.
//!
//! The rules are `no_std` + `alloc` and know no HTTP, no clock, no randomness and no JavaScript, so
//! that the Worker and the browser reach the same verdict from the same code. Everything that
//! touches pixels sits behind the feature `codec`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod code;
pub mod cursor;
pub mod error;
pub mod exif;
pub mod limits;
pub mod probe;
pub mod scrub;
mod sentence;
pub mod sniff;

pub use code::{Code, Language};
pub use error::ImageError;
pub use limits::{Limits, Policy};
pub use probe::{Report, inspect, inspect_as};
pub use scrub::scrub;
pub use sniff::Format;
