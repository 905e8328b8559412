//! One upload from top to bottom. Each step needs what the one before it made, so none can be
//! skipped: `Principal -> Permit -> Intake -> Processed -> Stored -> Record`.

mod answer;
mod picture;

use http::request::Parts;

use crate::{
    app::{App, Ports},
    auth::authenticate,
    error::Failure,
    intake::{self, Announced, Chunks},
    memory::{Purpose, reserve},
    response::{Answer, RequestId},
    route::Body,
};
use picture::Lot;

/// Takes a picture or several, stores and registers each and answers with its URL.
///
/// # Errors
/// Whatever the first step says that does not let it pass. Of several pictures each has its own
/// result, and none of them is an error of the request.
pub async fn upload<P: Ports>(
    app: &App<P>,
    head: &Parts,
    id: &RequestId,
    body: impl Chunks,
) -> Result<Answer<Body<P>>, Failure> {
    let limits = &app.config.policy.limits;
    let principal = authenticate(&app.config.keys, head, app.ports.now_ms())?;
    let permit = principal.may_upload()?;
    let held_bytes = Announced::new(head).held_bytes(limits);
    let memory = reserve(app, Purpose::Body, held_bytes).await?;
    let intake = intake::receive(&permit, head, body, limits).await?;
    permit.is_for(intake.user_id.as_ref())?;
    let lot = Lot { app, head, permit: &permit, form_id: intake.form_id };
    let mut outcomes = Vec::with_capacity(intake.files.len());
    for file in intake.files {
        outcomes.push(lot.take(file).await);
    }
    drop(memory);
    answer::answer(outcomes, head, id, app.ports.now_ms())
}
