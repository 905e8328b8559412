//! Tickets: leave for one upload by one user, good for a minute, spent once.

use http::StatusCode;
use image_rules::{Code, Format, ImageError};
use serde::{Deserialize, Serialize};

use crate::{
    admission::caller,
    app::{App, Ports},
    auth::{self, TicketScope, UserId},
    call::Call,
    error::Failure,
    intake::{Chunks, FormId, read_json},
    registry::MOST_WHOLE,
    response::{self, Answer},
    route::{Body, Endpoint},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
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

/// Issues a ticket to the caller; a back end may say for whom.
///
/// # Errors
/// `ROLE_NOT_ALLOWED`, `USER_MISMATCH`, `INVALID_FILE_TYPE`, `MALFORMED_REQUEST`.
pub async fn issue<P: Ports>(
    app: &App<P>,
    call: &Call<'_>,
    body: impl Chunks,
) -> Result<Answer<Body<P>>, Failure> {
    let caller = caller(app, call, &Endpoint::Ticket).await?;
    let wanted: Wanted = read_json(&caller, call.head, body).await?;
    let user = match &wanted.user_id {
        Some(user) => UserId::parse(user).ok_or(Code::MalformedRequest)?,
        None => caller.user().clone(),
    };
    caller.must_reach(&Endpoint::Ticket, &user)?;
    let scope = scope(&wanted)?;
    let expires_in = app.config.uploads.ticket_s;
    let ticket = auth::issue_ticket(app, &user, &scope, expires_in)?;
    let data = Issued { ticket, expires_in };
    let now_ms = app.ports.now_ms();
    let answer = response::message(StatusCode::CREATED, "issue_ticket_success", &data, now_ms);
    Ok(response::never_cached(answer))
}

fn scope(wanted: &Wanted) -> Result<TicketScope, Failure> {
    let form_id = match &wanted.form_id {
        Some(text) => Some(FormId::from_text(text).ok_or(Code::MalformedRequest)?),
        None => None,
    };
    let format = match &wanted.content_type {
        Some(text) => Some(Format::from_media_type(text).ok_or(ImageError::DeclaredNotAccepted)?),
        None => None,
    };
    if wanted.max_bytes.is_some_and(|bytes| !(1..=MOST_WHOLE).contains(&bytes)) {
        return Err(Code::MalformedRequest.into());
    }
    Ok(TicketScope { form_id, format, max_bytes: wanted.max_bytes })
}
