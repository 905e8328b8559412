//! `DELETE /forms/{formId}`: closes a form and, if asked to, deletes its pictures.

use edge_auth::Principal;
use edge_registry::RemovalScope;
use edge_types::{FormName, Problem};
use http::{StatusCode, request::Parts};
use image_rules::Code;

use super::begin;
use crate::{
    app::App, context::RequestContext, forms, ports::Ports, request, response::HandlerResult,
};

/// Closes a form. With `?pictures=delete`, it deletes its pictures in the background.
///
/// # Errors
/// `FORM_NOT_FOUND`, `MALFORMED_REQUEST`.
pub async fn close_form<P: Ports>(
    app: &App<P>,
    context: &RequestContext<'_>,
    caller: &Principal,
    name: &FormName,
) -> HandlerResult<P> {
    const MESSAGE: &str = "close_form_success";
    let deletes_pictures = reads_deletion(context.head)?;
    let row = forms::close(app, name, deletes_pictures).await?;
    if !deletes_pictures {
        return forms::respond(app, StatusCode::OK, MESSAGE, &row);
    }
    let scope = RemovalScope::Form(name.to_string());
    begin(app, context, caller, &scope, MESSAGE).await
}

/// Whether the query asks to delete the pictures. Nothing of it is ignored: a typing error must neither delete nor keep
/// them.
fn reads_deletion(head: &Parts) -> Result<bool, Problem> {
    let query = request::query(head).ok_or(Problem::new(Code::MalformedRequest))?;
    match query.as_slice() {
        [] => Ok(false),
        [(name, value)] if name == "pictures" && value == "delete" => Ok(true),
        [(name, _), ..] if name == "pictures" => Err(Problem::field(name, Some("delete"))),
        [(name, _), ..] => Err(Problem::field(name, None)),
    }
}
