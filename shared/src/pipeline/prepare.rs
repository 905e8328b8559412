//! What is done with a file before it is sent: processed as the edge would, within wider limits, and
//! then judged as the edge will judge it. The file may break the edge's limits as long as what is
//! made of it does not.

use alloc::{borrow::Cow, vec::Vec};
use core::{hint::black_box, ops::ControlFlow};

use crate::{
    Format, ImageError, Plan, Policy, Processed, Report, inspect, inspect_as, pipeline::Work,
};

/// A file on its way, a step at a time.
pub struct Preparation<'a> {
    work: Work<'a>,
    report: Report,
    policy: Policy,
}

impl<'a> Preparation<'a> {
    /// Looks into a file that is to go to an edge of this policy.
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
        reserve(plan.peak_bytes(), &before)?;
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
                admitted(&processed, report.size_bytes, &policy)?;
                ControlFlow::Break((report, processed))
            }
        })
    }
}

/// Prepares a file in one go; answers what the file is, too.
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

/// Whether the edge will take it. Its size is told as that of the file that was chosen: nobody has
/// seen another.
pub(crate) fn admitted(
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

/// A device may have less memory than the limits allow, and where memory ends, wasm ends: so all of
/// it is asked for before, in a way that can be refused.
pub(crate) fn reserve(peak_bytes: u64, policy: &Policy) -> Result<(), ImageError> {
    let refusal =
        ImageError::TooMuchMemory { peak_bytes, limit_bytes: policy.limits.max_peak_bytes };
    let Ok(peak) = usize::try_from(peak_bytes) else { return Err(refusal) };
    let mut room = Vec::<u8>::new();
    let reserved = room.try_reserve_exact(peak);
    // Otherwise the compiler sees that nobody uses it.
    black_box(&room);
    reserved.map_err(|_| refusal)
}
