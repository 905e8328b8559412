//! Measures the JPEG decoder and the resizer of the image rules beside crates that could replace them.
//!
//! `bench-codecs [FOLDER]` takes the JPEGs of a folder that are larger than the result, otherwise a photo made here,
//! once baseline and once progressive. It prints a table and writes `target/bench/codecs.json`.
//!
//! Times are CPU time of the process, as `jpeg-decoder` starts a thread of its own. The contestants take turns.

use std::{
    env, error::Error, fs, hint::black_box, path::Path, sync::Arc, time::Duration,
};

use cpu_time::ProcessTime;
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image_rules::{
    Format, Plan, Policy, inspect,
    pipeline::decode_only,
    pixels,
    plan::Scale,
    raster::{
        Layout, Raster,
        resize::{self, Method},
    },
};
use jpeg_decoder::Decoder;
use peak_alloc::PeakAlloc;
use pic_scale::{ImageSize, ImageStore, ImageStoreMut, Resampling, ResamplingFunction, Scaler};
use serde_json::{Value, json};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

#[allow(dead_code, reason = "of the pictures of the tests only the photo is needed")]
#[path = "../../../../shared/tests/picture/mod.rs"]
mod picture;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const ROUNDS: usize = 15;
const LONGER_SIDE: u32 = 1600;

fn main() -> Result<(), Box<dyn Error>> {
    let photos = match env::args().nth(1) {
        Some(folder) => in_folder(Path::new(&folder))?,
        None => made(),
    };
    println!("{}\n", machine());
    println!("| photo, step | code | CPU time | ours / this | peak memory | ours / this |");
    println!("|---|---|---|---|---|---|");
    let mut results = Vec::new();
    for (number, (name, file)) in photos.iter().enumerate() {
        decode(name, file, &mut results)?;
        // The time of a resize does not depend on what the photo shows.
        if number == 0 {
            resize(name, file, &mut results)?;
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/bench");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("codecs.json"), serde_json::to_string_pretty(&results)? + "\n")?;
    Ok(())
}

type Photo = (String, Vec<u8>);

fn made() -> Vec<Photo> {
    let photo = picture::photo(4032, 3024);
    [("made, baseline", false), ("made, progressive", true)]
        .map(|(name, progressive)| (name.into(), photo.jpeg(90, progressive, false)))
        .into()
}

fn in_folder(folder: &Path) -> Result<Vec<Photo>, Box<dyn Error>> {
    let mut photos = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = fs::read(&path)?;
        let report = inspect(&file, &Policy::BROWSER);
        match report {
            Ok(report)
                if report.format == Format::Jpeg
                    && report.width.max(report.height) > LONGER_SIDE =>
            {
                photos.push((name, without_exif(&file)));
            }
            _ => eprintln!("skipped, not a JPEG larger than {LONGER_SIDE} px: {name}"),
        }
    }
    photos.sort();
    if photos.is_empty() { Err("no photos in the folder".into()) } else { Ok(photos) }
}

/// Without orientation: ours alone would turn the photo.
fn without_exif(file: &[u8]) -> Vec<u8> {
    let (mut kept, mut at) = (file[..2].to_vec(), 2);
    while let [0xFF, marker, high, low, ..] = file[at..] {
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        match marker {
            0xDA => break,
            0xE1 => {}
            _ => kept.extend(&file[at..end]),
        }
        at = end;
    }
    kept.extend(&file[at..]);
    kept
}

fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let load = read("/proc/loadavg");
    let vectors = if cfg!(target_feature = "avx2") { "AVX2" } else { "the target's default" };
    format!(
        "CPU: {}; load {}; {ROUNDS} rounds; compiled for {vectors}",
        cpu.trim_start_matches(['\t', ':', ' ']),
        load.split(' ').next().unwrap_or("unknown"),
    )
}

struct Contestant<'a> {
    name: &'static str,
    /// Returns the pixels, or none where they are not public.
    run: Box<dyn Fn() -> Vec<u8> + 'a>,
}

