//! Decompression bombs: rejected by their headers, quickly and without memory.

use super::{alone, exercise::measured, repair::repair};
use image_rules::{Code, Policy, inspect};
use std::time::{Duration, Instant};

/// Reading a header takes microseconds, so a millisecond is a large margin, also in a debug build.
const MOST_TIME: Duration = Duration::from_millis(1);

/// Memory that inspecting may take for a file that is rejected by its header.
const MOST_BYTES: usize = 1024;

fn png(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut out = Vec::from(*b"\x89PNG\r\n\x1a\n");
    for (kind, data) in chunks {
        out.extend(u32::try_from(data.len()).expect("a short chunk").to_be_bytes());
        out.extend(*kind);
        out.extend(*data);
        out.extend([0; 4]);
    }
    repair(&mut out);
    out
}

/// A header with a large size, then five megabytes that a parser would have to skip.
fn padded(header: &[u8]) -> Vec<u8> {
    let mut out = Vec::from(header);
    out.resize(5 * 1024 * 1024, 0);
    out
}

fn refusal(bytes: &[u8]) -> (Option<Code>, usize, Duration) {
    let policy = Policy::EDGE;
    let (verdict, peak_bytes) = measured(|| inspect(bytes, &policy));
    // The fastest of five runs, which is the least disturbed.
    let fastest = (0..5)
        .map(|_| {
            let start = Instant::now();
            let _ = inspect(bytes, &policy);
            start.elapsed()
        })
        .min();
    (verdict.err().map(|refused| refused.code()), peak_bytes, fastest.unwrap_or_default())
}

#[test]
fn a_header_with_too_large_a_size_is_rejected_quickly() {
    let _turn = alone();
    let header = [0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 8, 6, 0, 0, 0];
    let frames = [0, 0, 0xFF, 0xFF, 0, 0, 0, 0];
    let small = [0, 0, 0, 9, 0, 0, 0, 9, 8, 6, 0, 0, 0];
    let jpeg = b"\xFF\xD8\xFF\xC0\0\x11\x08\xFF\xFF\xFF\xFF\x03\x01\x22\0\x02\x11\x01\x03\x11\x01";
    let gif_frame = b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\xFF\xFF\xFF\xFF\0\x08\x01\0\0;";
    let vp8 = b"RIFF\x18\0\0\0WEBPVP8 \x0C\0\0\0\x10\0\0\x9D\x01\x2A\xFF\x3F\xFF\x3F\0\0";
    let vp8x = b"RIFF\x12\0\x40\0WEBPVP8X\x0A\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF";
    for (name, bytes) in [
        ("png", padded(&png(&[(b"IHDR", &header)]))),
        ("apng", padded(&png(&[(b"IHDR", &small), (b"acTL", &frames)]))),
        ("jpeg", padded(jpeg)),
        ("gif screen", padded(b"GIF89a\xFF\xFF\xFF\xFF\0\0\0")),
        ("gif frame", Vec::from(gif_frame)),
        ("webp lossy", padded(vp8)),
        ("webp canvas", padded(vp8x)),
    ] {
        let (code, peak_bytes, time) = refusal(&bytes);
        assert_eq!(code, Some(Code::ImageTooLarge), "{name}");
        assert!(peak_bytes <= MOST_BYTES, "{name} took {peak_bytes} bytes");
        assert!(time < MOST_TIME, "{name} took {time:?}");
    }
}

#[test]
fn millions_of_empty_parts_need_no_memory() {
    let _turn = alone();
    let mut gif = Vec::from(*b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xFF\xFF\xFF");
    gif.extend(b"!\xFE\0".repeat(1_700_000));
    gif.extend(b",\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;");
    let mut webp = Vec::from(*b"RIFF\0\0\0\0WEBPVP8L\x06\0\0\0\x2F\0\0\0\0\0");
    webp.extend(b"JUNK\0\0\0\0".repeat(640_000));
    let size = u32::try_from(webp.len() - 8).expect("below 4 GiB");
    webp[4..8].copy_from_slice(&size.to_le_bytes());
    for bytes in [gif, webp] {
        let (verdict, peak_bytes) = measured(|| inspect(&bytes, &Policy::EDGE));
        assert_eq!(verdict.map(|report| (report.width, report.frames)), Ok((1, 1)));
        assert!(peak_bytes <= MOST_BYTES, "took {peak_bytes} bytes");
    }
}
