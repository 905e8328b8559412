//! Carries out a plan in steps, between which other requests run.

use std::{future::poll_fn, ops::ControlFlow, task::Poll};

use image_rules::{ImageError, Limits, Plan, Processed, pipeline::Work};

/// Carries out a plan; pends after each step. For [`run_plan`](super::Scheduler::run_plan), which polls it again
/// after a pause; nothing else does.
pub async fn process_in_steps(
    bytes: Vec<u8>,
    plan: &Plan,
    limits: &Limits,
) -> Result<Processed<'static>, ImageError> {
    let mut work = Work::begin(bytes, plan, limits)?;
    loop {
        match work.step()? {
            ControlFlow::Break(processed) => return Ok(processed),
            ControlFlow::Continue(next) => work = next,
        }
        end_step().await;
    }
}

/// Pends once.
pub async fn end_step() {
    let mut has_pended = false;
    poll_fn(
        |_| {
            if std::mem::replace(&mut has_pended, true) { Poll::Ready(()) } else { Poll::Pending }
        },
    )
    .await;
}
