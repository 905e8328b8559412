//! Compares sniffing and everything that is encoded here with crates of others: `infer` must find the same type, and
//! `image` must read what is stored, at the size that is announced and with the same pixels.
//!
//! It looks at all fixtures, and at every file below `CORPORA` when that variable names a folder.
#![cfg(feature = "codec")]
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod fixture;

use std::{env, fs, io::Cursor, path::PathBuf};

use fixture::Fixture;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageReader, codecs::gif::GifDecoder};
use image_rules::{
    Action, Effort, Format, ImageError, Plan, Policy, Processed, Report,
    format::{FileType, sniff},
    inspect, pixels, process,
};

/// Skips files above the limits, so that a run over large collections ends.
const MAX_BYTES: u64 = Policy::EDGE.limits.max_bytes;

fn all() -> Vec<Fixture> {
    let mut files = fixture::all();
    let mut folders: Vec<PathBuf> = env::var_os("CORPORA").map(PathBuf::from).into_iter().collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.metadata().is_ok_and(|file| file.len() <= MAX_BYTES) {
                let name = path.display().to_string();
                files.push(Fixture { name, bytes: fs::read(&path).expect("a readable file") });
            }
        }
    }
    files
}

/// The image as `image` decodes it, as coded and upright; [`None`] on an error.
fn decoded(bytes: &[u8]) -> Option<(DynamicImage, DynamicImage)> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut decoder = reader.into_decoder().ok()?;
    let orientation = decoder.orientation().ok()?;
    let coded = DynamicImage::from_decoder(decoder).ok()?;
    let mut upright = coded.clone();
    upright.apply_orientation(orientation);
    Some((coded, upright))
}

/// The mean difference of two pictures of one size, and the largest, of all channels that are visible.
fn difference(ours: &[u8], theirs: &[u8]) -> (f64, u8) {
    assert_eq!(ours.len(), theirs.len());
    let (ours, theirs) = (ours.as_chunks::<4>().0, theirs.as_chunks::<4>().0);
    let visible = ours.iter().zip(theirs).filter(|(a, b)| a[3] > 0 || b[3] > 0);
    let (mut sum, mut most) = (0, 0);
    for (a, b) in visible.flat_map(|(a, b)| a.iter().zip(b)) {
        sum += u64::from(a.abs_diff(*b));
        most = most.max(a.abs_diff(*b));
    }
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    let mean = sum as f64 / (ours.len() * 4).max(1) as f64;
    (mean, most)
}

/// Whether `image` differs from our pixels by more than the tolerance: JPEG decoders round and upsample chroma differently.
fn disagreement(bytes: &[u8], theirs: &DynamicImage, format: Format) -> Option<String> {
    let ours = pixels(bytes, &Policy::BROWSER).ok()?;
    let (size, other) = ((ours.width, ours.height), (theirs.width(), theirs.height()));
    if size != other {
        return Some(format!("{size:?} and {other:?}"));
    }
    // With two or three chroma samples a side all pixels are interpolated.
    if format == Format::Jpeg && ours.width.min(ours.height) < 16 {
        return None;
    }
    let (mean, most) = difference(&ours.rgba, &theirs.to_rgba8().into_raw());
    let (mean_limit, limit) = if format == Format::Jpeg { (3.0, 128) } else { (0.6, 1) };
    let is_close = mean <= mean_limit && most <= limit;
    (!is_close).then(|| format!("mean {mean:.2}, at most {most}"))
}

fn made(bytes: &[u8], report: &Report, policy: &Policy) -> Result<Processed<'static>, ImageError> {
    process(bytes.to_vec(), &Plan::new(report, policy)?, &policy.limits)
}

/// Names of both sides for types that both know from whole files.
const NAMES: [(&str, &str); 6] = [
    ("image/avif", "AVIF"),
    ("image/heif", "HEIC"),
    ("image/tiff", "TIFF"),
    ("video/mp4", "MP4"),
    ("application/pdf", "PDF"),
    ("application/zip", "ZIP"),
];

#[test]
fn infer_finds_the_type_that_we_find() {
    let samples = [
        &b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf"[..],
        b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic",
        b"MM\0*\0\0\0\x08\0\x01\x01\0",
        b"\0\0\0\x18ftypisom\0\0\0\0mp42isom",
        b"%PDF-1.7\n%\xE2\xE3",
        b"PK\x03\x04\x14\0\0\0\x08\0",
    ];
    let samples = samples
        .iter()
        .zip(NAMES)
        .map(|(bytes, (name, _))| Fixture { name: name.to_owned(), bytes: bytes.to_vec() });
    let mut named = 0;
    for Fixture { name, bytes } in all().into_iter().chain(samples) {
        let theirs = infer::get(&bytes).map_or("", |kind| kind.mime_type());
        match sniff(&bytes) {
            FileType::Accepted(format) => assert_eq!(theirs, format.media_type(), "{name}"),
            FileType::Foreign(ours) => {
                if let Some((_, expected)) = NAMES.iter().find(|(kind, _)| *kind == theirs) {
                    assert_eq!(ours.name, *expected, "{name}");
                    named += 1;
                }
            }
            FileType::Unknown => assert!(NAMES.iter().all(|(kind, _)| *kind != theirs), "{name}"),
        }
    }
    assert!(named >= NAMES.len());
}

#[test]
fn image_reads_what_every_action_and_effort_stores() {
    let (mut actions, mut compared) = ([0_u32; 3], 0);
    for Fixture { name, bytes } in all() {
        let Ok(report) = inspect(&bytes, &Policy::EDGE) else { continue };
        let source = decoded(&bytes);
        let smaller = report.width.max(report.height).div_ceil(2);
        for effort in [Effort::Fast, Effort::Balanced, Effort::Small] {
            for (max_edge, target_bytes) in [
                (Policy::EDGE.max_edge, None),
                (smaller, None),
                (smaller, Some(report.size_bytes / 4)),
            ] {
                let policy = Policy { max_edge, target_bytes, effort, ..Policy::EDGE };
                let at = format!("{name}, {effort:?}, {max_edge}, {target_bytes:?}");
                let Ok(made) = made(&bytes, &report, &policy) else { continue };
                let stored = decoded(made.bytes());
                // Variants that `image` cannot read are stored unchanged nevertheless.
                if stored.is_none() && made.action() != Action::Optimise && source.is_none() {
                    continue;
                }
                let (coded, stored) = stored.expect(&at);
                actions[made.action() as usize] += 1;
                let size = (stored.width(), stored.height());
                assert_eq!(size, (made.width(), made.height()), "{at}");
                let kept = source.as_ref().filter(|_| made.action() != Action::Optimise);
                // If `image` already decodes the source differently (CMYK, broken scans), the comparison is meaningless.
                if kept.is_some_and(|(_, seen)| disagreement(&bytes, seen, report.format).is_some())
                {
                    continue;
                }
                if let Some((source, _)) = kept {
                    assert!(coded.to_rgba8() == source.to_rgba8(), "{at}: pixels changed");
                }
                let disagreement = disagreement(made.bytes(), &stored, made.format());
                assert_eq!(disagreement, None, "{at}");
                compared += 1;
                if made.format() == Format::Gif {
                    let frames =
                        GifDecoder::new(Cursor::new(made.bytes())).expect(&at).into_frames();
                    assert_eq!(frames.flatten().count(), report.frames as usize, "{at}");
                }
            }
        }
    }
    assert!(actions.iter().all(|count| *count > 20), "{actions:?}");
    assert!(compared * 10 > actions.iter().sum::<u32>() * 9, "{compared} of {actions:?}");
}
