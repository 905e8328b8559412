//! `POST /images`. The steps produce these values in this order:
//! `UploadSlot -> Principal -> Permit -> UploadGrant -> ParsedUpload -> Processed -> StoredImage -> Receipt`.
//! Admission takes a `Permit`, storing an `UploadGrant` and a `Processed`, and the commit a `StoredImage`.

mod image;
mod policy;
mod reply;
mod tickets;

pub use policy::policy;
pub use tickets::issue_ticket;

use edge_auth::{Permit, Principal};
use edge_ledger::{AwaitAnswer, LedgerClient};
use edge_types::{FormId, Problem, Role, UserId, with_timeout};
use futures_util::{StreamExt, future::join_all, stream};
use image_rules::{Code, Format, Limits};

use crate::{
    admission::{AdmittedUpload, FileOrder, admit_upload},
    app::App,
    body::{self, AnnouncedBody, BodyStream, ParsedUpload},
    concurrency::{FIRST_BYTES, Lease, MeteredBody, UploadSlot},
    context::RequestContext,
    error::ApiError,
    forms::UploadRules,
    ports::Ports,
    response::HandlerResult,
    telemetry::{FileCount, Outcome, Stage},
};
use image::UploadContext;

/// How long an upload waits for the back end, which has 5 s, and for the ledger.
const ANSWER_MS: u64 = 5_500;

/// Takes one image or several, stores each and answers with its URL.
///
/// # Errors
/// Those of the first step that fails. Of several images each has its own result, and none of them is an error of
/// the request.
pub async fn upload<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: Principal,
    slot: UploadSlot,
    body: impl BodyStream,
) -> HandlerResult<P> {
    let permit = caller.may_upload(app.config.uploads.require_ticket)?;
    // A back end uploads for many users, so only its client IP has a share.
    if permit.role() != Role::Service {
        app.scheduler().share_slot(&slot, permit.owner()).await?;
    }
    let limits = permit.limits(app.config.policy.limits);
    let bytes = AnnouncedBody::new(context.head).max_bytes(&limits);
    let admitted = admit_upload(app, context, &permit, FileOrder::First { bytes }).await?;
    let received = match receive(app, context, &permit, &limits, &slot, body).await {
        Ok((parsed, memory)) => {
            let rules = rules_of(app, &permit, parsed.form_id.as_ref()).await;
            rules.map(|rules| (parsed, memory, rules))
        }
        Err(error) => Err(error),
    };
    let (parsed, memory, rules) = match received {
        Ok(received) => received,
        Err(error) => {
            image::release(app, &permit, admitted, false).await;
            return Err(error);
        }
    };
    let upload = UploadContext { app, context, permit: &permit, rules };
    let mut outcomes = take_all(&upload, admitted, parsed, &memory).await;
    // Others need both, also while this upload waits.
    drop((memory, slot));
    if upload.rules.waits_for_back_end() {
        await_answers(app, permit.owner(), &mut outcomes).await;
    }
    reply::respond(outcomes, app, context)
}

/// Asks for what the back end answers to each image. Without an answer the image is stored all the same.
async fn await_answers<P: Ports>(app: &App<P>, owner: &UserId, outcomes: &mut [reply::Outcome]) {
    let accepted = outcomes.iter_mut().filter_map(|outcome| outcome.as_mut().ok());
    let waiting = accepted.map(|accepted| async move {
        let command = AwaitAnswer { key: accepted.receipt.image.key.clone() };
        let sending = app.ports.ledger().send_to_user(owner, command);
        let answer = with_timeout(&app.ports, ANSWER_MS, sending).await;
        let data = answer.and_then(Result::ok).flatten();
        accepted.server_data = Some(data.unwrap_or_default());
    });
    join_all(waiting).await;
}

/// The rules of the form, which must take pictures of this caller now.
async fn rules_of<P: Ports>(
    app: &App<P>,
    permit: &Permit,
    form_id: Option<&FormId>,
) -> Result<UploadRules, ApiError> {
    let rules = UploadRules::of(app, form_id).await?;
    match rules.admit(permit.limits_of(), app.ports.now_ms()) {
        Err(Problem { code: Code::GuestNotAllowed, .. }) if permit.is_unverified() => {
            Err(Code::EmailNotVerified.into())
        }
        outcome => {
            outcome?;
            Ok(rules)
        }
    }
}

/// Reads the body, once its first bytes are there and there is memory for the others.
async fn receive<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    permit: &Permit,
    limits: &Limits,
    slot: &UploadSlot,
    body: impl BodyStream,
) -> Result<(ParsedUpload, Lease), ApiError> {
    let (ports, scheduler, client) = (&app.ports, app.scheduler(), slot.client());
    let announced = AnnouncedBody::new(context.head);
    announced.check(limits)?;
    let bytes = announced.reserved_bytes(limits);
    let mut body = body.fuse();
    let mut memory = scheduler.reserve_body(&client, bytes.min(FIRST_BYTES), None).await?;
    let arriving = body::first_chunks(&mut body, FIRST_BYTES);
    let arriving = context.timed(ports, Stage::Read, arriving);
    let first = scheduler.first_bytes(slot, arriving).await?;
    let receiving = async {
        if bytes > FIRST_BYTES {
            memory = scheduler.reserve_body(&client, bytes, Some(&memory)).await?;
        }
        let body = stream::iter(first.into_iter().map(Ok)).chain(body);
        let body = MeteredBody::new(body, &memory);
        let receiving = body::receive(permit, context.head, body, limits);
        let parsed = context.timed(ports, Stage::Read, receiving).await?;
        Ok::<_, ApiError>((parsed, memory))
    };
    let (mut parsed, memory) = slot.while_receiving(|| ports.now_ms(), receiving).await?;
    permit.is_for(parsed.user_id.as_ref())?;
    parsed.form_id = permit.form_id(parsed.form_id)?;
    Ok((parsed, memory))
}

/// The first image uses the grant of the request; each further one needs its own.
async fn take_all<P: Ports>(
    upload: &UploadContext<'_, P>,
    admitted: AdmittedUpload,
    parsed: ParsedUpload,
    memory: &Lease,
) -> Vec<reply::Outcome> {
    let mut outcomes = Vec::with_capacity(parsed.files.len());
    let mut first = Some(admitted);
    for file in parsed.files {
        let (name, size_bytes) = (file.original_name.clone(), file.size_bytes());
        let declared = file.file.as_ref().ok().map(|file| file.declared);
        let admitted = if let Some(admitted) = first.take() {
            Ok(admitted)
        } else {
            let order = FileOrder::Additional { bytes: size_bytes };
            admit_upload(upload.app, upload.context, upload.permit, order).await
        };
        let outcome = match admitted {
            Ok(admitted) => upload.take(admitted, file, parsed.form_id.as_ref(), memory).await,
            Err(error) => Err(error),
        };
        upload.context.record_file(file_count(declared, size_bytes, &outcome));
        outcomes.push(outcome.map_err(|error| (error, name)));
    }
    outcomes
}

fn file_count(
    format: Option<Format>,
    bytes_in: u64,
    outcome: &Result<reply::AcceptedImage, ApiError>,
) -> FileCount {
    let (outcome, bytes_stored) = match outcome {
        Ok(accepted) if accepted.is_new => (Outcome::Stored, accepted.receipt.image.size_bytes),
        Ok(_) => (Outcome::Repeated, 0),
        Err(error) => (Outcome::Refused(error.code()), 0),
    };
    FileCount { outcome, format, bytes_in, bytes_stored }
}
