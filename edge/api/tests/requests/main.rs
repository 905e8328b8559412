//! Whole requests, natively: from the endpoint table to the stores, with everything in memory and a fixed clock.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails panics, and the helpers of a test crate count as its code"
)]

mod access;
mod accounts;
mod admin;
mod alerts;
mod bucket_binding;
mod challenge;
mod delivery;
mod forms;
mod harness;
mod images;
mod ledger;
mod limits;
mod log;
mod metrics;
mod newcomers;
mod private;
mod removals;
mod response_contract;
mod review;
mod rights;
mod scheduling;
mod upload;
mod webhooks;
