//! JPEG syntax (ISO/IEC 10918-1): segments, application blocks, frames, scans, tables and entropy-coded data.

pub mod app;
pub mod entropy;
pub mod frame;
pub mod segment;
pub mod tables;
pub mod uses;
