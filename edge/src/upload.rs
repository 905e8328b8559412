//! One upload from top to bottom. Each step needs what the one before it made, so none can be
//! skipped: `Place -> Principal -> Permit -> Leave -> Intake -> Processed -> Stored -> Receipt`.

mod answer;
mod picture;

pub(crate) use picture::hexadecimal;

use image_rules::{Format, Limits};

use crate::{
    admission::{Turn, admit, count_client_ip, principal},
    app::{App, Ports},
    auth::{Permit, Role},
    call::Call,
    error::Failure,
    intake::{self, Announced, Chunks, Intake},
    ledger::message::Leave,
    memory::{Lease, Metered, Purpose, reserve},
    places,
    response::Answer,
    route::Body,
    stats::{FileCount, Outcome, Stage},
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
    // Before a ledger is asked: to turn away has to cost less than to serve.
    let place = places::take(app).await?;
    let caller = principal(app, call).await?;
    if caller.role() == Role::Guest {
        count_client_ip(app, call).await?;
    }
    // Bans and limits of a user are checked with the upload itself, by `admit`.
    let permit = caller.may_upload(app.config.uploads.require_ticket)?;
    let limits = permit.limits(app.config.policy.limits);
    let bytes = Announced::new(call.head).most_bytes(&limits);
    let leave = admit(app, call, &permit, Turn::First { bytes }).await?;
    let lot = Lot { app, call, permit: &permit };
    let reading = read(app, call, &permit, &limits, body);
    let (intake, memory) = match place.while_sending(|| app.ports.now_ms(), reading).await {
        Ok(read) => read,
        Err(failure) => {
            lot.release(&leave.stem, false).await;
            return Err(failure);
        }
    };
    let outcomes = take_all(&lot, leave, intake, &memory).await;
    drop(memory);
    answer::answer(outcomes, app, call)
}

/// Reads what was sent, once there is memory for it.
async fn read<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    permit: &Permit,
    limits: &Limits,
    body: impl Chunks,
) -> Result<(Intake, Lease), Failure> {
    let kept_bytes = Announced::new(call.head).kept_bytes(limits);
    let memory = reserve(app, Purpose::Body, kept_bytes).await?;
    let body = Metered::new(body, &memory);
    let receiving = intake::receive(permit, call.head, body, limits);
    let mut intake = call.timed(&app.ports, Stage::Read, receiving).await?;
    permit.is_for(intake.user_id.as_ref())?;
    intake.form_id = permit.form_id(intake.form_id)?;
    Ok((intake, memory))
}

/// The first picture has the request's leave; each further one needs its own.
async fn take_all<P: Ports>(
    lot: &Lot<'_, P>,
    leave: Leave,
    intake: Intake,
    memory: &Lease,
) -> Vec<answer::Outcome> {
    let mut outcomes = Vec::with_capacity(intake.files.len());
    let mut first = Some(leave);
    for file in intake.files {
        let (name, size_bytes) = (file.original_name.clone(), file.size_bytes());
        let declared = file.draft.as_ref().ok().map(|draft| draft.declared);
        let leave = if let Some(leave) = first.take() {
            Ok(leave)
        } else {
            let turn = Turn::Further { bytes: size_bytes };
            admit(lot.app, lot.call, lot.permit, turn).await
        };
        let outcome = match leave {
            Ok(leave) => lot.take(&leave, file, intake.form_id.as_ref(), memory).await,
            Err(failure) => Err(failure),
        };
        lot.call.tell_file(counted(declared, size_bytes, &outcome));
        outcomes.push(outcome.map_err(|failure| (failure, name)));
    }
    outcomes
}

fn counted(
    format: Option<Format>,
    bytes_in: u64,
    outcome: &Result<answer::Taken, Failure>,
) -> FileCount {
    let (outcome, bytes_stored) = match outcome {
        Ok(taken) if taken.is_new => (Outcome::Stored, taken.receipt.record.size_bytes),
        Ok(_) => (Outcome::Repeated, 0),
        Err(failure) => (Outcome::Refused(failure.code()), 0),
    };
    FileCount { outcome, format, bytes_in, bytes_stored }
}
