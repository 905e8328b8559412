//! Scrubbing: an accepted image becomes clean with the same pixels, and a second run changes nothing.
#![no_main]

mod start;

use image_rules::{Report, inspect, scrub};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(report) = inspect(bytes, &start::POLICY) else { return };
    let clean = scrub(bytes, &report).expect("an accepted image can be scrubbed");
    let again = inspect(&clean, &start::POLICY).expect("a scrubbed picture is accepted");
    assert!(again.is_clean(), "left behind: {:?}", again.metadata);
    assert_eq!(scrub(&clean, &again).as_deref(), Ok(clean.as_slice()));
    let expected = Report {
        size_bytes: clean.len() as u64,
        unterminated: false,
        payload: None,
        metadata: again.metadata,
        ..report
    };
    assert_eq!(again, expected);
});