fn contestant<'a>(name: &'static str, run: impl Fn() -> Vec<u8> + 'a) -> Contestant<'a> {
    Contestant { name, run: Box::new(run) }
}

fn decode(photo: &str, file: &[u8], results: &mut Vec<Value>) -> Result<(), Box<dyn Error>> {
    let report = inspect(file, &Policy::BROWSER)?;
    let (width, height) = (report.width, report.height);
    let size = format!("{photo} ({width}x{height}, {:.1} MB)", file.len() as f64 / 1e6);
    // A target that is hardly smaller is decoded at full size.
    let planned = |longer_side| {
        let plan = Plan::new(&report, &Policy { max_edge: longer_side, ..Policy::BROWSER });
        plan.expect("a plan for a photo")
    };
    let ours = |plan: &Plan| {
        decode_only(file, plan).expect("a sound photo");
        Vec::new()
    };
    let zune = |colors| {
        let options = DecoderOptions::default().jpeg_set_out_colorspace(colors);
        JpegDecoder::new_with_options(ZCursor::new(file), options).decode().expect("a sound photo")
    };
    // To RGB in any case: version 0.3.2 panics when colour conversion is disabled.
    let jpeg_decoder = |scale: Scale| {
        let mut decoder = Decoder::new(file);
        let side = |length| u16::try_from(scale.of(length)).expect("16 bits");
        let scaled = decoder.scale(side(width), side(height)).expect("a sound photo");
        assert_eq!(scaled, (side(width), side(height)));
        decoder.decode().expect("a sound photo")
    };

    let full = planned(width.max(height) - 1);
    assert_eq!(full.target().map(|target| target.scale), Some(Scale::Full));
    compare(
        &format!("{size}, decode to YCbCr"),
        results,
        &[
            contestant("ours, chroma as coded", || ours(&full)),
            contestant("zune-jpeg", || zune(ColorSpace::YCbCr)),
            contestant("jpeg-decoder, to RGB", || jpeg_decoder(Scale::Full)),
        ],
    );
    compare(
        &format!("{photo}, decode to RGB"),
        results,
        &[
            contestant("ours, `pixels` to RGBA", || {
                pixels(file, &Policy::BROWSER).expect("a sound photo").rgba
            }),
            contestant("zune-jpeg to RGBA", || zune(ColorSpace::RGBA)),
            contestant("zune-jpeg", || zune(ColorSpace::RGB)),
            contestant("jpeg-decoder", || jpeg_decoder(Scale::Full)),
        ],
    );
    let plan = planned(LONGER_SIDE);
    let scale = plan.target().ok_or("a photo to make smaller")?.scale;
    compare(
        &format!("{photo}, decode to YCbCr at {}/8 for {LONGER_SIDE} px", scale.side()),
        results,
        &[
            contestant("ours, chroma as coded", || ours(&plan)),
            contestant("jpeg-decoder, to RGB", || jpeg_decoder(scale)),
            contestant("zune-jpeg, full size (it has no scale)", || zune(ColorSpace::YCbCr)),
        ],
    );
    Ok(())
}

fn resize(photo: &str, file: &[u8], results: &mut Vec<Value>) -> Result<(), Box<dyn Error>> {
    let decoded = pixels(file, &Policy::BROWSER)?;
    let from = (decoded.width, decoded.height);
    let side = |length: u32| (length * LONGER_SIDE).div_ceil(from.0.max(from.1));
    let to = (side(from.0), side(from.1));
    let wide = |(width, height): (u32, u32)| (width as usize, height as usize);
    for (name, layout, pixel_type) in
        [("RGB", Layout::Rgb, PixelType::U8x3), ("one plane", Layout::Gray, PixelType::U8)]
    {
        let channels = layout.channels();
        let data =
            decoded.rgba.chunks_exact(4).flat_map(|pixel| &pixel[..channels]).copied().collect();
        let raster = Raster { width: wide(from).0, height: wide(from).1, layout, data };
        compare(
            &format!("{photo}, resize {name} to {}x{} with Lanczos3", to.0, to.1),
            results,
            &[
                contestant("ours", || resize::raster(&raster, wide(to), Method::Smooth).data),
                contestant("pic-scale", || pic_scale(&raster, wide(to))),
                contestant("fast_image_resize", || {
                    let source = ImageRef::new(from.0, from.1, &raster.data, pixel_type)
                        .expect("the size of its data");
                    let mut target = Image::new(to.0, to.1, pixel_type);
                    let lanczos = ResizeOptions::new()
                        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
                    Resizer::new().resize(&source, &mut target, &lanczos).expect("two sizes");
                    target.into_vec()
                }),
            ],
        );
    }
    Ok(())
}

