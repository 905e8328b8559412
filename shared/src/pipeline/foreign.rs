//! Pictures of types that some browsers decode and this crate does not, such as AVIF: the browser decodes, this
//! module shrinks and encodes. Only pixels are taken from the file, so no private data is left.

use alloc::vec::Vec;

use crate::{
    ImageError, Policy, Processed,
    format::{FileType, ForeignType, sniff},
    pace::{Pace, run},
    pipeline::{self, optimise, prepare},
    plan::{Target, budget, work},
    raster::{Layout, Raster},
    report::Orientation,
};

/// A type that some browsers decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodableType {
    /// Its name.
    pub foreign: ForeignType,
    /// Its registered name.
    pub media_type: &'static str,
    /// Whether its pictures are drawings as often as photos.
    is_drawn: bool,
}

/// The name, whether it is coded without loss, its media types; the registered one stands first.
const DECODABLE: [(&str, bool, &[&str]); 5] = [
    ("AVIF", false, &["image/avif"]),
    ("BMP", true, &["image/bmp", "image/x-ms-bmp"]),
    ("HEIC", false, &["image/heic", "image/heif", "image/heic-sequence", "image/heif-sequence"]),
    ("JPEG XL", false, &["image/jxl"]),
    ("TIFF", true, &["image/tiff"]),
];

/// The type of these bytes, when a browser may decode them. A declared type must agree; none is declared where the
/// system of a browser does not know HEIC.
#[must_use]
pub fn decodable_type(bytes: &[u8], declared_type: &str) -> Option<DecodableType> {
    let FileType::Foreign(foreign) = sniff(bytes) else { return None };
    let (_, is_drawn, types) = DECODABLE.into_iter().find(|(name, ..)| *name == foreign.name)?;
    let declared = declared_type.split(';').next().unwrap_or_default().trim();
    let agrees =
        declared.is_empty() || types.iter().any(|name| name.eq_ignore_ascii_case(declared));
    let media_type = types.first().filter(|_| agrees)?;
    Some(DecodableType { foreign, media_type, is_drawn })
}

/// Collects the pixels that a browser decodes, row by row.
#[derive(Debug)]
pub struct PixelBuffer {
    shown: DecodableType,
    raster: Raster,
    orientation: Orientation,
    target: Target,
    policy: Policy,
    size_bytes: u64,
}

impl PixelBuffer {
    /// Reserves memory for the pixels of a file of `size_bytes`.
    ///
    /// # Errors
    /// [`ImageError::TooManyPixels`], [`ImageError::TooMuchWork`] and [`ImageError::TooMuchMemory`] by
    /// [`Policy::before_sending`]; [`ImageError::TooSmall`] and [`ImageError::WrongRatio`].
    pub fn new(
        shown: DecodableType,
        (width, height): (u32, u32),
        orientation: Orientation,
        size_bytes: u64,
        policy: &Policy,
    ) -> Result<Self, ImageError> {
        let before = policy.before_sending();
        before.limits.canvas(width, height)?;
        let target = Target::of_pixels((width, height), &before);
        let (aimed, is_turned) = ((target.width, target.height), orientation.swaps_axes());
        before.check_dimensions(if is_turned { (aimed.1, aimed.0) } else { aimed })?;
        let work_ms = work::whole_ms(work::of_pixels((width, height), &target));
        let limit_ms = before.limits.max_work_ms;
        if work_ms > limit_ms {
            return Err(ImageError::TooMuchWork { work_ms, limit_ms, is_animated: false });
        }
        let peak_bytes = budget::canvas_bytes((width, height), &target);
        let limit_bytes = before.limits.max_peak_bytes;
        if peak_bytes > limit_bytes {
            return Err(ImageError::TooMuchMemory { peak_bytes, limit_bytes });
        }
        prepare::try_reserve(peak_bytes, &before)?;
        let (width, height) = (width as usize, height as usize);
        let raster = Raster {
            width,
            height,
            layout: Layout::Rgba,
            data: Vec::with_capacity(width.saturating_mul(height).saturating_mul(4)),
        };
        Ok(Self { shown, raster, orientation, target, policy: *policy, size_bytes })
    }

