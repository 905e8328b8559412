//! The smaller sizes in which a picture can be had: three, so that what is made and kept is bounded.

use image_rules::{Action, Format, ImageError, Limits, Plan, Policy, inspect, process};
use sha2::{Digest, Sha256};

use crate::{
    app::{App, Ports},
    error::Failure,
    memory::Lease,
    turns,
};

/// The work of half a second; of an animation with more, a variant is its first frame.
const MAX_RESIZE_PIXELS: u64 = Limits::EDGE_MAX_RESIZE_PIXELS / 4;

/// A size that a picture can be asked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Lists and grids.
    Thumb,
    /// A card on a phone.
    Small,
    /// A page on a phone, a card on a large screen.
    Medium,
}

impl Variant {
    /// From the value of `v`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "thumb" => Some(Self::Thumb),
            "small" => Some(Self::Small),
            "medium" => Some(Self::Medium),
            _ => None,
        }
    }

    /// All of them.
    pub const ALL: [Self; 3] = [Self::Thumb, Self::Small, Self::Medium];

    /// The value of `v`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Thumb => "thumb",
            Self::Small => "small",
            Self::Medium => "medium",
        }
    }

    /// The square that it fits in, at twice the usual 100, 240 and 512 points for dense screens.
    const fn edge(self) -> u32 {
        match self {
            Self::Thumb => 200,
            Self::Small => 480,
            Self::Medium => 1024,
        }
    }

    /// What is made of a stored picture, which has been admitted.
    fn policy(self, of: &Policy) -> Policy {
        let limits = Limits {
            max_animation_pixels: u64::MAX,
            max_resize_pixels: MAX_RESIZE_PIXELS,
            ..of.limits
        };
        Policy { limits, max_edge: self.edge(), target_bytes: None, ..*of }
    }
}

/// A variant that was made.
#[derive(Debug)]
pub struct Made {
    /// What to serve.
    pub bytes: Vec<u8>,
    /// What it is.
    pub format: Format,
    /// Quoted; from its bytes, so that it changes when they do.
    pub etag: String,
}

/// Makes a variant from the stored picture, which lies in `memory`.
///
/// # Errors
/// `BUSY` without memory in time; what the rules say of bytes that are no picture of ours.
pub async fn make<P: Ports>(
    app: &App<P>,
    original: Vec<u8>,
    variant: Variant,
    memory: &Lease,
) -> Result<Made, Failure> {
    let policy = variant.policy(&app.config.policy);
    let report = inspect(&original, &policy)?;
    let plan = match Plan::preview(&report, &policy) {
        Err(ImageError::AnimationTooLong) => Plan::still(&report, &policy),
        plan => plan,
    };
    let (bytes, format) = match plan {
        // There is no encoder for an animated WebP or PNG here; as it is, it still moves.
        Err(ImageError::AnimationTooLarge) => (original, report.format),
        Ok(plan) if plan.action() == Action::Keep => (original, report.format),
        plan => {
            let plan = plan?;
            let processing = async { process(original, &plan, &policy.limits) };
            let made = turns::work(app, &plan, Some(memory), processing).await??;
            let format = made.format();
            (made.into_bytes().into_owned(), format)
        }
    };
    let etag = format!("\"{:.32}\"", format!("{:x}", Sha256::digest(&bytes)));
    Ok(Made { bytes, format, etag })
}
