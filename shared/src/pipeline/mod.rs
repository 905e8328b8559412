//! Carries out a [`Plan`]. Every picture that leaves here has been decoded to its last scan line, and bytes that
//! decoding did not need are removed.

use alloc::{borrow::Cow, vec::Vec};
use core::mem;

use optimise::{Encoded, Optimised};

use crate::{
    Format, ImageError, Limits, Report,
    codec::{decode, placeholder},
    error::Corrupt,
    hidden_data::HiddenData,
    pace::{Pace, run, run_to_end, wait},
    plan::{Action, Plan, Scale},
    report::Metadata,
    sanitize::{profile::Rewrite, scrub},
};

pub mod foreign;
pub(crate) mod optimise;
pub mod pixels;
pub mod prepare;

/// A picture that may be stored. Only carrying out a plan makes one.
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

    /// Bytes of each kind of data that was taken out; of a colour profile, what is not colours.
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
    run_to_end(process_in_steps(bytes.into(), plan, limits))
}

/// As [`process`], in steps, after each of which the future pends, so that the thread can do something else. It wakes
/// nobody: poll it again when the others have had their time. A step takes at most some 25 ms, except where a single call
/// takes longer.
///
/// # Errors
/// As [`process`].
pub async fn process_in_steps<'a>(
    bytes: Cow<'a, [u8]>,
    plan: &Plan,
    limits: &Limits,
) -> Result<Processed<'a>, ImageError> {
    carry_out(bytes, plan, limits, &Pace::default()).await
}

async fn carry_out<'a>(
    bytes: Cow<'a, [u8]>,
    plan: &Plan,
    limits: &Limits,
    pace: &Pace,
) -> Result<Processed<'a>, ImageError> {
    let report = plan.report();
    let (peak_bytes, limit_bytes) = (plan.peak_bytes(), limits.max_peak_bytes);
    if peak_bytes > limit_bytes {
        return Err(ImageError::TooMuchMemory { peak_bytes, limit_bytes });
    }
    if bytes.len() as u64 != report.size_bytes {
        return Err(Corrupt::BadLength.into());
    }
    let bytes = storable(bytes, report)?;
    let Some(target) = plan.target() else {
        let (placeholder, hidden) = wait!(verify(&bytes, report, pace))?;
        return preserve(bytes, report, placeholder, &hidden);
    };
    let optimised = optimise::optimise(&bytes, report, target, pace).await?;
    let icc = Rewrite::of(&bytes, report).map_or(0, |rewrite| rewrite.removed_bytes());
    let removed = Metadata { icc, ..report.metadata };
    let placeholder = optimised.placeholder.clone();
    if let Some(made) = encoded(optimised) {
        // Pixel art may become smaller than planned.
        target.policy.check_dimensions((made.width, made.height))?;
        return Ok(Processed { removed, ..made });
    }
    if target.is_oversize {
        return Err(match report.frames {
            1 => ImageError::TooManyBytes {
                size_bytes: report.size_bytes,
                limit_bytes: target.most_bytes,
            },
            _ => ImageError::AnimationTooLarge,
        });
    }
    // A picture that was only to lose bytes, and does not, stays as it came.
    // It was decoded for its pixels, not for what lies between them.
    let (_, hidden) = wait!(verify(&bytes, report, pace))?;
    preserve(bytes, report, placeholder, &hidden)
}

/// Decodes what a plan makes smaller and drops it: for benchmarks of decoders.
///
/// # Errors
/// [`Corrupt`] when the pixels do not decode to their end, or the plan needs none.
pub fn decode_only(bytes: &[u8], plan: &Plan) -> Result<(), Corrupt> {
    let target = plan.target().ok_or(Corrupt::NoImageData)?;
    run!(optimise::decode(bytes, plan.report(), target, &Pace::default())).map(drop)
}

/// The result of optimising; nothing when it had too many bytes.
pub(crate) fn encoded(Optimised { encoded, placeholder }: Optimised) -> Option<Processed<'static>> {
    let Encoded { format, bytes, width, height } = encoded?;
    Some(Processed {
        bytes: Cow::Owned(bytes),
        format,
        width,
        height,
        action: Action::Optimise,
        removed: Metadata::default(),
        placeholder,
    })
}

/// The bytes that are decoded and stored. They are scrubbed first, so decoders need not tolerate what `inspect`
/// tolerates. The JPEG decoder skips what scrubbing removes, so a JPEG is not copied.
pub(crate) fn storable<'a>(
    bytes: Cow<'a, [u8]>,
    report: &Report,
) -> Result<Cow<'a, [u8]>, ImageError> {
    if report.is_clean() || report.format == Format::Jpeg {
        return Ok(bytes);
    }
    Ok(Cow::Owned(scrub(&bytes, report)?))
}

/// Decodes every pixel; returns the placeholder and the hidden data.
#[cfg_attr(not(feature = "steps"), paced::without_pauses)]
async fn verify(
    bytes: &[u8],
    report: &Report,
    pace: &Pace,
) -> Result<(Vec<u8>, HiddenData), Corrupt> {
    let (size, orientation) = ((report.width, report.height), report.orientation);
    match report.format {
        Format::Jpeg => {
            let mut decoded = decode::jpeg::decode(bytes, Scale::Eighth, size, pace).await?;
            let hidden = mem::take(&mut decoded.hidden_data);
            let planes = decode::jpeg::planes(decoded, pace).await?;
            Ok((placeholder::of_planes(&planes, orientation), hidden))
        }
        Format::Png => decode::png::verify(bytes, orientation, pace).await,
        Format::Gif => decode::gif::verify(bytes, size, pace).await,
        Format::WebP => {
            let hash = decode::webp::verify(bytes, size, orientation, pace).await?;
            Ok((hash, HiddenData::default()))
        }
    }
}

/// Keeps or scrubs a picture that has been decoded.
fn preserve<'a>(
    bytes: Cow<'a, [u8]>,
    report: &Report,
    placeholder: Vec<u8>,
    hidden: &HiddenData,
) -> Result<Processed<'a>, ImageError> {
    let (width, height) = report.upright_size();
    let (format, mut removed) = (report.format, Metadata { icc: 0, ..report.metadata });
    removed.trailing += hidden.size_bytes();
    let bytes = hidden.remove(bytes, format)?;
    // The other formats have been scrubbed already.
    let bytes = if format == Format::Jpeg && !report.is_clean() {
        Cow::Owned(scrub(&bytes, report)?)
    } else {
        bytes
    };
    let mut action =
        if report.is_clean() && hidden.is_empty() { Action::Keep } else { Action::Scrub };
    let bytes = match Rewrite::of(&bytes, report) {
        Some(rewrite) => {
            removed.icc = rewrite.removed_bytes();
            action = Action::Scrub;
            Cow::Owned(rewrite.apply(&bytes, format))
        }
        None => bytes,
    };
    Ok(Processed { bytes, format, width, height, action, removed, placeholder })
}

#[cfg(test)]
mod tests;
