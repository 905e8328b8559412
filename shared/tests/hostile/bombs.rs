//! Decompression bombs: rejected by their headers, quickly and without memory.

use super::{alone, exercise::measured, many_codes, repair::repair};
use image_rules::{Code, ImageError, Plan, Policy, inspect};
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

/// The tables of 40,000 groups of codes need 880 MB.
#[test]
fn many_huffman_codes_are_counted_before_decoding() {
    let _turn = alone();
    let bytes = many_codes::webp(1024, 1024, 40_000);
    let report = inspect(&bytes, &Policy::EDGE).expect("a sound picture");
    assert!(report.coded.code_groups < 4_000, "counting ends above the limit");
    let verdict = Plan::new(&report, &Policy::EDGE);
    assert!(matches!(verdict, Err(ImageError::TooMuchMemory { .. })), "{verdict:?}");
}

/// Inspection reads the codes of lossless WebP and the images beside its pixels. That of ordinary files takes a millisecond.
#[test]
fn inspecting_a_webp_ends_where_it_takes_too_long() {
    let _turn = alone();
    let blocks = many_codes::blocks(2048, 2048);
    let groups = many_codes::groups(64, 64, 3_000);
    for (name, bytes) in [
        ("small blocks", many_codes::animation(2048, 2048, &blocks, 19)),
        ("many codes", many_codes::animation(64, 64, &groups, 40)),
    ] {
        assert!(bytes.len() as u64 <= Policy::EDGE.limits.max_bytes, "{name}");
        let start = Instant::now();
        let (verdict, peak_bytes) = measured(|| inspect(&bytes, &Policy::EDGE));
        println!("{name}: inspected in {:?}", start.elapsed());
        let refused = ImageError::TooMuchWork { work_ms: 101, limit_ms: 100, is_animated: true };
        assert_eq!(verdict, Err(refused), "{name}");
        assert!(peak_bytes <= 512 * 1024, "{name} took {peak_bytes} bytes");
    }
    // A few of the same frames are read.
    for (stream, side, [groups, pixels]) in
        [(blocks, 2048, [2, 4 * 512 * 512]), (groups, 64, [6_000, 2 * 16 * 16])]
    {
        let report = inspect(&many_codes::animation(side, side, &stream, 2), &Policy::EDGE);
        let coded = report.expect("a sound picture").coded;
        assert_eq!((coded.code_groups, coded.side_pixels), (groups, pixels));
    }
}

/// A GIF of flat frames of the canvas's size.
fn flat_gif(width: u16, height: u16, frames: usize) -> Vec<u8> {
    let flat = vec![0; usize::from(width) * usize::from(height)];
    let palette = [0x2A, 0x6F, 0x97, 0xFF, 0xFF, 0xFF];
    let mut frame = gif::Frame::from_palette_pixels(width, height, flat, palette, None);
    frame.make_lzw_pre_encoded();
    let mut out = Vec::new();
    let mut encoder = gif::Encoder::new(&mut out, width, height, &[]).expect("a canvas");
    for _ in 0..frames {
        encoder.write_lzw_pre_encoded_frame(&frame).expect("a frame");
    }
    drop(encoder);
    out
}

/// An animated PNG of transparent frames with 16 bits a sample.
fn flat_png(width: u32, height: u32, frames: u32) -> Vec<u8> {
    let rows = vec![0; height as usize * (1 + width as usize * 8)];
    let pixels = miniz_oxide::deflate::compress_to_vec_zlib(&rows, 6);
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = [&size[..], &[16, 6, 0, 0, 0]].concat();
    let control =
        |number: u32| [&number.to_be_bytes()[..], &size, &[0; 8], &[0, 1, 0, 10, 0, 0]].concat();
    let later = (1..frames).map(|frame| {
        let data = [&(2 * frame).to_be_bytes()[..], &pixels].concat();
        (control(2 * frame - 1), data)
    });
    let later: Vec<_> = later.collect();
    let counts = [&frames.to_be_bytes()[..], &[0; 4]].concat();
    let first = control(0);
    let mut chunks: Vec<(&[u8; 4], &[u8])> =
        vec![(b"IHDR", &header), (b"acTL", &counts), (b"fcTL", &first), (b"IDAT", &pixels)];
    for (control, data) in &later {
        chunks.extend([(b"fcTL", &control[..]), (b"fdAT", &data[..])]);
    }
    chunks.push((b"IEND", &[]));
    png(&chunks)
}

