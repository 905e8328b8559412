//! The time that carrying out a plan takes, estimated from the report before a pixel is decoded.
//!
//! An estimate is a sum of what is gone over (samples, blocks, coded bytes) times what one of them costs, with
//! saturating arithmetic. Its unit is the time of one core of the reference machine, so that every machine reaches
//! the same verdict. What grows with frames or scans is counted as its slowest ordinary content takes; what is
//! bounded by the size of the result, as ordinary pictures take. `make bench-work` prints estimates beside
//! measurements and fails where they part.

use core::time::Duration;

use crate::{
    Format, ImageError, Limits, Report,
    limits::Effort,
    plan::{Output, Scale, Target},
    report::Color,
};

/// The CPU time of each unit of work, in picoseconds of the reference machine: x86-64, wasm with simd128 in V8. The
/// values are fitted to what `make bench-work` measures.
pub(crate) mod cost {
    use super::{Effort, Scale};

    /// Per picture: tables, windows, the placeholder.
    pub const PICTURE: u64 = 300_000_000;
    /// Per byte of the file, which is inspected and copied.
    pub const FILE_BYTE: u64 = 1_000;

    /// Per block that a sequential scan visits, and per byte of its codes.
    pub const SEQUENTIAL_BLOCK: u64 = 8_000;
    pub const SEQUENTIAL_BYTE: u64 = 6_500;
    /// The same for a progressive scan.
    pub const PROGRESSIVE_BLOCK: u64 = 22_000;
    pub const PROGRESSIVE_BYTE: u64 = 25_000;
    /// Per block that the inverse DCT turns into samples.
    pub const fn rendered_block(scale: Scale) -> u64 {
        match scale {
            Scale::Eighth => 2_000,
            Scale::Quarter => 20_000,
            Scale::Half => 50_000,
            Scale::Full => 300_000,
        }
    }
    /// Per CMYK pixel that is converted to luma and chroma.
    pub const INK_PIXEL: u64 = 35_000;

    /// Per byte of a PNG after inflating, which is unfiltered, and per byte before.
    pub const INFLATED_BYTE: u64 = 350;
    pub const DEFLATED_BYTE: u64 = 10_000;
    /// Per byte of pixels that are kept in memory.
    pub const UNPACKED_BYTE: u64 = 500;

    /// Per pixel of a GIF's frames, and per byte of their codes. The codes are read twice.
    pub const GIF_PIXEL: u64 = 2_200;
    pub const GIF_BYTE: u64 = 14_000;
    /// Per pixel that is painted over the canvas.
    pub const PAINTED_PIXEL: u64 = 2_000;
    /// Per pixel that is encoded as GIF: its colour is looked up and compared.
    pub const GIF_WRITTEN_PIXEL: u64 = 95_000;
    /// Of these, per pixel of the part that changes, which is compressed.
    #[cfg(feature = "codec")]
    pub const GIF_ENCODED_PIXEL: u64 = 35_000;

    /// Per pixel of a lossy WebP, per byte of its codes, and per byte that is searched for hidden data.
    pub const LOSSY_PIXEL: u64 = 22_000;
    pub const LOSSY_BYTE: u64 = 65_000;
    pub const SEARCHED_BYTE: u64 = 45_000;
    /// Per pixel of a lossless WebP, per byte of its codes, and per pixel of an alpha plane.
    pub const LOSSLESS_PIXEL: u64 = 3_500;
    pub const LOSSLESS_BYTE: u64 = 25_000;
    pub const ALPHA_PIXEL: u64 = 5_000;
    /// Per group of Huffman codes of a lossless WebP, and per pixel of the images beside its pixels.
    pub const CODE_GROUP: u64 = 40_000_000;
    pub const SIDE_PIXEL: u64 = 30_000;
    /// Per pixel of the canvas and frame of an animation.
    pub const COMPOSED_PIXEL: u64 = 1_000;

