//! Carries out a plan. Whatever leaves here has been decoded to its last scan line once.

use alloc::{borrow::Cow, vec::Vec};

use crate::{
    Format, ImageError, Limits, Report,
    decode::jpeg,
    encode,
    error::Corrupt,
    orient, placeholder,
    plan::{Action, Plan, Scale, Target},
    probe::Metadata,
    raster::Planes,
    resize, scrub,
};

/// A picture that may be stored. Only [`process`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processed<'a> {
    bytes: Cow<'a, [u8]>,
    format: Format,
    width: u32,
    height: u32,
    action: Action,
    removed: Metadata,
    placeholder: Vec<u8>,
}

impl<'a> Processed<'a> {
    /// What to store.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What to store; a kept picture is the one that came, not a copy.
    #[must_use]
    pub fn into_bytes(self) -> Cow<'a, [u8]> {
        self.bytes
    }

    /// Its format, which may be another than that which came.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Width as seen.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Height as seen.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// What was done.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// Bytes of each kind of data that was taken out.
    #[must_use]
    pub const fn removed(&self) -> &Metadata {
        &self.removed
    }

    /// A thumbhash, some 25 bytes.
    #[must_use]
    pub fn placeholder(&self) -> &[u8] {
        &self.placeholder
    }
}

/// Carries out the plan for these bytes, which must be those that it was made for.
///
/// # Errors
/// [`ImageError::TooMuchMemory`] above the limits, and [`ImageError::Corrupt`] when the pixels do
/// not decode to their end.
pub fn process<'a>(
    bytes: impl Into<Cow<'a, [u8]>>,
    plan: &Plan,
    limits: &Limits,
) -> Result<Processed<'a>, ImageError> {
    let bytes = bytes.into();
    let report = plan.report();
    let (peak_bytes, limit_bytes) = (plan.peak_bytes(), limits.max_peak_bytes);
    if peak_bytes > limit_bytes {
        return Err(ImageError::TooMuchMemory { peak_bytes, limit_bytes });
    }
    if bytes.len() as u64 != report.size_bytes {
        return Err(Corrupt::BadLength.into());
    }
    match plan.target() {
        None => {
            let placeholder = verify(&bytes, report)?;
            preserve(bytes, report, placeholder)
        }
        Some(target) => {
            let made = optimise(&bytes, report, target)?;
            finish(bytes, report, target, made)
        }
    }
}

/// What optimising made.
struct Made {
    /// Nothing when the encoder did worse than the source.
    encoded: Option<(Format, Vec<u8>)>,
    width: u32,
    height: u32,
    placeholder: Vec<u8>,
}

/// Decodes every pixel once; answers the placeholder.
fn verify(bytes: &[u8], report: &Report) -> Result<Vec<u8>, ImageError> {
    match report.format {
        Format::Jpeg => {
            let (planes, _) = decode_jpeg(bytes, report, Scale::Eighth)?;
            Ok(placeholder::of_planes(&orient::planes(planes, report.orientation)))
        }
        Format::Png | Format::Gif | Format::WebP => Err(Corrupt::Unsupported.into()),
    }
}

/// Keeps or scrubs a picture that has been decoded.
fn preserve<'a>(
    bytes: Cow<'a, [u8]>,
    report: &Report,
    placeholder: Vec<u8>,
) -> Result<Processed<'a>, ImageError> {
    let (width, height) = report.upright_size();
    let (format, removed) = (report.format, removed(report));
    if report.is_clean() {
        let action = Action::Keep;
        return Ok(Processed { bytes, format, width, height, action, removed, placeholder });
    }
    let bytes = Cow::Owned(scrub(&bytes, report)?);
    Ok(Processed { bytes, format, width, height, action: Action::Scrub, removed, placeholder })
}

/// Optimised bytes when they are fewer; the picture as it came otherwise.
fn finish<'a>(
    bytes: Cow<'a, [u8]>,
    report: &Report,
    target: &Target,
    made: Made,
) -> Result<Processed<'a>, ImageError> {
    let Made { encoded, width, height, placeholder } = made;
    let Some((format, encoded)) = encoded else {
        return preserve(bytes, report, placeholder);
    };
    let _ = target;
    Ok(Processed {
        bytes: Cow::Owned(encoded),
        format,
        width,
        height,
        action: Action::Optimise,
        removed: removed(report),
        placeholder,
    })
}

/// Everything but the colour profile, which stays.
fn removed(report: &Report) -> Metadata {
    Metadata { icc: 0, ..report.metadata }
}

fn decode_jpeg(
    bytes: &[u8],
    report: &Report,
    scale: Scale,
) -> Result<(Planes, Option<Vec<u8>>), ImageError> {
    let decoded = jpeg::decode(bytes, scale, (report.width, report.height))?;
    Ok(jpeg::planes(decoded)?)
}

fn optimise(bytes: &[u8], report: &Report, target: &Target) -> Result<Made, ImageError> {
    match report.format {
        Format::Jpeg => optimise_jpeg(bytes, report, target),
        Format::Png | Format::Gif | Format::WebP => Err(Corrupt::Unsupported.into()),
    }
}

fn optimise_jpeg(bytes: &[u8], report: &Report, target: &Target) -> Result<Made, ImageError> {
    let (planes, icc) = decode_jpeg(bytes, report, target.scale)?;
    let luma = (target.width as usize, target.height as usize);
    let chroma = encode::jpeg::chroma_size(luma, target.quality);
    let planes = orient::planes(resize::planes(planes, luma, chroma)?, report.orientation);
    let settings = encode::jpeg::Settings {
        quality: target.quality,
        effort: target.effort,
        icc: icc.as_deref(),
    };
    let encoded = encode::jpeg::encode(&planes, settings, bytes.len());
    Ok(Made {
        encoded: encoded.ok().map(|bytes| (Format::Jpeg, bytes)),
        width: planes.luma.width as u32,
        height: planes.luma.height as u32,
        placeholder: placeholder::of_planes(&planes),
    })
}