    /// Adds rows from the top: four bytes a pixel, colours not premultiplied. Rows beyond the height are ignored.
    pub fn push(&mut self, rows: &[u8]) {
        let room = self.raster.data.capacity() - self.raster.data.len();
        self.raster.data.extend_from_slice(rows.get(..room).unwrap_or(rows));
    }

    /// Shrinks and encodes what was pushed.
    ///
    /// # Errors
    /// [`ImageError::NotDecodable`] when rows are missing, and whatever the edge would say of the result.
    pub fn prepare(mut self) -> Result<Processed<'static>, ImageError> {
        let bytes = self.raster.width * self.raster.height * Layout::Rgba.channels();
        if self.raster.data.len() != bytes {
            return Err(ImageError::NotDecodable(self.shown.foreign));
        }
        self.raster.data.shrink_to_fit();
        let is_drawn = self.shown.is_drawn;
        let source = usize::try_from(self.size_bytes).unwrap_or(usize::MAX);
        let (target, pace) = (&self.target, &Pace::default());
        let optimised =
            run!(optimise::pixels(self.raster, self.orientation, is_drawn, source, target, pace,));
        let most = self.policy.limits.max_bytes;
        let too_large = ImageError::TooManyBytes { size_bytes: self.size_bytes, limit_bytes: most };
        let processed = pipeline::encoded(optimised).ok_or(too_large)?;
        prepare::check_edge_limits(&processed, self.size_bytes, &self.policy)?;
        Ok(processed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Format, Limits};

    const AVIF: &[u8] = b"\0\0\0\x1Cftypavif\0\0\0\0mif1avif";
    const BMP: &[u8] = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0";

    /// More than what is made of them.
    const SIZE_BYTES: u64 = 100_000;

    fn canvas(bytes: &[u8], size: (u32, u32), policy: &Policy) -> PixelBuffer {
        let shown = decodable_type(bytes, "").expect("a type that browsers show");
        PixelBuffer::new(shown, size, Orientation::UPRIGHT, SIZE_BYTES, policy)
            .expect("within the limits")
    }

    #[test]
    fn what_a_browser_may_decode_says_what_it_is() {
        for (bytes, declared, expected) in [
            (AVIF, "image/avif", Some("image/avif")),
            (AVIF, "", Some("image/avif")),
            (BMP, " image/X-MS-BMP; x", Some("image/bmp")),
            (AVIF, "image/heic", None),
            (AVIF, "image/jpeg", None),
            (AVIF, "application/octet-stream", None),
            (b"%PDF-1.7", "", None),
            (b"GIF89a", "", None),
            (b"", "", None),
        ] {
            let media_type = decodable_type(bytes, declared).map(|shown| shown.media_type);
            assert_eq!(media_type, expected, "{declared}");
        }
    }

    #[test]
    fn pixels_become_a_picture_that_the_edge_keeps() {
        let policy = Policy { max_edge: 64, ..Policy::EDGE };
        for (bytes, alpha, is_photo) in [(AVIF, 255, true), (AVIF, 9, false), (BMP, 255, false)] {
            let mut canvas = canvas(bytes, (100, 50), &policy);
            for y in 0..50 {
                let row: Vec<u8> = (0..100).flat_map(|_| [y, 2 * y, 200, alpha]).collect();
                canvas.push(&row);
            }
            canvas.push(&[1; 400]);
            let made = canvas.prepare().expect("a picture");
            assert_eq!((made.width(), made.height(), made.action()), (64, 32, Action::Optimise));
            let report = crate::inspect(made.bytes(), &policy).expect("sound");
            let plan = crate::Plan::new(&report, &policy).expect("check_edge_limits");
            assert_eq!(plan.action(), Action::Keep);
            // A few colours take fewer bytes without loss, and transparency takes them in any case.
            assert_eq!((report.format == Format::Jpeg, report.has_alpha), (is_photo, alpha == 9));
        }
    }

