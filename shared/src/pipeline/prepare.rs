//! Prepares a file in the browser before it is sent: processes it within wider limits, and checks that the edge
//! will accept the result.

use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use core::{hint::black_box, pin::Pin, task::Poll};

use crate::{
    Format, ImageError, Plan, Policy, Processed, Report, inspect, inspect_as, pace,
    pipeline::process_in_steps, plan::work,
};

/// A file that is prepared step by step, so that a page can handle events between the steps.
pub struct Preparation<'a>(Pin<Box<dyn Future<Output = Prepared<'a>> + 'a>>);

type Prepared<'a> = Result<(Report, Processed<'a>), ImageError>;

impl<'a> Preparation<'a> {
    /// Inspects a file for an edge with this policy.
    ///
    /// # Errors
    /// As [`inspect_as`] with [`Policy::before_sending`].
    pub fn begin(
        bytes: Cow<'a, [u8]>,
        declared: Format,
        policy: &Policy,
    ) -> Result<Self, ImageError> {
        let policy = *policy;
        let before = policy.before_sending();
        let report = inspect_as(&bytes, declared, &before)?;
        let plan = Plan::new(&report, &before)?;
        // What is sent as it came, the edge has to decode as well.
        if plan.target().is_none() {
            work::check(&report, plan.work(), &policy.limits)?;
        }
        try_reserve(plan.peak_bytes(), &before)?;
        Ok(Self(Box::pin(async move {
            let processed = process_in_steps(bytes, &plan, &before.limits).await?;
            check_edge_limits(&processed, report.size_bytes, &policy)?;
            Ok((report, processed))
        })))
    }

    /// Makes the next step; the last returns what the file is and what is to be sent. No step follows the last.
    ///
    /// # Errors
    /// As [`process`](crate::process), and whatever the edge would say of the result.
    pub fn step(&mut self) -> Poll<Prepared<'a>> {
        pace::step(self.0.as_mut())
    }
}

/// Prepares a file in one call; returns its report as well.
///
/// # Errors
/// As [`Preparation`].
pub fn prepare<'a>(bytes: &'a [u8], declared: Format, policy: &Policy) -> Prepared<'a> {
    pace::run_to_end(Preparation::begin(bytes.into(), declared, policy)?.0)
}

/// Checks that the edge will accept the result. A refusal names the size of the chosen file, which is the one that
/// the user knows.
pub(crate) fn check_edge_limits(
    processed: &Processed<'_>,
    chosen_bytes: u64,
    policy: &Policy,
) -> Result<(), ImageError> {
    let refusal = |error| match error {
        ImageError::TooManyBytes { limit_bytes, .. } => {
            ImageError::TooManyBytes { size_bytes: chosen_bytes, limit_bytes }
        }
        other => other,
    };
    let report = inspect(processed.bytes(), policy).map_err(refusal)?;
    Plan::new(&report, policy).map(drop)
}

/// Reserves and frees the peak memory. A device may have less than the limits allow, and a failed allocation ends
/// the wasm instance, so it is tried in a way that can fail.
pub(crate) fn try_reserve(peak_bytes: u64, policy: &Policy) -> Result<(), ImageError> {
    let refusal =
        ImageError::TooMuchMemory { peak_bytes, limit_bytes: policy.limits.max_peak_bytes };
    let Ok(peak) = usize::try_from(peak_bytes) else { return Err(refusal) };
    let mut room = Vec::<u8>::new();
    let reserved = room.try_reserve_exact(peak);
    // Otherwise the compiler sees that nobody uses it.
    black_box(&room);
    reserved.map_err(|_| refusal)
}