    /// Per sample that enters the vertical pass of a resize, and the horizontal pass.
    pub const SUMMED_SAMPLE: u64 = 1_000;
    pub const NARROWED_SAMPLE: u64 = 1_000;
    /// Per sample that is multiplied by its alpha before a resize.
    pub const MULTIPLIED_SAMPLE: u64 = 1_500;
    /// Per sample that is turned upright.
    pub const TURNED_SAMPLE: u64 = 2_000;
    /// Per RGB pixel that is converted to luma and chroma.
    pub const CONVERTED_PIXEL: u64 = 5_000;

    /// Per sample that is encoded as JPEG.
    pub const fn jpeg_sample(effort: Effort) -> u64 {
        match effort {
            Effort::Fast => 10_000,
            Effort::Balanced => 35_000,
            Effort::Small => 50_000,
        }
    }

    /// Per pixel that is encoded without loss, after its colour was counted. A picture has flat areas or many colours.
    pub const fn drawn_pixel(effort: Effort, has_many_colors: bool) -> u64 {
        match (effort, has_many_colors) {
            (Effort::Fast, _) => 55_000,
            (Effort::Balanced, false) => 85_000,
            (Effort::Balanced, true) => 240_000,
            (Effort::Small, false) => 200_000,
            (Effort::Small, true) => 800_000,
        }
    }
    /// Of these, per pixel that is encoded as lossless WebP, by a single call.
    pub const LOSSLESS_WRITTEN_PIXEL: u64 = 20_000;
    /// Per pixel that is encoded as lossy WebP, and per pixel whose levels are then written, by a single call.
    pub const VP8_WRITTEN_PIXEL: u64 = 330_000;
    pub const VP8_TOKEN_PIXEL: u64 = 20_000;
    /// Of these, per pixel whose colour is counted, per pixel whose colour is not that of the one before, and per pixel
    /// of few colours that is encoded.
    #[cfg(feature = "codec")]
    pub const COUNTED_PIXEL: u64 = 10_000;
    #[cfg(feature = "codec")]
    pub const COUNTED_CHANGE: u64 = 20_000;
    #[cfg(feature = "codec")]
    pub const WRITTEN_INDEX: u64 = 100_000;
    /// Per colour of the histogram, for all rounds that make a palette of it. A histogram has at most `MAX_BINS`.
    pub const BIN: u64 = 600_000;
    pub const MAX_BINS: u64 = 49_152;
    /// Per gray pixel, which is also looked up among at most 256.
    pub const GRAY_PIXEL: u64 = 50_000;
    /// Per pixel of a picture with many colours that is reduced to 256 and encoded once more. With alpha the search for
    /// the nearest colour takes longer.
    pub const REDUCED_PIXEL: u64 = 310_000;
    pub const REDUCED_ALPHA_PIXEL: u64 = 650_000;
}

/// The CPU time of a plan with this target. Without a target the picture is kept or scrubbed.
#[must_use]
pub fn estimate(report: &Report, target: Option<&Target>) -> Duration {
    let walked = times(report.size_bytes, cost::FILE_BYTE);
    let carried_out = match target {
        None => verify(report),
        // A picture that does not become smaller in bytes is kept, and for that it is decoded once more.
        Some(target) if !target.is_oversize && !target.first_frame() => {
            optimise(report, target).saturating_add(verify(report))
        }
        Some(target) => optimise(report, target),
    };
    Duration::from_nanos(sum(&[cost::PICTURE, walked, carried_out]) / 1000)
}

