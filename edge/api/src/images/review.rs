//! `POST /images/{id}/release` and `/refuse`: the decision about an image that waits for a review.

use edge_auth::Principal;
use edge_ledger::{LedgerClient, RefuseImage, ReleaseImage, ReviewOutcome};
use edge_registry::{Event, ImageRow, Review};
use edge_storage::ObjectKey;
use edge_types::{ImageId, Problem};
use http::StatusCode;
use image_rules::Code;
use serde::{Deserialize, Serialize};

use super::find;
use crate::{
    app::App,
    body::{BodyStream, read_json_of},
    context::RequestContext,
    error::ApiError,
    forms,
    ports::Ports,
    response::{self, HandlerResult},
};

/// Some sentences for the uploader.
const MAX_REASON_CHARS: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    reason: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Decided<'a> {
    image_id: ImageId,
    key: &'a str,
    review: Review,
    review_reason: Option<&'a str>,
}

/// `POST /images/{id}/release`: everybody may read the picture, or, of a private form, who has a signed URL. When a part of
/// it fails, the ledger retries it (202).
///
/// # Errors
/// `IMAGE_NOT_FOUND`, `REVIEW_DECIDED`.
pub async fn release<P: Ports>(app: &App<P>, caller: &Principal, id: ImageId) -> HandlerResult<P> {
    let (row, key) = held(app, caller, id).await?;
    let owner = key.owner().ok_or(Code::ImageNotFound)?;
    let outcome =
        app.ports.ledger().send_to_user(&owner, ReleaseImage { key: key.clone() }).await?;
    app.isolate.missing_pictures.forget(&key);
    respond(app, caller, &row, Review::Released, None, outcome).await
}

/// `POST /images/{id}/refuse`: removes the picture. Its record stays, with the reason.
///
/// # Errors
/// `IMAGE_NOT_FOUND`, `REVIEW_DECIDED`, `MALFORMED_REQUEST` without a reason.
pub async fn refuse<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    id: ImageId,
    body: impl BodyStream,
) -> HandlerResult<P> {
    let refusal: Refusal = read_json_of(caller, context.head, body).await?;
    let reason = refusal.reason.trim();
    let is_reason = (1..=MAX_REASON_CHARS).contains(&reason.chars().count());
    if !is_reason || reason.chars().any(|it| it.is_control() && it != '\n') {
        const EXPECTED: &str = "a text for the uploader, up to 500 characters";
        return Err(Problem::field("reason", Some(EXPECTED)).into());
    }
    let (row, key) = held(app, caller, id).await?;
    let owner = key.owner().ok_or(Code::ImageNotFound)?;
    let place = forms::place_of(app, &row).await?;
    let command = RefuseImage { key, reason: reason.to_owned(), place };
    let outcome = app.ports.ledger().send_to_user(&owner, command).await?;
    respond(app, caller, &row, Review::Refused, Some(reason), outcome).await
}

/// The image, which waits for a review as far as the database knows. The ledger decides.
async fn held<P: Ports>(
    app: &App<P>,
    caller: &Principal,
    id: ImageId,
) -> Result<(ImageRow, ObjectKey), ApiError> {
    let row = find(app, caller, id).await?;
    if row.review != Some(Review::Held) {
        return Err(Code::ReviewDecided.into());
    }
    let key = ObjectKey::parse(&row.key).ok_or(Code::ImageNotFound)?;
    Ok((row, key))
}

async fn respond<P: Ports>(
    app: &App<P>,
    caller: &Principal,
    row: &ImageRow,
    review: Review,
    reason: Option<&str>,
    outcome: ReviewOutcome,
) -> HandlerResult<P> {
    let status = match outcome {
        ReviewOutcome::Finished => StatusCode::OK,
        ReviewOutcome::Underway => StatusCode::ACCEPTED,
        ReviewOutcome::Decided => return Err(Code::ReviewDecided.into()),
    };
    let (now_ms, name) = (app.ports.now_ms(), review.name());
    app.record(Event {
        idempotency_key: format!("review:{}", row.id.0),
        at_ms: now_ms,
        kind: "review".to_owned(),
        subject: format!("user:{}", row.owner),
        reason: name.to_owned(),
        until_ms: None,
        detail: Some(format!("by {}", caller.user())),
    })
    .await;
    let data = Decided { image_id: row.id, key: &row.key, review, review_reason: reason };
    Ok(response::success(status, "review_image_success", &data, now_ms))
}
