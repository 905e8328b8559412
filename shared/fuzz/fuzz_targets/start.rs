//! Shared code of the targets: limits that keep a run short, and mutations with corrected checksums.

use image_rules::{Limits, Policy};
use libfuzzer_sys::{fuzz_mutator, fuzzer_mutate};

#[path = "../../tests/hostile/repair.rs"]
mod repair;

/// 1 MP, 20 frames, 16 MiB, and an edge that is smaller than the fixtures.
pub const POLICY: Policy = Policy {
    limits: Limits {
        max_pixels: 1_000_000,
        max_frames: 20,
        max_work_ms: 200,
        max_peak_bytes: 16 << 20,
        ..Limits::EDGE
    },
    max_edge: 20,
    ..Policy::EDGE
};

fuzz_mutator!(|bytes: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(bytes, size, max_size);
    // Some checksums stay wrong, so that the first checks are tested as well.
    if seed % 8 != 0 {
        repair::repair(&mut bytes[..size]);
    }
    size
});
