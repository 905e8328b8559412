//! What the targets share: limits that keep a run short, and mutations that keep checksums right.

use image_rules::{Limits, Policy};
use libfuzzer_sys::{fuzz_mutator, fuzzer_mutate};

#[path = "../../tests/hostile/repair.rs"]
mod repair;

/// 1 MP, 20 frames, 16 MiB; an edge at which the fixtures have to shrink.
pub const POLICY: Policy = Policy {
    limits: Limits {
        max_pixels: 1_000_000,
        max_frames: 20,
        max_animation_pixels: 2_000_000,
        max_resize_pixels: 20_000_000,
        max_peak_bytes: 16 << 20,
        ..Limits::EDGE
    },
    max_edge: 20,
    ..Policy::EDGE
};

fuzz_mutator!(|bytes: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(bytes, size, max_size);
    // Some stay broken, so that the door is tried too.
    if seed % 8 != 0 {
        repair::repair(&mut bytes[..size]);
    }
    size
});
