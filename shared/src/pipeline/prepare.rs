//! Prepares a file in the browser before it is sent: processes it within wider limits, and checks that the edge
//! will accept the result.

use alloc::{borrow::Cow, vec::Vec};
use core::{hint::black_box, ops::ControlFlow};

use crate::{
    Format, ImageError, Plan, Policy, Processed, Report, inspect, inspect_as, pipeline::Work,
    plan::work,
};

/// A file that is prepared step by step.
pub struct Preparation<'a> {
    work: Work<'a>,
    report: Report,
    policy: Policy,
}

impl<'a> Preparation<'a> {
    /// Inspects a file for an edge with this policy.
    ///
    /// # Errors
    /// As [`inspect_as`] with [`Policy::before_sending`].
    pub fn begin(
        bytes: impl Into<Cow<'a, [u8]>>,
        declared: Format,
        policy: &Policy,
    ) -> Result<Self, ImageError> {
        let bytes = bytes.into();
        let before = policy.before_sending();
        let report = inspect_as(&bytes, declared, &before)?;
        let plan = Plan::new(&report, &before)?;
        // What is sent as it came, the edge has to decode as well.
        let (work_ms, limit_ms) = (work::whole_ms(plan.work()), policy.limits.max_work_ms);
        if plan.target().is_none() && work_ms > limit_ms {
            let is_animated = report.frames > 1;
            return Err(ImageError::TooMuchWork { work_ms, limit_ms, is_animated });
        }
        try_reserve(plan.peak_bytes(), &before)?;
        let work = Work::begin(bytes, &plan, &before.limits)?;
        Ok(Self { work, report, policy: *policy })
    }

    /// Makes the next step of [`Work`]; the last breaks with what the file is and what is to be sent.
    ///
    /// # Errors
    /// As [`process`](crate::process), and whatever the edge would say of the result.
    pub fn step(self) -> Result<ControlFlow<(Report, Processed<'a>), Self>, ImageError> {
        let Self { work, report, policy } = self;
        Ok(match work.step()? {
            ControlFlow::Continue(work) => ControlFlow::Continue(Self { work, report, policy }),
            ControlFlow::Break(processed) => {
                check_edge_limits(&processed, report.size_bytes, &policy)?;
                ControlFlow::Break((report, processed))
            }
        })
    }
}

/// Prepares a file in one call; returns its report as well.
///
/// # Errors
/// As [`Preparation`].
pub fn prepare<'a>(
    bytes: &'a [u8],
    declared: Format,
    policy: &Policy,
) -> Result<(Report, Processed<'a>), ImageError> {
    let mut preparation = Preparation::begin(bytes, declared, policy)?;
    loop {
        match preparation.step()? {
            ControlFlow::Continue(further) => preparation = further,
            ControlFlow::Break(prepared) => return Ok(prepared),
        }
    }
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
