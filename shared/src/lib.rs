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

pub mod code;
mod container;
pub mod cursor;
pub mod error;
pub mod format;
pub mod inspect;
pub mod limits;
mod messages;
pub mod plan;
pub mod raster;
pub mod report;
pub mod sanitize;

#[cfg(feature = "codec")]
mod codec;
#[cfg(feature = "codec")]
mod hidden_data;
#[cfg(feature = "codec")]
pub mod pipeline;

pub use code::{Code, Language};
pub use error::{Corrupt, ImageError};
pub use format::Format;
pub use inspect::{inspect, inspect_as};
pub use limits::{Effort, Limits, Policy};
#[cfg(feature = "codec")]
pub use pipeline::{
    Processed,
    pixels::{Pixels, pixels},
    prepare::prepare,
    process,
};
pub use plan::{Action, Plan};
pub use report::{Color, Metadata, Orientation, Report};
pub use sanitize::scrub;
