//! The smaller sizes of a picture: three, so that the number of derived pictures is bounded.

use edge_types::hex;
use image_rules::{
    Action, Format, ImageError, Limits, Plan, Policy, Report, inspect, process_in_steps,
};
use sha2::{Digest, Sha256};

use crate::{app::App, concurrency::Lease, error::ApiError, ports::Ports};

/// Readers wait for it. The variant of an animation with more work is its first frame.
const MAX_ANIMATION_WORK_MS: u64 = 500;

/// A smaller size; the value of `v`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum Variant {
    /// For lists and grids.
    Thumb,
    /// For a card on a phone.
    Small,
    /// For a page on a phone, or a card on a large screen.
    Medium,
}

impl Variant {
    /// The square that it fits in: 100, 240 and 512 points, doubled for dense screens.
    const fn edge(self) -> u32 {
        match self {
            Self::Thumb => 200,
            Self::Small => 480,
            Self::Medium => 1024,
        }
    }

    /// The policy to derive it with.
    fn policy(self, of: &Policy) -> Policy {
        Policy { max_edge: self.edge(), target_bytes: None, ..*of }
    }
}

/// What is done with the original to derive a variant.
///
/// # Errors
/// As [`Plan::preview`].
fn plan(report: &Report, policy: &Policy) -> Result<Plan, ImageError> {
    if report.frames == 1 || report.format != Format::Gif {
        return Plan::preview(report, policy);
    }
    let max_work_ms = policy.limits.max_work_ms.min(MAX_ANIMATION_WORK_MS);
    let limits = Limits { max_work_ms, ..policy.limits };
    match Plan::preview(report, &Policy { limits, ..*policy }) {
        Err(ImageError::TooMuchWork { .. }) => Plan::still(report, policy),
        plan => plan,
    }
}

/// A derived picture.
#[derive(Debug)]
pub struct Derived {
    pub bytes: Vec<u8>,
    pub format: Format,
    /// Quoted; the digest of the bytes.
    pub etag: String,
}

/// Derives a variant from the original, which is held in `memory`.
///
/// # Errors
/// `BUSY` without memory in time; errors of the image rules for an object that is no image.
pub async fn derive<P: Ports>(
    app: &App<P>,
    original: Vec<u8>,
    variant: Variant,
    memory: &Lease,
) -> Result<Derived, ApiError> {
    let policy = variant.policy(&app.config.policy);
    let report = inspect(&original, &policy)?;
    let (bytes, format) = match plan(&report, &policy) {
        // There is no encoder for animated WebP and PNG, and the original still moves. A picture that was stored
        // under other limits is delivered as it is.
        Err(ImageError::AnimationTooLarge | ImageError::TooMuchWork { .. }) => {
            (original, report.format)
        }
        Ok(plan) if plan.action() == Action::Keep => (original, report.format),
        plan => {
            let plan = plan?;
            let processing = Box::pin(process_in_steps(original.into(), &plan, &policy.limits));
            let processed = app.scheduler().run_plan(&plan, Some(memory), processing).await??;
            let format = processed.format();
            (processed.into_bytes().into_owned(), format)
        }
    };
    let etag = format!("\"{:.32}\"", hex::encode(&Sha256::digest(&bytes)));
    Ok(Derived { bytes, format, etag })
}
