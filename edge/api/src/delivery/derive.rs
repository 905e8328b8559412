//! Derives a picture from the stored one.

use edge_storage::ObjectFacts;
use edge_types::hex;
use image_rules::{
    Action, Format, ImageError, Limits, Output, Plan, Policy, Report, inspect, process_in_steps,
};

use super::recipe::Recipe;
use crate::{app::App, concurrency::Lease, error::ApiError, ports::Ports};

/// Readers wait for it. What is derived of an animation with more work is its first frame.
const MAX_ANIMATION_WORK_MS: u64 = 500;

/// What is done with the original.
fn plan(report: &Report, recipe: &Recipe, policy: &Policy) -> Result<Plan, ImageError> {
    let (bounds, output) = (recipe.bounds(), recipe.output);
    if report.frames == 1 || report.format != Format::Gif {
        return Plan::derive(report, policy, bounds, output);
    }
    let max_work_ms = policy.limits.max_work_ms.min(MAX_ANIMATION_WORK_MS);
    let limits = Limits { max_work_ms, ..policy.limits };
    for output in [output, Output::Preview] {
        match Plan::derive(report, &Policy { limits, ..*policy }, bounds, output) {
            Err(ImageError::TooMuchWork { .. }) => {}
            plan => return plan,
        }
    }
    Plan::still(report, policy, bounds)
}

/// A derived picture.
#[derive(Debug)]
pub struct Derived {
    pub bytes: Vec<u8>,
    pub format: Format,
    pub sha256: [u8; 32],
}

impl Derived {
    /// Until the store has its own.
    pub fn facts(&self) -> ObjectFacts {
        let etag = format!("\"{:.32}\"", hex::encode(&self.sha256));
        ObjectFacts { size_bytes: self.bytes.len() as u64, etag }
    }
}

/// Derives a picture from the original, which is held in `memory`. [`None`] when the original is served instead: it is
/// small enough, or making it smaller takes too much work, or there is no encoder for its animation.
///
/// # Errors
/// `BUSY` without memory in time; errors of the image rules for an object that is no image.
pub async fn derive<P: Ports>(
    app: &App<P>,
    original: Vec<u8>,
    recipe: &Recipe,
    memory: &Lease,
) -> Result<Option<Derived>, ApiError> {
    let policy = Policy { target_bytes: None, quality: recipe.quality, ..app.config.policy };
    let report = inspect(&original, &policy)?;
    let plan = match plan(&report, recipe, &policy) {
        Ok(plan) if plan.action() == Action::Keep => return Ok(None),
        Err(error) if is_better_kept(&error) => return Ok(None),
        plan => plan?,
    };
    let processing = Box::pin(process_in_steps(original.into(), &plan, &policy.limits));
    let processed = match app.scheduler().run_plan(&plan, Some(memory), processing).await? {
        Err(error) if is_better_kept(&error) => return Ok(None),
        processed => processed?,
    };
    let sha256 = app.ports.sha256(processed.bytes()).await;
    let format = processed.format();
    Ok(Some(Derived { bytes: processed.into_bytes().into_owned(), format, sha256 }))
}

/// Whether the same would happen each time, and the original is a picture all the same: there is no encoder for animated
/// WebP and PNG, others may have been stored under wider limits, and some would grow.
const fn is_better_kept(error: &ImageError) -> bool {
    matches!(
        error,
        ImageError::AnimationTooLarge
            | ImageError::TooMuchWork { .. }
            | ImageError::TooMuchMemory { .. }
            | ImageError::TooManyBytes { .. }
    )
}
