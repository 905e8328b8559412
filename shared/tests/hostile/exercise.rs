//! Runs one input through all functions, and asserts the properties that every input must have.

#[cfg(feature = "codec")]
use image_rules::{Action, Plan, pixels, plan::budget::pixels_bytes, process};
use image_rules::{ImageError, Policy, Report, inspect, scrub};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The result of inspecting.
pub type Verdict = Result<Report, ImageError>;

/// Inspecting counts and skips. Only tables need memory: those of a JPEG have at most 8 KiB in our fixtures, and those of
/// the five Huffman codes of a lossless WebP at most 64 KiB each.
const INSPECT_PEAK_BYTES: usize = 5 * 64 * 1024 + 16 * 1024;

/// Bytes that scrubbing may add: a block with the orientation, and an end mark.
const SCRUB_GROWTH_BYTES: usize = 64;

/// The result of a call, and its peak memory.
pub fn measured<T>(call: impl FnOnce() -> T) -> (T, usize) {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let returned = call();
    (returned, ALLOCATOR.peak_usage().saturating_sub(before))
}

/// Inspects an input, and scrubs and processes it if it is accepted.
pub fn exercise(bytes: &[u8], policy: &Policy) -> Verdict {
    let (verdict, peak_bytes) = measured(|| inspect(bytes, policy));
    assert!(peak_bytes <= INSPECT_PEAK_BYTES, "inspecting took {peak_bytes} bytes");
    if let Ok(report) = &verdict {
        assert_eq!(report.size_bytes, bytes.len() as u64);
        scrubbed(bytes, report, policy);
        #[cfg(feature = "codec")]
        {
            processed(bytes, report, policy);
            seen(bytes, report, policy);
        }
    }
    verdict
}

/// A scrubbed image is clean and otherwise the same, and scrubbing it again changes nothing.
fn scrubbed(bytes: &[u8], report: &Report, policy: &Policy) {
    let (clean, peak_bytes) = measured(|| scrub(bytes, report));
    let clean = clean.expect("an accepted image can be scrubbed");
    let most_bytes = 2 * bytes.len() + INSPECT_PEAK_BYTES;
    assert!(peak_bytes <= most_bytes, "scrubbing took {peak_bytes} bytes");
    assert!(clean.len() <= bytes.len() + SCRUB_GROWTH_BYTES);

    let again = inspect(&clean, policy).expect("a scrubbed picture is accepted");
    assert!(again.is_clean(), "left behind: {:?}", again.metadata);
    assert_eq!(scrub(&clean, &again).as_deref(), Ok(clean.as_slice()));
    let expected = Report {
        size_bytes: clean.len() as u64,
        unterminated: false,
        payload: None,
        metadata: again.metadata,
        ..report.clone()
    };
    assert_eq!(again, expected);
}

/// Processing takes at most the computed memory. Its result is clean, is kept unchanged when it is processed again, and has at
/// most the bytes of the input, unless that had too many pixels.
#[cfg(feature = "codec")]
fn processed(bytes: &[u8], report: &Report, policy: &Policy) {
    let Ok(plan) = Plan::new(report, policy) else { return };
    let (made, peak_bytes) = measured(|| process(bytes, &plan, &policy.limits));
    let computed = plan.peak_bytes();
    assert!(peak_bytes as u64 <= computed, "processing took {peak_bytes} bytes of {computed}");
    let Ok(made) = made else { return };
    let oversize = plan.target().filter(|target| target.is_oversize);
    let most_bytes = oversize.map_or(report.size_bytes, |target| target.most_bytes);
    assert!(made.bytes().len() as u64 <= most_bytes + SCRUB_GROWTH_BYTES as u64);

    let again = inspect(made.bytes(), policy).expect("a processed picture is accepted");
    assert!(again.is_clean(), "left behind: {:?}", again.metadata);
    assert_eq!(
        (again.format, again.upright_size()),
        (made.format(), (made.width(), made.height()))
    );
    let plan = Plan::new(&again, policy).expect("a processed picture can be planned");
    if plan.action() == Action::Keep {
        let kept = process(made.bytes(), &plan, &policy.limits).expect("the result decodes");
        assert_eq!((kept.action(), kept.bytes()), (Action::Keep, made.bytes()));
    } else {
        // No encoding reaches the target size, so the image was not re-encoded.
        assert_ne!(made.action(), Action::Optimise);
    }
}

/// Decoding takes at most the computed memory, and returns the reported number of pixels.
#[cfg(feature = "codec")]
fn seen(bytes: &[u8], report: &Report, policy: &Policy) {
    let (seen, peak_bytes) = measured(|| pixels(bytes, policy));
    let computed = pixels_bytes(report) + INSPECT_PEAK_BYTES as u64;
    assert!(peak_bytes as u64 <= computed, "pixels took {peak_bytes} bytes of {computed}");
    let Ok(seen) = seen else { return };
    assert_eq!((seen.width, seen.height), report.upright_size());
    assert_eq!(seen.rgba.len() as u64, u64::from(seen.width) * u64::from(seen.height) * 4);
}