    /// Bytes, width and height of what is made of a grainy AVIF of this size and so many bytes.
    fn made(size: (u32, u32), size_bytes: u64, alpha: u8) -> (u64, u32, u32) {
        let policy = Policy::EDGE;
        let avif = decodable_type(AVIF, "").expect("a type that browsers show");
        let mut buffer = PixelBuffer::new(avif, size, Orientation::UPRIGHT, size_bytes, &policy)
            .expect("within the limits");
        let mut state = 1u32;
        for at in 0..size.0 * size.1 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [noise, ..] = state.to_be_bytes();
            let light = |value: u32| u8::try_from(value % 256).unwrap_or_default();
            let pixel = [light(at / 900), light(at % 320 / 2) / 2 + noise / 8, noise / 4];
            buffer.push(&[&pixel[..], &[alpha]].concat());
        }
        let made = buffer.prepare().expect("a picture");
        (made.bytes().len() as u64, made.width(), made.height())
    }

    #[test]
    fn a_picture_that_would_grow_gets_fewer_bytes_than_its_source() {
        for (alpha, size) in [(255, (1024, 768)), (9, (480, 360))] {
            let whole = made(size, u64::MAX, alpha);
            assert_eq!((whole.1, whole.2), size);
            for percent in [95, 70, 40] {
                let source = whole.0 * percent / 100;
                assert!(source > 64 * 1024, "{whole:?}");
                let fewer = made(size, source, alpha);
                assert!(fewer.0 <= source, "{fewer:?} of {source}");
                assert!([4, 3, 2].contains(&(fewer.1 * 4 / size.0)), "{fewer:?}");
                assert_eq!(fewer.1 * 3, fewer.2 * 4);
            }
            assert_eq!(made(size, 1, alpha), whole, "out of reach");
        }
    }

    #[test]
    fn a_small_source_is_not_resized_below_the_size_that_was_asked_for() {
        for alpha in [255, 9] {
            let whole = made((300, 200), u64::MAX, alpha);
            for percent in [95, 70, 40, 10] {
                let fewer = made((300, 200), whole.0 * percent / 100, alpha);
                assert_eq!((fewer.1, fewer.2), (300, 200), "{percent} % of {whole:?}");
            }
        }
    }

    #[test]
    fn what_is_missing_or_too_much_is_refused() {
        let mut part = canvas(AVIF, (10, 10), &Policy::EDGE);
        part.push(&[0; 399]);
        assert_eq!(
            part.prepare().err(),
            Some(ImageError::NotDecodable(ForeignType { name: "AVIF" }))
        );

        let shown = decodable_type(AVIF, "").expect("a type that browsers show");
        let bomb =
            PixelBuffer::new(shown, (65_535, 65_535), Orientation::UPRIGHT, 1, &Policy::EDGE);
        assert!(matches!(bomb, Err(ImageError::TooManyPixels { .. })));
        let heavy =
            PixelBuffer::new(shown, (19_000, 10_000), Orientation::UPRIGHT, 1, &Policy::EDGE);
        assert!(matches!(heavy, Err(ImageError::TooMuchMemory { .. })));

        let limits = Limits { max_bytes: 100, ..Limits::EDGE };
        let mut noise = canvas(AVIF, (64, 64), &Policy { limits, ..Policy::EDGE });
        let mut state = 1u32;
        for _ in 0..64 * 64 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.push(&[state.to_be_bytes()[0], state.to_be_bytes()[1], 0, 255]);
        }
        let refusal = ImageError::TooManyBytes { size_bytes: SIZE_BYTES, limit_bytes: 100 };
        assert_eq!(noise.prepare().err(), Some(refusal));
    }
}