/// A grey progressive JPEG of one colour in so many scans, whose codes are single zero bits: in the first
/// scan one for each block, in the others one, and 14 more bits, that ends the band for 16,384 blocks.
fn scans_jpeg(width: u16, height: u16, scans: u8) -> Vec<u8> {
    let segment = |marker: u8, content: &[u8]| {
        let length = u16::try_from(content.len() + 2).expect("a short segment");
        [&[0xFF, marker][..], &length.to_be_bytes(), content].concat()
    };
    let table =
        |name: u8, symbol: u8| segment(0xC4, &[&[name, 1][..], &[0; 15], &[symbol]].concat());
    let blocks = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8));
    let size = [height.to_be_bytes(), width.to_be_bytes()].concat();
    let mut out = [
        &b"\xFF\xD8"[..],
        &segment(0xDB, &[&[0][..], &[1; 64]].concat()),
        &segment(0xC2, &[&[8][..], &size, &[1, 1, 0x11, 0]].concat()),
        &table(0x00, 0),
        &table(0x10, 0xE0),
    ]
    .concat();
    for number in 0..scans {
        let band = if number == 0 { 0 } else { 1 + number % 63 };
        out.extend(segment(0xDA, &[1, 1, 0, band, band, 0]));
        let bits = if number == 0 { blocks } else { blocks.div_ceil(16_384) * 15 };
        out.resize(out.len() + bits.div_ceil(8), 0);
    }
    out.extend(b"\xFF\xD9");
    out
}

/// Deciding reads the file once. Decoding one of them takes seconds.
const MOST_DECISION_TIME: Duration = Duration::from_millis(100);

#[test]
fn files_that_take_long_to_process_are_rejected_before_decoding() {
    let _turn = alone();
    let policy = Policy::EDGE;
    let limit_ms = policy.limits.max_work_ms;
    for (name, bytes, expected) in [
        ("GIF of 200 frames to resize", flat_gif(2052, 1218, 200), Some(true)),
        ("GIF of 40 frames to resize", flat_gif(2052, 1218, 40), Some(true)),
        // To decode them takes less than the limit.
        ("APNG of 200 frames", flat_png(2048, 1220, 200), None),
        ("GIF of 60 frames", flat_gif(2048, 1218, 60), None),
        ("JPEG of 100 scans", scans_jpeg(8000, 6000, 100), None),
        ("smaller JPEG of 100 scans", scans_jpeg(2048, 2048, 100), None),
    ] {
        let decide = || inspect(&bytes, &policy).and_then(|report| Plan::new(&report, &policy));
        let (verdict, peak_bytes) = measured(decide);
        match (verdict, expected) {
            (Err(ImageError::TooMuchWork { work_ms, is_animated, .. }), Some(animated)) => {
                assert!(work_ms > limit_ms && is_animated == animated, "{name}: {work_ms} ms");
            }
            (Ok(plan), None) => {
                println!("{name}: {:?}", plan.work());
                assert!(plan.work() > Duration::from_millis(limit_ms / 20), "{name}: worth a test");
            }
            (verdict, _) => panic!("{name}: {verdict:?}"),
        }
        assert!(peak_bytes <= 16 * MOST_BYTES, "{name} took {peak_bytes} bytes");
        if expected.is_none() {
            continue;
        }
        // The fastest of five runs, which is the least disturbed.
        let time = (0..5).map(|_| {
            let start = Instant::now();
            let _ = decide();
            start.elapsed()
        });
        let time = time.min().unwrap_or_default();
        println!("{name}: decided in {time:?}");
        assert!(time < MOST_DECISION_TIME, "{name} took {time:?}");
    }
}
