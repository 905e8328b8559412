//! What is done with a file before it is sent: processed as the edge would, within wider limits, and
//! then judged as the edge will judge it. The file may break the edge's limits as long as what is
//! made of it does not.

pub mod foreign;

use alloc::vec::Vec;
use core::hint::black_box;

use crate::{Format, ImageError, Plan, Policy, Processed, Report, inspect, inspect_as, process};

/// Processes a file for an edge of this policy; answers what the file is, too.
///
/// # Errors
/// As [`inspect_as`] and [`process`] with [`Policy::before_sending`], and whatever the edge would
/// say of the result.
pub fn prepare<'a>(
    bytes: &'a [u8],
    declared: Format,
    policy: &Policy,
) -> Result<(Report, Processed<'a>), ImageError> {
    let before = policy.before_sending();
    let report = inspect_as(bytes, declared, &before)?;
    let plan = Plan::new(&report, &before)?;
    reserve(plan.peak_bytes(), &before)?;
    let processed = process(bytes, &plan, &before.limits)?;
    admitted(&processed, report.size_bytes, policy)?;
    Ok((report, processed))
}

/// Whether the edge will take it. Its size is told as that of the file that was chosen: nobody has
/// seen another.
fn admitted(
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
fn reserve(peak_bytes: u64, policy: &Policy) -> Result<(), ImageError> {
    let refusal =
        ImageError::TooMuchMemory { peak_bytes, limit_bytes: policy.limits.max_peak_bytes };
    let Ok(peak) = usize::try_from(peak_bytes) else { return Err(refusal) };
    let mut room = Vec::<u8>::new();
    let reserved = room.try_reserve_exact(peak);
    // Otherwise the compiler sees that nobody uses it.
    black_box(&room);
    reserved.map_err(|_| refusal)
}
