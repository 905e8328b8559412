//! The image rules: what is a picture, is it safe, how big may it get, how is it made smaller.
//!
//! The rules are `no_std` + `alloc` and know no HTTP, no clock, no randomness and no JavaScript, so
//! that the Worker and the browser reach the same verdict from the same code. Everything that
//! touches pixels sits behind the feature `codec`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "codec")]
extern crate std;

pub mod budget;
pub mod code;
pub mod cursor;
pub mod error;
pub mod exif;
pub mod limits;
pub mod plan;
pub mod probe;
pub mod scrub;
mod sentence;
pub mod sniff;

#[cfg(feature = "codec")]
mod decode;
#[cfg(feature = "codec")]
mod encode;
#[cfg(feature = "codec")]
mod icc;
#[cfg(feature = "codec")]
mod optimise;
#[cfg(feature = "codec")]
mod orient;
#[cfg(feature = "codec")]
mod palette;
#[cfg(feature = "codec")]
pub mod pipeline;
#[cfg(feature = "codec")]
mod pixel_art;
#[cfg(feature = "codec")]
pub mod pixels;
#[cfg(feature = "codec")]
mod placeholder;
#[cfg(feature = "codec")]
pub mod prepare;
#[cfg(feature = "codec")]
mod quantise;
#[cfg(feature = "codec")]
mod raster;
#[cfg(feature = "codec")]
mod resize;
#[cfg(feature = "codec")]
mod slack;

pub use code::{Code, Language};
pub use error::ImageError;
pub use limits::{Limits, Policy};
#[cfg(feature = "codec")]
pub use pipeline::{Processed, process};
#[cfg(feature = "codec")]
pub use pixels::{Pixels, pixels};
pub use plan::{Action, Plan};
#[cfg(feature = "codec")]
pub use prepare::prepare;
pub use probe::{Report, inspect, inspect_as};
pub use scrub::scrub;
pub use sniff::Format;
