//! The image rules as the bench calls them: bytes in, bytes out, everything on the way.

mod work;

use image_rules::{Action, Bounds, Output, Plan, Policy, inspect, limits::Effort, process};
use wasm_bindgen::prelude::wasm_bindgen;

/// Inspects, plans and processes as the edge does; no bytes for a picture that is kept as it is.
///
/// # Panics
/// When the picture is refused: the bench sends sound ones.
#[wasm_bindgen]
#[must_use]
pub fn run(bytes: &[u8], max_edge: u32, quality: u8, effort: u8) -> Vec<u8> {
    let policy = Policy { max_edge, quality, effort: effort_of(effort), ..Policy::BROWSER };
    let report = inspect(bytes, &policy).expect("a sound picture");
    let plan = Plan::new(&report, &policy).expect("a picture within the limits");
    let processed = process(bytes, &plan, &policy.limits).expect("a picture that decodes");
    match processed.action() {
        Action::Keep => Vec::new(),
        Action::Scrub | Action::Optimise => processed.into_bytes().into_owned(),
    }
}

const fn effort_of(number: u8) -> Effort {
    match number {
        0 => Effort::Fast,
        1 => Effort::Balanced,
        _ => Effort::Small,
    }
}

/// Derives a picture of this width as the edge does for readers; no bytes for one that is served as it is.
///
/// # Panics
/// When the picture is refused: the bench sends sound ones.
#[wasm_bindgen]
#[must_use]
pub fn derive(bytes: &[u8], width: u32, quality: u8, is_webp: bool) -> Vec<u8> {
    let policy = Policy { quality, target_bytes: None, ..Policy::EDGE };
    let report = inspect(bytes, &policy).expect("a sound picture");
    let bounds = Bounds::Contain { width, height: u32::MAX };
    let output = if is_webp { Output::WebP } else { Output::Preview };
    let plan = Plan::derive(&report, &policy, bounds, output).expect("a picture within the limits");
    process(bytes, &plan, &policy.limits).expect("a picture that decodes").into_bytes().into_owned()
}