fn pic_scale(from: &Raster, to: (usize, usize)) -> Vec<u8> {
    fn run<const N: usize>(
        plan: &Arc<Resampling<u8, N>>,
        from: &Raster,
        to: (usize, usize),
    ) -> Vec<u8> {
        let mut data = vec![0; to.0 * to.1 * N];
        let source =
            ImageStore::borrow(&from.data, from.width, from.height).expect("the size of its data");
        let mut target =
            ImageStoreMut::borrow(&mut data, to.0, to.1).expect("the size of its data");
        plan.resample(&source, &mut target).expect("two sizes");
        data
    }
    // It works in the thread that calls it unless a policy says otherwise.
    let scaler = Scaler::new(ResamplingFunction::Lanczos3);
    let sizes = (ImageSize::new(from.width, from.height), ImageSize::new(to.0, to.1));
    match from.layout {
        Layout::Rgb => {
            run(&scaler.plan_rgb_resampling(sizes.0, sizes.1).expect("two sizes"), from, to)
        }
        _ => run(&scaler.plan_planar_resampling(sizes.0, sizes.1).expect("two sizes"), from, to),
    }
}

/// Measures contestants in turn, of which the first is ours, and prints a row for each.
fn compare(step: &str, results: &mut Vec<Value>, contestants: &[Contestant<'_>]) {
    let expected = (contestants[0].run)();
    let peaks: Vec<f64> = contestants.iter().map(|it| peak(it, &expected)).collect();
    let mut times = vec![Vec::new(); contestants.len()];
    for round in 0..ROUNDS {
        // The first of a round changes.
        for turn in 0..contestants.len() {
            let at = (round + turn) % contestants.len();
            let start = ProcessTime::now();
            black_box((contestants[at].run)());
            times[at].push(start.elapsed());
        }
    }
    let medians: Vec<f64> =
        times.iter_mut().map(|times| median(times).as_secs_f64() * 1e3).collect();
    for ((it, time), peak) in contestants.iter().zip(&medians).zip(&peaks) {
        println!(
            "| {step} | {} | {time:.1} ms | {:.2} | {peak:.1} MB | {:.2} |",
            it.name,
            medians[0] / time,
            peaks[0] / peak,
        );
    }
    for (at, peer) in contestants.iter().enumerate().skip(1) {
        for (what, unit, values) in [("CPU time", "ms", &medians), ("peak memory", "MB", &peaks)] {
            let (ours, peer_value) = (values[0], values[at]);
            results.push(json!({
                "name": format!("{step}: {what}"), "ours": ours, "peer": peer_value, "peer_name": peer.name,
                "ratio": ours / peer_value, "unit": unit,
            }));
        }
    }
}

/// Megabytes beyond those that were in use before. Fails when the pixels are not those that are expected, up to
/// rounding.
fn peak(it: &Contestant<'_>, expected: &[u8]) -> f64 {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let found = (it.run)();
    let peak = ALLOCATOR.peak_usage() - before;
    if found.len() == expected.len() && !found.is_empty() {
        let off: u64 =
            found.iter().zip(expected).map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
        assert!(off / (found.len() as u64) < 2, "{}: other pixels", it.name);
    }
    peak as f64 / 1e6
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
