//! `POST /uploads/tickets`: a token for one upload of one user, good for a minute, spent once.

use edge_auth::{Principal, TicketHolder, TicketScope};
use edge_types::{FormId, MAX_SAFE_INTEGER, Role, UserId};
use http::StatusCode;
use image_rules::{Code, Format, ImageError};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    body::{BodyStream, read_json_of},
    context::RequestContext,
    error::ApiError,
    ports::Ports,
    response::{self, HandlerResult},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TicketRequest {
    form_id: Option<String>,
    content_type: Option<String>,
    max_bytes: Option<u64>,
    user_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issued {
    ticket: String,
    expires_in: u32,
}

/// Issues a ticket to the caller; a back end may name another user. Where tickets are required only back ends issue
/// them: a user who issues them to themselves could upload as with a token.
///
/// # Errors
/// `ROLE_NOT_ALLOWED`, `USER_MISMATCH`, `INVALID_FILE_TYPE`, `MALFORMED_REQUEST`.
pub async fn issue_ticket<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    body: impl BodyStream,
) -> HandlerResult<P> {
    if app.config.uploads.require_ticket && caller.role() != Role::Service {
        return Err(Code::RoleNotAllowed.into());
    }
    let request: TicketRequest = read_json_of(caller, context.head, body).await?;
    let user = match &request.user_id {
        Some(user) => UserId::parse(user).ok_or(Code::MalformedRequest)?,
        None => caller.user().clone(),
    };
    caller.check_access(&user)?;
    let scope = scope(&request)?;
    let (expires_in, now_ms) = (app.config.uploads.ticket_s, app.ports.now_ms());
    let (signing, random) = (&app.config.auth.signing, app.ports.random());
    // A new account has no larger budget with tickets than without.
    let account_since_s = caller.account_since_s().filter(|_| *caller.user() == user);
    let is_unverified = caller.is_unverified() && *caller.user() == user;
    let holder = TicketHolder { user: &user, account_since_s, is_unverified };
    let ticket = signing.issue_ticket(holder, &scope, random, expires_in, now_ms)?;
    let data = Issued { ticket, expires_in };
    Ok(response::success(StatusCode::CREATED, "issue_ticket_success", &data, now_ms))
}

fn scope(request: &TicketRequest) -> Result<TicketScope, ApiError> {
    let form_id = match &request.form_id {
        Some(text) => Some(FormId::from_text(text).ok_or(Code::MalformedRequest)?),
        None => None,
    };
    let format = match &request.content_type {
        Some(text) => Some(Format::from_media_type(text).ok_or(ImageError::DeclaredNotAccepted)?),
        None => None,
    };
    if request.max_bytes.is_some_and(|bytes| !(1..=MAX_SAFE_INTEGER).contains(&bytes)) {
        return Err(Code::MalformedRequest.into());
    }
    Ok(TicketScope { form_id, format, max_bytes: request.max_bytes })
}
