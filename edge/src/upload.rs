//! One upload from top to bottom. Each step needs what the one before it made, so none can be
//! skipped: `Principal -> Permit -> Leave -> Intake -> Processed -> Stored -> Receipt`.

mod answer;
mod picture;

use crate::{
    admission::{admit, principal},
    app::{App, Ports},
    auth::Permit,
    call::Call,
    error::Failure,
    intake::{self, Announced, Chunks, Intake},
    ledger::message::Leave,
    memory::{Lease, Metered, Purpose, reserve},
    response::Answer,
    route::Body,
};
use picture::Lot;

/// Takes a picture or several, stores each and answers with its URL.
///
/// # Errors
/// Whatever the first step says that does not let it pass. Of several pictures each has its own
/// result, and none of them is an error of the request.
pub async fn upload<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    body: impl Chunks,
) -> Result<Answer<Body<P>>, Failure> {
    let permit = principal(app, call).await?.may_upload()?;
    let announced = Announced::new(call.head);
    let held_bytes = announced.held_bytes(&app.config.policy.limits);
    let leave = admit(app, call, &permit, held_bytes).await?;
    let lot = Lot { app, call, permit: &permit };
    let (intake, memory) = match read(app, call, &permit, held_bytes, body).await {
        Ok(read) => read,
        Err(failure) => {
            lot.release(&leave.stem, false).await;
            return Err(failure);
        }
    };
    let outcomes = take_all(&lot, leave, intake).await;
    drop(memory);
    answer::answer(outcomes, app, call)
}

/// Reads what was sent, once there is memory for it.
async fn read<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    permit: &Permit,
    held_bytes: u64,
    body: impl Chunks,
) -> Result<(Intake, Lease), Failure> {
    let memory = reserve(app, Purpose::Body, held_bytes).await?;
    let limits = &app.config.policy.limits;
    let body = Metered::new(body, &memory);
    let intake = intake::receive(permit, call.head, body, limits).await?;
    permit.is_for(intake.user_id.as_ref())?;
    Ok((intake, memory))
}

/// The first picture has the request's leave; each further one needs its own.
async fn take_all<P: Ports>(
    lot: &Lot<'_, P>,
    leave: Leave,
    intake: Intake,
) -> Vec<answer::Outcome> {
    let mut outcomes = Vec::with_capacity(intake.files.len());
    let mut first = Some(leave);
    for file in intake.files {
        let name = file.original_name.clone();
        let leave = match first.take() {
            Some(leave) => Ok(leave),
            None => admit(lot.app, lot.call, lot.permit, file.size_bytes()).await,
        };
        let outcome = match leave {
            Ok(leave) => lot.take(&leave, file, intake.form_id.as_ref()).await,
            Err(failure) => Err(failure),
        };
        outcomes.push(outcome.map_err(|failure| (failure, name)));
    }
    outcomes
}
