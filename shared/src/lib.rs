//! The image rules: which files are pictures, whether they are safe, how large they may be, and how they are made
//! smaller.
//!
//! The crate is `no_std` + `alloc` and knows no HTTP, clock, randomness or JavaScript, so that the Worker and the
//! browser decide the same from the same code. Decoders and encoders need the feature `codec`.
//!
//! ```
//! # #[cfg(feature = "codec")] {
//! use image_rules::{Plan, Policy, inspect, process};
//!
//! # let file = include_bytes!("../../tests/fixtures/png/rgb8.png");
//! let policy = Policy::EDGE;
//! let report = inspect(file, &policy)?;
//! let plan = Plan::new(&report, &policy)?;
//! let stored = process(&file[..], &plan, &policy.limits)?;
//! assert!(stored.bytes().len() <= file.len());
//! # }
//! # Ok::<(), image_rules::ImageError>(())
//! ```
#![no_std]
#![warn(missing_docs)]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "codec")]
extern crate std;

pub mod aspect_ratio;
pub mod code;
mod container;
mod cursor;
pub mod error;
pub mod format;
pub mod inspect;
pub mod limits;
mod messages;
mod pace;
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

pub use aspect_ratio::AspectRatio;
pub use code::{Code, Language};
pub use error::{Corrupt, ImageError};
pub use format::{Format, Formats};
pub use inspect::{inspect, inspect_as};
pub use limits::{Effort, Limits, Policy};
#[cfg(feature = "codec")]
pub use pipeline::{
    Processed,
    pixels::{Pixels, pixels},
    prepare::prepare,
    process, process_in_steps,
};
pub use plan::{Action, Bounds, Output, Plan};
pub use report::{Color, Metadata, Orientation, Report};
pub use sanitize::scrub;
