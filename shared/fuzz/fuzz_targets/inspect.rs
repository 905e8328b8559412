//! Inspecting: no input causes a panic, and an accepted report is within the limits.
#![no_main]

mod start;

use image_rules::inspect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(report) = inspect(bytes, &start::POLICY) {
        let limits = start::POLICY.limits;
        assert!(report.width > 0 && report.height > 0 && report.frames > 0);
        assert!(u64::from(report.width) * u64::from(report.height) <= limits.max_pixels);
        assert!(report.frames <= limits.max_frames);
        assert_eq!(report.size_bytes, bytes.len() as u64);
    }
});