/// The CPU time of the longest call that no pause divides and that depends on what is sent: one that decodes a WebP, or
/// a frame of it.
#[must_use]
pub fn longest_call(report: &Report) -> Duration {
    if report.format != Format::WebP {
        return Duration::ZERO;
    }
    let bytes = match report.coded.largest_frame_bytes {
        0 => coded_bytes(report),
        frame_bytes => frame_bytes,
    };
    let (pixel, byte) = if report.lossless {
        (cost::LOSSLESS_PIXEL, cost::LOSSLESS_BYTE)
    } else {
        (cost::LOSSY_PIXEL, cost::LOSSY_BYTE)
    };
    // The alpha plane and the canvas of a frame belong to its call.
    let frame = if report.frames > 1 { cost::ALPHA_PIXEL + cost::COMPOSED_PIXEL } else { 0 };
    let pixels = times(canvas(report), pixel.saturating_add(frame));
    let side = if report.frames > 1 { 0 } else { side_data(report) };
    Duration::from_nanos(sum(&[pixels, times(bytes, byte), side]) / 1000)
}

/// A single call may take an eighth of the limit of all work: a quarter of a second at the edge.
const CALLS: u64 = 8;

/// Whether carrying out a plan may take so long, and its longest single call.
pub(crate) fn check(report: &Report, work: Duration, limits: &Limits) -> Result<(), ImageError> {
    let (all, call) = (limits.max_work_ms, limits.max_work_ms / CALLS);
    for (work, limit_ms) in [(work, all), (longest_call(report), call)] {
        let work_ms = whole_ms(work);
        if work_ms > limit_ms {
            let is_animated = report.frames > 1;
            return Err(ImageError::TooMuchWork { work_ms, limit_ms, is_animated });
        }
    }
    Ok(())
}

/// The CPU time of encoding RGBA pixels that a browser has decoded.
#[must_use]
#[cfg(feature = "codec")]
pub fn of_pixels(size: (u32, u32), target: &Target) -> Duration {
    let out = area(target.width, target.height);
    // At full size; and if that has more bytes than the source, with the highest effort at full size, at three
    // quarters and at half of it.
    let content = Content { channels: 4, has_many_colors: true, is_reduced: true };
    let whole = encode_drawing(target, content).saturating_add(encode_photo(target, out));
    let small = Target { effort: Effort::Small, ..*target };
    let smaller = encode_drawing(&small, content).saturating_add(encode_photo(&small, out));
    let smaller = smaller.saturating_mul(16 + 9 + 4) / 16;
    let resized = resize(size, target, 4);
    Duration::from_nanos(sum(&[cost::PICTURE, resized, whole, smaller]) / 1000)
}

