//! The HTTP API. It knows neither Workers nor any other platform: [`ports::Ports`] has what a platform provides.

mod accounts;
mod admin;
mod admission;
mod alerts;
pub mod app;
mod body;
mod bucket_binding;
mod challenge;
pub mod concurrency;
pub mod config;
mod context;
mod day_totals;
mod delivery;
pub mod dispatch;
pub mod endpoint;
mod error;
mod form_cache;
mod form_policy;
mod forms;
pub mod health;
mod images;
pub mod jobs;
mod look_up;
mod metrics;
pub mod ports;
mod removals;
pub mod request;
pub mod response;
mod session_cache;
mod signed_urls;
pub mod telemetry;
mod uploads;

pub use body::BodyStream;
pub use delivery::{cache_urls, purge_copies};
pub use error::{ApiError, Component, InternalError};