/// Milliseconds, rounded up.
#[must_use]
pub fn whole_ms(work: Duration) -> u64 {
    u64::try_from(work.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

const fn times(count: u64, cost: u64) -> u64 {
    count.saturating_mul(cost)
}

fn sum(parts: &[u64]) -> u64 {
    parts.iter().fold(0, |sum, part| sum.saturating_add(*part))
}

const fn area(width: u32, height: u32) -> u64 {
    (width as u64).saturating_mul(height as u64)
}

const fn canvas(report: &Report) -> u64 {
    area(report.width, report.height)
}

/// Bytes of the file that encode pixels.
const fn coded_bytes(report: &Report) -> u64 {
    report.size_bytes.saturating_sub(report.metadata.size_bytes())
}

fn verify(report: &Report) -> u64 {
    match report.format {
        Format::Jpeg => decode_jpeg(report, Scale::Eighth),
        Format::Png => inflate(report),
        Format::Gif => decode_gif(report.coded.pixels, coded_bytes(report)),
        Format::WebP => {
            let lossy = if report.lossless { 0 } else { coded_bytes(report) };
            decode_webp(report).saturating_add(times(lossy, cost::SEARCHED_BYTE))
        }
    }
}

fn optimise(report: &Report, target: &Target) -> u64 {
    let size = (report.width, report.height);
    let out = area(target.width, target.height);
    let (decoded, channels) = match report.format {
        Format::Jpeg => return optimise_jpeg(report, target),
        Format::Gif => return optimise_gif(report, target),
        Format::Png => {
            let channels = png_channels(report);
            let unpacked = times(canvas(report).saturating_mul(channels), cost::UNPACKED_BYTE);
            (inflate(report).saturating_add(unpacked), channels)
        }
        Format::WebP => (decode_webp(report), if report.has_alpha { 4 } else { 3 }),
    };
    let encoded = if report.format == Format::WebP && !report.lossless && !report.has_alpha {
        encode_photo(target, out)
    } else {
        encode_drawing(target, Content::of(report, target, channels))
    };
    let turned = turn(report, out.saturating_mul(channels));
    sum(&[decoded, resize(size, target, channels), turned, encoded])
}

fn decode_jpeg(report: &Report, scale: Scale) -> u64 {
    let (block, byte) = if report.progressive {
        (cost::PROGRESSIVE_BLOCK, cost::PROGRESSIVE_BYTE)
    } else {
        (cost::SEQUENTIAL_BLOCK, cost::SEQUENTIAL_BYTE)
    };
    let inks = match report.color {
        Color::Cmyk => area(scale.of(report.width), scale.of(report.height)),
        _ => 0,
    };
    sum(&[
        times(report.coded.scan_blocks, block),
        times(coded_bytes(report), byte),
        times(report.jpeg_blocks, cost::rendered_block(scale)),
        times(inks, cost::INK_PIXEL),
    ])
}

fn optimise_jpeg(report: &Report, target: &Target) -> u64 {
    let decoded = (target.scale.of(report.width), target.scale.of(report.height));
    let out = area(target.width, target.height);
    let resized = with_chroma(resize(decoded, target, 1));
    let encoded = if target.output() == Output::WebP {
        encode_lossy(out)
    } else {
        times(with_chroma(out), cost::jpeg_sample(target.effort))
    };
    sum(&[decode_jpeg(report, target.scale), resized, turn(report, with_chroma(out)), encoded])
}

/// Luma, and chroma of half its width and height.
const fn with_chroma(luma: u64) -> u64 {
    luma.saturating_add(luma / 2)
}

fn resize(from: (u32, u32), target: &Target, channels: u64) -> u64 {
    if from == (target.width, target.height) {
        return 0;
    }
    let source = area(from.0, from.1).saturating_mul(channels);
    let between = area(from.0, target.height).saturating_mul(channels);
    let multiplied = if channels.is_multiple_of(2) { source } else { 0 };
    sum(&[
        times(source, cost::SUMMED_SAMPLE),
        times(between, cost::NARROWED_SAMPLE),
        times(multiplied, cost::MULTIPLIED_SAMPLE),
    ])
}

fn turn(report: &Report, samples: u64) -> u64 {
    if report.orientation.exif() == 1 { 0 } else { times(samples, cost::TURNED_SAMPLE) }
}

fn inflate(report: &Report) -> u64 {
    sum(&[
        times(report.coded.inflated_bytes, cost::INFLATED_BYTE),
        times(coded_bytes(report), cost::DEFLATED_BYTE),
    ])
}

/// Channels of a PNG after palettes are looked up and 16 bits are reduced to 8.
const fn png_channels(report: &Report) -> u64 {
    let color = if matches!(report.color, Color::Gray) { 1 } else { 3 };
    color + report.has_alpha as u64
}

/// Converts RGB to luma and chroma and encodes a JPEG.
fn encode_photo(target: &Target, pixels: u64) -> u64 {
    let encoded = times(with_chroma(pixels), cost::jpeg_sample(target.effort));
    times(pixels, cost::CONVERTED_PIXEL).saturating_add(encoded)
}

/// What is expected of the pixels of a picture that is encoded without loss.
#[derive(Clone, Copy)]
struct Content {
    channels: u64,
    has_many_colors: bool,
    /// Whether it is painted in few colours, because in all of them it has more bytes than its source.
    is_reduced: bool,
}

impl Content {
    fn of(report: &Report, target: &Target, channels: u64) -> Self {
        let source = coded_bytes(report);
        // Screens and drawings with flat areas have fewer bytes a pixel.
        let has_many_colors = !report.lossless || source.saturating_mul(10) > canvas(report);
        // Photos in all their colours have somewhat more than half of their bytes after filtering.
        let encoded = area(target.width, target.height).saturating_mul(channels) / 2;
        let is_reduced = target.may_reduce_colors && has_many_colors && encoded > source;
        Self { channels, has_many_colors, is_reduced }
    }
}

fn encode_drawing(target: &Target, content: Content) -> u64 {
    let Content { channels, has_many_colors, is_reduced } = content;
    let out = area(target.width, target.height);
    let bins = if target.may_reduce_colors { out.min(cost::MAX_BINS) } else { 0 };
    let has_alpha = channels.is_multiple_of(2);
    let gray = if channels < 3 { times(out, cost::GRAY_PIXEL) } else { 0 };
    let reduced = match (is_reduced, has_alpha) {
        (false, _) => 0,
        (true, false) => times(out, cost::REDUCED_PIXEL),
        (true, true) => times(out, cost::REDUCED_ALPHA_PIXEL),
    };
    let is_photo = (target.output().is_preview() || target.output() == Output::Jpeg) && !has_alpha;
    sum(&[
        times(out, cost::drawn_pixel(target.effort, has_many_colors)),
        times(bins, cost::BIN),
        gray,
        reduced,
        if is_photo { encode_photo(target, out) } else { 0 },
        if target.may_be_lossy_with_alpha() && has_alpha {
            encode_lossy(out).saturating_add(times(out, cost::LOSSLESS_WRITTEN_PIXEL))
        } else {
            0
        },
    ])
}

/// Of lossy WebP.
fn encode_lossy(pixels: u64) -> u64 {
    times(pixels, cost::CONVERTED_PIXEL + cost::VP8_WRITTEN_PIXEL + cost::VP8_TOKEN_PIXEL)
}

fn decode_gif(pixels: u64, bytes: u64) -> u64 {
    times(pixels, cost::GIF_PIXEL).saturating_add(times(bytes, cost::GIF_BYTE))
}

fn optimise_gif(report: &Report, target: &Target) -> u64 {
    let out = area(target.width, target.height);
    let resized = resize((report.width, report.height), target, 4);
    let is_webp = target.output() == Output::WebP && !target.first_frame();
    let written = if is_webp {
        times(out, cost::LOSSLESS_WRITTEN_PIXEL * 2).saturating_add(encode_lossy(out))
    } else {
        times(out, cost::GIF_WRITTEN_PIXEL)
    };
    let frame = resized.saturating_add(written);
    let (pixels, frames) = if target.first_frame() {
        (report.coded.pixels.min(canvas(report)), 1)
    } else {
        (report.coded.pixels, u64::from(report.frames))
    };
    sum(&[
        decode_gif(pixels, coded_bytes(report)),
        times(pixels, cost::PAINTED_PIXEL),
        frame.saturating_mul(frames),
    ])
}

fn decode_webp(report: &Report) -> u64 {
    let coded = &report.coded;
    let lossless = coded.pixels.saturating_sub(coded.lossy_pixels);
    let byte = if report.lossless { cost::LOSSLESS_BYTE } else { cost::LOSSY_BYTE };
    let composed = if report.frames > 1 { u64::from(report.frames) } else { 0 };
    sum(&[
        times(coded.lossy_pixels, cost::LOSSY_PIXEL),
        times(lossless, cost::LOSSLESS_PIXEL),
        times(coded.alpha_pixels, cost::ALPHA_PIXEL),
        times(coded_bytes(report), byte),
        times(canvas(report).saturating_mul(composed), cost::COMPOSED_PIXEL),
        side_data(report),
    ])
}

/// What is read before the pixels of lossless WebP.
fn side_data(report: &Report) -> u64 {
    let groups = times(report.coded.code_groups, cost::CODE_GROUP);
    groups.saturating_add(times(report.coded.side_pixels, cost::SIDE_PIXEL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Plan, Policy,
        plan::{Action, Bounds, tests::report},
        report::Coded,
    };

    fn plan(report: &Report, limits: Limits) -> Result<Plan, ImageError> {
        Plan::new(report, &Policy { limits, ..Policy::EDGE })
    }

    /// What the second report costs more than the first, in picoseconds.
    fn more(than: &Report, report: &Report) -> u64 {
        verify(report) - verify(than)
    }

    #[test]
    fn what_decoding_goes_over_is_counted() {
        const MANY: u64 = 1_000_000;
        let with = |report: &Report, coded: Coded| Report { coded, ..report.clone() };
        let jpeg = report(Format::Jpeg, 2000, 1000);
        let visited = with(&jpeg, Coded { scan_blocks: MANY, ..jpeg.coded });
        assert_eq!(more(&jpeg, &visited), MANY * cost::SEQUENTIAL_BLOCK);
        let progressive = |report: &Report| Report { progressive: true, ..report.clone() };
        let (jpeg, visited) = (progressive(&jpeg), progressive(&visited));
        assert_eq!(more(&jpeg, &visited), MANY * cost::PROGRESSIVE_BLOCK);
        let png = report(Format::Png, 2000, 1000);
        let inflated = with(&png, Coded { inflated_bytes: MANY, ..png.coded });
        assert_eq!(more(&png, &inflated), MANY * cost::INFLATED_BYTE);
        let gif = report(Format::Gif, 2000, 1000);
        let frames = with(&gif, Coded { pixels: gif.coded.pixels + MANY, ..gif.coded });
        assert_eq!(more(&gif, &frames), MANY * cost::GIF_PIXEL);
        let webp = report(Format::WebP, 2000, 1000);
        let lossy = with(&webp, Coded { lossy_pixels: MANY, ..webp.coded });
        assert_eq!(more(&webp, &lossy), MANY * (cost::LOSSY_PIXEL - cost::LOSSLESS_PIXEL));
        let alpha = with(&webp, Coded { alpha_pixels: MANY, ..webp.coded });
        assert_eq!(more(&webp, &alpha), MANY * cost::ALPHA_PIXEL);
        let moving = Report { frames: 3, ..webp.clone() };
        assert_eq!(more(&webp, &moving), 3 * 2_000_000 * cost::COMPOSED_PIXEL);
    }

    #[test]
    fn bytes_that_are_no_pixels_are_only_walked() {
        let png = Report { size_bytes: 10_000_000, ..report(Format::Png, 100, 100) };
        let mut private = png.clone();
        private.metadata.trailing = 9_000_000;
        assert_eq!(more(&private, &png), 9_000_000 * cost::DEFLATED_BYTE);
    }

    #[test]
    fn more_work_than_is_allowed_is_refused() {
        let gif = Report { frames: 40, ..report(Format::Gif, 2052, 1218) };
        let limits = Limits { max_peak_bytes: u64::MAX, ..Limits::EDGE };
        let refused = plan(&gif, limits);
        let Err(ImageError::TooMuchWork { work_ms, limit_ms: 2_000, is_animated: true }) = refused
        else {
            panic!("{refused:?}");
        };
        let exact = Limits { max_work_ms: work_ms, ..limits };
        let admitted = plan(&gif, exact).expect("as much as it takes");
        assert_eq!((admitted.action(), whole_ms(admitted.work())), (Action::Optimise, work_ms));
        assert!(plan(&gif, Limits { max_work_ms: work_ms - 1, ..limits }).is_err());
        let kept = Report { width: 2048, ..gif };
        assert!(plan(&kept, limits).is_ok(), "to decode it takes less");
    }

    #[test]
    fn a_single_call_may_take_an_eighth_of_all_work() {
        let limits = Limits { max_peak_bytes: u64::MAX, ..Limits::EDGE };
        let lossy = |pixels, bytes, frames| {
            let webp = report(Format::WebP, 2000, pixels);
            let largest_frame_bytes = if frames > 1 { bytes } else { 0 };
            let size_bytes = bytes * u64::from(frames);
            let coded = Coded { largest_frame_bytes, ..webp.coded };
            Report { lossless: false, frames, size_bytes, coded, ..webp }
        };
        // 22 ns a pixel and 65 a byte.
        assert_eq!(whole_ms(longest_call(&lossy(1000, 1_000_000, 1))), 44 + 65);
        assert_eq!(whole_ms(longest_call(&lossy(1000, 1_000_000, 3))), 56 + 65);
        assert_eq!(longest_call(&report(Format::Png, 2000, 1000)), Duration::ZERO);
        assert!(plan(&lossy(4000, 1_100_000, 1), limits).is_ok());
        let Err(refused) = plan(&lossy(4000, 1_150_000, 1), limits) else { panic!("250 ms") };
        let expected = ImageError::TooMuchWork { work_ms: 251, limit_ms: 250, is_animated: false };
        assert_eq!(refused, expected);
        assert!(plan(&lossy(1000, 1_400_000, 10), limits).is_ok(), "many short calls");
    }

    #[test]
    fn a_jpeg_that_takes_too_long_is_decoded_smaller() {
        let photo = report(Format::Jpeg, 3838, 3000);
        let scale = |max_work_ms| {
            let plan = plan(&photo, Limits { max_work_ms, ..Limits::EDGE })?;
            Ok::<_, ImageError>(plan.target().map(|target| target.scale))
        };
        assert_eq!(scale(2_000), Ok(Some(Scale::Full)));
        assert_eq!(scale(150), Ok(Some(Scale::Half)));
        assert!(matches!(scale(20), Err(ImageError::TooMuchWork { is_animated: false, .. })));
    }

    #[test]
    fn what_only_saves_bytes_is_left_out_where_it_takes_too_long() {
        let drawing =
            Report { has_alpha: true, size_bytes: 2_000_000, ..report(Format::Png, 3000, 3000) };
        let reduces = |max_work_ms| {
            let limits = Limits { max_work_ms, max_peak_bytes: u64::MAX, ..Limits::EDGE };
            let plan = plan(&drawing, limits)?;
            Ok::<_, ImageError>(plan.target().map(|target| target.may_reduce_colors))
        };
        assert_eq!(reduces(10_000), Ok(Some(true)));
        assert_eq!(reduces(2_000), Ok(Some(false)));
        assert!(matches!(reduces(100), Err(ImageError::TooMuchWork { .. })));
    }

    #[test]
    fn the_first_frame_takes_less_than_all() {
        let frames = 60;
        let coded = Coded { pixels: 2048 * 1218 * u64::from(frames), ..Coded::default() };
        let gif = Report { frames, coded, ..report(Format::Gif, 2048, 1218) };
        let small = Policy { max_edge: 480, ..Policy::EDGE };
        let still =
            Plan::still(&gif, &small, Bounds::Edge(small.max_edge)).expect("little work").work();
        let all = Plan::new(&gif, &Policy { limits: Limits::NONE, ..small }).expect("unlimited");
        assert!(still * 20 < all.work(), "{still:?} {:?}", all.work());
    }

    #[test]
    fn no_sum_overflows() {
        let most = u64::MAX;
        let coded = Coded {
            pixels: most,
            lossy_pixels: most,
            alpha_pixels: most,
            largest_frame_bytes: most,
            code_groups: most,
            side_pixels: most,
            largest_side_bytes: most,
            inflated_bytes: most,
            scan_blocks: most,
        };
        for format in Format::ALL {
            let report = Report {
                size_bytes: most,
                frames: u32::MAX,
                coded,
                jpeg_blocks: most,
                ..report(format, u32::MAX, u32::MAX)
            };
            let aim = Bounds::Edge(Policy::EDGE.max_edge).aim(&report, Output::Source);
            let target = crate::plan::target(&report, &Policy::EDGE, Scale::Full, aim);
            for target in [None, Some(target)] {
                let work = estimate(&report, target.as_ref());
                assert_eq!(work, Duration::from_nanos(most / 1000), "{format:?}");
            }
        }
    }
}
